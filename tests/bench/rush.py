"""What a rush order would displace among 500 orders: seconds until the planner sees it."""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import Any

from erp_bridge.rush import preview
from hub.model.people import Break, Person, Shift
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder
from hub.model.words import Words
from tests.bench.figures import machine

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
    took, moved = [], []
    for _ in range(chosen.rounds):
        number = dice.choice([o.number for o in orders[chosen.lines :] if not o.rush])
        began = time.perf_counter()
        found = preview(number, orders, progress, Calendar(), targets, NOW)
        took.append(time.perf_counter() - began)
        moved.append(len(found.losers))
    took.sort()
    return {
        "orders": chosen.orders, "operations": chosen.orders * chosen.operations, "rounds": chosen.rounds,
        "seconds": round(took[len(took) // 2], 4), "worst_seconds": round(took[-1], 4),
        "goal": {"seconds": 2.0}, "losers": sorted(moved)[len(moved) // 2], **machine(),
    }  # fmt: skip


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
