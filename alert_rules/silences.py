"""No-data rules: machines of which no tag was heard for too long. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alert_rules.lifecycle import Cleared, Event, Raised
from alert_rules.rule import Rule, Silence, Watch
from alert_rules.stale import silent
from alert_rules.suppression import Key
from hub.model.batch import from_micros, micros


class _Ears(NamedTuple):
    rule: Rule
    after: timedelta
    tags: NDArray[np.int32]


class Silences:
    """Of all rules those that listen for silence. `heard` (the evaluator's array) has the hub's time of each
    tag's last good sample."""

    def __init__(self, rules: Iterable[Rule], heard: NDArray[np.int64]) -> None:
        self._heard = heard
        self._ears = {
            (r.name, r.subject): _Ears(r, r.condition.after, np.array(r.condition.tags, np.int32))
            for r in rules
            if isinstance(r.condition, Silence)
        }
        self._watch = {key: Watch() for key in self._ears}

    def seed(self, key: Key, since: datetime | None) -> None:
        """Its alarm is open, `since` then: who was silent before our restart has not been heard by it."""
        if key not in self._ears:
            return
        self._watch[key] = Watch(active=True)
        if since is not None:
            self._heard[self._ears[key].tags] = micros(since - self._ears[key].after)

    def deaf_for(self, time: timedelta) -> None:
        """Nobody listened meanwhile."""
        for key, watch in self._watch.items():
            if watch.leaning_since is not None:
                self._watch[key] = replace(watch, leaning_since=watch.leaning_since + time)

    def tick(self, now: datetime) -> list[tuple[Rule, Event]]:
        told: list[tuple[Rule, Event]] = []
        for key, (rule, after, tags) in self._ears.items():
            watch, last = self._watch[key], from_micros(int(self._heard[tags].max()))
            if silent(rule, watch.active, last, now):
                self._watch[key] = Watch(active=True)
                if not watch.active:
                    told.append((rule, Raised(last + after)))
            elif watch.active:
                since = watch.leaning_since or last
                if now - since >= rule.off_delay:
                    self._watch[key] = Watch()
                    told.append((rule, Cleared(now)))
                else:
                    self._watch[key] = Watch(active=True, leaning_since=since)
        return told

    def holds(self, key: Key) -> bool:
        return key in self._watch and self._watch[key].active
