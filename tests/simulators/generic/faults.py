"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tests.simulators.fault_plan import ODD

KINDS = frozenset({
    "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
    "rate_limited", "locked", "session_dead", "down", "lag", *ODD,
})  # fmt: skip
LASTING = frozenset({"down", "lag", *ODD})


@dataclass
class Fault:
    kind: str
    on: frozenset[str] = frozenset()  # forms; empty: any
    times: int = 1
    seconds: float = 0.0


class Faults:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []

    def add(self, kind: str, on: frozenset[str] = frozenset(), times: int = 1, seconds: float = 0.0) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(sorted(KINDS))}")
        with self._guard:
            self._planned.append(Fault(kind, on, times, seconds))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()

    def take(self, form: str) -> list[str]:
        """The kinds that a write of this form meets; each passage counts."""
        with self._guard:
            met = [f for f in self._planned if f.kind not in LASTING and (not f.on or form in f.on)]
            for fault in met:
                fault.times -= 1
            self._planned = [f for f in self._planned if f.times > 0 or f.kind in LASTING]
            return [f.kind for f in met]

    def lasts(self, kind: str) -> float:
        """Seconds of a lasting fault, at least a tiny bit while it is on; 0 when it is not."""
        with self._guard:
            return max((f.seconds or 1e-9 for f in self._planned if f.kind == kind), default=0.0)
