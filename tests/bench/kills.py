"""kill -9 at random moments of the story: how often was the end another one?

Every round is a plant of its own. While the press overheats, is repaired and made to prove it, the hub is
killed and started again some times, at moments drawn from the seed; then everything is counted as
tests/e2e/incident.py has it. `n` rounds without a violation bound its rate at 3/n (95 %).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.bench.figures import machine, say
from tests.e2e.incident import PASSWORD, TECHNICIAN, Incident
from tests.e2e.world import World, set_password, world

SPEED = 3.0


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=kills ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kills", type=int, default=8, help="in each round")
    parser.add_argument("--longest", type=float, default=8.0, help="seconds that the hub lives at most")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(given)


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    violations: list[str] = []
    began = time.monotonic()
    for number in range(asked.rounds):
        try:
            await _round(random.Random(asked.seed * 1000 + number), asked.kills, asked.longest)
        except AssertionError as cause:
            violations.append(f"seed {asked.seed}, round {number}: {cause}")
        say(f"round {number + 1} of {asked.rounds}, {len(violations)} violations")
    return {
        "rounds": asked.rounds,
        "kills": asked.rounds * asked.kills,
        "violations": violations,
        "rate_below": round(min(1.0, 3 / asked.rounds), 3) if not violations else None,
        "seconds": round(time.monotonic() - began, 1),
        "machine": machine(),
    }


async def _round(dice: random.Random, kills: int, longest: float) -> None:
    async with _world() as here:
        incident = Incident(here)
        await set_password(here.plant, TECHNICIAN, PASSWORD)
        await incident.begin()
        people = asyncio.create_task(incident.repair())
        try:
            for _ in range(kills):
                await here.hub.start()
                await asyncio.sleep(dice.uniform(0.0, longest))
                await here.hub.kill()
            await here.hub.start()
            await people
            await incident.settled()
        finally:
            people.cancel()
            await asyncio.gather(people, return_exceptions=True)
        await incident.check(lives=kills + 1, in_flight=kills)


@contextlib.asynccontextmanager
async def _world() -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory(prefix="andon-kills-") as name:
        Path(name).chmod(0o711)  # the database's own account passes through
        async with world(Path(name) / "world", SPEED) as here:
            yield here
