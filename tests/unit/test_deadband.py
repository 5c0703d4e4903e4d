"""What is news."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collectors.deadband import news
from hub.model.batch import SampleBatch
from hub.testing.clock import NOON

READING = st.tuples(st.sampled_from([1.0, 2.0, math.nan, math.inf]), st.sampled_from([0, 0x808B0000]))


def batch(*readings: tuple[float, int], first: int = 1) -> SampleBatch:
    values, statuses = zip(*readings, strict=True)
    made = SampleBatch.at(list(range(first, first + len(readings))), NOON, list(values), "m")
    return SampleBatch(made.tags, made.source_times, made.values, np.array(statuses, np.uint32), "m")


def told(said: SampleBatch) -> dict[int, Any]:
    rows = zip(said.tags.tolist(), said.values.tolist(), said.statuses.tolist(), strict=True)
    return {tag: (repr(value), status) for tag, value, status in rows}


@given(st.lists(st.tuples(READING, READING), min_size=1, max_size=20))
def test_who_knows_what_was_said_and_hears_the_news_knows_everything(pairs: Any) -> None:
    before, now = batch(*(a for a, _ in pairs)), batch(*(b for _, b in pairs))
    heard = told(news(before, now))
    assert told(before) | heard == told(now)
    assert all(told(before)[tag] != reading for tag, reading in heard.items())


def test_other_tags_are_news_whatever_they_say() -> None:
    assert len(news(batch((1.0, 0)), batch((1.0, 0), first=2))) == 1
    assert len(news(batch((1.0, 0)), batch((1.0, 0), (1.0, 0)))) == 2
