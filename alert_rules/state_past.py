"""What deriving a machine's states anew changes: where the new past meets the record, and what follows for
stops, their reasons and OEE. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alert_rules.state_trial import changed_share, seconds_of
from hub.kpi.calendar import Interval, planned_time
from hub.kpi.oee import figures, machine_sums
from hub.kpi.pieces import Pieces
from hub.kpi.stops import Hours, Stop, laid_out, stops_of
from hub.model.batch import micros
from hub.model.equipment import Equipment, EquipmentState, StateSpan
from hub.model.stop import StopPart, StopRules
from hub.ports import Plant

SHOWN = 2_000  # spans of one line of the picture


@dataclass(frozen=True, slots=True)
class Past:
    """One machine over [since, until): as it is on record, and as its raw samples tell it by the table in
    use. Both fill that time. `resumes`: the state on record at `until`, from where on the record stays."""

    machine: str
    since: datetime
    until: datetime
    recorded: tuple[StateSpan, ...]
    derived: tuple[StateSpan, ...]
    resumes: EquipmentState

    @property
    def same(self) -> bool:
        return self.recorded == self.derived

    @property
    def key(self) -> str:
        """Of exactly this change."""
        lines = [[(micros(s.since), s.state.value) for s in spans] for spans in (self.recorded, self.derived)]
        text = json.dumps([self.machine, micros(self.since), micros(self.until), self.resumes, *lines])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def rows(self, *, first_known: bool) -> list[StateSpan]:
        """To be put on record in the place of what is there, with the row from which the record goes on.
        `first_known`: something is on record at `since`, or before."""
        spans = self.derived
        if spans and not first_known and spans[0].state is EquipmentState.UNKNOWN:
            spans = spans[1:]  # before its first word nothing is on record of a machine
        told = [StateSpan(self.machine, s.state, s.since) for s in spans]
        if told and told[-1].state is not self.resumes:
            told.append(StateSpan(self.machine, self.resumes, self.until))
        return told


def meeting(derived: Sequence[StateSpan], recorded: Sequence[StateSpan], start: datetime) -> datetime | None:
    """The first instant from `start` on at which both tell the same; both fill the same time."""
    at = 0
    for span in derived:
        while at < len(recorded) and (end := recorded[at].until) is not None:
            both = max(span.since, recorded[at].since, start)
            if recorded[at].state is span.state and both < min(end, span.until or end):
                return both
            if span.until is not None and end > span.until:
                break
            at += 1
    return None


def cut(spans: Iterable[StateSpan], since: datetime, until: datetime) -> tuple[StateSpan, ...]:
    """The part of them that lies in [since, until)."""
    kept = [replace(s, since=max(s.since, since), until=min(s.until or until, until)) for s in spans]
    return tuple(s for s in kept if s.until is not None and s.since < s.until)


def spliced(spans: Sequence[StateSpan], past: Past) -> list[StateSpan]:
    """These spans of the record, as they will be."""
    before = [replace(s, until=min(s.until or past.since, past.since)) for s in spans if s.since < past.since]
    after = [
        replace(s, since=max(s.since, past.until)) for s in spans if s.until is None or s.until > past.until
    ]
    out: list[StateSpan] = []
    for span in (*before, *past.derived, *after):
        if out and out[-1].state is span.state and out[-1].until == span.since:
            out[-1] = replace(out[-1], until=span.until)
        else:
            out.append(span)
    return out


# ------------------------------------------------------------------ what follows from it
@dataclass(frozen=True, slots=True)
class Told:
    """What the record tells of one machine, before or after."""

    spans: Sequence[StateSpan]
    stops: Sequence[Stop]

    @staticmethod
    def by(plant: Plant, machine: str, spans: Sequence[StateSpan], now: datetime, hours: Hours) -> Told:
        return Told(spans, stops_of(plant, machine, spans, now, hours))


def new_stops(before: Told, after: Told) -> list[Stop]:
    """Those that were not there, or not so, and are over."""
    known = {(s.start, s.end) for s in before.stops}
    return [s for s in after.stops if not s.lasts and (s.start, s.end) not in known]


def reasons(before: Told, after: Told, parts: Sequence[StopPart], known: StopRules) -> list[dict[str, Any]]:
    """What becomes of reasons and notes that people gave: of those that lie elsewhere then, or nowhere."""
    were, will = _places(before.stops, parts), _places(after.stops, parts)
    out = []
    for part in parts:
        if not (part.reason or part.note) or were.get(part.id) == will.get(part.id):
            continue
        reason = known.reason(part.reason)
        out.append({
            "name": reason.name.as_dict() if reason else None,
            "since": part.since, "until": part.until, "reason": part.reason, "note": part.note, "by": part.by,
            "before": were.get(part.id, []), "after": will.get(part.id, []),
        })  # fmt: skip
    return out


def _places(stops: Iterable[Stop], parts: Sequence[StopPart]) -> dict[int, list[Interval]]:
    found: dict[int, list[Interval]] = {}
    for stop in stops:
        for piece in laid_out(stop, parts):
            if piece.said is not None and piece.said.id:
                found.setdefault(piece.said.id, []).append((piece.start, piece.end))
    return found


def figures_of(
    plant: Plant, machine: Equipment, told: Told, window: Interval, pieces: Pieces | None,
    repairs: Sequence[Interval],
) -> dict[str, Any]:  # fmt: skip
    """`pieces` None: too much time for a count of pieces; then of OEE only the availability."""
    start, end = window
    planned = planned_time(plant, start, end)
    cycle = None if pieces is None else machine.ideal_cycle
    sums = machine_sums(told.spans, pieces or Pieces(), planned, cycle, until=end, repairs=repairs)
    found = asdict(figures(sums))
    if pieces is None:
        found |= dict.fromkeys(("oee", "performance", "quality"))
    mine = [s for s in told.stops if s.start < end and s.end > start]
    lost = sum((s.lost_in(start, end) for s in mine), timedelta())
    return {"oee": found, "stops": len(mine), "lost_seconds": round(lost.total_seconds(), 3)}


def picture(past: Past) -> dict[str, Any]:
    lines = {"recorded": past.recorded, "derived": past.derived}
    return {
        "since": past.since,
        "until": past.until,
        "same": past.same,
        "changed": changed_share(past.recorded, past.derived),
        "spans": {name: len(spans) for name, spans in lines.items()},
        "seconds": {name: _seconds(spans) for name, spans in lines.items()},
        "lines": {
            name: [{"state": s.state, "since": s.since, "until": s.until} for s in spans[-SHOWN:]]
            for name, spans in lines.items()
        },
    }


def _seconds(spans: Sequence[StateSpan]) -> dict[str, float]:
    return {state.value: round(seconds, 3) for state, seconds in seconds_of(spans).items()}
