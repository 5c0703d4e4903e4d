"""Availability, effectiveness, quality and OEE after ISO 22400-2, and where the planned time went.

Facts in (state spans, counts, planned time), figures out; the same figures for any order and any repetition
of the facts. All time is whole microseconds, so what is split adds up again exactly.

* Planned busy time PBT = planned time - OFF - planned MAINTENANCE - time of which nothing is known. What is
  not known is no loss and no gain: it is left out, and `coverage` is the known share of the planned time.
* Availability = APT / PBT. Effectiveness = PRI x PQ / APT, not capped: above 1 the planned cycle is too long.
  Quality ratio = GQ / PQ. OEE is their product.
* Pieces count only when they were made in PBT, or they would be set against time that is left out.
* A line is the sum over its machines. Pieces of unlike machines are weighted with their planned run time, so
  the line's quality is sum(PRI x GQ) / sum(PRI x PQ) and, when every machine has a planned run time and a
  counter, its OEE is the share of PBT that good pieces needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from hub.kpi.calendar import Interval, common, joined, length, without
from hub.kpi.pieces import Pieces
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan

ZERO = timedelta()
MINOR_STOP = timedelta(minutes=5)


class Bucket(StrEnum):
    """Where a piece of planned time went; the buckets of a machine add up to its planned time."""

    GOOD = "good"  # PRI x GQ: what good pieces needed
    REJECTS = "rejects"  # PRI x SQ
    SPEED = "speed"  # APT - PRI x PQ: reduced speed; below zero when faster than planned
    PRODUCING = "producing"  # APT of a machine without planned run time: cannot be split
    SETUP = "setup"
    MINOR_STOP = "minor-stop"  # idle, held or faulted for less than five minutes on end
    IDLE = "idle"
    STARVED = "starved"
    BLOCKED = "blocked"
    HELD = "held"
    FAULT = "fault"
    REPAIR = "repair"  # maintenance that nobody had planned, and what else stands still for a ticket
    PLANNED_STOP = "planned-stop"  # planned maintenance
    NOT_SCHEDULED = "not-scheduled"  # OFF
    NO_DATA = "no-data"


OUTSIDE_PBT = frozenset({Bucket.PLANNED_STOP, Bucket.NOT_SCHEDULED, Bucket.NO_DATA})
_STOPS = {
    S.SETUP: Bucket.SETUP,
    S.IDLE: Bucket.IDLE,
    S.STARVED: Bucket.STARVED,
    S.BLOCKED: Bucket.BLOCKED,
    S.HELD: Bucket.HELD,
    S.FAULT: Bucket.FAULT,
    S.MAINTENANCE: Bucket.REPAIR,
    S.OFF: Bucket.NOT_SCHEDULED,
    S.UNKNOWN: Bucket.NO_DATA,
}
_SHORT = frozenset({S.IDLE, S.HELD, S.FAULT})
_NO_STOP = frozenset({S.MAINTENANCE, S.OFF, S.UNKNOWN})  # of themselves: a ticket makes them one


@dataclass(frozen=True, slots=True)
class Sums:
    """What may be added over machines and over shifts; the figures are drawn from it last."""

    planned: timedelta = ZERO
    buckets: Counter[Bucket] = field(default_factory=Counter)  # in microseconds
    apt: timedelta = ZERO
    rated_apt: timedelta = ZERO  # APT of machines with a planned run time and a counter
    needed: timedelta = ZERO  # PRI x PQ
    needed_good: timedelta = ZERO  # PRI x GQ
    good: int = 0
    scrap: int = 0

    def __add__(self, other: Sums) -> Sums:
        buckets = Counter(self.buckets)
        for bucket, micros in other.buckets.items():
            buckets[bucket] += micros
        return Sums(
            self.planned + other.planned,
            buckets,
            self.apt + other.apt,
            self.rated_apt + other.rated_apt,
            self.needed + other.needed,
            self.needed_good + other.needed_good,
            self.good + other.good,
            self.scrap + other.scrap,
        )

    def lost(self, bucket: Bucket) -> timedelta:
        return timedelta(microseconds=self.buckets[bucket])

    @property
    def pbt(self) -> timedelta:
        return self.planned - sum((self.lost(b) for b in OUTSIDE_PBT), ZERO)


@dataclass(frozen=True, slots=True)
class Oee:
    """Ratios; None where there is nothing to divide by. `coverage`: known share of the planned time."""

    oee: float | None
    availability: float | None
    performance: float | None
    quality: float | None
    coverage: float


def figures(sums: Sums) -> Oee:
    availability = _ratio(sums.apt, sums.pbt)
    performance = _ratio(sums.needed, sums.rated_apt)
    quality = _ratio(sums.needed_good, sums.needed)
    if quality is None and sums.good + sums.scrap:
        quality = sums.good / (sums.good + sums.scrap)
    known = sums.planned - sums.lost(Bucket.NO_DATA)
    coverage = _ratio(known, sums.planned)
    if availability is None or performance is None or quality is None:
        return Oee(None, availability, performance, quality, 1.0 if coverage is None else coverage)
    return Oee(availability * performance * quality, availability, performance, quality, coverage or 0.0)


def total(parts: Iterable[Sums]) -> Sums:
    return sum(parts, Sums())


def machine_sums(
    spans: Iterable[StateSpan],
    pieces: Pieces,
    planned: Sequence[Interval],
    ideal_cycle: timedelta | None,
    *,
    until: datetime,
    maintenance: Sequence[Interval] | None = None,
    minor_stop: timedelta = MINOR_STOP,
    repairs: Sequence[Interval] = (),
) -> Sums:
    """The sums of one machine over its planned time.

    `until` ends the present span. `maintenance`: when maintenance was planned; None takes every MAINTENANCE
    for planned. Stops are measured whole before the plan cuts them, so a break does not make one minor.
    `repairs`: while a ticket said that the machine stands (`hub.kpi.downtime`); what is neither running nor a
    stop of its own there is REPAIR, and not a plan or a lack of data.
    """
    planned = joined(planned)
    by_bucket = _spread(spans, planned, until, maintenance, minor_stop, repairs)
    apt = length(by_bucket.get(Bucket.PRODUCING, []))
    micros = Counter({bucket: _micros(length(at)) for bucket, at in by_bucket.items()})
    busy = without(planned, [p for b in OUTSIDE_PBT for p in by_bucket.get(b, [])])
    good, scrap = pieces.made(busy)
    if ideal_cycle is None or not pieces.counted:
        return Sums(length(planned), micros, apt, good=good, scrap=scrap)
    needed, needed_good = ideal_cycle * (good + scrap), ideal_cycle * good
    del micros[Bucket.PRODUCING]
    micros[Bucket.GOOD] = _micros(needed_good)
    micros[Bucket.REJECTS] = _micros(needed - needed_good)
    micros[Bucket.SPEED] = _micros(apt - needed)
    return Sums(length(planned), micros, apt, apt, needed, needed_good, good, scrap)


def timeline(spans: Iterable[StateSpan], until: datetime) -> list[tuple[datetime, datetime, S]]:
    """One machine's states, one at each instant: each span is ended by the next one's `since`.

    Of a span told twice, the telling that knows its end counts; of two states that begin at one instant, the
    one that comes later in `EquipmentState`.
    """
    ranked = sorted(spans, key=lambda s: (s.since, _ORDER[s.state], s.until or until))
    first = [next(group) for _, group in groupby(ranked, key=lambda s: (s.since, s.state))]
    chosen = [list(group)[-1] for _, group in groupby(first, key=lambda s: s.since)]
    ends = [*(s.since for s in chosen), until][1:]
    cut = [(s.since, min(s.until or until, end, until), s.state) for s, end in zip(chosen, ends, strict=True)]
    return [piece for piece in cut if piece[0] < piece[1]]


def _spread(
    spans: Iterable[StateSpan],
    planned: Sequence[Interval],
    until: datetime,
    maintenance: Sequence[Interval] | None,
    minor_stop: timedelta,
    repairs: Sequence[Interval],
) -> dict[Bucket, list[Interval]]:
    """Planned time, sorted into buckets; what no span covers is NO_DATA, in a repair REPAIR."""
    out: dict[Bucket, list[Interval]] = {}
    states = timeline(spans, until)
    for (start, end, state), short in zip(states, _shorter(states, minor_stop, until), strict=True):
        piece = [(start, end)]
        bucket = Bucket.PRODUCING if state is S.EXECUTING else _STOPS[state]
        if state in _NO_STOP:
            out.setdefault(Bucket.REPAIR, []).extend(common(piece, repairs))
            piece = without(piece, repairs)
        if state is S.MAINTENANCE:
            was_planned = piece if maintenance is None else common(piece, maintenance)
            out.setdefault(Bucket.PLANNED_STOP, []).extend(was_planned)
            piece = without(piece, was_planned)
        elif state in _SHORT and short:
            bucket = Bucket.MINOR_STOP
        out.setdefault(bucket, []).extend(piece)
    inside = {bucket: common(pieces, planned) for bucket, pieces in out.items()}
    known = [p for bucket, pieces in inside.items() if bucket is not Bucket.NO_DATA for p in pieces]
    unsaid = without(planned, known)
    inside[Bucket.REPAIR] = joined([*inside.get(Bucket.REPAIR, []), *common(unsaid, repairs)])
    inside[Bucket.NO_DATA] = without(unsaid, repairs)
    return {bucket: pieces for bucket, pieces in inside.items() if pieces}


def _shorter(states: Sequence[tuple[datetime, datetime, S]], limit: timedelta, until: datetime) -> list[bool]:
    """Whether each state was over before `limit`, taken whole when it was told in pieces that touch."""
    runs: list[list[int]] = []
    for i, (start, _, state) in enumerate(states):
        if runs and states[runs[-1][-1]][2] is state and states[runs[-1][-1]][1] == start:
            runs[-1].append(i)
        else:
            runs.append([i])
    ends = [(states[run[0]][0], states[run[-1]][1], len(run)) for run in runs]
    return [end < until and end - start < limit for start, end, n in ends for _ in range(n)]


def _ratio(part: timedelta, whole: timedelta) -> float | None:
    return part / whole if whole > ZERO else None


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


_ORDER = {state: i for i, state in enumerate(S)}
