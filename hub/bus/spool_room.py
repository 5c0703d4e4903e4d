"""What goes when a spool is full: first what says nothing new, with a note of the gap, then the oldest.

All methods block; they are for one thread at a time.
"""

from __future__ import annotations

import logging
import sqlite3
import struct
import zlib
from collections import Counter
from typing import Any

from hub import metrics
from hub.bus import gaps
from hub.bus.numbers import Epoch, Numbering
from hub.bus.spool_file import SpoolFile, body_of
from hub.bus.worth import Loss, Thinner, Worth
from hub.model.batch import SampleBatch
from hub.model.packing import packed

log = logging.getLogger(__name__)

THINNED = 64  # batches that are thinned in one transaction: a full disk has no room for more
NO_BATCH = (ValueError, IndexError, KeyError, struct.error, zlib.error)  # what spoiled bytes raise


class SpoolRoom:
    """The oldest batches are thinned: what nothing asks to be kept (`keep`) goes, and is noted as a gap of
    its source. Where that is not enough the oldest batches are forgotten, and counted."""

    def __init__(self, file: SpoolFile) -> None:
        self._file = file
        self._thinner, self._numbering = Thinner(Worth()), Numbering([Epoch(0, {})])
        self.dropped: Counter[str] = Counter()  # samples of each source, in this life

    def keep(self, worth: Worth, numbering: Numbering) -> None:
        """From now on. `worth` is told in today's numbers."""
        self._thinner, self._numbering = Thinner(worth), numbering

    def make(self, limit: int) -> None:
        """Until no more than `limit` bytes are left: by thinning first, from the oldest on."""
        before, forgotten = self.dropped.total(), self._file.forgotten
        while self._file.fill > limit and (some := self._to_thin(self._file.fill - limit)):
            self._thin(some)
        if dropped := self.dropped.total() - before:
            log.error(
                "the spool is full: %d of its oldest samples are dropped, and %d batches with nothing else; "
                "states, faults and lost devices are kept", dropped, self._file.forgotten - forgotten,
            )  # fmt: skip
        if self._file.fill > limit:
            self._forget_oldest(limit)

    def _to_thin(self, size: int) -> list[tuple[Any, ...]]:
        """The next ones, of about this size together."""
        out: list[tuple[Any, ...]] = []
        columns, after = "number, taken, crc, cast(body as blob)", max(self._file.gone, self._file.lean)
        for row in self._file.walk(columns, after):
            out.append(row)
            size -= len(row[3]) if row[3:] else 0
            if size <= 0 or len(out) == THINNED:
                break
        return out

    def _thin(self, rows: list[tuple[Any, ...]]) -> None:
        file = self._file
        upto, readable = rows[-1][0], [row for row in rows if row[1:]]
        thinned = [(row, *self._thinned(row[0], *row[2:])) for row in readable]
        went = [loss for _, _, losses in thinned for loss in losses]
        lean = [(number, taken, zlib.crc32(rest) if losses else crc, rest)
                for (number, taken, crc, _), rest, losses in thinned if rest]  # fmt: skip
        emptied = len(readable) - len(lean)
        try:
            with file.transaction():
                file.delete(max(file.gone, file.lean), upto)
                query = "insert into spool (number, taken, crc, body) values (?, ?, ?, ?)"
                file.db.executemany(query, lean)
                file.db.execute("update life set forgotten = forgotten + ?", (emptied,))
                gaps.note(file.db, went, upto)
        except sqlite3.DatabaseError as cause:
            file.leave(cause)
            file.lean = file.last  # what is spoiled is not thinned
            return
        file.lean = upto
        file.fill -= sum(len(row[3]) for row in readable) - sum(len(row[3]) for row in lean)
        file.forgotten += emptied
        self._count(went)

    def _thinned(self, number: int, crc: int, small: bytes) -> tuple[bytes, list[Loss]]:
        """What stays of a batch (nothing: b""), and what goes. One that the
        disk has changed is left to whoever reads it."""
        if zlib.crc32(small) != crc:
            return small, []
        try:
            batch = _batch(small)
        except NO_BATCH:
            return b"", []
        meant = self._numbering.of_now(number, batch)
        stays = self._thinner.stays(meant)
        if stays.all() and len(batch):
            return small, []
        losses = self._thinner.losses(meant.take(~stays))
        return (packed(batch.take(stays).to_bytes()) if stays.any() else b""), losses

    def _count(self, went: list[Loss]) -> None:
        for loss in went:
            self.dropped[loss.source] += loss.samples
            metrics.dropped(loss.source, loss.samples)

    def _forget_oldest(self, limit: int) -> None:
        """Until no more than `limit` bytes are left. The gap in the numbers tells whoever takes the rest."""
        file = self._file
        left, upto, batches = file.fill, 0, 0
        went: list[Loss] = []
        for number, *row in file.walk("number, cast(body as blob)", file.gone):
            if left <= limit:
                break
            left, upto, batches = left - sum(map(len, row)), number, batches + 1
            went += self._lost(number, *row)
        if not batches:
            return
        try:
            with file.transaction():
                file.delete(file.cleared, upto)
                file.db.execute("update life set forgotten = forgotten + ?", (batches,))
                gaps.note(file.db, went, max(upto, file.lean))
        except sqlite3.DatabaseError as cause:
            file.leave(cause)
        file.gone = file.cleared = upto
        file.fill, file.forgotten = max(left, 0), file.forgotten + batches
        self._count(went)
        log.error(
            "the spool is full: its %d oldest batches are forgotten (%d in all)", batches, file.forgotten
        )

    def _lost(self, number: int, *row: bytes) -> list[Loss]:
        try:
            lost = [self._numbering.of_now(number, _batch(small)) for small in row]
        except NO_BATCH:
            return []
        return [loss for batch in lost for loss in self._thinner.losses(batch)]


def _batch(small: bytes) -> SampleBatch:
    return SampleBatch.from_bytes(body_of(small))
