"""A database that neither answers nor refuses (SIGSTOP to every process of it), and that comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hub import patience
from hub.api import guard
from hub.api.app import build
from hub.api.limits import Meter
from hub.errors import RecordAway
from hub.store.ledger import PgLedger
from hub.store.people import PgPeopleStore
from hub.store.pool import Pool, borrowed, open_pool
from tests.api_house import House, house
from tests.frozen import frozen

pytestmark = pytest.mark.anyio

LIMIT = 60.0  # seconds; whoever waits for the database itself waits for ever


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    made = await open_pool(dsn, min_size=2, max_size=4)
    yield made
    await made.close()


@pytest.fixture
def it(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> House:
    """The door and the desk's record on the real database; patience of a second."""
    monkeypatch.setattr(guard, "RECORD_SECONDS", 1.0)
    made = house()
    deps = replace(made.deps, people=PgPeopleStore(pool), ledger=PgLedger(pool))
    return replace(made, deps=deps, app=build(deps, meter=Meter(burst=1e9)))


async def test_a_request_is_told_that_the_record_is_away_and_served_when_it_is_back(
    it: House, dsn: str
) -> None:
    login = {"person": "viewer-1", "password": "wrong"}
    async with it.client() as client, asyncio.timeout(LIMIT):
        assert (await client.post("/api/login", json=login)).status_code == 401
        with frozen(dsn):
            crowd = await asyncio.gather(*(client.post("/api/login", json=login) for _ in range(6)))
            health = await client.get("/health")
        for answer in crowd:
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
            said = answer.json()["error"]
            assert said["code"] == "record-away"
            assert "数据库" in said["text"]["zh"] and "database" in said["text"]["en"]
        assert health.status_code == 200, "the hub itself is alive and says so"
        while (await client.post("/api/login", json=login)).status_code == 503:
            await asyncio.sleep(0.05)
        assert (await client.post("/api/login", json=login)).status_code in (401, 429)


async def test_a_question_under_way_is_given_up_as_well(pool: Pool, dsn: str) -> None:
    async with asyncio.timeout(LIMIT):
        with patience.patient_for(0.5), pytest.raises(RecordAway):
            async with borrowed(pool) as connection:
                with frozen(dsn):
                    await connection.execute("select 1")


async def test_several_questions_share_one_patience(pool: Pool) -> None:
    with patience.patient_for(1000.0):
        for _ in range(3):
            async with borrowed(pool) as connection:
                await connection.execute("select pg_sleep(0.01)")
        present = patience.present()
        assert present is not None
        assert present.left() <= 1000.0 - 0.03
        present.seconds = 0.0
        with pytest.raises(RecordAway):
            async with borrowed(pool):
                pass


async def test_a_runner_waits_and_goes_on_where_it_was(pool: Pool, dsn: str) -> None:
    """No patience of its own: what it has begun is finished when the database moves again."""
    async with asyncio.timeout(LIMIT), borrowed(pool) as connection:
        with frozen(dsn):
            asked = asyncio.create_task(connection.execute("select 7 as n"))
            await asyncio.sleep(0)
        row = await (await asked).fetchone()
        assert row == {"n": 7}


async def test_what_our_own_loop_has_slept_through_is_not_held_against_the_database(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.pool.LATE", 0.0)
    monkeypatch.setattr("hub.store.pool.FOLLOW", LIMIT)
    with patience.patient_for(0.05):
        async with borrowed(pool) as connection:
            asked = asyncio.create_task(connection.execute("select 7 as n"))
            await asyncio.sleep(0)
            time.sleep(0.1)  # the whole loop, as on a machine that is overloaded
            assert await (await asked).fetchone() == {"n": 7}
            assert await (await connection.execute("select 8 as n")).fetchone() == {"n": 8}
