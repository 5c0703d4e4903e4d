"""Store and forward: 2,000 tags at 1 Hz through ten minutes without a database, and an hour without a hub.

The product's chain (spool, bus, rules, writer, upkeep) runs in this process beside a PostgreSQL that is
stopped and started. *Away*: what ten minutes bring is taken while the database is away, `--hurry` times as
fast as it would come; then it is back, and the drain is timed while the present goes on. *Replay*: a spool
that an edge filled for an hour, every value of it beyond its limit, meets the hub.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from hub.app import App
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus
from hub.model.batch import SampleBatch
from hub.model.packing import packed
from hub.outline import HubBlock
from hub.plan import parts_of
from hub.ports import SAMPLES
from hub.postgres import EmbeddedPostgres
from hub.settings import load
from hub.supervisor import Supervisor
from tests.bench import plant
from tests.bench.figures import machine, say

DEVICES, REGISTERS = 20, 100
TAGS = DEVICES * REGISTERS
PARTS = "writer,rules,upkeep"
GOALS = {"drain_seconds": 60, "memory_growth_mb": 50, "replay_x_live": 5}
SPOOL_MB = int(HubBlock().spool_mb)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
MEGABYTE = 1 << 20
PATIENCE = 900.0


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=edge ARGS=...", description=__doc__)
    parser.add_argument("--away", type=int, default=600, help="seconds of samples without a database")
    parser.add_argument("--hurry", type=float, default=10.0, help="1 takes ten minutes for ten minutes")
    parser.add_argument("--replay", type=int, default=3600, help="seconds of samples without a hub")
    return parser.parse_args(given)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        async with EmbeddedPostgres(folder / "postgres") as server:
            async with _house(folder, server.dsn) as app:
                figures = await Away(app, server, folder / "away").measure(options)
                figures |= await Replay(app, server, folder / "edge").measure(options.replay)
            with psycopg.connect(server.dsn) as connection:
                version = str(connection.execute("show server_version").fetchone()[0])  # type: ignore[index]
    goals = {f"{name}_goal": goal for name, goal in GOALS.items()}
    return {**figures, **goals, **_a_day(), "postgresql": version.split(maxsplit=1)[0], "machine": machine()}


@contextlib.asynccontextmanager
async def _house(folder: Path, dsn: str) -> AsyncIterator[App]:
    made = plant.collection([], REGISTERS, "1s", folder, dsn)
    made["plant"] = plant.site(DEVICES, REGISTERS)
    app = App(load(plant.write(made, folder)), parts_of(PARTS.split(",")), say=lambda part, text: None)
    running = asyncio.create_task(app.run())
    try:
        ready = asyncio.create_task(app.ready.wait())
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        yield app
        if running.done():
            raise RuntimeError("the hub ended") from running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class Edge:
    """A collector's way out: its spool, and how many samples went in."""

    def __init__(self, app: App, server: EmbeddedPostgres, folder: Path) -> None:
        self.app, self.server = app, server
        self.spool = Spool(folder, SPOOL_MB * MEGABYTE)
        self.supervisor = Supervisor(app.clock)
        self.way = SpooledBus(app.bus, self.spool, app.record.samples.reached, app.clock)
        self.first = self.at = app.clock.now()
        self.given = 0

    @contextlib.asynccontextmanager
    async def forwarding(self) -> AsyncIterator[None]:
        """Under a supervisor of its own: the edge is another process."""
        self.supervisor.watch("spool", self.way.run, self.way.detail)
        running = asyncio.create_task(self.supervisor.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self.way.close()

    async def take(self, value: float = 100.0) -> None:
        """One second of every tag."""
        await self.way.publish(SAMPLES, _second(self.at, value).to_bytes())
        self.at += SECOND
        self.given += TAGS

    async def on_record(self, number: int) -> float:
        """Seconds until the record has it; the present goes on, a batch a second."""
        began = time.monotonic()
        live = asyncio.create_task(self._live())
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._has(number):
                    await asyncio.sleep(0.05)
            return time.monotonic() - began
        finally:
            live.cancel()
            await asyncio.gather(live, return_exceptions=True)

    async def _live(self) -> None:
        while True:
            await self.take()
            await asyncio.sleep(1)

    async def _has(self, number: int) -> bool:
        """Asked on a connection of its own: the hub's are the hub's."""
        try:
            async with await psycopg.AsyncConnection.connect(self.server.dsn) as connection:
                query = "select number from stream_origins where origin = %s"
                row = await (await connection.execute(query, [self.spool.origin])).fetchone()
        except psycopg.OperationalError:
            return False
        return bool(row and row[0] >= number)

    async def counted(self) -> dict[str, int]:
        """Once everything is on record, in the samples from `first` on."""
        await self.on_record(self.spool.last)
        while not await self._has(self.spool.last):
            await asyncio.sleep(0.05)
        async with await psycopg.AsyncConnection.connect(self.server.dsn) as connection:
            row = await (await connection.execute(COUNTED, [self.first, self.at])).fetchone()
            assert row is not None
            alarms = await (await connection.execute("select count(*) from alarms")).fetchone()
        rows, different, disordered, late = row
        return {
            "lost": self.given - different,
            "doubled": rows - different,
            "out_of_order": disordered,
            "marked_historical": int(late),
            "alarms": alarms[0] if alarms else 0,
        }


class Away(Edge):
    async def measure(self, options: argparse.Namespace) -> dict[str, Any]:
        self.first = self.at = self.app.clock.now() - timedelta(hours=3)
        async with self.forwarding():
            for _ in range(10):
                await self.take()
            await self.on_record(self.spool.last)
            before = _resident()
            await self.server.stop()
            highest = before
            for _ in range(options.away):
                await self.take()
                await asyncio.sleep(1 / options.hurry)
                highest = max(highest, _resident())
            kept, mb = self.spool.last, self.spool.fill / MEGABYTE
            say(f"{options.away} s away: {mb:.0f} MB in the spool, memory {highest / MEGABYTE:.0f} MB")
            await self.server.start()
            drain = await self.on_record(kept)
            highest_after = _resident()
            counted = await self.counted()
        failing = [part.name for part in self.app.supervisor.health() if not part.up]
        return {
            "away_seconds": options.away,
            "drain_seconds": round(drain, 1),
            "drain_rows_per_second": round(options.away * TAGS / drain),
            "memory_growth_mb": round((highest - before) / MEGABYTE, 1),
            "memory_growth_after_drain_mb": round((highest_after - before) / MEGABYTE, 1),
            "parts_down_afterwards": failing,
            **{f"away_{name}": n for name, n in counted.items() if name in ("lost", "doubled")},
        }


class Replay(Edge):
    async def measure(self, seconds: int) -> dict[str, Any]:
        now = self.app.clock.now()
        self.first = self.at = now - seconds * SECOND
        for n in range(seconds):
            self.spool.append(_second(self.at, plant.LIMIT_HIGH + 100).to_bytes(), self.at)
            self.at += SECOND
            if n % 200 == 0:
                await asyncio.sleep(0)
        self.given, last = seconds * TAGS, self.spool.last
        async with self.forwarding():
            took = await self.on_record(last)
            say(f"{seconds} s of {TAGS} tags replayed in {took:.1f} s")
            counted = await self.counted()
        return {
            "replay_seconds": round(took, 1),
            "replay_rows_per_second": round(seconds * TAGS / took),
            "replay_x_live": round(seconds / took, 1),
            **{f"replay_{name}": n for name, n in counted.items()},
        }


def _second(at: datetime, value: float) -> SampleBatch:
    return SampleBatch.at(np.arange(1, TAGS + 1, dtype=np.int32), at, np.full(TAGS, value), "edge")


def _a_day() -> dict[str, Any]:
    """MB that 24 hours of it take in the spool: polled together, and told each at its own time and turn."""
    random = np.random.default_rng(1)
    polled = _second(datetime.fromtimestamp(1.7e9).astimezone(), 0.0)
    told = SampleBatch(
        random.permutation(polled.tags), polled.source_times + random.integers(0, 1_000_000, TAGS),
        random.random(TAGS), np.zeros(TAGS, np.uint32), "edge",
    )  # fmt: skip
    day = DAY / SECOND / MEGABYTE
    return {
        "spool_mb": SPOOL_MB,
        "spool_24h_polled_mb": round(len(packed(polled.to_bytes())) * day),
        "spool_24h_told_mb": round(len(packed(told.to_bytes())) * day),
    }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# In the order of commits no sample may lie before those of the commit before.
COUNTED = """
with mine as (select xmin::text::bigint as done, ts, tag from samples where ts >= %s and ts < %s),
one as (
    select min(ts) < lag(max(ts)) over (order by done) as back from mine where tag = 1 group by done
)
select count(*), count(distinct (ts, tag)), (select count(*) from one where back),
       (select coalesce(sum(rows), 0) from backfills)
from mine
"""
