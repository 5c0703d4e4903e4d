"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from tests.simulators.fault_plan import LASTING, ODD

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then answer HTTP 500, or JSON-RPC's error",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "unavailable": "HTTP 503, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "LockError, nothing done",
    "clash": "the next load meets another one of the same record: HTTP 200 with ids false",
    "down": "every connection is closed at once",
    **ODD,
}


@dataclass
class Fault:
    kind: str
    on: tuple[str, ...] = ()  # models, or model.method; empty: every write
    times: int = 1
    spare: int = 0  # how many that it fits pass first

    def meets(self, model: str, method: str) -> bool:
        return not self.on or model in self.on or f"{model}.{method}" in self.on


class Faults:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []
        self.seen: list[str] = []  # writes that came by, as model.method

    def add(self, kind: str, on: Any = (), times: int = 1, spare: int = 0) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        with self._guard:
            self._planned.append(Fault(kind, tuple(on), times, spare))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()

    def take(self, model: str, method: str) -> str:
        """What this write meets, or nothing."""
        with self._guard:
            self.seen.append(f"{model}.{method}")
            for fault in self._planned:
                if fault.kind in LASTING or not fault.times or not fault.meets(model, method):
                    continue
                if fault.spare:
                    fault.spare -= 1
                else:
                    fault.times -= 1
                    return fault.kind
        return ""

    @property
    def planned(self) -> int:
        with self._guard:
            return sum(f.times for f in self._planned if f.kind not in LASTING)

    @property
    def down(self) -> bool:
        return self.lasts("down")

    def lasts(self, kind: str) -> bool:
        with self._guard:
            return any(f.kind == kind for f in self._planned)
