"""A fresh server, a clock to turn by hand, and a connector to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.testing.clock import NOON, HandClock
from tests.contract.kingdee.case import SECRET, config
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.sessions import Account


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def erp(clock: HandClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(account=Account(app_secret=SECRET), now=clock.now, order_start=NOON) as simulator:
        yield simulator


@pytest.fixture
async def connector(erp: KingdeeSimulator, clock: HandClock) -> AsyncIterator[KingdeeGalaxyConnector]:
    made = KingdeeGalaxyConnector(config(erp), clock)
    yield made
    await made.close()
