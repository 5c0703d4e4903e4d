"""The books of the hub and of a simulated ERP, made to disagree in every way that its books allow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from collectors.runner import book, pass_on
from erp_bridge.omissions import Omissions
from erp_bridge.reconciler import Habits, Reconciler
from hub.model.discrepancy import DiscrepancyKind, MesClaims, OpenDiscrepancy, RepairState
from hub.model.erp import OperationClaim, PostingKind, StockClaim
from hub.model.production import JobResponse, Posting, WorkOrderState
from hub.model.ticket import TicketState
from hub.notices import Notices
from hub.ports import Plant
from hub.store.left_out import PgLeftOut
from hub.store.reconciliation import PgReconciliation
from hub.testing.clock import NOON
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house
from tests.simulators.kingdee.books import Record
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio

K = DiscrepancyKind
# The simulated ERP knows a whole demo plant, and our machines are all one asset of it.
HABITS = Habits(ignore=frozenset({K.EQUIPMENT_NOT_HERE, K.EQUIPMENT_SHARED}))


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def erp(clock: QuickClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(now=clock.now, order_start=NOON, unique_keys=False, begun=False) as simulator:
        yield simulator


class Office:
    """The hub's side with its reconciler, and the MES's own sums where a test gives it some."""

    def __init__(self, house: BridgeHouse, record: PgReconciliation) -> None:
        self.house, self.record = house, record
        self.mes = MesClaims()
        self.hire(house.plant, HABITS)

    def hire(self, plant: Plant, habits: Habits) -> None:
        house, notices = self.house, Notices(plant, ("group",))
        self.reconciler = Reconciler(
            plant, house.ledger, self.record, house.desk, house.connector, house.clock, notices, habits,
            pass_on=pass_on, mes=self._mes,
            omissions=Omissions(house.clock, notices, PgLeftOut(house._pool)),
        )  # fmt: skip

    async def _mes(self) -> MesClaims:
        return self.mes

    async def report(self, number: str, order: str, operation: str, good: int, scrap: int = 0) -> None:
        response = JobResponse(number, order, operation, self.house.clock.now(), good, scrap)
        async with self.house.ledger.begin() as tx:
            await tx.add_response(response)
            await tx.intend(pass_on(response))

    async def hours(self, number: str, order: str, operation: str) -> None:
        posting = Posting(
            number, PostingKind.HOURS, order, operation, self.house.clock.now(), labour_seconds=600
        )
        async with self.house.ledger.begin() as tx:
            await tx.add_posting(posting)
            await tx.intend(book(posting))

    async def compare(self) -> dict[str, OpenDiscrepancy]:
        """By kind and subject."""
        run = await self.reconciler.compare()
        assert run.trouble == ""
        return {f"{o.what.kind.value} {o.what.subject}": o for o in await self.record.open_ones()}

    async def settle(self) -> None:
        """Everything is on its way no more."""
        await self.house.drain()
        self.house.clock.turn(600)


@pytest.fixture
async def office(dsn: str, erp: KingdeeSimulator, clock: QuickClock) -> AsyncIterator[Office]:
    async with bridge_house(dsn, erp.url, clock) as house:
        await house.bridge.poll_orders()
        yield Office(house, PgReconciliation(house._pool))


def numbered(erp: KingdeeSimulator, form: str, number: str) -> Record:
    found = erp.books.numbered(form, number)
    assert found is not None
    return found


async def test_books_that_agree_have_no_discrepancy_even_while_things_are_under_way(office: Office) -> None:
    await office.report("R-1", "MO0001", "10", 5)
    ticket = await office.house.break_down()
    assert await office.compare() == {}  # nothing was sent yet
    await office.house.drain()
    assert await office.compare() == {}  # it has just arrived
    office.house.clock.turn(600)
    assert await office.compare() == {}
    run = await office.record.last_run()
    assert run is not None
    assert run.compared["orders"] == 10
    assert run.not_compared == {"mes-sum": "mes-cannot", "stock": "mes-cannot"}
    assert (await office.house.ledger.ticket_of(ticket)).state is TicketState.SENT


async def test_what_the_office_has_done_to_its_books_is_found_told_and_mended(
    office: Office, erp: KingdeeSimulator
) -> None:
    for n in range(1, 4):
        await office.report(f"R-{n}", "MO0001", "10", 5, 1)
        office.house.clock.turn(60)
    await office.report("R-9", "MO0002", "10", 7)
    await office.hours("H-1", "MO0003", "10")
    lost, by_hand, double = [await office.house.break_down(machine) for machine in range(3)]
    await office.settle()
    assert await office.compare() == {}
    stocked = await office.house.connector.stock(["R-SEAL"])
    office.mes = MesClaims(
        (OperationClaim("MO0004", "10", 0, 3, 0),), (StockClaim("R-SEAL", stocked[0].quantity - 1),)
    )
    plant(erp, lost, by_hand, double)
    await PgLeftOut(office.house._pool).heard("items", {("item", "X-1"): "no unit"}, NOON, whole=True)
    office.hire(two_on_one_press(office.house.plant), Habits(ignore=frozenset({K.EQUIPMENT_NOT_HERE})))

    found = await office.compare()

    assert set(found) == {
        "order-not-here MO0099", "order-not-in-erp MO0010", "order-quantity MO0005", "order-due MO0006",
        "order-state MO0009", "order-priority MO0007", "operation-not-in-erp MO0008/20",
        "operation-quantity MO0008/10", "report-not-in-erp MO0001/10", "report-unknown MO0002/10",
        "mes-sum MO0004/10", "posting-not-in-erp MO0003", "stock R-SEAL", f"ticket-not-in-erp {lost}",
        f"ticket-state {by_hand}", f"ticket-twice {double}", *equipment_orphans(office),
        "equipment-shared EQ-PRESS-01", "equipment-twice p1/a/l/m6", "equipment-twice p1/a/l/m7",
        "record-unreadable X-1",
    }  # fmt: skip
    missing = found["report-not-in-erp MO0001/10"].what
    assert missing.divergence is not None
    assert missing.divergence.id == "R-2"
    assert missing.ours == "5 + 1"
    told = [t for t in await office.house.told() if t["event"] == "notice"]
    assert len(told) == 3 + 1  # one message for planners, technicians and administrators each, one of X-1
    assert {k: o.first_seen for k, o in (await office.compare()).items()} == {
        k: o.first_seen for k, o in found.items()
    }
    assert len([t for t in await office.house.told() if t["event"] == "notice"]) == 3 + 1

    await mend(office, found)
    left = await office.compare()
    assert {k.partition(" ")[0] for k in left} == {
        "order-not-in-erp", "report-unknown", "mes-sum", "stock", "ticket-twice",
        "equipment-not-in-erp", "equipment-shared", "equipment-twice", "record-unreadable",
    }  # fmt: skip
    assert sum(r["order"] == "MO0001" for r in erp.reports()) == 3
    assert (await office.house.ledger.ticket_of(by_hand)).state is TicketState.CLOSED
    orders = {o.number: o for o in await office.house.ledger.orders()}
    assert (orders["MO0005"].quantity, orders["MO0007"].priority) == (999, 1)
    assert orders["MO0009"].state is WorkOrderState.COMPLETED


def equipment_orphans(office: Office) -> set[str]:
    return {f"equipment-not-in-erp {m.path}" for m in office.house.plant.machines() if m.path[-1] not in "67"}


def two_on_one_press(where: Plant) -> Plant:
    nodes = dict(where.equipment)
    for path in ("p1/a/l/m6", "p1/a/l/m7"):
        nodes[path] = replace(nodes[path], erp_id="EQ-PRESS-01")
    return replace(where, equipment=nodes)


def plant(erp: KingdeeSimulator, lost: str, by_hand: str, double: str) -> None:
    """One disagreement of each type."""
    books = erp.books
    changed = {n: numbered(erp, "PRD_MO", f"MO{n:04d}").rows["ftreeentity"][0].values for n in range(5, 11)}
    changed[5]["fqty"] = 999.0
    changed[6]["fplanfinishdate"] = "2026-03-01T08:00:00"
    product = changed[7]["fmaterialid"]
    wishes = numbered(erp, "SAL_SaleOrder", "SO2003").rows["fsaleorderentry"]
    next(w for w in wishes if w.values["fmaterialid"] == product).values["fpriority"] = 1.0
    changed[9]["fstatus"] = "6"
    books.drop(numbered(erp, "PRD_MO", "MO0010"))
    books.drop(numbered(erp, "SFC_OperationPlanning", "OPMO0010"))
    copy = numbered(erp, "PRD_MO", "MO0008").copy()
    copy.id, copy.values["fbillno"] = books.next_id(), "MO0099"
    copy.rows["ftreeentity"][0].id = 999_999
    books.put(copy)
    plans = numbered(erp, "SFC_OperationPlanning", "OPMO0008").rows["fsubentity"]
    plans[0].values["foperqty"] = 1.0
    del plans[1]
    report = next(r for r in books.all("SFC_OperationReport") if key_of(r) == "R-2")
    books.drop(report)
    line = numbered(erp, "SFC_OperationPlanning", "OPMO0001").rows["fsubentity"][0].values
    line["fqualifiedqty"] -= 5.0
    line["fprocessfailqty"] -= 1.0
    numbered(erp, "SFC_OperationPlanning", "OPMO0002").rows["fsubentity"][0].values["fqualifiedqty"] += 4.0
    for form in ("PRD_MORPT", "SFC_OperationReport"):
        for bill in [r for r in books.all(form) if key_of(r).startswith("H-1")]:
            books.drop(bill)
    tickets = {t["key"]: t["id"] for t in erp.tickets()}
    books.drop(of_id(erp, tickets[lost]))
    erp.close_ticket_by_hand(tickets[by_hand])
    twin = of_id(erp, tickets[double]).copy()
    twin.id, twin.values["fbillno"] = books.next_id(), "AGAIN-1"
    books.put(twin)
    for asset in list(books.all("ENG_Equipment")):
        if asset.number == "EQ-PRESS-01":
            second = asset.copy()
            second.id = books.next_id()
            books.put(second)
        if asset.number == "EQ-CNC-03":
            asset.values["fforbidstatus"] = "B"


def key_of(record: Record) -> str:
    values = [v for row in record.rows.get("fentity", []) for v in row.values.values()]
    keys = [*record.values.values(), *values]
    return next((str(v) for v in keys if isinstance(v, str) and v[:2] in ("R-", "H-")), "")


def of_id(erp: KingdeeSimulator, number: int) -> Record:
    found = erp.books.get("AH_EquipRepair", number)
    assert found is not None
    return found


async def mend(office: Office, found: dict[str, OpenDiscrepancy]) -> None:
    """Everything that can be, tapped twice."""
    for o in found.values():
        if o.what.repair:
            for by in ("planner", "boss"):
                asked = await office.record.ask_repair(o.id, by, office.house.clock.now())
                assert (asked.repair_state, asked.repaired_by) == (RepairState.ASKED, "planner")
    await office.reconciler.repair()
    assert await office.reconciler.repair() == 0
    states = {o.repair_state for o in await office.record.open_ones() if o.what.repair}
    assert states == {RepairState.DONE}
    late = await office.record.ask_repair(
        found["order-due MO0006"].id, "boss", office.house.clock.now()
    )  # a third tap, when it is done already
    assert (late.repair_state, late.repaired_by) == (RepairState.DONE, "planner")
    await office.settle()


async def test_a_report_that_the_erp_does_not_show_yet_is_given_time(
    office: Office, erp: KingdeeSimulator
) -> None:
    await office.report("R-1", "MO0001", "10", 5)
    await office.house.drain()
    line = numbered(erp, "SFC_OperationPlanning", "OPMO0001").rows["fsubentity"][0].values
    line["fqualifiedqty"] = 0.0
    assert await office.compare() == {}
    office.house.clock.turn(600)
    assert set(await office.compare()) == {"report-sum MO0001/10"}


async def test_what_only_one_of_two_looks_has_seen_is_no_discrepancy(
    office: Office, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the looks the bridge takes over one change, and the office makes another one."""
    changed = [numbered(erp, "PRD_MO", f"MO000{n}").copy() for n in (5, 6)]
    for order in changed:
        order.rows["ftreeentity"][0].values["fqty"] = 999.0
    erp.books.put(changed[0])
    asleep = office.house.clock.sleep

    async def meanwhile(seconds: float) -> None:
        await asleep(seconds)
        if seconds == HABITS.settle.total_seconds():
            await office.house.bridge.poll_orders()
            erp.books.put(changed[1])

    monkeypatch.setattr(office.house.clock, "sleep", meanwhile)
    assert await office.compare() == {}
    monkeypatch.undo()
    assert set(await office.compare()) == {"order-quantity MO0006"}


async def test_what_is_made_while_the_books_are_read_is_no_difference_and_what_the_mes_lacks_is(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of five at every turn: the same gap each time, were it one."""
    made = [0]
    lacks = [0]

    async def mes() -> MesClaims:
        said = (OperationClaim("MO0004", "10", 0, made[0] * 5 + lacks[0], 0),)
        made[0] += 1
        await office.report(f"B-{made[0]}", "MO0004", "10", 5)
        return MesClaims(said)

    monkeypatch.setattr(office.reconciler, "_mes", mes)
    assert await office.compare() == {}
    for more, gap in ((7, "2"), (-2, "-7")):
        lacks[0] = more
        (found,) = (await office.compare()).values()
        assert (found.what.kind, found.what.subject, found.what.gap) == (K.MES_SUM, "MO0004/10", gap)


async def test_an_erp_that_names_no_order_at_all_is_believed_when_an_hour_later_it_still_does(
    office: Office, erp: KingdeeSimulator
) -> None:
    for n in range(1, 11):
        erp.books.drop(numbered(erp, "PRD_MO", f"MO{n:04d}"))
    assert await office.compare() == {}
    run = await office.record.last_run()
    assert run is not None
    assert "the ERP named 0 of 10 production orders: not believed until" in run.not_compared["orders"]
    office.house.clock.turn(timedelta(minutes=30).total_seconds())
    assert await office.compare() == {}
    office.hire(office.house.plant, HABITS)
    office.house.clock.turn(timedelta(minutes=30).total_seconds())
    assert set(await office.compare()) == {f"order-not-in-erp MO{n:04d}" for n in range(1, 11)}


async def test_set_aside_holds_until_the_disagreement_is_another_one(
    office: Office, erp: KingdeeSimulator
) -> None:
    line = numbered(erp, "SFC_OperationPlanning", "OPMO0001").rows["fsubentity"][0].values
    line["fqualifiedqty"] = 40.0
    (before,) = (await office.compare()).values()
    assert before.what.kind is K.REPORT_UNKNOWN
    await office.record.set_aside(before.id, "planner", office.house.clock.now(), "made before the hub")
    await office.report("R-1", "MO0001", "10", 5)
    await office.settle()
    (same,) = (await office.compare()).values()
    assert (same.aside_by, await office.record.count()) == ("planner", 0)
    line = numbered(erp, "SFC_OperationPlanning", "OPMO0001").rows["fsubentity"][0].values
    line["fqualifiedqty"] += 2.0
    (other,) = (await office.compare()).values()
    assert (other.id, other.aside_by, await office.record.count()) == (before.id, "", 1)


async def test_an_erp_that_is_away_ends_nothing(office: Office, erp: KingdeeSimulator) -> None:
    line = numbered(erp, "SFC_OperationPlanning", "OPMO0001").rows["fsubentity"][0].values
    line["fqualifiedqty"] = 40.0
    assert len(await office.compare()) == 1
    office.house.clock.turn(timedelta(minutes=15).total_seconds())
    erp.faults.add("down")
    run = await office.reconciler.compare()
    assert run.trouble
    assert len(await office.record.open_ones()) == 1


async def test_a_repair_that_fails_or_does_not_help_says_so_and_may_be_tapped_again(
    office: Office, erp: KingdeeSimulator
) -> None:
    await office.report("R-1", "MO0001", "10", 5)
    await office.settle()
    for bill in [r for r in erp.books.all("SFC_OperationReport") if key_of(r) == "R-1"]:
        erp.books.drop(bill)
    line = numbered(erp, "SFC_OperationPlanning", "OPMO0001").rows["fsubentity"][0].values
    line["fqualifiedqty"] -= 5.0
    numbered(erp, "PRD_MO", "MO0005").rows["ftreeentity"][0].values["fqty"] = 999.0
    found = await office.compare()
    for o in found.values():
        await office.record.ask_repair(o.id, "planner", office.house.clock.now())
    order = numbered(erp, "PRD_MO", "MO0005")
    erp.books.drop(order)
    await office.reconciler.repair()
    failed = await office.record.one(found["order-quantity MO0005"].id)
    assert (failed.repair_state, failed.repair_result) == (
        RepairState.FAILED, "order MO0005 is not in the ERP any more",
    )  # fmt: skip
    erp.books.put(order)
    line["fopernumber"] = "77"  # no operation of that number any more: the report is refused
    await office.settle()
    line["fopernumber"] = "10"
    again = await office.compare()
    assert again["report-not-in-erp MO0001/10"].repair_state is RepairState.IN_VAIN
    for o in again.values():
        asked = await office.record.ask_repair(o.id, "boss", office.house.clock.now())
        assert (asked.repair_state, asked.repaired_by) == (RepairState.ASKED, "boss")
    await office.reconciler.repair()
    await office.settle()
    assert await office.compare() == {}


async def test_what_stays_is_told_again_when_it_has_grown_old_and_a_wish_is_one_comparison(
    office: Office, erp: KingdeeSimulator
) -> None:
    numbered(erp, "PRD_MO", "MO0005").rows["ftreeentity"][0].values["fqty"] = 999.0
    for by in ("planner", "boss"):
        await office.record.ask_run(by)
    assert await office.record.asked_run() == "boss"
    assert await office.record.asked_run() == ""
    await office.compare()
    await office.compare()
    assert len(await office.house.told()) == 1
    office.house.clock.turn(timedelta(hours=24).total_seconds())
    await office.compare()
    assert [t["title"]["zh"] for t in await office.house.told()] == ["1 项新差异", "1 项差异仍未处理"]
