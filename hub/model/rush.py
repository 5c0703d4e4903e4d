"""A rush order 插单: what it would displace, who tapped it, and how it stands since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.model.words import Words


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides about an order's turn."""

    priority: int  # 1 is the most urgent
    rush: bool
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Slip:
    """One order whose end moves. `minutes` is positive when it ends later, None when that is beyond what
    predictions reach; `before` and `after` are its predicted ends, None where nobody can say."""

    order: str
    product: Words
    customer: str
    sellers: tuple[str, ...]  # person ids: who has to talk to the customer
    due_at: datetime
    before: datetime | None
    after: datetime | None
    minutes: int | None
    late_before: int | None  # minutes after its date; None: in time
    late_after: int | None
    lines: tuple[str, ...] = ()  # work centres with work left

    @property
    def becomes_late(self) -> bool:
        return self.late_before is None and self.late_after is not None


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a tap would do. `digest` stands for what a person who reads this decides on."""

    digest: str
    at: datetime
    terms: Terms  # of the order after the tap
    winner: Slip
    losers: tuple[Slip, ...]  # the worst first
    others: tuple[Slip, ...]  # end sooner as well

    @property
    def newly_late(self) -> int:
        return sum(slip.becomes_late for slip in self.losers)


@dataclass(frozen=True, slots=True)
class Rush:
    """One tap, on record. `audience`: "floor" and "sales" -> ids of the people who were told."""

    order: str
    by: str  # person id
    at: datetime
    until: datetime  # it can be undone before
    before: Terms
    after: Terms
    reason: str = ""
    tap: str = ""  # of the phone: the same one sent twice is one
    foreseen: Mapping[str, Any] = field(default_factory=dict)
    audience: Mapping[str, list[str]] = field(default_factory=dict)
    undone_at: datetime | None = None
    undone_by: str = ""
    told_erp: bool = True  # False: no ERP here takes changes of orders
    refusal_told_at: datetime | None = None
    id: int = 0

    @property
    def key(self) -> str:
        """Of the errand to the ERP that holds now."""
        return self.undo_key if self.undone_at else f"rush:{self.id}"

    @property
    def undo_key(self) -> str:
        return f"rush:{self.id}:undo"


@dataclass(frozen=True, slots=True)
class Fate:
    """What has become of an intent: waiting, claimed, done or dead, with the reason and the receipt."""

    key: str
    state: str
    at: datetime | None = None  # when it ended
    reason: str = ""
    receipt: Mapping[str, Any] = field(default_factory=dict)
    notifier: str = ""  # of a message


class ErpWord(StrEnum):
    """What the ERP says to it."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    NONE = "none"  # no ERP here takes changes of orders


@dataclass(frozen=True, slots=True)
class Told:
    """A message to one audience by one notifier: `fate` is its receipt."""

    event: str  # made, undone, refused
    audience: str  # floor, sales
    people: tuple[str, ...]
    fate: Fate


@dataclass(frozen=True, slots=True)
class Sight:
    """Somebody who was told has looked at it, as it stood then, for the first time."""

    rush: int
    event: str  # made, undone, refused
    person: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A rush as it stands now."""

    rush: Rush
    erp: ErpWord
    erp_at: datetime | None
    erp_reason: str
    told: tuple[Told, ...]
    seen: tuple[Sight, ...] = ()

    @property
    def state(self) -> str:
        """made, undone or refused."""
        return "undone" if self.rush.undone_at else "made" if self.holds else "refused"

    @property
    def holds(self) -> bool:
        """The order is a rush order by it."""
        return self.rush.undone_at is None and self.erp is not ErpWord.REFUSED
