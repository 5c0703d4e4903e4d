"""One OPC UA server with 5,000 changing nodes into the record under limit rules, beside a bare subscription.

In each round asyncua's own subscription, which stores nothing, and the product, which does, hear the same
server for the same time, one after the other. The CPU of the product is that of its process and of the whole
database server. Afterwards every tick of every node is looked for in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import database, plant
from tests.bench.child import Child, child, environment_without_hub, own_folder, words
from tests.bench.commits import ages
from tests.bench.figures import percentiles, say
from tests.bench.processes import cpu_seconds, rss_bytes

GOAL = 0.4
SETTLE = 10.0  # seconds until everything that was told is on record
PUBLISHING = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Heard:
    """What one of the two cost in a window, and what it has."""

    changes: int
    cpu: float  # seconds, with the database's
    database: float = 0.0
    rss: int = 0
    ages: dict[str, float] | None = None  # ms at commit
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    alarms: int = 0

    @property
    def per_million(self) -> float:
        return self.cpu / self.changes * 1e6


class Pair:
    """The product and the bare subscription, in turn, before one server."""

    def __init__(self, chosen: argparse.Namespace, folder: Path, server: database.Server) -> None:
        self._chosen, self._folder, self._server = chosen, folder, server

    async def rounds(self) -> list[tuple[Heard, Heard]]:
        size = words(nodes=self._chosen.nodes)
        found = []
        async with child("tests.bench.opcua_server", size, self._folder) as plc:
            for number in range(self._chosen.rounds):
                found.append((await self._ours(plc), await self._bare(plc)))
                for name, seen in zip(("product", "bare"), found[-1], strict=True):
                    say(f"round {number + 1}, opcua {name}: {seen.per_million:.2f} CPU s per million, {seen}")
        return found

    async def _bare(self, plc: Child) -> Heard:
        options = words(endpoint=plc.ready["url"], nodes=self._chosen.nodes, interval=PUBLISHING)
        async with child("tests.bench.bare_subscription", options, self._folder) as process:
            await process.said()
            await asyncio.sleep(self._chosen.warm_up)
            first, began = (await process.ask({}))["heard"], cpu_seconds(process.pid)
            await asyncio.sleep(self._chosen.seconds)
            changes, cpu = (await process.ask({}))["heard"] - first, cpu_seconds(process.pid) - began
            return Heard(changes, cpu, rss=rss_bytes(process.pid))

    async def _ours(self, plc: Child) -> Heard:
        chosen, dsn, noted = self._chosen, self._server.fresh(), self._folder / "opcua.npy"
        folder = own_folder(self._folder)
        config = plant.write(plant.subscription(plc.ready["url"], chosen.nodes, folder, dsn), folder)
        options = words(config=config, parts=chosen.parts, commits=noted)
        await plc.ask({"silent": False})
        async with child("tests.bench.product", options, self._folder, environment_without_hub()) as process:
            await process.said()
            await asyncio.sleep(chosen.warm_up)
            self._server.do("checkpoint")
            first, at = await self._cost(plc, process), time.time()
            await asyncio.sleep(chosen.seconds)
            last, end = await self._cost(plc, process), time.time()
            rss = rss_bytes(process.pid)
            ticks = (await plc.ask({"silent": True}))["ticks"]
            found = await self._found(dsn, ticks)
        await plc.ask({"silent": False})
        return Heard(
            (last[0] - first[0]) * chosen.nodes, last[1] + last[2] - first[1] - first[2], last[2] - first[2],
            rss, percentiles(ages(noted, at, end)), *found,
        )  # fmt: skip

    async def _cost(self, plc: Child, process: Child) -> tuple[int, float, float]:
        """(ticks, CPU seconds of the process, of the database) so far."""
        ticks = (await plc.ask({"ask": True}))["ticks"]
        return ticks, cpu_seconds(process.pid), cpu_seconds(self._server.postmaster)

    async def _found(self, dsn: str, ticks: int) -> tuple[int, int, int, int]:
        """(rows, lost, doubled, alarms) once the last tick is whole, of all but the first tick heard."""
        give_up = time.monotonic() + SETTLE
        with psycopg.connect(dsn, autocommit=True) as connection:
            while True:
                first, seen = _ticks(connection, self._chosen.nodes)
                wanted = (ticks - first) * self._chosen.nodes
                rows, single = _rows(connection, seen)
                if single >= wanted or time.monotonic() > give_up:
                    break
                await asyncio.sleep(0.5)
            alarms = connection.execute("select count(*) from alarms").fetchone()
        return rows, wanted - single, rows - single, int(alarms[0]) if alarms else 0


def _ticks(connection: psycopg.Connection[Any], nodes: int) -> tuple[int, Sequence[Any]]:
    """(number of the first tick heard, the times of all later ones), by the node that counts them.

    A value that holds for long is put again at a later time: its first time is the tick's.
    """
    found = connection.execute(
        "select value, min(ts) from samples join tags on tags.number = samples.tag "
        "where status = 0 and value > 0 and path = %s group by value order by value",
        [plant.node_tag(nodes - 1)],
    ).fetchall()
    return (int(found[0][0]) if found else 0), [ts for _, ts in found[1:]]


def _rows(connection: psycopg.Connection[Any], times: Sequence[Any]) -> tuple[int, int]:
    """(rows, different ones) of these ticks."""
    found = connection.execute(
        "select coalesce(sum(n), 0), count(*) from (select count(*) as n from samples "
        "where status = 0 and ts = any(%s) group by tag, ts) rows",
        [list(times)],
    ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def figures(chosen: argparse.Namespace, rounds: list[tuple[Heard, Heard]]) -> dict[str, Any]:
    ours, bare = [o for o, _ in rounds], [b for _, b in rounds]

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 2)

    return {
        "opcua_nodes": chosen.nodes,
        "opcua_cpu_ratio": median([o.per_million / b.per_million for o, b in rounds]),
        "opcua_goal_ratio": GOAL,
        # of the changes that were meant: a server that is too slow to change them all spoils the comparison
        "opcua_rate": round(
            sum(h.changes for pair in rounds for h in pair)
            / (2 * len(rounds) * chosen.nodes * chosen.seconds),
            2,
        ),
        "opcua_cpu_s_per_million": median([o.per_million for o in ours]),
        "opcua_of_it_database": median([o.database / o.changes * 1e6 for o in ours]),
        "opcua_bare_cpu_s_per_million": median([b.per_million for b in bare]),
        "opcua_rows": sum(o.rows for o in ours),
        "opcua_lost": sum(o.lost for o in ours),
        "opcua_doubled": sum(o.doubled for o in ours),
        "opcua_alarms": sum(o.alarms for o in ours),
        "opcua_age_at_commit_ms": ours[-1].ages,
        "opcua_rss_mb": round(max(o.rss for o in ours) / 1e6, 1),
        "opcua_bare_rss_mb": round(max(b.rss for b in bare) / 1e6, 1),
        "opcua_all_cpu_s_per_million": [
            [round(o.per_million, 2), round(b.per_million, 2)] for o, b in rounds
        ],
    }
