"""What can still be read of a spool's damaged file goes into a new one, row by row, under its numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from hub.bus import gaps, recent, senders
from hub.failpoint import failpoint

FAR = 100_000  # numbers without a readable batch: below them there is none

TABLES = """
create table if not exists spool (
    number integer primary key autoincrement, taken integer not null, crc integer not null, body blob not null
);
create table if not exists life (
    one integer primary key check (one = 1), origin text not null, forgotten integer not null
);
"""


class Life(NamedTuple):
    """What a spool knows of itself beside its batches."""

    origin: str
    forgotten: int
    last: int


def is_damage(cause: sqlite3.Error) -> bool:
    """The file itself. A disk that is full or a file that somebody holds says nothing about what is in it."""
    code = int(getattr(cause, "sqlite_errorcode", 0) or 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def salvage(old: sqlite3.Connection, new: sqlite3.Connection, life: Life | None, after: int) -> int:
    """How many batches came over. Without `life` the old file is asked for it, too. Raises sqlite3.Error for
    what does not go into the new one."""
    life = life or _life(old)
    new.executescript(TABLES)
    new.execute("begin")
    count = 0
    for number in sorted(_readable(old, life.last, after)):
        row = None
        with suppress(sqlite3.DatabaseError):
            row = _row(old, "number, taken, crc, cast(body as blob)", number)
        if row and all(isinstance(value, int) for value in row[:3]) and isinstance(row[3], bytes):
            new.execute("insert or ignore into spool values (?, ?, ?, ?)", row)
            count += 1
            failpoint("spool.salvaging")
    with suppress(sqlite3.DatabaseError):
        gaps.take_over(old, new)
    with suppress(sqlite3.DatabaseError):
        recent.take_over(old, new)
    with suppress(sqlite3.DatabaseError):
        senders.take_over(old, new)
    new.execute("delete from sqlite_sequence")
    new.execute("insert into sqlite_sequence values ('spool', ?)", (life.last,))
    new.execute("insert into life values (1, ?, ?)", (life.origin, life.forgotten))
    failpoint("spool.before_commit")
    new.execute("commit")
    return count


def _life(old: sqlite3.Connection) -> Life:
    """Where the last number is not known numbers may be given twice: that is another sender."""
    origin, forgotten, last = uuid4().hex, 0, 0
    try:
        last = int(old.execute("select seq from sqlite_sequence where name = 'spool'").fetchone()[0])
        origin, forgotten = old.execute("select origin, forgotten from life").fetchone()
    except (sqlite3.DatabaseError, TypeError, ValueError):
        with suppress(sqlite3.DatabaseError, TypeError, ValueError):
            last = max(last, int(old.execute("select max(number) from spool").fetchone()[0]))
    return Life(str(origin), int(forgotten), last)


def _readable(old: sqlite3.Connection, last: int, after: int) -> Iterator[int]:
    """From the newest down: where the oldest page is spoiled nothing tells how far down the numbers go."""
    below, missed = last + 1, 0
    while below > after + 1 and missed < FAR:
        with suppress(sqlite3.DatabaseError):
            query = "select number from spool where number < ? and number > ? order by number desc"
            for (number,) in old.execute(query, (below, after)):
                below, missed = number, 0
                yield number
            return
        below -= 1
        missed += 1
        with suppress(sqlite3.DatabaseError):
            if _row(old, "number", below):
                missed = 0
                yield below


def _row(old: sqlite3.Connection, columns: str, number: int) -> tuple[Any, ...] | None:
    query = f"select {columns} from spool where number = ?"  # noqa: S608  (columns are ours)
    row: tuple[Any, ...] | None = old.execute(query, (number,)).fetchone()
    return row
