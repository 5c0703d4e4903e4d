"""Compares the books when it is due or somebody asks, tells whom it concerns, and carries out the repairs
that people have asked for. One process of the plant does it at a time.

The ERP is read first and our record after it, so that nothing can be in there that is not in here; around the
MES, which counts on, our record is read twice. What was
found is believed when a second look, made after what was under way had time to arrive, finds it again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from erp_bridge import asked, divergence, left_out, owners, reconcile, shrunk
from erp_bridge.asked import Asked
from erp_bridge.books import At, MesBook, OurBook, OurPosting, OurReport, OurSum, Pieces, TheirBook
from erp_bridge.mapping import POSTINGS
from erp_bridge.metered import metered
from erp_bridge.omissions import Omissions
from erp_bridge.readings import Reading, why_not
from erp_bridge.repairs import PassOn, Repairs, Shelf
from hub.errors import Permanent, Transient
from hub.model.discrepancy import (
    Book,
    Comparison,
    Discrepancy,
    DiscrepancyKind,
    MesClaims,
    OpenDiscrepancy,
    RepairState,
)
from hub.model.erp import PostingKind
from hub.model.intent import Intent
from hub.model.left_out import Omission
from hub.model.production import WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket
from hub.notices import Notices
from hub.ports import Clock, Desk, ErpConnector, Ledger, Plant

log = logging.getLogger(__name__)

K = DiscrepancyKind
LOOK_SECONDS = 2.0  # between two looks for somebody's wish
MOST_QUESTIONS = 400  # single reports asked for in one look; the rest waits for the next one
MOST_POSTINGS = 100
BREATH = 0.05  # seconds between two single questions
TICKETS_LATELY = timedelta(days=3)
POSTINGS_LATELY = timedelta(days=3)
RECENT_TICKETS = 200
ORDERS_DOUBT = "reconcile:orders:shrunk"


class Record(Shelf, Protocol):
    """The record's side; hub.store.reconciliation keeps it."""

    async def settle(
        self, run: Comparison, found: Mapping[str, tuple[Discrepancy, str]], ended: Sequence[DiscrepancyKind]
    ) -> None: ...
    async def note_run(self, run: Comparison) -> None: ...
    async def tell(self, ids: Sequence[int], at: datetime, intents: Sequence[Intent]) -> None: ...
    async def open_ones(self) -> list[OpenDiscrepancy]: ...
    async def last_run(self) -> Comparison | None: ...
    async def asked_run(self) -> str: ...
    async def asked_repairs(self) -> list[OpenDiscrepancy]: ...
    async def repaired(self, number: int, state: RepairState, result: str, at: datetime) -> None: ...
    async def sums(self, orders: Sequence[str], settled: datetime) -> list[dict[str, Any]]: ...
    async def reports(self, order: str, operation: str, settled: datetime) -> list[dict[str, Any]]: ...
    async def under_way(self, settled: datetime) -> frozenset[str]: ...
    async def sent_postings(self, since: datetime, settled: datetime) -> list[dict[str, Any]]: ...


MesTeller = Callable[[], Awaitable[MesClaims]]


@dataclass(frozen=True, slots=True)
class Habits:
    """`settle`: how long what is under way may take to arrive; more than the bridge's own polling."""

    every: timedelta = timedelta(minutes=15)
    settle: timedelta = timedelta(seconds=45)
    remind: timedelta = timedelta(hours=24)
    owners: Mapping[Book, str] = field(default_factory=lambda: dict(owners.DEFAULT))
    ignore: frozenset[DiscrepancyKind] = frozenset()


@dataclass(slots=True)
class _Look:
    """What one look over the books has found, and of what it can say so."""

    found: list[Discrepancy]
    not_compared: dict[str, str]
    compared: dict[str, int]
    half: set[DiscrepancyKind]  # looked at in part: nothing of it is over


class Reconciler:
    def __init__(
        self,
        plant: Plant,
        ledger: Ledger,
        record: Record,
        desk: Desk,
        connector: ErpConnector,
        clock: Clock,
        notices: Notices,
        habits: Habits | None = None,
        *,
        pass_on: PassOn,
        kind: str = "erp",
        mes: MesTeller | None = None,
        omissions: Omissions | None = None,
    ) -> None:
        self._omissions = omissions or Omissions(clock, notices)
        self._plant, self._ledger, self._record, self._clock = plant, ledger, record, clock
        self._connector = metered(connector, kind, clock)
        self._notices, self._habits, self._mes = notices, habits or Habits(), mes
        self._desk = desk
        self._repairs = Repairs(ledger, record, desk, self._connector, clock, pass_on)
        self._known: dict[At, dict[str, bool]] = {}  # walks that were cut short: reports that are there
        self._posted: dict[str, bool] = {}  # key of a posting -> is it there, the last asked last
        self._health: dict[str, Any] = {}

    def health(self) -> dict[str, Any]:
        return dict(self._health)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.repair()
            by = await self._record.asked_run()
            if by or await self._is_due():
                await self.compare(by)
            await self._clock.sleep(LOOK_SECONDS)

    async def _is_due(self) -> bool:
        last = await self._record.last_run()
        return last is None or self._clock.now() - last.ended_at >= self._habits.every

    # ------------------------------------------------------------------ comparing
    async def compare(self, by: str = "") -> Comparison:
        """Two looks, and what both have found onto the record."""
        began = self._clock.now()
        try:
            run = await self._compared(began, by)
        except (Transient, Permanent) as trouble:
            run = Comparison(began, self._clock.now(), by, trouble=str(trouble))
            log.info("the books could not be compared: %s", trouble)
            await self._record.note_run(run)
        self._health = {"compared_at": run.ended_at, "differences": run.found, "last_error": run.trouble}
        return run

    async def _compared(self, began: datetime, by: str) -> Comparison:
        look = await self._look()
        if look.found:
            await self._clock.sleep(self._habits.settle.total_seconds())
            second = await self._look()
            second.half |= look.half
            second.not_compared |= look.not_compared
            second.found = reconcile.confirmed(look.found, second.found)
            look = second
        run = Comparison(
            began, self._clock.now(), by, look.compared, look.not_compared, len(look.found)
        )  # fmt: skip
        named = {d.key: (d, self._habits.owners[d.kind.book]) for d in look.found}
        await self._record.settle(run, named, [k for k in K if k not in self._untold(look)])
        await self._tell()
        await self._alarm()
        return run

    def _untold(self, look: _Look) -> set[DiscrepancyKind]:
        """Kinds of which this comparison cannot say that something is over."""
        silent = {k for k in K if k.book.value in look.not_compared or k.value in look.not_compared}
        return silent | look.half

    async def _look(self) -> _Look:
        reading = Reading(self._connector, self._clock)
        settled = self._clock.now() - self._habits.settle
        orders = {o.number: o for o in await self._ledger.orders()}
        tickets = await self._tickets()
        mes = await self._mes_book(reading, orders.keys(), settled)
        theirs = await reading.book(orders, tickets, [item for item, _, _ in mes.stock or ()])
        ours = await self._our_book(settled, theirs)
        await self._doubt_orders(orders, theirs, reading)
        unread = {what for what, lost in reading.lost.items() if lost}
        found = [d for d in reconcile.compared(ours, theirs, mes) if reconcile.is_proven(d, unread)]
        half: set[DiscrepancyKind] = reconcile.unproven(unread)
        budget = _Budget(MOST_QUESTIONS)
        for at, said in sorted(reconcile.unexplained(ours, theirs).items()):
            found += await self._explained(at, said, ours, settled, budget, half)
        found += await self._missing_postings(settled, reading, half)
        found += reconcile.unreadable(await self._unreadable(reading))
        found = [d for d in found if d.kind not in self._habits.ignore]
        return _Look(found, reading.not_compared, _counted(ours, theirs, mes), half)

    async def _doubt_orders(
        self, orders: Mapping[str, WorkOrder], theirs: TheirBook, reading: Reading
    ) -> None:
        """An ERP that names hardly any order of ours has said nothing of the others, until it does so again.
        The mark stays while it is so: what is believed now is believed at the next look."""
        if theirs.orders is None:
            return
        lost = reading.lost.setdefault("orders", [])
        here = [n for n, o in orders.items() if o.state is WorkOrderState.RELEASED]
        missing = sum(n not in theirs.orders for n in here)
        if lost and shrunk.is_short(missing, len(here)):
            return
        known = await self._ledger.mark(ORDERS_DOUBT)
        sure, mark = shrunk.believed(known, missing, len(here), self._clock.now())
        if mark != known:
            async with self._ledger.begin() as tx:
                await tx.set_mark(ORDERS_DOUBT, mark)
        if not sure:
            lost.append(shrunk.left_out("order", missing, len(here)))
            reading.not_compared["orders"] = why_not(lost)

    async def _unreadable(self, reading: Reading) -> list[Omission]:
        """With what this look has passed over."""
        for what, lost in reading.lost.items():
            await self._omissions.heard(f"reconcile-{what}", lost, whole=True)
        return await self._omissions.open_ones()

    async def _tickets(self) -> list[MaintenanceTicket]:
        lately = self._clock.now() - TICKETS_LATELY
        recent = await self._ledger.recent_tickets(RECENT_TICKETS)
        known = {t.id: t for t in (*recent, *await self._ledger.open_tickets())}
        return [t for t in known.values() if t.is_open or (t.closed_at or t.opened_at) >= lately]

    async def _mes_book(self, reading: Reading, orders: Collection[str], settled: datetime) -> MesBook:
        book = MesBook()
        if self._mes is not None:
            try:
                before = await self._told_us(orders, settled)
                book = _mes_book(await self._mes())
                after = await self._told_us(orders, settled)
                known = {at for at in book.sums or () if at[0] in orders}
                around = {at: (before.get(at, Pieces()), after.get(at, Pieces())) for at in known}
                book = replace(book, ours=around)
            except (Transient, Permanent) as trouble:
                reading.not_compared |= {"mes-sum": str(trouble), "stock": str(trouble)}
        if book.sums is None:
            reading.not_compared.setdefault("mes-sum", "mes-cannot")
        if book.stock is None:
            reading.not_compared.setdefault("stock", "mes-cannot")
        return book

    async def _told_us(self, orders: Collection[str], settled: datetime) -> dict[At, Pieces]:
        rows = await self._record.sums(sorted(orders), settled)
        return {(r["work_order"], r["operation"]): _our_sum(r).told for r in rows}

    async def _our_book(self, settled: datetime, theirs: TheirBook) -> OurBook:
        orders = {o.number: o for o in await self._ledger.orders()}
        ended = [n for n in theirs.orders or () if n not in orders]
        orders |= {o.number: o for o in await self._record.those_orders(ended)}
        rows = await self._record.sums(sorted(orders), settled)
        sums = {(r["work_order"], r["operation"]): _our_sum(r) for r in rows}
        return OurBook(
            orders, sums, tuple(await self._tickets()), tuple(self._plant.machines()),
            await self._record.under_way(settled),
        )  # fmt: skip

    # ------------------------------------------------------------------ one document after the other
    async def _explained(
        self,
        at: At,
        theirs: Pieces,
        ours: OurBook,
        settled: datetime,
        budget: _Budget,
        half: set[DiscrepancyKind],
    ) -> list[Discrepancy]:
        rows = await self._record.reports(*at, settled)
        reports = [OurReport(r["id"], r["at"], Pieces(r["good"], r["scrap"]), r["dead"]) for r in rows]
        about = {r.id: Asked(at[0], r.at, sent=not r.dead) for r in reports}
        ours_sum = ours.sums.get(at, OurSum())
        answers = dict(self._known.pop(at, {}))
        lacking = divergence.lacking(ours_sum, theirs)
        while (id_ := divergence.next_question(reports, answers, lacking)) is not None:
            if not budget.spend():
                half |= reconcile.BOUNDED
                self._known[at] = {known: there for known, there in answers.items() if there}
                break
            with left_out.gathered() as lost, asked.about(about[id_]):
                there = await self._connector.find_report(id_) is not None
            if lost and not there:  # it may be the one that cannot be read
                half |= reconcile.BOUNDED
                self._known[at] = {known: there for known, there in answers.items() if there}
                return []
            answers[id_] = there
            await self._clock.sleep(BREATH)
        where = reconcile.work_center(ours.orders.get(at[0]), at[1])
        return divergence.explanation(at, ours_sum, theirs, reports, answers, where)

    async def _missing_postings(
        self, settled: datetime, reading: Reading, half: set[DiscrepancyKind]
    ) -> list[Discrepancy]:
        """Those that nobody has asked about yet come first, then those asked about longest ago."""
        able = [k for k in PostingKind if POSTINGS[k] in self._connector.capabilities]
        if not able:
            reading.not_compared["postings"] = "erp-cannot"
            return []
        rows = await self._record.sent_postings(self._clock.now() - POSTINGS_LATELY, settled)
        mine = {p.key: p for p in map(_our_posting, rows) if p.kind in able}
        answers = {key: there for key, there in self._posted.items() if key in mine}
        for key in sorted(mine, key=lambda k: list(answers).index(k) if k in answers else -1)[:MOST_POSTINGS]:
            answers.pop(key, None)  # asked last now
            one = mine[key]
            about = Asked(one.order, one.at, sent=not one.dead)
            with left_out.gathered() as lost, asked.about(about):
                there = await self._connector.find_posting(one.kind, one.id) is not None
            if there or not lost:  # else it may be the one that cannot be read
                answers[key] = there
            await self._clock.sleep(BREATH)
        self._posted = answers
        if len(answers) < len(mine):
            half.add(K.POSTING_NOT_IN_ERP)
        return divergence.postings(mine.values(), answers)

    # ------------------------------------------------------------------ telling
    async def _tell(self) -> None:
        """What is new, and what has grown old: one message for each owner. Of records that cannot be read
        they have heard already."""
        now = self._clock.now()
        open_ones = [
            o
            for o in await self._record.open_ones()
            if o.aside_at is None and o.what.kind is not K.RECORD_UNREADABLE
        ]
        due = [o for o in open_ones if o.told_at is None or now - o.told_at >= self._habits.remind]
        for owner in sorted({o.owner for o in due}):
            mine = [o for o in due if o.owner == owner]
            intents = owners.notice(self._notices, owner, mine, now)
            await self._record.tell([o.id for o in mine], now, intents)

    async def _alarm(self) -> None:
        """Of orders that only one book knows, as the record has them now: what could not be compared stays
        as it is, and what people have put aside alarms nobody."""
        open_ones = [o for o in await self._record.open_ones() if o.aside_at is None]
        for kind in (K.ORDER_NOT_IN_ERP, K.ORDER_NOT_HERE):
            orders = {o.what.subject: o.first_seen for o in open_ones if o.what.kind is kind}
            await self._desk.orphaned(kind.value, orders)

    # ------------------------------------------------------------------ repairing
    async def repair(self) -> int:
        """Carry out what people have asked for; how many. Looked up before anything is written, so that a
        crash in between does nothing twice."""
        asked = await self._record.asked_repairs()
        for wish in asked:
            try:
                result = await self._repairs.carry_out(wish.what)
                state = RepairState.DONE
            except (Transient, Permanent) as trouble:
                state, result = RepairState.FAILED, str(trouble)
            await self._record.repaired(wish.id, state, result, self._clock.now())
        return len(asked)


class _Budget:
    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _mes_book(claims: MesClaims) -> MesBook:
    sums, stock = claims.sums, claims.stock
    return MesBook(
        None if sums is None else {(c.order, c.operation): Pieces(c.good, c.scrap) for c in sums},
        None if stock is None else {(c.item, c.lot, c.warehouse): c.quantity for c in stock},
    )


def _our_sum(row: Mapping[str, Any]) -> OurSum:
    return OurSum(
        Pieces(row["good"], row["scrap"]),
        Pieces(row["fewest_good"], row["fewest_scrap"]),
        Pieces(row["most_good"], row["most_scrap"]),
        Pieces(row["told_good"], row["told_scrap"]),
    )


def _our_posting(row: Mapping[str, Any]) -> OurPosting:
    return OurPosting(
        PostingKind(row["kind"]), row["id"], row["key"], row["work_order"], row["at"], row["quantity"],
        row["unit"], row["dead"],
    )  # fmt: skip


def _counted(ours: OurBook, theirs: TheirBook, mes: MesBook) -> dict[str, int]:
    """How much was looked at, for whoever wonders whether "no difference" means anything."""
    counts = {
        "orders": None if theirs.orders is None else len({*ours.orders, *theirs.orders}),
        "operations": None if theirs.claims is None else len(theirs.claims),
        "tickets": None if theirs.tickets is None else len(ours.tickets),
        "equipment": None if theirs.equipment is None else len(ours.equipment),
        "stock": None if mes.stock is None or theirs.stock is None else len(mes.stock),
    }
    return {name: n for name, n in counts.items() if n is not None}
