"""What a table of states makes of samples on record: by the evaluator itself, so it is no guess. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alert_rules.evaluator import Evaluator
from hub.model.batch import SampleBatch, from_micros, micros
from hub.model.equipment import Equipment, EquipmentState, StateSpan
from hub.model.sample import Tag
from hub.model.state_table import StateTable
from hub.ports import Plant

_BAD = np.uint32(0x80000000)
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A raw code of a stretch of time: how often it was told, and for how long it stood."""

    code: int
    count: int
    seconds: float
    first_at: datetime
    last_at: datetime


class Retelling:
    """The evaluator of one machine with another table, fed with its samples from the record, in order."""

    def __init__(self, machine: Equipment, tag: Tag, table: StateTable) -> None:
        alone = replace(
            machine, state_tag=tag.path, state_map=dict(table.map), good_tag="", scrap_tag="", fault_tag=""
        )
        self._plant = Plant(alone, {alone.path: alone}, {tag.path: replace(tag, number=1, formula="")})
        self._patience = tag.stale_after
        self._evaluator: Evaluator | None = None
        self._found: list[StateSpan] = []

    def take(self, samples: SampleBatch) -> None:
        told = thinned(samples.take(told_rows(samples)), self._patience)
        if not len(told):
            return
        began, ended = (from_micros(int(told.source_times[n])) for n in (0, -1))
        if self._evaluator is None:
            self._evaluator = Evaluator(self._plant, [], began)
        mine = replace(told, tags=np.ones(len(told), np.int32), historical=False)
        self._found += self._evaluator.take(mine, ended).states

    def until(self, until: datetime) -> list[StateSpan]:
        """All changes, had the rules heard these samples and nothing else until then."""
        evaluator = self._evaluator or Evaluator(self._plant, [], until)
        return self._found + evaluator.quiet_until(until).states


def changes(
    machine: Equipment, tag: Tag, table: StateTable, samples: SampleBatch, until: datetime
) -> list[StateSpan]:
    """What the rules would have put on record, had they heard these samples in their order and nothing else
    until `until`, with this table."""
    retelling = Retelling(machine, tag, table)
    retelling.take(samples)
    return retelling.until(until)


def within(spans: Sequence[StateSpan], path: str, since: datetime, until: datetime) -> list[StateSpan]:
    """Changes, in order, as spans that fill [since, until): before the first one nobody knows."""
    out: list[StateSpan] = []
    at, state = since, EquipmentState.UNKNOWN
    for change in (*spans, StateSpan(path, EquipmentState.UNKNOWN, until)):
        upto = min(max(change.since, since), until)
        if upto > at:
            if out and out[-1].state is state:
                out[-1] = replace(out[-1], until=upto)
            else:
                out.append(StateSpan(path, state, at, upto))
            at = upto
        state = change.state
    return out


def seconds_of(spans: Sequence[StateSpan]) -> dict[EquipmentState, float]:
    """How long it was in each state, in the order of the states."""
    told = dict.fromkeys(EquipmentState, 0.0)
    for span in spans:
        assert span.until is not None
        told[span.state] += (span.until - span.since).total_seconds()
    return {state: seconds for state, seconds in told.items() if seconds}


def changed_share(one: Sequence[StateSpan], other: Sequence[StateSpan]) -> float:
    """The share of the time in which two pictures of the same stretch differ."""
    whole = sum(seconds_of(one).values())
    same, at = 0.0, 0
    for span in one:
        assert span.until is not None
        while at < len(other) and (end := other[at].until) is not None:
            if other[at].state is span.state:
                both = min(span.until, end) - max(span.since, other[at].since)
                same += max(0.0, both.total_seconds())
            if end > span.until:
                break
            at += 1
    return min(1.0, max(0.0, 1 - same / whole)) if whole else 0.0


def codes_seen(samples: SampleBatch, tag: Tag, since: datetime, until: datetime) -> list[Seen]:
    """Every code of [since, until), in order. A code stands until the next one, or until the tag has been
    silent for longer than it may be."""
    good = told_rows(samples)
    times, codes = samples.source_times[good], samples.values[good].astype(np.int64)
    start, end = micros(since), micros(until)
    patience = int(tag.stale_after.total_seconds() * _SECOND)
    ends = np.minimum(np.append(times[1:], end), times + patience)
    lasted = np.maximum(np.minimum(ends, end) - np.maximum(times, start), 0)
    inside = (times >= start) & (times < end)
    return [
        _seen(int(code), times[inside & (codes == code)], int(lasted[codes == code].sum()))
        for code in np.unique(codes[inside]).tolist()
    ]


def thinned(samples: SampleBatch, patience: timedelta) -> SampleBatch:
    """Without repeats from which nothing follows. In each half of the patience the last one stays, and where
    the half before is empty the first: so no silence comes about and none is lost."""
    times, values = samples.source_times, samples.values
    half = times // max(1, int(patience.total_seconds() * _SECOND) // 2)
    last = np.append(half[1:] != half[:-1], True)
    alone = np.append(True, half[1:] > half[:-1] + 1)
    keep = last | alone | np.append(True, values[1:] != values[:-1])
    return samples.take(np.flatnonzero(keep)) if len(samples) else samples


def told_rows(samples: SampleBatch) -> NDArray[np.bool_]:
    """Rows that say something: a bad one says neither that it stays nor that it changes."""
    told: NDArray[np.bool_] = np.isfinite(samples.values) & ((samples.statuses & _BAD) == 0)
    return told


def _seen(code: int, times: NDArray[np.int64], lasted: int) -> Seen:
    first, last = from_micros(int(times.min())), from_micros(int(times.max()))
    return Seen(code, len(times), lasted / _SECOND, first, last)
