"""Suppression by design: what makes a rule's alarms keep quiet, and what is remembered of it. Pure.

While nothing good is known (a machine that is not heard, a tag without a value) the last answer stands, as it
does for every condition: a press that was switched off and then fell silent is still off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.model.equipment import EquipmentState
from hub.model.words import Words

Key = tuple[str, str]  # a rule's name and subject


@dataclass(frozen=True, slots=True)
class StateIs:
    """A machine is in one of these states."""

    equipment: str
    states: frozenset[EquipmentState]


@dataclass(frozen=True, slots=True)
class ValueIs:
    """A tag's value lies above or below a limit, or is one of some codes."""

    tag: int
    above: float | None = None
    below: float | None = None
    codes: frozenset[int] = frozenset()

    def holds(self, value: float) -> bool:
        if self.above is not None:
            return value > self.above
        return value < self.below if self.below is not None else value in self.codes


@dataclass(frozen=True, slots=True)
class RuleHolds:
    """One of these rules holds, acknowledged or not; one that somebody has put aside does not count."""

    keys: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Suppressor:
    """One reason to keep quiet. It ends `off_delay` after its condition: a machine needs time to start."""

    when: StateIs | ValueIs | RuleHolds
    why: Words
    off_delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Sights:
    """What is known now, as the evaluator has it. None: not known."""

    state: Callable[[str], EquipmentState | None]
    value: Callable[[int], float | None]
    active: Callable[[Key], bool]


@dataclass(slots=True)
class _Memory:
    held: bool | None = None  # None: never seen
    ending_since: datetime | None = None


class Suppression:
    """The memory of all suppressors of this process; those that many rules share are looked at once."""

    def __init__(self, rules: Mapping[Key, Iterable[Suppressor]]) -> None:
        self._of = {key: tuple(suppressors) for key, suppressors in rules.items() if suppressors}
        self._memory = {s: _Memory() for suppressors in self._of.values() for s in suppressors}
        self.aside: frozenset[Key] = frozenset()  # rules whose alarm is shelved or out of service

    def tags(self) -> list[int]:
        """Numbers of the tags that some suppressor compares."""
        return sorted({s.when.tag for s in self._memory if isinstance(s.when, ValueIs)})

    def presume(self, key: Key) -> None:
        """At a warm start: the record says that this rule was suppressed. It stands until more is known."""
        for suppressor in self._of.get(key, ()):
            self._memory[suppressor].held = True

    def look(self, sights: Sights, now: datetime) -> None:
        for suppressor, memory in self._memory.items():
            _remember(memory, self._answer(suppressor.when, sights), suppressor.off_delay, now)

    def holds(self, key: Key) -> Words | Literal[False] | None:
        """Why this rule is suppressed now; False when it is not; None while that is not known."""
        answers = [(s.why, self._memory[s].held) for s in self._of.get(key, ())]
        found = next((why for why, held in answers if held), None)
        if found is not None:
            return found
        return None if any(held is None for _, held in answers) else False

    def _answer(self, when: StateIs | ValueIs | RuleHolds, sights: Sights) -> bool | None:
        match when:
            case StateIs(equipment, states):
                state = sights.state(equipment)
                if state is None or (state is EquipmentState.UNKNOWN and state not in states):
                    return None
                return state in states
            case ValueIs(tag):
                value = sights.value(tag)
                return None if value is None else when.holds(value)
            case RuleHolds(keys):
                return any(sights.active(key) for key in keys - self.aside)


def _remember(memory: _Memory, answer: bool | None, off_delay: timedelta, now: datetime) -> None:
    if answer is None:  # as it was; an end that has begun goes on
        answer = memory.held and memory.ending_since is None
    if answer is None:
        return
    if answer or not memory.held:
        memory.held, memory.ending_since = answer, None
        return
    memory.ending_since = memory.ending_since or now
    if now - memory.ending_since >= off_delay:
        memory.held, memory.ending_since = False, None
