"""High and low limits with deadband and delays. Pure.

`observe` is the meaning of a rule on a value; `prefilter.suspects` only spares it work.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pydantic import Field

from alert_rules.rule import Codes, Limits, Rule, RuleConfig, Watch, matching
from hub.model.sample import Sample
from hub.model.words import Words
from hub.ports import Plant


def contradicts(rule: Rule, active: bool, value: float) -> bool:
    """Whether this value speaks against what the rule holds at present."""
    match rule.condition:
        case Limits(limit, clear, above=True):
            return value <= clear if active else value > limit
        case Limits(limit, clear, above=False):
            return value >= clear if active else value < limit
        case Codes(members, inverted):
            return (value in members) == (active if inverted else not active)
    return False


def observe(rule: Rule, watch: Watch, sample: Sample) -> Watch:
    """Take one sample in. A bad one only stops the stopwatch: not knowing is not a value.

    An active rule without good data keeps its answer and is marked blind; it never recovers by silence.
    """
    if sample.status.is_bad or sample.value is None:
        return replace(watch, leaning_since=None, blind=True)
    seeing = replace(watch, blind=False)
    if not contradicts(rule, watch.active, sample.value):
        return replace(seeing, leaning_since=None)
    leaning = replace(seeing, leaning_since=watch.leaning_since or sample.source_time)
    return elapse(rule, leaning, sample.source_time)


def elapse(rule: Rule, watch: Watch, now: datetime) -> Watch:
    """Let time pass with no sample: report-by-exception devices are silent while steady."""
    if watch.leaning_since is None:
        return watch
    delay = rule.off_delay if watch.active else rule.on_delay
    if now - watch.leaning_since < delay:
        return watch
    return Watch(active=not watch.active, blind=watch.blind)


class _Limit(RuleConfig):
    tag: str = Field(description="tag path; + stands for one level")
    limit: float
    deadband: float = Field(0.0, ge=0)

    def _expand(self, plant: Plant, where: str, *, above: bool) -> list[Rule]:
        clear = self.limit - self.deadband if above else self.limit + self.deadband
        out = []
        for path in matching(self.tag, plant.tags, f"{where}.tag"):
            tag = plant.tags[path]
            title = (
                self.title.words()
                if self.title
                else Words(
                    f"{tag.label.in_('zh')}{'过高' if above else '过低'}",
                    f"{tag.label.in_('en')} {'high' if above else 'low'}",
                )
            )
            out.append(
                Rule(
                    self.name,
                    path,
                    tag.equipment,
                    Limits(self.limit, clear, above),
                    self.rank,
                    title,
                    tag,
                    self.on_delay,
                    self.off_delay,
                    self.ticket,
                    self.tell,
                    self.advice,
                )
            )
        return out


class HighLimit(_Limit):
    """Alarm while the value is above `limit`, until it is `limit - deadband` or less."""

    def expand(self, plant: Plant, where: str) -> list[Rule]:
        return self._expand(plant, where, above=True)


class LowLimit(_Limit):
    """Alarm while the value is below `limit`, until it is `limit + deadband` or more."""

    def expand(self, plant: Plant, where: str) -> list[Rule]:
        return self._expand(plant, where, above=False)
