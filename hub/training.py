"""Starts the training plant's processes: simulated machines, ERP and chat robots.

They live in `tests/simulators`, beside the product and not in it: the product ships no OPC UA or Modbus
server. A source checkout has them; an installed package says so instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.errors import ConfigError, SourceUnavailable

READY_SECONDS = 60.0
_USAGE = re.compile(r"^(?:\S+\.py|python -m \S+): error: ")


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
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        cue: bool = False,
    ) -> None:
        self.module = module
        self._name = module.rpartition(".")[2]
        self._cue = asyncio.subprocess.PIPE if cue else asyncio.subprocess.DEVNULL
        self._arguments = list(arguments)
        self._environment = environment
        self._log = log
        self.process: asyncio.subprocess.Process | None = None
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def start(self, reading: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Its ready line; raises SourceUnavailable with the end of its log when it does not come up.

        One that has much to read first may say what: `reading` hears it, and it gets its time anew.
        """
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.module, *self._arguments,
                cwd=checkout(), env={**os.environ, **self._environment, "ANDON_PARENT": str(os.getpid())},
                stdin=self._cue,
                stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True, limit=2**20,
            )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        while "reading" in (line := await self._next()):
            reading(str(line["reading"]))
        if "ready" not in line:
            raise SourceUnavailable(f"{self._name} did not start: {_said_last(self._name, self._log)}")
        return line

    async def _next(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await self.said.get()
        except TimeoutError:
            raise SourceUnavailable(
                f"{self._name} said nothing for {READY_SECONDS:g} s: {_said_last(self._name, self._log)}"
            ) from None

    async def cue(self) -> None:
        """For one that waits for it: begin."""
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()

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
                async with asyncio.timeout(8):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await self._reader


def _said_last(name: str, log: Path) -> str:
    """The complaint a program ended with: its last line, without who it is and how it wants to be called."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not lines:
        return "it said nothing"
    return f"{_USAGE.sub('', lines[-1]).removeprefix(f'{name}: ')}; all it said is in {log}"


# ------------------------------------------------------------------ the whole training plant
SECRETS = (
    "ANDON_DEMO_WECOM_KEY",
    "ANDON_DEMO_DINGTALK_TOKEN",
    "ANDON_DEMO_DINGTALK_SECRET",
    "ANDON_DEMO_KINGDEE_SECRET",
)
HUB_PORT = 8800
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)|(\bport: )(\d+)")


class TrainingPlant:
    """Machines, MES, ERP and chat robots of examples/demo, on ports moved along with the hub's.

    `folder` keeps the secrets, the effective configuration and the simulators' memory from one start to the
    next. `speed` is plant time over real time; `story`: seconds until the press overheats, None for never.
    """

    def __init__(
        self,
        folder: Path,
        port: int = HUB_PORT,
        *,
        speed: float = 1.0,
        seed: int = 7,
        story: float | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self._speed, self._seed, self._story = speed, seed, story
        self.addresses: dict[str, str] = {}
        self._running: list[Simulator] = []
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)  # the database's own account passes through; what is secret in it is 0600
        self.environment = self._secrets()
        self.config = self._config()

    def _secrets(self) -> dict[str, str]:
        kept = read_json(self.folder / "secrets.json")
        made = {name: secrets.token_hex(32) for name in SECRETS}
        made["ANDON_DEMO_DINGTALK_SECRET"] = "SEC" + made["ANDON_DEMO_DINGTALK_SECRET"]  # as the vendor's do
        found = {name: kept.get(name) or made[name] for name in SECRETS}
        write_json(self.folder / "secrets.json", found)
        return found

    def _config(self) -> Path:
        """examples/demo/plant.yaml with every loopback port moved as far as the hub's."""
        text = (checkout() / "examples" / "demo" / "plant.yaml").read_text(encoding="utf-8")

        def moved(found: re.Match[str]) -> str:
            number = int(found[1] or found[3]) + self._offset
            return f"{found[2]}{number}" if found[2] else f"127.0.0.1:{number}"

        path = self.folder / "plant.yaml"
        path.write_text(_ADDRESS.sub(moved, text), encoding="utf-8")
        return path

    @property
    def _offset(self) -> int:
        return self.port - HUB_PORT

    def hub_environment(self) -> dict[str, str]:
        """What the hub has to find in its environment."""
        return {**self.environment, "ANDON_DATA": str(self.folder), "ANDON_PORT": str(self.port)}

    async def start(self, say: Callable[[str, str], None]) -> None:
        story = f"after={self._story:g}" if self._story is not None else "off"
        machines = ["--modbus-base", str(15021 + self._offset), "--opcua-base", str(14841 + self._offset)]
        wanted = {
            "plant": ["--seed", str(self._seed), "--speed", f"{self._speed:g}", "--story", story, *machines],
            "kingdee": ["--orders-from", f"http://127.0.0.1:{8810 + self._offset}"],
            "robots": [],
        }
        async with asyncio.TaskGroup() as group:
            for place, (name, arguments) in enumerate(wanted.items()):
                port = ["--port", str(8810 + place + self._offset)]
                group.create_task(self._one(name, [*port, *arguments], say))

    async def _one(self, name: str, arguments: list[str], say: Callable[[str, str], None]) -> None:
        state = ["--state", str(self.folder / f"{name}.state")]
        log = self.folder / f"{name}.log"
        simulator = Simulator(f"tests.simulators.{name}", [*arguments, *state], self.environment, log)
        self._running.append(simulator)
        self.addresses[name] = (await simulator.start())["url"]
        say(name, self.addresses[name])

    async def stop(self) -> None:
        async with asyncio.TaskGroup() as group:
            for simulator in self._running:
                group.create_task(simulator.stop())


def read_json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Readable by us alone, from its first byte."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(content, file)
