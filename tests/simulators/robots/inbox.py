"""What a phone would have got, in order, kept in a file when one is named."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

KEPT = 2_000
REFUSALS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Note:
    """One message that a robot showed to its group. `text` is the vendor's markup as it was sent."""

    seq: int
    robot: str
    at: str  # ISO 8601, UTC
    msgtype: str
    text: str
    title: str = ""
    mentions: list[str] = field(default_factory=list)  # whose phone rings
    ignored: list[str] = field(
        default_factory=list
    )  # asked for, but not shown: not in the text, not a member
    uuid: str = ""
    body: dict[str, Any] = field(default_factory=dict)


class Inbox:
    def __init__(self, state: Path | None = None) -> None:
        self.notes: list[Note] = []
        self.refusals: list[dict[str, Any]] = []
        self.refused: Counter[str] = Counter()
        self._state = state
        if state is not None and state.exists():
            lines = state.read_text(encoding="utf-8").splitlines()
            self.notes = [Note(**json.loads(line)) for line in lines[-KEPT:]]

    def show(self, robot: str, at: datetime, **what: Any) -> Note:
        note = Note(self.last + 1, robot, stamp(at), **what)
        self.notes = [*self.notes[-KEPT + 1 :], note]
        if self._state is not None:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            with self._state.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(note), ensure_ascii=False) + "\n")
        return note

    def refuse(self, robot: str, at: datetime, code: int, text: str) -> None:
        self.refused[robot] += 1
        line = {"robot": robot, "at": stamp(at), "errcode": code, "errmsg": text}
        self.refusals = [*self.refusals[-REFUSALS_KEPT + 1 :], line]

    @property
    def last(self) -> int:
        return self.notes[-1].seq if self.notes else 0

    def after(self, seq: int) -> list[dict[str, Any]]:
        return [asdict(n) for n in self.notes if n.seq > seq]

    def of(self, robot: str) -> list[Note]:
        return [n for n in self.notes if n.robot == robot]

    def clear(self) -> None:
        """Numbers go on, so that a page that is open notices."""
        self.notes, self.refusals, self.refused = [], [], Counter()
        if self._state is not None:
            self._state.unlink(missing_ok=True)


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
