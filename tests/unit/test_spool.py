"""The collector's disk: what was taken is there after every end, in order and whole, or said to be lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hub.bus.spool import UNSAID, DiskRefuses, Spool
from hub.bus.spool_file import PAGE_BYTES
from hub.errors import ConfigError
from hub.model.batch import SampleBatch
from hub.model.packing import packed
from hub.outline import HubBlock
from hub.testing.clock import NOON

LIMIT = 1_000_000
CONNECT = sqlite3.connect
NO_TEXT = "bytes that are no text, and are said to be one"


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
    assert (bodies(then), then.sender_of(4)) == (given[3:], first.origin)
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


@pytest.mark.parametrize("what", [1 << 61, -(1 << 62), 1.5, "x", b"\xff", NO_TEXT, None])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_a_time_that_the_disk_changed_costs_no_batch(folder: Path, which: int, what: object) -> None:
    """Its bytes have a checksum of their own; when it was taken is known no more, so it is old."""
    spool = Spool(folder, LIMIT)
    given = fill(spool, 3)
    taken = [NOON + timedelta(seconds=n) for n in range(3)]
    taken[which - 1] = UNSAID
    _change_taken(spool, which, what)
    for _ in range(2):
        assert bodies(spool) == given
        assert [kept.taken for kept in spool.read(0)] == taken
        assert spool.oldest == NOON + timedelta(seconds=which == 1)
        assert spool.newest == (None if which == 3 else NOON + timedelta(seconds=2))
        spool.close()
        spool = Spool(folder, LIMIT)
    spool.close()


def _change_taken(spool: Spool, number: int, to: object) -> None:
    db = spool._file.db
    db.execute("pragma writable_schema=on")
    db.execute("update sqlite_master set sql = replace(sql, 'taken integer not null', 'taken')")
    db.execute("pragma writable_schema=reset")
    value = "cast(x'ff' as text)" if to is NO_TEXT else "?"
    db.execute(
        f"update spool set taken = {value} where number = ?", (number,) if to is NO_TEXT else (to, number)
    )


def test_a_file_that_is_no_database_is_put_aside(folder: Path) -> None:
    folder.mkdir()
    (folder / "spool.db").write_bytes(b"no database " * 1000)
    then = Spool(folder, LIMIT)
    assert then.append(b"one", NOON) == 1
    assert then.damaged == 1
    assert len(list(folder.glob("spool.damaged-*"))) == 1
    then.close()


def test_a_file_put_aside_keeps_its_log_beside_it(folder: Path) -> None:
    folder.mkdir()
    (folder / "spool.db").write_bytes(b"no database " * 1000)
    (folder / "spool.db-wal").write_bytes(b"its log")
    Spool(folder, LIMIT).close()
    aside = next(folder.glob("spool.damaged-*.db"))
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"its log"


def _spoil(folder: Path, body: bytes) -> None:
    """The page with this batch."""
    with (folder / "spool.db").open("r+b") as file:
        at = file.read().rindex(packed(body)[:64])  # before it, what a split has left behind
        file.seek(at - at % PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)


@pytest.fixture
def spoiled(spool: Spool, folder: Path) -> tuple[Spool, list[bytes]]:
    """While it runs: a page in the middle, and nothing in memory."""
    given = fill(spool, 30, 3_000)
    spool._file.work_in()
    spool._file.db.execute("pragma shrink_memory")
    _spoil(folder, given[15])
    return spool, given


def test_a_spoiled_page_is_stepped_over(spoiled: tuple[Spool, list[bytes]]) -> None:
    spool, given = spoiled
    kept = spool.read(0, 1 << 30)
    lost = [batch.number for batch in kept if batch.body is None]
    assert 16 in lost and 2 <= len(lost) <= 6
    assert [batch.number for batch in kept] == list(range(1, 31))
    assert [batch.body for batch in kept if batch.body] == [
        body for n, body in enumerate(given, 1) if n not in lost
    ]
    assert spool.damaged == len(lost)
    assert bodies(spool)  # the forwarder's next life; nothing is counted twice
    assert spool.damaged == len(lost)


def test_what_a_spoiled_page_keeps_is_forgotten_and_the_file_is_replaced_when_all_is_told(
    spoiled: tuple[Spool, list[bytes]], folder: Path
) -> None:
    spool, given = spoiled
    origin = spool.origin
    spool.trim(16)
    assert spool.oldest is not None and spool.first > 16
    assert bodies(spool)[-10:] == given[-10:]
    assert spool.append(b"next", NOON) == 31
    spool.trim(31)
    assert (spool.fill, bodies(spool)) == (0, [])
    assert len(list(folder.glob("spool.damaged-*.db"))) == 1
    assert (spool.append(b"then", NOON), spool.origin) == (32, origin)
    assert bodies(spool) == [b"then"]


@pytest.mark.parametrize("which", [0, 15, 29])
def test_a_start_saves_what_can_be_read_of_a_damaged_file(folder: Path, which: int) -> None:
    first = Spool(folder, LIMIT)
    given = fill(first, 30, 3_000)
    first.close()
    _spoil(folder, given[which])
    then = Spool(folder, LIMIT)
    numbers = [batch.number for batch in then.read(0, 1 << 30) if batch.body]
    assert 24 <= len(numbers) < 30 and which + 1 not in numbers
    assert [body for body in bodies(then) if body] == [given[number - 1] for number in numbers]
    assert (then.sender_of(1), then.damaged > 0) == (first.origin, True)
    assert then.append(b"next", NOON) == 31
    assert len(list(folder.glob("spool.damaged-*.db"))) == 1
    then.close()


def test_a_file_that_takes_no_batch_any_more_is_replaced_while_it_runs(spool: Spool, folder: Path) -> None:
    given = fill(spool, 30, 3_000)
    spool._file.work_in()
    spool._file.db.execute("pragma shrink_memory")
    _spoil(folder, given[29])
    assert spool.append(b"next", NOON) == 31
    assert [body for body in bodies(spool) if body][:20] == given[:20]
    assert bodies(spool)[-1] == b"next"


@pytest.mark.parametrize("told", [0, 30])
def test_a_sound_file_opens_without_a_write(folder: Path, monkeypatch: pytest.MonkeyPatch, told: int) -> None:
    first = Spool(folder, LIMIT)
    given = fill(first, 30, 1_000)
    first.trim(told)
    first.close()

    def full(*args: object, **named: object) -> sqlite3.Connection:
        db = CONNECT(*args, **named)  # type: ignore[call-overload]
        db.execute("pragma query_only = on")
        return db  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", full)
    then = Spool(folder, LIMIT)
    assert bodies(then) == given[told:]
    assert (then.sender_of(1), then.damaged) == (first.origin, 0)
    then.close()


def test_a_file_that_does_not_open_is_not_touched_and_the_folder_is_free_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Spool(folder, LIMIT)
    given = fill(first, 5)
    first.close()
    before = (folder / "spool.db").read_bytes()
    holder = sqlite3.connect(folder / "spool.db", isolation_level=None)
    holder.execute("pragma locking_mode = exclusive")
    holder.execute("select * from life").fetchall()
    monkeypatch.setattr(sqlite3, "connect", partial(CONNECT, timeout=0))
    with pytest.raises(ConfigError, match=r"hub\.spool: .* locked.* make room"):
        Spool(folder, LIMIT)
    holder.close()
    assert (folder / "spool.db").read_bytes() == before
    assert not list(folder.glob("spool.damaged-*"))
    then = Spool(folder, LIMIT)
    assert bodies(then) == given
    then.close()


def test_a_damaged_file_waits_for_room_to_be_saved_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Spool(folder, LIMIT)
    given = fill(first, 30, 3_000)
    first.close()
    _spoil(folder, given[15])

    def full(file: Path, *args: object, **named: object) -> sqlite3.Connection:
        db = CONNECT(file, *args, **named)  # type: ignore[call-overload]
        if "half" in file.name:
            db.execute(f"pragma page_size = {PAGE_BYTES}")
            db.execute("pragma max_page_count = 5")
        return db  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.raises(ConfigError, match=r"disk is full.* make room"):
        Spool(folder, LIMIT)
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "spool.db"]  # not even the reserve
    monkeypatch.undo()
    then = Spool(folder, LIMIT)
    assert then.read(0)[0].body == given[0]
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
    pages = spool._file.db.execute("pragma page_count").fetchone()[0]
    spool._file.db.execute(f"pragma max_page_count = {pages + 1}")
    assert spool.append(given[0] * 3, NOON) == 31
    assert bodies(spool)[-1] == given[0] * 3
    assert spool.forgotten > 0


def test_a_disk_that_takes_nothing_at_all_is_said(spool: Spool) -> None:
    spool._file.db.execute("pragma query_only = on")
    with pytest.raises(DiskRefuses, match="spool"):
        spool.append(b"one", NOON)
    spool._file.db.execute("pragma query_only = off")
    assert spool.append(b"two", NOON) == 1


def test_what_a_full_disk_cannot_forget_is_not_told_again_and_goes_with_the_next(spool: Spool) -> None:
    given = fill(spool, 5)
    spool._file.db.execute("pragma query_only = on")
    spool.trim(2)
    assert (bodies(spool), spool.first) == (given[2:], 3)
    spool._file.db.execute("pragma query_only = off")
    spool.trim(4)
    assert spool._file.db.execute("select number from spool").fetchall() == [(5,)]
    spool.trim(5)
    assert spool.fill == 0


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
    assert spool._file.db.execute("pragma synchronous").fetchone()[0] == 2
    assert spool._file.db.execute("pragma journal_mode").fetchone()[0] == "wal"
