"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, TypeVar

ODD = {  # answers beside the question
    "page": "whatever is asked, HTTP 200 with a page for people, until cleared",
    "same_page": "the first part of a list, whichever is asked for, until cleared",
    "any_document": "some other document, whatever key is looked for, until cleared",
    "renamed": "the form of tickets is not there under its name any more, until cleared",
}
LASTING = frozenset({"down", "lag", *ODD})  # until cleared


@dataclass
class Fault:
    kind: str
    times: int = 1  # 0: until cleared
    seconds: float = 0.0
    skip: int = 0  # writes that go well first
    used: int = 0


F = TypeVar("F", bound=Fault)


class FaultPlan(Generic[F]):
    kinds: ClassVar[Mapping[str, str]]  # name -> what happens
    fault: type[F]

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[F] = []
        self.released = threading.Event()  # by `clear`: whoever is made to wait goes on

    def add(self, kind: str, **how: Any) -> None:
        """Raises ValueError for a kind there is not."""
        if kind not in self.kinds:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(self.kinds)}")
        if kind in LASTING:
            how["times"] = 0
        with self._guard:
            self.released.clear()
            self._planned.append(self.fault(kind, **how))

    def clear(self) -> None:
        with self._guard:
            self._planned.clear()
            self.released.set()

    def met(self, meets: Callable[[F], bool], most: int = 1000) -> list[F]:
        """What this write meets, the first `most` of it; each passage counts."""
        with self._guard:
            found: list[F] = []
            for fault in self._planned:
                if fault.kind in LASTING or len(found) == most or not meets(fault):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.used += 1
                found.append(fault)
            self._planned = [f for f in self._planned if not f.times or f.used < f.times]
            return found

    @property
    def down(self) -> bool:
        with self._guard:
            return any(f.kind == "down" for f in self._planned)

    def lasts(self, kind: str) -> bool:
        with self._guard:
            return any(f.kind == kind for f in self._planned)

    def lasting(self, kind: str) -> F | None:
        """One that is there until it is cleared."""
        with self._guard:
            return next((f for f in self._planned if f.kind == kind), None)

    @property
    def lag(self) -> float:
        with self._guard:
            return max((f.seconds for f in self._planned if f.kind == "lag"), default=0.0)

    def as_json(self) -> list[dict[str, Any]]:
        with self._guard:
            return [asdict(f) for f in self._planned]
