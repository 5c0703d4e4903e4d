"""Which times of a source are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from collectors.source_times import AHEAD, UNCERTAIN_LAST_USABLE, believed, judged
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
