"""In whose name a spool's batches are sent: another one in each life, since that may be a copy's.

A folder that is put back from a backup, or that two machines have, gives its numbers twice. Whoever takes the
batches would take the second ones for repeats. So what a life adds goes in a name of its own; what it has
found there keeps its name, since that is the same in every copy.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

MANY = 100  # lives that wait: more of them share a name, while the file is where it was
# Made when they are needed: a sound file of before is not written for it.
SENDER = "create table if not exists sender (after integer primary key, origin text not null)"
PLACE = "create table if not exists place (one integer primary key check (one = 1), mark text not null)"

TOLD = """
delete from sender where after < (
    select max(after) from sender where after < (select coalesce(min(number), 0) from spool))
"""


class Sender(NamedTuple):
    """Of the batches behind number `after`, until the next sender begins."""

    after: int
    origin: str


def begun(db: sqlite3.Connection, first: str) -> list[Sender]:
    """In their order; `first` sends from the beginning."""
    later = []
    if _is_there(db, "sender"):
        later = [Sender(*row) for row in db.execute("select after, origin from sender order by after")]
    return [Sender(0, first), *later]


def add(db: sqlite3.Connection, first: str, after: int) -> None:
    """Within the caller's transaction. Whoever looks at the name sees of whom it is, and where it begins."""
    db.execute(SENDER)
    db.execute("delete from sender where after >= ?", (after,))
    db.execute(TOLD)
    db.execute("insert into sender values (?, ?)", (after, f"{first}+{after}.{uuid4().hex[:12]}"))


def forget(db: sqlite3.Connection) -> None:
    """Within the caller's transaction."""
    if _is_there(db, "sender"):
        db.execute("delete from sender")


def place(db: sqlite3.Connection) -> str | None:
    """Where the file was when it was opened last, as far as it knows."""
    row = db.execute("select mark from place").fetchone() if _is_there(db, "place") else None
    return str(row[0]) if row else None


def note(db: sqlite3.Connection, mark: str) -> None:
    """Within the caller's transaction."""
    db.execute(PLACE)
    db.execute("insert or replace into place values (1, ?)", (mark,))


def mark_of(path: Path) -> str:
    """The same after every restart; another one for every copy."""
    machine = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text(encoding="ascii", errors="replace").strip()
    return f"{path.stat().st_ino}:{os.uname().nodename}:{machine}"


def take_over(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Out of a damaged file, what can be read; raises sqlite3.Error where it cannot be."""
    if not _is_there(old, "sender"):
        return
    new.execute(SENDER)
    for row in old.execute("select after, origin from sender"):
        new.execute("insert or ignore into sender values (?, ?)", row)


def _is_there(db: sqlite3.Connection, table: str) -> bool:
    return db.execute("select 1 from sqlite_master where name = ?", (table,)).fetchone() is not None
