"""Documents of all kinds, each with the versions it had: reading may lag behind writing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
FIRST_ID = 1002302240000591


class Books:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.lag = timedelta(0)
        self._shelves: dict[str, dict[int, list[tuple[datetime, Row | None]]]] = {}
        self._last_id = FIRST_ID

    def add(self, shelf: str, row: Row) -> Row:
        """Give it an id and keep it; returns what is kept."""
        self._last_id += 1
        row = {"ID": self._last_id} | row
        self.put(shelf, row)
        return row

    def put(self, shelf: str, row: Row) -> None:
        versions = self._shelves.setdefault(shelf, {}).setdefault(row["ID"], [])
        versions.append((self.now(), copy.deepcopy(row)))

    def remove(self, shelf: str, row: Row) -> None:
        self._shelves[shelf][row["ID"]].append((self.now(), None))

    def rows(self, shelf: str, *, reading: bool = False) -> list[Row]:
        found = (self._seen(versions, reading) for versions in self._shelves.get(shelf, {}).values())
        return [row for row in found if row is not None]

    def one(self, shelf: str, *, reading: bool = False, **values: Any) -> Row | None:
        rows = self.rows(shelf, reading=reading)
        return next((r for r in rows if all(r.get(n) == v for n, v in values.items())), None)

    def age(self, span: timedelta) -> None:
        """What is there has been there for a while."""
        for shelf in self._shelves.values():
            for versions in shelf.values():
                versions[:] = [(at - span, row) for at, row in versions]

    def _seen(self, versions: list[tuple[datetime, Row | None]], reading: bool) -> Row | None:
        limit = self.now() - self.lag
        for at, row in reversed(versions):
            if not reading or at <= limit:
                return copy.deepcopy(row)
        return None
