"""A collector's samples on its own disk, in order, until the record is known to have them.

SQLite keeps them (write-ahead log, synchronous=FULL): `append` returns when the disk has the batch, and what
a power cut tore off at the end is cut by SQLite's own checksums when the file is opened. A checksum of ours
stands with each batch, because a disk may change what it was given long ago.

All methods block; they are for one thread at a time.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from hub.errors import ConfigError
from hub.model.batch import from_micros, micros
from hub.model.packing import packed, unpacked

log = logging.getLogger(__name__)

RESERVE = 1_048_576  # bytes put by: on a disk that has become full even forgetting needs room to write
PAGE_BYTES, PAGE_ROUND = 16_384, 128  # of the file; pages of the log after which it is worked in
_DEFLATED = b"\x78"  # how a batch began that was kept by an earlier release


class Kept(NamedTuple):
    """One batch of the spool; `body` is None where the disk has changed it."""

    number: int
    taken: datetime
    body: bytes | None


class DiskRefuses(OSError):
    """The spool's disk does not take a batch, and forgetting older ones did not help."""


class Spool:
    """`limit` bounds the bytes of batches (compressed); beyond it the oldest are forgotten, and counted.

    `origin` and the numbers, which go on where they ended in the life before, make a batch one that whoever
    takes it knows again. Raises ConfigError when another process has this folder or it cannot be written.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self.limit, self._bound = folder, limit, limit
        self._file = folder / "spool.db"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigError(
                f"hub.spool: {folder} belongs to another process that runs; give each its own"
            ) from None
        except OSError as cause:
            raise ConfigError(
                f"hub.spool: {folder}: {cause.strerror}; name a folder that can be written"
            ) from None
        self.dropped_batches = self.damaged = 0
        try:
            self._open()
        except sqlite3.DatabaseError as cause:
            self._put_aside(cause)
            self._open()

    def _open(self) -> None:
        self._db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        try:
            for pragma in (
                f"page_size={PAGE_BYTES}",
                "journal_mode=wal",
                "synchronous=full",
                f"wal_autocheckpoint={PAGE_ROUND}",
                "secure_delete=off",
            ):
                self._db.execute(f"pragma {pragma}")
            self._db.executescript(TABLES)
            self._begin_again_if_empty()
            self.origin, self.forgotten = self._db.execute("select origin, forgotten from life").fetchone()
            self.fill = int(self._one("select coalesce(sum(length(body)), 0) from spool"))
            self.last = int(self._one("select coalesce(max(seq), 0) from sqlite_sequence"))
        except sqlite3.Error:
            self._db.close()
            raise
        self._put_by()

    def _begin_again_if_empty(self) -> None:
        """Nothing is left to tell: another sender, counting from one."""
        if self._one("select count(*) from (select 1 from spool limit 1)"):
            return
        with self._transaction():
            self._db.execute("delete from sqlite_sequence")
            self._db.execute("delete from life")
            self._db.execute("insert into life values (1, ?, 0)", (uuid4().hex,))

    def _put_aside(self, cause: sqlite3.Error) -> None:
        """Unreadable as a whole: kept for whoever can mend it, and a new one is begun."""
        self.damaged += 1
        aside = self._folder / f"spool.damaged-{uuid4().hex[:8]}.db"
        log.error("the spool %s cannot be read (%s): put aside as %s", self._file, cause, aside.name)
        self._file.replace(aside)
        for tail in ("-wal", "-shm"):
            self._file.with_name(self._file.name + tail).unlink(missing_ok=True)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    # ---------------------------------------------------------------- in
    def append(self, body: bytes, taken: datetime) -> int:
        """The batch's number, once the disk has it. Raises DiskRefuses."""
        small = packed(body)
        row = (micros(taken), zlib.crc32(small), small)
        try:
            return self._append(row)
        except sqlite3.Error as full:
            log.warning("the spool's disk refuses a batch (%s): older ones are forgotten", full)
        try:
            self._reserve.unlink(missing_ok=True)
            self._work_in()
            self._bound = self.fill * 7 // 8  # more than this the disk has no room for, until all is told
            return self._append(row)
        except (sqlite3.Error, OSError) as cause:
            raise DiskRefuses(f"spool: {cause}") from None

    def _work_in(self) -> None:
        """The write-ahead log into the file: its room is free again."""
        self._db.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _append(self, row: tuple[int, int, bytes]) -> int:
        size = len(row[2])
        if self.fill + size > self._bound:
            self._forget_oldest(max(self._bound - size - self._bound // 16, 0))
        with self._transaction():
            number = self._db.execute("insert into spool (taken, crc, body) values (?, ?, ?)", row).lastrowid
        assert number is not None
        self.last = number
        self.fill += size
        return number

    def _forget_oldest(self, limit: int) -> None:
        """Until no more than `limit` bytes are left. The gap in the numbers tells whoever takes the rest."""
        left, upto, batches = self.fill, 0, 0
        for number, size in self._db.execute("select number, length(body) from spool order by number"):
            if left <= limit:
                break
            left, upto, batches = left - size, number, batches + 1
        if not batches:
            return
        with self._transaction():
            self._db.execute("delete from spool where number <= ?", (upto,))
            self._db.execute("update life set forgotten = forgotten + ?", (batches,))
        self.fill, self.forgotten = left, self.forgotten + batches
        log.error(
            "the spool is full: its %d oldest batches are forgotten (%d in all)", batches, self.forgotten
        )

    # ---------------------------------------------------------------- out
    def read(self, after: int, size: int = 1_048_576) -> list[Kept]:
        """The next batches, oldest first: one at least where there is one, and about `size` bytes."""
        out: list[Kept] = []
        query = "select number, taken, crc, cast(body as blob) from spool where number > ? order by number"
        for number, taken, crc, small in self._db.execute(query, (after,)):
            out.append(Kept(number, from_micros(taken), self._whole(number, crc, small)))
            size -= len(out[-1].body or b"")
            if size <= 0:
                break
        return out

    def _whole(self, number: int, crc: int, small: bytes) -> bytes | None:
        if zlib.crc32(small) == crc:
            return zlib.decompress(small) if small.startswith(_DEFLATED) else unpacked(small)
        self.damaged += 1
        log.error("batch %d of the spool was changed by the disk: it is left out", number)
        return None

    def trim(self, upto: int) -> None:
        """These are on record. The disk is not waited for: what a power cut brings back is left out by its
        number."""
        gone = "from spool where number <= ?"
        size = int(self._one(f"select coalesce(sum(length(body)), 0) {gone}", upto))
        if size:
            with self._unhurried(), self._transaction():
                self._db.execute(f"delete {gone}", (upto,))
            self.fill -= size
            if not self.fill and self._bound < self.limit:
                self._bound = self.limit
                self._put_by()

    @property
    def oldest(self) -> datetime | None:
        row = self._db.execute("select taken from spool order by number limit 1").fetchone()
        return from_micros(row[0]) if row else None

    @property
    def first(self) -> int:
        """The oldest number that is kept, or the one that comes next."""
        row = self._db.execute("select min(number) from spool").fetchone()
        return int(row[0]) if row[0] is not None else self.last + 1

    # ---------------------------------------------------------------- SQLite
    def _one(self, query: str, *values: int) -> int:
        return int(self._db.execute(query, values).fetchone()[0])

    @contextmanager
    def _unhurried(self) -> Iterator[None]:
        self._db.execute("pragma synchronous=normal")
        try:
            yield
        finally:
            self._db.execute("pragma synchronous=full")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # a full disk may have ended it already
                self._db.execute("rollback")
            raise

    @property
    def _reserve(self) -> Path:
        return self._folder / "reserve"

    def _put_by(self) -> None:
        if self._reserve.exists():
            return
        with suppress(OSError):  # as soon as there is room again
            self._reserve.write_bytes(bytes(RESERVE))


TABLES = """
create table if not exists spool (
    number integer primary key autoincrement, taken integer not null, crc integer not null, body blob not null
);
create table if not exists life (
    one integer primary key check (one = 1), origin text not null, forgotten integer not null
);
"""
