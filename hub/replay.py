"""`andon replay`: recordings of real machines, played through a real protocol server into the product."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hub.app import App
from hub.data_folder import forget
from hub.demo import WALL, people_and_wall
from hub.errors import ConfigError
from hub.house import refuse_taken_port
from hub.plan import PARTS
from hub.settings import load
from hub.training import Simulator

Say = Callable[[str, str], None]
MOST_TOLD = 12  # machines, and notes
ENDPOINTS = 4  # of the servers, that are told
READING_EVERY = 5.0  # seconds
PROTOCOLS = ("opcua", "modbus")
OF_THIS_ONE = ("plant.yaml", "replay.log", "hub.log")  # written before what is older is forgotten
SHOWS = tuple(p for p in PARTS if p not in ("mes", "notifiers", "bridge"))


class Replay:
    """`speed` is recorded time over real time; silences longer than a minute of it are skipped.

    `fresh` forgets earlier replays in the `folder`, once the recording has been read and understood.
    """

    def __init__(
        self,
        recording: Path,
        folder: Path,
        say: Say,
        show: Callable[[str], None],
        *,
        protocol: str,
        speed: float,
        port: int,
        start: str = "",
        mapping: Path | None = None,
        fresh: bool = False,
    ) -> None:
        if protocol not in PROTOCOLS:
            raise ConfigError(f"--as: {protocol!r} is unknown; choose opcua or modbus")
        if not recording.exists():
            raise ConfigError(f"{recording}: not there; name a folder (or a file) with recordings")
        self.recording, self.folder, self.say, self.show = recording, folder, say, show
        self.protocol, self.speed, self.port = protocol, speed, port
        self.start, self.mapping, self.fresh = start, mapping, fresh
        self._told_at = 0.0

    async def run(self) -> None:
        """Until cancelled; the walls stay up when the recording has ended."""
        refuse_taken_port("127.0.0.1", self.port)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        player = Simulator(
            "tests.simulators.replay", self._arguments(), {}, self.folder / "replay.log", cue=True
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(player.stop)
            ready = await player.start(self._reading)
            if self.fresh:
                forget(self.folder, keep=OF_THIS_ONE)
            self.say("recording", _listed(list(ready["endpoints"].values())))
            self._tell(ready["understood"], ready["notes"])
            environment = {**os.environ, "ANDON_DATA": str(self.folder), "ANDON_PORT": str(self.port)}
            app = App(load(self.folder / "plant.yaml", environment), SHOWS, say=self.say)
            async with app.opened(), asyncio.TaskGroup() as group:
                logins, token = await people_and_wall(app, self.folder)
                group.create_task(app.announce())
                group.create_task(self._play(app, player, logins, token))
                await app.supervisor.run()

    def _reading(self, what: str) -> None:
        """Told now and then: a month of files is no reason to wonder."""
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= READING_EVERY:
            self._told_at = now
            self.say("reading", what)

    def _tell(self, understood: Sequence[str], notes: Sequence[str]) -> None:
        """What was understood, machine by machine, and what was not: nobody may have seen it before."""
        self.show("")
        for line in understood[:MOST_TOLD]:
            self.show(f"  {line}")
        if len(understood) > MOST_TOLD:
            self.show(f"  ... and {len(understood) - MOST_TOLD} machines more")
        for note in notes[:MOST_TOLD]:
            self.show(f"  ! {note}")
        if len(notes) > MOST_TOLD:
            self.show(f"  ! ... and {len(notes) - MOST_TOLD} notes more in {self.folder / 'replay.log'}")

    def _arguments(self) -> list[str]:
        out = [str(self.recording.resolve()), "--as", self.protocol, "--speed", f"{self.speed:g}", "--on-cue"]
        out += ["--config", str((self.folder / "plant.yaml").resolve()), "--linger", "1000000000"]
        offset = self.port - 8800
        out += ["--base-port", str((14861 if self.protocol == "opcua" else 15221) + offset)]
        if self.start:
            out += ["--start", self.start]
        if self.mapping is not None:
            out += ["--map", str(self.mapping.resolve())]
        return out

    async def _play(self, app: App, player: Simulator, logins: dict[str, str], token: str) -> None:
        await app.ready.wait()
        self.show(f"\n  大屏 wall      {app.address}{WALL}{token}")
        self.show(f"  控制台 console  {app.address}/console   admin {logins.get('admin', '')}\n")
        await player.cue()
        shown = -1
        while True:
            line: dict[str, Any] = await player.said.get()
            if "progress" in line and int(line["progress"] * 100) != shown:
                shown = int(line["progress"] * 100)
                self.show(f"  {shown:3d} %  {line['at']}")
            if line.get("done"):
                self.show(f"  played {line['played']} changes; the wall stays until Ctrl-C")
            if line.get("ended"):
                return


def _listed(endpoints: Sequence[str]) -> str:
    more = f" and {len(endpoints) - ENDPOINTS} more" if len(endpoints) > ENDPOINTS else ""
    return ", ".join(endpoints[:ENDPOINTS]) + more
