"""What time, the design logic or a changed rule asks of an open alarm. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from alert_rules.lifecycle import Event, Reannunciated, Suppressed, Unshelved
from alert_rules.rule import Rule
from hub.model.alarm import Alarm, AlarmState
from hub.model.words import Words


def due(alarm: Alarm, rule: Rule, suppressed: Words | Literal[False] | None, now: datetime) -> Event | None:
    """The next event, None when all is as it should be. One at a time: ask again after it was taken in.

    The design logic comes first: a shelf that ends while the machine is off must not sound in between.
    """
    if isinstance(suppressed, Words) and alarm.suppressed is None:
        return Suppressed(now, True, suppressed)
    if suppressed is False and alarm.suppressed is not None:
        return Suppressed(now, False)
    if alarm.state is AlarmState.SHELVED and alarm.shelved_until and alarm.shelved_until <= now:
        return Unshelved(now)
    if rule.priority is not alarm.priority:
        return Reannunciated(now, rule.priority)
    if alarm.state is AlarmState.ACKED and alarm.condition and _forgotten(alarm, rule, now):
        return Reannunciated(now)
    return None


def _forgotten(alarm: Alarm, rule: Rule, now: datetime) -> bool:
    return (
        rule.realarm_after is not None
        and alarm.acked_at is not None
        and now - alarm.acked_at >= rule.realarm_after
    )
