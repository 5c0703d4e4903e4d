"""Samples and ticks through the evaluator; what happened into the record, one transaction at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from alert_rules import ticketing
from alert_rules.casebook import Casebook
from alert_rules.evaluator import Evaluator
from alert_rules.happenings import Happenings
from alert_rules.lateness import Lateness
from alert_rules.leaps import Leaps, remembered
from alert_rules.lifecycle import Retired
from alert_rules.line_rounds import LineRounds
from alert_rules.rounds import Rounds
from alert_rules.tables_in_use import LOOK_EVERY, TablesInUse
from alert_rules.tables_in_use import MARK as TABLES
from hub import metrics
from hub.errors import Permanent, Transient
from hub.failpoint import failpoint
from hub.model.alarm import Alarm
from hub.model.batch import SampleBatch, micros
from hub.model.clock_leap import ClockLeap
from hub.model.equipment import Count, StateSpan
from hub.model.stamp import Tally, family
from hub.model.ticket import TicketState
from hub.ports import ROLL, SAMPLES, Bus, Delivery, SampleStore
from hub.ports.bus import LATE

log = structlog.get_logger(__name__)

TICK = 0.2  # seconds between looks at running delays
VERIFY = 1.0  # seconds between looks at tickets that wait for the machine's proof
LOOK = 1.0  # seconds between looks at what waits on the bus
MARK_EVERY = timedelta(seconds=5)
MARK, LEAP = "rules:evaluated", "rules:clock"
GROUP, STORE = "rules", "store"
RECALLED = "the record"  # who tells what was stored while nobody listened
# Of the record at a time, since nobody knows how long nobody listened; more behind times that told nothing.
PAGE, LONGEST_PAGE = timedelta(minutes=10), timedelta(hours=2)
RECENT = 2_000  # ended alarms that a warm start looks at


class RuleRunner:
    """One in the whole plant.

    Warm start: the record's open alarms, then the samples since the last mark, then those that the life
    before has evaluated and the writer has not stored yet.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        casebook: Casebook,
        bus: Bus,
        samples: SampleStore,
        tables: TablesInUse | None = None,
    ) -> None:
        """`tables`: those that the evaluator begins with; it follows them."""
        self._evaluator = evaluator
        self._book = casebook
        self._bus = bus
        self._samples = samples
        self._tables = tables
        self._clock = casebook.clock
        self._marked: datetime | None = None
        self._upto = self._clock.now()  # what was sent until then has been evaluated
        self._tally = Tally(from_the_first=False)
        self.evaluated = self.refused = self.lost = 0
        self.last_seconds = 0.0
        self._rounds = Rounds(evaluator, casebook)
        self._lines = LineRounds(casebook)
        self._leaps = Leaps()
        self._lateness = Lateness()
        self._turn = asyncio.Lock()  # samples and ticks take turns: one order of events for all

    def health(self) -> dict[str, Any]:
        return {
            "samples": self.evaluated,
            "refused": self.refused,
            "lost_batches": self.lost,
            "last_batch_seconds": round(self.last_seconds, 6),
            "behind_seconds": round(self.behind_seconds, 1),
            **(self._tables.told() if self._tables is not None else {}),
        }

    @property
    def behind_seconds(self) -> float:
        """Age of the newest evaluated batch while others wait behind it; else how long ago nothing did."""
        return max(0.0, (self._clock.now() - self._upto).total_seconds())

    async def run(self) -> None:
        await self._warm_start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            group.create_task(self._listen())
            group.create_task(self._tick())
            group.create_task(self._verify())
            if self._tables is not None:
                group.create_task(self._follow(self._tables))
            group.create_task(self._hear_of_lines())

    # ---------------------------------------------------------------- warm start
    async def _warm_start(self) -> None:
        ledger = self._book.ledger
        alarms = await ledger.open_alarms()
        mark = await ledger.mark(MARK)
        states, counts = await self._known_of_machines()
        orphans = self._evaluator.seed(
            alarms,
            states,
            counts,
            closed=[a for a in await ledger.recent_alarms(RECENT) if not a.is_open],
            evaluated=datetime.fromisoformat(mark) if mark else None,
        )
        for alarm in orphans:
            async with ledger.begin() as tx:
                locked = await tx.alarm(alarm.id)
                gone = await self._book.change(tx, locked, Retired(self._clock.now()), note="rule removed")
            await self._book.told(gone)
        if silencing := self._evaluator.suppressing_tags():
            self._evaluator.know(await self._samples.newest(silencing))
        if tags := self._evaluator.device_tags():
            self._evaluator.know_devices(await self._samples.newest(tags))
        if mark:
            self._upto = min(self._upto, datetime.fromisoformat(mark))
            await self._recall(evaluated_since_stored=True)
        log.info("rules.warm", alarms=len(alarms), retired=len(orphans), since=mark or None)

    async def _known_of_machines(self) -> tuple[dict[str, StateSpan], dict[tuple[str, bool], Count]]:
        """As the record has it, once nothing of it lies in the future any more."""
        ledger, now = self._book.ledger, self._clock.now()
        self._leaps = remembered(await ledger.mark(LEAP))
        states, counts = await ledger.current_states(), await ledger.last_counts()
        times = [s.since for s in states.values()] + [c.at for c in counts.values()]
        leap = self._leaps.begin(now, max(times, default=None))
        if leap is None:
            return states, counts
        await self._record(Happenings(), leap=leap)
        return await ledger.current_states(), await ledger.last_counts()

    async def _present(self) -> datetime:
        """In our turn. Where the clock was set, the record and the rules hear of it before anything else."""
        now = self._clock.now()
        if (leap := self._leaps.look(now, self._clock.monotonic())) is not None:
            log.warning("clock.leapt", was=leap.was.isoformat(), now=now.isoformat())
            self._evaluator.leapt(leap)
            await self._record(self._evaluator.tick(now), leap=leap)
        return now

    async def _recall(self, *, evaluated_since_stored: bool = False) -> None:
        """Samples from the record, as far back as a delay may have begun, page by page up to the present.

        What is on the way to the record is read before the record is: nothing falls between the two.
        """
        on_the_way = await self._bus.ahead(SAMPLES, GROUP, STORE) if evaluated_since_stored else []
        start = self._upto - self._evaluator.longest_delay() - timedelta(seconds=1)
        page = PAGE
        while (end := start + page) < self._clock.now():
            batch = await self._samples.since(self._evaluator.tags(), start, end)
            await self._take_recalled(batch)
            # a house that was shut for days is passed over fast
            start, page = end, PAGE if len(batch) else min(page * 2, LONGEST_PAGE)
        await self._take_recalled(await self._samples.since(self._evaluator.tags(), start))
        for body in on_the_way:
            with suppress(ValueError):  # refused in the life before
                await self._take(SampleBatch.from_bytes(body), recalled=True)

    async def _take_recalled(self, batch: SampleBatch) -> None:
        """What was stored while nobody listened, and not just now, is history like what waited on the bus."""
        known, now = micros(self._upto), micros(self._clock.now() - LATE)
        unheard = (batch.source_times > known) & (batch.source_times < now)
        await self._take(batch.take(batch.source_times <= known), recalled=True)
        if unheard.any():
            self._lateness.waits(RECALLED)
            past = replace(batch.take(unheard), historical=True)
            await self._take(past, recalled=True, origin=RECALLED)
        await self._take(batch.take((batch.source_times > known) & ~unheard), recalled=True)

    # ---------------------------------------------------------------- samples
    async def _listen(self) -> None:
        async for delivery in self._bus.consume(SAMPLES, GROUP):
            await self._miss(delivery)
            try:
                origin = family(delivery.stamp.origin) if delivery.stamp is not None else ""
                await self._take_in_time(SampleBatch.from_bytes(delivery.body), delivery, origin)
            except (ValueError, Permanent) as cause:  # no batch, or one that the record will never take
                self.refused += 1
                log.error("rules.refused", position=delivery.position, reason=str(cause))
            self._reached(delivery.at)
            await delivery.ack()

    async def _take_in_time(self, batch: SampleBatch, delivery: Delivery, origin: str) -> None:
        """What waited too long is history; what it left standing raises when the present is reached."""
        late, age, elapsed = delivery.is_history, delivery.age, self._clock.monotonic()
        batch = self._lateness.judge(batch, origin, age, elapsed, late=late)
        if not batch.historical:
            await self._reached_the_present()
        await self._take(batch, origin=origin)
        if late and self._lateness.has_stuck(age, elapsed):
            log.warning("rules.late", seconds=round(age), origin=origin)
            await self._reached_the_present()

    async def _reached_the_present(self) -> None:
        for origin in self._lateness.over():
            await self._take(SampleBatch.at([], self._clock.now(), []), origin=origin)

    async def _miss(self, delivery: Delivery) -> None:
        """A repeat does no harm. What the bus lost, or let go, before the rules had it may be on record."""
        missing = (self._tally.take(delivery.stamp) or 0) if delivery.stamp is not None else 0
        missing = max(missing, int(delivery.passed_over))  # at least: who fell silent then does not tell
        if not missing:
            return
        self.lost += missing
        metrics.lost(GROUP, missing)
        origin = delivery.stamp.origin if delivery.stamp is not None else ""
        log.error("rules.lost", batches=missing, origin=origin, on_record=delivery.passed_over)
        await self._recall()

    def _reached(self, at: datetime | None) -> None:
        """Never beyond now: neither by the clock of another machine nor when ours is set back."""
        if at is not None:
            self._upto = min(max(self._upto, at), self._clock.now())

    async def _look(self) -> None:
        """When nothing waits, all that was sent has been evaluated. A bus that is away tells nothing."""
        while True:
            asked = self._clock.now()
            if (await self._bus.behind(SAMPLES)).get(GROUP) == 0:
                self._reached(asked)
                await self._reached_the_present()
            metrics.rules_behind(self.behind_seconds)
            await self._clock.sleep(LOOK)

    async def _take(self, batch: SampleBatch, *, recalled: bool = False, origin: str = "") -> None:
        async with self._turn:
            now, began = await self._present(), self._clock.monotonic()
            happened = self._evaluator.take(batch, now, recalled=recalled, origin=origin)
            self.last_seconds = self._clock.monotonic() - began
            self.evaluated += len(batch)
            metrics.rules(self.last_seconds)
            await self._record(happened)

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            async with self._turn:
                await self._record(self._evaluator.tick(await self._present()))

    async def _follow(self, tables: TablesInUse) -> None:
        """What codes mean as people activate it. The record's states before that stay as they are."""
        heard, owed = False, True
        while True:
            now = None
            with suppress(Transient):  # the record is away: that is told by others
                now = await tables.look()
            if now is not None:
                async with self._turn:
                    known = now.machines, now.codes
                    happened = self._evaluator.recode(*known, await self._present(), heard=heard)
                    await self._record(happened, tables=now.mark)
                    owed = True
            if owed:
                with suppress(Transient):
                    await tables.mark_seams(self._evaluator.told_until, self._clock.now())
                    owed = False
            heard = True
            await self._clock.sleep(LOOK_EVERY)

    async def _record(self, happened: Happenings, tables: str = "", leap: ClockLeap | None = None) -> None:
        """The evaluator has moved on: what the record refuses may not cost what happened beside it."""
        try:
            await self._put_down(happened, tables, leap)
        except Permanent as cause:
            if tables or leap is not None or len(parts := happened.apart()) < 2:
                raise
            log.error("rules.apart", happenings=len(parts), reason=str(cause))
            for part in parts:
                try:
                    await self._put_down(part)
                except Permanent as refused:
                    self.refused += 1
                    log.error("rules.refused", happening=repr(part), reason=str(refused))

    async def _put_down(self, happened: Happenings, tables: str = "", leap: ClockLeap | None = None) -> None:
        now = self._clock.now()
        due = self._marked is None or abs(now - self._marked) >= MARK_EVERY  # or the clock was set back
        if not happened and not due and not tables and leap is None:
            return
        changed: list[Alarm | None] = []
        async with self._book.ledger.begin() as tx:
            if leap is not None:
                await tx.clock_leapt(leap)
                await tx.set_mark(LEAP, self._leaps.told())
            if happened.states:
                await tx.add_states(happened.states)
            if happened.counts:
                await tx.add_counts(happened.counts)
            for rule, event in happened.alarms:
                why = self._evaluator.suppressed(rule)
                changed.append(await self._book.condition(tx, rule, event, why or None))
            if due:
                await tx.set_mark(MARK, self._upto.isoformat())
            if tables:
                await tx.set_mark(TABLES, tables)
            if happened.alarms:
                failpoint("rules.before_commit")
        self._marked = now if due else self._marked
        if happened.alarms:
            failpoint("rules.after_commit")
        await self._book.told(*changed)
        if leap is not None:
            await self._book.shout({"kind": "past"})
        for span in happened.states:
            await self._book.shout({"kind": "state", "equipment": span.equipment})
        if happened.counts:
            await self._book.shout({"kind": "count", "equipment": [c.equipment for c in happened.counts]})

    async def _hear_of_lines(self) -> None:
        async for word in self._bus.listen(ROLL):
            if self._lines.hear(word):
                async with self._turn:
                    await self._lines.go()

    # ---------------------------------------------------------------- the machine's proof; what time brings
    async def _verify(self) -> None:
        while True:
            await self._clock.sleep(VERIFY)
            alarms, proof_wanted = await self._book.ledger.standing()
            if proof_wanted:
                await self._prove()
                alarms = await self._book.ledger.open_alarms()
            await self._rounds.go(alarms)

    async def _prove(self) -> None:
        ledger = self._book.ledger
        for known in [t for t in await ledger.open_tickets() if t.state is TicketState.VERIFYING]:
            now = self._clock.now()
            since, until = known.arrived_at or known.opened_at, now + timedelta(seconds=1)
            counts = [c for c in await ledger.counts(since, until) if c.equipment == known.equipment]
            spans = [s for s in await ledger.states(since, until) if s.equipment == known.equipment]
            async with ledger.begin() as tx:
                alarm = await tx.alarm(known.alarm_id)  # locked before the ticket, as everywhere
                ticket = await tx.ticket(known.id)
                alarms = [alarm, *await tx.open_alarms()]
                holds = self._book.hold(ticket, alarms)
                calm = max((a.cleared_at for a in alarms if a.equipment == ticket.equipment and a.cleared_at),
                           default=None)  # fmt: skip
                then = ticketing.verified(ticket, spans, counts, holds, now, calm)
                if then is not ticket and then != ticket:
                    await self._book.save_ticket(tx, ticket, then, None, "telemetry")
                    failpoint("rules.ticket_verified")
            if then != ticket:
                await self._book.told_ticket(then)
