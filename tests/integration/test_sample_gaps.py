"""What a full spool dropped while nobody could hear it is on record when the hub is met, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from hub.bus.memory import MemoryBus
from hub.bus.numbers import Numbering
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus, _Held
from hub.bus.worth import Worth
from hub.errors import Transient
from hub.model.batch import SampleBatch
from hub.model.gap import SampleGap
from hub.ports import SAMPLES
from hub.store.gaps import PgGaps
from hub.store.pool import open_pool
from hub.store.tag_table import TagTable
from hub.store.writer import Writer
from hub.supervisor import Supervisor
from hub.testing.clock import NOON
from tests.integration.test_store_and_forward import Chain

pytestmark = pytest.mark.anyio
PATHS = ["p1/m/state", *(f"p1/m/n{i}" for i in range(100))]
SECONDS = 200


class Edge(Chain):
    """With a spool that holds a quarter of it, and a record that is away until it is `met`."""

    def __init__(self, pool, folder: Path, numbers: dict[str, int]) -> None:  # type: ignore[no-untyped-def]
        super().__init__(pool, folder / "other")
        self.way.close()
        self.met, self.gaps, self.told = False, PgGaps(pool), 0
        self.spool = Spool(folder / "spool", 40_000)
        numbering = Numbering.begun(folder / "spool", 1, 0, numbers)
        numbering.know(numbers)
        sources = dict.fromkeys(numbers.values(), "plc")
        self.spool.keep(Worth(frozenset({numbers[PATHS[0]]}), {}, sources, numbering.names), numbering)
        self.bus = MemoryBus({SAMPLES: ("store",)}, clock=self.clock)
        self.way = SpooledBus(
            self.bus, self.spool, self._reached, self.clock, tell=self._tell, numbering=numbering
        )
        self.way._held = _Held(0)  # so small a spool would be in memory, too, and nothing be lost
        self.supervisor = Supervisor(self.clock)
        self.supervisor.watch("spool", self.way.run)
        self.supervisor.watch("writer", lambda: Writer(self.bus, self.samples, self.clock).run())

    async def _reached(self, origin: str) -> int:
        if not self.met:
            raise Transient("away")
        return await self.samples.reached(origin)

    async def _tell(self, gaps: list[SampleGap]) -> None:  # type: ignore[override]
        await self.gaps.tell(gaps)
        self.told += 1
        if self.told == 1:
            raise Transient("the answer was lost on its way")  # told, and nobody here knows


async def test_the_gap_is_on_record_and_in_the_audit_trail_once(tmp_path: Path, dsn: str) -> None:
    pool = await open_pool(dsn, max_size=2)
    numbers = await TagTable(pool).number(PATHS)
    edge = Edge(pool, tmp_path, numbers)
    running = asyncio.create_task(edge.supervisor.run())
    try:
        for second in range(SECONDS):
            values = [float(second // 50), *([second + 0.5] * 100)]
            at = NOON + timedelta(seconds=second)
            batch = SampleBatch.at(list(numbers.values()), at, values, "plc")
            await edge.way.publish(SAMPLES, batch.to_bytes())
        dropped = edge.way.detail()["spool_dropped_samples"]
        assert dropped > 0 and edge.way.detail()["spool_dropped_of"] == {"plc": dropped}
        edge.met = True
        await edge.until(edge.drained)
        await edge.until(lambda: _told_twice(edge))
        with psycopg.connect(dsn) as connection:
            states = connection.execute(
                "select extract(epoch from ts - %s)::int from samples where tag = %s order by ts",
                [NOON, numbers[PATHS[0]]],
            ).fetchall()
            rows = connection.execute("select count(*) from samples").fetchone()
            audit = connection.execute(
                "select who, about, detail from audit where what = 'samples-dropped'"
            ).fetchall()
        assert {(0,), (50,), (100,), (150,)} <= set(states)
        assert rows == (SECONDS * len(PATHS) - dropped,)
        [(who, about, detail)] = audit
        assert (who, about, detail["samples"], detail["tags"]) == ("spool", "plc", dropped, len(PATHS))
        [gap] = await edge.gaps.of(numbers[PATHS[7]], NOON, NOON + timedelta(hours=1))
        assert (gap.source, gap.first, gap.samples, len(gap.tags)) == ("plc", NOON, dropped, len(PATHS))
        assert await edge.gaps.of(9_999, NOON, NOON + timedelta(hours=1)) == []
        assert await edge.gaps.of(numbers[PATHS[7]], NOON - timedelta(hours=1), NOON - timedelta(1)) == []
        grown = replace(gap, samples=gap.samples + 5, last=gap.last + timedelta(seconds=1))
        await edge.gaps.tell([grown])
        await edge.gaps.tell([gap])  # comes late
        assert await edge.gaps.of(numbers[PATHS[7]], NOON, NOON + timedelta(hours=1)) == [grown]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        edge.way.close()
        await pool.close()


async def _told_twice(edge: Edge) -> bool:
    return edge.told == 2 and edge.spool.gaps() == []
