"""A process of a bench: one line of JSON when it is ready, one for each command, and figures at its end."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.training import Simulator


class Child:
    """A module of this package, running. What it logs is beside its other files."""

    def __init__(self, simulator: Simulator, ready: dict[str, Any]) -> None:
        self._simulator = simulator
        self.ready = ready

    @property
    def pid(self) -> int:
        assert self._simulator.process is not None
        return self._simulator.process.pid

    async def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        assert self._simulator.process is not None and self._simulator.process.stdin is not None
        self._simulator.process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self.said()

    async def said(self) -> dict[str, Any]:
        """Its next line; raises RuntimeError when it has ended instead."""
        line = await self._simulator.said.get()
        if "ended" in line:
            raise RuntimeError(f"{self._simulator.module} ended; see its log, kept with --keep FOLDER")
        return line

    async def stop(self) -> None:
        await self._simulator.stop()


@contextlib.asynccontextmanager
async def child(
    module: str, words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """Ready inside the block, gone after it."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{module.rpartition('.')[2]}.log"
    alive = {"ANDON_ALIVE": str(folder / "alive.json")}  # leaves the health file of a real hub alone
    simulator = Simulator(module, words, {**alive, **(environment or {})}, log, cue=True)
    try:
        yield Child(simulator, await simulator.start())
    finally:
        await simulator.stop()


def own_folder(folder: Path) -> Path:
    """For the product's data in one round: what the spool of a round before still held, as its database was
    taken away, would go into the next one's and be counted there."""
    return Path(tempfile.mkdtemp(prefix="round-", dir=folder))


def words(**options: object) -> list[str]:
    """`--name value` for each."""
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]


def environment_without_hub() -> dict[str, str]:
    """So that nothing set for another hub reaches the one that is measured."""
    return {name: "" for name in os.environ if name.startswith("ANDON_") and name[6:] in _OF_A_HUB}


_OF_A_HUB = ("DATABASE", "REDIS", "DATA", "PORT", "HOST", "PUBLIC_URL", "FAILPOINTS")
