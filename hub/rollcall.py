"""Who of the house is there: every process says so once a second, the web process keeps the list.

A process that has not been heard for a while counts as down with all its parts. In one process the same
words travel over the in-process bus.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.clock import SystemClock
from hub.ports import EVENTS, Bus, Clock, PartHealth

EVERY = 1.0  # seconds
MISSED = 5.0  # seconds without a word


@dataclass(slots=True)
class Process:
    name: str
    heard: float  # monotonic
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)


class RollCall:
    """`say` for the process itself, `hear` for the one that shows it."""

    def __init__(self, bus: Bus, clock: Clock, name: str, parts: Callable[[], list[PartHealth]]) -> None:
        self._bus, self._clock, self._name, self._parts = bus, clock, name, parts
        self._processes: dict[str, Process] = {}
        self.sources: dict[str, dict[str, Any]] = {}

    async def say(self, shout: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
        """To the house, and into a file for the container's health check."""
        while True:
            parts = {p.name: as_json(p) for p in self._parts()}
            await shout({"kind": "process", "name": self._name, "parts": parts})
            leave_word(self._clock.now(), {name: bool(p["up"]) for name, p in parts.items()})
            await self._clock.sleep(EVERY)

    async def hear(self) -> None:
        async for body in self._bus.listen(EVENTS):
            event = orjson.loads(body)
            if event.get("kind") == "process":
                self._processes[event["name"]] = Process(
                    event["name"], self._clock.monotonic(), event["parts"]
                )
            elif event.get("kind") == "source":
                self.sources[event["name"]] = {
                    "up": event["up"], "since": event.get("at"), "error": event.get("error", ""),
                }  # fmt: skip

    def parts(self) -> list[dict[str, Any]]:
        """Every part of every process; those of a silent process are down."""
        out = []
        now = self._clock.monotonic()
        for process in self._processes.values():
            silent = now - process.heard > MISSED
            for part in process.parts.values():
                out.append(
                    part
                    | {"process": process.name}
                    | ({"up": False, "last_error": "not heard"} if silent else {})
                )
        return out

    def down(self) -> list[str]:
        return sorted(p["name"] for p in self.parts() if not p["up"])


def _word() -> Path:
    return Path(
        os.environ.get("ANDON_ALIVE") or Path(tempfile.gettempdir()) / f"andon-alive-{os.geteuid()}.json"
    )


def leave_word(at: datetime, parts: Mapping[str, bool]) -> None:
    with contextlib.suppress(OSError):  # a full or read-only disk must not stop the roll-call
        _word().write_bytes(orjson.dumps({"at": at.timestamp(), "parts": dict(parts)}))


def well() -> str:
    """ "" when this machine's process said a moment ago that all its parts are up, else what is wrong."""
    try:
        said = orjson.loads(_word().read_bytes())
    except (OSError, ValueError):
        return "no process has left word here"
    if SystemClock().now().timestamp() - said["at"] > 3 * MISSED:
        return "the process has not been heard lately"
    down = sorted(name for name, up in said["parts"].items() if not up)
    return f"down: {', '.join(down)}" if down else ""


def as_json(part: PartHealth) -> dict[str, Any]:
    return {
        "name": part.name,
        "up": part.up,
        "since": stamp(part.since),
        "restarts": part.restarts,
        "last_error": part.last_error,
        "detail": part.detail,
    }


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
