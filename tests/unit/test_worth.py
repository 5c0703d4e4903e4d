"""What a full spool keeps: every change that says something happened, whatever the batches look like."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hub.bus.worth import Thinner, Worth
from hub.model.batch import SampleBatch
from hub.model.sample import BAD_NO_COMMUNICATION

STATE, LIMITED, NUMBER = 1, 2, 3
WORTH = Worth(frozenset({STATE}), {LIMITED: (80.0, 75.0)}, {STATE: "plc", NUMBER: "plc"}, {1: "s", 3: "n"})

Row = tuple[int, float, int]
rows = st.lists(
    st.tuples(
        st.sampled_from([STATE, LIMITED, NUMBER, 9]),
        st.sampled_from([0.0, -0.0, 1.0, 74.0, 75.0, 80.0, 81.0, math.nan]),
        st.sampled_from([0, 0, 0, 0x40000000, BAD_NO_COMMUNICATION, 0x80000000]),
    ),
    max_size=30,
)


def batch(told: list[Row], begin: int = 0) -> SampleBatch:
    tags, values, statuses = ([r[i] for r in told] for i in range(3))
    times = np.arange(begin, begin + len(told)) * 1_000_000
    return SampleBatch(
        np.array(tags, np.int32), times, np.array(values, np.float64), np.array(statuses, np.uint32), "gate"
    )


def meaning(tag: int, value: float, status: int) -> object:
    """Slowly, in plain words."""
    if status >= 0x80000000 or math.isnan(value):
        return ("bad", status)
    if tag == STATE:
        return value
    if tag == LIMITED:
        return (value > 80, value >= 80, value > 75, value >= 75)
    return "ordinary"


@given(st.lists(rows, max_size=4))
def test_what_tells_something_new_stays_and_nothing_else(batches: list[list[Row]]) -> None:
    thinner, last = Thinner(WORTH), dict[int, object]()
    for told in batches:
        expected = []
        for tag, value, status in told:
            usual = "ordinary" if tag in (NUMBER, 9) else None
            now = meaning(tag, value, status)
            expected.append(now != last.get(tag, usual))
            last[tag] = now
        assert thinner.stays(batch(told)).tolist() == expected


def test_the_loss_of_a_device_and_its_return_stay_for_every_tag() -> None:
    told = [(NUMBER, 1.0, 0), (NUMBER, 2.0, 0), (NUMBER, math.nan, BAD_NO_COMMUNICATION), (NUMBER, 3.0, 0)]
    assert Thinner(WORTH).stays(batch(told)).tolist() == [False, False, True, True]


def test_what_goes_is_told_by_source_with_its_times_and_names() -> None:
    [gate, plc] = Thinner(WORTH).losses(batch([(NUMBER, 1.0, 0), (9, 1.0, 0), (STATE, 1.0, 0)], begin=10))
    assert (gate.source, gate.samples, gate.tags) == ("gate", 1, frozenset({"#9"}))
    assert (plc.source, plc.first, plc.last, plc.samples) == ("plc", 10_000_000, 12_000_000, 2)
    assert plc.tags == {"n", "s"}
