"""The SQLite file of a spool: one process has it, what is damaged of it is stepped over or saved.

Write-ahead log, synchronous=FULL: a transaction that has ended is on the disk, and what a power cut tore off
at the end is cut by SQLite's own checksums when the file is opened.

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
from pathlib import Path
from typing import Any
from uuid import uuid4

from hub.bus import gaps, senders
from hub.bus.recent import Recently
from hub.bus.salvage import TABLES, Life, is_damage, salvage
from hub.errors import ConfigError
from hub.failpoint import failpoint
from hub.model.packing import unpacked

log = logging.getLogger(__name__)

RESERVE = 1_048_576  # bytes put by: on a disk that has become full even forgetting needs room to write
PAGE_BYTES, PAGE_ROUND = 16_384, 128  # of the file; pages of the log after which it is worked in
_DEFLATED = b"\x78"  # how a batch began that was kept by an earlier release


class SpoolFile:
    """Raises ConfigError when another process has this folder or it cannot be written, or when the file
    cannot be opened for another reason than damage: what it keeps is not touched then.

    Of a file with spoiled pages the rest is told, and the next start has it in a new file.
    """

    origin: str  # who sends these batches, the first of them at least
    senders: list[senders.Sender]  # whoever sends which of them
    last: int  # number given
    fill: int  # bytes of batches
    forgotten: int  # batches
    lean: int  # up to this number there is nothing left to thin
    recently: Recently

    def __init__(self, folder: Path) -> None:
        self._folder, self.path = folder, folder / "spool.db"
        self.damaged = 0
        self.gone = 0  # up to this number all is told or forgotten, also where it cannot be deleted
        self.cleared = 0  # up to here no deleting is tried any more
        self.unreadable: set[int] = set()
        self.spoiled: sqlite3.Error | None = None  # the file; it is replaced when that costs least
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
                log.warning("the spool %s does not open (%s): its reserve is given up", self.path, cause)
                self.give_up_reserve()
                self._open_or_salvage()
        except (sqlite3.Error, OSError) as cause:
            raise ConfigError(
                f"hub.spool: {self.path} does not open ({cause}); nothing in it is changed: make room on "
                "its disk, see that it can be written and that nobody else has it open, and start again"
            ) from None
        self.put_by()

    def _open_or_salvage(self) -> None:
        self._take_the_new_file()
        with suppress(OSError):  # SQLite deletes it when it closes, also beside a file it cannot read
            os.link(f"{self.path}-wal", self._log)
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
        self.db = self._connect()
        try:
            for pragma in (
                f"page_size={PAGE_BYTES}",
                "journal_mode=wal",
                "synchronous=full",
                f"wal_autocheckpoint={PAGE_ROUND}",
                "secure_delete=off",
            ):
                self.db.execute(f"pragma {pragma}")
            if self.one("select count(*) from sqlite_master where name in ('spool', 'life')") < 2:
                self.db.executescript(TABLES)
            life = self.db.execute("select origin, forgotten from life").fetchone()
            if again or not life:
                self._begin_again_if_empty(known=bool(life))
            self.origin, self.forgotten = self.db.execute("select origin, forgotten from life").fetchone()
            self.fill = int(self.one("select coalesce(sum(length(body)), 0) from spool"))
            self.last = int(self.one("select coalesce(max(seq), 0) from sqlite_sequence"))
            self.lean = gaps.gone_through(self.db)
            self.recently = Recently(self.db)
            self.senders = senders.begun(self.db, self.origin)
            if again and not self.fill:
                self.gone = self.last
            self._see_where_we_are(again)
        except sqlite3.Error:
            self.db.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            # One process has the file (`lock`): without a -shm beside it, for which a full disk has no room.
            db.execute("pragma locking_mode=exclusive")
            db.text_factory = lambda raw: str(raw, "utf-8", "replace")  # a disk may make text of anything
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _begin_again_if_empty(self, known: bool) -> None:
        """Nothing is left to tell: another sender, counting from one. On a full disk it is the same one."""
        if known and self.one("select count(*) from (select 1 from spool limit 1)"):
            return
        try:
            with self.transaction():
                self.db.execute("delete from sqlite_sequence where not exists (select 1 from spool)")
                self.db.execute("delete from life")
                senders.forget(self.db)
                self.db.execute("insert into life values (1, ?, 0)", (uuid4().hex,))
        except sqlite3.Error as refused:
            if not known or is_damage(refused):
                raise

    def _see_where_we_are(self, again: bool) -> None:
        """Each life that finds something goes on in a name of its own. A full disk leaves it as it is."""
        mark, known = senders.mark_of(self.path), senders.place(self.db)
        moved = known is not None and mark != known
        try:
            if mark != known:
                with self.transaction():
                    senders.note(self.db, mark)
            if again and self.fill and (moved or len(self.senders) <= senders.MANY):
                self.begin_again(self.last)
        except sqlite3.Error as refused:
            if is_damage(refused):
                raise
        if moved:
            log.warning("the spool %s was copied or moved from where it was", self.path)

    def begin_again(self, after: int) -> None:
        """Batches behind this number go in a name that nobody else has. Raises sqlite3.Error."""
        with self.transaction():
            senders.add(self.db, self.origin, after)
        self.senders = senders.begun(self.db, self.origin)

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
            count = salvage(old, new, life, self.gone)
        except sqlite3.Error:
            new.close()
            half.unlink(missing_ok=True)
            raise
        new.close()
        failpoint("spool.half_is_whole")
        half.replace(self._new_file)
        failpoint("spool.new_is_there")
        self.damaged += 1
        log.error("the spool %s is damaged (%s): %d batches of it are saved", self.path, cause, count)

    def _take_the_new_file(self) -> None:
        """It is complete: whatever ends this half way, the next start goes on with it. The old one is kept
        with what belongs to it for whoever can mend it."""
        if not self._new_file.exists():
            return
        aside = f"spool.damaged-{uuid4().hex[:8]}.db"
        wal = self.path.with_name(self.path.name + "-wal")
        for old, name in ((self._log, f"{aside}-wal"), (wal, f"{aside}-wal"), (self.path, aside)):
            with suppress(FileNotFoundError):
                old.replace(self._folder / name)
            failpoint("spool.put_aside")
        self.path.with_name(self.path.name + "-shm").unlink(missing_ok=True)
        failpoint("spool.all_aside")
        self._new_file.replace(self.path)
        failpoint("spool.new_is_taken")
        log.error("the damaged spool %s is put aside as %s", self.path, aside)

    def mend(self, cause: sqlite3.Error) -> None:
        """While it runs: the same sender, whose numbers go on. Raises the cause where it cannot be done."""
        if self._in_vain:
            raise cause
        self._in_vain = True
        self._salvage(self.db, cause, Life(self.origin, self.forgotten, self.last))
        self.db.close()
        self._take_the_new_file()
        self._open(again=False)
        self._in_vain, self.spoiled = False, None
        self.unreadable.clear()

    def work_in(self) -> None:
        """The write-ahead log into the file: its room is free again."""
        self.db.execute("pragma wal_checkpoint(truncate)").fetchall()

    def close(self) -> None:
        self.db.close()
        os.close(self._lock)

    # ---------------------------------------------------------------- row by row
    def walk(self, columns: str, after: int) -> Iterator[tuple[Any, ...]]:
        """The rows behind `after`, in order, number first; of one that cannot be read the number alone."""
        query = f"select {columns} from spool where number"  # noqa: S608  (columns are ours)
        after = max(after, self.gone)
        while after < self.last:
            if after + 1 in self.unreadable:
                after += 1
                yield (after,)
                continue
            try:
                for row in self.db.execute(f"{query} > ? order by number", (after,)):
                    after = row[0]
                    yield row
                return
            except sqlite3.DatabaseError as cause:
                self.leave(cause)
            after += 1
            try:
                row = self.db.execute(f"{query} = ?", (after,)).fetchone()
            except sqlite3.DatabaseError as cause:
                self.leave(cause)
                row = self._step_over(after, cause)
            if row:
                yield row

    def leave(self, cause: sqlite3.Error) -> None:
        """Damage is stepped over, and remembered; anything else may pass, and is raised."""
        if not is_damage(cause):
            raise cause
        self.spoiled = cause

    def _step_over(self, number: int, cause: sqlite3.Error) -> tuple[int]:
        if number - 1 not in self.unreadable:
            log.error(
                "the spool cannot be read from batch %d on (%s): what is lost is left out", number, cause
            )
        self.unreadable.add(number)
        self.damaged += 1
        return (number,)

    # ---------------------------------------------------------------- SQLite
    def one(self, query: str, *values: int) -> int:
        return int(self.db.execute(query, values).fetchone()[0])

    def delete(self, after: int, upto: int) -> None:
        """Within the caller's transaction."""
        self.db.execute("delete from spool where number > ? and number <= ?", (after, upto))

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        self.db.execute("pragma synchronous=normal")
        try:
            yield
        finally:
            self.db.execute("pragma synchronous=full")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.db.execute("begin immediate")
        try:
            yield
            self.db.execute("commit")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # a full disk may have ended it already
                self.db.execute("rollback")
            raise

    @property
    def _reserve(self) -> Path:
        return self._folder / "reserve"

    def give_up_reserve(self) -> None:
        self._reserve.unlink(missing_ok=True)

    def put_by(self) -> None:
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


def body_of(small: bytes) -> bytes:
    """A batch's bytes, out of what the file has of it. Raises what `hub.bus.spool_room.NO_BATCH` names."""
    return zlib.decompress(small) if small.startswith(_DEFLATED) else unpacked(small)
