"""Derived tags and deadbands, whichever collector the samples come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.normaliser import Normaliser, normalised
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, UNCERTAIN, Tag
from hub.model.words import Words
from hub.testing.clock import NOON
from tests.simulators.devices import Heard

VOLTS, AMPERES, WATTS, HOT, COLD = 1, 2, 3, 4, 5
NAMES = Words("", "")
TAGS = {
    t.path: t
    for t in (
        Tag(HOT, "m/hot", NAMES, formula="watts > 100"),
        Tag(VOLTS, "m/volts", NAMES),
        Tag(AMPERES, "m/amperes", NAMES),
        Tag(WATTS, "m/watts", NAMES, formula="volts * amperes / if(volts == 13, 0, 1)"),
        Tag(COLD, "m/cold", NAMES, stale_after=timedelta(seconds=6), deadband=0.5),
    )
}
Row = tuple[int, float, float, int]  # tag, seconds after noon, value, status


def batch(*rows: Row) -> SampleBatch:
    start = micros(NOON)
    return SampleBatch(
        np.array([r[0] for r in rows], np.int32),
        np.array([start + round(r[1] * 1e6) for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float64),
        np.array([r[3] for r in rows], np.uint32),
        "press",
    )


def rows(told: SampleBatch) -> list[Row]:
    columns = (told.tags, (told.source_times - micros(NOON)) / 1e6, told.values, told.statuses)
    return [(int(t), float(at), float(v), int(s)) for t, at, v, s in zip(*columns, strict=True)]


def test_a_derived_tag_follows_its_inputs_across_batches() -> None:
    one = Normaliser(TAGS)
    first = batch((VOLTS, 0, 20, 0))
    assert one.told(first) is first  # nothing is said of what was never heard
    told = one.told(batch((AMPERES, 1, 4, 0)))
    assert rows(told) == [(AMPERES, 1, 4, 0), (WATTS, 1, 80, 0), (HOT, 1, 0, 0)]
    assert told.source == "press"
    assert rows(one.told(batch((VOLTS, 2, 30, 0))))[1:] == [(WATTS, 2, 120, 0), (HOT, 2, 1, 0)]


def test_every_reading_of_a_batch_is_derived_from_in_the_order_of_time() -> None:
    one = Normaliser(TAGS)
    one.told(batch((VOLTS, 0, 20, 0), (AMPERES, 0, 4, 0)))
    told = rows(one.told(batch((VOLTS, 3, 10, 0), (VOLTS, 1, 30, 0), (AMPERES, 2, 5, 0))))
    assert told[3:] == [
        (WATTS, 1, 120, 0), (HOT, 1, 1, 0), (WATTS, 2, 150, 0), (HOT, 2, 1, 0),
        (WATTS, 3, 50, 0), (HOT, 3, 0, 0),
    ]  # fmt: skip


def test_readings_of_one_time_give_one_derived_value() -> None:
    one = Normaliser(TAGS)
    told = rows(one.told(batch((VOLTS, 0, 20, 0), (AMPERES, 0, 4, 0), (VOLTS, 1, 30, 0), (AMPERES, 1, 5, 0))))
    assert [r for r in told if r[0] == WATTS] == [(WATTS, 0, 80, 0), (WATTS, 1, 150, 0)]
    behind = rows(one.told(batch((VOLTS, 2, 1, 0))))
    assert behind[1:] == [(WATTS, 2, 5, 0), (HOT, 2, 0, 0)]
    slow = rows(one.told(batch((AMPERES, 1.1, 6, 0), (AMPERES, 1.2, 7, 0))))
    assert slow[2:] == [(WATTS, 2, 7, 0), (HOT, 2, 0, 0)]


def test_what_comes_late_does_not_turn_a_derived_tag_back() -> None:
    one = Normaliser(TAGS)
    one.told(batch((VOLTS, 5, 20, 0), (AMPERES, 5, 4, 0)))
    late = batch((VOLTS, 4, 99, 0))
    assert one.told(late) is late


def test_one_time_of_a_clock_that_was_ahead_silences_nothing() -> None:
    one = Normaliser(TAGS)
    ahead = batch((VOLTS, 3600, 20, 0), (AMPERES, 3600, 4, 0), (COLD, 3600, 7, 0))
    assert [tag for tag, *_ in rows(one.told(ahead))] == [VOLTS, AMPERES, COLD, WATTS, HOT]
    told = rows(one.told(batch((VOLTS, 1, 30, 0), (COLD, 1, 7, 0))))
    assert told[1:] == [(COLD, 1, 7, 0), (WATTS, 1, 120, 0), (HOT, 1, 1, 0)]
    later = rows(one.told(batch((AMPERES, 2, 5, 0), (COLD, 2, 7, 0))))
    assert later[1:] == [(WATTS, 2, 150, 0), (HOT, 2, 1, 0)]  # remembered: steady again


def test_a_bad_input_makes_the_derived_tag_bad_with_its_status() -> None:
    one = Normaliser(TAGS)
    one.told(batch((VOLTS, 0, 20, 0), (AMPERES, 0, 4, UNCERTAIN)))
    lost = rows(one.told(batch((VOLTS, 1, np.nan, BAD_NO_COMMUNICATION))))
    assert [(tag, str(v), s) for tag, _, v, s in lost[1:]] == [
        (WATTS, "nan", BAD_NO_COMMUNICATION), (HOT, "nan", BAD_NO_COMMUNICATION),
    ]  # fmt: skip
    assert rows(one.told(batch((VOLTS, 2, 20, 0))))[1:] == [(WATTS, 2, 80, UNCERTAIN), (HOT, 2, 0, UNCERTAIN)]


def test_a_formula_without_a_result_is_out_of_range() -> None:
    told = rows(Normaliser(TAGS).told(batch((VOLTS, 0, 13, 0), (AMPERES, 0, 4, 0))))
    assert [(tag, str(v), s) for tag, _, v, s in told[2:]] == [
        (WATTS, "nan", BAD_OUT_OF_RANGE), (HOT, "nan", BAD_OUT_OF_RANGE),
    ]  # fmt: skip


def test_history_passes_as_it_is() -> None:
    late = replace(batch((VOLTS, 0, 1, 0), (COLD, 0, 1, 0)), historical=True)
    one = Normaliser(TAGS)
    one.told(batch((COLD, 1, 1, 0), (AMPERES, 0, 1, 0)))
    assert one.told(late) is late


def test_small_changes_are_measured_from_what_was_told() -> None:
    """A drift of many small steps is told in the end."""
    one = Normaliser(TAGS)
    told = [one.told(batch((COLD, n / 10, n * 0.2, 0))) for n in range(10)]
    assert [float(t.values[0]) for t in told if len(t)] == pytest.approx([0, 0.6, 1.2, 1.8])


def test_a_value_that_stands_still_is_told_before_it_counts_as_stale() -> None:
    one = Normaliser(TAGS)
    told = [n for n in range(20) if len(one.told(batch((COLD, n / 2, 7, 0))))]
    assert told == [0, 9, 18], "four fifths of 6 s, less the half second to the next reading"


def test_a_status_is_told_at_once_and_only_once() -> None:
    one = Normaliser(TAGS)
    said = [
        (0, 1.0, 0),
        (0.1, np.nan, BAD_NO_COMMUNICATION),
        (0.2, np.nan, BAD_NO_COMMUNICATION),
        (0.3, 1.0, 0),
    ]
    assert [len(one.told(batch((COLD, at, v, s)))) for at, v, s in said] == [1, 1, 0, 1]


def test_tags_without_a_deadband_are_told_always() -> None:
    one = Normaliser(TAGS)
    same = batch((AMPERES, 0, 1, 0), (COLD, 0, 1, 0))
    assert [len(one.told(same)) for _ in range(2)] == [2, 1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([COLD, 6]), st.integers(0, 8)), max_size=30), st.integers(1, 30))
def test_how_readings_are_packed_makes_no_difference(readings: list[tuple[int, int]], size: int) -> None:
    """One by one, or many of one tag in a batch."""
    both = TAGS | {"m/x": Tag(6, "m/x", NAMES, deadband=2, stale_after=timedelta(hours=1))}
    said = [(tag, n / 100, value / 4, 0) for n, (tag, value) in enumerate(readings)]
    single, packed = Normaliser(both), Normaliser(both)
    one = [row for r in said for row in rows(single.told(batch(r)))]
    many = [row for n in range(0, len(said), size) for row in rows(packed.told(batch(*said[n : n + size])))]
    assert one == many


def test_a_plant_without_either_pays_nothing() -> None:
    sink = Heard()
    assert normalised(sink, {"m/volts": TAGS["m/volts"]}) is sink


@pytest.mark.anyio
async def test_what_is_left_of_a_batch_goes_on_and_nothing_does_not() -> None:
    heard = Heard()
    sink = normalised(heard, TAGS)
    for at in (0, 0.1):
        await sink.put(batch((COLD, at, 1, 0)))
    await sink.put(batch((VOLTS, 0, 20, 0), (AMPERES, 0, 4, 0)))
    assert [len(b) for b in heard.batches] == [1, 4]
