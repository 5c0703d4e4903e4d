"""What machines do: signals to states and pieces, unknown where nothing was heard for too long. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alert_rules.equipment import MachineWatch
from alert_rules.happenings import Happenings
from alert_rules.past import Past
from hub.model.batch import SampleBatch, from_micros, micros
from hub.model.clock_leap import ClockLeap
from hub.model.equipment import Count, Equipment, EquipmentState, StateSpan
from hub.ports import Plant

_BAD = np.uint32(0x80000000)
_NEVER = np.iinfo(np.int64).min
_MICROSECOND = timedelta(microseconds=1)


class Machines:
    """The evaluator's arrays have a place for each tag: `heard` the hub's time of its last good sample, `lag`
    that time minus the source's, `patience` its stale_after, all in microseconds."""

    def __init__(
        self,
        plant: Plant,
        past: Past,
        heard: NDArray[np.int64],
        lag: NDArray[np.int64],
        patience: NDArray[np.int64],
    ) -> None:
        self._plant, self._past, self._heard, self._lag, self._patience = plant, past, heard, lag, patience
        self._watches = {m.path: MachineWatch(m) for m in plant.machines()}
        self._stateful = [w for w in self._watches.values() if w.machine.state_tag]
        numbers = [plant.tags[w.machine.state_tag].number for w in self._stateful]
        self._state_tags = np.array(numbers, np.intp)  # of each of them
        self._signal = np.zeros(len(heard), bool)  # state or counter of some machine
        self._shown = np.full(len(heard), np.nan)  # what that signal last said
        self._told = np.full(len(heard), _NEVER)  # source time of its newest good sample
        self._meaning: dict[int, list[tuple[MachineWatch, str]]] = {}
        for watch in self._watches.values():
            m = watch.machine
            for path, what in ((m.state_tag, "state"), (m.good_tag, "good"), (m.scrap_tag, "scrap")):
                if path:
                    number = plant.tags[path].number
                    self._signal[number] = True
                    self._meaning.setdefault(number, []).append((watch, what))

    def seed(
        self,
        states: Mapping[str, StateSpan],
        counts: Mapping[tuple[str, bool], Count],
        evaluated: datetime | None,
    ) -> None:
        if evaluated is not None:
            self._told[self._signal] = micros(evaluated)
        for path, span in states.items():
            if path in self._watches:
                self._watches[path].state, self._watches[path].since = span.state, span.since
                if evaluated is not None and span.state is not EquipmentState.UNKNOWN:
                    self._was_told(self._watches[path].machine.state_tag, span.since)
        for (path, good), count in counts.items():
            if path in self._watches:
                self._watches[path].counted(count.reading, good, count.at)

    def _was_told(self, path: str, at: datetime) -> None:
        """The record may be newer than the mark."""
        if path in self._plant.tags:
            tag = self._plant.tags[path].number
            self._told[tag] = max(int(self._told[tag]), micros(at))

    def tags(self) -> list[int]:
        return [int(tag) for tag in np.flatnonzero(self._signal)]

    def state(self, equipment: str) -> EquipmentState | None:
        return self._watches[equipment].state

    def told_until(self, machine: str) -> datetime | None:
        """The source time of the last code that was taken in: all that is told from now on is after it."""
        tag = self._watches[machine].machine.state_tag
        told = int(self._told[self._plant.tags[tag].number]) if tag else _NEVER
        return from_micros(told) if told != _NEVER else None

    # ---------------------------------------------------------------- samples
    def take(self, batch: SampleBatch, out: Happenings, *, recalled: bool) -> None:
        """Rows newer than their tag's last, those of one tag in order."""
        mine = self._signal[batch.tags] & ~np.isnan(batch.values) & ((batch.statuses & _BAD) == 0)
        rows = np.flatnonzero(mine)
        if not len(rows):
            return
        tags, values, times = batch.tags[rows], batch.values[rows], batch.source_times[rows]
        gap = (self._told[tags] != _NEVER) & (times - self._told[tags] > self._patience[tags])
        wanted = gap | (values != self._shown[tags]) | (len(np.unique(tags)) < len(tags))
        for row in rows[wanted]:
            said = int(batch.tags[row]), float(batch.values[row]), int(batch.source_times[row])
            self._read(*said, out, recalled)
        self._told[tags] = times

    def _read(self, tag: int, value: float, time: int, out: Happenings, recalled: bool) -> None:
        self._shown[tag] = value
        at, lost_at = from_micros(time), self._lost_at(tag, time)
        self._told[tag] = time
        patience = timedelta(microseconds=int(self._patience[tag]))
        for watch, what in self._meaning[tag]:
            unheard_then = what == "state" and watch.unheard_at(at, patience)  # nor by the life before
            if recalled and not unheard_then and watch.knows(what, at):
                if what == "state" and watch.meaning(value) is not watch.state:
                    self._shown[tag] = np.nan  # the record has what came after: the next one counts
                continue
            if unheard_then:
                out.states.extend(span for span in (watch.retell(value, at),) if span is not None)
                self._shown[tag] = np.nan  # the next one counts, also when it says the same
            elif what == "state":
                out.states.extend(span for span in (watch.take_back(),) if span is not None)
                unheard = watch.become(EquipmentState.UNKNOWN, lost_at) if lost_at and watch.state else None
                spans = (unheard, watch.read_state(value, at))
                out.states.extend(span for span in spans if span is not None)
            # pieces of a time in which nobody listened belong into it, not into the moment of the reconnect
            elif (count := watch.read_counter(value, what == "good", lost_at or at)) is not None:
                out.counts.append(count)

    def _lost_at(self, tag: int, time: int) -> datetime | None:
        """When this signal fell silent, if it was silent for longer than its limit just before `time`."""
        told, patience = int(self._told[tag]), int(self._patience[tag])
        return from_micros(told + patience) if told != _NEVER and time - told > patience else None

    # ---------------------------------------------------------------- passing time
    def tick(self, now: datetime, out: Happenings) -> None:
        gone_at = self._heard[self._state_tags] + self._patience[self._state_tags]
        for place in np.flatnonzero(gone_at <= micros(now)).tolist():
            self._unknown(self._stateful[place], from_micros(int(gone_at[place])), now, out)

    def _unknown(self, watch: MachineWatch, gone_at: datetime, now: datetime, out: Happenings) -> None:
        tag = self._plant.tags[watch.machine.state_tag]
        if watch.state is EquipmentState.UNKNOWN or self._past.moving(tag.number, micros(now)):
            return
        told = int(self._told[tag.number])  # states are in the source's time
        at = min(from_micros(told) + tag.stale_after, now) if told != _NEVER else gone_at
        if (span := watch.become(EquipmentState.UNKNOWN, at)) is not None:
            self._shown[tag.number] = np.nan
            out.states.append(span)

    def not_after(self, at: datetime, latest: int, out: Happenings) -> None:
        """The hub's clock was set back to `at`: no sample was told later than `latest`."""
        spans = (watch.not_after(at) for watch in self._watches.values())
        out.states.extend(span for span in spans if span is not None)
        np.minimum(self._told, latest, out=self._told)

    def leapt(self, leap: ClockLeap) -> None:
        """The hub's clock came back: what machines told meanwhile is moved to when it was."""
        if leap.of is None:
            return
        since, by = leap.of.now, leap.of.was - leap.of.now
        self._told[self._told >= micros(since)] += by // _MICROSECOND
        for watch in self._watches.values():
            watch.moved(since, by)

    # ---------------------------------------------------------------- other meanings for the same codes
    def recode(
        self, machine: Equipment, now: datetime, value: NDArray[np.float64], out: Happenings, *, heard: bool
    ) -> None:
        """`value` has each tag's newest good one, `heard` whether anything was since the start."""
        watch = self._watches[machine.path]
        if machine.state_map == watch.machine.state_map:
            return
        watch.machine, watch.retold = machine, None
        tag = self._plant.tags[machine.state_tag].number
        silent = watch.state is EquipmentState.UNKNOWN and np.isnan(self._shown[tag])
        self._shown[tag] = np.nan  # the next one counts, also when it says the same
        if not heard or watch.state is None or silent or np.isnan(value[tag]) or self._past.of[tag]:
            return
        at = now - timedelta(microseconds=int(self._lag[tag]))  # states are in the source's time
        if (span := watch.read_state(float(value[tag]), at)) is not None:
            out.states.append(span)
