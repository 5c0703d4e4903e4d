"""Shifts in the plant's time, told as instants."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from hub.kpi.calendar import (
    WorkingTime,
    common,
    joined,
    latest_shift,
    length,
    local_day,
    local_hours,
    on_duty,
    planned_time,
    shift_at,
    shift_spans,
    without,
)
from hub.model.people import Break, Person, Role, Shift
from hub.model.words import Words

HOUR = timedelta(hours=1)
EARLY = Shift(Words("早班", "Early"), time(6), time(14), breaks=(Break(time(10), time(10, 30)),))
LATE = Shift(Words("中班", "Late"), time(14), time(22))
NIGHT = Shift(Words("夜班", "Night"), time(22), time(6), breaks=(Break(time(1), time(1, 30)),))


@dataclass(frozen=True)
class Calendar:
    time_zone: str = "Asia/Shanghai"
    shifts: tuple[Shift, ...] = (EARLY, LATE, NIGHT)
    people: dict[str, Person] = field(default_factory=dict)


def utc(day: int, hour: int, minute: int = 0, month: int = 1) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def local(zone: str, year: int, month: int, day: int, hour: int) -> datetime:
    return datetime(year, month, day, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def person(name: str) -> Person:
    return Person(name, Words(name, name), frozenset({Role.TECHNICIAN}), ("p1",))


def test_a_shift_is_told_in_utc() -> None:
    span = shift_at(Calendar(), utc(5, 0))  # 08:00 in Shanghai
    assert span is not None
    assert (span.shift, span.start, span.end) == (EARLY, utc(4, 22), utc(5, 6))
    assert span.breaks == ((utc(5, 2), utc(5, 2, 30)),)


def test_the_night_shift_runs_over_midnight_and_its_break_is_on_the_second_day() -> None:
    span = shift_at(Calendar(), utc(5, 17))  # 01:00 of 6 January in Shanghai
    assert span is not None
    assert (span.shift, span.start, span.end) == (NIGHT, utc(5, 14), utc(5, 22))
    assert span.breaks == ((utc(5, 17), utc(5, 17, 30)),)


def test_the_instant_of_change_belongs_to_the_shift_that_begins() -> None:
    before, after = (
        shift_at(Calendar(), utc(5, 6) - timedelta(microseconds=1)),
        shift_at(Calendar(), utc(5, 6)),
    )
    assert before is not None and before.shift is EARLY
    assert after is not None and after.shift is LATE


def test_three_shifts_cover_a_day_without_gap_or_overlap() -> None:
    spans = shift_spans(Calendar(), utc(5, 0), utc(8, 0))
    assert joined((s.start, s.end) for s in spans) == [(utc(5, 0), utc(8, 0))]
    assert sum((s.end - s.start for s in spans), timedelta()) == 72 * HOUR


def test_a_night_shift_is_an_hour_short_when_clocks_go_forward_and_long_when_they_go_back() -> None:
    berlin = Calendar("Europe/Berlin", (NIGHT,))
    spring = shift_at(berlin, local("Europe/Berlin", 2026, 3, 29, 4))
    autumn = shift_at(berlin, local("Europe/Berlin", 2026, 10, 25, 4))
    assert spring is not None and spring.end - spring.start == 7 * HOUR
    assert autumn is not None and autumn.end - autumn.start == 9 * HOUR


def test_shifts_that_meet_in_the_missing_hour_still_meet() -> None:
    first = Shift(Words("a", "a"), time(20), time(2, 30))
    second = Shift(Words("b", "b"), time(2, 30), time(8))
    spans = shift_spans(Calendar("Europe/Berlin", (first, second)), utc(28, 19, month=3), utc(29, 6, month=3))
    assert joined((s.start, s.end) for s in spans) == [(utc(28, 19, month=3), utc(29, 6, month=3))]


def test_days_are_those_on_which_the_shift_begins() -> None:
    friday_night = Shift(NIGHT.name, NIGHT.start, NIGHT.end, frozenset({4}))
    calendar = Calendar(shifts=(friday_night,))
    assert shift_at(calendar, local("Asia/Shanghai", 2026, 1, 10, 3)) is not None  # Saturday morning
    assert shift_at(calendar, local("Asia/Shanghai", 2026, 1, 9, 3)) is None


def test_where_shifts_overlap_the_later_begun_has_the_instant_and_the_outer_one_goes_on_after_it() -> None:
    outer, inner = Shift(Words("o", "o"), time(8), time(20)), Shift(Words("i", "i"), time(12), time(13))
    spans = shift_spans(Calendar("UTC", (outer, inner)), utc(5, 0), utc(6, 0))
    assert [(s.shift.name.en, s.start.hour, s.end.hour) for s in spans] == [
        ("o", 8, 12),
        ("i", 12, 13),
        ("o", 13, 20),
    ]


def test_breaks_are_not_planned_time() -> None:
    assert length(planned_time(Calendar(), utc(4, 22), utc(5, 6))) == timedelta(hours=7, minutes=30)


def test_a_plant_without_shifts_is_planned_round_the_clock() -> None:
    assert planned_time(Calendar(shifts=()), utc(5, 0), utc(6, 0)) == [(utc(5, 0), utc(6, 0))]


def test_between_shifts_the_latest_shift_is_the_last_one() -> None:
    calendar = Calendar("UTC", (EARLY,))
    assert shift_at(calendar, utc(5, 15)) is None
    span = latest_shift(calendar, utc(5, 15))
    assert span is not None and (span.start, span.end) == (utc(5, 6), utc(5, 14))


def test_the_most_specific_node_of_the_roster_is_on_duty() -> None:
    shift = Shift(
        EARLY.name,
        EARLY.start,
        EARLY.end,
        on_duty={"p1": "li", "p1/stamping/l1": "wang", "p1/stamping": "zhao"},
    )
    calendar = Calendar("UTC", (shift,), {n: person(n) for n in ("li", "wang", "zhao")})
    at = utc(5, 8)
    assert [
        found.id if (found := on_duty(calendar, path, at)) else None
        for path in ("p1/stamping/l1/press-01", "p1/stamping/l10", "p1/assembly", "p2")
    ] == ["wang", "zhao", "li", None]
    assert on_duty(calendar, "p1", utc(5, 20)) is None


def test_a_day_has_as_many_hours_as_the_zone_gives_it() -> None:
    start, end = local_day("Europe/Berlin", utc(29, 12, month=3))
    assert end - start == 23 * HOUR
    assert len(local_hours("Europe/Berlin", start, end)) == 23
    start, end = local_day("Europe/Berlin", utc(25, 12, month=10))
    assert len(local_hours("Europe/Berlin", start, end)) == 25


def test_hours_of_a_half_hour_zone_begin_on_its_own_clock() -> None:
    assert local_hours("Asia/Kolkata", utc(5, 0), utc(5, 1)) == [
        (utc(4, 23, 30), utc(5, 0, 30)),
        (utc(5, 0, 30), utc(5, 1, 30)),
    ]


def test_work_is_laid_around_breaks_and_nights() -> None:
    calendar = Calendar("UTC", (EARLY,))
    work = WorkingTime(calendar, utc(5, 0), utc(9, 0))
    assert work.between(utc(5, 9), utc(5, 11)) == timedelta(minutes=90)
    assert work.after(utc(5, 9), timedelta(minutes=90)) == utc(5, 11)
    assert work.after(utc(5, 13), 2 * HOUR) == utc(6, 7)
    assert work.after(utc(5, 3), timedelta()) == utc(5, 3)
    assert work.after(utc(5, 13), 100 * HOUR) is None


# ------------------------------------------------------------------ properties
ticks = st.integers(0, 60).map(lambda n: utc(5, 0) + n * timedelta(minutes=7))
intervals = st.lists(st.tuples(ticks, ticks), max_size=8)


def covers(pieces: list[tuple[datetime, datetime]], at: datetime) -> bool:
    return any(start <= at < end for start, end in pieces)


@given(intervals, intervals, ticks)
def test_interval_arithmetic_agrees_with_asking_each_instant(
    a: list[tuple[datetime, datetime]], b: list[tuple[datetime, datetime]], at: datetime
) -> None:
    assert covers(joined(a), at) == covers(a, at)
    assert covers(without(a, b), at) == (covers(a, at) and not covers(b, at))
    assert covers(common(a, b), at) == (covers(a, at) and covers(b, at))
    for pieces in (joined(a), without(a, b), common(a, b)):
        assert pieces == joined(pieces)  # sorted, disjoint, nothing empty


clock_times = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
shifts = st.lists(
    st.builds(
        Shift,
        st.just(Words("s", "s")),
        clock_times,
        clock_times,
        st.frozensets(st.integers(0, 6), min_size=1),
        st.lists(st.builds(Break, clock_times, clock_times), max_size=2).map(tuple),
    ),
    max_size=4,
).map(tuple)
zones = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
# over both changes of the clocks, two turns of the year and a 29th of February
moments = st.integers(0, 800 * 24 * 4).map(lambda n: utc(1, 0) + n * timedelta(minutes=15))


@given(shifts, zones, moments, st.integers(1, 80))
def test_any_calendar_gives_ordered_spans_that_never_overlap_and_hold_their_breaks(
    some: tuple[Shift, ...], zone: str, start: datetime, hours: int
) -> None:
    end = start + hours * HOUR
    spans = shift_spans(Calendar(zone, some), start, end)
    edges = [e for s in spans for e in (s.start, s.end)]
    assert edges == sorted(edges)
    assert all(start <= s.start < s.end <= end for s in spans)
    assert all(s.start <= b < e <= s.end for s in spans for b, e in s.breaks)


@given(shifts, zones, moments, st.integers(1, 80), st.integers(0, 80 * 60))
def test_an_interval_and_an_instant_agree_about_the_shift(
    some: tuple[Shift, ...], zone: str, start: datetime, hours: int, minutes: int
) -> None:
    calendar = Calendar(zone, some)
    at = start + timedelta(minutes=minutes % (hours * 60))
    inside = [s for s in shift_spans(calendar, start, start + hours * HOUR) if s.start <= at < s.end]
    whole = shift_at(calendar, at)
    assert [s.shift for s in inside] == ([whole.shift] if whole else [])


@given(shifts, zones, moments, st.integers(1, 60), st.integers(1, 60))
def test_shifts_and_planned_time_cut_anywhere_are_the_same_time(
    some: tuple[Shift, ...], zone: str, start: datetime, first: int, second: int
) -> None:
    """Half-open: an instant at a cut belongs to what comes after it, and to nothing else."""
    calendar = Calendar(zone, some)
    cut, end = start + first * HOUR, start + (first + second) * HOUR
    whole = shift_spans(calendar, start, end)
    halves = [*shift_spans(calendar, start, cut), *shift_spans(calendar, cut, end)]
    assert sum((s.end - s.start for s in halves), timedelta()) == sum(
        (s.end - s.start for s in whole), timedelta()
    )
    assert joined((s.start, s.end) for s in halves) == joined((s.start, s.end) for s in whole)
    planned = [*planned_time(calendar, start, cut), *planned_time(calendar, cut, end)]
    assert joined(planned) == joined(planned_time(calendar, start, end))
    assert length(planned) == length(planned_time(calendar, start, end))


@given(zones, moments, st.integers(1, 80))
def test_days_and_hours_follow_one_another_without_gap_or_overlap(
    zone: str, start: datetime, hours: int
) -> None:
    laid = local_hours(zone, start, start + hours * HOUR)
    assert laid[0][0] <= start and laid[-1][1] >= start + hours * HOUR
    assert all(a[1] == b[0] for a, b in pairwise(laid))
    day_start, day_end = local_day(zone, start)
    assert day_start <= start < day_end
    assert local_day(zone, day_end) == (day_end, local_day(zone, day_end)[1])
    assert local_day(zone, day_end - timedelta(microseconds=1)) == (day_start, day_end)


def test_the_night_of_new_year_is_one_shift_of_the_old_year() -> None:
    span = shift_at(Calendar(shifts=(NIGHT,)), local("Asia/Shanghai", 2027, 1, 1, 3))
    assert span is not None
    assert (span.start, span.end) == (
        local("Asia/Shanghai", 2026, 12, 31, 22), local("Asia/Shanghai", 2027, 1, 1, 6),
    )  # fmt: skip


def test_the_twenty_ninth_of_february_is_a_day_like_any_other() -> None:
    start, end = local_day("Asia/Shanghai", local("Asia/Shanghai", 2028, 2, 29, 12))
    assert (start, end) == (local("Asia/Shanghai", 2028, 2, 29, 0), local("Asia/Shanghai", 2028, 3, 1, 0))
    spans = shift_spans(Calendar(), start, end)
    assert joined((s.start, s.end) for s in spans) == [(start, end)]
