"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then answer HTTP 500",
    "garbage_after_commit": "commit, then a page instead of a record",
    "delay_after_commit": "commit, then let `seconds` pass before the answer",
    "unavailable": "HTTP 503 with Retry-After, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "HTTP 400: another user has the record, nothing done",
    "plain_error": "HTTP 500 as text/plain, nothing done",
    "login_page": "HTTP 200 with a log-on page, nothing done",
    "session_dead": "every bearer token is gone",
    "row_failure": "a transaction whose first row fails: 201 all the same",
    "down": "every connection is closed at once",
    "lag": "readers do not see what was written in the last `seconds`",
}
LASTING = frozenset({"down", "lag"})


@dataclass
class Fault:
    kind: str
    times: int = 1  # 0: until cleared
    resources: list[str] = field(default_factory=list)  # empty: every write
    seconds: float = 0.0
    used: int = 0

    def meets(self, name: str) -> bool:
        return not self.resources or name in self.resources


class Faults:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []

    def add(self, kind: str, **how: Any) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        if kind in LASTING:
            how["times"] = 0
        with self._guard:
            self._planned.append(Fault(kind, **how))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()

    def take(self, name: str) -> list[Fault]:
        """Those that this write meets; each passage counts."""
        with self._guard:
            met = [f for f in self._planned if f.kind not in LASTING and f.meets(name)]
            for fault in met:
                fault.used += 1
            self._planned = [f for f in self._planned if not f.times or f.used < f.times]
            return met

    @property
    def down(self) -> bool:
        with self._guard:
            return any(f.kind == "down" for f in self._planned)

    @property
    def lag(self) -> float:
        with self._guard:
            return max((f.seconds for f in self._planned if f.kind == "lag"), default=0.0)

    def as_json(self) -> list[dict[str, Any]]:
        with self._guard:
            return [asdict(f) for f in self._planned]
