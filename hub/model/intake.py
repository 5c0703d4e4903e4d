"""What becomes of an event that an MES tells: taken, known already, or rejected and kept for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.model.words import Words


class Uptake(StrEnum):
    TAKEN = "taken"
    REPEAT = "repeat"  # on record already: nothing has changed
    REJECTED = "rejected"  # kept with the reason


class RejectState(StrEnum):
    WAITING = "waiting"  # for somebody to decide
    REPLAYED = "replayed"  # taken after all
    ASIDE = "aside"  # nobody needs it


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field and what to do; `field` is "" when it is the whole record."""

    field: str
    text: Words


@dataclass(frozen=True, slots=True)
class Verdict:
    id: str  # the event's own; "" where it has none
    fate: Uptake
    faults: tuple[Fault, ...] = ()
    ignored: tuple[str, ...] = ()  # fields that we have no use for


@dataclass(frozen=True, slots=True)
class Reject:
    """A record as it came, with why it was not taken. The same record again is the same reject, once more."""

    source: str
    kind: str  # type of event, as far as it can be told
    event: str  # its id, as far as it can be told
    record: str  # JSON
    reason: Words
    first_at: datetime
    last_at: datetime
    times: int = 1
    state: RejectState = RejectState.WAITING
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""
    id: int = 0
