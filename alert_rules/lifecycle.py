"""Alarm states after ISA-18.2 / IEC 62682, with our rules of docs/glossary.md. Pure.

Evaluation goes on in every state: `condition` is always what the rule says; only annunciation stops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.words import Words

S = AlarmState
NO_WORDS = Words("", "")


@dataclass(frozen=True, slots=True)
class Raised:
    at: datetime  # source time
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Cleared:
    at: datetime
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Acked:
    at: datetime  # server time
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shelved:
    at: datetime
    by: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Unshelved:
    """By hand, or because `until` has passed."""

    at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The design logic began to hold, or ceased to. `why` in words for people."""

    at: datetime
    on: bool
    why: Words = NO_WORDS


@dataclass(frozen=True, slots=True)
class ServiceTaken:
    """Taken out of service, or returned to it."""

    at: datetime
    by: str
    out: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reannunciated:
    """The severity rose, or the re-alarm timer ran out."""

    at: datetime
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """Good data was lost (`blind`) or is back. The condition keeps its last answer."""

    at: datetime
    blind: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """Explicit reset of a latched alarm."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Retired:
    """The rule or its subject is gone from the configuration."""

    at: datetime


Event = (
    Raised | Cleared | Acked | Shelved | Unshelved | Suppressed | ServiceTaken | Reannunciated | Sight | Reset
    | Retired
)  # fmt: skip

ASIDE = frozenset({S.SHELVED, S.SUPPRESSED, S.OUT_OF_SERVICE})
IN_SERVICE = frozenset({S.NORMAL, S.UNACKED, S.ACKED, S.RTN_UNACKED})


def after(alarm: Alarm, event: Event) -> Alarm:
    """The alarm as it stands after the event.

    An event that changes nothing returns the very same alarm, so that two phones acknowledging at once,
    or a bus delivering twice, write one row. A condition event that is not newer than the last one taken in
    is such an event: a replay after a crash repeats nothing.
    """
    match event:
        case Raised() | Cleared():
            return _condition(alarm, event)
        case Acked():
            return _acked(alarm, event)
        case Sight(blind=blind):
            return alarm if alarm.blind is blind else replace(alarm, blind=blind)
        case Reannunciated(priority=priority):
            return _again(alarm, priority)
        case Reset(by=person):
            done = alarm.latched and not alarm.condition and alarm.is_open and alarm.state not in ASIDE
            return replace(alarm, state=S.NORMAL, acked_by=alarm.acked_by or person) if done else alarm
        case Retired():
            over = replace(_in_service(alarm), state=S.NORMAL, condition=False, suppressed=None)
            return over if alarm.is_open else alarm
        case _:
            return _put_aside(alarm, event)


def _condition(alarm: Alarm, event: Raised | Cleared) -> Alarm:
    if alarm.condition_at is not None and event.at <= alarm.condition_at:
        return alarm
    if isinstance(event, Raised) == alarm.condition:
        return alarm
    known = replace(alarm, condition=isinstance(event, Raised), condition_at=event.at, blind=False)
    return _raised(known, event) if isinstance(event, Raised) else _cleared(known, event)


def _raised(alarm: Alarm, event: Raised) -> Alarm:
    counted = replace(alarm, raised_at=event.at, cleared_at=None, value=event.value, count=alarm.count + 1)
    match alarm.state:
        case S.NORMAL:
            return replace(counted, state=S.UNACKED, acked_by="", acked_at=None)
        case S.RTN_UNACKED | S.ACKED:  # acknowledged and not holding: a latched one that was not reset yet
            return replace(counted, state=S.UNACKED, acked_by="", acked_at=None)
        case _:
            return counted


def _cleared(alarm: Alarm, event: Cleared) -> Alarm:
    over = replace(alarm, cleared_at=event.at)
    match alarm.state:
        case S.UNACKED:
            return replace(over, state=S.RTN_UNACKED)
        case S.ACKED if not alarm.latched:
            return replace(over, state=S.NORMAL)
        case _:
            return over


def _acked(alarm: Alarm, event: Acked) -> Alarm:
    seen = replace(alarm, acked_by=event.by, acked_at=event.at, note=event.note or alarm.note)
    match alarm.state:
        case S.UNACKED:
            return replace(seen, state=S.ACKED)
        case S.RTN_UNACKED:
            return replace(seen, state=S.ACKED if alarm.latched else S.NORMAL)
        case _:
            return alarm


def _again(alarm: Alarm, priority: Priority | None) -> Alarm:
    risen = alarm if priority is None else replace(alarm, priority=priority)
    if alarm.state is S.ACKED and alarm.condition and (priority is None or priority > alarm.priority):
        return replace(risen, state=S.UNACKED, acked_by="", acked_at=None)
    return risen if risen != alarm else alarm


def _put_aside(alarm: Alarm, event: Event) -> Alarm:
    match event:
        case Shelved(at=at, by=by, until=until, reason=reason) if alarm.state in IN_SERVICE:
            return replace(
                alarm, state=S.SHELVED, shelved_until=until, aside_by=by, aside_at=at, aside_reason=reason
            )
        case Unshelved(at=at) if alarm.state is S.SHELVED:
            return _back(alarm, at)
        case Suppressed():
            return _suppressed(alarm, event)
        case ServiceTaken(at=at, by=by, out=True, reason=reason) if alarm.state is not S.OUT_OF_SERVICE:
            away = replace(
                alarm, aside_by=by, aside_at=at, aside_reason=reason
            )  # off a shelf without a sound
            return replace(away, state=S.OUT_OF_SERVICE, shelved_until=None)
        case ServiceTaken(at=at, out=False) if alarm.state is S.OUT_OF_SERVICE:
            return _back(alarm, at)
        case _:
            return alarm


def _suppressed(alarm: Alarm, event: Suppressed) -> Alarm:
    """On a shelf or out of service the logic is only remembered: it takes effect when that ends."""
    known = replace(alarm, suppressed=event.why if event.on else None)
    if event.on and alarm.state in IN_SERVICE:
        return replace(_in_service(known), state=S.SUPPRESSED, aside_at=event.at)
    if not event.on and alarm.state is S.SUPPRESSED:
        return _back(known, event.at)
    return alarm if (alarm.suppressed is not None) is event.on else known


def _back(alarm: Alarm, at: datetime) -> Alarm:
    """Into service again: annunciated if the condition holds, else normal; never back to acknowledged.

    While the design logic holds, the way into service leads at once into suppression.
    """
    seen = replace(_in_service(alarm), acked_by="", acked_at=None)
    if alarm.suppressed is not None:
        return replace(seen, state=S.SUPPRESSED, aside_at=at)
    calm = S.RTN_UNACKED if alarm.latched and alarm.count else S.NORMAL  # a latched one asks for its reset
    return replace(seen, state=S.UNACKED if alarm.condition else calm)


def _in_service(alarm: Alarm) -> Alarm:
    return replace(alarm, shelved_until=None, aside_by="", aside_at=None, aside_reason="")
