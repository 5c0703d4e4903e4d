"""kill -9 at named points of the story: after the restart the end is the same.

One alarm, one ticket in the ERP, every message told once (twice at most where the crash was in flight, and
then marked), the ticket closed by the machine's own proof.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import World, set_password, until, world

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(240)]

TECHNICIAN, PASSWORD = "tech-a", "kalu meri tosu 4827"
PRESS = "press-01"
SPEED = 3.0

POINTS = (
    "rules.before_commit",
    "rules.after_commit",
    "notifier.after_claim",
    "notifier.sent_before_mark",
    "bridge.after_claim",
    "bridge.after_create",
    "bridge.before_mark",
    "web.after_acknowledge",
    "rules.ticket_verified",
    "mes.before_commit",
    "mes.after_commit",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the database's own account may go as well: pytest's folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="andon-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "world"


async def story(here: World) -> None:
    """From the fault to the closed ticket, with people who try again when the hub was away."""
    await here.command(PRESS, "fault", {"kind": "overheat"})
    person = await here.login(TECHNICIAN, PASSWORD)

    async def ticket() -> dict[str, str] | None:
        found = (await person.get("/api/tickets", params={"open": "true"})).json()["tickets"]
        return next((t for t in found if t["equipment"].endswith(PRESS)), None)

    number = (await until(ticket, "a ticket for the press"))["id"]

    async def step(what: str, body: dict[str, str]) -> None:
        async def done() -> bool:
            return (await person.post(f"/api/tickets/{number}/{what}", json=body)).status_code == 200

        await until(done, what)

    async def acknowledged() -> bool:
        alarm = (await person.get(f"/api/tickets/{number}")).json()["ticket"]["alarm_id"]
        return (await person.post(f"/api/alarms/{alarm}/acknowledge", json={})).status_code == 200

    await until(acknowledged, "acknowledge")
    await step("accept", {})
    await step("arrive", {})
    await here.command(PRESS, "repair")
    await step("repaired", {"cause_class": "mechanical", "cause": "pump", "photo": ""})

    async def closed() -> bool:
        return (await person.get(f"/api/tickets/{number}")).json()["ticket"]["state"] == "closed"

    await until(closed, "the ticket closes by the machine's proof")

    async def calm() -> bool:
        alarms = (await person.get("/api/alarms", params={"open": "true"})).json()["alarms"]
        return not [a for a in alarms if a["equipment"].endswith(PRESS)]

    await until(calm, "no open alarm on the press")
    await person.aclose()


async def settled(here: World) -> None:
    """The ERP has the closed ticket, the chat both messages of both robots."""

    async def erp_closed() -> bool:
        found = [t for t in await here.erp_tickets() if t["equipment"] == "EQ-PRESS-01"]
        return bool(found) and all(t["state"] == "DONE" for t in found)

    await until(erp_closed, "closed in the ERP")

    async def told() -> bool:
        return len({(m["robot"], "恢复" in m["text"]) for m in about_oil(await here.messages())}) == 4

    await until(told, "raised and cleared told by both robots")


def about_oil(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    return [m for m in messages if "油温" in m["text"] and "冲压机01" in m["text"]]


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_changes_nothing_in_the_end(point: str, folder: Path) -> None:
    async with world(folder, SPEED) as here:
        await set_password(here.plant, TECHNICIAN, PASSWORD)
        await here.hub.start(failpoints=f"{point}:exit")
        playing = asyncio.create_task(story(here))
        try:
            assert await here.hub.died() == 137, (here.plant.folder / "hub-all.log").read_text()[-2000:]
            await here.hub.start()
            await playing
            await settled(here)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        tickets = [t for t in await here.erp_tickets() if t["equipment"] == "EQ-PRESS-01"]
        assert len(tickets) == 1, "one incident, one ticket"
        told = about_oil(await here.messages())
        for robot in ("wecom", "dingtalk"):
            for recovered in (False, True):
                same = [m for m in told if m["robot"] == robot and ("恢复" in m["text"]) is recovered]
                repeats = [m for m in same if "重发" in m["text"]]
                assert len(same) - len(repeats) <= 1, "only a marked repeat may come twice"
                assert 1 <= len(same) <= 2, "one crash, so at most one message in flight to each robot"
        keys = [r["key"] for r in await here.erp_reports() if r["key"]]
        assert len(keys) == len(set(keys)), "an operation report twice in the ERP"
