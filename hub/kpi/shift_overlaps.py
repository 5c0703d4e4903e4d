"""Which shifts of a calendar overlap on paper. Pure.

What is made of the time that two claim is said in `hub.kpi.calendar`: it belongs to the one that began last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from itertools import combinations

from hub.model.people import Shift

_DAY = 24 * 60
_WEEK = 7 * _DAY


def overlaps(shifts: Sequence[Shift]) -> list[tuple[int, int, time, time]]:
    """Places in the list of two shifts that do, and the first piece of a week that both of them claim."""
    found = []
    for (a, one), (b, other) in combinations(enumerate(shifts), 2):
        common = [
            (max(start, begin + round_), min(end, finish + round_))
            for start, end in _week(one)
            for begin, finish in _week(other)
            for round_ in (-_WEEK, 0, _WEEK)  # a night at the end of the week reaches into the next one
        ]
        if pieces := [(start, end) for start, end in common if start < end]:
            start, end = min(pieces)
            found.append((a, b, _clock(start), _clock(end)))
    return found


def _week(shift: Shift) -> list[tuple[int, int]]:
    """Minutes of the week."""
    start, end = _minutes(shift.start), _minutes(shift.end)
    long = end - start if end > start else end - start + _DAY
    return [(day * _DAY + start, day * _DAY + start + long) for day in sorted(shift.days)]


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _clock(minutes: int) -> time:
    return time(minutes % _DAY // 60, minutes % 60)
