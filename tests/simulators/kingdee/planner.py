"""The office's planner: enters into the ERP what the demo plant's MES has begun to make.

In a plant orders come from the ERP; the demo plant invents its own, and its ERP must not be the last to know.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import httpx

from hub.model.words import Words
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.plant.orders import Job, Order

EVERY_SECONDS = 3.0


async def keep_entering(simulator: KingdeeSimulator, mes: str) -> None:
    """Look at the MES's orders again and again; a MES that is away has none."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        while True:
            try:
                told = (await http.get(f"{mes.rstrip('/')}/mes/orders")).raise_for_status().json()
                simulator.admit_orders([read_order(line) for line in told])
            except (httpx.HTTPError, ValueError, KeyError):
                pass
            await asyncio.sleep(EVERY_SECONDS)


def read_order(line: dict[str, Any]) -> Order:
    """The inverse of tests.simulators.plant.orders.as_json, as far as an ERP cares."""
    jobs = tuple(
        Job(j["operation"], Words(**j["name"]), j["work_center"], j["quantity"], ()) for j in line["jobs"]
    )
    serial = int("".join(c for c in line["number"] if c.isdigit()) or 0)
    return Order(
        line["number"], str(100_000 + serial), line["product"], Words(**line["product_name"]),
        line["quantity"], datetime.fromisoformat(line["due_at"]), line["priority"], line["rush"],
        line["customer"], line["sales_order"], jobs,
    )  # fmt: skip
