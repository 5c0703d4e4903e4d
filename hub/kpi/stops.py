"""Stops of one machine, drawn from its states; and what people said of them, laid over (pure).

A stop is a run of states in which the machine neither produced nor was switched off as planned, while a shift
ran; where nothing is known there is none. A break does not end it and is not counted; the end of the shifts
does. `timeline` of hub.kpi.oee says what state it was in: one computation, as everywhere.

What people said is kept by the instants it was said of, and the stop is drawn anew at each look. So late data
may move a stop's edges: a part whose edge was the stop's goes along, a cut stays where it was made.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.kpi.calendar import Interval, PlantCalendar, common, joined, length, planned_time, shift_spans
from hub.kpi.oee import timeline
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan
from hub.model.stop import StopPart, newest

STANDING = frozenset(S) - {S.EXECUTING, S.OFF, S.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Stop:
    """[start, end); `lost` are its pieces of planned time. `lasts`: the machine stands now."""

    equipment: str
    start: datetime
    end: datetime
    lasts: bool
    lost: tuple[Interval, ...]
    states: tuple[tuple[datetime, datetime, S], ...]

    @property
    def state(self) -> S:
        """The one that lasted longest; of equals the first."""
        sums: dict[S, timedelta] = {}
        for start, end, state in self.states:
            sums[state] = sums.get(state, timedelta()) + (end - start)
        return max(sums, key=lambda s: sums[s])

    def lost_in(self, start: datetime, end: datetime) -> timedelta:
        return length(common(self.lost, [(start, end)]))

    @property
    def total(self) -> timedelta:
        return length(self.lost)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a stop, and what was said of it. The pieces of a stop are the stop."""

    start: datetime
    end: datetime
    said: StopPart | None = None

    @property
    def reason(self) -> str:
        return self.said.reason if self.said else ""


@dataclass(frozen=True, slots=True)
class Hours:
    """When shifts run, and what of it is planned: laid out once for many machines."""

    on_shift: tuple[Interval, ...]
    planned: tuple[Interval, ...]

    @staticmethod
    def between(plant: PlantCalendar, start: datetime, end: datetime) -> Hours:
        if start >= end:
            return Hours((), ())
        if not plant.shifts:
            return Hours(((start, end),), ((start, end),))
        shifts = joined((s.start, s.end) for s in shift_spans(plant, start, end))
        return Hours(tuple(shifts), tuple(planned_time(plant, start, end)))

    def planned_in(self, start: datetime, end: datetime) -> list[Interval]:
        first = bisect_right(self.planned, start, key=lambda p: p[1])
        last = bisect_left(self.planned, end, key=lambda p: p[0])
        return common([(start, end)], self.planned[first:last])


def stops_of(
    plant: PlantCalendar,
    equipment: str,
    spans: Iterable[StateSpan],
    until: datetime,
    hours: Hours | None = None,
) -> list[Stop]:
    """Oldest first. `until`: now; who stands then is still standing. `hours` cover all the spans."""
    states = [piece for piece in timeline(spans, until) if piece[2] in STANDING]
    if not states:
        return []
    hours = hours or Hours.between(plant, states[0][0], until)
    runs = common(joined((a, b) for a, b, _ in states), hours.on_shift)
    return [s for run in runs if (s := _stop(equipment, run, hours, states, until))]


def _stop(
    equipment: str,
    run: Interval,
    hours: Hours,
    states: Sequence[tuple[datetime, datetime, S]],
    until: datetime,
) -> Stop | None:
    lost = hours.planned_in(*run)
    if not lost:
        return None
    start, end = lost[0][0], lost[-1][1]
    first = bisect_right(states, start, key=lambda s: s[1])
    last = bisect_left(states, end, key=lambda s: s[0])
    inside = tuple((max(a, start), min(b, end), s) for a, b, s in states[first:last])
    return Stop(equipment, start, end, run[1] == until, tuple(lost), inside)


# ------------------------------------------------------------------ what was said of it
def of(stop: Stop, parts: Iterable[StopPart]) -> list[StopPart]:
    """Those that were said of some of its time, in order."""
    mine = [p for p in parts if p.equipment == stop.equipment and p.since < stop.end and p.until > stop.start]
    return sorted(mine, key=lambda p: p.since)


def laid_out(stop: Stop, parts: Iterable[StopPart]) -> list[Piece]:
    """The stop from its start to its end without a gap or an overlap."""
    out: list[Piece] = []
    at = stop.start
    for start, end, part in _stretched(stop, of(stop, parts)):
        out += [Piece(at, start), Piece(start, end, part)]
        at = end
    return [piece for piece in (*out, Piece(at, stop.end)) if piece.start < piece.end]


def _stretched(stop: Stop, parts: Sequence[StopPart]) -> Iterator[tuple[datetime, datetime, StopPart]]:
    """Each part as it lies in the stop now. Time that has come in between two of them goes to whichever
    ended, or began, where the stop once did."""
    for i, part in enumerate(parts):
        before, after = parts[i - 1] if i else None, parts[i + 1] if i + 1 < len(parts) else None
        start, end = max(part.since, stop.start), min(part.until, stop.end)
        if part.opens and before is None:
            start = stop.start
        elif part.opens and before is not None and not before.closes:
            start = before.until
        if part.closes:
            end = after.since if after else stop.end
        yield start, end, part


def unexplained(stop: Stop, parts: Iterable[StopPart]) -> timedelta:
    """Planned time in it that nobody has given a reason for."""
    bare = [stop.lost_in(p.start, p.end) for p in laid_out(stop, parts) if not p.reason]
    return sum(bare, timedelta())


def waits(stop: Stop, parts: Iterable[StopPart], after: timedelta) -> bool:
    """It has lasted so long that it needs a reason, and not all of it has one."""
    return stop.total >= after and unexplained(stop, parts) > timedelta()


# ------------------------------------------------------------------ what people may do to it
# None: the stop is not as the person saw it, nothing of it lies or meets there.
def explain(
    stop: Stop, parts: Iterable[StopPart], at: datetime | None, reason: str, note: str, by: str, now: datetime
) -> list[StopPart] | None:
    """The piece that `at` lies in gets this reason; None: the whole stop does, as one piece."""
    pieces = laid_out(stop, parts)
    said = StopPart(stop.equipment, stop.start, stop.end, reason, note, by, now, opens=False, closes=False)
    if at is None:
        return _kept(stop, [Piece(stop.start, stop.end, said)], by, now)
    here = next((p for p in pieces if p.start <= at < p.end), None)
    if here is None:
        return None
    return _kept(stop, [replace(p, said=said) if p is here else p for p in pieces], by, now)


def split(
    stop: Stop, parts: Iterable[StopPart], cut: datetime, by: str, now: datetime
) -> list[StopPart] | None:
    """Cut in two there; both halves keep what was said."""
    pieces = laid_out(stop, parts)
    here = next((p for p in pieces if p.start < cut < p.end), None)
    if here is None:
        return None
    i = pieces.index(here)
    halves = [replace(here, end=cut), replace(here, start=cut)]
    return _kept(stop, [*pieces[:i], *halves, *pieces[i + 1 :]], by, now)


def merge(
    stop: Stop, parts: Iterable[StopPart], cut: datetime, *, keep_later: bool, by: str, now: datetime
) -> list[StopPart] | None:
    """The two pieces that meet at `cut` become one, with the reason of the one that is kept."""
    pieces = laid_out(stop, parts)
    i = next((i for i, p in enumerate(pieces) if i and p.start == cut), None)
    if i is None:
        return None
    kept = pieces[i if keep_later else i - 1]
    one = Piece(pieces[i - 1].start, pieces[i].end, kept.said)
    return _kept(stop, [*pieces[: i - 1], one, *pieces[i + 1 :]], by, now)


def _kept(stop: Stop, pieces: Sequence[Piece], by: str, now: datetime) -> list[StopPart]:
    """Pieces as parts to be kept; the outer edges are the stop's own."""
    out = []
    for piece in pieces:
        said = piece.said or StopPart(
            stop.equipment, piece.start, piece.end, "", "", by, now, opens=False, closes=False
        )
        first, last = piece.start == stop.start, piece.end == stop.end
        out.append(replace(said, since=piece.start, until=piece.end, opens=first, closes=last, id=0))
    return out


@dataclass(frozen=True, slots=True)
class Change:
    """What a change does to the record: parts that no longer hold, and those that do instead."""

    gone: tuple[StopPart, ...]
    new: tuple[StopPart, ...]


def change(stop: Stop, held: Iterable[StopPart], wanted: Sequence[StopPart]) -> Change:
    """`wanted` takes the place of what was said of this stop. What a part says beyond the stop (it was one
    with another until late data parted them) still holds there; what stays as it is is not written again."""
    mine = of(stop, held)
    same = {replace(p, id=0): p for p in mine}
    kept = {w for w in wanted if w in same}
    gone = tuple(p for w, p in same.items() if w not in kept)
    beyond = [rest for p in gone for rest in _beyond(stop, p)]
    return Change(gone, (*beyond, *(w for w in wanted if w not in kept)))


def _beyond(stop: Stop, part: StopPart) -> Iterator[StopPart]:
    if part.since < stop.start:
        yield replace(part, until=stop.start, closes=True, id=0)
    if part.until > stop.end:
        yield replace(part, since=stop.end, opens=True, id=0)


def settled(stop: Stop, held: Iterable[StopPart]) -> list[StopPart]:
    """Parts whose kept interval is to grow to what it stands for, so that it still lies in the stop when late
    data takes from its beginning. Nobody has changed anything: they keep their ids."""
    out = []
    for piece in laid_out(stop, held):
        said = piece.said
        if said is None or not said.id:
            continue
        grown = replace(said, since=min(said.since, piece.start), until=max(said.until, piece.end))
        if grown != said:
            out.append(grown)
    return out


def version(stop: Stop, held: Iterable[StopPart]) -> int:
    return newest(of(stop, held))


# ------------------------------------------------------------------ where the time went
@dataclass(frozen=True, slots=True)
class Loss:
    """`reason` "": nobody has said why. `count`: pieces of stops."""

    reason: str
    lost: timedelta
    count: int


def pareto(stops: Iterable[tuple[Stop, Sequence[StopPart]]], start: datetime, end: datetime) -> list[Loss]:
    """The greatest first; of a stop only the planned time that lies in [start, end)."""
    sums: dict[str, tuple[timedelta, int]] = {}
    for stop, parts in stops:
        for piece in laid_out(stop, parts):
            lost = stop.lost_in(max(piece.start, start), min(piece.end, end))
            if lost > timedelta():
                before, n = sums.get(piece.reason, (timedelta(), 0))
                sums[piece.reason] = before + lost, n + 1
    found = [Loss(reason, lost, n) for reason, (lost, n) in sums.items()]
    return sorted(found, key=lambda loss: (-loss.lost, loss.reason))
