"""The living plant for tests: simulators that outlive the hub, and a hub that can be killed and started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from hub.training import HUB_PORT, TrainingPlant, checkout
from tests.leash import leashed

ANDON = (sys.executable, "-m", "hub.cli")
BESIDE = {8810: 3, 15021: 8, 14841: 8, 14861: 4, 15221: 4}  # simulators, machines, replayed machines
PATIENCE = 120.0  # seconds until something that must happen has happened


def free_port() -> int:
    """A hub port whose whole family of ports (simulators, machines) is free."""
    first = HUB_PORT + 400 + os.getpid() % 100 * 53  # two runs side by side do not meet
    for port in range(first, first + 10_000, 53):
        offset = port - HUB_PORT
        family = [port, *(first + i + offset for first, n in BESIDE.items() for i in range(n))]
        if all(p < 65_000 and _free(p) for p in family):
            return port
    raise AssertionError("no free family of ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def until(true: Callable[[], Awaitable[Any]], what: str, patience: float = PATIENCE) -> Any:
    """The first true answer; asks again and again, fails with `what` after `patience` seconds."""
    answer: Any = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await true()
                    if answer:
                        return answer
                await asyncio.sleep(0.05)
    raise AssertionError(f"did not happen in {patience:g} s: {what}; last seen {answer!r}")


class Hub:
    """`andon run` as a process of its own."""

    def __init__(self, plant: TrainingPlant, parts: str = "all", more: dict[str, str] | None = None) -> None:
        self._plant, self._parts, self._more = plant, parts, more or {}
        self.process: asyncio.subprocess.Process | None = None
        self.log = plant.folder / f"hub-{parts}.log"

    async def start(self, failpoints: str = "") -> None:
        environment = {
            **os.environ,
            **self._plant.hub_environment(),
            **self._more,
            "ANDON_FAILPOINTS": failpoints,
        }
        log = self.log.open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *leashed([*ANDON, "run", "-c", str(self._plant.config), "--parts", self._parts]),
            cwd=checkout(), env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()

    async def died(self) -> int:
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


class World:
    """Everything around the hub, and clients to ask it."""

    def __init__(self, folder: Path, speed: float) -> None:
        self.plant = TrainingPlant(folder, free_port(), speed=speed)
        self.hub = Hub(self.plant)
        self.url = f"http://127.0.0.1:{self.plant.port}"
        self.http = httpx.AsyncClient(timeout=10)

    async def start(self) -> None:
        await self.plant.start(lambda _name, _text: None)

    async def end(self) -> None:
        if self.hub.process is not None:
            await self.hub.stop()
        await self.plant.stop()
        await self.http.aclose()

    async def healthy(self) -> None:
        async def ok() -> bool:
            return (await self.http.get(self.url + "/health")).status_code == 200

        await until(ok, "GET /health answers 200")

    # ---------------------------------------------------------------- the outside, as it truly is
    async def messages(self) -> list[dict[str, Any]]:
        answer = await self.http.get(self.plant.addresses["robots"] + "/_control/messages")
        return list(answer.json()["messages"])

    async def erp_tickets(self) -> list[dict[str, Any]]:
        return list((await self.http.get(self.plant.addresses["kingdee"] + "/_control/tickets")).json())

    async def erp_reports(self) -> list[dict[str, Any]]:
        return list((await self.http.get(self.plant.addresses["kingdee"] + "/_control/reports")).json())

    async def machine(self, name: str) -> dict[str, Any]:
        return dict((await self.http.get(self.plant.addresses["plant"] + "/control/machines")).json()[name])

    async def machines(self) -> dict[str, dict[str, Any]]:
        return dict((await self.http.get(self.plant.addresses["plant"] + "/control/machines")).json())

    async def mes_machines(self) -> list[dict[str, Any]]:
        """Which of its machines the MES takes to be under repair, or to run again."""
        return list((await self.http.get(self.plant.addresses["plant"] + "/mes/machines")).json())

    async def mes_reports(self) -> list[dict[str, Any]]:
        """All that the MES has, from its first."""
        found: list[dict[str, Any]] = []
        while more := await self._reports(str(found[-1]["id"]) if found else ""):
            found += more
        return found

    async def _reports(self, after: str) -> list[dict[str, Any]]:
        address = self.plant.addresses["plant"] + "/mes/reports"
        return list((await self.http.get(address, params={"after": after})).json())

    async def command(self, machine: str, what: str, body: dict[str, Any] | None = None) -> None:
        path = f"{self.plant.addresses['plant']}/control/machines/{machine}/{what}"
        (await self.http.post(path, json=body or {})).raise_for_status()

    # ---------------------------------------------------------------- people
    async def login(self, person: str, password: str) -> httpx.AsyncClient:
        client = httpx.AsyncClient(base_url=self.url, headers={"Origin": self.url}, timeout=20)

        async def inside() -> bool:
            answer = await client.post("/api/login", json={"person": person, "password": password})
            if answer.status_code == 200:
                client.headers["X-Andon-CSRF"] = answer.json()["csrf"]
            return answer.status_code == 200

        await until(inside, f"{person} logs in")
        return client


async def command(plant: TrainingPlant, *words: str, said: str = "") -> str:
    """`andon WORDS` with this plant's configuration; its output."""
    process = await asyncio.create_subprocess_exec(
        *leashed([*ANDON, *words, "--config", str(plant.config)]),
        cwd=checkout(), env={**os.environ, **plant.hub_environment()}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate(said.encode())
    assert process.returncode == 0, out.decode()
    return out.decode()


async def set_password(plant: TrainingPlant, person: str, password: str) -> None:
    """As an administrator would, before the first start."""
    await command(plant, "password", person, said=password + "\n")


async def make_wall(plant: TrainingPlant, name: str) -> str:
    """The address of a new wall screen."""
    return next(w for w in (await command(plant, "wall", name)).split() if w.startswith("http"))


@contextlib.asynccontextmanager
async def world(folder: Path, speed: float = 1.0) -> AsyncIterator[World]:
    made = World(folder, speed)
    try:
        await made.start()
        yield made
    finally:
        await made.end()
