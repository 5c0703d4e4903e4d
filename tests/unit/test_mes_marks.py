"""Watermarks at the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collectors.mes_marks import as_mark, as_parameter, number

EAST, WEST = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
USUAL = datetime(2026, 1, 5, 9, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 as a driver gives it
FIRST = datetime(1, 1, 1)  # noqa: DTZ001


@pytest.mark.parametrize("zone", [EAST, WEST])
@pytest.mark.parametrize(
    "value",
    [
        LAST, LAST.replace(tzinfo=UTC), LAST.replace(tzinfo=timezone(timedelta(hours=-5))), "infinity",
        "10000-01-01 00:00:00+08", "20260-01-05",
    ],
)  # fmt: skip
def test_a_time_after_all_others_is_a_mark_that_can_be_asked_for(value: Any, zone: ZoneInfo) -> None:
    found = as_mark(value, zone)
    assert isinstance(found, datetime) and number(found) > number(USUAL)
    assert as_parameter(found, zone).year == 9999


@pytest.mark.parametrize("zone", [EAST, WEST])
@pytest.mark.parametrize("value", [FIRST, FIRST.replace(tzinfo=UTC), "-infinity", "0044-03-15 12:00:00 BC"])
def test_a_time_before_all_others_is_a_mark_that_can_be_asked_for(value: Any, zone: ZoneInfo) -> None:
    found = as_mark(value, zone)
    assert isinstance(found, datetime) and number(found) < number(USUAL)
    assert as_parameter(found, zone).year == 1


@pytest.mark.parametrize("value", ["20260105", "2026-01-05", "", None, True, b"\x00\x01"])
def test_what_is_no_time_and_no_whole_number_is_no_mark(value: Any) -> None:
    assert as_mark(value, EAST) is None


def test_a_time_without_a_zone_is_the_databases() -> None:
    assert as_mark(datetime(2026, 1, 5, 17), EAST) == USUAL  # noqa: DTZ001
