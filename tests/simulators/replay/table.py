"""Tables: one row a moment, a column of times, perhaps a column that names the machine."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

from tests.simulators.replay.layout import Layout
from tests.simulators.replay.recording import Row

_NOTHING = frozenset({"", "nan", "null", "none", "na", "n/a", "unavailable", "-", "bad", "no data", "#n/a"})
_GAPS = 10_000  # from row to row, looked at to tell how regular they are
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Tables:
    """The tables of one folder, as machines, in the order of time.

    Rows may come in any order and be more than memory holds: they wait in a database file of the system's
    temporary folder, which is gone with this process.
    """

    def __init__(self, layouts: Iterable[Layout]) -> None:
        self._rows = sqlite3.connect("", check_same_thread=False)
        self._rows.execute("create table moments (machine text, at integer, cells text)")
        self._filled: Counter[tuple[str, str]] = Counter()  # (machine, column) -> cells with, and without
        self._empty: Counter[tuple[str, str]] = Counter()
        for one in layouts:
            self._rows.executemany("insert into moments values (?, ?, ?)", self._taken(one))
        self._rows.execute("create index by_time on moments (machine, at)")
        self._rows.commit()

    def _taken(self, one: Layout) -> Iterator[tuple[str, int, str]]:
        for at, machine, cells in one.records():
            kept = {k: _number(v.strip(), one.delimiter) for k, v in cells.items()}
            for name, text in kept.items():
                (self._empty if text.lower() in _NOTHING else self._filled)[machine, name] += 1
            yield machine, (at - _1970) // _MICROSECOND, json.dumps(kept, ensure_ascii=False)

    def machines(self) -> list[str]:
        found = self._rows.execute("select distinct machine from moments where machine <> '' order by 1")
        return [str(name) for (name,) in found]

    def rows(self, machine: str) -> Iterator[Row]:
        """The cells of one machine's rows in the order of time.

        An empty cell is not known, unless the column is mostly empty: then it has nothing new to say.
        """
        asked = "select at, cells from moments where machine = ? order by at, rowid"
        for at, cells in self._rows.execute(asked, [machine]):
            moment = _1970 + at * _MICROSECOND
            for name, text in json.loads(cells).items():
                known = text.lower() not in _NOTHING
                if known or self._empty[machine, name] <= self._filled[machine, name]:
                    yield Row(moment, name, text if known else None)

    def interval(self, machine: str) -> float | None:
        """Seconds from row to row where most rows keep to it; None where they come as they like."""
        asked = "select distinct at from moments where machine = ? order by at limit ?"
        times = [at / 1e6 for (at,) in self._rows.execute(asked, [machine, _GAPS])]
        gaps = [b - a for a, b in pairwise(times)]
        if len(gaps) < 3:
            return None
        usual = median(gaps)
        regular = sum(abs(g - usual) <= 0.2 * usual for g in gaps)
        return usual if regular > 0.6 * len(gaps) else None


def _number(text: str, delimiter: str) -> str:
    """`1,5` in a table whose columns are not divided by commas is one and a half."""
    if delimiter != "," and re.fullmatch(r"-?\d+,\d+", text):
        return text.replace(",", ".")
    return text
