"""Whether a message that was decided on is still worth a person's attention when its turn has come. Pure."""

from __future__ import annotations

from hub.model.alarm import Alarm, AlarmState, Priority
from notifiers.facts import Facts

_ANSWERED = {
    AlarmState.ACKED: "acknowledged before it could be said",
    AlarmState.NORMAL: "normal again before it could be said",
    AlarmState.RTN_UNACKED: "normal again before it could be said",
    AlarmState.SHELVED: "shelved before it could be said",
    AlarmState.SUPPRESSED: "suppressed before it could be said",
    AlarmState.OUT_OF_SERVICE: "taken out of service before it could be said",
}


def no_longer(facts: Facts, alarm: Alarm | None, *, untold: bool) -> str:
    """Why it need not be said any more, or "" when it must be.

    A critical alarm is always said, late or not. An alarm that the record does not know is said as well: the
    record being wrong is no reason for silence. A recovery is not said when its alarm never was (`untold`).
    """
    if facts.event == "cleared":
        return "its alarm was never said" if untold else ""
    if facts.event != "raised" or facts.priority is Priority.CRITICAL or alarm is None:
        return ""
    return _ANSWERED.get(alarm.state, "")
