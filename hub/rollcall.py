"""Who of the house is there: every process says so every two seconds, the web process keeps the list.

A process that has not been heard for a while counts as down with all its parts and sources, and so does a
part that the configuration asks for and that nobody has spoken of yet. In one process the same words travel
over the in-process bus.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.clock import SystemClock
from hub.ports import ROLL, Bus, Clock, PartHealth

EVERY = 2.0  # seconds
MISSED = 5.0  # seconds without a word
STALE = 3 * MISSED  # age at which the word for health checks says nothing any more
LATE = 10.0  # seconds that a part may be behind before people are told
UNHEARD = "not heard"


@dataclass(slots=True)
class Process:
    """What a process said last. `job` is the parts it was started for, the same after every restart."""

    name: str
    heard: float  # monotonic
    heard_at: datetime
    job: str = ""
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class RollCall:
    """`say` for the process itself, `hear` for the one that shows it.

    `elsewhere` names the parts that this configuration expects of other processes.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        name: str,
        job: str,
        parts: Callable[[], list[PartHealth]],
        elsewhere: Sequence[str] = (),
    ) -> None:
        self._bus, self._clock, self._name, self._job, self._parts = bus, clock, name, job, parts
        self._elsewhere = tuple(elsewhere)
        self._mine: dict[str, dict[str, Any]] = {}  # sources that this process reads
        self._about: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._processes: dict[str, Process] = {}
        self._lost: dict[str, dict[str, int]] = {}  # of each source, by lives of processes that are over

    # ---------------------------------------------------------------- saying
    async def say(self) -> None:
        """To the house, and into a file for the container's health check."""
        left: dict[str, bool] = {}
        left_at = -math.inf
        while True:
            parts = await self._word()
            word = {n: bool(p["up"]) for n, p in parts.items() if not p["outside"]}
            now = self._clock.monotonic()
            if word != left or now - left_at >= MISSED:  # what is no news need not go to a disk each time
                leave_word(self._clock.now(), word)
                left, left_at = word, now
            await self._clock.sleep(EVERY)

    async def source(self, name: str, up: bool, error: str) -> None:
        """A source of this process was heard or lost, or is lost for another reason by now: said at once, and
        with every word from now on."""
        before = self._mine.get(name)
        since = before["since"] if before and before["up"] == up else stamp(self._clock.now())
        self._mine[name] = {"up": up, "since": since, "error": error}
        await self._word()

    def about(self, name: str, told: Callable[[], Mapping[str, Any]]) -> None:
        """More that is to be said of a source, each time anew: its line, what it lost."""
        self._about[name] = told

    async def _word(self) -> dict[str, dict[str, Any]]:
        parts = {p.name: as_json(p) for p in self._parts()}
        sources = {name: {**said, **self._about.get(name, dict)()} for name, said in self._mine.items()}
        word = {"name": self._name, "job": self._job, "parts": parts, "sources": sources}
        await self._bus.shout(ROLL, orjson.dumps(word))
        return parts

    # ---------------------------------------------------------------- hearing
    async def hear(self) -> None:
        async for body in self._bus.listen(ROLL):
            word = orjson.loads(body)
            said = Process(word["name"], self._clock.monotonic(), self._clock.now(), word["job"],
                           word["parts"], word["sources"])  # fmt: skip
            for gone in [p for p in self._processes.values() if self._replaces(said, p)]:
                self._keep_lost(gone.sources)
                del self._processes[gone.name]
            if (before := self._processes.get(said.name)) is not None and _began_anew(before, said):
                self._keep_lost(before.sources)
            self._processes[said.name] = said

    def _keep_lost(self, sources: Mapping[str, Mapping[str, Any]]) -> None:
        for name, source in sources.items():
            self._lost[name] = _sum(self._lost.get(name, {}), source.get("lost", {}))

    def _replaces(self, new: Process, old: Process) -> bool:
        """A container made anew has a new host name; what it replaces must not be missed for ever."""
        return old.name != new.name and old.job == new.job and self._silent(old)

    def _silent(self, process: Process) -> bool:
        return self._clock.monotonic() - process.heard > MISSED

    # ---------------------------------------------------------------- telling
    def parts(self) -> list[dict[str, Any]]:
        """Every part of every process; those of a silent process, and those nobody spoke of, are down, and so
        is who reads a source that is lost.

        Our own we know first-hand, also while the bus is away.
        """
        mine = (_as_its_source(as_json(part), self._mine) for part in self._parts())
        out = [{**part, "process": self._name} for part in mine]
        for process in (p for p in self._processes.values() if p.name != self._name):
            silent = self._silent(process)
            out += [
                {
                    **(_unheard(p, process.heard_at) if silent else _as_its_source(p, process.sources)),
                    "process": process.name,
                }
                for p in process.parts.values()
            ]
        told = {part["name"] for part in out}
        absent = (PartHealth(name, last_error=UNHEARD) for name in self._elsewhere if name not in told)
        return [*out, *({**as_json(part), "process": ""} for part in absent)]

    def down(self) -> list[str]:
        """Names of parts that no process has up; who only stands by, or is far behind, does not do it."""
        parts = self.parts()
        done = {p["name"] for p in parts if p["up"] and not stands_by(p) and not _late(p)}
        return sorted({p["name"] for p in parts} - done)

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """{name: {"up", "since", "error", ...}}; the sources of a silent process are lost. What several lives
        of a process lost of a source is added up."""
        out: dict[str, dict[str, Any]] = {}
        for process in sorted(self._processes.values(), key=lambda p: p.heard):
            lost = {"up": False, "since": stamp(process.heard_at), "error": UNHEARD}
            for name, source in process.sources.items():
                away = lost if self._silent(process) and source["up"] else {}
                so_far = out[name].get("lost", {}) if name in out else self._lost.get(name, {})
                gone = _sum(so_far, source.get("lost", {}))
                out[name] = {**source, **away, **({"lost": gone} if gone else {})}
        return out


# ------------------------------------------------------------------ for `andon alive`
def _file() -> Path:
    """One process in each container; several on one machine need a name each, by ANDON_ALIVE."""
    named = os.environ.get("ANDON_ALIVE")
    return Path(named or Path(tempfile.gettempdir()) / f"andon-alive-{os.geteuid()}.json")


def leave_word(at: datetime, parts: Mapping[str, bool]) -> None:
    """Whole or not at all: a health check may be reading. A full disk must not stop the roll-call."""
    file = _file()
    with contextlib.suppress(OSError):
        number, name = tempfile.mkstemp(prefix=file.name, dir=file.parent)
        with os.fdopen(number, "wb") as fresh:
            fresh.write(orjson.dumps({"at": at.timestamp(), "parts": dict(parts)}))
        Path(name).replace(file)


def well(now: datetime | None = None) -> str:
    """ "" when this machine's process said a moment ago that all its parts are up, else what is wrong."""
    try:
        said = orjson.loads(_file().read_bytes())
        age = (now or SystemClock().now()).timestamp() - float(said["at"])
        down = sorted(name for name, up in said["parts"].items() if not up)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "no process has left word here"
    if age > STALE:
        return f"the process has not been heard for {age:.0f} s"
    return f"down: {', '.join(down)}" if down else ""


# ------------------------------------------------------------------ as JSON
def as_json(part: PartHealth) -> dict[str, Any]:
    way = part.circuit
    circuit = {} if way is None else {
        "circuit": {
            "state": way.state.value, "since": stamp(way.since), "failures": way.failures,
            "next_try": stamp(way.next_try), "last_error": way.last_error,
        }
    }  # fmt: skip
    return {
        **circuit,
        "name": part.name,
        "up": part.up,
        "outside": part.outside,
        "since": stamp(part.since),
        "restarts": part.restarts,
        "last_error": part.last_error,
        "detail": part.detail,
    }


def _began_anew(before: Process, now: Process) -> bool:
    """A process of the same name counts from the beginning: in a container all have the same number."""
    return any(
        now.sources.get(name, {}).get("lost", {}).get(why, 0) < count
        for name, source in before.sources.items()
        for why, count in source.get("lost", {}).items()
    )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {why: one.get(why, 0) + other.get(why, 0) for why in {**one, **other}}


def _unheard(part: Mapping[str, Any], since: datetime) -> dict[str, Any]:
    """Not a machine is away now but the one of us who reads it; how the way there stands nobody knows."""
    told = {"up": False, "outside": False, "last_error": UNHEARD, "circuit": None}
    return {**part, **told, "since": stamp(since) if part["up"] else part["since"]}


def _as_its_source(part: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A reader that runs, and tries to reach what does not answer, is not up beside a source that is lost."""
    source = sources.get(part["name"].partition(" ")[2]) if part["outside"] else None
    if source is None or source["up"] or not part["up"]:
        return dict(part)
    return {
        **part,
        "up": False,
        "since": source["since"],
        "last_error": part["last_error"] or source["error"],
    }


def _late(part: Mapping[str, Any]) -> bool:
    """What it was sent that long ago it has not looked at yet."""
    return bool(part["detail"].get("behind_seconds", 0) > LATE)


def stands_by(part: Mapping[str, Any]) -> bool:
    """Ready to take over what another process does."""
    return bool(part["up"] and part["detail"].get("standby"))


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
