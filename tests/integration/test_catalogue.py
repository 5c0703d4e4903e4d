"""Sales orders, items and machines of the ERP come into the record: once, when due, and when pushed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from erp_bridge.catalogue import Catalogue
from erp_bridge.connector import Connector
from erp_bridge.runner import BridgeRunner
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, ErpSubject, Item, PostingKind, SalesOrder, StockClaim
from hub.model.intent import Intent, IntentKind
from hub.model.production import Posting, WorkOrder
from hub.model.words import Words
from hub.notices import Notices
from hub.store.catalogue import PgCatalogue
from hub.store.erp_book import PgErpBook
from hub.store.ledger import PgLedger
from hub.store.pool import Pool, open_pool
from hub.testing.clock import NOON
from tests.integration.bridge_house import QuickClock, bridge_house, kingdee
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio

QUARTER = timedelta(minutes=15).total_seconds()
SALE = SalesOrder("SO-1", "1", "华东机械", "A100", 50.0, NOON, seller="SA01")
PRESS = ErpEquipment("EQ-1", Words("冲压机", "Press"), "一车间")


class Office(Connector):
    """An ERP whose clerks are the test; it remembers what it was asked for."""

    capabilities = frozenset({"sales-orders", "items", "equipment", "stock"})

    def __init__(self) -> None:
        self.sales = {("SO-1", "1"): SALE}
        self.changed: list[SalesOrder] = []
        self.machines = {"EQ-1": PRESS}
        self.goods = {"A100": Item("A100", Words("油泵", "Pump"), "个")}
        self.shelves: dict[str, list[float]] = {"A100": [3.0, 4.0]}
        self.asked: list[tuple[str, datetime | None]] = []
        self.refuses: set[str] = set()

    def _heard(self, what: str, since: datetime | None = None) -> None:
        self.asked.append((what, since))
        if what in self.refuses:
            raise ErpRefused(f"no right to read {what}")

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        self._heard("sales", changed_since)
        return self.changed if changed_since else list(self.sales.values())

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        self._heard("items", changed_since)
        return list(self.goods.values())

    async def equipment(self) -> Sequence[ErpEquipment]:
        self._heard("equipment")
        return list(self.machines.values())

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        self._heard("stock")
        return [StockClaim(i, q, f"L{n}") for i in items for n, q in enumerate(self.shelves.get(i, []))]


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    made = await open_pool(dsn)
    yield made
    await made.close()


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def catalogue(pool: Pool, office: Office, clock: QuickClock) -> Catalogue:
    return Catalogue(PgCatalogue(pool), office, clock)


@pytest.fixture
def erp(clock: QuickClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(now=clock.now, order_start=NOON) as simulator:
        yield simulator


# ------------------------------------------------------------------ Kingdee
async def test_kingdees_catalogue_comes_in_once_and_a_change_alone(
    pool: Pool, erp: KingdeeSimulator, clock: QuickClock
) -> None:
    shelf, connector = PgCatalogue(pool), kingdee(erp.url, clock)
    catalogue = Catalogue(shelf, connector, clock)
    try:
        assert await catalogue.due()
        sales, machines, items = await shelf.open_sales_orders(), await shelf.equipment(), await shelf.items()
        assert sales
        assert "EQ-CNC-03" in {m.number for m in machines}
        assert {s.product for s in sales} <= {i.number for i in items}
        clock.turn(3600)
        assert await catalogue.due() == 0
        clock.turn(3600)
        changed = erp.books.numbered("SAL_SaleOrder", sales[0].number)
        assert changed is not None
        changed = changed.copy()
        changed.rows["fsaleorderentry"][0].values["fqty"] = 7777.0
        erp.books.put(changed)
        assert await catalogue.look(ErpSubject.SALES_ORDERS) == 1
    finally:
        await connector.close()
    (after,) = [s for s in await shelf.sales_orders([sales[0].number]) if s.quantity == 7777.0]
    (before,) = [s for s in sales if (s.number, s.line) == (after.number, after.line)]
    (told,) = await PgErpBook(pool).exchanges(f"sales-order:{after.number}/{after.line}")
    assert (told.before or {})["quantity"] == before.quantity
    assert (told.after or {})["quantity"] == 7777.0


# ------------------------------------------------------------------ when, and what
async def test_it_is_read_every_quarter_of_an_hour_from_before_the_last_time(
    catalogue: Catalogue, office: Office, clock: QuickClock
) -> None:
    first = clock.now()
    await catalogue.due()
    office.asked.clear()
    assert await catalogue.due() is None
    assert office.asked == []
    clock.turn(QUARTER)
    await catalogue.due()
    since = dict(office.asked)["sales"]
    assert since is not None
    assert since < first


async def test_once_a_day_all_of_it_is_read(catalogue: Catalogue, office: Office, clock: QuickClock) -> None:
    await catalogue.due()
    clock.turn(timedelta(days=1).total_seconds())
    office.asked.clear()
    await catalogue.due()
    assert ("sales", None) in office.asked


async def test_what_the_full_reading_does_not_name_is_open_no_more(
    catalogue: Catalogue, office: Office, clock: QuickClock, pool: Pool
) -> None:
    await catalogue.due()
    office.sales.clear()
    clock.turn(QUARTER)
    await catalogue.due()
    assert await PgCatalogue(pool).open_sales_orders() == [SALE]  # nobody said that it changed
    clock.turn(timedelta(days=1).total_seconds())
    await catalogue.due()
    assert await PgCatalogue(pool).open_sales_orders() == []
    assert await PgCatalogue(pool).sales_orders(["SO-1"]) == [replace(SALE, open=False)]


async def test_a_machine_that_left_the_asset_list_leaves_ours(
    catalogue: Catalogue, office: Office, pool: Pool
) -> None:
    await catalogue.due()
    office.machines = {"EQ-2": replace(PRESS, number="EQ-2")}
    assert await catalogue.look(ErpSubject.EQUIPMENT) == 2
    assert [m.number for m in await PgCatalogue(pool).equipment()] == ["EQ-2"]
    (gone, *_) = await PgErpBook(pool).exchanges("equipment:EQ-1")
    assert gone.after == {"gone": True}


async def test_lists_that_are_suddenly_empty_are_believed_when_an_hour_later_they_still_are(
    pool: Pool, office: Office, clock: QuickClock
) -> None:
    shelf = PgCatalogue(pool)
    numbers = range(12)
    sales = {(f"SO-{n}", "1"): replace(SALE, number=f"SO-{n}") for n in numbers}
    machines = {f"EQ-{n}": replace(PRESS, number=f"EQ-{n}") for n in numbers}

    async def kept() -> tuple[int, int]:
        """Each time by a bridge that has just started."""
        clock.turn(QUARTER * 2)
        await (bridge := Catalogue(shelf, office, clock)).due()
        words.append(bridge.health().get("degraded", {}).get("en", ""))
        return len(await shelf.open_sales_orders()), len(await shelf.equipment())

    words: list[str] = []
    office.sales, office.machines = dict(sales), dict(machines)
    assert await kept() == (12, 12)
    clock.turn(timedelta(days=1).total_seconds())
    office.sales, office.machines = {}, {"EQ-0": machines["EQ-0"]}
    assert [await kept(), await kept()] == [(12, 12)] * 2
    office.sales, office.machines = dict(sales), dict(machines)
    assert [await kept(), await kept()] == [(12, 12)] * 2
    assert [bool(said) for said in words] == [False, True, True, False, False]
    clock.turn(timedelta(days=1).total_seconds())
    office.sales, office.machines = {}, {"EQ-0": machines["EQ-0"]}
    assert [await kept(), await kept(), await kept()] == [(12, 12), (12, 12), (0, 1)]
    assert words[1] == (
        "the ERP named 0 of 12 open sales orders: not believed until a second full reading an hour later"
        " says the same"
    )


async def test_one_that_the_erp_refuses_does_not_keep_the_others_waiting(
    catalogue: Catalogue, office: Office, clock: QuickClock, pool: Pool
) -> None:
    office.refuses = {"sales"}
    with pytest.raises(ErpRefused, match="no right to read sales"):
        await catalogue.due()
    assert [i.number for i in await PgCatalogue(pool).items()] == ["A100"]
    office.asked.clear()
    clock.turn(60)
    assert await catalogue.due() is None  # a right that is missing is not asked for twice a minute
    assert office.asked == []


async def test_an_erp_that_cannot_tell_is_not_asked(pool: Pool, office: Office, clock: QuickClock) -> None:
    office.capabilities = frozenset({"items"})
    catalogue = Catalogue(PgCatalogue(pool), office, clock)
    assert await catalogue.due() == 1
    assert await catalogue.look(ErpSubject.EQUIPMENT) == 0
    assert {what for what, _ in office.asked} == {"items"}


async def test_stock_of_what_moves_is_kept_once_a_day(
    catalogue: Catalogue, office: Office, clock: QuickClock, pool: Pool
) -> None:
    async with PgLedger(pool).begin() as tx:
        for item in ("A100", "untold"):
            await tx.add_posting(Posting(item, PostingKind.ISSUE, "MO-1", "10", clock.now(), item, 1.0))
    await catalogue.due()
    clock.turn(QUARTER)
    await catalogue.due()
    assert [what for what, _ in office.asked].count("stock") == 1
    async with pool.connection() as connection:
        rows = await (await connection.execute("select item, quantity from stock_days")).fetchall()
    assert [(r["item"], r["quantity"]) for r in rows] == [("A100", 7.0)]


async def test_an_order_names_the_seller_of_its_sales_order(catalogue: Catalogue, pool: Pool) -> None:
    ledger = PgLedger(pool)
    async with ledger.begin() as tx:
        for number, sale in (("MO-1", "SO-1"), ("MO-2", "")):
            await tx.save_order(
                WorkOrder(
                    number, "A100", Words("油泵", "Pump"), 50, NOON + timedelta(days=999), sales_order=sale
                )
            )
    await catalogue.due()
    assert {o.number: o.seller for o in await ledger.orders()} == {"MO-1": "SA01", "MO-2": ""}


# ------------------------------------------------------------------ in the bridge
async def test_a_push_of_sales_orders_is_looked_into_at_once(
    dsn: str, pool: Pool, erp: KingdeeSimulator, clock: QuickClock
) -> None:
    async with bridge_house(dsn, erp.url, clock) as house:
        bridge = BridgeRunner(
            house.ledger, house.outbox, house.desk, house.connector, clock, quiet, "test/catalogue",
            Notices(house.plant), book=house.book, shelf=PgCatalogue(pool),
        )  # fmt: skip
        told = {"subject": "sales-orders", "documents": []}
        async with house.ledger.begin() as tx:
            await tx.intend(Intent(IntentKind.ERP_NEWS, "erp-push:1", "erp-news:sales-orders", told))
        assert await bridge.deliver_one()
        assert await PgCatalogue(pool).open_sales_orders()
        assert await PgCatalogue(pool).equipment() == []  # nobody spoke of machines
        assert await bridge.poll_rest()  # the schedule has them
        assert await PgCatalogue(pool).equipment()
        assert {"sales_orders_at", "items_at", "equipment_at"} <= set(bridge.health())


async def quiet(_: dict[str, Any]) -> None: ...
