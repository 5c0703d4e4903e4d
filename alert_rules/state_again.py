"""States on record derived anew from raw samples, by the table that the rules go by: looked at, then done.

The rules own what they have told since they took the table up; only what was before is replaced, up to the
first moment at which both tell the same. So nothing jumps where the two meet, and what the rules remember of
the machine stays true. Nothing is fed to any rule: old facts raise no alarm and open no ticket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from alert_rules.state_past import (
    Past,
    Told,
    cut,
    figures_of,
    meeting,
    new_stops,
    picture,
    reasons,
    spliced,
)
from alert_rules.state_trial import Retelling, told_rows, within
from hub.errors import Conflict, NotFound, Refused
from hub.failpoint import failpoint
from hub.kpi.calendar import Interval
from hub.kpi.downtime import standstill
from hub.kpi.pieces import Pieces
from hub.kpi.stops import Hours
from hub.model.batch import from_micros
from hub.model.equipment import Equipment
from hub.model.sample import Tag
from hub.model.state_table import Seam, StateTable, digest
from hub.ports import Clock, Ledger, Plant, Stops
from hub.ports.state_history import StateHistory

PAGE = 50_000  # samples read and thought about at a time
MOST = 3_000_000  # of one telling: five weeks at one a second
MEETS = timedelta(minutes=10)  # at least so long is looked for the moment from which both tell the same
AHEAD = timedelta(seconds=10)  # a device's clock may be: its past is told as much earlier or later
ZONES = timedelta(hours=26)  # what is further ahead was one wrong sample, and no clock
COUNTED = timedelta(days=8)  # so much time is reckoned with its pieces
TICKETS = 200
TOLD = 500  # reasons in one report
TICK = timedelta(microseconds=1)
LISTED = 20
Shout = Callable[[dict[str, Any]], Awaitable[None]]
InUse = Callable[[str], Awaitable[tuple[StateTable, int]]]


@dataclass(frozen=True, slots=True)
class Found:
    """A past that could be put on record, and what it would bring about."""

    past: Past
    seam: Seam
    first_known: bool
    report: dict[str, Any]
    old: tuple[Interval, ...]  # stops that nobody shall be asked about


class StateHistoryDesk:
    """hub.ports.state_history.StateHistoryDesk. `in_use`: the table that the rules go by, and its version."""

    def __init__(
        self,
        plant: Plant,
        in_use: InUse,
        history: StateHistory,
        stops: Stops,
        ledger: Ledger,
        clock: Clock,
        shout: Shout,
    ) -> None:
        self._plant, self._in_use, self._history = plant, in_use, history
        self._stops, self._ledger, self._clock, self._shout = stops, ledger, clock, shout
        self._turn = asyncio.Lock()  # one at a time: it is seconds of thinking

    async def done(self, path: str) -> list[dict[str, Any]]:
        self._machine(path)
        return await self._history.done(path, LISTED)

    async def preview(self, path: str, since: datetime) -> dict[str, Any]:
        async with self._turn:
            return (await self._found(path, since)).report

    async def apply(self, path: str, since: datetime, key: str, by: str, address: str = "") -> dict[str, Any]:
        async with self._turn:
            found = await self._found(path, since)
            if found.past.same:
                return found.report | {"done": False}  # as when it is asked for a second time
            if found.past.key != key:
                raise Conflict("states-moved", "the record is not as it was seen; look again")
            await self._write(found, by, address)
        await self._shout({"kind": "past", "equipment": path})
        return found.report | {"done": True}

    async def _write(self, found: Found, by: str, address: str) -> None:
        past, now = found.past, self._clock.now()
        async with self._history.begin(past.machine) as tx:
            there = await tx.changes(past.since, past.until)
            if tuple(within(there, past.machine, past.since, past.until)) != past.recorded or (
                await tx.seam() != found.seam
            ):
                raise Conflict("states-moved", "the record is not as it was seen; look again")
            await tx.replace(past.since, past.until, past.rows(first_known=found.first_known))
            await tx.never_ask(found.old, now)
            kept = {k: v for k, v in found.report.items() if k not in ("lines", "key")}
            await tx.note(
                now,
                by,
                past.since,
                past.until,
                _plain(kept),
                _plain(_short(found.report) | {"address": address}),
            )
            failpoint("states.rederived")

    # ------------------------------------------------------------------ thinking
    async def _found(self, path: str, asked: datetime) -> Found:
        machine, now = self._machine(path), self._clock.now()
        table, number = await self._in_use(path)
        seam = await self._history.seam(path)
        if seam is None or seam.codes != digest(table.map):
            raise Conflict("states-not-taken-up", "the rules have not taken this table up yet")
        if asked >= seam.since:
            raise Refused("states-since", self._clocks(seam.since))
        past, facts, first_known = await self._past(machine, table, asked, seam, now)
        hours_report, old = await self._follows(machine, past, now)
        report = (
            {"machine": path, "number": number, "asked": asked, **facts} | picture(past) | hours_report
            | {"key": past.key}
        )  # fmt: skip
        return Found(past, seam, first_known, report, old)

    async def _past(
        self, machine: Equipment, table: StateTable, asked: datetime, seam: Seam, now: datetime
    ) -> tuple[Past, dict[str, Any], bool]:
        tag = self._plant.tags[machine.state_tag]
        ahead = await self._history.page(tag.number, now + AHEAD, now + ZONES, 1)
        if len(ahead):
            raise Refused("states-clock-ahead", self._clocks(ahead.sample(0).source_time))
        gone = await self._history.raw_gone(tag.number)
        end = max(seam.since + TICK, min(now, seam.since + max(MEETS, 2 * tag.stale_after)))
        start = asked - tag.stale_after
        retelling = Retelling(machine, tag, table)
        samples, first = await self._read(retelling, tag, max(start, gone) if gone else start, end)
        since = asked
        if gone is not None and start < gone:
            since = min(max(asked, first or seam.since), seam.since)
        told = await asyncio.to_thread(retelling.until, end)
        there = await self._history.changes(machine.path, since, end)
        derived = within(told, machine.path, since, end)
        recorded = within(there, machine.path, since, end)
        until = meeting(derived, recorded, seam.since) or seam.since
        resumes = next(s.state for s in recorded if s.until is None or s.until > until)
        past = Past(
            machine.path, since, until, cut(recorded, since, until), cut(derived, since, until), resumes
        )
        facts = {"samples": samples, "raw_gone": since if since > asked else None}
        return past, facts, bool(there) and there[0].since <= since

    async def _read(
        self, retelling: Retelling, tag: Tag, start: datetime, end: datetime
    ) -> tuple[int, datetime | None]:
        """How many there were, and when the first that said something was."""
        count, first = 0, None
        while count <= MOST:
            page = await self._history.page(tag.number, start, end, PAGE)
            count += len(page)
            good = np.flatnonzero(told_rows(page))
            if first is None and len(good):
                first = from_micros(int(page.source_times[good[0]]))
            await asyncio.to_thread(retelling.take, page)
            if len(page) < PAGE:
                return count, first
            start = from_micros(int(page.source_times[-1]) + 1)
        raise Refused("states-too-many", self._clocks(start))

    async def _follows(
        self, machine: Equipment, past: Past, now: datetime
    ) -> tuple[dict[str, Any], tuple[Interval, ...]]:
        path = machine.path
        spans = await self._stops.spans([path], past.since, past.until, now)
        after = spliced(spans, past)
        first = min((s.since for s in (*spans, *after)), default=past.since)
        hours = Hours.between(self._plant, first, now)
        then, will = (Told.by(self._plant, path, of, now, hours) for of in (spans, after))
        parts = await self._stops.parts([path], first, now)
        touched = reasons(then, will, parts, self._plant.stops)
        window = past.since, past.until
        pieces = None
        if past.until - past.since <= COUNTED:
            counts = await self._history.counts(path, *window)
            pieces = Pieces(counted=bool(machine.good_tag)).with_(counts)
        repairs = await self._repairs(path, now)
        report = {
            "figures": {
                name: figures_of(self._plant, machine, told, window, pieces, repairs)
                for name, told in (("recorded", then), ("derived", will))
            },
            "reasons": touched[:TOLD],
            "reasons_touched": len(touched),
            "reasons_left": sum(not one["after"] for one in touched),
        }
        return report, tuple((s.start, s.end) for s in new_stops(then, will))

    async def _repairs(self, path: str, now: datetime) -> list[Interval]:
        tickets = {t.id: t for t in await self._ledger.recent_tickets(TICKETS)}
        tickets |= {t.id: t for t in await self._ledger.open_tickets()}
        stood = [standstill(t) for t in tickets.values() if t.equipment == path]
        return [(start, end or now) for start, end in filter(None, stood)]

    def _clocks(self, at: datetime) -> str:
        """As the plant's clocks show it."""
        return f"{at.astimezone(ZoneInfo(self._plant.time_zone)):%Y-%m-%d %H:%M:%S}"

    def _machine(self, path: str) -> Equipment:
        machine = self._plant.equipment.get(path)
        if machine is None or not machine.state_tag:
            raise NotFound("not-found", f"{path} has no state: block in the plant file")
        return machine


def _short(report: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit trail: the book of the machine has the rest."""
    names = ("number", "asked", "since", "until", "seconds", "figures", "reasons_touched", "reasons_left")
    return {name: report[name] for name in names}


def _plain(value: Any) -> Any:
    """As JSON knows it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    return value
