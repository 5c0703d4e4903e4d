"""What the office changes reaches the record: orders, and tickets closed by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from starlette.applications import Starlette

from hub.model.ticket import TicketState
from hub.testing.clock import NOON, HandClock
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house
from tests.simulators.kingdee.planner import keep_entering, read_order
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.mes import MemoryShop, mes_routes
from tests.simulators.plant.orders import PRODUCTS, as_json, make_order
from tests.simulators.process import http_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def erp(clock: QuickClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(now=clock.now, order_start=NOON) as simulator:
        yield simulator


@pytest.fixture
async def house(dsn: str, erp: KingdeeSimulator, clock: QuickClock) -> AsyncIterator[BridgeHouse]:
    async with bridge_house(dsn, erp.url, clock) as made:
        yield made


async def test_the_order_book_comes_in_once_and_is_announced(house: BridgeHouse) -> None:
    assert await house.bridge.poll_orders() == 10
    orders = {o.number: o for o in await house.ledger.orders()}
    assert [j.operation for j in orders["MO0001"].jobs] == ["10", "20", "30"]
    assert {"kind": "order", "order": "MO0001"} in house.shouted
    house.shouted.clear()
    assert await house.bridge.poll_orders() == 0
    assert house.shouted == []


async def test_a_changed_order_comes_alone(house: BridgeHouse, erp: KingdeeSimulator) -> None:
    await house.bridge.poll_orders()
    house.shouted.clear()
    house.clock.turn(3600)
    await house.bridge.poll_orders()
    order = erp.books.numbered("PRD_MO", "MO0003")
    assert order is not None
    changed = order.copy()
    changed.rows["ftreeentity"][0].values["fqty"] = 999.0
    erp.books.put(changed)
    assert await house.bridge.poll_orders() == 1
    assert house.shouted == [{"kind": "order", "order": "MO0003"}]
    assert {o.number: o.quantity for o in await house.ledger.orders()}["MO0003"] == 999


async def test_a_change_that_the_clocks_hid_is_found_on_the_next_day(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.bridge.poll_orders()
    house.clock.turn(7200)
    await house.bridge.poll_orders()
    order = erp.books.numbered("PRD_MO", "MO0003")
    assert order is not None
    order.rows["ftreeentity"][0].values["fqty"] = 999.0  # its FModifyDate stays behind
    assert await house.bridge.poll_orders() == 0
    house.clock.turn(timedelta(days=1).total_seconds())
    assert await house.bridge.poll_orders() == 1


async def test_a_ticket_closed_by_hand_in_the_erp_is_closed_here(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    ticket_id = await house.break_down()
    await house.drain()
    assert await house.bridge.poll_tickets() == 0
    erp.close_ticket_by_hand(erp.tickets()[0]["id"])
    assert await house.bridge.poll_tickets() == 1
    ticket = await house.ledger.ticket_of(ticket_id)
    assert ticket.state is TicketState.CLOSED
    assert (await house.ledger.ticket_lines(ticket_id))[-1].channel == "erp"
    await house.drain()
    assert await house.bridge.poll_tickets() == 0
    assert await house.dead() == 0


async def test_a_report_waits_for_the_office_to_release_its_order(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    """Order and operation exist on the shop floor first; the planner follows."""
    order = make_order(11, PRODUCTS["D100"], 60, NOON + timedelta(hours=3))
    await house.report("R-1", order.number, "10", 5)
    assert await house.bridge.deliver_one()
    assert erp.reports() == []
    assert erp.admit_orders([read_order(as_json(order))]) == 1
    assert erp.admit_orders([read_order(as_json(order))]) == 0
    await house.drain()
    assert [(r["order"], r["good"], r["status"]) for r in erp.reports()] == [("MO0011", 5, "C")]
    assert await house.bridge.poll_orders() == 11


async def test_the_planner_enters_what_the_mes_has_begun(erp: KingdeeSimulator) -> None:
    shop = MemoryShop([as_json(make_order(11, PRODUCTS["D100"], 60, NOON + timedelta(hours=3)))])
    async with http_server(Starlette(routes=mes_routes(shop)), 0) as url:
        planner = asyncio.create_task(keep_entering(erp, url))
        async with asyncio.timeout(30):
            while erp.books.numbered("SFC_OperationPlanning", "OPMO0011") is None:
                await asyncio.sleep(0.01)
        planner.cancel()
        with suppress(asyncio.CancelledError):
            await planner


async def test_an_erp_that_is_away_only_shows_in_the_health(dsn: str, erp: KingdeeSimulator) -> None:
    async with bridge_house(dsn, erp.url, HandClock()) as house:
        await away_and_back(house, erp)


async def away_and_back(house: BridgeHouse, erp: KingdeeSimulator) -> None:
    erp.faults.add("down")
    bridge = asyncio.create_task(house.bridge.run())
    async with asyncio.timeout(30):
        while not house.bridge.health()["last_error"]:
            await asyncio.sleep(0.01)
    assert not bridge.done()
    assert house.bridge.health()["up"] is False
    erp.faults.clear()
    async with asyncio.timeout(30):
        while not house.bridge.health()["orders_at"]:
            house.clock.turn(30)
            await asyncio.sleep(0.01)
    assert house.bridge.health()["up"] is True
    assert len(await house.ledger.orders()) == 10
    bridge.cancel()
    with suppress(asyncio.CancelledError):
        await bridge
