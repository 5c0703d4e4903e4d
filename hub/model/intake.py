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
    notes: tuple[Fault, ...] = ()  # taken, and yet there is something to say


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
    correction: str = ""  # JSON: the event that a person made of it and that was taken; the record stays
    id: int = 0
    same: str = ""  # by what it is known again, where that is not all of the record; not kept


@dataclass(frozen=True, slots=True)
class RejectsWanted:
    """Which rejects are meant; "" is any."""

    state: RejectState = RejectState.WAITING
    source: str = ""
    kind: str = ""
    text: str = ""  # somewhere in the record, its id or the reason


ALL_WAITING = RejectsWanted()


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an event as it was and as a person has corrected it, both as JSON; "" for none."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Correction:
    verdict: Verdict
    changes: tuple[Change, ...] = ()
    event: str = ""  # JSON, as it was taken


@dataclass(frozen=True, slots=True)
class Unbound:
    """What was told of an operation that no order on record has: kept, and counted once one has it."""

    order: str
    operation: str  # "": the posting names none
    order_known: bool  # only the operation is not
    reports: int
    good: int
    scrap: int
    rework: int
    postings: int
    first_at: datetime | None
    last_at: datetime | None
    sources: list[str]
