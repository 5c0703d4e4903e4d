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
from typing import Any, NamedTuple
from uuid import uuid4

from hub.bus.salvage import TABLES, Life, is_damage, salvage
from hub.errors import ConfigError
from hub.model.batch import from_micros, micros
from hub.model.packing import packed, unpacked

log = logging.getLogger(__name__)

RESERVE = 1_048_576  # bytes put by: on a disk that has become full even forgetting needs room to write
PAGE_BYTES, PAGE_ROUND = 16_384, 128  # of the file; pages of the log after which it is worked in
STEP = 1_024  # what a batch that cannot be read counts for, in bytes: others wait while it is stepped over
_DEFLATED = b"\x78"  # how a batch began that was kept by an earlier release


class Kept(NamedTuple):
    """One batch of the spool; `body` is None where the disk has changed it (`taken` says nothing, then)."""

    number: int
    taken: datetime
    body: bytes | None


class DiskRefuses(OSError):
    """The spool's disk does not take a batch, and forgetting older ones did not help."""


class Spool:
    """`limit` bounds the bytes of batches (compressed); beyond it the oldest are forgotten, and counted.

    `origin` and the numbers, which go on where they ended in the life before, make a batch one that whoever
    takes it knows again. Raises ConfigError when another process has this folder or it cannot be written, or
    when the file cannot be opened for another reason than damage: what it keeps is not touched then.

    Of a file with spoiled pages the rest is told, and the next start has it in a new file.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self.limit, self._bound = folder, limit, limit
        self._file = folder / "spool.db"
        self.dropped_batches = self.damaged = 0
        self._gone = 0  # up to this number all is told or forgotten, also where it cannot be deleted
        self._cleared = 0  # up to here no deleting is tried any more
        self._unreadable: set[int] = set()
        self._spoiled: sqlite3.Error | None = None  # the file; it is replaced when that costs least
        self._in_vain = False  # once, there was no room for another file
        self._lock = self._locked()
        try:
            self._start()
        except BaseException:
            os.close(self._lock)
            raise

    def _locked(self) -> int:
        lock = -1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            if lock >= 0:
                os.close(lock)
            if isinstance(cause, BlockingIOError):
                raise ConfigError(
                    f"hub.spool: {self._folder} belongs to another process that runs; give each its own"
                ) from None
            raise ConfigError(
                f"hub.spool: {self._folder}: {cause.strerror}; name a folder that can be written"
            ) from None
        return lock

    def _start(self) -> None:
        try:
            try:
                self._open_or_salvage()
            except (sqlite3.Error, OSError) as cause:
                log.warning("the spool %s does not open (%s): its reserve is given up", self._file, cause)
                self._reserve.unlink(missing_ok=True)
                self._open_or_salvage()
        except (sqlite3.Error, OSError) as cause:
            raise ConfigError(
                f"hub.spool: {self._file} does not open ({cause}); nothing in it is changed: make room on "
                "its disk, see that it can be written and that nobody else has it open, and start again"
            ) from None
        self._put_by()

    def _open_or_salvage(self) -> None:
        self._take_the_new_file()
        with suppress(OSError):  # SQLite deletes it when it closes, also beside a file it cannot read
            os.link(f"{self._file}-wal", self._log)
        try:
            self._open()
        except sqlite3.DatabaseError as cause:
            if not is_damage(cause):
                raise
            self._salvage_closed(cause)
            self._open()
        self._log.unlink(missing_ok=True)

    def _open(self, again: bool = True) -> None:
        """A sound file is not written: it opens on a full disk, too."""
        self._db = self._connect()
        try:
            for pragma in (
                f"page_size={PAGE_BYTES}",
                "journal_mode=wal",
                "synchronous=full",
                f"wal_autocheckpoint={PAGE_ROUND}",
                "secure_delete=off",
            ):
                self._db.execute(f"pragma {pragma}")
            if self._one("select count(*) from sqlite_master where name in ('spool', 'life')") < 2:
                self._db.executescript(TABLES)
            life = self._db.execute("select origin, forgotten from life").fetchone()
            if again or not life:
                self._begin_again_if_empty(known=bool(life))
            self.origin, self.forgotten = self._db.execute("select origin, forgotten from life").fetchone()
            self.fill = int(self._one("select coalesce(sum(length(body)), 0) from spool"))
            self.last = int(self._one("select coalesce(max(seq), 0) from sqlite_sequence"))
            if again and not self.fill:
                self._gone = self.last
        except sqlite3.Error:
            self._db.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        try:
            # One process has the file (`lock`): without a -shm beside it, for which a full disk has no room.
            db.execute("pragma locking_mode=exclusive")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _begin_again_if_empty(self, known: bool) -> None:
        """Nothing is left to tell: another sender, counting from one. On a full disk it is the same one."""
        if known and self._one("select count(*) from (select 1 from spool limit 1)"):
            return
        try:
            with self._transaction():
                self._db.execute("delete from sqlite_sequence where not exists (select 1 from spool)")
                self._db.execute("delete from life")
                self._db.execute("insert into life values (1, ?, 0)", (uuid4().hex,))
        except sqlite3.Error as refused:
            if not known or is_damage(refused):
                raise

    # ---------------------------------------------------------------- a damaged file
    def _salvage_closed(self, cause: sqlite3.Error) -> None:
        old = self._connect()
        try:
            self._salvage(old, cause, None)
        finally:
            old.close()
        self._take_the_new_file()

    def _salvage(self, old: sqlite3.Connection, cause: sqlite3.Error, life: Life | None) -> None:
        """Raises what the disk says when it has no room for both; the old file is as it was, then."""
        half = self._folder / "spool.half.db"
        half.unlink(missing_ok=True)
        new = sqlite3.connect(half, isolation_level=None)
        try:
            new.execute(f"pragma page_size={PAGE_BYTES}")
            count = salvage(old, new, life, self._gone)
        except sqlite3.Error:
            new.close()
            half.unlink(missing_ok=True)
            raise
        new.close()
        half.replace(self._new_file)
        self.damaged += 1
        log.error("the spool %s is damaged (%s): %d batches of it are saved", self._file, cause, count)

    def _take_the_new_file(self) -> None:
        """It is complete: whatever ends this half way, the next start goes on with it. The old one is kept
        with what belongs to it for whoever can mend it."""
        if not self._new_file.exists():
            return
        aside = f"spool.damaged-{uuid4().hex[:8]}.db"
        wal = self._file.with_name(self._file.name + "-wal")
        for old, name in ((self._log, f"{aside}-wal"), (wal, f"{aside}-wal"), (self._file, aside)):
            with suppress(FileNotFoundError):
                old.replace(self._folder / name)
        self._file.with_name(self._file.name + "-shm").unlink(missing_ok=True)
        self._new_file.replace(self._file)
        log.error("the damaged spool %s is put aside as %s", self._file, aside)

    def _mend(self, cause: sqlite3.Error) -> None:
        """While it runs: the same sender, whose numbers go on. Raises the cause where it cannot be done."""
        if self._in_vain:
            raise cause
        self._in_vain = True
        self._salvage(self._db, cause, Life(self.origin, self.forgotten, self.last))
        self._db.close()
        self._take_the_new_file()
        self._open(again=False)
        self._in_vain, self._spoiled = False, None
        self._unreadable.clear()

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
            if is_damage(full):
                return self._append_to_another(row, full)
            log.warning("the spool's disk refuses a batch (%s): older ones are forgotten", full)
        try:
            self._reserve.unlink(missing_ok=True)
            self._work_in()
            self._bound = self.fill * 7 // 8  # more than this the disk has no room for, until all is told
            return self._append(row)
        except (sqlite3.Error, OSError) as cause:
            raise DiskRefuses(f"spool: {cause}") from None

    def _append_to_another(self, row: tuple[int, int, bytes], damage: sqlite3.Error) -> int:
        try:
            self._mend(damage)
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
        for number, *size in self._walk("number, length(body)", self._gone):
            if left <= limit:
                break
            left, upto, batches = left - sum(size), number, batches + 1
        if not batches:
            return
        try:
            with self._transaction():
                self._db.execute("delete from spool where number > ? and number <= ?", (self._cleared, upto))
                self._db.execute("update life set forgotten = forgotten + ?", (batches,))
        except sqlite3.DatabaseError as cause:
            self._leave(cause)
        self._gone = self._cleared = upto
        self.fill, self.forgotten = max(left, 0), self.forgotten + batches
        log.error(
            "the spool is full: its %d oldest batches are forgotten (%d in all)", batches, self.forgotten
        )

    # ---------------------------------------------------------------- out
    def read(self, after: int, size: int = 1_048_576) -> list[Kept]:
        """The next batches, oldest first: one at least where there is one, and about `size` bytes."""
        out: list[Kept] = []
        for number, *row in self._walk("number, taken, crc, cast(body as blob)", after):
            if row:
                taken, crc, small = row
                out.append(Kept(number, from_micros(taken), self._whole(number, crc, small)))
                size -= len(out[-1].body or b"")
            else:
                out.append(Kept(number, from_micros(0), None))
                size -= STEP
            if size <= 0:
                break
        if not out and max(after, self._gone) < self.last:  # the newest are lost: nothing to wait for
            out.append(Kept(self.last, from_micros(0), None))
        return out

    def _walk(self, columns: str, after: int) -> Iterator[tuple[Any, ...]]:
        """The rows behind `after`, in order, number first; of one that cannot be read the number alone."""
        query = f"select {columns} from spool where number"  # noqa: S608  (columns are ours)
        after = max(after, self._gone)
        while after < self.last:
            if after + 1 in self._unreadable:
                after += 1
                yield (after,)
                continue
            try:
                for row in self._db.execute(f"{query} > ? order by number", (after,)):
                    after = row[0]
                    yield row
                return
            except sqlite3.DatabaseError as cause:
                self._leave(cause)
            after += 1
            try:
                row = self._db.execute(f"{query} = ?", (after,)).fetchone()
            except sqlite3.DatabaseError as cause:
                self._leave(cause)
                row = self._step_over(after, cause)
            if row:
                yield row

    def _leave(self, cause: sqlite3.Error) -> None:
        """Damage is stepped over, and remembered; anything else may pass, and is raised."""
        if not is_damage(cause):
            raise cause
        self._spoiled = cause

    def _step_over(self, number: int, cause: sqlite3.Error) -> tuple[int]:
        if number - 1 not in self._unreadable:
            log.error(
                "the spool cannot be read from batch %d on (%s): what is lost is left out", number, cause
            )
        self._unreadable.add(number)
        self.damaged += 1
        return (number,)

    def _whole(self, number: int, crc: int, small: bytes) -> bytes | None:
        if zlib.crc32(small) == crc:
            return zlib.decompress(small) if small.startswith(_DEFLATED) else unpacked(small)
        self.damaged += 1
        log.error("batch %d of the spool was changed by the disk: it is left out", number)
        return None

    def trim(self, upto: int) -> None:
        """These are on record. The disk is not waited for: what a power cut brings back is left out by its
        number. So is what cannot be deleted, because its page is spoiled or because a full disk takes no
        deleting either: that must not keep the rest from being told."""
        upto = min(upto, self.last)
        if upto <= self._gone:
            return
        try:
            query = "select coalesce(sum(length(body)), 0) from spool where number > ? and number <= ?"
            left = self.fill - self._one(query, self._gone, upto)
            if left < self.fill:
                with self._unhurried(), self._transaction():
                    self._db.execute(
                        "delete from spool where number > ? and number <= ?", (self._cleared, upto)
                    )
            self._cleared = upto
        except sqlite3.DatabaseError as cause:
            if is_damage(cause):
                self._leave(cause)
                self._cleared = upto
            else:
                log.warning("the spool's disk refuses to forget what is on record (%s): later, then", cause)
            left = sum(sum(size) for _, *size in self._walk("number, length(body)", upto))
        self._gone, self.fill = upto, max(left, 0)
        if not self.fill:
            self._all_is_told()

    def _all_is_told(self) -> None:
        if self._spoiled:
            try:
                self._mend(self._spoiled)
            except (sqlite3.Error, OSError) as cause:
                log.warning("the damaged spool %s stays in use: %s", self._file, cause)
        if self._bound < self.limit:
            self._bound = self.limit
            self._put_by()

    @property
    def oldest(self) -> datetime | None:
        return next((from_micros(row[1]) for row in self._walk("number, taken", 0) if row[1:]), None)

    @property
    def first(self) -> int:
        """The oldest number that is kept, or the one that comes next."""
        return next(
            (int(row[0]) for row in self._walk("number", 0) if row[0] not in self._unreadable), self.last + 1
        )

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
        try:
            self._reserve.write_bytes(bytes(RESERVE))
        except OSError:  # as soon as there is room again: half a reserve would pass for one
            with suppress(OSError):
                self._reserve.unlink(missing_ok=True)

    @property
    def _log(self) -> Path:
        return self._folder / "spool.log-kept"

    @property
    def _new_file(self) -> Path:
        return self._folder / "spool.new.db"
