from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.batch import SampleBatch
from hub.store.minutes import KEPT, MINUTE, Minutes

samples = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.integers(0, 3 * MINUTE - 1),
        st.sampled_from([0.0, -1.5, 7.25, 1e9, math.nan, math.inf]),
        st.sampled_from([0, 0x40000000, 0x80310000]),
    ),
    max_size=12,
)


def batch(rows: list[tuple[int, int, float, int]]) -> SampleBatch:
    tags, times, values, statuses = zip(*rows, strict=True) if rows else ((), (), (), ())
    return SampleBatch(
        np.array(tags, np.int32),
        np.array(times, np.int64),
        np.array(values, float),
        np.array(statuses, np.uint32),
    )


def one(minute: int) -> SampleBatch:
    return batch([(1, minute * MINUTE, 1.0, 0)])


@given(st.lists(samples, max_size=4))
def test_a_minute_is_what_its_usable_samples_come_to(said: list[list[tuple[int, int, float, int]]]) -> None:
    minutes = Minutes()
    for rows in said:
        minutes.add(batch(rows))
    for minute in range(3):
        mine = [row for rows in said for row in rows if row[1] // MINUTE == minute]
        sums = minutes.of(minute * MINUTE)
        assert (sums.rows if sums else 0) == len(mine)
        usable = [(tag, v) for tag, _, v, status in mine if status < 0x80000000 and not math.isnan(v)]
        expected = [
            (tag, len(v), sum(v), min(v), max(v))
            for tag in sorted({t for t, _ in usable})
            if (v := [value for t, value in usable if t == tag])
        ]
        found = list(zip(sums.tags, sums.n, sums.sum, sums.min, sums.max, strict=True)) if sums else []
        assert found == expected


def test_what_was_rolled_is_forgotten_and_stays_so() -> None:
    minutes = Minutes()
    minutes.add(one(5))
    minutes.rolled(6 * MINUTE)
    minutes.add(one(5))
    assert minutes.of(5 * MINUTE) is None


def test_a_clock_far_ahead_does_not_push_the_present_out() -> None:
    minutes = Minutes()
    for minute in (*range(100, 100 + KEPT), 7):
        minutes.add(one(minute))
    minutes.add(one(200))
    kept = [m for m in (7, *range(100, 201)) if minutes.of(m * MINUTE)]
    assert kept == [7, *range(100, 100 + KEPT - 1)]


def test_infinities_of_both_signs_have_no_sum_and_make_no_noise(recwarn: pytest.WarningsRecorder) -> None:
    minutes = Minutes()
    minutes.add(batch([(1, 0, math.inf, 0), (1, 1, -math.inf, 0), (2, 2, 3.0, 0)]))
    sums = minutes.of(0)
    assert sums is not None
    assert math.isnan(sums.sum[0])
    assert (sums.min.tolist(), sums.max.tolist()) == ([-math.inf, 3.0], [math.inf, 3.0])
    assert [str(w.message) for w in recwarn] == []


def test_what_was_not_counted_is_not_remembered() -> None:
    minutes = Minutes(began=3 * MINUTE + 1)
    minutes.add(batch([(1, m * MINUTE + 7, 1.0, 0) for m in range(7)]), sealed=5 * MINUTE)
    assert [m for m in range(7) if minutes.of(m * MINUTE)] == [5, 6]
    minutes.add(batch([(1, m * MINUTE + 8, 1.0, 0) for m in range(5)]))
    assert [m for m in range(7) if minutes.of(m * MINUTE)] == [4, 5, 6]
    minutes.forget()
    assert [m for m in range(7) if minutes.of(m * MINUTE)] == []
