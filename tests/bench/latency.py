"""A register crosses a limit -> the HTTP request is at the chat robot, beside a bare poll, compare and POST.

The product runs whole: collector, bus, writer, rules, alarm and message in one durable transaction, outbox,
WeCom notifier with its vendor's limits, web. Product and bare loop poll a device each, on the same grid, and
their registers are flipped in turn at random moments. Each flip of the product's is a new alarm: it is
acknowledged over the API as a person would and cleared before its register's turn comes again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from hub.people import set_password
from hub.settings import load
from tests.bench import plant
from tests.bench.child import Child, child, environment_without_hub, words
from tests.bench.figures import machine, percentiles, say
from tests.bench.processes import cpu_seconds, family, parent, rss_bytes
from tests.bench.robot import Robot, robot

ROBOTS = 33  # each is told six times in a series of 99 flips: far below the vendor's 20 a minute
HIGH, LOW = 9_000, 1_000  # raw; the limit is 800.0 at a scale of 0.1
GOALS = {"100ms": {"difference_p99_ms": 50}, "fast-20ms": {"p99_ms": 60, "cpu_percent": 6}}
SECRET = "bench-Pass-phrase-93"


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    polls: dict[str, str]  # of the product's collector
    interval: float  # of the bare loop, seconds
    registers: int  # that the bare loop reads: as many as the product does at this interval


ALL = (
    Series("100ms", {"every": "100ms"}, 0.1, 100),
    Series("fast-20ms", {"every": "1s", "fast": "20ms"}, 0.02, ROBOTS),
)


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=latency ARGS=...", description=__doc__)
    parser.add_argument("--flips", type=int, default=99)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of polling for the share of a core")
    parser.add_argument("--series", choices=[s.name for s in ALL], help="only this one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--keep", type=Path, help="folder for what the processes leave, instead of a passing one"
    )
    return parser.parse_args(given)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    before = machine()
    figures: dict[str, Any] = {"flips": chosen.flips}
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="andon-bench-")))
        for series in ALL:
            if chosen.series in (None, series.name):
                figures[series.name] = await _run(series, chosen, folder / series.name)
                say(f"{series.name}: {figures[series.name]}")
    return figures | {"edition": "plain, embedded"} | before


async def _run(series: Series, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder.parent, folder):
        place.chmod(0o711)  # the database's own account passes through
    async with contextlib.AsyncExitStack() as stack:
        ears = await stack.enter_async_context(robot())
        devices = await stack.enter_async_context(
            child("tests.bench.devices", words(count=2, registers=100), folder)
        )
        ports = devices.ready["ports"]
        made = plant.latency(ports[0], 100, [ears.url] * ROBOTS, series.polls, folder)
        config = plant.write(made, folder)
        await set_password(load(config, {}), "admin", SECRET)
        for device in range(2):
            for register in range(ROBOTS):
                await devices.ask({"set": [device, register, LOW]})
        product = await stack.enter_async_context(
            child("tests.bench.product", words(config=config, commits=folder / "commits.npy"), folder,
                  environment_without_hub())
        )  # fmt: skip
        address = (await product.said())["up"]
        options = words(device=ports[1], robot=urlsplit(ears.url).port, registers=series.registers,
                        interval=series.interval)  # fmt: skip
        bare = await stack.enter_async_context(child("tests.bench.bare_latency", options, folder))
        await bare.said()
        client = await stack.enter_async_context(door(address))
        flips = Flips(devices, ears, client, random.Random(chosen.seed), series.interval)
        await asyncio.sleep(2)  # the first polls are over
        shares = await _shares(product, bare, chosen.idle)
        ours, limit = await flips.all(chosen.flips)
        return _figures(series, ours, limit) | shares | {"rss_mb": round(rss_bytes(product.pid) / 1e6, 1)}


@contextlib.asynccontextmanager
async def door(address: str) -> Any:
    """An API client who is logged in and may acknowledge."""
    async with httpx.AsyncClient(base_url=address, headers={"Origin": address}) as client:
        told = await client.post("/api/login", json={"person": "admin", "password": SECRET})
        told.raise_for_status()
        client.headers["X-Andon-CSRF"] = told.json()["csrf"]
        yield client


class Flips:
    """Now a register of the product's device, now one of the bare loop's."""

    def __init__(
        self, devices: Child, ears: Robot, door: httpx.AsyncClient, chance: random.Random, interval: float
    ) -> None:
        self._devices, self._ears, self._door = devices, ears, door
        self._chance, self._interval = chance, interval

    async def all(self, count: int) -> tuple[list[float], list[float]]:
        ours, limit = [], []
        for n in range(count):
            ours.append(await self._product(n % ROBOTS))
            limit.append(await self._bare(n % ROBOTS))
        return ours, limit

    async def _product(self, register: int) -> float:
        """Seconds from the flip to the message."""
        await self._some_time()
        begun = await self._put(0, register, HIGH)
        told = await self._ears.told(f"key=bench-{register}")
        alarm = re.search(r"#a=(\d+)", told.body)
        if alarm is None:
            raise RuntimeError(f"a message without a link to its alarm: {told.body}")
        (await self._door.post(f"/api/alarms/{alarm[1]}/acknowledge")).raise_for_status()
        await self._put(0, register, LOW)
        await self._ears.told(f"key=bench-{register}")  # that it is over
        return told.at - begun

    async def _bare(self, register: int) -> float:
        await self._some_time()
        begun = await self._put(1, register, HIGH)
        told = await self._ears.told("/bare")
        await self._put(1, register, LOW)
        return told.at - begun

    async def _some_time(self) -> None:
        """Two polls at least, so that the last flip is over, and then any moment of an interval."""
        await asyncio.sleep(0.05 + (2 + self._chance.random()) * self._interval)

    async def _put(self, device: int, register: int, value: int) -> float:
        return float((await self._devices.ask({"set": [device, register, value]}))["at"])


async def _shares(product: Child, bare: Child, seconds: float) -> dict[str, float]:
    """Percent of a core while polling and nothing happens."""
    database = next(pid for pid in family(product.pid) if parent(pid) == product.pid)
    watched = {"cpu_percent": product.pid, "database_cpu_percent": database, "bare_cpu_percent": bare.pid}

    def look() -> dict[str, float]:
        seen = {name: cpu_seconds(pid) for name, pid in watched.items()}
        return seen | {"cpu_percent": seen["cpu_percent"] - seen["database_cpu_percent"]}

    first = look()
    await asyncio.sleep(seconds)
    last = look()
    return {name: round((last[name] - first[name]) / seconds * 100, 2) for name in watched}


def _figures(series: Series, ours: list[float], limit: list[float]) -> dict[str, Any]:
    product, bare = percentiles(ours, 1000), percentiles(limit, 1000)
    return {
        "p50_ms": product["p50"],
        "p99_ms": product["p99"],
        "bare_p50_ms": bare["p50"],
        "bare_p99_ms": bare["p99"],
        "difference_p50_ms": round(product["p50"] - bare["p50"], 2),
        "difference_p99_ms": round(product["p99"] - bare["p99"], 2),
        "mean_ms": round(float(np.mean(ours)) * 1000, 2),
        "bare_mean_ms": round(float(np.mean(limit)) * 1000, 2),
        "goal": GOALS[series.name],
    }
