"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then answer HTTP 500",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "proxy_after_commit": "commit, then HTTP 504 as a page of the proxy",
    "unavailable": "HTTP 503 with Retry-After, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "HTTP 417 TimestampMismatchError, nothing done",
    "down": "every connection is closed at once",
}
LASTING = frozenset({"down"})


@dataclass
class Fault:
    kind: str
    times: int = 1  # 0: until cleared
    after: int = 0  # so many writes pass before it begins
    on: list[str] = field(default_factory=list)  # DocTypes or methods; empty: every write
    used: int = 0


class Faults:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []

    def add(self, kind: str, **how: Any) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        with self._guard:
            self._planned.append(Fault(kind, **(how | ({"times": 0} if kind in LASTING else {}))))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()

    def take(self, name: str) -> list[str]:
        """The kinds that this write meets; each passage counts."""
        with self._guard:
            met = [f for f in self._planned if f.kind not in LASTING and (not f.on or name in f.on)]
            for fault in [f for f in met if f.after]:
                fault.after -= 1
                met.remove(fault)
            for fault in met:
                fault.used += 1
            self._planned = [f for f in self._planned if not f.times or f.used < f.times]
            return [f.kind for f in met]

    @property
    def down(self) -> bool:
        with self._guard:
            return any(f.kind == "down" for f in self._planned)

    def as_json(self) -> list[dict[str, Any]]:
        with self._guard:
            return [asdict(f) for f in self._planned]
