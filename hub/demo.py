"""`andon demo`: the training plant, its ERP and chat robots, and the product itself, from one command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hub.api.auth import ensure_passwords
from hub.api.tokens import new_token, token_hash
from hub.app import PARTS, App
from hub.settings import Settings, load
from hub.training import Simulator, checkout

SECRETS = (
    "ANDON_DEMO_WECOM_KEY",
    "ANDON_DEMO_DINGTALK_TOKEN",
    "ANDON_DEMO_DINGTALK_SECRET",
    "ANDON_DEMO_KINGDEE_SECRET",
)
SHOWN = ("tech-a", "manager", "admin")  # logins worth printing first

Say = Callable[[str, str], None]


class Demo:
    """`speed` is plant time over real time; `story` seconds until the press overheats; `hands_off` lets a
    simulated technician do what no person has done within a minute."""

    def __init__(
        self,
        folder: Path,
        say: Say,
        *,
        speed: float,
        seed: int,
        story: float | None,
        hands_off: bool,
        port: int,
    ) -> None:
        self.folder = folder
        self.say = say
        self.speed, self.seed, self.story, self.hands_off, self.port = speed, seed, story, hands_off, port
        self.addresses: dict[str, str] = {}
        self.logins: dict[str, str] = {}

    async def run(self, opened: Callable[[Demo], None]) -> None:
        """Until cancelled; `opened` is called once everything is up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)  # the database's own account passes through; our files in it are 0600
        environment = self._secrets()
        settings = self._settings(environment)
        app = App(settings, PARTS, say=self.say)
        async with contextlib.AsyncExitStack() as stack:
            simulators = asyncio.create_task(self._simulators(stack, environment))
            try:
                async with app.opened():
                    await simulators
                    await self._people(app)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._when_ready(app, opened, stack, environment))
                        group.create_task(app.announce())
                        await app.supervisor.run()
            finally:
                simulators.cancel()
                await asyncio.gather(simulators, return_exceptions=True)

    # ---------------------------------------------------------------- configuration
    def _secrets(self) -> dict[str, str]:
        kept = _read(self.folder / "secrets.json")
        found = {name: kept.get(name) or secrets.token_hex(24) for name in SECRETS}
        _write(self.folder / "secrets.json", found)
        return found

    def _settings(self, environment: Mapping[str, str]) -> Settings:
        path = checkout() / "examples" / "demo" / "plant.yaml"
        env = {**os.environ, **environment, "ANDON_DATA": str(self.folder), "ANDON_PORT": str(self.port)}
        return load(path, env)

    # ---------------------------------------------------------------- the world around
    async def _simulators(self, stack: contextlib.AsyncExitStack, environment: Mapping[str, str]) -> None:
        story = ["--story", f"after={self.story:g}" if self.story is not None else "off"]
        wanted = {
            "plant": ["--port", "8810", "--seed", str(self.seed), "--speed", f"{self.speed:g}", *story],
            "kingdee": ["--port", "8811"],
            "robots": ["--port", "8812"],
        }
        started = [self._simulator(stack, name, arguments, environment) for name, arguments in wanted.items()]
        await asyncio.gather(*started)

    async def _simulator(
        self,
        stack: contextlib.AsyncExitStack,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
    ) -> None:
        state = ["--state", str(self.folder / f"{name}.state")]
        log = self.folder / f"{name}.log"
        simulator = Simulator(f"tests.simulators.{name}", [*arguments, *state], environment, log)
        stack.push_async_callback(simulator.stop)
        line = await simulator.start()
        self.addresses[name] = line["url"]
        self.say(name, line["url"])

    # ---------------------------------------------------------------- people
    async def _people(self, app: App) -> None:
        """Passwords are made once and kept for the demo alone; the wall's device token likewise."""
        self.logins = await ensure_passwords(
            app.plant.people.values(), app.record.people, self.folder / "logins.json"
        )
        kept = _read(self.folder / "wall.json")
        device = kept.get("token") or new_token()
        if await app.record.people.device(token_hash(device)) is None:
            await app.record.people.add_device(
                token_hash(device), "demo wall", app.plant.site.path, app.clock.now()
            )
        _write(self.folder / "wall.json", {"token": device})
        hub = f"http://127.0.0.1:{self.port}"
        self.addresses |= {
            "wall": f"{hub}/wall#device={device}", "phone": f"{hub}/phone", "console": f"{hub}/console",
        }  # fmt: skip

    async def _when_ready(
        self,
        app: App,
        opened: Callable[[Demo], None],
        stack: contextlib.AsyncExitStack,
        environment: Mapping[str, str],
    ) -> None:
        await app.ready.wait()
        if self.hands_off and self.logins.get("tech-a"):
            crew = Simulator(
                "tests.simulators.crew",
                ["--hub", f"http://127.0.0.1:{self.port}", "--plant", self.addresses["plant"]],
                {**environment, "ANDON_DEMO_TECH_PASSWORD": self.logins["tech-a"]},
                self.folder / "crew.log",
            )
            stack.push_async_callback(crew.stop)
            await crew.start()
            self.say("crew", "a simulated technician steps in where nobody does")
        opened(self)


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Readable by us alone, from its first byte."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(content, file)
