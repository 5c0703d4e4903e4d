"""A simulated Odoo 19, and connectors to it that are closed however the test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from erp_bridge.odoo import OdooConnector
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.odoo import OdooBooks, OdooWorld

Connect = Callable[..., OdooConnector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def erp(clock: HandClock) -> AsyncIterator[OdooBooks]:
    async with OdooWorld().books(clock) as books:
        yield books


@pytest.fixture
async def connect(erp: OdooBooks, clock: HandClock) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as open_ones:

        def made(**changes: Any) -> OdooConnector:
            connector = erp.connector(clock, **changes)
            open_ones.push_async_callback(connector.close)
            return connector

        yield made


@pytest.fixture
def connector(connect: Connect) -> OdooConnector:
    return connect()
