"""A simulated Jiandaoyun and a connector to it, as a test wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.jiandaoyun import SECRET, JiandaoyunBooks
from tests.simulators.jiandaoyun.keys import Key
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

Connect = Callable[..., JiandaoyunConnector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def flow(request: pytest.FixtureRequest) -> bool:
    """Overridden by tests of a form with a workflow."""
    return False


@pytest.fixture
def erp(clock: HandClock, flow: bool) -> Iterator[JiandaoyunSimulator]:
    with JiandaoyunSimulator(keys={SECRET: Key()}, now=clock.now, flow=flow) as simulator:
        yield simulator


@pytest.fixture
async def connect(erp: JiandaoyunSimulator, clock: HandClock) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as open_ones:

        def made(**changes: Any) -> JiandaoyunConnector:
            connector = JiandaoyunBooks(erp).connector(clock, **changes)
            open_ones.push_async_callback(connector.close)
            return connector

        yield made


@pytest.fixture
def connector(connect: Connect) -> JiandaoyunConnector:
    return connect()
