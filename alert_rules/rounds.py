"""A look at every open alarm: shelves that end, suppression that begins or ends, alarms to sound again."""

from __future__ import annotations

from collections.abc import Sequence

from alert_rules.casebook import Casebook
from alert_rules.due import due
from alert_rules.evaluator import Evaluator
from alert_rules.lifecycle import Event
from alert_rules.rule import Rule
from hub.model.alarm import Alarm, AlarmState

_BY_PEOPLE = (AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE)


class Rounds:
    """Holds nothing of its own: what is due follows from the record, so a crash in between loses nothing."""

    def __init__(self, evaluator: Evaluator, casebook: Casebook) -> None:
        self._evaluator = evaluator
        self._book = casebook

    async def go(self, alarms: Sequence[Alarm]) -> None:
        """`alarms`: all that are open."""
        self._evaluator.put_aside((a.rule, a.subject) for a in alarms if a.state in _BY_PEOPLE)
        for alarm in alarms:
            rule = self._book.rules.get((alarm.rule, alarm.subject))
            if rule is not None and self._due(alarm, rule) is not None:
                await self._settle(alarm.id, rule)

    def _due(self, alarm: Alarm, rule: Rule) -> Event | None:
        return due(alarm, rule, self._evaluator.suppressed(rule), self._book.clock.now())

    async def _settle(self, alarm_id: int, rule: Rule) -> None:
        """Everything that is due, looked at again with the alarm locked, in one transaction."""
        changed = None
        async with self._book.ledger.begin() as tx:
            alarm = await tx.alarm(alarm_id)
            while alarm.is_open and (event := self._due(alarm, rule)) is not None:
                then = await self._book.change(tx, alarm, event)
                if then is None:
                    break
                changed = alarm = then
        await self._book.told(changed)
