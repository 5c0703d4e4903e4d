"""What sources took lately, beside the batches of a spool: it stays when they are trimmed, and is bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from hub.model.recent import Recent

KEPT_BYTES, KEPT_ROWS = 245_760, 4_096  # of one source's readings
EVERY = 256  # rows of one source, and a quarter of KEPT_BYTES, between two clearings

# Made with the first row: where no source remembers anything the file has no such table.
TABLE = """
create table if not exists recent (
    number integer primary key, source text not null, readings blob not null, under_way blob not null,
    standing blob not null
)
"""
COLUMNS = "number, source, readings, under_way, standing"

Told = Iterable[tuple[str, Recent]]  # source -> what it took


class Recently:
    """Within the caller's transactions; counts what it adds, so that clearing is rare."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._there = _is_there(db)
        self._added: dict[str, tuple[int, int]] = {}  # rows and bytes since the last clearing

    def add(self, told: Told) -> None:
        if not self._there:
            self._db.execute(TABLE)
        for source, recent in told:
            query = "insert into recent (source, readings, under_way, standing) values (?, ?, ?, ?)"
            self._db.execute(query, (source, *recent))
            rows, size = self._added.get(source, (EVERY, 0))  # of the life before it is not known how many
            self._added[source] = rows + 1, size + len(recent.readings)
            if rows + 1 > EVERY or size > KEPT_BYTES // 4:
                self._clear(source)
                self._added[source] = 0, 0

    def _clear(self, source: str) -> None:
        query = "select number, length(readings) from recent where source = ? order by number desc"
        size = 0
        for rows, (number, length) in enumerate(self._db.execute(query, (source,)), 1):
            size += length
            if size >= KEPT_BYTES or rows >= KEPT_ROWS:
                self._db.execute("delete from recent where source = ? and number < ?", (source, number))
                return

    def written(self) -> None:
        """The transaction has ended well: the table is there."""
        self._there = True

    def of(self, source: str) -> Recent:
        """Raises sqlite3.Error."""
        if not self._there:
            return Recent()
        query = "select readings, under_way, standing from recent where source = ? order by number"
        rows = [Recent(*row) for row in self._db.execute(query, (source,))]
        standing = next((row.standing for row in reversed(rows) if row.standing), b"")
        return Recent(b"".join(row.readings for row in rows), rows[-1].under_way if rows else b"", standing)


def take_over(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Out of a damaged file, what can be read; raises sqlite3.Error where it cannot be."""
    if not _is_there(old):
        return
    new.execute(TABLE)
    with suppress(sqlite3.DatabaseError):
        for row in old.execute(f"select {COLUMNS} from recent"):  # noqa: S608  (columns are ours)
            new.execute(f"insert or ignore into recent ({COLUMNS}) values (?, ?, ?, ?, ?)", row)  # noqa: S608


def _is_there(db: sqlite3.Connection) -> bool:
    return db.execute("select 1 from sqlite_master where name = 'recent'").fetchone() is not None
