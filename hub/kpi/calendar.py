"""The shift calendar: what was planned when, and who is on duty. Local clock times in, UTC instants out.

Every interval is half-open, [start, end). A local time that a change to summer time leaves out is read with
the offset before the change; one that occurs twice is its first occurrence. So shifts that meet on paper meet
in fact, and the night of the change is an hour shorter or longer, as it really is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

from hub.model.equipment import within
from hub.model.people import Person, Shift, ShiftSpan

Interval = tuple[datetime, datetime]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_LONGEST = 26 * HOUR  # a whole day, on the night that clocks go back


class PlantCalendar(Protocol):
    """The part of `hub.ports.Plant` that knows of time and people."""

    @property
    def time_zone(self) -> str: ...
    @property
    def shifts(self) -> tuple[Shift, ...]: ...
    @property
    def people(self) -> Mapping[str, Person]: ...


def shift_spans(plant: PlantCalendar, start: datetime, end: datetime) -> list[ShiftSpan]:
    """The plant's shifts inside [start, end), oldest first, clipped to it and never overlapping.

    Where the file lets two shifts overlap, each instant belongs to the one that began last (of two that
    begin together, to the later one in the file).
    """
    return [_clip(s, max(s.start, start), min(s.end, end)) for s in _laid_out(plant, start, end)]


def shift_at(plant: PlantCalendar, at: datetime) -> ShiftSpan | None:
    """The whole shift (not clipped) that `at` belongs to; None between shifts."""
    return next((s for s in _laid_out(plant, at, at + timedelta(microseconds=1))), None)


def latest_shift(plant: PlantCalendar, at: datetime) -> ShiftSpan | None:
    """The shift that is running, else the last one that ended within the week before `at`."""
    begun = _laid_out(plant, at - 8 * DAY, at + timedelta(microseconds=1))
    return begun[-1] if begun else None


def planned_time(plant: PlantCalendar, start: datetime, end: datetime) -> list[Interval]:
    """Shifts without their breaks; a plant that names no shifts is planned round the clock."""
    if start >= end:
        return []
    if not plant.shifts:
        return [(start, end)]
    return joined(piece for span in shift_spans(plant, start, end) for piece in working_time(span))


def working_time(span: ShiftSpan) -> list[Interval]:
    return without([(span.start, span.end)], span.breaks)


def on_duty(plant: PlantCalendar, path: str, at: datetime) -> Person | None:
    """Who answers for the node `path` now: the roster's most specific node at or above it wins."""
    span = shift_at(plant, at)
    return rostered(plant, span, path) if span else None


def rostered(plant: PlantCalendar, span: ShiftSpan, path: str) -> Person | None:
    """As `on_duty`, of a shift already found."""
    nodes = [n for n, p in span.shift.on_duty.items() if within(path, n) and p in plant.people]
    return plant.people[span.shift.on_duty[max(nodes, key=len)]] if nodes else None


def local_day(zone: str, at: datetime) -> Interval:
    """The calendar day in the zone, as UTC instants: 23 or 25 hours long twice a year."""
    day = at.astimezone(ZoneInfo(zone)).date()
    return _instant(day, time(0), zone), _instant(day + DAY, time(0), zone)


def local_hours(zone: str, start: datetime, end: datetime) -> list[Interval]:
    """The clock hours of the zone that touch [start, end), whole."""
    hours = []
    at = _hour_start(zone, start)
    while at < end:
        after = _hour_start(zone, at + HOUR)
        hours.append((at, after if after > at else at + HOUR))
        at = hours[-1][1]
    return hours


class WorkingTime:
    """Planned time laid out once, for many questions about it. Outside [start, end) nothing is planned."""

    def __init__(self, plant: PlantCalendar, start: datetime, end: datetime) -> None:
        self._pieces = planned_time(plant, start, end)
        self._starts = [begin for begin, _ in self._pieces]
        self._before = list(accumulate((e - b for b, e in self._pieces), initial=timedelta()))

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Planned time in [start, end)."""
        return self._until(end) - self._until(start) if start < end else timedelta()

    def after(self, start: datetime, work: timedelta) -> datetime | None:
        """When `work` of planned time has passed since `start`; None when that lies beyond the end."""
        if work <= timedelta():
            return start
        goal = self._until(start) + work
        i = bisect_left(self._before, goal) - 1
        return self._starts[i] + (goal - self._before[i]) if i < len(self._pieces) else None

    def _until(self, at: datetime) -> timedelta:
        i = bisect_right(self._starts, at)
        if i == 0:
            return timedelta()
        begin, end = self._pieces[i - 1]
        return self._before[i - 1] + min(at, end) - begin


# ------------------------------------------------------------------ intervals
def joined(pieces: Iterable[Interval]) -> list[Interval]:
    """Sorted, with what touches or overlaps made one and what is empty left out."""
    out: list[Interval] = []
    for start, end in sorted(p for p in pieces if p[0] < p[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def without(pieces: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """The parts of `pieces` that lie in none of `holes`."""
    out = []
    cuts = joined(holes)
    for begin, end in joined(pieces):
        at = begin
        for hole_start, hole_end in cuts:
            if hole_end <= at or hole_start >= end:
                continue
            if hole_start > at:
                out.append((at, hole_start))
            at = hole_end
        if at < end:
            out.append((at, end))
    return out


def common(a: Iterable[Interval], b: Iterable[Interval]) -> list[Interval]:
    """What lies in both."""
    first, second = joined(a), joined(b)
    out = []
    i = j = 0
    while i < len(first) and j < len(second):
        start, end = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if start < end:
            out.append((start, end))
        if first[i][1] <= second[j][1]:
            i += 1
        else:
            j += 1
    return out


def length(pieces: Sequence[Interval]) -> timedelta:
    return sum((end - start for start, end in pieces), timedelta())


# ------------------------------------------------------------------ from the file to instants
def _instant(day: date, at: time, zone: str) -> datetime:
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


def _hour_start(zone: str, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(zone))
    return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def _laid_out(plant: PlantCalendar, start: datetime, end: datetime) -> list[ShiftSpan]:
    """Whole spans that touch [start, end), overlaps resolved."""
    raw = _as_written(plant, start - 2 * DAY, end + 2 * DAY)
    edges = sorted({s.start for s in raw} | {s.end for s in raw})
    starts = [s.start for s in raw]
    out: list[tuple[int, ShiftSpan]] = []
    for begin, finish in pairwise(edges):
        near = range(bisect_right(starts, begin - _LONGEST), bisect_right(starts, begin))
        chosen = next((i for i in reversed(near) if begin < raw[i].end), None)
        if chosen is None:
            continue
        if out and out[-1][0] == chosen and out[-1][1].end == begin:
            out[-1] = (chosen, replace(out[-1][1], end=finish))
        else:
            out.append((chosen, replace(raw[chosen], start=begin, end=finish)))
    return [_clip(s, s.start, s.end) for _, s in out if s.start < end and s.end > start]


def _as_written(plant: PlantCalendar, start: datetime, end: datetime) -> list[ShiftSpan]:
    """One span for each shift and day, ordered by start and then by the file."""
    zone = ZoneInfo(plant.time_zone)
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    spans = []
    while day <= last:
        spans += [_span(s, day, plant.time_zone) for s in plant.shifts if day.weekday() in s.days]
        day += DAY
    return sorted((s for s in spans if s.start < s.end), key=lambda s: s.start)


def _span(shift: Shift, day: date, zone: str) -> ShiftSpan:
    last_day = day if shift.end > shift.start else day + DAY
    breaks = []
    for pause in shift.breaks:
        begins = day if pause.start >= shift.start else day + DAY
        ends = begins if pause.end > pause.start else begins + DAY
        breaks.append((_instant(begins, pause.start, zone), _instant(ends, pause.end, zone)))
    return ShiftSpan(
        shift, _instant(day, shift.start, zone), _instant(last_day, shift.end, zone), tuple(breaks)
    )


def _clip(span: ShiftSpan, start: datetime, end: datetime) -> ShiftSpan:
    return replace(span, start=start, end=end, breaks=tuple(common(span.breaks, [(start, end)])))
