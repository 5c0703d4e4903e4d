"""`andon demo`: the training plant, its ERP and chat robots, and the product itself, from one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from hub.api.auth import ensure_passwords
from hub.api.tokens import new_token, token_hash
from hub.app import App
from hub.house import refuse_taken_port
from hub.plan import PARTS
from hub.settings import load
from hub.training import Simulator, TrainingPlant, read_json, write_json

SHOWN = ("tech-a", "boss", "admin")  # logins worth printing first
CREW = "crew"  # the simulated technician's own login, given to nobody
WALL = "/wall#device="

Say = Callable[[str, str], None]


class Demo:
    """`hands_off` lets a simulated technician do what no person has done within a while."""

    def __init__(self, plant: TrainingPlant, say: Say, *, hands_off: bool) -> None:
        self.plant = plant
        self.say = say
        self.hands_off = hands_off
        self.addresses: dict[str, str] = {}
        self.logins: dict[str, str] = {}
        self._crew_password = ""

    async def run(self, opened: Callable[[Demo], None]) -> None:
        """Until cancelled; `opened` is called once everything is up."""
        refuse_taken_port("127.0.0.1", self.plant.port)
        settings = load(self.plant.config, {**os.environ, **self.plant.hub_environment()})
        app = App(settings, PARTS, say=self.say)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.plant.stop)
            world = asyncio.create_task(self.plant.start(self.say))
            try:
                async with app.opened():
                    self._addresses(app, *await self._furnished(app, world))
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._when_ready(app, opened, stack))
                        group.create_task(app.announce())
                        await app.supervisor.run()
            finally:
                world.cancel()
                await asyncio.gather(world, return_exceptions=True)

    async def _furnished(self, app: App, world: asyncio.Task[None]) -> tuple[dict[str, str], str]:
        """People and a wall, made while the world starts; nobody makes them on when that fails."""
        people = asyncio.create_task(people_and_wall(app, self.plant.folder))
        try:
            await world
            return await people
        finally:
            people.cancel()
            await asyncio.gather(people, return_exceptions=True)

    def _addresses(self, app: App, logins: dict[str, str], token: str) -> None:
        self._crew_password = logins.get(CREW, "")
        self.logins = {person: word for person, word in logins.items() if person != CREW}
        self.addresses = {
            "wall": f"{app.address}{WALL}{token}",
            "phone": f"{app.address}/phone",
            "console": f"{app.address}/console",
            **self.plant.addresses,
        }
        write_json(self.plant.folder / "addresses.json", self.addresses)

    async def _when_ready(
        self, app: App, opened: Callable[[Demo], None], stack: contextlib.AsyncExitStack
    ) -> None:
        await app.ready.wait()
        opened(self)
        if self.hands_off and self._crew_password:
            crew = Simulator(
                "tests.simulators.crew",
                ["--hub", app.address, "--plant", self.addresses["plant"], "--person", CREW],
                {"ANDON_DEMO_CREW_PASSWORD": self._crew_password},
                self.plant.folder / "crew.log",
            )
            stack.push_async_callback(crew.stop)
            await crew.start()


async def people_and_wall(app: App, folder: Path) -> tuple[dict[str, str], str]:
    """Logins and a wall's device token, made once and kept in `folder` for showing them again."""
    store = app.record.people
    logins = await ensure_passwords(app.plant.people.values(), store, folder / "logins.json")
    token = read_json(folder / "wall.json").get("token") or new_token()
    if await store.device(token_hash(token)) is None:
        await store.add_device(token_hash(token), "demo wall", app.plant.site.path, app.clock.now())
    write_json(folder / "wall.json", {"token": token})
    return logins, token
