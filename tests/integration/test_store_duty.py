"""One does it, the others stand by: on real locks of a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from hub.errors import RecordAway
from hub.store.duty import EVERY, Duty, under_a_name
from hub.testing.clock import HandClock

pytestmark = pytest.mark.anyio


class Crew:
    """Processes that want one duty; knows who is at it."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.clock = dsn, HandClock()
        self.at_work: list[str] = []
        self.together = 0  # how many were ever at it at once

    def work(self, who: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            self.at_work.append(who)
            self.together = max(self.together, len(self.at_work))
            try:
                await asyncio.Event().wait()
            finally:
                self.at_work.remove(who)

        return run

    @asynccontextmanager
    async def process(self, who: str) -> AsyncIterator[tuple[Duty, asyncio.Task[None]]]:
        duty = Duty(self.dsn, "rules", self.clock)
        task = asyncio.create_task(duty.carry(self.work(who)))
        try:
            yield duty, task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, RecordAway):
                await task

    async def until(self, true: Callable[[], bool], what: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                while not true():
                    self.clock.turn(EVERY)
                    await asyncio.sleep(0.005)
                return
        raise AssertionError(f"did not happen: {what}")


@asynccontextmanager
async def both(crew: Crew) -> AsyncIterator[tuple[asyncio.Task[None], Duty]]:
    """a works, b stands by."""
    async with crew.process("a") as (_, task):
        await crew.until(lambda: crew.at_work == ["a"], "a works")
        async with crew.process("b") as (b, _):
            await crew.until(lambda: b.standing_by, "b stands by")
            yield task, b


@pytest.fixture
def crew(dsn: str) -> Crew:
    return Crew(dsn)


def others(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


HOLDERS = "from pg_stat_activity where pid in (select pid from pg_locks where locktype = 'advisory')"


async def test_the_second_stands_by_and_takes_over_when_the_first_ends(crew: Crew) -> None:
    async with crew.process("a") as (a, _):
        await crew.until(lambda: crew.at_work == ["a"], "a works")
        async with crew.process("b") as (b, _):
            await crew.until(lambda: b.standing_by, "b stands by")
            assert not a.standing_by
            assert crew.at_work == ["a"]
            async with crew.process("c") as (c, _):
                await crew.until(lambda: c.standing_by, "c stands by")
            assert not c.standing_by
    async with crew.process("b") as (b, _):
        await crew.until(lambda: crew.at_work == ["b"], "b has taken over")
        assert not b.standing_by
    assert crew.together == 1


async def test_who_loses_the_lock_stops_and_another_takes_over(crew: Crew) -> None:
    async with both(crew) as (task, _):
        others(crew.dsn, f"select pg_terminate_backend(pid) {HOLDERS}")
        with pytest.raises(RecordAway, match="the database is away"):
            async with asyncio.timeout(20):
                await asyncio.shield(task)
        await crew.until(lambda: crew.at_work == ["b"], "b has taken over")
    assert crew.together == 1


async def test_nothing_waits_inside_the_database(crew: Crew) -> None:
    """A statement that runs for weeks would keep dead rows from being cleaned away."""
    async with both(crew):
        rows = others(
            crew.dsn,
            "select state, backend_xmin from pg_stat_activity where query ilike '%advisory%' "
            "and pid <> pg_backend_pid()",
        )
        assert rows and set(rows) == {("idle", None)}


async def test_what_the_work_fails_with_is_said_and_the_lock_is_free(crew: Crew) -> None:
    async def fail() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        await Duty(crew.dsn, "rules", crew.clock).carry(fail)
    assert others(crew.dsn, f"select pid {HOLDERS}") == []


async def test_a_database_that_is_away_is_called_that(crew: Crew) -> None:
    with pytest.raises(RecordAway):
        await Duty("postgresql://127.0.0.1:1/none", "rules", crew.clock).carry(crew.work("a"))
    assert crew.at_work == []


async def test_two_workers_of_one_name_get_two_and_the_next_gets_the_name_of_the_dead(crew: Crew) -> None:
    async def named() -> asyncio.Task[None]:
        return asyncio.create_task(under_a_name(crew.dsn, "host:workers", lambda own: crew.work(own)()))

    first, second = await named(), None
    try:
        await crew.until(lambda: crew.at_work == ["host:workers"], "the first has the name")
        second = await named()
        await crew.until(lambda: crew.at_work[1:] == ["host:workers (2)"], "the second has another")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        first = await named()
        await crew.until(lambda: crew.at_work[1:] == ["host:workers"], "the name of the one that died")
    finally:
        tasks = [t for t in (first, second) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
