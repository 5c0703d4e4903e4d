"""Times as people, sheets and old databases write them, and those that nobody can be sure of."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collectors.mes_moments import moment, why_not

ZONE = ZoneInfo("Asia/Shanghai")
MORNING = "2026-01-05T08:30:00+08:00"
AFTERNOON = "2026-01-05T15:05:00+08:00"
MIDNIGHT = "2026-01-05T00:00:00+08:00"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-05 08:30", MORNING), ("2026/1/5 8:30", MORNING), ("2026/01/05 08:30:00", MORNING),
        ("2026-1-5  8:30:00.000", MORNING), ("2026.1.5 8:30", MORNING), ("2026年1月5日 8:30", MORNING),
        ("2026年01月05日8时30分", MORNING), ("2026年1月5日 8时30分00秒", MORNING),
        ("05.01.2026 08:30", MORNING), ("05-JAN-2026 08:30:00", MORNING), ("Jan  5 2026  8:30AM", MORNING),
        ("5 Jan 2026", MIDNIGHT), ("January 5, 2026 3:05 PM", AFTERNOON), ("Mon, 05 Jan 2026 08:30", MORNING),
        ("5.1.2026 8:30:00", MORNING), ("2026/1/5", MIDNIGHT), ("2026年1月5日", MIDNIGHT),
        ("05.01.2026", MIDNIGHT), (20260105, MIDNIGHT), ("20260105", MIDNIGHT), ("20260105 0830", MORNING),
        (202601050830, MORNING), ("20260105083000", MORNING), ("20260105T083000", MORNING),
        ("2026-01-05T00:30:00Z", "2026-01-05T00:30:00+00:00"),
        ("2026/1/5 0:30Z", "2026-01-05T00:30:00+00:00"),
        ("2026-01-05T08:30:00.25+0800", "2026-01-05T08:30:00.250000+08:00"),
        ("2026/1/5 8:30 -03:30", "2026-01-05T08:30:00-03:30"),
        ("2026-01-04 24:00", MIDNIGHT), ("2026/1/4 24:00:00", MIDNIGHT), ("20260104240000", MIDNIGHT),
        ("2026-01-05 上午8:30", MORNING), ("2026/1/5 上午 8:30:00", MORNING),
        ("2026年1月5日上午8点30分", MORNING),
        ("2026/1/5 8:30 AM", MORNING), ("2026-01-05 08:30:00 am", MORNING), ("2026/1/5 AM 8:30", MORNING),
        ("2026-01-05 下午3:05", AFTERNOON), ("2026-01-05 3:05 PM", AFTERNOON),
        ("2026-01-05 下午15:05", AFTERNOON),
        ("2026-01-05 12:00 AM", MIDNIGHT), ("2026/1/5 上午12:00", MIDNIGHT),
        ("2026年1月5日 凌晨0点", MIDNIGHT),
        ("2026/1/5 下午12:00", "2026-01-05T12:00:00+08:00"),
        ("2026/1/5 晚上8点", "2026-01-05T20:00:00+08:00"),
        ("２０２６－０１－０５　０８：３０", MORNING), ("2026／1／5 8：30", MORNING),
        ("2026年1月5日8点30分", MORNING),
        ("2026-01-05 8点30", MORNING), ("2026-01-05 星期一", MIDNIGHT), ("2026/1/5 (周一) 8:30", MORNING),
        ("2026年1月5日星期一 8:30", MORNING), ("2026年1月5日（星期一）8:30", MORNING),
        ("2026-01-05 Mon 08:30", MORNING), ("Monday, 2026-01-05 08:30", MORNING),
        ("2026-01-04 星期日 24:00", MIDNIGHT), ("2026-01-04 星期天", "2026-01-04T00:00:00+08:00"),
        ("20260105083000123", "2026-01-05T08:30:00.123000+08:00"),
        ("2026-01-05 08:30:00,5", "2026-01-05T08:30:00.500000+08:00"),
        ("2026-01-05 08:30:00:123", "2026-01-05T08:30:00.123000+08:00"),
    ],
)  # fmt: skip
def test_a_time_that_can_mean_one_thing_is_understood(written: Any, meant: str) -> None:
    assert moment(written, ZONE) == meant


@pytest.mark.parametrize(
    "written",
    [
        "1/5/2026 8:30 AM", "5/1/2026", "05-01-2026", "26/1/5", "2026/13/1", "2026年2月30日", "12:30", "8:30",
        "2026-01-05 24:01", "2026-01-05 25:00", "2026-01-05 上午15:00", "2026-01-05 晚上12:00", "下午3:05",
        "2026-01-05 13:00 AM", "2026-01-05 0:30 PM", "2026-01-05 星期二", "2026-01-05 上午8:30 PM",
        "1767600000", 1767600000, 2026010508, 19700101, 46027.354, "46027", "", "soon", True, None,
        "31-Feb-2026", "5-Jan-26", "May 2026", "Tue Jan 5 2026", "12-05-Jan-2026",
    ],
)  # fmt: skip
def test_what_may_be_two_times_or_none_is_left_for_the_model_to_refuse(written: Any) -> None:
    assert moment(written, ZONE) == written


@pytest.mark.parametrize(
    ("days", "meant"),
    [
        (46027, MIDNIGHT), ("46027", MIDNIGHT), (46027.3541666667, MORNING), ("46027.3541666667", MORNING),
        (36525, 36525), (73051, 73051), (0.354, 0.354), ("nan", "nan"), (float("inf"), float("inf")),
    ],
)  # fmt: skip
def test_in_a_sheet_a_number_counts_days(days: Any, meant: Any) -> None:
    assert moment(days, ZONE, True) == meant


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("05/01/2026", "day or month first"), ("5-1-2026 8:30", "day or month first"),
        ("26/1/5", "year of two digits"), ("05.01.26 08:30", "year of two digits"),
        ("5-Jan-26 8:30", "year of two digits"), ("31-Feb-2026", "no day or time that there is"),
        ("8:30", "has no day"), ("下午3:05", "has no day"),
        ("2026-01-05 25:00", "no day or time that there is"), ("2026-01-05 星期二", "not on the weekday"),
        ("2026年2月30日", "no day or time that there is"),
    ],
)  # fmt: skip
def test_what_is_doubtful_about_a_time_is_said(written: str, why: str) -> None:
    words = why_not(written)
    assert words is not None and why in words.en and words.zh != words.en


@pytest.mark.parametrize("written", ["soon", "", 5, None, "2026"])
def test_of_what_is_no_time_at_all_the_model_says_so(written: Any) -> None:
    assert why_not(written) is None
