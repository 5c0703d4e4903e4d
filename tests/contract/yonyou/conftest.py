"""One simulated U9 site for each test, and connectors to it that are closed however the test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from erp_bridge.yonyou_u9 import YonyouU9Connector
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.yonyou import YonyouBooks
from tests.simulators.yonyou import seed
from tests.simulators.yonyou.server import YonyouSimulator

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def erp(clock: HandClock) -> Iterator[YonyouSimulator]:
    with YonyouSimulator(now=clock.now, cap=5) as simulator:
        yield simulator


@pytest.fixture
def books(erp: YonyouSimulator) -> YonyouBooks:
    return YonyouBooks(erp)


@pytest.fixture
async def connect(books: YonyouBooks, clock: HandClock) -> AsyncIterator[Callable[..., YonyouU9Connector]]:
    async with AsyncExitStack() as open_ones:

        def made(**changes: Any) -> YonyouU9Connector:
            connector = books.connector(clock, **changes)
            open_ones.push_async_callback(connector.close)
            return connector

        yield made


@pytest.fixture
def connector(connect: Callable[..., YonyouU9Connector]) -> YonyouU9Connector:
    return connect()


@pytest.fixture
def fields() -> Callable[..., dict[str, Any]]:
    """Fields of a posting of three pieces on the last operation of the first order."""

    def made(**more: Any) -> dict[str, Any]:
        return {
            "order": seed.ORDER, "operation": "30", "good": 3, "scrap": 1, "at": AT, "person": "op-a",
            "item": seed.ITEM, "quantity": 2.0, "unit": "", "lot": "", "warehouse": seed.WAREHOUSE,
            "reason": "",
            "check": "", "passed": None, "value": "", "sample_size": 0, "labour_seconds": 0.0,
            "machine_seconds": 0.0, "equipment": "",
        } | more  # fmt: skip

    return made


@pytest.fixture
def repair() -> dict[str, Any]:
    """Fields of a new ticket."""
    return {
        "equipment": seed.EQUIPMENT, "equipment_path": "p1/machining/l2/cnc-03",
        "equipment_name": "加工中心03",
        "title": "主轴温度超限", "priority": 4, "fault_code": "17", "order": seed.ORDER, "state": "sent",
        "opened_at": AT, "stopped_at": AT,
    }  # fmt: skip
