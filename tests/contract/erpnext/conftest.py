"""A simulated site, and connectors to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from erp_bridge.erpnext import ErpNextConnector
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.erpnext import ErpNextBooks
from tests.contract.erpnext.said import Connect
from tests.simulators.erpnext.server import ErpNextSimulator


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def erp(clock: HandClock) -> Iterator[ErpNextSimulator]:
    with ErpNextSimulator(now=clock.now) as simulator:
        yield simulator


@pytest.fixture
def books(erp: ErpNextSimulator) -> ErpNextBooks:
    return ErpNextBooks(erp)


@pytest.fixture
async def connect(clock: HandClock) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as open_ones:

        def made(erp: ErpNextSimulator, **changes: Any) -> ErpNextConnector:
            connector = ErpNextBooks(erp).connector(clock, **changes)
            open_ones.push_async_callback(connector.close)
            return connector

        yield made


@pytest.fixture
def connector(connect: Connect, erp: ErpNextSimulator) -> ErpNextConnector:
    return connect(erp)
