"""Samples as bytes for the database, and what is decided about them without one."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError
from hub.model.batch import SampleBatch, micros
from hub.store.copying import HEADER, TRAILER, from_copy, storable, to_copy
from hub.store.edition import Edition
from hub.store.migrate import Migration, missing, read_migrations
from hub.store.partitions import DAY, Partition, ahead_of, interval_for
from hub.store.positions import after
from hub.store.rollup import LEVELS, Window, windows_of
from hub.store.samples import bucket_width, fitting

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


# ------------------------------------------------------------------ COPY
def test_a_row_is_what_the_manual_says() -> None:
    row = SampleBatch.at([7], datetime(2000, 1, 1, tzinfo=UTC), [80.5], status=0x80310000)
    expected = struct.pack(">hiqiiidiq", 4, 8, 0, 4, 7, 8, 80.5, 8, 0x80310000)
    assert to_copy(row) == HEADER + expected + TRAILER


rows = st.lists(
    st.tuples(
        st.integers(1, 2**31 - 1),
        st.integers(0, 4_102_444_799_999_999),
        st.floats(allow_nan=True),
        st.integers(0, 2**32 - 1),
    ),
    max_size=30,
)


@given(rows)
def test_what_goes_out_comes_back(given_rows: list[tuple[int, int, float, int]]) -> None:
    tags, times, values, statuses = zip(*given_rows, strict=True) if given_rows else ((), (), (), ())
    batch = SampleBatch(
        np.array(tags, np.int32),
        np.array(times, np.int64),
        np.array(values, np.float64),
        np.array(statuses, np.uint32),
    )
    back = from_copy(to_copy(batch))
    assert back.tags.tolist() == batch.tags.tolist()
    assert back.source_times.tolist() == batch.source_times.tolist()
    assert np.array_equal(back.values, batch.values, equal_nan=True)
    assert back.statuses.tolist() == batch.statuses.tolist()


@pytest.mark.parametrize("payload", [b"", HEADER, HEADER + b"x" + TRAILER, b"x" * 19 + TRAILER])
def test_bytes_that_are_no_copy_of_samples_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="COPY"):
        from_copy(payload)


def test_a_clock_before_1970_or_after_2100_is_not_a_source_time() -> None:
    batch = SampleBatch(
        np.array([1, 2, 3, 4], np.int32),
        np.array([-1, 0, micros(NOON), micros(datetime(2100, 1, 1, tzinfo=UTC))], np.int64),
        np.zeros(4),
        np.zeros(4, np.uint32),
    )
    assert storable(batch).tolist() == [False, True, True, False]


# ------------------------------------------------------------------ positions
@pytest.mark.parametrize(
    ("position", "recorded", "expected"),
    [
        ("5-0", "", True),
        ("1700-10", "1700-9", True),
        ("1700-9", "1700-10", False),
        ("1700-9", "1700-9", False),
        ("999-0", "1000-0", False),
        ("b", "a", True),
        ("a", "a", False),
    ],
)
def test_positions_compare_as_the_bus_counts(position: str, recorded: str, expected: bool) -> None:
    assert after(position, recorded) is expected


# ------------------------------------------------------------------ trends
@pytest.mark.parametrize(
    ("width", "level", "bucket"),
    [
        (timedelta(seconds=6), "raw", timedelta(seconds=6)),
        (timedelta(seconds=59), "raw", timedelta(seconds=59)),
        (timedelta(seconds=60), "1m", MINUTE),
        (timedelta(seconds=144), "1m", 3 * MINUTE),
        (timedelta(minutes=90), "1h", 2 * HOUR),
        (timedelta(days=3.5), "1d", timedelta(days=4)),
    ],
)
def test_a_trend_is_read_from_the_coarsest_level_that_is_fine_enough(
    width: timedelta, level: str, bucket: timedelta
) -> None:
    assert fitting(width) == level
    assert bucket_width(width, level) == bucket


def test_a_trend_of_what_was_let_go_is_read_from_minutes() -> None:
    assert fitting(timedelta(seconds=1), {"raw"}) == "1m"
    assert fitting(timedelta(seconds=1), {"raw", "1m"}) == "1h"
    assert fitting(timedelta(minutes=10), {"raw", "1m"}) == "1h"
    assert fitting(timedelta(minutes=10), {"1m"}) == "raw", "of a class that is kept longer than minutes"
    assert fitting(timedelta(days=2), {"raw", "1m"}) == "1d"
    assert bucket_width(timedelta(seconds=1), "1m") == MINUTE


# ------------------------------------------------------------------ partitions
@pytest.mark.parametrize(("rate", "width"), [(0, DAY), (300, DAY), (2000, 6 * HOUR), (10_000, HOUR)])
def test_partitions_get_narrower_as_more_arrives(rate: float, width: timedelta) -> None:
    assert interval_for(rate) == width


def test_there_is_always_a_partition_for_now_and_one_for_next() -> None:
    made = ahead_of([], NOON, DAY)
    assert [(p.start.day, p.end.day) for p in made] == [(5, 6), (6, 7)]
    assert ahead_of(made, NOON, DAY) == []
    assert [p.name for p in ahead_of(made, at(24 * 60), DAY)] == ["samples_p2026010700"]


def test_a_new_width_begins_where_the_old_partitions_end() -> None:
    days = ahead_of([], NOON, DAY)
    assert ahead_of(days, at(34 * 60), HOUR) == []
    after_midnight = ahead_of(days, at(35.5 * 60), HOUR)
    assert after_midnight == [Partition("samples_p2026010700", days[-1].end, days[-1].end + HOUR)]
    back_to_days = ahead_of(after_midnight, after_midnight[-1].start, DAY)
    assert (back_to_days[0].start, back_to_days[0].end) == (after_midnight[-1].end, days[-1].end + DAY)


def test_partitions_of_a_clock_that_was_years_ahead_leave_room_for_the_present() -> None:
    ahead = ahead_of([], at(9 * 365 * 24 * 60), DAY)
    made = ahead_of(ahead, NOON, DAY)
    assert [(p.start.day, p.end.day) for p in made] == [(5, 6), (6, 7)]
    assert ahead_of([*ahead, *made], NOON, DAY) == []
    [gap] = ahead_of([Partition("a", at(0), at(60)), Partition("b", at(180), at(240))], at(90), 6 * HOUR)[:1]
    assert (gap.start, gap.end) == (at(60), at(180)), "up to what is there already"
    assert ahead_of([Partition("a", at(0), at(60))], at(30), HOUR)[0].start == at(60), "not what is over"


def test_a_partition_is_named_in_utc_and_never_as_one_that_is_there() -> None:
    west = timezone(timedelta(hours=-6))
    here = [Partition("samples_p2026010600", at(-12 * 60).astimezone(west), at(12 * 60).astimezone(west))]
    made = ahead_of(here, NOON.astimezone(west), DAY)
    assert [p.name for p in made] == ["samples_p2026010600_"], "the server's zone had given it that name"
    assert made[0].start.utcoffset() == timedelta()


# ------------------------------------------------------------------ what is rolled again
MINUTES, HOURS, _ = LEVELS


def test_only_whole_closed_buckets_are_rolled() -> None:
    fresh = Window(at(0.5), at(10))
    assert windows_of(MINUTES, fresh, [], None, at(10)) == [Window(at(0), at(10))]
    assert windows_of(HOURS, Window(at(0), at(0)), [], None, at(0)) == []


def test_late_data_never_opens_the_open_bucket() -> None:
    dirty = [Window(at(9.5), at(10.5))]
    assert windows_of(MINUTES, None, dirty, None, at(10)) == [Window(at(9), at(10))]


def test_what_was_let_go_is_never_rolled_again() -> None:
    dirty = [Window(at(-300), at(-200)), Window(at(-61), at(-58))]
    horizon = at(-60)
    assert windows_of(MINUTES, None, dirty, horizon, at(0)) == [Window(at(-60), at(-58))]
    assert windows_of(HOURS, None, [Window(at(-90), at(5))], at(-70), at(0)) == [Window(at(-60), at(0))]


def test_windows_that_touch_are_rolled_once_and_long_ones_in_steps() -> None:
    dirty = [Window(at(1), at(2)), Window(at(2), at(3)), Window(at(1.5), at(2.5))]
    assert windows_of(MINUTES, None, dirty, None, at(10)) == [Window(at(1), at(3))]
    steps = windows_of(MINUTES, Window(at(0), at(150)), [], None, at(150))
    assert [(w.end - w.start) for w in steps] == [HOUR, HOUR, 30 * MINUTE]


# ------------------------------------------------------------------ migrations
def migration(name: str, text: str = "select 1", *editions: Edition) -> Migration:
    return Migration(name, frozenset(editions or Edition), text)


def test_what_is_missing_depends_on_the_edition() -> None:
    known = [migration("0001_a"), migration("0002_b.plain", "select 2", Edition.PLAIN)]
    assert missing(known, {}, Edition.APACHE) == known[:1]
    assert missing(known, {"0001_a": known[0].checksum}, Edition.PLAIN) == known[1:]


def test_a_changed_migration_and_a_newer_database_are_refused() -> None:
    known = [migration("0001_a", "select 2")]
    with pytest.raises(ConfigError, match="0001_a was changed"):
        missing(known, {"0001_a": migration("0001_a").checksum}, Edition.PLAIN)
    with pytest.raises(ConfigError, match="0002_b, which this release does not know"):
        missing(known, {"0001_a": known[0].checksum, "0002_b": "x"}, Edition.PLAIN)


def test_every_edition_gets_samples_and_roll_ups_once() -> None:
    for edition in Edition:
        names = [m.name.partition(".")[0] for m in missing(read_migrations(), {}, edition)]
        assert names == ["0001_record", "0002_samples", "0003_rollup_state", "0004_rollups", *names[4:]]
        assert len(set(names)) == len(names)
