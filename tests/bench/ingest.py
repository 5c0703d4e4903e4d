"""The highest rate that is put on record in one process, beside raw COPY into the same hypertable.

Simulated batches go the whole way of a collector's: onto its own disk, over the bus, through 1,000 rules and
into the record. Rates are rows committed in a window after the warm-up; in the end all rows are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from hub.store.migrate import migrate
from tests.bench import database, plant
from tests.bench.child import child, environment_without_hub, own_folder, words
from tests.bench.commits import rows_between
from tests.bench.figures import say

GOAL = 0.6
DRAINED = 120.0  # seconds at most until what was given is on record


@dataclass(frozen=True, slots=True)
class Stored:
    rate: float  # rows a second
    rows: int
    lost: int


class Ingest:
    def __init__(self, chosen: argparse.Namespace, folder: Path, server: database.Server) -> None:
        self._chosen, self._folder, self._server = chosen, folder, server
        self._seconds = chosen.warm_up + chosen.seconds

    async def rounds(self) -> list[tuple[Stored, Stored]]:
        found = []
        for number in range(self._chosen.rounds):
            found.append((await self._ours(), await self._bare()))
            for name, seen in zip(("product", "raw COPY"), found[-1], strict=True):
                say(f"round {number + 1}, ingest {name}: {seen.rate:,.0f} rows/s, {seen}")
        return found

    async def _ours(self) -> Stored:
        chosen, dsn = self._chosen, self._server.fresh()
        folder = own_folder(self._folder)
        made = plant.flooded(chosen.devices, chosen.registers, folder, dsn)
        options = words(
            config=plant.write(made, folder), parts="writer,rules,upkeep",
            commits=self._folder / "in.npy", flood=chosen.devices * chosen.registers, seconds=self._seconds,
        )  # fmt: skip
        return await self._stored("tests.bench.product", options, dsn, self._folder / "in.npy")

    async def _bare(self) -> Stored:
        chosen, dsn = self._chosen, self._server.fresh()
        await migrate(dsn)
        options = words(
            tags=chosen.devices * chosen.registers, seconds=self._seconds, dsn=dsn,
            commits=self._folder / "raw.npy",
        )  # fmt: skip
        return await self._stored("tests.bench.bare_ingest", options, dsn, self._folder / "raw.npy")

    async def _stored(self, module: str, options: list[str], dsn: str, noted: Path) -> Stored:
        began = time.time()
        async with child(module, options, self._folder, environment_without_hub()) as process:
            said: dict[str, Any] = {}
            async with asyncio.timeout(self._seconds + DRAINED):
                while "given" not in said:
                    said = await process.said()
                    began = time.time() if "up" in said else began
        rows = _rows(dsn)
        window = (began + self._chosen.warm_up, began + self._seconds)
        return Stored(rows_between(noted, *window) / self._chosen.seconds, rows, said["given"] - rows)


def _rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select count(*) from samples where status = 0").fetchone()
    return int(found[0]) if found else 0


def figures(rounds: list[tuple[Stored, Stored]]) -> dict[str, Any]:
    return {
        "ingest_ratio": round(statistics.median(o.rate / b.rate for o, b in rounds), 2),
        "ingest_goal_ratio": GOAL,
        "ingest_rows_s": round(statistics.median(o.rate for o, _ in rounds)),
        "ingest_bare_rows_s": round(statistics.median(b.rate for _, b in rounds)),
        "ingest_rows": sum(o.rows for o, _ in rounds),
        "ingest_lost": sum(o.lost for o, _ in rounds),
    }
