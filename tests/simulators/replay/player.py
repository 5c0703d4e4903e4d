"""Shows recorded changes on the machines' servers, in their order and at the chosen speed."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from hub.ports import Clock
from tests.simulators.fleet import Fleet
from tests.simulators.replay.changes import changes
from tests.simulators.replay.recording import Change, Recording
from tests.simulators.wire import Value

TOGETHER = 0.02  # seconds of playing within which changes are passed on in one go
PROGRESS_EVERY = 1.0  # seconds


class Step(NamedTuple):
    at: datetime
    machine: str
    tag: str
    value: Value


class Score:
    """All machines' changes in one order. `numbers`: words are played as their codes (Modbus has no text).

    Machines that were recorded at different times, with no hour in common, are played side by side from their
    first changes on, unless a `start` is named: nobody wants to watch a machine that is dead for months.
    """

    def __init__(self, recording: Recording, numbers: bool, start: datetime | None) -> None:
        self._recording, self._numbers, self._start = recording, numbers, start
        apart = start is None and not _overlap(recording)
        self._shifts = {
            m.id: m.first - recording.first if apart else timedelta(0) for m in recording.machines
        }

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first change played to the last."""
        last = max(m.last - self._shifts[m.id] for m in self._recording.machines)
        return max(self._recording.first, self._start or self._recording.first), last

    def opening(self) -> dict[str, dict[str, Value]]:
        """What holds at the start: nothing known, or everything said before `start`."""
        images: dict[str, dict[str, Value]] = {
            m.id: {s.tag: None for s in m.signals} for m in self._recording.machines
        }
        if self._start:
            for step in self._merged():
                if step.at >= self._start:
                    break
                images[step.machine][step.tag] = step.value
        return images

    def steps(self) -> Iterator[Step]:
        return (s for s in self._merged() if self._start is None or s.at >= self._start)

    def _merged(self) -> Iterator[Step]:
        parts = [self._of(m.id, changes(m)) for m in self._recording.machines]
        return heapq.merge(*parts, key=lambda s: s.at)

    def _of(self, machine: str, found: Iterator[Change]) -> Iterator[Step]:
        recorded = next(m for m in self._recording.machines if m.id == machine)
        codes = {s.tag: s.codes for s in recorded.signals if s.codes}
        for at, tag, value in found:
            if self._numbers and isinstance(value, str):
                value = float(codes[tag].get(value, 0))  # noqa: PLW2901
            yield Step(at - self._shifts[machine], machine, tag, value)


def _overlap(recording: Recording) -> bool:
    """Whether any two machines were recorded at the same time; one alone has nobody to be apart from."""
    machines = sorted(recording.machines, key=lambda m: m.first)
    return len(machines) < 2 or any(b.first <= a.last for a, b in pairwise(machines))


async def play(
    score: Score,
    fleet: Fleet,
    clock: Clock,
    speed: float,
    max_gap: timedelta,
    say: Callable[[dict[str, Any]], None],
    span: tuple[datetime, datetime],
) -> int:
    """Play once from the start; returns how many changes were shown.

    Silence longer than `max_gap` of playing time is cut to that. Late changes are not left out.
    """
    tempo = _Tempo(clock, speed, max_gap.total_seconds())
    told_at = clock.monotonic()
    played = 0
    bundle: list[Step] = []
    for step in score.steps():
        wait = tempo.wait_for(step.at)
        if wait > TOGETHER or len(bundle) >= 200:
            await show(fleet, bundle)
            bundle = []
            await clock.sleep(max(0.0, wait))
        bundle.append(step)
        played += 1
        if clock.monotonic() - told_at >= PROGRESS_EVERY:
            told_at = clock.monotonic()
            say({"progress": round(_share(step.at, span), 4), "at": step.at.isoformat(), "played": played})
    await show(fleet, bundle)
    return played


def _share(at: datetime, span: tuple[datetime, datetime]) -> float:
    whole = (span[1] - span[0]).total_seconds()
    return min(1.0, max(0.0, (at - span[0]).total_seconds() / whole)) if whole else 1.0


class _Tempo:
    """When a recorded time is due on the clock."""

    def __init__(self, clock: Clock, speed: float, max_gap: float) -> None:
        self._clock, self._speed, self._max_gap = clock, speed, max_gap
        self._last: datetime | None = None
        self._due = clock.monotonic()

    def wait_for(self, at: datetime) -> float:
        """Seconds from now until this change is due."""
        if self._last is not None:
            gap = max(0.0, (at - self._last).total_seconds() / self._speed)
            self._due += min(gap, self._max_gap)
        self._last = at
        return self._due - self._clock.monotonic()


async def show(fleet: Fleet, bundle: list[Step]) -> None:
    """Pass changes on without losing one: a tag that changes twice is told twice."""
    waiting: dict[str, dict[str, Value]] = {}
    for step in bundle:
        values = waiting.setdefault(step.machine, {})
        if step.tag in values:
            await fleet.tell(step.machine, values)
            values = waiting[step.machine] = {}
        values[step.tag] = step.value
    for machine, values in waiting.items():
        await fleet.tell(machine, values)
    await asyncio.sleep(0)
