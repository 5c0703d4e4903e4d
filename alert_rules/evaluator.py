"""All rules and machine watches of this process, fed with batches and with passing time. No I/O.

Time comes in as an argument. Delays run in the source's time: a tick stands as far after the last sample
as the hub's clock does, so that a device with a slow clock neither waits longer nor shorter. Time in which
nobody listened (a clock set forward, a process or a machine that was paused) does not count, unless samples
tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alert_rules.device import DeviceWatches
from alert_rules.happenings import Happenings
from alert_rules.lifecycle import Cleared, Raised, Sight
from alert_rules.limit import elapse, observe
from alert_rules.machines import Machines
from alert_rules.order import Order, in_order
from alert_rules.past import Past
from alert_rules.prefilter import RuleTable, suspects
from alert_rules.rule import Codes, Loss, Rule, Silence, Told, Watch
from alert_rules.silences import Silences
from alert_rules.suppression import Key, Sights, Suppression
from hub.model.alarm import Alarm
from hub.model.batch import SampleBatch, from_micros, micros
from hub.model.clock_leap import ClockLeap
from hub.model.equipment import Count, Equipment, EquipmentState, StateSpan
from hub.model.sample import Sample
from hub.model.words import Words
from hub.ports import Plant

_DEAF = 1_000_000  # microseconds between two ticks; more of it was our own deafness, not a device's silence
_FUTURE = 2_000_000  # microseconds a source's clock may be ahead before it is held back
_BAD = np.uint32(0x80000000)
_NEVER = np.iinfo(np.int64).min
_MICROSECOND = timedelta(microseconds=1)


class Evaluator:
    """Remembers; `take` and `tick` answer with what happened."""

    def __init__(self, plant: Plant, rules: Sequence[Rule], start: datetime) -> None:
        self.plant = plant
        self.rules = {(r.name, r.subject): r for r in rules}
        size = max((t.number for t in plant.tags.values()), default=0)
        self._valued = [r for r in rules if not isinstance(r.condition, Silence | Told | Loss)]
        self._table = RuleTable(self._valued, size)
        self._slots = {(r.name, r.subject): i for i, r in enumerate(self._valued, 1)}
        self._changed = np.full(len(self._valued) + 1, _NEVER)  # source time of each rule's last change
        self._past = Past(size)
        self._order = Order(size)
        self._heard = np.full(size + 1, micros(start))  # hub time of the last good sample
        self._value = np.full(size + 1, np.nan)  # the newest good value of each tag
        self._lag = np.zeros(size + 1, np.int64)  # hub time minus source time at the last sample
        self._hole = np.zeros(size + 1, np.int64)  # time of our deafness since the tag's last sample
        self._holed = False  # there is such a tag
        self._patience = np.full(size + 1, np.iinfo(np.int64).max // 2)  # stale_after, microseconds
        for known in plant.tags.values():
            self._patience[known.number] = known.stale_after // _MICROSECOND
        self._machines = Machines(plant, self._past, self._heard, self._lag, self._patience)
        self._silences = Silences(rules, self._heard)
        self._devices = DeviceWatches(rules, self._patience, self._heard, micros(start))
        self._now = self._ticked = micros(start)
        self._suppression = Suppression({key: r.suppressors for key, r in self.rules.items()})
        self._sights = Sights(self.state, self._good_value, self._holds)

    # ---------------------------------------------------------------- warm start
    def seed(
        self,
        alarms: Iterable[Alarm],
        states: dict[str, StateSpan],
        counts: dict[tuple[str, bool], Count],
        *,
        closed: Iterable[Alarm] = (),
        evaluated: datetime | None = None,
    ) -> list[Alarm]:
        """Take up where the record ends; returns open alarms whose rule no longer exists.

        `closed` are ended alarms: what led to them is the past. `evaluated`: until when machines were being
        watched; what they did after that, until they are heard again, nobody knows.
        """
        orphans = []
        for alarm in closed:
            self._devices.seed((alarm.rule, alarm.subject), _micros_of(alarm), active=False)
            slot = self._slots.get((alarm.rule, alarm.subject), 0)
            if slot and alarm.condition_at is not None:
                self._changed[slot] = max(int(self._changed[slot]), micros(alarm.condition_at))
        for alarm in alarms:
            key = (alarm.rule, alarm.subject)
            if alarm.suppressed is not None:
                self._suppression.presume(key)
            if key not in self.rules:
                orphans.append(alarm)
            elif key in self._slots:
                self._seed_value(self._slots[key], alarm)
            elif alarm.condition and not self._devices.seed(key, _micros_of(alarm), active=True):
                self._silences.seed(key, alarm.condition_at)
        self._machines.seed(states, counts, evaluated)
        return orphans

    def _seed_value(self, slot: int, alarm: Alarm) -> None:
        self._table.active[slot] = alarm.condition
        self._table.blind[slot] = alarm.blind
        if alarm.condition_at is not None:
            self._changed[slot] = micros(alarm.condition_at)

    def tags(self) -> list[int]:
        """Numbers of the tags that mean something here: what a warm start has to read again."""
        ruled = set(self._table.tags[1:].tolist())
        return sorted(ruled | set(self._machines.tags()))

    def longest_delay(self) -> timedelta:
        return max((max(r.on_delay, r.off_delay) for r in self._valued), default=timedelta(0))

    # ---------------------------------------------------------------- samples
    def take(
        self, batch: SampleBatch, now: datetime, *, recalled: bool = False, origin: str = ""
    ) -> Happenings:
        """One batch that arrived at `now`. Rows no newer than their tag's last are history only.

        A historical batch tells states and counts of its time, and moves no alarm: what is true when its
        origin has caught up raises one then.

        `recalled`: it comes from the record, at a warm start. That is not being heard, and what the record's
        states and counts already tell is not told again.
        """
        out = Happenings()
        self._mind_the_clock(now, out)
        if not recalled:
            self._mind_our_deafness(micros(now))
        if not batch.historical:
            self._caught_up(origin, now)
        batch = self._newer(in_order(batch), micros(now), recalled)
        self._past.take(batch, origin, micros(now))
        self._devices.take(batch, micros(now))
        if not len(batch):
            return out
        for row, slot in suspects(self._table, batch):
            if int(batch.source_times[row]) <= self._settled(slot):
                continue
            sample = batch.sample(row)
            then = observe(self._rule(slot), before := self._table.watch(slot), sample)
            if batch.historical and then.active != before.active:
                since = before.leaning_since or sample.source_time
                then = replace(before, leaning_since=since)  # whether it still is so, the present will tell
            self._note(slot, then, sample.value, sample.source_time, out)
        self._machines.take(batch, out, recalled=recalled)
        if out:  # what was raised together with its cause keeps quiet
            self._suppression.look(self._sights, now)
        return out

    def _caught_up(self, origin: str, now: datetime) -> None:
        """What leans now has leant long enough or not from now on: nobody is told of the past."""
        tags = self._past.over(origin)
        if not len(tags):
            return
        for slot in self._table.leaning_slots().tolist():
            if int(self._table.tags[slot]) in tags:
                rule, watch = self._rule(slot), self._table.watch(slot)
                assert watch.leaning_since is not None
                delay = rule.off_delay if watch.active else rule.on_delay
                watch = replace(watch, leaning_since=max(watch.leaning_since, now - delay))
                self._table.keep(slot, watch, self._last_value(slot))

    def _settled(self, slot: int) -> int:
        """Up to where samples are the past of this rule: its last change came from what was after that."""
        changed = int(self._changed[slot])
        if changed == _NEVER:
            return changed
        rule = self._rule(slot)
        delay = rule.on_delay if self._table.active[slot] else rule.off_delay
        return changed - delay // _MICROSECOND

    def leapt(self, leap: ClockLeap) -> None:
        """Before time goes on: the hub's clock was set, as the record hears as well. Where it came back, what
        machines told meanwhile is moved to when it was."""
        self._machines.leapt(leap)

    def _mind_the_clock(self, at: datetime, out: Happenings) -> None:
        """The hub's clock was set back: what is known may not lie in its future and silence the present."""
        now = micros(at)
        if now < self._now - _FUTURE:
            self._machines.not_after(at, now - _FUTURE, out)
            for times in (self._changed, self._heard):
                np.minimum(times, now - _FUTURE, out=times)
            self._order.not_after(now - _FUTURE)
            self._table.not_after(now)
            self._devices.not_after(now)
        self._now = now

    def _mind_our_deafness(self, now: int) -> None:
        """A database that hung, a process that was stopped, a clock that leapt: what could not be heard was
        not silent, and delays stood still meanwhile."""
        deaf = now - self._ticked - _DEAF
        self._ticked = now
        if deaf <= 0:
            return
        np.minimum(self._heard + deaf, now, out=self._heard)
        self._devices.deaf_for(deaf, now)
        self._lag += deaf
        self._hole += deaf
        self._holed = True
        self._silences.deaf_for(deaf * _MICROSECOND)

    def _mind_the_hole(self, tags: NDArray[np.int32], times: NDArray[np.int64]) -> None:
        """A tag's first samples after our deafness: where its own time has a hole as long as that, its delays
        begin behind the hole; where it has none, its samples tell what happened."""
        seen = self._order.seen[tags]
        holed = (seen != _NEVER) & (self._hole[tags] > 0)
        gaps = np.where(holed, times - np.where(holed, seen, times), 0)
        for slot in self._table.leaning_slots().tolist():
            of_tag = tags == self._table.tags[slot]
            hole = int(self._hole[self._table.tags[slot]])
            if hole and (gaps[of_tag] > 0).any() and gaps[of_tag].min() >= hole:
                self._table.leaning[slot] += hole
        self._hole[tags] = 0
        self._holed = bool(self._hole.any())

    def _newer(self, batch: SampleBatch, now: int, recalled: bool) -> SampleBatch:
        known = batch.tags < len(self._heard)
        if recalled:  # what a clock told that was ahead is not told again
            known &= batch.source_times <= now
        times = np.minimum(batch.source_times, now + _FUTURE)
        ahead = np.flatnonzero(batch.source_times > times)
        times[ahead] += np.arange(len(ahead))  # held back, but still one after the other
        fresh = known & (times > self._order.known_until(np.where(known, batch.tags, 0)))
        if not fresh.all():
            batch, times = batch.take(fresh), times[fresh]
        batch = SampleBatch(batch.tags, times, batch.values, batch.statuses, batch.source, batch.historical)
        good = ((batch.statuses & _BAD) == 0) & ~np.isnan(batch.values)
        if self._holed:
            self._mind_the_hole(batch.tags, times)
        self._order.take(batch.tags, times, batch.statuses)
        self._lag[batch.tags] = 0 if batch.historical else np.maximum(now - times, 0)
        if batch.historical:  # heard by its collector, and then
            heard = batch.tags[good]
            self._heard[heard] = np.maximum(self._heard[heard], np.minimum(times[good], now))
        elif not recalled:
            self._heard[batch.tags[good]] = now
        self._value[batch.tags[good]] = batch.values[good]
        return batch

    # ---------------------------------------------------------------- passing time
    def tick(self, now: datetime) -> Happenings:
        out = Happenings()
        self._mind_the_clock(now, out)
        self._mind_our_deafness(micros(now))
        for slot in self._table.leaning_slots().tolist():
            if self._past.of[self._table.tags[slot]]:
                continue
            lag = timedelta(microseconds=int(self._lag[self._table.tags[slot]]))
            then = elapse(self._rule(slot), self._table.watch(slot), now - lag)
            self._note(slot, then, self._last_value(slot), now - lag, out)
        out.alarms.extend(self._silences.tick(now))
        out.alarms.extend(self._devices.tick(micros(now), self._past.moved(micros(now))))
        self._machines.tick(now, out)
        self._suppression.look(self._sights, now)
        return out

    def quiet_until(self, now: datetime) -> Happenings:
        """All was heard that there was, and there was nothing more: nobody has been deaf meanwhile."""
        self._ticked = micros(now)
        return self.tick(now)

    # ---------------------------------------------------------------- other meanings for the same codes
    def recode(
        self, machines: Iterable[Equipment], codes: Mapping[Key, Codes], now: datetime, *, heard: bool = True
    ) -> Happenings:
        """These machines' codes mean other states from now on, and these rules hold on other codes. What was
        stays: where the code means another state now, it changes now; where nothing was `heard` yet, as after
        a warm start, with the next sample."""
        out = Happenings()
        self._mind_the_clock(now, out)
        for machine in machines:
            self._machines.recode(machine, now, self._value, out, heard=heard)
        for key, condition in codes.items():
            slot = self._slots.get(key, 0)
            if slot and self._rule(slot).condition != condition:
                self._rewire(slot, condition, now, out, heard)
        self._suppression.look(self._sights, now)
        return out

    def _rewire(self, slot: int, condition: Codes, now: datetime, out: Happenings, heard: bool) -> None:
        rule = replace(self._rule(slot), condition=condition)
        self.rules[rule.name, rule.subject] = self._table.rules[slot] = rule
        tag, before, value = int(self._table.tags[slot]), self._table.watch(slot), self._last_value(slot)
        self._table.last[slot] = np.nan  # the next sample is thought about
        if not heard or value is None or before.blind or self._past.of[tag]:
            return
        at = now - timedelta(microseconds=int(self._lag[tag]))
        self._note(slot, observe(rule, before, Sample(at, value)), value, at, out)

    def state(self, machine: str) -> EquipmentState | None:
        """What it is in, as told so far; None before anything was."""
        return self._machines.state(machine)

    def told_until(self, machine: str) -> datetime | None:
        """The source time of the last code that was taken in: all that is told from now on is after it."""
        return self._machines.told_until(machine)

    # ---------------------------------------------------------------- suppression by design
    def suppressing_tags(self) -> list[int]:
        """Numbers of the tags whose value suppresses: they may have said it long before a warm start."""
        return self._suppression.tags()

    def device_tags(self) -> list[int]:
        """Numbers of the tags of all devices: what was said of them last may be that they are lost."""
        return self._devices.tags()

    def know_devices(self, newest: SampleBatch) -> None:
        """The newest of them from the record, at a warm start."""
        self._devices.take(newest, self._now)

    def know(self, newest: SampleBatch) -> None:
        """Values from the record, at a warm start: for suppression only, not as something heard."""
        good = ((newest.statuses & _BAD) == 0) & ~np.isnan(newest.values) & (newest.tags < len(self._value))
        self._value[newest.tags[good]] = newest.values[good]

    def suppressed(self, rule: Rule) -> Words | Literal[False] | None:
        """Why this rule keeps quiet now; False when it does not, None while that is not known yet."""
        return self._suppression.holds((rule.name, rule.subject))

    def put_aside(self, keys: Iterable[Key]) -> None:
        """Rules whose alarm somebody has put aside: they are no cause for others to keep quiet."""
        self._suppression.aside = frozenset(keys)

    def _good_value(self, tag: int) -> float | None:
        value = float(self._value[tag])
        return None if np.isnan(value) else value

    def _holds(self, key: Key) -> bool:
        if (away := self._devices.away(key)) is not None:
            return away
        if key in self._slots:
            return bool(self._table.active[self._slots[key]])
        return self._silences.holds(key)

    # ---------------------------------------------------------------- changes
    def _rule(self, slot: int) -> Rule:
        rule = self._table.rules[slot]
        assert rule is not None
        return rule

    def _note(self, slot: int, then: Watch, value: float | None, time: datetime, out: Happenings) -> None:
        """Compare with what was known, keep the new memory, and say what it means for the alarm."""
        before, rule = self._table.watch(slot), self._rule(slot)
        if then.active and then.blind != before.blind and then.active == before.active:
            out.alarms.append((rule, Sight(time, then.blind)))
        if then.active != before.active:
            delay = rule.off_delay if before.active else rule.on_delay
            since = before.leaning_since or time
            at = self._after_the_last(slot, since + delay)
            out.alarms.append((rule, Raised(at, value) if then.active else Cleared(at, value)))
        self._table.keep(slot, then, value)

    def _after_the_last(self, slot: int, at: datetime) -> datetime:
        """The time of a change, behind the one before it.

        A delay that ran out by the clock may be followed by a sample from before its end: what it says is
        true now all the same, and a change that is not newer than the last would be taken for a repeat.
        """
        us = max(micros(at), int(self._changed[slot]) + 1) if self._changed[slot] != _NEVER else micros(at)
        self._changed[slot] = us
        return from_micros(us)

    def _last_value(self, slot: int) -> float | None:
        return self._good_value(int(self._table.tags[slot]))


def _micros_of(alarm: Alarm) -> int:
    return micros(alarm.condition_at) if alarm.condition_at is not None else 0
