"""Starts the training plant's processes: simulated machines, ERP and chat robots.

They live in `tests/simulators`, beside the product and not in it: the product ships no OPC UA or Modbus
server. A source checkout has them; an installed package says so instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.errors import ConfigError, SourceUnavailable

READY_SECONDS = 60.0


def checkout() -> Path:
    """The source checkout; raises ConfigError when this is an installed package."""
    for folder in (Path.cwd(), Path(__file__).resolve().parent.parent):
        if (folder / "tests" / "simulators").is_dir():
            return folder
    raise ConfigError(
        "the training plant is part of the source checkout (tests/simulators); run this command from there"
    )


class Simulator:
    """One simulator process, from its start until `stop`."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.module = module
        self._arguments = list(arguments)
        self._environment = environment
        self._log = log
        self.process: asyncio.subprocess.Process | None = None
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, Any]:
        """Its ready line; raises SourceUnavailable with the end of its log when it does not come up."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.module, *self._arguments,
                cwd=checkout(), env={**os.environ, **self._environment}, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True, limit=2**20,
            )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(READY_SECONDS):
            line = await self.said.get()
        if "ready" not in line:
            raise SourceUnavailable(f"{self.module} did not start: {_tail(self._log)}")
        return line

    async def _read(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        async for raw in self.process.stdout:
            with contextlib.suppress(ValueError):
                await self.said.put(json.loads(raw))
        await self.said.put({"ended": True})

    async def stop(self) -> None:
        if self.process is None or self._reader is None:
            return
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 8)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await self._reader


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) or "it said nothing"
