"""The services of docker-compose.yml as processes: their very commands, environments and secret files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any

import httpx
import yaml

from hub.training import TrainingPlant, checkout
from tests.e2e.books import books_balance
from tests.e2e.world import Hub, World, until, world
from tests.leash import leashed

TECHNICIAN, PASSWORD = "tech-a", "kalu meri tosu 4827"
PRESS = "p1/stamping/l1/press-01"
PROMPTLY = 30.0  # seconds for a process to end that was asked to
SERVICES = ("hub", "collectors", "workers")


class Service(Hub):
    """One service of the compose file as a process: its command and environment, paths and ports moved."""

    def __init__(self, name: str, plant: TrainingPlant, secrets: dict[str, str]) -> None:
        super().__init__(plant, name)
        block = yaml.safe_load((checkout() / "docker-compose.yml").read_text(encoding="utf-8"))["services"][
            name
        ]
        self.folder = plant.folder / f"of-{name}"
        self.folder.mkdir(exist_ok=True)
        self.log = plant.folder / f"{name}.log"
        moved = {"andon": [sys.executable, "-m", "hub.cli"], "/etc/andon/plant.yaml": [str(plant.config)]}
        self.command = [word for said in block["command"] for word in moved.get(said, [said])]
        self.environment = {
            **os.environ,
            **plant.hub_environment(),  # the ports and secrets of the training plant
            **{k: secrets.get(v, v) for k, v in block["environment"].items()},
            "ANDON_DATA": str(self.folder),
            "ANDON_HOST": "127.0.0.1",
            "TMPDIR": str(self.folder),
        }

    def with_parts(self, parts: str) -> Service:
        """A further process with this one's configuration and secrets."""
        other = copy(self)
        other.log = self.log.with_name(f"{parts}.log")
        other.command = [*self.command[:-1], parts]
        other.process = None
        folder = self.folder.with_name(f"of-{parts}")
        folder.mkdir(exist_ok=True)
        other.environment = {**self.environment, "ANDON_DATA": str(folder), "TMPDIR": str(folder)}
        return other

    async def start(self, failpoints: str = "") -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *leashed(self.command), cwd=checkout(), stdout=log, stderr=log,
                env={**self.environment, "ANDON_FAILPOINTS": failpoints},
            )  # fmt: skip

    async def andon(self, *words: str, said: str = "") -> tuple[int, str]:
        """`docker compose exec SERVICE andon WORDS`: exit code and output."""
        process = await asyncio.create_subprocess_exec(
            *leashed([*self.command[:3], *words]), cwd=checkout(), env=self.environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate(said.encode())
        assert process.returncode is not None
        return process.returncode, out.decode()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def alive(self) -> bool:
        return (await self.andon("alive"))[0] == 0


class Site:
    """The simulated world with the three services on it, and a technician who looks at the board."""

    def __init__(self, here: World, services: dict[str, Service]) -> None:
        self.here = here
        self.hub, self.collectors, self.workers = (services[name] for name in SERVICES)
        self.every = list(services.values())
        self.person: httpx.AsyncClient

    async def start(self) -> None:
        config = str(self.hub.command[-3])
        code, said = await self.hub.andon("password", TECHNICIAN, "--config", config, said=PASSWORD + "\n")
        assert code == 0, said
        for service in self.every:
            await service.start()
        await self.here.healthy()
        self.person = await self.here.login(TECHNICIAN, PASSWORD)

    async def health(self) -> dict[str, Any]:
        return dict((await self.here.http.get(self.here.url + "/health")).json())

    async def board(self) -> dict[str, Any]:
        return dict((await self.person.get("/api/board")).raise_for_status().json()["board"])

    async def end(self) -> None:
        if hasattr(self, "person"):
            await self.person.aclose()
        for service in self.every:
            if service.process is not None:
                await service.kill()

    async def books_balance(self, dsn: str) -> None:
        """Soon: what was told late may still be on its way."""

        async def they_do() -> bool:
            with suppress(AssertionError):
                books_balance(dsn, self.here.plant.config, self.hub.environment)
                return True
            return False

        with suppress(AssertionError):
            await until(they_do, "the books balance", PROMPTLY)
        books_balance(dsn, self.here.plant.config, self.hub.environment)

    def logs(self) -> str:
        return "\n".join(
            f"--- {s.log.name}\n{s.log.read_text()[-3000:]}" for s in self.every if s.log.exists()
        )


@asynccontextmanager
async def opened(folder: Path, dsn: str, redis: str) -> AsyncIterator[Site]:
    async with world(folder, speed=3.0) as here:
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        (secrets / "database_url").write_text(dsn + "\n", encoding="utf-8")
        (secrets / "redis_url").write_text(redis + "\n", encoding="utf-8")
        named = {f"/run/secrets/{p.name}": str(p) for p in secrets.iterdir()}
        made = Site(here, {name: Service(name, here.plant, named) for name in SERVICES})
        try:
            await made.start()
            yield made
        except BaseException:
            print(made.logs())
            raise
        finally:
            await made.end()


async def values_move(site: Site) -> None:
    first = await readings(site)

    async def moved() -> bool:
        now = await readings(site)
        return all(v["status"] == "good" for v in now.values()) and now != first

    await until(moved, "values move on /api/board")


async def readings(site: Site) -> dict[str, Any]:
    return dict((await site.board())["machines"][PRESS]["values"])
