"""What a rush order would displace among 500 orders: seconds until the planner sees it.

The whole way of `GET /api/orders/{number}/rush`: guard, record, prediction with and without the rush, JSON.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import httpx

from erp_bridge.rush import preview
from erp_bridge.rush_desk import OrderRushDesk
from erp_bridge.rush_notices import Crowd
from hub.api.app import build
from hub.api.limits import Meter
from hub.model.people import Break, Person, Role, Shift
from hub.model.production import JobOrder, JobProgress, JobResponse, JobState, WorkOrder
from hub.model.words import Words
from hub.notices import Notices
from hub.store.ledger import PgLedger
from hub.store.migrate import migrate
from hub.store.pool import open_pool
from hub.store.rush import PgRushes
from tests.api_house import house
from tests.bench.database import server
from tests.bench.figures import machine, say

NOW = datetime(2026, 1, 5, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Calendar:
    """Two shifts with breaks, five days a week."""

    time_zone: str = "Asia/Shanghai"
    people: dict[str, Person] = field(default_factory=dict)
    shifts: tuple[Shift, ...] = (
        Shift(Words("早班", "Early"), clock_time(6), clock_time(14), frozenset(range(5)),
              (Break(clock_time(10), clock_time(10, 30)),)),
        Shift(Words("中班", "Late"), clock_time(14), clock_time(22), frozenset(range(5))),
    )  # fmt: skip


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=rush ARGS=...", description=__doc__)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--lines", type=int, default=20)
    parser.add_argument("--operations", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(given)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    dice = random.Random(chosen.seed)
    lines = [f"p1/a/l{n}" for n in range(chosen.lines)]
    orders = [_order(n, dice, lines, chosen.operations) for n in range(chosen.orders)]
    progress = [_running(o) for o in orders[: chosen.lines]]
    targets = {line: dice.randrange(60, 600) for line in lines}
    numbers = dice.choices([o.number for o in orders[chosen.lines :] if not o.rush], k=chosen.rounds)
    thought, moved = [], []
    for number in numbers:
        began = time.perf_counter()
        found = preview(number, orders, progress, Calendar(), targets, NOW)
        thought.append(time.perf_counter() - began)
        moved.append(len(found.losers))
    took, told = await _asked(orders, progress, targets, numbers)
    if told != moved:
        raise SystemExit("the hub foresees other losers than the arithmetic that was timed")
    return {
        "orders": chosen.orders, "operations": chosen.orders * chosen.operations, "rounds": chosen.rounds,
        "seconds": _middle(took), "worst_seconds": round(max(took), 4), "thinking_seconds": _middle(thought),
        "goal": {"seconds": 2.0}, "losers": sorted(moved)[len(moved) // 2], **machine(),
    }  # fmt: skip


def _middle(seconds: Sequence[float]) -> float:
    return round(sorted(seconds)[len(seconds) // 2], 4)


async def _asked(
    orders: Sequence[WorkOrder], progress: Sequence[JobProgress], targets: dict[str, int],
    numbers: Sequence[str],
) -> tuple[list[float], list[int]]:  # fmt: skip
    """Seconds and losers of each request, behind the real door and on a real record."""
    took, told = [], []
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        Path(name).chmod(0o711)
        async with server(Path(name)) as database:
            dsn = database.fresh()
            await migrate(dsn)
            pool = await open_pool(dsn)
            try:
                client = await _planner(pool, orders, progress, targets)
                say(f"{len(orders)} orders on record")
                for number in numbers:
                    began = time.perf_counter()
                    answer = await client.get(f"/api/orders/{number}/rush")
                    took.append(time.perf_counter() - began)
                    told.append(len(answer.raise_for_status().json()["preview"]["losers"]))
            finally:
                await pool.close()
    return took, told


async def _planner(
    pool: Any, orders: Sequence[WorkOrder], progress: Sequence[JobProgress], targets: dict[str, int]
) -> httpx.AsyncClient:
    planner = Person("planner", Words("计划员", "Planner"), frozenset({Role.PLANNER}), ("p1",))
    here = house(planner, meter=Meter(burst=1e9))
    here.clock.turn((NOW - here.clock.now()).total_seconds())
    calendar = Calendar()
    plant = replace(here.deps.plant, targets=targets, shifts=calendar.shifts, time_zone=calendar.time_zone)
    ledger = PgLedger(pool, plant.time_zone, here.clock)
    async with ledger.begin() as tx:
        for order in orders:
            await tx.save_order(order)
        for n, part in enumerate(progress):
            for which, at in enumerate((part.started_at, part.last_at)):
                assert at is not None
                good = part.good if which else 0
                job = part.job
                await tx.add_response(JobResponse(f"{n}.{which}", job.order, job.operation, at, good))
    crowd = Crowd(Notices(plant, ("group",)))
    desk = OrderRushDesk(plant, PgRushes(pool, here.clock), here.clock, _nobody, crowd)
    here.app = build(replace(here.deps, plant=plant, ledger=ledger, rush=desk), meter=Meter(burst=1e9))
    return here.as_person(planner.id)


async def _nobody(_: dict[str, Any]) -> None:
    """Nobody listens."""


def _order(n: int, dice: random.Random, lines: list[str], operations: int) -> WorkOrder:
    number = f"MO{n:05}"
    quantity = dice.randrange(50, 500)
    jobs = tuple(
        JobOrder(number, str(10 * (i + 1)), Words("工序", "step"), dice.choice(lines), quantity)
        for i in range(operations)
    )
    due = NOW + timedelta(hours=dice.randrange(8, 24 * 30))
    return WorkOrder(
        number, "A", Words("甲", "A"), quantity, due, dice.randrange(2, 6), dice.random() < 0.02, jobs=jobs
    )


def _running(order: WorkOrder) -> JobProgress:
    job = order.jobs[0]
    return JobProgress(job, job.quantity // 3, 0, JobState.RUNNING, NOW - timedelta(hours=2), NOW)
