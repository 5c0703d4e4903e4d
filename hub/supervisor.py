"""Keeps runners running: restarts them with growing pauses and says how they are.

The only place that may catch everything. What a runner raises on purpose (Transient) is weather; anything
else is a bug, logged with its trace, and restarted all the same: one broken room must not darken the house.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from hub import metrics
from hub.errors import ConfigError, Permanent, Transient
from hub.model.circuit import Circuit, pause_of
from hub.ports import Clock, PartHealth
from hub.together import ended

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5  # seconds
LONGEST_PAUSE = 15.0
STEADY = 30.0  # a run this long counts as healthy: the pauses start anew
SETTLED = 0.2  # a run this long counts as up
AGAIN = 600.0  # what failed for the same reason meanwhile is counted, and logged once more
REASONS = 8  # of one part at a time

REFUSALS = ("SourceRefused:", "Permanent:", "ConfigError:")  # a person has to change something first

Run = Callable[[], Awaitable[None]]


class Supervisor:
    """`watch` each runner before `run`, or while it runs: then it begins at once. `health` any time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runs: dict[str, Run] = {}
        self._details: dict[str, Callable[[], dict[str, Any]]] = {}
        self.parts: dict[str, PartHealth] = {}
        self._circuits: dict[str, Circuit] = {}
        self._logged: dict[
            str, dict[str, tuple[float, int]]
        ] = {}  # when each reason was, and how often since
        self._tasks: set[asyncio.Task[None]] | None = None  # while it runs
        self._another = asyncio.Event()

    def watch(
        self,
        name: str,
        run: Run,
        detail: Callable[[], dict[str, Any]] | None = None,
        *,
        outside: bool = False,
    ) -> None:
        """`run` makes a fresh runner each time: nothing of a failed life is carried over.

        `outside`: it is a way to something that is not ours, with a circuit (hub.circuit) and its pauses.
        """
        if self._tasks is not None and name in self._runs:
            raise ValueError(f"{name} is watched already, and runs")
        self._runs[name] = run
        self.parts[name] = PartHealth(name, outside=outside)
        if outside:
            self._circuits[name] = Circuit()
        if detail is not None:
            self._details[name] = detail
        if self._tasks is not None:
            self._tasks.add(asyncio.create_task(self._keep(name, run), name=name))
            self._another.set()

    def health(self) -> list[PartHealth]:
        for name, detail in self._details.items():
            self.parts[name].detail = detail()
        for name, way in self._circuits.items():
            self.parts[name].circuit = way
        return list(self.parts.values())

    def proved(self, name: str) -> None:
        """What is outside was heard."""
        if name in self._circuits:
            self._circuits[name] = self._circuits[name].proved(self._clock.now(), self._clock.monotonic())

    async def run(self) -> None:
        """Until cancelled; then every runner is asked to end until it has ended.

        Asked more than once, since before Python 3.12 a library's wait_for may swallow a cancellation.
        """
        tasks = {asyncio.create_task(self._keep(name, run), name=name) for name, run in self._runs.items()}
        self._tasks = tasks
        try:
            while True:
                await self._first_of(tasks)
        finally:
            self._tasks = None
            await ended(tasks)

    async def _first_of(self, tasks: set[asyncio.Task[None]]) -> None:
        """Returns when another one has come; raises what ends one of them."""
        self._another.clear()
        another = asyncio.create_task(self._another.wait())
        try:
            done, _ = await asyncio.wait({*tasks, another}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            another.cancel()
        for task in done - {another}:
            task.result()

    async def _keep(self, name: str, run: Run) -> None:
        pause = FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            if name in self._circuits:
                self._circuits[name] = self._circuits[name].tried(self._clock.now())
            reason = await self._live(name, run, began)
            if self._clock.monotonic() - began >= STEADY:
                pause = FIRST_PAUSE
            part = self.parts[name]
            part.up, part.since, part.last_error = False, self._clock.now(), reason
            part.restarts += 1
            metrics.part(name, up=False)
            metrics.restarted(name)
            if part.outside:
                await self._clock.sleep(self._open(name, reason, began))
                continue
            await self._clock.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _open(self, name: str, reason: str, began: float) -> float:
        """The circuit is open from now on; for how many seconds."""
        way, now, at = self._circuits[name], self._clock.now(), self._clock.monotonic()
        way = way.failed(now, reason, now, at - way.heard if way.heard is not None else 0.0)
        seconds = pause_of(way, at - began, random.random(), refused=reason.startswith(REFUSALS))
        self._circuits[name] = replace(way, next_try=now + timedelta(seconds=seconds))
        return seconds

    async def _live(self, name: str, run: Run, began: float) -> str:
        """One life; what it ended with, in a line without a secret."""
        settled = asyncio.create_task(self._settle(name))
        try:
            await run()
        except BaseException as cause:  # also a CancelledError that a library made of something else
            if _asked_to_stop():
                if isinstance(cause, asyncio.CancelledError):
                    raise
                raise asyncio.CancelledError from cause  # a runner that fails while it is stopped has stopped
            return self._ended(name, cause, began)
        finally:
            settled.cancel()
        if _asked_to_stop():
            raise asyncio.CancelledError
        log.warning("part.ended", part=name)
        return "ended"

    def _ended(self, name: str, cause: BaseException, began: float) -> str:
        if isinstance(cause, BaseExceptionGroup):
            others = [e for e in _leaves(cause) if not isinstance(e, asyncio.CancelledError)]
            cause = others[0] if others else cause
        if isinstance(cause, KeyboardInterrupt | SystemExit):
            raise cause
        if isinstance(cause, Transient | Permanent | ConfigError | OSError):
            self._log_down(name, cause, began)
            return f"{type(cause).__name__}: {cause}"
        log.error("part.bug", part=name, exc_info=cause)
        return type(cause).__name__

    def _log_down(self, name: str, cause: BaseException, began: float) -> None:
        """Once for each reason, until it was well for a while: a dead device is tried every few seconds."""
        at, reason = self._clock.monotonic(), str(cause)
        well = self._circuits[name].heard if name in self._circuits else began
        if well is not None and at - well >= STEADY:
            self._logged.pop(name, None)
        logged = self._logged.setdefault(name, {})
        last, since = logged.get(reason, (None, 0))
        if last is not None and at - last < AGAIN:
            logged[reason] = last, since + 1
            return
        if len(logged) >= REASONS:
            logged.clear()
        logged[reason] = at, 0
        times = {"times": since + 1} if since else {}
        log.warning("part.down", part=name, error=type(cause).__name__, reason=reason, **times)

    async def _settle(self, name: str) -> None:
        await self._clock.sleep(SETTLED)
        part = self.parts[name]
        part.up, part.since = True, self._clock.now()
        metrics.part(name, up=True)


def _asked_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    out: list[BaseException] = []
    for e in group.exceptions:
        out.extend(_leaves(e) if isinstance(e, BaseExceptionGroup) else [e])
    return out
