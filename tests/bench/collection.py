"""100 Modbus devices x 100 registers at 1 Hz into TimescaleDB under 1,000 limit rules, beside the bare limit.

`--only modbus` is that alone; then 5,000 OPC UA nodes beside a bare subscription (tests.bench.subscription),
and the highest rate beside raw COPY (tests.bench.ingest).

In each round the product and the bare loop have the same devices, the same server and the same window, one
after the other, each with an empty database. CPU is that of the collecting process and of the whole database
server. Afterwards every reading that a device has answered is looked for in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from hub.store.migrate import migrate
from tests.bench import database, ingest, plant, subscription
from tests.bench.child import Child, child, environment_without_hub, own_folder, words
from tests.bench.commits import ages
from tests.bench.figures import machine, percentiles, say
from tests.bench.processes import cpu_seconds, rss_bytes

GOAL = 1.5
ROUNDS = 2  # of Modbus, of a minute each
SETTLE = 10.0  # seconds until everything that was answered is on record
PARTS = "writer,rules,collectors,upkeep"


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=collection ARGS=...", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of each window")
    parser.add_argument("--warm-up", type=float, default=10.0)
    parser.add_argument(
        "--rounds", type=int, help=f"product and bare limit, so many times in turn; Modbus {ROUNDS}, others 1"
    )
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--registers", type=int, default=100)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two polls")
    parser.add_argument("--nodes", type=int, default=5000, help="of the OPC UA server, in hundreds")
    parser.add_argument("--only", choices=("modbus", "opcua", "ingest"), help="this part alone")
    parser.add_argument("--parts", default=PARTS, help="of the product; add web to have the live board too")
    parser.add_argument(
        "--keep", type=Path, help="folder for what the processes leave, instead of a passing one"
    )
    chosen = parser.parse_args(given)
    chosen.modbus_rounds, chosen.rounds = chosen.rounds or ROUNDS, chosen.rounds or 1
    return chosen


@dataclass(frozen=True, slots=True)
class Reading:
    at: float  # seconds since 1970
    samples: int  # answered so far
    own: float  # CPU seconds so far
    database: float


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen of one collecting process."""

    samples: int
    own: float  # CPU seconds
    database: float
    ages: dict[str, float]  # ms at commit
    rss: int
    rows: int  # on record in the end, those of the warm-up too; so are the next two
    lost: int
    doubled: int
    alarms: int

    @property
    def per_million(self) -> float:
        return (self.own + self.database) / self.samples * 1e6


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    before = machine()
    async with contextlib.AsyncExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="andon-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)  # the database's own account passes through
        server = await stack.enter_async_context(database.server(folder))
        found: dict[str, Any] = {}
        if chosen.only in (None, "modbus"):
            found |= _figures(chosen, await _rounds(Bench(chosen, folder, server), chosen.modbus_rounds))
        if chosen.only in (None, "opcua"):
            found |= subscription.figures(chosen, await subscription.Pair(chosen, folder, server).rounds())
        if chosen.only in (None, "ingest"):
            found |= ingest.figures(await ingest.Ingest(chosen, folder, server).rounds())
    return {**found, "seconds": chosen.seconds, "rounds": chosen.modbus_rounds, **server.about, **before}


async def _rounds(bench: Bench, rounds: int) -> list[tuple[Window, Window]]:
    found = []
    for number in range(rounds):
        found.append((await bench.ours(), await bench.bare()))
        for name, seen in zip(("product", "bare"), found[-1], strict=True):
            say(f"round {number + 1}, {name}: {seen.per_million:.2f} CPU s per million, {seen}")
    return found


class Bench:
    def __init__(self, chosen: argparse.Namespace, folder: Path, server: database.Server) -> None:
        self._chosen, self._folder, self._server = chosen, folder, server

    @contextlib.asynccontextmanager
    async def _devices(self) -> AsyncIterator[Child]:
        size = words(count=self._chosen.devices, registers=self._chosen.registers)
        async with child("tests.bench.devices", [*size, "--moving"], self._folder) as made:
            yield made

    async def ours(self) -> Window:
        chosen, dsn = self._chosen, self._server.fresh()
        async with self._devices() as devices:
            every = f"{round(chosen.interval * 1000)}ms"
            folder = own_folder(self._folder)
            made = plant.collection(devices.ready["ports"], chosen.registers, every, folder, dsn)
            config = plant.write(made, folder)
            options = words(config=config, parts=chosen.parts, commits=self._folder / "ours.npy")
            return await self._window("tests.bench.product", options, devices, dsn, self._folder / "ours.npy")

    async def bare(self) -> Window:
        chosen, dsn = self._chosen, self._server.fresh()
        await migrate(dsn)
        async with self._devices() as devices:
            ports = ",".join(map(str, devices.ready["ports"]))
            size = {"registers": chosen.registers, "interval": chosen.interval}
            options = words(ports=ports, dsn=dsn, commits=self._folder / "bare.npy", **size)
            module = "tests.bench.bare_collection"
            return await self._window(module, options, devices, dsn, self._folder / "bare.npy")

    async def _window(self, module: str, options: list[str], devices: Child, dsn: str, noted: Path) -> Window:
        chosen = self._chosen
        async with child(module, options, self._folder, environment_without_hub()) as process:
            await process.said()  # that it is up
            await asyncio.sleep(chosen.warm_up)
            self._server.do("checkpoint")
            await self._between_polls()
            first = await self._look(process, devices)
            await asyncio.sleep(chosen.seconds - chosen.interval / 2)
            await self._between_polls()
            last = await self._look(process, devices)
            rss = rss_bytes(process.pid)
            answered = (await devices.ask({"silent": True}))["answered"]
            found = await self._found(dsn, answered)
        return Window(
            last.samples - first.samples,
            last.own - first.own,
            last.database - first.database,
            percentiles(ages(noted, first.at, last.at)),
            rss,
            *found,
        )

    async def _between_polls(self) -> None:
        """In the second half of an interval, when everything of this round is over."""
        interval = self._chosen.interval
        now = time.monotonic()
        await asyncio.sleep((math.floor(now / interval) + 1.7) * interval - now)

    async def _look(self, process: Child, devices: Child) -> Reading:
        answered = (await devices.ask({"ask": True}))["answered"]
        samples = sum(answered) * self._chosen.registers
        return Reading(time.time(), samples, cpu_seconds(process.pid), cpu_seconds(self._server.postmaster))

    async def _found(self, dsn: str, answered: list[int]) -> tuple[int, int, int, int]:
        """(rows, lost, doubled, alarms) once the record has settled."""
        wanted = sum(answered) * self._chosen.registers
        give_up = time.monotonic() + SETTLE
        with psycopg.connect(dsn, autocommit=True) as connection:
            while time.monotonic() < give_up:
                rows, single = _count(connection)
                if rows >= wanted:
                    break
                await asyncio.sleep(0.5)
            missing = _missing_readings(connection, self._chosen.registers, answered)
            alarms = connection.execute("select count(*) from alarms").fetchone()
        lost = max(wanted - single, missing * self._chosen.registers)
        return rows, lost, rows - single, int(alarms[0]) if alarms else 0


def _count(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """(good rows, different ones): a device's reading is known by its tag and its time."""
    found = connection.execute(
        "select coalesce(sum(n), 0), count(*) from "
        "(select count(*) as n from samples where status = 0 group by tag, ts) rows"
    ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def _missing_readings(connection: psycopg.Connection[Any], registers: int, answered: list[int]) -> int:
    """The last register of a device counts its readings: each number from 1 on has to be there."""
    found = connection.execute(
        "select tag, count(distinct value) from samples where status = 0 and tag %% %s = 0 group by tag",
        [registers],
    ).fetchall()
    return sum(answered) - sum(int(n) for _, n in found)


def _figures(chosen: argparse.Namespace, rounds: list[tuple[Window, Window]]) -> dict[str, Any]:
    ours, bare = [o for o, _ in rounds], [b for _, b in rounds]
    # of all rounds together: once a minute the server looks through a table that has grown, and a single
    # window may hold two of these looks or none
    ratio = _per_million(ours) / _per_million(bare)
    return {
        "devices": chosen.devices,
        "registers": chosen.registers,
        "interval_s": chosen.interval,
        "rules": chosen.devices * plant.RULED,
        "parts": chosen.parts,
        "cpu_s_per_million": round(_per_million(ours), 2),
        "of_it_database": _median(o.database / o.samples * 1e6 for o in ours),
        "bare_cpu_s_per_million": round(_per_million(bare), 2),
        "bare_of_it_database": _median(b.database / b.samples * 1e6 for b in bare),
        "cpu_ratio": round(ratio, 2),
        "goal_ratio": GOAL,
        "samples": sum(o.samples for o in ours),
        "rows": sum(o.rows for o in ours),
        "lost": sum(o.lost for o in ours),
        "doubled": sum(o.doubled for o in ours),
        "bare_lost": sum(b.lost for b in bare),
        "alarms": sum(o.alarms for o in ours),
        "age_at_commit_ms": ours[-1].ages,
        "bare_age_at_commit_ms": bare[-1].ages,
        "rss_mb": round(max(o.rss for o in ours) / 1e6, 1),
        "all_cpu_s_per_million": [[round(o.per_million, 2), round(b.per_million, 2)] for o, b in rounds],
    }


def _per_million(windows: Sequence[Window]) -> float:
    return sum(w.own + w.database for w in windows) / sum(w.samples for w in windows) * 1e6


def _median(values: Iterable[float]) -> float:
    return round(float(statistics.median(values)), 2)
