"""Records with their children, each with the versions it had: reading may lag behind writing."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
FIRST_ID = 300_000_112_987_895_001  # eighteen digits: more than a double can hold


class Books:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.lag = timedelta(0)
        self._rows: dict[str, dict[Any, list[tuple[datetime, Row]]]] = {}
        self._last = FIRST_ID

    def next(self) -> int:
        self._last += 2
        return self._last

    def put(self, resource: str, key: Any, row: Row) -> None:
        versions = self._rows.setdefault(resource, {}).setdefault(key, [])
        versions.append((self.now(), copy.deepcopy(row)))

    def age(self, span: timedelta) -> None:
        """What is there has been there for a while."""
        for shelf in self._rows.values():
            for versions in shelf.values():
                versions[:] = [(at - span, row) for at, row in versions]

    def version(self, resource: str, key: Any, *, reading: bool = False) -> int:
        limit = self.now() - (self.lag if reading else timedelta(0))
        versions = self._rows.get(resource, {}).get(key, [])
        return len([at for at, _ in versions if at <= limit or not reading])

    def get(self, resource: str, key: Any, *, reading: bool = False) -> Row | None:
        """A copy, or None. `reading`: as a reader sees it, which may be later than it is so."""
        versions = self._rows.get(resource, {}).get(key, [])[: self.version(resource, key, reading=reading)]
        return copy.deepcopy(versions[-1][1]) if versions else None

    def rows(self, resource: str, *, reading: bool = False) -> Iterator[Row]:
        for key in list(self._rows.get(resource, {})):
            row = self.get(resource, key, reading=reading)
            if row is not None:
                yield row

    def where(self, resource: str, **values: Any) -> list[Row]:
        return [r for r in self.rows(resource) if all(r.get(k) == v for k, v in values.items())]
