"""Pieces, targets and OEE of the present shift, drawn from the record with hub.kpi. (pure)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hub.kpi.calendar import (
    HOUR,
    Interval,
    PlantCalendar,
    common,
    latest_shift,
    length,
    local_day,
    local_hours,
    planned_time,
)
from hub.kpi.downtime import Standstill, standstill
from hub.kpi.oee import Oee, figures, machine_sums, total
from hub.kpi.pieces import Pieces
from hub.kpi.stops import Hours, stops_of, waits
from hub.model.batch import from_micros, micros
from hub.model.equipment import Count, Equipment, StateSpan
from hub.model.stop import StopPart
from hub.model.ticket import MaintenanceTicket
from hub.ports import Plant
from screens.merge import Json, tidy

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ShiftRecord:
    """What the record says of one shift; taking a fact in again changes nothing."""

    start: datetime
    end: datetime
    spans: Mapping[str, Sequence[StateSpan]] = field(default_factory=dict)
    pieces: Mapping[str, Pieces] = field(default_factory=dict)
    stood: Mapping[str, Sequence[Standstill]] = field(default_factory=dict)  # by the tickets' word

    def with_counts(self, counts: Iterable[Count]) -> ShiftRecord:
        new: dict[str, list[Count]] = {}
        for count in counts:
            if count.at >= self.start:
                new.setdefault(count.equipment, []).append(count)
        grown = {path: self.pieces.get(path, Pieces()).with_(told) for path, told in new.items()}
        return replace(self, pieces={**self.pieces, **grown})

    def with_spans(self, spans: Iterable[StateSpan]) -> ShiftRecord:
        """`spans` are all that touch the shift."""
        by_machine: dict[str, list[StateSpan]] = {}
        for span in spans:
            by_machine.setdefault(span.equipment, []).append(span)
        return replace(self, spans=by_machine)

    def with_tickets(self, tickets: Iterable[MaintenanceTicket]) -> ShiftRecord:
        """`tickets` are all that may touch the shift."""
        by_machine: dict[str, list[Standstill]] = {}
        for ticket in tickets:
            if (found := standstill(ticket)) is not None:
                by_machine.setdefault(ticket.equipment, []).append(found)
        return replace(self, stood=by_machine)

    def repairs(self, machine: str, until: datetime) -> list[Interval]:
        return [(start, end or until) for start, end in self.stood.get(machine, ())]

    def made(self, machine: str, start: datetime, end: datetime) -> tuple[int, int]:
        return self.pieces[machine].made([(start, end)]) if machine in self.pieces else (0, 0)


def window(plant: PlantCalendar, now: datetime) -> Interval:
    """What "this shift" means: the one that runs, between shifts the last one, without a calendar the day."""
    span = latest_shift(plant, now)
    return (span.start, span.end) if span else local_day(plant.time_zone, now)


def line_figures(plant: Plant, line: Equipment, record: ShiftRecord, now: datetime) -> Json:
    """A line's members of the board. Its pieces are those of the machines it leaves by; where none is named,
    of all its machines, each operation counted."""
    machines = plant.machines(line.path)
    leaving = [m for m in machines if m.path in plant.outlets.get(line.path, ())] or machines
    target = plant.targets.get(line.path, 0)
    plan = planned_time(plant, _known_since(machines, record), record.end)
    hours = list(_hours(plant, leaving, record, plan, target, now))
    good, _ = _made(leaving, record, record.start, now + _SECOND)
    _, scrap = _made(machines, record, record.start, now + _SECOND)
    return tidy(
        good=good,
        scrap=scrap,
        target=_target(plan, record.start, now, target),
        hour_good=hours[-1]["good"] if hours else 0,
        hour_target=_target(plan, *_this_hour(plant, record, now), target),
        hours=hours,
        oee=_oee_json(oee(plant, machines, record, now)),
    )


def _known_since(machines: Sequence[Equipment], record: ShiftRecord) -> datetime:
    """When the record of this shift begins: nobody is behind for hours before that."""
    first = (span.since for m in machines for span in record.spans.get(m.path, ()))
    return max(record.start, min(first, default=record.start))


def _this_hour(plant: Plant, record: ShiftRecord, now: datetime) -> Interval:
    """From the last full hour to now: the goal that can be held against what was made so far."""
    *_, (start, _) = local_hours(plant.time_zone, record.start, now + _SECOND)
    return start, now


def oee(plant: Plant, machines: Sequence[Equipment], record: ShiftRecord, now: datetime) -> Oee:
    """From the shift's beginning to now, to the whole second."""
    until = from_micros(micros(now) // 1_000_000 * 1_000_000)
    planned = planned_time(plant, record.start, min(until, record.end))
    return figures(
        total(
            machine_sums(
                record.spans.get(m.path, ()),
                record.pieces.get(m.path, Pieces(counted=bool(m.good_tag))),
                planned,
                m.ideal_cycle,
                until=until,
                repairs=record.repairs(m.path, until),
            )
            for m in machines
        )
    )


def unexplained(
    plant: Plant, line: Equipment, record: ShiftRecord, said: Iterable[StopPart], now: datetime
) -> dict[str, int]:
    """Machines of the line with stops of this shift that need a reason and have none: how many."""
    parts: dict[str, list[StopPart]] = {}
    for part in said:
        parts.setdefault(part.equipment, []).append(part)
    hours = Hours.between(plant, record.start, now)
    out = {}
    for machine in plant.machines(line.path):
        after = plant.stops.after(machine)
        stops = stops_of(plant, machine.path, record.spans.get(machine.path, ()), now, hours)
        if count := sum(waits(stop, parts.get(machine.path, ()), after) for stop in stops):
            out[machine.path] = count
    return out


def _hours(
    plant: Plant,
    machines: Sequence[Equipment],
    record: ShiftRecord,
    plan: Sequence[Interval],
    target: int,
    now: datetime,
) -> Iterator[Json]:
    for start, end in local_hours(plant.time_zone, record.start, now + _SECOND):
        good, _ = _made(machines, record, max(start, record.start), end)
        yield {"hour": as_time(start), "good": good, "target": _target(plan, start, end, target)}


def _made(
    machines: Sequence[Equipment], record: ShiftRecord, start: datetime, end: datetime
) -> tuple[int, int]:
    counts = [record.made(m.path, start, end) for m in machines]
    return sum(g for g, _ in counts), sum(s for _, s in counts)


def _target(plan: Sequence[Interval], start: datetime, end: datetime, per_hour: int) -> int:
    return int(length(common(plan, [(start, end)])) * per_hour / HOUR)


def _oee_json(found: Oee) -> Json:
    def short(ratio: float | None) -> float | None:
        return None if ratio is None else round(ratio, 3)

    return tidy(
        oee=short(found.oee),
        availability=short(found.availability),
        performance=short(found.performance),
        quality=short(found.quality),
        coverage=round(found.coverage, 3),
    )


def as_time(at: datetime) -> str:
    """ISO 8601 in UTC with Z, to the millisecond where there is one."""
    ms = at.microsecond // 1000
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{ms:03d}Z" if ms else "Z")
