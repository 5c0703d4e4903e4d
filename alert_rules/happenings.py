"""What one batch or one tick brought about."""

from __future__ import annotations

from dataclasses import dataclass, field

from alert_rules.lifecycle import Event
from alert_rules.rule import Rule
from hub.model.equipment import Count, StateSpan


@dataclass(slots=True)
class Happenings:
    """In the order in which it happened, of each kind."""

    alarms: list[tuple[Rule, Event]] = field(default_factory=list)
    states: list[StateSpan] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.alarms or self.states or self.counts)

    def apart(self) -> list[Happenings]:
        """Each by itself: where the record refuses one of them, the others are not to be lost with it."""
        return [
            *(Happenings(alarms=[alarm]) for alarm in self.alarms),
            *(Happenings(states=[state]) for state in self.states),
            *(Happenings(counts=[count]) for count in self.counts),
        ]
