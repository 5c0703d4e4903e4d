"""Records of the ERP that no map can read: nothing is gone because of them, and people hear of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alert_rules.casebook import Casebook
from alert_rules.desk import AlarmDesk
from alert_rules.orphans import DEFAULT, OrderOrphans
from collectors.runner import pass_on
from erp_bridge import left_out
from erp_bridge.catalogue import Catalogue
from erp_bridge.connector import Connector
from erp_bridge.omissions import Omissions
from erp_bridge.reconciler import Habits, Reconciler
from erp_bridge.runner import BridgeRunner
from hub.errors import ErpUnavailable
from hub.model.alarm import AlarmState
from hub.model.discrepancy import DiscrepancyKind
from hub.model.erp import ErpEquipment, Item, OperationClaim, SalesOrder
from hub.model.production import JobOrder, WorkOrder
from hub.model.words import Words
from hub.notices import Notices
from hub.store.catalogue import PgCatalogue
from hub.store.left_out import PgLeftOut
from hub.store.reconciliation import PgReconciliation
from hub.testing.clock import NOON
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house

pytestmark = pytest.mark.anyio

K = DiscrepancyKind
DAY, HOUR = timedelta(days=1).total_seconds(), timedelta(hours=1).total_seconds()
DUE = NOON + timedelta(days=999)
SALE = SalesOrder("SO-1", "1", "华东机械", "A100", 50.0, DUE)
PRESS = ErpEquipment("EQ-1", Words("冲压机", "Press"))
PUMP = Words("油泵", "Pump")


def order(number: str, quantity: int = 50) -> WorkOrder:
    return WorkOrder(number, "A100", PUMP, quantity, DUE, jobs=(JobOrder(number, "10", PUMP, "p1/a/l", 50),))


@dataclass
class Office(Connector):
    """An ERP whose records are the test's; those in `broken` no map can read."""

    present: dict[str, WorkOrder] = field(default_factory=lambda: {n: order(n) for n in ("MO-1", "MO-2")})
    sales: dict[str, SalesOrder] = field(default_factory=lambda: {"SO-1": SALE})
    machines: dict[str, ErpEquipment] = field(default_factory=lambda: {"EQ-1": PRESS})
    claims: list[OperationClaim] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[str, bool]] = field(default_factory=list)
    away: bool = False
    capabilities: Any = frozenset({"orders", "sales-orders", "items", "equipment", "reported"})

    def _read(self, document: str, found: dict[str, Any], since: datetime | None) -> list[Any]:
        if self.away:
            raise ErpUnavailable("nobody answers")
        self.asked.append((document, since is None))
        for number in sorted(found.keys() & self.broken):
            left_out.note(document, number, f"documents.{document}.read.due_at: no date")
        return [one for number, one in found.items() if number not in self.broken]

    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        return self._read("order", self.present, changed_since)

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        return self._read("sales_order", self.sales, changed_since) if changed_since is None else ()

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        return self._read("item", {}, changed_since)

    async def equipment(self) -> Sequence[ErpEquipment]:
        return self._read("equipment", self.machines, None)

    async def reported(self, orders: Sequence[str]) -> Sequence[OperationClaim]:
        return self._read("operation", {c.order: c for c in self.claims}, None)


@dataclass
class Hub:
    house: BridgeHouse
    office: Office
    kept: PgLeftOut
    record: PgReconciliation
    maps: str = "maps-1"

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        house, notices = self.house, Notices(self.house.plant, ("group",), "http://hub/phone")
        self.omissions = Omissions(house.clock, notices, self.kept)
        self.bridge = BridgeRunner(
            house.ledger, house.outbox, house.desk, self.office, house.clock, house._shout, "test/left-out",
            notices, book=house.book, shelf=PgCatalogue(house._pool), omissions=self.omissions,
            maps=self.maps,
        )  # fmt: skip
        self.reconciler = Reconciler(
            house.plant, house.ledger, self.record, house.desk, self.office, house.clock, notices,
            Habits(ignore=frozenset({K.EQUIPMENT_NOT_IN_ERP, K.EQUIPMENT_NOT_HERE})), pass_on=pass_on,
            omissions=self.omissions,
        )  # fmt: skip

    async def compare(self) -> set[str]:
        run = await self.reconciler.compare()
        assert run.trouble == ""
        return {f"{o.what.kind.value} {o.what.subject}" for o in await self.record.open_ones()}

    async def titles(self) -> list[str]:
        return [t["title"]["en"] for t in await self.house.told()]

    async def not_compared(self) -> dict[str, str]:
        run = await self.record.last_run()
        assert run is not None
        return run.not_compared

    @property
    def catalogue(self) -> Catalogue:
        found = self.bridge._incoming.catalogue
        assert found is not None
        return found


@pytest.fixture
async def hub(dsn: str) -> AsyncIterator[Hub]:
    clock, office = QuickClock(), Office()
    async with bridge_house(dsn, "", clock, lambda: office) as house:
        yield Hub(house, office, PgLeftOut(house._pool), PgReconciliation(house._pool))


# ------------------------------------------------------------------ readings
async def test_a_sales_order_that_cannot_be_read_stays_open_until_a_reading_understands_all(hub: Hub) -> None:
    shelf = PgCatalogue(hub.house._pool)
    await hub.catalogue.due()
    hub.office.broken = {"SO-1"}
    hub.house.clock.turn(DAY)
    await hub.catalogue.due()
    assert await shelf.open_sales_orders() == [SALE]
    hub.office.sales, hub.office.broken = {}, set()
    hub.house.clock.turn(HOUR)
    await hub.catalogue.due()
    assert await shelf.open_sales_orders() == []


async def test_a_machine_that_cannot_be_read_is_not_gone(hub: Hub) -> None:
    shelf = PgCatalogue(hub.house._pool)
    await hub.catalogue.due()
    hub.office.broken = {"EQ-1"}
    hub.house.clock.turn(HOUR)
    await hub.catalogue.due()
    assert await shelf.equipment() == [PRESS]
    hub.office.machines, hub.office.broken = {}, set()
    hub.house.clock.turn(HOUR)
    await hub.catalogue.due()
    assert await shelf.equipment() == []


async def test_what_could_not_be_read_whole_is_read_again_within_the_hour_and_not_at_every_turn(
    hub: Hub,
) -> None:
    hub.office.broken = {"SO-1", "MO-1"}
    await hub.bridge.poll_orders()
    await hub.catalogue.due()
    hub.office.asked.clear()
    for _ in range(3):
        hub.house.clock.turn(HOUR / 4)
        await hub.bridge.poll_orders()
        await hub.catalogue.due()
    assert {("order", True), ("sales_order", True)}.isdisjoint(hub.office.asked)
    hub.house.clock.turn(HOUR / 4)
    await hub.bridge.poll_orders()
    await hub.catalogue.due()
    assert {("order", True), ("sales_order", True)} <= set(hub.office.asked)


async def test_under_other_maps_everything_is_read_anew(hub: Hub) -> None:
    await hub.catalogue.due()
    for maps, anew in (("maps-1", False), ("maps-2", True), ("maps-2", False)):
        hub.maps = maps
        hub.restart()
        hub.office.asked.clear()
        hub.house.clock.turn(HOUR / 4)
        await hub.catalogue.due()
        assert (("sales_order", True) in hub.office.asked) is anew


# ------------------------------------------------------------------ people
async def test_the_keeper_of_the_erp_hears_once_again_when_it_grows_or_is_old_and_when_it_is_over(
    hub: Hub,
) -> None:
    hub.office.broken = {"MO-1"}
    await hub.bridge.poll_orders()
    hub.house.clock.turn(60)
    await hub.bridge.poll_orders()
    assert await hub.titles() == ["1 record in the ERP cannot be read"]
    (first,) = await hub.house.told()
    assert first["link"] == "http://hub/console#erp"
    assert first["lines"][0] == {
        "label": {"zh": "order MO-1", "en": "order MO-1"},
        "text": {"zh": "documents.order.read.due_at: no date", "en": "documents.order.read.due_at: no date"},
    }
    hub.office.broken.add("MO-2")
    hub.house.clock.turn(HOUR)
    await hub.bridge.poll_orders()
    assert (await hub.titles())[1:] == ["2 records in the ERP cannot be read"]
    health = hub.bridge.health()
    assert (health["left_out"], health["left_out_since"]) == (2, NOON)
    assert health["degraded"]["zh"] == "ERP 有 2 条记录读不出来"
    hub.house.clock.turn(DAY)
    await hub.bridge.poll_orders()
    assert len(await hub.titles()) == 3
    hub.office.broken.clear()
    hub.house.clock.turn(HOUR)
    await hub.bridge.poll_orders()
    assert (await hub.titles())[3:] == ["Every record in the ERP can be read again"]
    assert "degraded" not in hub.bridge.health()
    hub.house.clock.turn(DAY)
    await hub.bridge.poll_orders()
    assert len(await hub.titles()) == 4


async def test_whatever_the_erp_says_can_be_kept(hub: Hub) -> None:
    lost = [left_out.LeftOut("order", "MO\0-1\udcff" + "x" * 3000, "no\0 date \ud800")]
    await hub.omissions.heard("orders", lost, whole=True)
    await hub.omissions.heard("orders", lost, whole=True)
    (kept,) = await hub.kept.open_ones()
    assert kept.record.startswith("MO-1?xxx")
    assert await hub.kept.counts() == {"order": 1}


# ------------------------------------------------------------------ reconciliation
async def test_an_order_that_cannot_be_read_is_not_called_missing_and_what_was_found_is_not_over(
    hub: Hub,
) -> None:
    await hub.bridge.poll_orders()
    hub.office.present["MO-2"] = order("MO-2", 60)
    del hub.office.present["MO-1"]
    assert await hub.compare() == {"order-not-in-erp MO-1", "order-quantity MO-2"}
    hub.office.present["MO-1"] = order("MO-1")
    hub.office.present["MO-3"] = order("MO-3")
    hub.office.broken = {"MO-1", "MO-2"}
    assert await hub.compare() == {
        "order-not-in-erp MO-1", "order-quantity MO-2", "order-not-here MO-3", "record-unreadable MO-1",
        "record-unreadable MO-2",
    }  # fmt: skip
    said = (await hub.not_compared())["orders"]
    assert said == "left-out 2 order MO-1: documents.order.read.due_at: no date"
    (unread, _) = [o for o in await hub.record.open_ones() if o.what.kind is K.RECORD_UNREADABLE]
    assert (unread.owner, unread.what.part) == ("admin", "order")
    hub.office.broken = set()
    del hub.office.present["MO-3"]
    hub.office.present["MO-2"] = order("MO-2")
    hub.house.clock.turn(HOUR)
    await hub.bridge.poll_orders()
    assert await hub.compare() == set()


async def test_no_order_is_missing_that_was_not_there_when_something_could_not_be_read(hub: Hub) -> None:
    await hub.bridge.poll_orders()
    hub.office.broken = {"MO-1"}
    assert await hub.compare() == {"record-unreadable MO-1"}


async def test_sums_are_not_compared_while_a_claim_cannot_be_read(hub: Hub) -> None:
    await hub.bridge.poll_orders()
    hub.office.claims = [OperationClaim("MO-1", "10", 50, 9, 0)]
    assert await hub.compare() == {"report-unknown MO-1/10"}
    hub.office.broken = {"MO-1"}
    hub.office.present.pop("MO-2")
    found = await hub.compare()
    assert "report-unknown MO-1/10" in found  # nobody has seen that it is over
    assert not [f for f in found if f.startswith("order-")]
    assert (await hub.not_compared())["reports"].startswith("left-out 1 operation MO-1")


async def test_a_machine_that_cannot_be_read_is_not_called_missing(hub: Hub) -> None:
    hub.reconciler._habits = replace(hub.reconciler._habits, ignore=frozenset({K.EQUIPMENT_SHARED}))
    hub.office.machines = {"EQ-CNC-03": replace(PRESS, number="EQ-CNC-03")}
    hub.office.capabilities = frozenset({"equipment"})
    assert await hub.compare() == set()
    hub.office.broken = {"EQ-CNC-03"}
    assert await hub.compare() == {"record-unreadable EQ-CNC-03"}


async def test_a_map_that_reads_hardly_anything_is_a_few_lines_and_one_message(hub: Hub) -> None:
    hub.office.present = {f"MO-{n:03}": order(f"MO-{n:03}") for n in range(60)}
    hub.office.broken = set(hub.office.present)
    found = await hub.compare()
    assert len(found) == 21
    assert "record-unreadable *" in found
    assert await hub.titles() == ["60 records in the ERP cannot be read"]


# ------------------------------------------------------------------ orders that only one book knows
async def test_orders_that_only_one_book_knows_raise_one_alarm_each_way_until_they_are_gone(hub: Hub) -> None:
    rules = {(r.name, r.subject): r for r in OrderOrphans.model_validate(DEFAULT).expand(hub.house.plant, "")}
    casebook = Casebook(hub.house.plant, rules, hub.house.ledger, hub.house.clock, hub.house._shout, "")
    hub.house.desk = AlarmDesk(casebook)
    hub.restart()
    await hub.bridge.poll_orders()
    await hub.compare()
    assert await hub.house.ledger.open_alarms() == []
    there = hub.office.present
    hub.office.present = {n: order(n) for n in ("MO-7", "MO-8", "MO-9")}
    for _ in range(2):
        await hub.compare()
        alarms = {a.subject: a for a in await hub.house.ledger.open_alarms()}
        assert {s: (a.state, a.value, a.count) for s, a in alarms.items()} == {
            "p1#order-not-here": (AlarmState.UNACKED, 3.0, 1),
            "p1#order-not-in-erp": (AlarmState.UNACKED, 2.0, 1),
        }
        hub.house.clock.turn(HOUR)
    hub.office.broken = {"MO-7"}  # what cannot be compared is not over
    hub.office.present |= there
    await hub.compare()
    assert all(a.condition for a in await hub.house.ledger.open_alarms())
    hub.office.broken, hub.office.present = set(), there
    hub.house.clock.turn(HOUR)
    await hub.compare()
    states = {a.state for a in await hub.house.ledger.open_alarms()}
    assert states == {AlarmState.RTN_UNACKED}


async def test_a_count_is_as_old_as_the_last_comparison_that_came_to_an_end(hub: Hub) -> None:
    assert await hub.record.settled_at() is None
    hub.office.away = True
    await hub.reconciler.compare()
    assert await hub.record.settled_at() == NOON  # since then it has been tried
    hub.office.away = False
    await hub.compare()
    ended = await hub.record.settled_at()
    assert ended is not None and ended > NOON
    hub.office.away = True
    hub.house.clock.turn(DAY)
    await hub.reconciler.compare()
    assert await hub.record.settled_at() == ended
