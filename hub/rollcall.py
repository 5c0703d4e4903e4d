"""Who of the house is there: every process says so once a second, the web process keeps the list.

A process that has not been heard for a while counts as down with all its parts and sources, and so does a
part that the configuration asks for and that nobody has spoken of yet. In one process the same words travel
over the in-process bus.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.clock import SystemClock
from hub.ports import Bus, Clock, PartHealth

ROLL = "roll-call"  # a topic of its own: nobody but the list is woken by it
EVERY = 1.0  # seconds
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
        self._processes: dict[str, Process] = {}

    # ---------------------------------------------------------------- saying
    async def say(self) -> None:
        """To the house, and into a file for the container's health check."""
        while True:
            parts = await self._word()
            leave_word(self._clock.now(), {n: bool(p["up"]) for n, p in parts.items() if not p["outside"]})
            await self._clock.sleep(EVERY)

    async def source(self, name: str, up: bool, error: str) -> None:
        """A source of this process was heard or lost: said at once, and with every word from now on."""
        self._mine[name] = {"up": up, "since": stamp(self._clock.now()), "error": error}
        await self._word()

    async def _word(self) -> dict[str, dict[str, Any]]:
        parts = {p.name: as_json(p) for p in self._parts()}
        word = {"name": self._name, "job": self._job, "parts": parts, "sources": self._mine}
        await self._bus.shout(ROLL, orjson.dumps(word))
        return parts

    # ---------------------------------------------------------------- hearing
    async def hear(self) -> None:
        async for body in self._bus.listen(ROLL):
            word = orjson.loads(body)
            said = Process(word["name"], self._clock.monotonic(), self._clock.now(), word["job"],
                           word["parts"], word["sources"])  # fmt: skip
            for gone in [p.name for p in self._processes.values() if self._replaces(said, p)]:
                del self._processes[gone]
            self._processes[said.name] = said

    def _replaces(self, new: Process, old: Process) -> bool:
        """A container made anew has a new host name; what it replaces must not be missed for ever."""
        return old.name != new.name and old.job == new.job and self._silent(old)

    def _silent(self, process: Process) -> bool:
        return self._clock.monotonic() - process.heard > MISSED

    # ---------------------------------------------------------------- telling
    def parts(self) -> list[dict[str, Any]]:
        """Every part of every process; those of a silent process, and those nobody spoke of, are down.

        Our own we know first-hand, also while the bus is away.
        """
        out = [{**as_json(part), "process": self._name} for part in self._parts()]
        for process in (p for p in self._processes.values() if p.name != self._name):
            # not a machine is away now but the one of us who reads it
            lost = {"up": False, "outside": False, "last_error": UNHEARD} if self._silent(process) else {}
            out += [{**part, "process": process.name, **lost} for part in process.parts.values()]
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
        """{name: {"up", "since", "error"}}; the sources of a silent process are lost."""
        out: dict[str, dict[str, Any]] = {}
        for process in sorted(self._processes.values(), key=lambda p: p.heard):
            lost = {"up": False, "since": stamp(process.heard_at), "error": UNHEARD}
            for name, source in process.sources.items():
                out[name] = {**source, **(lost if self._silent(process) and source["up"] else {})}
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


def _late(part: Mapping[str, Any]) -> bool:
    """What it was sent that long ago it has not looked at yet."""
    return bool(part["detail"].get("behind_seconds", 0) > LATE)


def stands_by(part: Mapping[str, Any]) -> bool:
    """Ready to take over what another process does."""
    return bool(part["up"] and part["detail"].get("standby"))


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
