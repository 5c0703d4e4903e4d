"""Memory of the whole product over an hour of 100 Modbus devices x 100 registers at 1 Hz, under 1,000 rules.

Its own embedded PostgreSQL, web and all. Memory is the resident set of the product's process; the slope is
the least-squares line through all looks after the first tenth, in which caches fill.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench import plant
from tests.bench.child import child, environment_without_hub, words
from tests.bench.figures import machine, say
from tests.bench.processes import cpu_seconds, rss_bytes

GOAL_MB = 300
LOOK = 15.0  # seconds


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=soak ARGS=...", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--registers", type=int, default=100)
    parser.add_argument("--parts", default="web,writer,rules,collectors,upkeep")
    return parser.parse_args(given)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    before = machine()
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the database's own account passes through
        size = words(count=chosen.devices, registers=chosen.registers)
        async with child("tests.bench.devices", [*size, "--moving"], folder) as devices:
            made = plant.collection(devices.ready["ports"], chosen.registers, "1s", folder, None)
            options = words(config=plant.write(made, folder), parts=chosen.parts, commits=folder / "soak.npy")
            async with child("tests.bench.product", options, folder, environment_without_hub()) as product:
                await product.said()
                looks = await _looks(product.pid, chosen.minutes * 60)
            answered = sum((await devices.ask({"silent": True}))["answered"]) * chosen.registers
    return {**_figures(looks), "samples": answered, "minutes": chosen.minutes, **before}


async def _looks(pid: int, seconds: float) -> list[tuple[float, int, float]]:
    """(seconds since the start, resident bytes, CPU seconds), at even distances."""
    began, found = time.monotonic(), []
    while (at := time.monotonic() - began) < seconds:
        found.append((at, rss_bytes(pid), cpu_seconds(pid)))
        if len(found) % 20 == 1:
            say(f"{at / 60:.0f} min: {found[-1][1] / 1e6:.1f} MB")
        await asyncio.sleep(LOOK)
    return found


def _figures(looks: list[tuple[float, int, float]]) -> dict[str, Any]:
    later = np.array(looks[len(looks) // 10 :])
    hours, memory = later[:, 0] / 3600, later[:, 1] / 1e6
    slope = float(np.polyfit(hours, memory, 1)[0]) if len(later) > 2 else float("nan")
    return {
        "rss_mb_early": round(float(memory[: max(len(memory) // 10, 1)].mean()), 1),
        "rss_mb_late": round(float(memory[-max(len(memory) // 10, 1) :].mean()), 1),
        "rss_mb_most": round(float(memory.max()), 1),
        "rss_goal_mb": GOAL_MB,
        "slope_mb_per_hour": round(slope, 2),
        "cpu_of_a_core": round((later[-1, 2] - later[0, 2]) / (later[-1, 0] - later[0, 0]), 3),
    }
