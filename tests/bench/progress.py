"""A report pushed by the MES -> the ERP has it in its books, with the hub as a process of its own.

The simulated Kingdee runs here, the product whole in another process with its embedded database. One report
at a time is pushed at random moments, signed as an MES signs it; it counts from before the push until the
ERP's books hold the report, approved. In a second series all are pushed within a second.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from pydantic import SecretStr

from hub import webhooks
from hub.clock import SystemClock
from tests.bench import plant
from tests.bench.child import child, environment_without_hub, words
from tests.bench.figures import machine, percentiles, say
from tests.ports import free_port
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.sessions import Account

GOAL = 5.0  # seconds
OPERATIONS = ("MO0001", "10"), ("MO0002", "10"), ("MO0004", "10"), ("MO0004", "20"), ("MO0006", "10")
LOOK = 0.02  # seconds between looks into the books: each takes time from the ERP, which is of this process
LATEST = 60.0  # seconds until a report counts as lost
ERP_SECRET, MES_SECRET = "BENCH_ERP_SECRET", "BENCH_MES_SECRET"


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=progress ARGS=...", description=__doc__)
    parser.add_argument("--reports", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--keep", type=Path, help="folder for what the processes leave, instead of a passing one"
    )
    return parser.parse_args(given)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    before, clock = machine(), SystemClock()
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="andon-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)  # the database's own account passes through
        erp = stack.enter_context(KingdeeSimulator(now=clock.now, order_start=clock.now()))
        single, burst = await _pushed(erp, folder, chosen)
    figures = {"single": _figures(single), "burst": _figures(burst)}
    say(str(figures))
    reached = all(seconds <= GOAL for seconds in single + burst)
    return {"reports": chosen.reports, **figures, "goal_s": GOAL, "reached": reached} | before


async def _pushed(
    erp: KingdeeSimulator, folder: Path, chosen: argparse.Namespace
) -> tuple[list[float], list[float]]:
    key = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    told = {ERP_SECRET: Account().app_secret, MES_SECRET: key}
    config = plant.write(_configuration(erp, folder), folder)
    async with contextlib.AsyncExitStack() as stack:
        product = await stack.enter_async_context(
            child("tests.bench.product", words(config=config, commits=folder / "commits.npy"), folder,
                  environment_without_hub() | told)
        )  # fmt: skip
        address = (await product.said())["up"]
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=address))
        mes, dice = Mes(client, SecretStr(key)), random.Random(chosen.seed)
        await asyncio.sleep(3)  # the first look at the ERP's orders is over
        single = []
        for n in range(chosen.reports):
            await asyncio.sleep(0.2 + dice.random())
            begun = time.monotonic()
            single += await _until_there(erp, {await mes.push(f"S{n:03}", n): begun})
        sent = {}
        for n in range(chosen.reports):
            begun = time.monotonic()
            sent[await mes.push(f"B{n:03}", n)] = begun
        return single, await _until_there(erp, sent)


class Mes:
    """Pushes reports of one piece each."""

    def __init__(self, client: httpx.AsyncClient, key: SecretStr) -> None:
        self._client, self._key, self._clock = client, key, SystemClock()

    async def push(self, name: str, n: int) -> str:
        order, operation = OPERATIONS[n % len(OPERATIONS)]
        now = self._clock.now()
        event = {"type": "report", "id": name, "order": order, "operation": operation, "at": now.isoformat(),
                 "good": 1, "state": "running"}  # fmt: skip
        body, about = json.dumps({"events": [event]}).encode(), f"msg-{name}"
        headers = {
            "webhook-id": about,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": webhooks.signature(about, now, body, self._key),
            "Content-Type": "application/json",
        }
        (await self._client.post("/api/mes/push", content=body, headers=headers)).raise_for_status()
        return name


async def _until_there(erp: KingdeeSimulator, sent: dict[str, float]) -> list[float]:
    """Seconds from each push until the ERP's books hold it, in the order of the pushes."""
    arrived: dict[str, float] = {}
    there: Callable[[], Collection[Any]] = erp.reports
    async with asyncio.timeout(LATEST):
        while len(arrived) < len(sent):
            await asyncio.sleep(LOOK)
            found = {r["key"] for r in await asyncio.to_thread(there) if r["status"] == "C"}
            now = time.monotonic()
            arrived |= {name: now for name in sent if name in found and name not in arrived}
    return [arrived[name] - begun for name, begun in sent.items()]


def _configuration(erp: KingdeeSimulator, folder: Path) -> dict[str, Any]:
    account = Account()
    return {
        "plant": plant.site(1, 1),
        "hub": {"port": free_port(), "data": str(folder / "data")},
        "mes": [{"name": "push", "kind": "mes-push", "with": {"secrets": [{"env": MES_SECRET}]}}],
        "erp": {"name": "erp", "kind": "kingdee-galaxy", "with": {
            "server_url": erp.url, "acct_id": account.acct_id, "user": account.user, "app_id": account.app_id,
            "app_secret": {"env": ERP_SECRET}}},
        "people": plant.people(),
    }  # fmt: skip


def _figures(seconds: list[float]) -> dict[str, float]:
    found = percentiles(seconds, 1000)
    return {"p50_ms": found["p50"], "p99_ms": found["p99"], "max_ms": round(float(np.max(seconds)) * 1000, 1)}
