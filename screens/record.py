"""Reads from the ledger what the board needs, only as much of it as a hint says has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hub.kpi.progress import finishes
from hub.model.equipment import EquipmentLevel, StateSpan
from hub.model.stop import StopPart
from hub.ports import Clock, Ledger, Plant, Stops
from screens.board import Facts
from screens.figures import ShiftRecord, line_figures, unexplained, window

URGENT = frozenset({"alarm", "ticket"})
REST = frozenset({"state", "count", "order", "stop"})
OVERLAP = timedelta(minutes=1)  # counts are read again this far back: reports may arrive out of order
STOPS_EVERY = timedelta(seconds=15)  # a stop comes to need a reason without a message
SLICE = timedelta(minutes=30)  # older ones are read over again piece by piece, for what came later still
_AHEAD = timedelta(minutes=1)  # device clocks may be ahead of ours
_RECENT = 200  # alarms looked through for the end of the last one, tickets for what stood in this shift


class Record:
    """`facts` as last read. One reader at a time of what is urgent, and one of the rest."""

    def __init__(self, plant: Plant, ledger: Ledger, clock: Clock, stops: Stops | None = None) -> None:
        self._plant, self._ledger, self._clock, self._stops = plant, ledger, clock, stops
        self._lines = [e for e in plant.equipment.values() if e.level is EquipmentLevel.WORK_CENTER]
        self._shift: ShiftRecord | None = None
        self._counted_to: datetime | None = None
        self._raked_to: datetime | None = None
        self._said: Sequence[StopPart] = ()  # why machines stood in this shift
        self._counted_stops: datetime | None = None
        self._retold = False
        self.facts = Facts()

    def past_retold(self) -> None:
        """States that are over were derived anew: the next reading of states takes them all in again."""
        self._retold = True

    async def read(self, kinds: Iterable[str]) -> None:
        wanted = frozenset(kinds)
        if wanted & URGENT:
            await self._read_alarms()
        if "order" in wanted:
            await self._read_orders()
        if "state" in wanted:
            states = await self._ledger.current_states()
            self.facts = replace(self.facts, states=states)
        if "state" in wanted or "count" in wanted:
            await self._read_shift()
        if "stop" in wanted:
            await self._read_said()

    async def reckon(self) -> None:
        """The lines' figures to now; other work may go on between two lines."""
        if self._shift is None:
            return
        lines = {}
        for line in self._lines:
            lines[line.path] = line_figures(self._plant, line, self._shift, self._clock.now())
            await self._clock.sleep(0)
        self.facts = replace(self.facts, lines=lines)
        now = self._clock.now()
        if self._stops and (self._counted_stops is None or now - self._counted_stops >= STOPS_EVERY):
            await self._count_stops(self._shift, now)

    async def rake(self) -> None:
        """Read the next slice of the shift over again: devices that were cut off report hours late."""
        shift, now = self._shift, self._clock.now()
        if shift is None:
            return
        at = self._raked_to
        if at is None or not shift.start <= at < now:
            at, shift = shift.start, await self._read_spans(shift, now)
        self._raked_to = at + SLICE
        self._shift = shift.with_counts(await self._ledger.counts(at, min(self._raked_to, now)))
        self._count(now)

    async def _read_alarms(self) -> None:
        alarms = await self._ledger.open_alarms()
        tickets = await self._ledger.open_tickets()
        recent = await self._ledger.recent_alarms(_RECENT)
        ended = [a for a in recent if not a.is_open]
        self.facts = replace(self.facts, alarms=alarms, tickets=tickets, ended=ended)

    async def _read_orders(self) -> None:
        orders = await self._ledger.orders()
        progress = await self._ledger.progress()
        changes = await self._ledger.order_changes()
        outlooks = finishes(orders, progress, self._plant, self._plant.targets, self._clock.now())
        self.facts = replace(self.facts, orders=orders, progress=progress, outlooks=outlooks, changes=changes)

    async def _read_shift(self) -> None:
        now = self._clock.now()
        start, end = window(self._plant, now)
        shift = self._shift
        if shift is None or self._counted_to is None or shift.start != start:
            shift = await self._whole_shift(ShiftRecord(start, end), now)
        else:
            since = max(start, self._counted_to - OVERLAP)
            shift = shift.with_counts(await self._ledger.counts(since, now + _AHEAD))
        if self._retold or not shift.spans or self._spans_moved(shift):
            self._counted_stops, self._retold = None if self._retold else self._counted_stops, False
            shift = await self._read_spans(shift, now)
        self._shift, self._counted_to = shift, now
        self._count(now)

    async def _read_spans(self, shift: ShiftRecord, now: datetime) -> ShiftRecord:
        tickets = {t.id: t for t in await self._ledger.recent_tickets(_RECENT)}
        tickets |= {t.id: t for t in await self._ledger.open_tickets()}
        spans = _open_ended(await self._ledger.states(shift.start, now), now)
        return shift.with_spans(spans).with_tickets(tickets.values())

    async def _read_said(self) -> None:
        shift, now = self._shift, self._clock.now()
        if self._stops is None or shift is None:
            return
        machines = [m.path for m in self._plant.machines()]
        said = await self._stops.parts(machines, shift.start, now)
        if said != self._said or self._counted_stops is None:
            self._said = said
            await self._count_stops(shift, now)

    async def _count_stops(self, shift: ShiftRecord, now: datetime) -> None:
        """Other work may go on between two lines."""
        self._counted_stops = now
        found: dict[str, int] = {}
        for line in self._lines:
            found |= unexplained(self._plant, line, shift, self._said, now)
            await self._clock.sleep(0)
        self.facts = replace(self.facts, unexplained=found)

    def _count(self, now: datetime) -> None:
        shift = self._shift or ShiftRecord(now, now)
        made = {m.path: shift.made(m.path, shift.start, now + _AHEAD) for m in self._plant.machines()}
        self.facts = replace(self.facts, made=made)

    async def _whole_shift(self, shift: ShiftRecord, now: datetime) -> ShiftRecord:
        """In slices, between which other work goes on: a shift may hold a hundred thousand counts."""
        at = shift.start
        while at < now + _AHEAD:
            shift = shift.with_counts(await self._ledger.counts(at, min(at + SLICE, now + _AHEAD)))
            at += SLICE
            await self._clock.sleep(0)
        return shift

    def _spans_moved(self, shift: ShiftRecord) -> bool:
        """A machine is in another span than the last one that we know."""
        for path, present in self.facts.states.items():
            known = shift.spans.get(path)
            if not known or known[-1].state is not present.state or known[-1].since < present.since:
                return True
        return False


def _open_ended(spans: Sequence[StateSpan], now: datetime) -> list[StateSpan]:
    """A span that the reading cut at `now` goes on until something else is known."""
    return [replace(s, until=None) if s.until is not None and s.until >= now else s for s in spans]
