"""Messages between us and the ERP, kept for whoever has to find out who said what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Direction(StrEnum):
    OUT = "out"
    IN = "in"


class Outcome(StrEnum):
    DONE = "done"
    ADOPTED = "adopted"  # it was there already: an earlier try had made it
    SKIPPED = "skipped"  # nothing to tell
    DEFERRED = "deferred"  # the ERP was away or busy: tried again
    REFUSED = "refused"
    TAKEN = "taken"  # what the ERP said is now on our record


@dataclass(frozen=True, slots=True)
class Exchange:
    """`before` and `after` are the document as the other side knew it before and knows it now, in
    ERP-neutral fields; None where nobody can tell."""

    at: datetime
    direction: Direction
    subject: str
    document: str
    outcome: Outcome
    erp_number: str = ""
    seconds: float = 0.0
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    reason: str = ""
    errand: int | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """An errand that was given up, or has been waiting: what a person looks through and may send again."""

    id: int
    kind: str
    key: str
    lane: str
    state: str  # waiting, claimed, dead
    attempts: int
    reason: str
    written_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    payload: Mapping[str, Any]
    held_by: int = 0  # the dead letter that it stands behind: not tried before that is settled


@dataclass(frozen=True, slots=True)
class Pile:
    """Errands of one kind that are not done: how many wait, since when the oldest of them does, how many were
    given up, how many are held behind one that was."""

    kind: str
    waiting: int
    oldest_at: datetime | None
    dead: int
    held: int = 0
