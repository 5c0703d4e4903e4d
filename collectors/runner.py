"""Where collectors touch the house: batches onto the bus, lost tags marked bad, MES reports on record."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from collectors.mes_events import named
from collectors.mes_faults import reason_of
from collectors.mes_house import House
from collectors.mes_unknown import Unknown
from collectors.normaliser import recalled
from hub import metrics
from hub.errors import Permanent, Transient
from hub.failpoint import failpoint
from hub.model.alarm import Priority
from hub.model.batch import SampleBatch, from_micros
from hub.model.intake import Fault, Reject
from hub.model.intent import Intent, IntentKind
from hub.model.line import Line
from hub.model.production import JobResponse, Posting, WorkOrder
from hub.model.recent import Recent
from hub.ports import (
    EVENTS,
    Bus,
    Clock,
    Collector,
    Ledger,
    MesSource,
    Sink,
)

_log = logging.getLogger(__name__)

OnState = Callable[[bool, str], Awaitable[None]]
Shout = Callable[[Mapping[str, object]], Awaitable[None]]


def shouter(bus: Bus) -> Shout:
    """Events as JSON onto the bus, for whoever listens now."""

    async def shout(event: Mapping[str, object]) -> None:
        await bus.shout(EVENTS, json.dumps(event, ensure_ascii=False).encode())

    return shout


def source_state(shout: Shout, clock: Clock, name: str) -> OnState:
    """An `on_state` that tells everybody that a source is up or down, and why."""

    async def on_state(up: bool, error: str) -> None:
        await shout({"kind": "source", "name": name, "up": up, "at": stamp(clock.now()), "error": error})

    return on_state


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Watch:
    """Stands before the sink: notices the first batch, remembers what time it is at the source."""

    def __init__(self, sink: Sink[SampleBatch], clock: Clock, heard: Callable[[], Awaitable[None]]) -> None:
        self._sink, self._clock, self._heard = sink, clock, heard
        self.up: bool | None = None  # what was told of it last
        self._time: int | None = None  # at the source, when it was heard last
        self._at = 0.0

    async def put(self, item: SampleBatch) -> None:
        if len(item):
            self._hear(int(item.source_times.max()))
            metrics.samples(item.source, len(item))
        if not self.up:
            await self._heard()  # also by an empty one: it says what is known
        await self._sink.put(item)

    def _hear(self, newest: int) -> None:
        """A batch may tell of the past, and one of several clocks behind a source may be slow: time goes on
        meanwhile, at half its pace, so that it comes down to a clock that was set back."""
        if self._time is not None:
            newest = max(newest, self._time + self._elapsed() // 2)
        self._time, self._at = newest, self._clock.monotonic()

    def _elapsed(self) -> int:
        return int((self._clock.monotonic() - self._at) * 1_000_000)

    def time_at_source(self) -> datetime:
        """The source's clock as far as it can be known: a lost mark belongs right behind its samples."""
        if self._time is None:
            return self._clock.now()
        return from_micros(self._time + max(self._elapsed(), 1))


class CollectorRunner:
    """One source. `run` is one connection's life; the supervisor calls it again with growing pauses.

    When the connection ends, all tags of the source turn bad (once, not with every failed attempt) and
    `on_state(False, why)` is called; with the first samples of the next connection `on_state(True, "")`.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Collector],
        sink: Sink[SampleBatch],
        clock: Clock,
        on_state: OnState,
    ) -> None:
        self.name = name
        self._make, self._sink, self._clock, self._on_state = make, sink, clock, on_state
        self._watch = _Watch(sink, clock, self._heard)
        self._error = ""
        self._collector: Collector | None = None  # of this connection, else of the last
        self._gone: dict[str, int] = {}  # what collectors before this one lost
        self._lost_at: datetime | None = None
        self._recalls = True

    def about(self) -> dict[str, Any]:
        """What is known of its line, and what was lost since the process began, for the roll-call."""
        line: Line | None = getattr(self._collector, "line", None)
        lost = self._lost_of(self._collector)
        return {**({"line": line.as_json()} if line else {}), **({"lost": lost} if lost else {})}

    def _lost_of(self, collector: Collector | None) -> dict[str, int]:
        lost: Mapping[str, int] = getattr(collector, "lost", {})
        return {why: self._gone.get(why, 0) + lost.get(why, 0) for why in {**self._gone, **lost}}

    def _next(self) -> Collector:
        collector, before = self._make(), self._collector
        if before is not None:
            self._gone = self._lost_of(before)
            if self._lost_at is not None and hasattr(collector, "follow"):
                collector.follow(before, self._lost_at)
        self._collector = collector
        return collector

    async def run(self) -> None:
        collector = self._next()
        error = "the collector stopped with an error of its own"
        try:
            if self._recalls and hasattr(collector, "recall"):
                collector.recall(await recalled(self._sink, self.name))
            self._recalls = False
            await collector.run(self._watch)
            error = "the collector ended"
        except asyncio.CancelledError:
            error = ""
            raise
        except (Transient, Permanent) as cause:
            error = str(cause)
            raise
        finally:
            if error:
                await self._lost(collector, error)

    async def _heard(self) -> None:
        self._watch.up, self._error = True, ""
        await self._on_state(True, "")

    async def _lost(self, collector: Collector, error: str) -> None:
        if self._watch.up is not False:
            at = self._watch.time_at_source()
            batch = SampleBatch.lost(collector.tag_numbers, at, self.name)
            recent: Recent | None = collector.at_loss() if hasattr(collector, "at_loss") else None
            await self._sink.put(replace(batch, recent=recent))
            self._lost_at = at
            self._watch.up = False  # only now: a bus that is away must not make us forget to say it
        if error != self._error:
            self._error = error
            await self._on_state(False, error)


class MesRunner:
    """Orders and reports of one MES onto the record; what is new is told to the screens and to the ERP.

    A report, the intent to pass it on and the mark of how far we have read are one transaction, so that a
    crash at any point neither loses nor doubles one.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], MesSource],
        ledger: Ledger,
        clock: Clock,
        shout: Shout,
        on_state: OnState | None = None,
        unknown: Unknown | None = None,
        house: House | None = None,
    ) -> None:
        self.name = name
        self._unknown = unknown or Unknown()
        self._house = house or House()
        self._make, self._ledger, self._clock, self._shout = make, ledger, clock, shout
        self._on_state = on_state or source_state(shout, clock, name)
        self._known: dict[str, frozenset[str]] = {}  # order -> its operations
        self._up: bool | None = None
        self._error = ""

    @property
    def mark(self) -> str:
        return f"mes:{self.name}"

    @property
    def postings_mark(self) -> str:
        return f"mes:{self.name}:postings"

    async def run(self) -> None:
        """One connection's life. Raises what the source raises."""
        for order in await self._ledger.orders():
            self._know(order)
        since = await self._ledger.mark(self.mark)
        posted = await self._ledger.mark(self.postings_mark)
        try:
            source: Any = self._make()
            if hasattr(source, "unknown"):
                source.unknown = self._unknown
            if hasattr(source, "keep"):
                source.keep = self.keep
            await source.run(_Reports(self), _Orders(self), _Postings(self), since, posted)
        except (Transient, Permanent) as cause:
            await self._tell(False, str(cause))
            raise

    def health(self) -> dict[str, Any]:
        return self._unknown.health()

    async def take_order(self, order: WorkOrder) -> None:
        await self._tell(True, "")
        async with self._ledger.begin() as tx:
            changed = await tx.save_order(order, keep_state=True)
        self._know(order)
        if changed:
            self._look(order, "order")
            await self._shout({"kind": "order", "number": order.number})

    async def take_report(self, report: JobResponse) -> None:
        await self._tell(True, "")
        if report.operation not in self._known.get(report.order, frozenset()):
            _log.warning(
                "%s: report %s names operation %s of order %s, which the MES has not told us; kept",
                self.name, report.id, report.operation, report.order,
            )  # fmt: skip
        async with self._ledger.begin() as tx:
            new = await tx.add_response(report, self.name, self._house.peers)
            if new and self._house.erp:
                await tx.intend(pass_on(new))
            if new:
                await tx.note_unbound(new.order, new.operation)
            await tx.set_mark(self.mark, report.id)
            failpoint("mes.before_commit")
        failpoint("mes.after_commit")
        if new:
            self._look(report, "report")
            await self._shout({"kind": "order", "number": report.order})

    async def keep(self, event: Any, record: str, faults: Sequence[Fault]) -> None:
        """A record that cannot be read, for a person to correct."""
        (kind, name), now = named(event), self._clock.now()
        async with self._ledger.begin() as tx:
            await tx.reject(Reject(self.name, kind, name, record, reason_of(faults), now, now))

    async def take_posting(self, posting: Posting) -> None:
        await self._tell(True, "")
        async with self._ledger.begin() as tx:
            new = await tx.add_posting(posting, self.name, self._house.peers)
            if new and self._house.erp:
                await tx.intend(book(new))
            if new:
                await tx.note_unbound(new.order, new.operation)
            await tx.set_mark(self.postings_mark, posting.id)
            failpoint("mes.posting_before_commit")

    def _look(self, thing: WorkOrder | JobResponse | Posting, kind: str) -> None:
        for field, place in self._house.strange(thing):
            self._unknown.place(self.name, kind, field, place)

    def _know(self, order: WorkOrder) -> None:
        self._known[order.number] = frozenset(job.operation for job in order.jobs)

    async def _tell(self, up: bool, error: str) -> None:
        if (up, error) != (self._up, self._error):
            self._up, self._error = up, error
            await self._on_state(up, error)


class _Orders:
    def __init__(self, runner: MesRunner) -> None:
        self._runner = runner

    async def put(self, item: WorkOrder) -> None:
        await self._runner.take_order(item)


class _Reports:
    def __init__(self, runner: MesRunner) -> None:
        self._runner = runner

    async def put(self, item: JobResponse) -> None:
        await self._runner.take_report(item)


class _Postings:
    def __init__(self, runner: MesRunner) -> None:
        self._runner = runner

    async def put(self, item: Posting) -> None:
        await self._runner.take_posting(item)


def book(posting: Posting) -> Intent:
    """What the ERP is to book; behind the reports of the same operation, which it may need first."""
    told = asdict(posting) | {"posting": posting.id, "kind": posting.kind.value, "at": stamp(posting.at)}
    del told["id"]
    return Intent(
        IntentKind.POST,
        key=f"post:{posting.kind.value}:{posting.id}",
        lane=f"order:{posting.order}:{posting.operation}",
        payload=told,
        priority=Priority.LOW,
    )


def pass_on(report: JobResponse) -> Intent:
    """What the ERP is to be told of a report; reports of one operation go out in their order."""
    return Intent(
        IntentKind.REPORT_OPERATION,
        key=f"report:{report.id}",
        lane=f"order:{report.order}:{report.operation}",
        payload={
            "response": report.id,
            "order": report.order,
            "operation": report.operation,
            "good": report.good,
            "scrap": report.scrap,
            "rework": report.rework,
            "state": report.state.value,
            "at": stamp(report.at),
            "equipment": report.equipment,
            "person": report.person,
            "labour_seconds": report.labour_seconds,
        },
        priority=Priority.LOW,  # a broken machine goes before bookkeeping
    )
