"""Fields of an MES that the hub has no use for: said in the log once, and counted for the status page."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

_log = logging.getLogger(__name__)
MOST_FIELDS = 100  # a sender with ever new names fills neither log nor page


class Unknown:
    """Of one source, over all its lives."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._places: Counter[str] = Counter()

    def count(self, name: str, kind: str, fields: Iterable[str]) -> None:
        """`kind` of event of the source `name`."""
        new: list[str] = []
        for field in fields:
            told = f"{kind}.{field}"
            if told not in self._counts:
                if len(self._counts) >= MOST_FIELDS:
                    continue
                new.append(field)
            self._counts[told] += 1
        if new:
            _log.warning(
                "%s: %s: fields that we do not know are left out: %s", name, kind, ", ".join(map(repr, new))
            )

    def place(self, name: str, kind: str, field: str, place: str) -> None:
        """One that the plant does not have."""
        told = f"{kind}.{field} {place}"
        if told not in self._places:
            if len(self._places) >= MOST_FIELDS:
                return
            _log.warning("%s: %s: %s %r is no equipment of the plant", name, kind, field, place)
        self._places[told] += 1

    def health(self) -> dict[str, Any]:
        """The most frequent first."""
        found = {"unknown_fields": self._counts, "unknown_places": self._places}
        return {
            what: [f"{field} ×{count}" for field, count in counts.most_common()]
            for what, counts in found.items()
            if counts
        }
