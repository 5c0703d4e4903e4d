"""Loss of a device is an alarm of its own: one for the device, not one for each tag. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from alert_rules.rule import Rule, RuleConfig, Silence, matching
from hub.config import Duration
from hub.model.words import Words
from hub.ports import Plant


def silent(rule: Rule, active: bool, last_heard: datetime, now: datetime) -> bool:
    """Whether the device counts as lost at `now`. It is back only after it was heard for `off_delay`'s sake:
    a single good sample ends the silence, the off-delay is applied by the evaluator."""
    assert isinstance(rule.condition, Silence)
    return now - last_heard >= rule.condition.after


class NoDataRule(RuleConfig):
    """Alarm when a machine was not heard with good data for `after`."""

    equipment: str = Field(description="machine path; + stands for one level")
    after: Duration = timedelta(seconds=10)

    def expand(self, plant: Plant, where: str) -> list[Rule]:
        out = []
        paths = [m.path for m in plant.machines()]
        for path in matching(self.equipment, paths, f"{where}.equipment"):
            numbers = tuple(t.number for t in plant.tags.values() if t.equipment == path)
            if not numbers:
                continue  # a machine without tags is announced by people, not by silence
            title = self.title.words() if self.title else Words("设备失联", "Machine not heard")
            out.append(
                Rule(
                    self.name,
                    path,
                    path,
                    Silence(numbers, self.after),
                    self.rank,
                    title,
                    None,
                    self.on_delay,
                    self.off_delay,
                    self.ticket,
                    self.tell,
                    self.advice,
                )
            )
        return out
