"""A batch of samples travels as bytes: what goes in comes out, and nothing else is taken for a batch."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hub.model.batch import ROW_BYTES, SampleBatch, from_micros, join, micros, summable
from hub.model.sample import BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE
from hub.testing.clock import NOON


@st.composite
def batches(draw: st.DrawFn) -> SampleBatch:
    n = draw(st.integers(0, 40))
    return SampleBatch(
        draw(arrays.arrays(np.int32, n)),
        draw(arrays.arrays(np.int64, n)),
        draw(arrays.arrays(np.float64, n)),
        draw(arrays.arrays(np.uint32, n)),
        draw(st.text(max_size=20)),
    )


def same(a: SampleBatch, b: SampleBatch) -> bool:
    columns = ("tags", "source_times", "values", "statuses")
    return a.source == b.source and all(
        getattr(a, c).dtype == getattr(b, c).dtype and getattr(a, c).tobytes() == getattr(b, c).tobytes()
        for c in columns
    )


@given(batches())
def test_what_goes_in_comes_out_bit_by_bit(batch: SampleBatch) -> None:
    data = batch.to_bytes()
    again = SampleBatch.from_bytes(data)
    assert same(batch, again)
    assert again.to_bytes() == data
    assert len(data) == 12 + len(batch.source.encode()) + ROW_BYTES * len(batch)


@given(batches())
def test_the_form_is_the_same_on_every_machine(batch: SampleBatch) -> None:
    other = SampleBatch(
        batch.tags.astype(">i4"), batch.source_times.astype(">i8"), batch.values.astype(">f8"),
        batch.statuses.astype(">u4"), batch.source,
    )  # fmt: skip
    assert other.to_bytes() == batch.to_bytes()


@given(st.binary(max_size=200))
def test_garbage_is_refused_by_name(data: bytes) -> None:
    refused_or_same(data)


@given(batches(), st.data())
def test_a_damaged_batch_is_refused_or_is_another_batch_but_never_a_trace(
    batch: SampleBatch, data: st.DataObject
) -> None:
    whole = bytearray(batch.to_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    refused_or_same(bytes(whole))
    refused_or_same(bytes(whole[:at]))
    refused_or_same(bytes(whole) + b"\0")


def refused_or_same(data: bytes) -> None:
    try:
        batch = SampleBatch.from_bytes(data)
    except ValueError as why:
        assert "sample batch" in str(why)
    else:
        assert batch.to_bytes() == data


NO_TEXT = SampleBatch.at([1], NOON, [2.0], "p").to_bytes().replace(b"p", b"\xff")


@pytest.mark.parametrize("data", [b"", b"AHB1", b"XHB1" + bytes(8), b"AHB1" + b"\xff" * 8, NO_TEXT])
def test_short_foreign_boastful_and_unreadable_ones_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="sample batch"):
        SampleBatch.from_bytes(data)


@given(st.lists(batches(), min_size=1, max_size=4))
def test_joined_batches_hold_every_row_in_order(parts: list[SampleBatch]) -> None:
    whole = join(parts)
    assert len(whole) == sum(len(p) for p in parts)
    assert whole.values.tobytes() == b"".join(p.values.tobytes() for p in parts)
    assert SampleBatch.from_bytes(whole.to_bytes()).tags.tolist() == whole.tags.tolist()


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  made aware
def test_times_are_kept_to_the_microsecond(at: datetime) -> None:
    assert from_micros(micros(at)) == at
    assert micros(at + timedelta(microseconds=1)) == micros(at) + 1


def test_a_poll_is_one_time_and_one_status_and_a_lost_source_has_no_values() -> None:
    batch = SampleBatch.at([3, 4], NOON, [1.5, -2], "plc")
    assert [batch.sample(i) for i in range(2)] == [(NOON, 1.5, 0), (NOON, -2.0, 0)]
    lost = SampleBatch.lost([3, 4], NOON, "plc")
    assert all(math.isnan(v) for v in lost.values)
    sample = lost.take(np.array([1])).sample(0)
    assert (sample.value, sample.status, sample.status.is_bad) == (None, BAD_NO_COMMUNICATION, True)


def test_a_number_that_no_machine_can_mean_is_none_and_out_of_range() -> None:
    said = SampleBatch.at(range(1, 7), NOON, [1.0, 1e200, -math.inf, math.nan, -1e139, math.inf])
    said.statuses[5] = BAD_NO_COMMUNICATION
    told = summable(said)
    assert [v for v in told.values.tolist() if not math.isnan(v)] == [1.0, -1e139]
    assert told.statuses.tolist() == [0, BAD_OUT_OF_RANGE, BAD_OUT_OF_RANGE, 0, 0, BAD_NO_COMMUNICATION]
    assert told.statuses.dtype == np.uint32
    assert summable(said.take(np.array([0, 3]))).values.tolist()[0] == 1.0
