"""Why an alarm cannot do what a person asks of it now: each refusal says what would help. Pure."""

from __future__ import annotations

from alert_rules.lifecycle import ASIDE, Acked, Event, Reset, ServiceTaken, Shelved, Unshelved
from hub.errors import Conflict
from hub.model.alarm import Alarm, AlarmState

_WHERE = {
    AlarmState.SHELVED: Conflict("alarm-shelved", "state: it is shelved; unshelve it first"),
    AlarmState.SUPPRESSED: Conflict(
        "alarm-suppressed", "state: the design logic suppresses it; it is back by itself when that ends"
    ),
    AlarmState.OUT_OF_SERVICE: Conflict(
        "alarm-out-of-service", "state: it is out of service; return it to service first"
    ),
}


def objection(alarm: Alarm, wish: Event) -> Conflict | None:
    """None when the wish can be met, or is met already: who acknowledges twice is told who was first."""
    if not alarm.is_open:
        return Conflict("alarm-not-open", str(alarm.id))
    match wish:
        case Unshelved() if alarm.state is not AlarmState.SHELVED:
            return Conflict("not-shelved", "state: it is not shelved; there is nothing to end")
        case ServiceTaken(out=False) if alarm.state is not AlarmState.OUT_OF_SERVICE:
            return Conflict("not-out-of-service", "state: it is in service already")
        case ServiceTaken(out=True) if alarm.state is AlarmState.OUT_OF_SERVICE:
            return _WHERE[alarm.state]
        case Reset() if not alarm.latched:
            return Conflict("not-latched", "latched: only a latched alarm is reset; acknowledge this one")
        case Acked() | Shelved() | Reset() if alarm.state in ASIDE:
            return _WHERE[alarm.state]
        case Reset() if alarm.condition:
            return Conflict("still-active", "condition: it still holds; mend its cause, then reset")
        case _:
            return None
