"""What goes onto the disk comes back as it was, and is smaller where rows are alike."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.batch import SampleBatch, as_historical, from_micros, join
from hub.model.packing import packed, unpacked
from hub.testing.clock import NOON

INT64 = st.integers(-(2**63), 2**63 - 1)
ROW = st.tuples(st.integers(0, 2**31 - 1), INT64, st.floats(), st.integers(0, 2**32 - 1))
RUN = st.tuples(ROW, st.integers(1, 40), st.booleans())


def made(runs: list[tuple[tuple[int, int, float, int], int, bool]], source: str = "m") -> SampleBatch:
    """Runs of rows that are alike, with tags that stand still or count up."""
    rows = [
        (min(t + i * counting, 2**31 - 1), at, v, s) for (t, at, v, s), n, counting in runs for i in range(n)
    ]
    tags, times, values, statuses = zip(*rows, strict=True) if rows else ((), (), (), ())
    return SampleBatch(
        np.array(tags, np.int32), np.array(times, np.int64), np.array(values, np.float64),
        np.array(statuses, np.uint32), source,
    )  # fmt: skip


@given(st.lists(RUN, max_size=12), st.text(max_size=8), st.booleans())
def test_any_batch_comes_back_byte_for_byte(
    runs: list[tuple[tuple[int, int, float, int], int, bool]], source: str, late: bool
) -> None:
    body = made(runs, source).to_bytes()
    body = as_historical(body) if late else body
    assert unpacked(packed(body)) == body


@given(st.binary(max_size=60))
def test_what_is_no_batch_comes_back_too(body: bytes) -> None:
    assert unpacked(packed(body)) == body


@given(st.binary(max_size=80), st.sampled_from([b"", b"C", b"W", b"X"]))
def test_what_was_not_packed_here_is_refused_or_taken_whole(kept: bytes, begin: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(unpacked(begin + kept), bytes)


def test_what_many_machines_say_in_one_poll_is_little_more_than_its_values() -> None:
    polls = [
        SampleBatch.at(list(range(n * 100, n * 100 + 100)), from_micros(NOON_US + n), np.random.rand(100))
        for n in range(100)
    ]
    whole = join(polls)
    assert len(packed(whole.to_bytes())) < 8.3 * len(whole)


def test_changes_of_a_second_each_with_its_own_time_are_two_thirds() -> None:
    rng = np.random.default_rng(7)
    batch = SampleBatch(
        rng.permutation(5000).astype(np.int32), NOON_US + rng.integers(0, 1_000_000, 5000), rng.random(5000),
        np.zeros(5000, np.uint32),
    )  # fmt: skip
    assert len(packed(batch.to_bytes())) < 16.1 * len(batch)


@pytest.mark.parametrize("cut", [1, 5, 12, 30, 60])
def test_a_torn_piece_is_refused(cut: int) -> None:
    kept = packed(SampleBatch.at([1, 2, 3, 9], NOON, [1.0, 2.0, 3.0, 4.0], "m01").to_bytes())
    with pytest.raises(ValueError, match="packed batch"):
        unpacked(kept[:-cut])


NOON_US = 1_767_600_000_000_000
