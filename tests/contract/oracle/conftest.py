"""One simulated pod for each test, and connectors to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from erp_bridge.oracle import OracleConnector
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.oracle import OracleBooks
from tests.contract.oracle.deeds import (
    Clerk,
    Connect,
)
from tests.simulators.oracle.server import OracleSimulator


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def books(clock: HandClock) -> Iterator[OracleBooks]:
    with OracleSimulator(now=clock.now) as simulator:
        yield OracleBooks(simulator)


@pytest.fixture
async def connect(books: OracleBooks, clock: HandClock) -> AsyncIterator[Connect]:
    made: list[OracleConnector] = []

    def connector(**changes: Any) -> OracleConnector:
        made.append(books.connector(clock, **changes))
        return made[-1]

    yield connector
    for one in made:
        await one.close()


@pytest.fixture
def clerk(books: OracleBooks) -> Iterator[Clerk]:
    clerk = Clerk(books.erp)
    yield clerk
    clerk.http.close()
