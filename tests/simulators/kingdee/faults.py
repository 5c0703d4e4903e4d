"""Misbehaviour on command: what goes wrong, on which calls, how often."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "delay": "commit, then answer after `seconds`",
    "hold": "commit, then answer only when the fault is cleared",
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "cut_answer": "commit, then close in the middle of the answer",
    "error_500_after_commit": "commit, then answer HTTP 500",
    "bad_gateway": "HTTP 502, nothing done",
    "busy": "MsgCode 13, nothing done",
    "quota": "MsgCode 14, nothing done",
    "response_error": "text that begins with response_error:, nothing done",
    "response_error_after_commit": "commit, then text that begins with response_error:",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "context_lost": "MsgCode 1, nothing done",
    "unauthorized": "HTTP 401, nothing done",
    "session_death": "every session is gone",
    "lag": "queries do not see what was made in the last `seconds`",
    "down": "every connection is closed at once",
    "page": "a proxy's page for people, HTTP `status`, whatever is asked; nothing done",
    "same_page": "queries begin with the first row, wherever they are to begin",
    "any_document": "queries do not filter",
    "renamed": "the repair bill is not there under its name",
}
ODD = ("same_page", "any_document", "renamed")  # queries and forms are answered beside the question
LASTING = ("lag", "down", "page", *ODD)


@dataclass
class Fault:
    kind: str
    times: int = 1  # 0: until cleared
    services: list[str] = field(default_factory=list)  # empty: every business call
    forms: list[str] = field(default_factory=list)  # as the call names them; empty: any
    seconds: float = 0.0
    skip: int = 0  # passages that go well first
    status: int = 200  # of a page
    used: int = 0

    def meets(self, service: str, form: str) -> bool:
        if self.services and service.lower() not in [s.lower() for s in self.services]:
            return False
        return not self.forms or form.lower() in [f.lower() for f in self.forms]


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Fault] = []
        self.released = threading.Event()

    def add(self, kind: str, **how: Any) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        if kind in LASTING:
            how.setdefault("times", 0)
        with self._lock:
            self.released.clear()
            self._planned.append(Fault(kind, **how))

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()
            self.released.set()

    def take(self, service: str, form: str) -> list[Fault]:
        """The faults this call meets; each passage counts."""
        with self._lock:
            met = [f for f in self._planned if f.kind not in ("lag", *ODD) and f.meets(service, form)]
            due = []
            for fault in met:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.used += 1
                due.append(fault)
            self._planned = [f for f in self._planned if not f.times or f.used < f.times]
            return due

    @property
    def lag(self) -> float:
        with self._lock:
            return max((f.seconds for f in self._planned if f.kind == "lag"), default=0.0)

    def odd(self, kind: str) -> bool:
        with self._lock:
            return any(f.kind == kind for f in self._planned)

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(f) for f in self._planned]
