"""Misbehaviour on command: what goes wrong, on writes to which forms, how often."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "delay": "commit, then answer only when the fault is cleared",
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then HTTP 502",
    "submit_failed_after_commit": "commit, then HTTP 400 with code 4000",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "empty_after_commit": "commit, then HTTP 200 without a body",
    "unavailable": "HTTP 502, nothing done",
    "rate_limited": "HTTP 429 with code 8304, nothing done",
    "rate_limited_400": "HTTP 400 with code 8303, nothing done",
    "locked": "HTTP 400 with code 9007, nothing done",
    "refused": "HTTP 400 with code `code`, nothing done",
    "down": "every connection is closed at once",
    "lag": "readers do not see what was written in the last `seconds`",
}
LASTING = frozenset({"down", "lag"})


@dataclass
class Fault:
    kind: str
    times: int = 1  # 0: until cleared
    forms: list[str] = field(default_factory=list)  # names; empty: every write
    seconds: float = 0.0
    skip: int = 0  # writes that go well first
    code: int = 3005
    used: int = 0


class Faults:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []
        self.cleared = threading.Event()
        self.writes = 0  # how many have passed here

    def add(self, kind: str, **how: Any) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        if kind in LASTING:
            how["times"] = 0
        with self._guard:
            self.cleared.clear()
            self._planned.append(Fault(kind, **how))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()
            self.cleared.set()

    def take(self, form: str) -> Fault | None:
        """The first fault that this write meets."""
        with self._guard:
            self.writes += 1
            for fault in self._planned:
                if fault.kind in LASTING or (fault.forms and form not in fault.forms):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.used += 1
                self._planned = [f for f in self._planned if not f.times or f.used < f.times]
                return fault
            return None

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
