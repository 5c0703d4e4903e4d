"""From a collector's disk into the record while the database dies: nothing lost, nothing twice.

The chain is the product's: spool, bus, writer, pool, under its supervisor. The PostgreSQL is real and of its
own, since it is stopped and killed here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from hub.bus.memory import MemoryBus
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus
from hub.model.batch import SampleBatch
from hub.ports import SAMPLES
from hub.postgres import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.pool import Pool, borrowed, open_pool
from hub.store.samples import PgSampleStore
from hub.store.writer import Writer
from hub.supervisor import Supervisor
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio
PATIENCE = 60.0
MEGABYTE = 1_048_576
# An administrator who was told that it is quicker. (fsync: what the system has survives a killed server.)
HASTY = {"synchronous_commit": "off", "wal_writer_delay": "10s", "fsync": "off", "autovacuum": "off"}


@asynccontextmanager
async def server() -> AsyncIterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="andon-forward-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        async with EmbeddedPostgres(folder / "pg", HASTY) as running:
            await migrate(running.dsn)
            yield running


class Chain:
    """One process of the product, as far as samples go. Its clock is turned by hand."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.clock = HandClock()
        self.samples = PgSampleStore(pool)
        self.bus = MemoryBus({SAMPLES: ("store",)}, clock=self.clock)
        self.spool = Spool(folder, 100 * MEGABYTE)
        self.way = SpooledBus(self.bus, self.spool, self.samples.reached, self.clock, window=MEGABYTE)
        self.supervisor = Supervisor(self.clock)
        self.supervisor.watch("spool", self.way.run)
        self.supervisor.watch("writer", lambda: Writer(self.bus, self.samples, self.clock).run())

    async def say(self, second: int, tags: int = 10) -> None:
        batch = SampleBatch.at(range(1, tags + 1), NOON + timedelta(seconds=second), [float(second)] * tags)
        await self.way.publish(SAMPLES, batch.to_bytes())

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await true():
                self.clock.turn(0.2)
                await asyncio.sleep(0.005)

    async def drained(self) -> bool:
        return self.spool.fill == 0


@asynccontextmanager
async def chain(dsn: str, folder: Path) -> AsyncIterator[Chain]:
    pool = await open_pool(dsn, max_size=1, timeout=2.0)
    made = Chain(pool, folder)
    running = asyncio.create_task(made.supervisor.run())
    try:
        yield made
        assert not running.done(), "a part's end ended the process"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.way.close()
        await pool.close()


async def found(dsn: str) -> tuple[int, int]:
    """(rows, different rows) on record."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute("select count(*), count(distinct (ts, tag)) from samples")
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def hold_the_walwriter(dsn: str) -> None:
    """Now only a commit that waits for the disk has its record there."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("checkpoint")
        row = await (
            await connection.execute("select pid from pg_stat_activity where backend_type = 'walwriter'")
        ).fetchone()
    assert row is not None
    os.kill(int(row[0]), signal.SIGSTOP)


async def kill(running: EmbeddedPostgres) -> None:
    """All of its processes at once: nobody writes anything down any more."""
    async with await psycopg.AsyncConnection.connect(running.dsn) as connection:
        cursor = await connection.execute("select pid from pg_stat_activity where pid <> pg_backend_pid()")
        children = [int(row[0]) async for row in cursor]
    assert running.pid is not None
    for pid in (running.pid, *children):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await running.wait()


async def _crash(running: EmbeddedPostgres, folder: Path, *, hasty: bool) -> tuple[int, int, int]:
    """(taken, rows, different rows) after a crash, when the spool has forgotten all that it took."""
    pool = await open_pool(running.dsn, max_size=1, timeout=2.0)
    if hasty:
        async with borrowed(pool) as connection:
            await connection.execute("set synchronous_commit = off")
    made = Chain(pool, folder)
    work = asyncio.create_task(made.supervisor.run())
    try:
        await hold_the_walwriter(running.dsn)
        for second in range(20):
            await made.say(second)
        await made.until(made.drained)
        await kill(running)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        made.way.close()
        await pool.close()
    await running.start()
    return (200, *await found(running.dsn))


async def test_what_the_spool_forgot_is_on_the_disk_of_a_server_that_is_set_to_be_hasty(
    tmp_path: Path,
) -> None:
    """Red when the pool leaves synchronous_commit to the server, or when the spool forgets before the record
    has it; the second half shows that this is what the test sees."""
    async with server() as running:
        taken, rows, different = await _crash(running, tmp_path / "spool", hasty=False)
        assert (rows, different) == (taken, taken)
        taken, rows, _ = await _crash(running, tmp_path / "spool-2", hasty=True)
        assert rows < 2 * taken


async def test_a_database_that_is_away_for_ten_minutes_costs_nothing(tmp_path: Path) -> None:
    """500 tags once a second. The parts fail and are begun again; the process lives and stays small."""
    async with server() as running, chain(running.dsn, tmp_path / "spool") as here:
        await here.say(0, 500)
        await here.until(here.drained)
        before = resident()
        await running.stop()
        for second in range(1, 601):
            await here.say(second, 500)
            here.clock.turn(1)
        assert resident() - before < 50 * MEGABYTE
        assert here.spool.last - here.spool.first + 1 == 600
        assert here.spool.forgotten == 0
        await running.start()
        await here.until(here.drained)
        assert await found(running.dsn) == (300_500, 300_500)
        assert await late(running.dsn) > 250_000


async def late(dsn: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        row = await (await connection.execute("select sum(rows) from backfills")).fetchone()
    assert row is not None
    return int(row[0] or 0)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
