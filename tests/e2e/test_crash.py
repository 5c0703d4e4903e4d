"""kill -9 at every named point of one story, one after the other: in the end everything is as without.

One alarm, one ticket in the ERP, each message told once (once more, marked, where a crash caught it on its
way), each piece and each report counted once, the ticket closed by the machine's own proof. Afterwards the
database is frozen: the hub says so and goes on by itself when it moves again.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.incident import PASSWORD, TECHNICIAN, Incident
from tests.e2e.world import PATIENCE, Hub, World, set_password, until, world
from tests.frozen import frozen

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(600)]

SPEED = 3.0
STREAM = (  # every batch passes here: in the middle of a life, not at its beginning
    "collector.before_publish:exit@30",
    "collector.after_publish:exit@30",
    "store.before_commit:exit@8",
    "writer.before_ack:exit@8",
    "mes.before_commit:exit",
    "mes.after_commit:exit",
)
RULES = ("rules.before_commit:exit", "rules.after_commit:exit")
BRIDGE = (
    "bridge.after_claim:exit",  # of the ticket: it goes before all reports
    "bridge.after_create:exit",
    "bridge.after_report:exit",
    "bridge.before_mark:exit",
)
NOTIFIER = ("notifier.after_claim:exit", "notifier.sent_before_mark:exit")
PEOPLE = ("web.after_acknowledge:exit", "rules.ticket_verified:exit")
LIVES = 1 + len((*STREAM, *RULES, *BRIDGE, *NOTIFIER, *PEOPLE))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the database's own account may go as well: pytest's folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="andon-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "world"


async def dies(hub: Hub, point: str) -> None:
    await hub.start(failpoints=point)
    code = await hub.died()
    assert code == 137, f"{point}: {code}; {hub.log.read_text()[-2000:]}"


async def test_crashes_at_every_point_change_nothing_in_the_end(folder: Path) -> None:
    async with world(folder, SPEED) as here:
        incident = Incident(here)
        await set_password(here.plant, TECHNICIAN, PASSWORD)
        for point in STREAM:
            await dies(here.hub, point)
        await incident.begin()
        quiet = Hub(here.plant, "web,writer,rules,upkeep,collectors,mes,bridge")
        for point in (*RULES, *BRIDGE):
            await dies(quiet, point)
        assert len(await incident.erp_tickets()) == 1, "made in the ERP, and not yet known to be made"
        assert await incident.told() == [], "no notifier has lived since"
        for point in NOTIFIER:
            await dies(here.hub, point)
        people = asyncio.create_task(incident.repair())
        try:
            for point in PEOPLE:
                await dies(here.hub, point)
            await here.hub.start()
            await people
            await incident.settled()
        finally:
            people.cancel()
            await asyncio.gather(people, return_exceptions=True)
        await incident.check(LIVES)
        await stands_still_and_says_so(here, incident)


async def stands_still_and_says_so(here: World, incident: Incident) -> None:
    """The database freezes: the hub lives and names it, the board goes on; all is well when it is back."""
    await here.healthy()
    person = await here.login(TECHNICIAN, PASSWORD)
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    headers = {"Cookie": cookies, "Origin": here.url}
    async with connect(here.url.replace("http", "ws") + "/ws", additional_headers=headers) as board:
        assert "record" not in json.loads(await board.recv())["board"]["health"]["parts_down"]
        with frozen(incident.dsn):
            async with asyncio.timeout(PATIENCE):
                answer = await person.get("/api/tickets")
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "record-away")
                await until(lambda: parts(here, record=False), "/health names the record")
                await until(lambda: down(board, "record"), "the board goes on and names the record")
        await here.healthy()
        async with asyncio.timeout(PATIENCE):
            await until(lambda: down(board), "the board is whole again")
    assert (await person.get("/api/tickets")).status_code == 200
    await person.aclose()


async def parts(here: World, **wanted: bool) -> bool:
    told: dict[str, bool] = (await here.http.get(here.url + "/health")).json()["parts"]
    return wanted.items() <= told.items()


async def down(board: ClientConnection, *names: str) -> bool:
    """The next frame tells that these parts of the hub are down; without names: that none is."""
    health = json.loads(await board.recv()).get("board", {}).get("health", {})
    told = set(health.get("parts_down", ("silent",)))
    return told >= set(names) if names else not told
