"""Rows of all entity sets, each with the versions it had: reading may lag behind writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(slots=True)
class _Shelf:
    """One set: key -> [(seen from, row or None)], newest last."""

    rows: dict[Key, list[tuple[datetime, Row | None]]] = field(default_factory=dict)


class Books:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.lag = timedelta(0)
        self._shelves: dict[str, _Shelf] = {}
        self._numbers: dict[str, int] = {}

    def next(self, name: str, start: int) -> int:
        self._numbers[name] = self._numbers.get(name, start - 1) + 1
        return self._numbers[name]

    def put(self, entity_set: str, key: Key, row: Row, delay: timedelta = timedelta(0)) -> None:
        versions = self._shelves.setdefault(entity_set, _Shelf()).rows.setdefault(key, [])
        versions.append((self.now() + delay, dict(row)))

    def age(self, span: timedelta) -> None:
        """What is there has been there for a while."""
        for shelf in self._shelves.values():
            for versions in shelf.rows.values():
                versions[:] = [(at - span, row) for at, row in versions]

    def get(self, entity_set: str, key: Key, *, reading: bool = False) -> Row | None:
        """A copy, or None. `reading`: as a reader sees it, which may be later than it is so."""
        versions = self._shelves.get(entity_set, _Shelf()).rows.get(key, [])
        return self._seen(versions, reading)

    def rows(self, entity_set: str, *, reading: bool = False) -> Iterator[Row]:
        for versions in list(self._shelves.get(entity_set, _Shelf()).rows.values()):
            row = self._seen(versions, reading)
            if row is not None:
                yield row

    def where(self, entity_set: str, **values: Any) -> list[Row]:
        return [r for r in self.rows(entity_set) if all(r.get(k) == v for k, v in values.items())]

    def _seen(self, versions: list[tuple[datetime, Row | None]], reading: bool) -> Row | None:
        limit = self.now() - (self.lag if reading else timedelta(0))
        for at, row in reversed(versions):
            if at <= limit or (not reading):
                return dict(row) if row is not None else None
        return None
