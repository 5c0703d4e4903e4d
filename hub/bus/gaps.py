"""The gaps that a spool has to tell of, beside its batches: one a source, until the record knows it."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from uuid import uuid4

from hub.bus.worth import Loss
from hub.model.batch import from_micros
from hub.model.gap import SampleGap

# Made with the first gap: a spool that never was full is not written for it when it opens.
TABLE = """
create table if not exists gap (
    id text primary key, source text not null unique, first integer not null, last integer not null,
    samples integer not null, tags blob not null, upto integer not null
)
"""
COLUMNS = "id, source, first, last, samples, tags, upto"


def note(db: sqlite3.Connection, losses: Iterable[Loss], upto: int) -> None:
    """Within the caller's transaction. `upto`: number of the last batch that was gone through."""
    together: dict[str, Loss] = {}
    for loss in losses:
        together[loss.source] = together[loss.source] + loss if loss.source in together else loss
    if not together:
        return
    db.execute(TABLE)
    for loss in together.values():
        known = _of(db, loss.source)
        name, whole = (known[0], known[1] + loss) if known else (uuid4().hex, loss)
        db.execute(
            f"insert or replace into gap ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  (columns are ours)
            (name, whole.source, whole.first, whole.last, whole.samples, _blob(whole.tags), upto),
        )


def noted(db: sqlite3.Connection) -> list[SampleGap]:
    if not _is_there(db):
        return []
    rows = db.execute(f"select {COLUMNS} from gap order by first").fetchall()  # noqa: S608
    return [SampleGap(r[0], r[1], from_micros(r[2]), from_micros(r[3]), r[4], _tags(r[5])) for r in rows]


def forget(db: sqlite3.Connection, told: Sequence[SampleGap]) -> None:
    """Those that have grown since are told again, under the same id."""
    db.executemany("delete from gap where id = ? and samples = ?", [(g.id, g.samples) for g in told])


def gone_through(db: sqlite3.Connection) -> int:
    if not _is_there(db):
        return 0
    return int(db.execute("select coalesce(max(upto), 0) from gap").fetchone()[0])


def take_over(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Out of a damaged file, what can be read; raises sqlite3.Error where it cannot be."""
    if not _is_there(old):
        return
    new.execute(TABLE)
    for row in old.execute(f"select {COLUMNS} from gap"):  # noqa: S608
        new.execute(f"insert or ignore into gap ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608


def _is_there(db: sqlite3.Connection) -> bool:
    return db.execute("select 1 from sqlite_master where name = 'gap'").fetchone() is not None


def _of(db: sqlite3.Connection, source: str) -> tuple[str, Loss] | None:
    row = db.execute("select id, first, last, samples, tags from gap where source = ?", (source,)).fetchone()
    return (row[0], Loss(source, row[1], row[2], row[3], _tags(row[4]))) if row else None


def _blob(tags: frozenset[str]) -> bytes:
    return zlib.compress("\n".join(sorted(tags)).encode(), 1)


def _tags(blob: bytes) -> frozenset[str]:
    return frozenset(zlib.decompress(blob).decode().split("\n"))
