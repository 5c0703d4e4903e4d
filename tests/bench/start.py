"""From the command to the first sample on record, and what the process weighs a while later.

Twice for each plant: with an empty folder (the database is made) and again with what is there. The machines
run already; the database is the embedded one, and everything runs in one process, as `andon run` has it. Our
modules are compiled beforehand, as an installer leaves them.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from hub.clock import SystemClock
from hub.registry import ROOTS
from hub.training import TrainingPlant, checkout
from tests.bench import plant
from tests.bench.child import child, environment_without_hub, words
from tests.bench.figures import machine, say
from tests.bench.processes import cpu_seconds, family, parent, pss_bytes, rss_bytes
from tests.e2e.world import free_port

PATIENCE = 180.0
GOALS = {"points-10000": {"seconds": 2.0, "rss_mb": 125}, "demo-command": {"again_seconds": 10.0}}
ALIVE = b"The plant is alive"


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=start ARGS=...", description=__doc__)
    parser.add_argument("--settle", type=float, default=15.0, help="seconds of running before memory is read")
    parser.add_argument("--only", choices=["demo", "points-10000", "demo-command"])
    return parser.parse_args(given)


@dataclass(frozen=True, slots=True)
class House:
    """What `andon run` needs, and the database it will make."""

    config: Path
    environment: Mapping[str, str]
    data: Path

    @property
    def dsn(self) -> str:
        return f"postgresql://andon@/andon?host={quote(str(self.data / 'postgres' / 's'), safe='')}"


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    before = machine()
    for package in ROOTS:
        compileall.compile_dir(checkout() / package, quiet=1)
    figures: dict[str, Any] = {}
    for name, furnished in (("demo", _demo), ("points-10000", _many_points)):
        if chosen.only in (None, name):
            # a short path: the database's socket lies below it
            with tempfile.TemporaryDirectory(prefix="andon-b-", dir="/tmp") as place:
                Path(place).chmod(0o711)
                async with furnished(Path(place)) as house:
                    first = await _start(house, chosen.settle)
                    again = await _start(house, chosen.settle)
            figures[name] = {"first": first, "again": again, "goal": GOALS.get(name, {})}
            say(f"{name}: {figures[name]}")
    if chosen.only in (None, "demo-command"):
        figures["demo-command"] = await _demo_command() | {"goal": GOALS["demo-command"]}
        say(f"demo-command: {figures['demo-command']}")
    return figures | before


async def _demo_command() -> dict[str, float]:
    """`andon demo`, simulators and all: seconds until it says that the plant is alive; first, and again."""
    with tempfile.TemporaryDirectory(prefix="andon-b-", dir="/tmp") as place:
        Path(place).chmod(0o711)
        words = ["demo", "--data", place, "--port", str(free_port()), "--story", "-1", "--no-hands-off"]
        return {"first_seconds": await _until_alive(words), "again_seconds": await _until_alive(words)}


async def _until_alive(words: list[str]) -> float:
    environment = {**os.environ, **environment_without_hub(), "COLUMNS": "200"}
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.cli", *words, cwd=checkout(), env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            async for line in process.stdout:
                if ALIVE in line:
                    return round(time.monotonic() - begun, 2)
        raise RuntimeError("the demo ended before it was alive")
    finally:
        process.terminate()
        await process.communicate()


@contextlib.asynccontextmanager
async def _demo(folder: Path) -> AsyncIterator[House]:
    """The training plant: twelve machines behind OPC UA and Modbus, MES, ERP, chat robots."""
    made = TrainingPlant(folder, free_port())
    try:
        await made.start(lambda _name, _text: None)
        yield House(made.config, made.hub_environment(), folder)
    finally:
        await made.stop()


@contextlib.asynccontextmanager
async def _many_points(folder: Path) -> AsyncIterator[House]:
    """100 Modbus devices of 100 registers, and 1,000 limit rules."""
    async with child("tests.bench.devices", [*words(count=100, registers=100), "--moving"], folder) as made:
        config = plant.write(plant.collection(made.ready["ports"], 100, "1s", folder, None), folder)
        yield House(config, {}, folder / "data")


async def _start(house: House, settle: float) -> dict[str, float]:
    environment = {**os.environ, **environment_without_hub(), **house.environment}
    environment["ANDON_ALIVE"] = str(house.config.with_name("alive.json"))
    since = SystemClock().now()
    begun = time.monotonic()
    with house.config.with_name("run.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub.cli", "run", "--config", str(house.config), env=environment,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        seconds = await _first_sample(house.dsn, since) - begun
        cpu = cpu_seconds(process.pid)
        await asyncio.sleep(settle)
        servers = [pid for pid in family(process.pid) if parent(pid) == process.pid]
        return {
            "seconds": round(seconds, 2),
            "cpu_seconds": round(cpu, 2),  # until the first sample, with the database: holds under load too
            "rss_mb": round(rss_bytes(process.pid) / 1e6, 1),
            "database_mb": round(sum(pss_bytes(pid) for pid in servers) / 1e6, 1),
        }
    finally:
        process.terminate()
        await process.wait()


async def _first_sample(dsn: str, since: datetime) -> float:
    """The monotonic moment at which a sample newer than `since` was there to be read."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                    while True:
                        with contextlib.suppress(psycopg.errors.UndefinedTable):
                            found = await connection.execute(NEWER, [since])
                            if await found.fetchone() is not None:
                                return time.monotonic()
                        await asyncio.sleep(0.01)
            except psycopg.OperationalError:
                await asyncio.sleep(0.02)


NEWER = "select 1 from samples where ts > %s limit 1"
