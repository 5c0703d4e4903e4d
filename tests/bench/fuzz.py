"""Hostile devices and clients: 20,000 spoilt exchanges of each kind (count), seed."""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.fuzz import mes, modbus, mqtt, opcua, web
from tests.fuzz.stand import Outcome

_IDLE = 1.0  # seconds that are looked at when all is over
KINDS: dict[str, Callable[[int, int], Awaitable[Outcome]]] = {
    "modbus": modbus.fuzz, "opcua": opcua.fuzz, "mqtt": mqtt.fuzz, "mes_http": mes.fuzz, "http": web.http,
    "websocket": web.websocket,
}  # fmt: skip


def arguments(words: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="make bench BENCH=fuzz ARGS=")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(KINDS), action="append")
    return parser.parse_args(words)


async def measure(given: Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in given.only or KINDS:
        began, spent = time.monotonic(), time.process_time()
        out = await KINDS[name](given.count, given.seed)
        seconds, cpu = time.monotonic() - began, time.process_time() - spent
        spent = time.process_time()
        await asyncio.sleep(_IDLE)
        figures[name] = {
            "inputs": out.inputs, "faults": len(out.faults), "megabytes": out.megabytes,
            "tasks_left": out.tasks_left, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1),
            "idle_share": round((time.process_time() - spent) / _IDLE, 3),
        }  # fmt: skip
        ends = ", ".join(f"{end} {n}" for end, n in out.ends.most_common())
        print(f"{name}: {figures[name]}; {ends}", *out.faults[:10], sep="\n  ", file=sys.stderr, flush=True)
    return figures
