"""An OPC UA server is killed again and again: how soon is every node heard again, is any left silent?

The server is a process of its own, ended by SIGKILL at a moment drawn from the seed. The collector runs as
in the hub: under the supervisor, with its pauses. A life counts from the moment at which the server is ready
to that at which each of its nodes has brought a value of this life; one that does not within 10 s is a silent
subscription.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from collectors.opcua import OpcUaCollector
from collectors.runner import CollectorRunner
from hub.clock import SystemClock
from hub.model.batch import SampleBatch, micros
from hub.model.sample import Tag
from hub.model.words import Words
from hub.supervisor import Supervisor
from tests.bench.child import child, words
from tests.bench.figures import machine, say
from tests.bench.plant import NAMESPACE
from tests.ports import free_port

LIMIT = 10.0  # seconds


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=restarts ARGS=...", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument(
        "--longest", type=float, default=1.0, help="seconds that a heard server lives at most"
    )
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(given)


class Ears:
    """Which nodes have brought a good value of after `since`."""

    def __init__(self) -> None:
        self.since, self.heard = 0, set[int]()
        self.news = asyncio.Event()

    def listen(self) -> None:
        self.since = micros(SystemClock().now())
        self.heard.clear()

    async def put(self, item: SampleBatch) -> None:
        fresh = (item.source_times >= self.since) & (item.statuses == 0)
        self.heard.update(item.tags[fresh].tolist())
        self.news.set()

    async def all_of(self, nodes: int) -> None:
        while len(self.heard) < nodes:
            self.news.clear()
            await self.news.wait()


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    port, clock, ears = free_port(), SystemClock(), Ears()
    tags = {
        f"m/v{n}": Tag(n + 1, f"m/v{n}", Words("", ""), stale_after=timedelta(seconds=5))
        for n in range(asked.nodes)
    }
    config = OpcUaCollector.Config.model_validate(
        {"endpoint": f"opc.tcp://127.0.0.1:{port}/bench", "security": "none",
         "nodes": [{"tag": f"m/v{n}", "node": f"nsu={NAMESPACE};s=v{n}"} for n in range(asked.nodes)]}
    )  # fmt: skip
    supervisor = Supervisor(clock)

    async def state(up: bool, error: str) -> None:
        if up:
            supervisor.proved("cell")

    runner = CollectorRunner("cell", lambda: OpcUaCollector(config, clock, tags, "cell"), ears, clock, state)
    supervisor.watch("cell", runner.run, outside=True)
    task = asyncio.create_task(supervisor.run())
    draw, took, silent = random.Random(asked.seed), list[float](), 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            for life in range(asked.kills + 1):
                options = words(nodes=asked.nodes, interval=0.2, port=port)
                async with child("tests.bench.opcua_server", options, Path(folder)) as server:
                    ears.listen()
                    began = time.monotonic()
                    try:
                        async with asyncio.timeout(LIMIT):
                            await ears.all_of(asked.nodes)
                        took += [time.monotonic() - began] if life else []
                    except TimeoutError:
                        silent += 1
                        say(f"life {life}: {len(ears.heard)} of {asked.nodes} nodes heard within {LIMIT:g} s")
                    await asyncio.sleep(draw.uniform(0, asked.longest))
                    os.kill(server.pid, signal.SIGKILL)
                if life % 10 == 0:
                    say(f"{life} kills, longest so far {max(took, default=0):.2f} s")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    ordered = sorted(took) or [float("nan")]
    return {
        "kills": asked.kills, "nodes": asked.nodes, "silent": silent,
        "resubscribed_p50": round(statistics.median(ordered), 2),
        "resubscribed_p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 2),
        "resubscribed_max": round(ordered[-1], 2), **machine(),
    }  # fmt: skip
