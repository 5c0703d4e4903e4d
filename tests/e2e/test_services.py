"""The services of docker-compose.yml, side by side without Docker: their very commands, one process each.

They share a Redis bus and a real TimescaleDB, their secrets come from files, and each has a /tmp of its own.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.services import PRESS, PROMPTLY, Service, Site, opened, values_move
from tests.e2e.world import until
from tests.valkey import valkey

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timescale, pytest.mark.timeout(420)]

SOON = 60.0  # seconds in which a person at the wall must have been told


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="andon-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "world"


@pytest.fixture
async def site(folder: Path, timescale_dsn: str, redis_url: str) -> AsyncIterator[Site]:
    async with opened(folder, timescale_dsn, redis_url) as made:
        yield made


# ------------------------------------------------------------------ what is looked at
async def alarms(site: Site, rule: str) -> list[dict[str, Any]]:
    found = (await site.person.get("/api/alarms")).json()["alarms"]
    return [a for a in found if a["rule"] == rule and a["equipment"] == PRESS]


async def erp_tickets(site: Site) -> list[dict[str, Any]]:
    return [t for t in await site.here.erp_tickets() if t["equipment"] == "EQ-PRESS-01"]


async def told(site: Site, word: str) -> list[str]:
    """The robots that have said so of the press, once for each message that is not marked as a repeat."""
    return sorted(
        m["robot"]
        for m in await site.here.messages()
        if "冲压机01" in m["text"] and word in m["text"] and "重发" not in m["text"]
    )


async def told_by_both(site: Site, word: str) -> None:
    async def both() -> bool:
        return set(await told(site, word)) == {"dingtalk", "wecom"}

    await until(both, f"both robots say {word}")


async def overheats_and_is_repaired(site: Site) -> None:
    """Ends when the recovery has been told: what came before it in its lane has been told too."""
    await site.here.command("press-01", "fault", {"kind": "overheat"})
    await until(lambda: alarms(site, "oil-hot"), "an alarm on the record")
    await site.here.command("press-01", "repair")
    await told_by_both(site, "恢复")


# ------------------------------------------------------------------ the house
async def test_the_services_of_the_compose_file_make_one_house(site: Site) -> None:
    parts = (await site.health())["parts"]
    machines = (await site.board())["machines"]
    assert len(machines) == 12
    elsewhere = {f"collector {path.rpartition('/')[2]}" for path in machines} | {
        "mes mes",
        "notifiers",
        "erp bridge",
    }
    assert elsewhere | {"web", "feed", "writer", "rules", "upkeep"} <= set(parts)
    await values_move(site)
    for service in (site.collectors, site.workers):
        await until(service.alive, "andon alive says that the process is well")

    await overheats_and_is_repaired(site)
    assert await told(site, "【紧急】") == ["dingtalk", "wecom"], "each robot says it once"
    assert len(await alarms(site, "oil-hot")) == 1
    assert len(await erp_tickets(site)) == 1
    board = await site.board()
    assert board["health"]["parts_down"] == []
    assert {s["up"] for s in board["health"]["sources"].values()} == {True}

    for service in site.every:
        async with asyncio.timeout(PROMPTLY):
            assert await service.stop() == 0, f"{service.log.name} does not end cleanly"
    for service in (site.collectors, site.workers):

        async def unwell(this: Service = service) -> bool:
            return not await this.alive()

        await until(unwell, "andon alive says that the process is gone")


async def test_collectors_that_are_killed_are_missed_and_doubled_by_nothing(
    site: Site, timescale_dsn: str
) -> None:
    await values_move(site)
    await site.collectors.kill()

    async def missed() -> bool:
        board = await site.board()
        sources = board["health"]["sources"]
        machines = board["machines"].values()
        return (
            {"collector press-01", "mes mes"} <= set(board["health"]["parts_down"])
            and not any(s["up"] for s in sources.values())
            and {m["state"] for m in machines} == {"unknown"}
        )

    await until(missed, "the board says what is not heard", SOON)
    assert (await site.here.http.get(site.here.url + "/health")).status_code == 503
    assert not (await site.health())["parts"]["collector press-01"]
    await until(lambda: alarms(site, "not-heard"), "the silence is an alarm", SOON)

    await site.collectors.start()
    await site.here.healthy()
    await values_move(site)

    async def heard() -> bool:
        board = await site.board()
        good = not board["health"]["parts_down"] and all(s["up"] for s in board["health"]["sources"].values())
        return good and not any(a["condition"] for a in await alarms(site, "not-heard"))

    await until(heard, "everything is heard again")
    [silence] = await alarms(site, "not-heard")
    assert silence["count"] == 1
    await pieces_made(site)
    await site.books_balance(timescale_dsn)
    keys = [r["key"] for r in await site.here.erp_reports() if r["key"]]  # without: written by the office
    assert keys
    assert len(keys) == len(set(keys)), "an operation report twice in the ERP"


async def pieces_made(site: Site) -> None:
    before = (await site.board())["machines"][PRESS]["good"]

    async def more() -> bool:
        return bool((await site.board())["machines"][PRESS]["good"] > before)

    await until(more, "the press makes pieces")


async def test_a_hub_that_is_killed_goes_on_where_the_record_ends(site: Site, timescale_dsn: str) -> None:
    await values_move(site)
    await site.here.command("press-01", "fault", {"kind": "overheat"})
    [before] = await until(lambda: alarms(site, "oil-hot"), "an alarm on the record")
    await site.hub.kill()
    made = (await site.here.machine(OTHER))["values"]["good"]

    async def three_more() -> bool:
        return bool((await site.here.machine(OTHER))["values"]["good"] >= made + 3)

    await until(three_more, "pieces are made while nobody counts")
    await site.hub.start()
    await site.here.healthy()
    await values_move(site)
    [after] = await alarms(site, "oil-hot")
    same = ("id", "raised_at", "opened_at", "count", "condition", "state")
    assert {k: after[k] for k in same} == {k: before[k] for k in same}

    async def caught_up() -> bool:
        with psycopg.connect(timescale_dsn) as record:
            row = record.execute(SHOWN, [f"%/{OTHER}"]).fetchone()
        return row is not None and row[0] is not None and row[0] >= made + 3

    await until(caught_up, "the pieces made meanwhile are on the record")
    await site.here.command("press-01", "repair")
    await told_by_both(site, "恢复")
    assert await told(site, "【紧急】") == ["dingtalk", "wecom"], "each robot says it once"
    assert len(await erp_tickets(site)) == 1
    await site.books_balance(timescale_dsn)


OTHER = "press-02"
SHOWN = "select max(reading) from counts where good and equipment like %s"


async def test_workers_that_are_killed_leave_one_ticket(site: Site) -> None:
    await site.workers.kill()
    await site.here.command("press-01", "fault", {"kind": "overheat"})
    await until(lambda: alarms(site, "oil-hot"), "an alarm, whoever is to tell it")

    async def missed() -> bool:
        return {"notifiers", "erp bridge"} <= set((await site.board())["health"]["parts_down"])

    await until(missed, "the board says that nobody tells it", SOON)
    assert await told(site, "油温") == []
    assert await erp_tickets(site) == []

    await site.workers.start(failpoints="bridge.after_create:exit")
    assert await site.workers.died() == 137, "the ERP has the ticket, our record does not know it"
    await site.workers.start()

    async def known() -> bool:
        tickets = (await site.person.get("/api/tickets", params={"open": "true"})).json()["tickets"]
        return any(t["equipment"] == PRESS and t["erp_number"] for t in tickets)

    await until(known, "the ERP's number is on our record")
    assert len(await erp_tickets(site)) == 1
    await site.here.command("press-01", "repair")
    await told_by_both(site, "恢复")
    said = await told(site, "【紧急】")
    assert len(said) == len(set(said)), "each robot says it once, or marks it as a repeat"
    raised = [m for m in await site.here.messages() if "冲压机01" in m["text"] and "【紧急】" in m["text"]]
    assert {m["robot"] for m in raised} == {"dingtalk", "wecom"}, "what was in flight at the kill is not lost"
    assert len(await erp_tickets(site)) == 1


# ------------------------------------------------------------------ the bus, and two of one kind
ALONE = ["rules", "upkeep", "writer"]
STANDING_BY = ["rules", "stop reasons", "upkeep", "writer"]  # what those parts do alone
RAISED = "select count(*), sum(count) from alarms where rule = 'oil-hot' and equipment like %s"


async def test_redis_has_a_bad_day_and_a_second_hub_stands_by(folder: Path, timescale_dsn: str) -> None:
    with valkey() as redis:
        redis.start()
        async with opened(folder, timescale_dsn, redis.url) as site:
            await values_move(site)
            second = site.hub.with_parts(",".join(ALONE))
            site.every.append(second)
            await second.start()

            async def ready() -> bool:
                return bool((await site.health())["standby"] == STANDING_BY)

            await until(ready, "the second one stands by")
            await site.here.healthy()

            redis.freeze()

            async def said() -> bool:
                answer = await site.here.http.get(site.here.url + "/health")
                return answer.status_code == 503 and not answer.json()["parts"]["bus"]

            await until(said, "a bus that hangs is said")

            async def shown() -> bool:
                down = set((await site.board())["health"]["parts_down"])
                return {"bus", "collector press-01", "notifiers"} <= down

            await until(shown, "the wall names what it does not hear")
            redis.thaw()
            await site.here.healthy()
            await values_move(site)

            redis.kill()
            await until(said, "a bus that is away is said")
            redis.start()  # with nothing on the belt
            await site.here.healthy()
            await values_move(site)

            await site.hub.kill()
            await site.here.command("press-01", "fault", {"kind": "overheat"})

            async def raised() -> bool:
                with psycopg.connect(timescale_dsn) as record:
                    return record.execute(RAISED, [f"%{PRESS}"]).fetchone() == (1, 1)

            await until(raised, "the second one has taken over")
            await site.hub.start()
            await site.here.healthy()
            await until(ready, "now the first one stands by")
            assert len(await alarms(site, "oil-hot")) == 1
            await site.books_balance(timescale_dsn)
