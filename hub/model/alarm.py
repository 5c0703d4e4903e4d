"""Alarms after ISA-18.2 / IEC 62682."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from hub.model.words import Words


class AlarmState(StrEnum):
    NORMAL = "normal"  # A
    UNACKED = "unacked"  # B  condition true, nobody has said "seen"
    ACKED = "acked"  # C
    RTN_UNACKED = "rtn-unacked"  # D  returned to normal, never acknowledged
    SHELVED = "shelved"  # E  by an operator, for a time
    SUPPRESSED = "suppressed"  # F  by design logic
    OUT_OF_SERVICE = "out-of-service"  # G


class Priority(IntEnum):
    """Higher is more urgent; compares as a number."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one rule on one subject, from its first raising until it is normal again.

    `id` is 0 until the store has given one. `condition` is whether the rule holds now, which goes on being
    evaluated in every state. `blind` says that the condition is only remembered: there is no good data.
    """

    rule: str
    subject: str  # tag path or equipment path
    equipment: str
    priority: Priority
    title: Words
    state: AlarmState = AlarmState.NORMAL
    id: int = 0
    condition: bool = False
    blind: bool = False
    value: float | None = None  # what was seen when it was raised
    limit: float | None = None
    unit: str = ""
    raised_at: datetime | None = None  # source time
    cleared_at: datetime | None = None
    condition_at: datetime | None = None  # source time of the newest condition change taken in
    acked_at: datetime | None = None
    acked_by: str = ""
    note: str = ""
    count: int = 0  # how often it was raised within this episode
    shelved_until: datetime | None = None
    aside_by: str = ""  # who shelved it or took it out of service ("" while it is suppressed by design)
    aside_at: datetime | None = None  # server time; since when it has been put aside
    aside_reason: str = ""  # in that person's words
    suppressed: Words | None = None  # why the design logic suppresses it, in every state; None: it does not
    rule_version: str = ""
    opened_at: datetime | None = None  # server time of the first raising
    latched: bool = False  # stays until explicit reset even when the value is fine (OPC UA LatchedState)
    owner: str = ""  # person id of who is responsible now

    @property
    def is_open(self) -> bool:
        return self.state is not AlarmState.NORMAL

    @property
    def annunciated(self) -> bool:
        """Sounds and flashes: only what nobody has acknowledged and nobody has put aside."""
        return self.state is AlarmState.UNACKED


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One line of an alarm's history."""

    alarm_id: int
    at: datetime  # server time
    event: str  # raised, cleared, acked, shelved ...
    before: AlarmState
    after: AlarmState
    by: str = ""
    note: str = ""
    source_time: datetime | None = None
    value: float | None = None
