"""A collector's samples on its own disk, in order, until the record is known to have them.

SQLite keeps them (write-ahead log, synchronous=FULL): `append` returns when the disk has the batch, and what
a power cut tore off at the end is cut by SQLite's own checksums when the file is opened. A checksum of ours
stands with each batch, because a disk may change what it was given long ago.

All methods block; they are for one thread at a time.
"""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from hub.bus import gaps
from hub.bus.numbers import Numbering
from hub.bus.recent import Told
from hub.bus.salvage import is_damage
from hub.bus.senders import Sender
from hub.bus.spool_file import SpoolFile, body_of
from hub.bus.spool_room import SpoolRoom
from hub.bus.worth import Worth
from hub.model.batch import from_micros, micros
from hub.model.gap import SampleGap
from hub.model.packing import packed
from hub.model.recent import Recent

log = logging.getLogger(__name__)

STEP = 1_024  # what a batch that cannot be read counts for, in bytes: others wait while it is stepped over
ROOM = 4_194_304  # bytes at most that are made free at once
UNSAID = from_micros(0)  # when a batch was taken, where the disk has changed that: long ago


class Kept(NamedTuple):
    """One batch of the spool; `body` is None where the disk has changed it (`taken` says nothing, then).
    Where only `taken` was changed it is UNSAID, or another time: the checksum stands for the body alone."""

    number: int
    taken: datetime
    body: bytes | None


class DiskRefuses(OSError):
    """The spool's disk does not take a batch, and forgetting older ones did not help."""


class Spool:
    """`limit` bounds the bytes of batches (compressed). Beyond it, and on a full disk, the oldest of them
    make room (`hub.bus.spool_room`).

    `origin` and the numbers, which go on where they ended in the life before, make a batch one that whoever
    takes it knows again. Raises ConfigError when the folder or the file in it cannot be had
    (`hub.bus.spool_file`).
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.limit, self._bound = limit, limit
        self._file = SpoolFile(folder)
        self._room = SpoolRoom(self._file)

    def keep(self, worth: Worth, numbering: Numbering) -> None:
        """From now on, when it is full. `worth` is told in today's numbers."""
        self._room.keep(worth, numbering)

    def close(self) -> None:
        self._file.close()

    # ---------------------------------------------------------------- in
    def append(self, body: bytes, taken: datetime, recent: Told = ()) -> int:
        """The batch's number, once the disk has it, and `recent` with it. Raises DiskRefuses."""
        small = packed(body)
        row = (micros(taken), zlib.crc32(small), small)
        try:
            return self._append(row, recent)
        except sqlite3.Error as full:
            if is_damage(full):
                return self._append_to_another(row, full, recent)
            log.warning("the spool's disk refuses a batch (%s): older ones are forgotten", full)
        try:
            self._file.give_up_reserve()
            self._file.work_in()
            self._bound = self._file.fill * 7 // 8  # the disk has no room for more, until all is told
            return self._append(row, recent)
        except (sqlite3.Error, OSError) as cause:
            raise DiskRefuses(f"spool: {cause}") from None

    def _append_to_another(self, row: tuple[int, int, bytes], damage: sqlite3.Error, recent: Told) -> int:
        try:
            self._file.mend(damage)
            return self._append(row, recent)
        except (sqlite3.Error, OSError) as cause:
            raise DiskRefuses(f"spool: {cause}") from None

    def _append(self, row: tuple[int, int, bytes], recent: Told) -> int:
        file, size = self._file, len(row[2])
        if file.fill + size > self._bound:
            self._room.make(max(self._bound - size - min(self._bound // 16, ROOM), 0))
        with file.transaction():
            query = "insert into spool (taken, crc, body) values (?, ?, ?)"
            number = file.db.execute(query, row).lastrowid
            if recent:
                file.recently.add(recent)
        assert number is not None
        if recent:
            file.recently.written()
        file.last = number
        file.fill += size
        return number

    # ---------------------------------------------------------------- out
    def recent(self, source: str) -> Recent:
        """What this source took lately, in this life and the one before."""
        try:
            return self._file.recently.of(source)
        except sqlite3.DatabaseError as cause:
            log.warning("the spool cannot say what %s took lately (%s): repeats may be stored", source, cause)
            return Recent()

    def gaps(self) -> list[SampleGap]:
        """What the record is still to be told of. Raises sqlite3.Error."""
        return gaps.noted(self._file.db)

    def told(self, of: Sequence[SampleGap]) -> None:
        """The record knows of these gaps. A disk that refuses has them told again: nobody minds."""
        try:
            with self._file.unhurried(), self._file.transaction():
                gaps.forget(self._file.db, of)
        except sqlite3.DatabaseError as cause:
            log.warning("the spool's disk refuses to forget a gap that was told (%s)", cause)

    def read(self, after: int, size: int = 1_048_576) -> list[Kept]:
        """The next batches, oldest first: one at least where there is one, and about `size` bytes."""
        out: list[Kept] = []
        for number, *row in self._file.walk("number, taken, crc, cast(body as blob)", after):
            if row:
                taken, crc, small = row
                out.append(Kept(number, _meant(taken) or UNSAID, self._whole(number, crc, small)))
                size -= len(out[-1].body or b"")
            else:
                out.append(Kept(number, UNSAID, None))
                size -= STEP
            if size <= 0:
                break
        last = self._file.last
        if not out and max(after, self._file.gone) < last:  # the newest are lost: nothing to wait for
            out.append(Kept(last, UNSAID, None))
        return out

    def _whole(self, number: int, crc: int, small: bytes | None) -> bytes | None:
        if small is not None and zlib.crc32(small) == crc:
            return body_of(small)
        self._file.damaged += 1
        log.error("batch %d of the spool was changed by the disk: it is left out", number)
        return None

    def trim(self, upto: int) -> None:
        """These are on record. The disk is not waited for: what a power cut brings back is left out by its
        number. So is what cannot be deleted, because its page is spoiled or because a full disk takes no
        deleting either: that must not keep the rest from being told."""
        file = self._file
        upto = min(upto, file.last)
        if upto <= file.gone:
            return
        try:
            query = "select coalesce(sum(length(body)), 0) from spool where number > ? and number <= ?"
            left = file.fill - file.one(query, file.gone, upto)
            if left < file.fill:
                with file.unhurried(), file.transaction():
                    file.delete(file.cleared, upto)
            file.cleared = upto
        except sqlite3.DatabaseError as cause:
            if is_damage(cause):
                file.leave(cause)
                file.cleared = upto
            else:
                log.warning("the spool's disk refuses to forget what is on record (%s): later, then", cause)
            left = sum(sum(size) for _, *size in file.walk("number, length(body)", upto))
        file.gone, file.fill = upto, max(left, 0)
        if not file.fill:
            self._all_is_told()

    def _all_is_told(self) -> None:
        if self._file.spoiled:
            try:
                self._file.mend(self._file.spoiled)
            except (sqlite3.Error, OSError) as cause:
                log.warning("the damaged spool %s stays in use: %s", self._file.path, cause)
        if self._bound < self.limit:
            self._bound = self.limit
            self._file.put_by()

    @property
    def oldest(self) -> datetime | None:
        """When the first of those that wait was taken, as far as the disk can say."""
        return next(
            (at for row in self._file.walk("number, taken", 0) for at in map(_meant, row[1:]) if at), None
        )

    @property
    def newest(self) -> datetime | None:
        """When the last of those that wait was taken."""
        row = next((r for r in self._file.walk("number, taken", self._file.last - 1)), ())
        return _meant(row[1]) if row[1:] else None

    @property
    def first(self) -> int:
        """The oldest number that is kept, or the one that comes next."""
        return next(
            (int(row[0]) for row in self._file.walk("number", 0) if row[0] not in self._file.unreadable),
            self._file.last + 1,
        )

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def origin(self) -> str:
        """Whoever sends the next batch."""
        return self._file.senders[-1].origin

    @property
    def senders(self) -> list[Sender]:
        """Of what waits and of what comes."""
        all_of_them = self._file.senders
        told = [i for i, sender in enumerate(all_of_them) if sender.after <= self._file.gone]
        return all_of_them[max(told, default=0) :]

    def sender_of(self, number: int) -> str:
        return next(s.origin for s in reversed(self._file.senders) if s.after < number)

    def begin_again(self, after: int) -> None:
        """Batches behind this number go in a name that nobody else has. Raises sqlite3.Error."""
        self._file.begin_again(after)

    @property
    def last(self) -> int:
        """The number given last."""
        return self._file.last

    @property
    def fill(self) -> int:
        """Bytes of batches that are kept."""
        return self._file.fill

    @property
    def forgotten(self) -> int:
        """Batches, in all lives of this sender."""
        return self._file.forgotten

    @property
    def damaged(self) -> int:
        return self._file.damaged

    @property
    def dropped(self) -> Counter[str]:
        """Samples of each source, in this life."""
        return self._room.dropped


def _meant(taken: object) -> datetime | None:
    """What the file has as the time of a batch, if it can be one."""
    try:
        return from_micros(taken) if isinstance(taken, int) else None
    except OverflowError:
        return None
