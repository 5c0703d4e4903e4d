"""Which times of a source are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from collectors.source_times import (
    AHEAD,
    UNCERTAIN_LAST_USABLE,
    SetBack,
    SlowClocks,
    believed,
    judged,
    learned,
)
from hub.model.batch import micros

NOW = micros(datetime(2026, 1, 5, 12, tzinfo=UTC))
LEAD = AHEAD // timedelta(microseconds=1)
OF_1999 = micros(datetime(1999, 12, 31, tzinfo=UTC))
OF_2031 = micros(datetime(2031, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("at", "is_believed"),
    [
        (NOW, True),
        (NOW + LEAD, True),
        (NOW + LEAD + 1, False),
        (OF_2031, False),
        (OF_1999, False),
        (0, False),
    ],
)
def test_a_time_before_2000_or_well_ahead_of_us_is_not_believed(at: int, is_believed: bool) -> None:
    assert believed(at, NOW, LEAD) is is_believed


def test_what_is_not_believed_is_told_now_in_its_order_and_is_not_good() -> None:
    times = np.array([NOW - 5, OF_1999, OF_2031, OF_2031], np.int64)
    statuses = np.array([0, 0, 0x80000000, 0], np.uint32)
    told, told_as, rows = judged(times, statuses, NOW, LEAD)
    assert told.tolist() == [NOW - 5, NOW, NOW + 1, NOW + 2]
    assert told_as.tolist() == [0, UNCERTAIN_LAST_USABLE, 0x80000000, UNCERTAIN_LAST_USABLE]
    assert rows.tolist() == [1, 2, 3]


def test_what_is_believed_is_left_as_it_is() -> None:
    times, statuses = np.array([NOW]), np.zeros(1, np.uint32)
    told, told_as, rows = judged(times, statuses, NOW, LEAD)
    assert told is times and told_as is statuses and not len(rows)


SECOND = 1_000_000
HOUR = 3600 * SECOND


def judged_back(*readings: tuple[float, float]) -> list[int]:
    """Of (source time, arrival) in seconds: which are by a clock that was set back."""
    clock = SetBack([10 * SECOND])
    found = [clock.judge(0, NOW + int(at * SECOND), NOW + int(came * SECOND)) for at, came in readings]
    return [n for n, back in enumerate(found) if back]


def test_a_clock_that_was_set_back_is_known_after_what_makes_a_tag_stale() -> None:
    assert judged_back((0, 0), *((n - 3600, n) for n in range(1, 14))) == [11, 12, 13]
    assert judged_back((0, 0), *((n - 3600 + n % 2, n) for n in range(1, 14))) == [11, 12, 13]


def test_it_is_over_when_something_newer_comes() -> None:
    assert judged_back((0, 0), (-20, 1), (-9, 12), (3, 13), (-6, 15)) == [2]


def test_what_a_device_had_kept_is_history() -> None:
    assert judged_back((0, 0), *((10 * n - 3600, n) for n in range(1, 60))) == [], "faster than it happened"
    mixed = [pair for n in range(1, 60) for pair in ((n, n), (n - 3600, n))]
    assert judged_back((0, 0), *mixed) == [], "beside what is newer"


def test_a_clock_that_was_always_a_little_slow_is_its_own_measure_and_one_that_is_wrong_is_not() -> None:
    assert judged_back(*((n - 500, n) for n in range(90))) == []
    assert judged_back(*((n - 3600, n) for n in range(63))) == [60, 61, 62], "a minute, also after a restart"
    assert judged_back(*((20 * n - 3600, n) for n in range(90))) == [], "what was kept comes faster"


def slow(*readings: tuple[float, float], stale_after: float = 10) -> list[int]:
    """The same of a clock beside one that is right, all that came at once in one go."""
    clocks, found = SlowClocks(seconds(stale_after, stale_after)), []
    for came in dict.fromkeys(came for _, came in readings):
        now = [n for n, (_, at) in enumerate(readings) if at == came]
        handles = np.array([1, *(0 for _ in now)])
        times = NOW + seconds(came, *(readings[n][0] for n in now))
        rows = clocks.rows(handles, times, NOW + int(came * SECOND))
        found += [now[row - 1] for row in rows]
    return found


def test_a_clock_that_is_hours_behind_is_known_after_a_minute_or_what_makes_a_tag_stale() -> None:
    each_second = [(n - 3600, n) for n in range(93)]
    assert slow(*each_second) == list(range(60, 93))
    assert slow(*each_second, stale_after=90) == [90, 91, 92]
    assert slow(*((n - 500, n) for n in range(93))) == [], "minutes are no wrong clock"
    five_at_once = [(n + part - 3605, n) for n in range(0, 70, 5) for part in range(5)]
    assert slow(*five_at_once) == list(range(60, 70))


def test_what_stood_for_long_or_was_kept_is_by_no_slow_clock() -> None:
    assert slow((-3600, 0), *((n, n) for n in range(1, 93))) == [], "since long ago"
    assert slow(*((-3600, n) for n in range(93))) == [], "the same word again and again"
    assert slow(*((10 * n - 3600, n) for n in range(93))) == [], "faster than it happened"
    assert slow(*(pair for n in range(93) for pair in ((n - 3600, n), (n, n)))) == [], "beside what is newer"


def seconds(*given: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([round(n * 1_000_000) for n in given], np.int64)


@pytest.mark.parametrize(
    ("way", "lag", "before", "patience", "first", "wanted", "counts"),
    [
        (3, 0, 0, 20, False, 3, 3),  # its words are on their way for so long
        (1, 8, 1, 20, False, 7, 1),  # it fades
        (1, 8, 1, 20, True, 8, 1),  # not with the first word of a connection
        (40, 0, 0, 20, False, 20, 40),  # one straggler makes no slow source
        (40, 20, 40, 20, False, 40, 40),  # two do
        (70, 0, 70, 20, False, 0, 0),  # more than a minute is a wrong clock
        (70, 0, 0, 120, False, 70, 70),  # where the tag has no patience for it
    ],
)
def test_how_far_a_source_is_behind_is_learnt_from_the_ways_of_its_words(
    way: int, lag: int, before: int, patience: int, first: bool, wanted: int, counts: int
) -> None:
    found = learned(
        seconds(way), seconds(lag), seconds(before), seconds(patience), np.array([first], np.bool_)
    )
    assert [part.tolist() for part in found] == [seconds(wanted).tolist(), seconds(counts).tolist()]
