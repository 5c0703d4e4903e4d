"""Why machines stood: what people say of it, each wish in one transaction, and who is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hub.errors import Conflict, Refused
from hub.kpi import stops as thinking
from hub.kpi.stops import Hours, Stop, stops_of
from hub.model.equipment import Equipment, StateSpan
from hub.model.people import Person
from hub.model.stop import OldPart, StopPart, StopReason
from hub.ports import Clock, Plant, SeenStop, Stops, StopTx

USUAL = timedelta(days=60)  # so far back counts what is usually said of a machine
COARSE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
T = TypeVar("T", StateSpan, StopPart)
Shout = Callable[[dict[str, Any]], Awaitable[None]]
Work = Callable[[Stop, Sequence[StopPart], datetime], Sequence[StopPart] | None]


class StopReasonDesk:
    """hub.ports.StopDesk."""

    def __init__(self, plant: Plant, record: Stops, clock: Clock, shout: Shout) -> None:
        self._plant, self._record, self._clock, self._shout = plant, record, clock, shout

    # ---------------------------------------------------------------- looking
    async def seen(self, machines: Sequence[Equipment], since: datetime, until: datetime) -> list[SeenStop]:
        now = self._clock.now()
        until = min(until, now)
        if since >= until or not machines:
            return []
        paths = [m.path for m in machines]
        spans = _by_machine(await self._record.spans(paths, since, until, now))
        first = min((s[0].since for s in spans.values()), default=now)
        hours = Hours.between(self._plant, first, now)
        found = {m.path: stops_of(self._plant, m.path, spans.get(m.path, ()), now, hours) for m in machines}
        shown = {path: [s for s in of if s.start < until and s.end > since] for path, of in found.items()}
        earliest = min((s.start for of in shown.values() for s in of), default=now)
        latest = max((s.end for of in shown.values() for s in of), default=now)
        parts = _by_machine(await self._record.parts(paths, earliest, latest))
        return [self._seen(m, s, parts.get(m.path, ())) for m in machines for s in shown[m.path]]

    async def usual(self, machines: Sequence[Equipment]) -> dict[str, list[StopReason]]:
        counts = await self._record.used([m.path for m in machines], self._clock.now() - USUAL)
        return {m.path: _ranked(self._plant.stops.reasons_for(m), counts.get(m.path, {})) for m in machines}

    async def one(self, machine: Equipment, at: datetime) -> SeenStop:
        now = self._clock.now()
        spans = await self._record.spans([machine.path], at, at + TICK, now)
        stop = _at(stops_of(self._plant, machine.path, spans, now), at)
        return self._seen(machine, stop, await self._record.parts([machine.path], stop.start, stop.end))

    async def history(self, machine: Equipment, at: datetime) -> list[OldPart]:
        stop = (await self.one(machine, at)).stop
        return await self._record.history(machine.path, stop.start, stop.end)

    # ---------------------------------------------------------------- acting
    async def explain(
        self, machine: Equipment, at: datetime, version: int, by: Person, reason: str, note: str = "",
        part: datetime | None = None,
    ) -> SeenStop:  # fmt: skip
        if reason and reason not in {r.code for r in self._plant.stops.reasons_for(machine)}:
            raise Refused("stop-reason-unknown", reason)

        def work(stop: Stop, parts: Sequence[StopPart], now: datetime) -> Sequence[StopPart] | None:
            return thinking.explain(stop, parts, part, reason, note, by.id, now)

        return await self._change(machine, at, version, by, work)

    async def split(
        self, machine: Equipment, at: datetime, version: int, by: Person, cut: datetime
    ) -> SeenStop:
        def work(stop: Stop, parts: Sequence[StopPart], now: datetime) -> Sequence[StopPart]:
            wanted = thinking.split(stop, parts, cut, by.id, now)
            if wanted is None:
                raise Refused("stop-cut-outside", "cut: a time inside one part of the stop, not at its edge")
            return wanted

        return await self._change(machine, at, version, by, work)

    async def merge(
        self, machine: Equipment, at: datetime, version: int, by: Person, cut: datetime, *, keep_later: bool
    ) -> SeenStop:
        def work(stop: Stop, parts: Sequence[StopPart], now: datetime) -> Sequence[StopPart]:
            wanted = thinking.merge(stop, parts, cut, keep_later=keep_later, by=by.id, now=now)
            if wanted is None:
                raise Refused("stop-no-border", "cut: the time at which two parts of the stop meet")
            return wanted

        return await self._change(machine, at, version, by, work)

    async def _change(
        self, machine: Equipment, at: datetime, version: int, by: Person, work: Work
    ) -> SeenStop:
        now = self._clock.now()
        async with self._record.begin(machine.path) as tx:
            stop, parts = await self._locked(tx, machine, at, now)
            if thinking.version(stop, parts) != version:
                raise Conflict("stop-changed", _who(stop, parts))
            wanted = work(stop, parts, now)
            if wanted is None:
                raise Conflict("stop-moved", "no part of the stop lies there any more")
            await tx.apply(thinking.change(stop, parts, wanted), by.id, now)
            parts = await tx.parts(stop.start, stop.end)
        await self._shout({"kind": "stop", "equipment": machine.path})
        return self._seen(machine, stop, parts)

    async def settle(self, seen: Sequence[SeenStop]) -> None:
        """What was said of a stop holds for all that is known of it now; see `hub.kpi.stops.settled`."""
        for it in seen:
            if not _worth_writing(it):
                continue
            machine, now = self._plant.equipment[it.stop.equipment], self._clock.now()
            with suppress(Conflict):  # it has moved since it was looked at: the next round sees it as it is
                async with self._record.begin(machine.path) as tx:
                    stop, parts = await self._locked(tx, machine, it.stop.start, now)
                    await tx.stretch(thinking.settled(stop, parts))

    async def _locked(
        self, tx: StopTx, machine: Equipment, at: datetime, now: datetime
    ) -> tuple[Stop, list[StopPart]]:
        stop = _at(stops_of(self._plant, machine.path, await tx.spans(at, at + TICK, now), now), at)
        return stop, await tx.parts(stop.start, stop.end)

    def _seen(self, machine: Equipment, stop: Stop, parts: Sequence[StopPart]) -> SeenStop:
        return SeenStop(stop, thinking.of(stop, parts), self._plant.stops.after(machine))


def _worth_writing(seen: SeenStop) -> bool:
    """Not every few seconds of a stop that lasts."""
    held = {p.id: p for p in seen.parts}
    news = [
        held[p.id].since - p.since + (p.until - held[p.id].until)
        for p in thinking.settled(seen.stop, seen.parts)
    ]
    return any(more >= COARSE or not seen.stop.lasts for more in news)


def _at(stops: Sequence[Stop], at: datetime) -> Stop:
    found = next((s for s in stops if s.start <= at < s.end), None)
    if found is None:
        raise Conflict("stop-moved", "the machine did not stand then, by what is known now")
    return found


def _who(stop: Stop, parts: Sequence[StopPart]) -> str:
    mine = thinking.of(stop, parts)
    return max(mine, key=lambda p: p.id).by if mine else "somebody else"


def _ranked(reasons: Sequence[StopReason], counts: Mapping[str, int]) -> list[StopReason]:
    return sorted(reasons, key=lambda r: -counts.get(r.code, 0))  # of equals, in the order of the file


def _by_machine(rows: Sequence[T]) -> dict[str, list[T]]:
    out: dict[str, list[T]] = {}
    for row in rows:
        out.setdefault(row.equipment, []).append(row)
    return out
