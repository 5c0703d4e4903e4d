"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then ResCode 500",
    "http_500_after_commit": "commit, then HTTP 500 without an envelope",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "expired_after_commit": "commit, then ResCode 402, as in the middle of a batch",
    "silent_after_commit": "commit, then an envelope that says nothing of the row",
    "delay": "commit, then answer after `seconds`",
    "unavailable": "HTTP 503, nothing done",
    "internal": "ResCode 500, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "a failed row: somebody has the document open, nothing done",
    "session_dead": "the token is gone, as after a restart of IIS",
    "http_401": "HTTP 401 without an envelope, the token is gone",
    "rename": "commit, then a clerk gives the document another number",
    "down": "every connection is closed at once",
    "lag": "readers do not see what was written in the last `seconds`",
}
LASTING = frozenset({"down", "lag"})


@dataclass
class Fault:
    kind: str
    times: int = 1  # 0: until cleared
    paths: list[str] = field(default_factory=list)  # beginnings, as CompleteDoc/ ; empty: every write
    seconds: float = 0.0
    skip: int = 0  # writes that go well first
    used: int = 0

    def meets(self, path: str) -> bool:
        return not self.paths or any(path.startswith(p) for p in self.paths)


class Faults:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []
        self.released = threading.Event()

    def add(self, kind: str, **how: Any) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        if kind in LASTING:
            how["times"] = 0
        with self._guard:
            self.released.clear()
            self._planned.append(Fault(kind, **how))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()
            self.released.set()

    def take(self, path: str) -> list[Fault]:
        """What this write meets; each passage counts."""
        with self._guard:
            met: list[Fault] = []
            for fault in self._planned:
                if fault.kind in LASTING or not fault.meets(path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.used += 1
                met.append(fault)
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
