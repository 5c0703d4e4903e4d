"""The collector's disk: what was taken is there after every end, in order and whole, or said to be lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from hub.bus.spool import DiskRefuses, Spool
from hub.errors import ConfigError
from hub.model.batch import SampleBatch
from hub.model.packing import packed
from hub.settings import HubBlock
from hub.testing.clock import NOON

LIMIT = 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    made = Spool(folder, LIMIT)
    yield made
    made.close()


def bodies(spool: Spool, after: int = 0) -> list[bytes | None]:
    return [kept.body for kept in spool.read(after, 1 << 30)]


def fill(spool: Spool, count: int, size: int = 1) -> list[bytes]:
    given = [bytes([n % 256]) + os.urandom(size) for n in range(count)]
    for n, body in enumerate(given):
        spool.append(body, NOON + timedelta(seconds=n))
    return given


def test_what_went_in_comes_out_in_order_with_the_time_it_was_taken(spool: Spool) -> None:
    given = fill(spool, 5)
    assert bodies(spool) == given
    assert [kept.number for kept in spool.read(2)] == [3, 4, 5]
    assert [kept.taken for kept in spool.read(3)] == [NOON + timedelta(seconds=n) for n in (3, 4)]


def test_a_read_ends_near_the_size_asked_for_and_has_one_batch_at_least(spool: Spool) -> None:
    fill(spool, 5, 100)
    assert [kept.number for kept in spool.read(0, 1)] == [1]
    assert [kept.number for kept in spool.read(1, 150)] == [2, 3]


def test_the_life_after_has_what_is_left_and_goes_on_counting(folder: Path) -> None:
    first = Spool(folder, LIMIT)
    given = fill(first, 4)
    first.trim(3)
    first.close()
    then = Spool(folder, LIMIT)
    assert (bodies(then), then.origin) == (given[3:], first.origin)
    assert then.fill == first.fill > 0
    assert then.append(b"next", NOON) == 5
    then.close()


def test_a_life_that_begins_with_nothing_to_tell_is_another_sender(folder: Path) -> None:
    first = Spool(folder, LIMIT)
    fill(first, 2)
    first.trim(2)
    assert (first.fill, first.oldest) == (0, None)
    first.close()
    then = Spool(folder, LIMIT)
    assert then.origin != first.origin
    assert then.append(b"one", NOON) == 1
    then.close()


def _torn(folder: Path) -> tuple[Path, list[bytes]]:
    """The folder as a power cut leaves it: nobody closed anything, and the last write is half there."""
    living = Spool(folder, LIMIT)
    given = fill(living, 6, 3_000)
    after = folder.with_name("after")
    after.mkdir()
    for name in ("spool.db", "spool.db-wal"):
        (after / name).write_bytes((folder / name).read_bytes())
    living.close()
    return after, given


def test_a_power_cut_costs_nothing_that_was_taken(folder: Path) -> None:
    after, given = _torn(folder)
    then = Spool(after, LIMIT)
    assert bodies(then) == given
    then.close()


@pytest.mark.parametrize("cut", [1, 500, 4_200])
def test_a_torn_tail_is_cut_and_what_came_before_it_stands(folder: Path, cut: int) -> None:
    after, given = _torn(folder)
    tail = after / "spool.db-wal"
    tail.write_bytes(tail.read_bytes()[:-cut])
    then = Spool(after, LIMIT)
    assert bodies(then) == given[:5]
    assert then.append(b"next", NOON) == 6
    then.close()


def test_a_batch_that_the_disk_changed_is_left_out_and_counted(folder: Path) -> None:
    first = Spool(folder, LIMIT)
    given = fill(first, 3)
    first.close()
    with sqlite3.connect(folder / "spool.db") as db:
        db.execute("update spool set body = body || x'00' where number = 2")
    db.close()
    then = Spool(folder, LIMIT)
    assert bodies(then) == [given[0], None, given[2]]
    assert then.damaged == 1
    then.close()


def test_a_file_that_is_no_database_is_put_aside(folder: Path) -> None:
    folder.mkdir()
    (folder / "spool.db").write_bytes(b"no database " * 1000)
    then = Spool(folder, LIMIT)
    assert then.append(b"one", NOON) == 1
    assert then.damaged == 1
    assert len(list(folder.glob("spool.damaged-*"))) == 1
    then.close()


def test_a_full_spool_forgets_the_oldest_and_says_how_many(folder: Path) -> None:
    small = Spool(folder, 10_000)
    given = fill(small, 30, 1_000)
    left = bodies(small)
    assert 5 <= len(left) <= 10
    assert left == given[-len(left) :]
    assert (small.forgotten, small.first) == (30 - len(left), 31 - len(left))
    assert small.fill <= 10_000
    small.close()
    then = Spool(folder, 10_000)
    assert then.forgotten == small.forgotten  # the status page of the next life tells it, too
    then.close()


def test_a_full_disk_forgets_the_oldest(spool: Spool) -> None:
    given = fill(spool, 30, 10_000)
    pages = spool._db.execute("pragma page_count").fetchone()[0]
    spool._db.execute(f"pragma max_page_count = {pages + 1}")
    assert spool.append(given[0] * 3, NOON) == 31
    assert bodies(spool)[-1] == given[0] * 3
    assert spool.forgotten > 0


def test_a_disk_that_takes_nothing_at_all_is_said(spool: Spool) -> None:
    spool._db.execute("pragma query_only = on")
    with pytest.raises(DiskRefuses, match="spool"):
        spool.append(b"one", NOON)
    spool._db.execute("pragma query_only = off")
    assert spool.append(b"two", NOON) == 1


def test_a_day_of_two_thousand_tags_at_1_hz_fits_whatever_they_look_like() -> None:
    """Each told at its own time, in any order, with any value: nothing repeats, nothing gets smaller."""
    random, n = np.random.default_rng(1), 2_000
    times = np.int64(NOON.timestamp() * 1e6) + random.integers(0, 1_000_000, n)
    second = SampleBatch(
        random.permutation(n).astype(np.int32), times, random.random(n), np.zeros(n, np.uint32), "edge"
    )
    assert len(packed(second.to_bytes())) * 86_400 < HubBlock().spool_mb << 20


def test_two_processes_never_share_a_spool(spool: Spool, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"hub\.spool: .* another process"):
        Spool(folder, LIMIT)


def test_every_batch_is_on_the_disk_when_it_counts_as_taken(spool: Spool) -> None:
    """SQLite's own words: with FULL, the log is synced after each transaction."""
    assert spool._db.execute("pragma synchronous").fetchone()[0] == 2
    assert spool._db.execute("pragma journal_mode").fetchone()[0] == "wal"
