"""What the tests of this folder say and look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from erp_bridge.erpnext import ErpNextConnector
from tests.contract.erp.worlds.erpnext import ErpNextBooks
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
KEY = "AH-20260105-0007"
FACTS = ErpNextBooks.facts
Connect = Callable[..., ErpNextConnector]
Step = Callable[[ErpNextConnector], Awaitable[Any]]


def ticket(**more: Any) -> dict[str, Any]:
    return {
        "equipment": FACTS.equipment, "equipment_path": "p1/l2/cnc-03", "equipment_name": "加工中心03",
        "title": "主轴温度超限 <82℃>", "priority": 4, "fault_code": "17", "order": FACTS.order,
        "state": "sent", "opened_at": AT, "stopped_at": AT,
    } | more  # fmt: skip


def step(state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "person": "tech-a", "person_name": "技师甲", "at": AT, "note": ""} | more


def closing(**more: Any) -> dict[str, Any]:
    return (
        step("closed", cause_class="mechanical", cause="换泵", downtime=timedelta(minutes=95), photo="")
        | more
    )


def report(good: int = 3, scrap: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "order": FACTS.order, "operation": FACTS.operation, "good": good, "scrap": scrap, "at": AT,
        "equipment": FACTS.equipment, "person": "op-a",
    } | more  # fmt: skip


def posting(**more: Any) -> dict[str, Any]:
    return {
        "order": FACTS.order, "operation": FACTS.operation, "item": seed.ITEM, "quantity": 2.0, "unit": "",
        "lot": "FG-1", "warehouse": "", "reason": "", "check": "", "passed": None, "value": "",
        "sample_size": 0, "labour_seconds": 0.0, "machine_seconds": 0.0, "at": AT, "equipment": "",
        "person": "op-a",
    } | more  # fmt: skip


def cards(erp: ErpNextSimulator, operation: str = FACTS.operation) -> list[dict[str, Any]]:
    with erp.site.lock:
        found = erp.site.every("Job Card")
    return [c for c in found if (c["work_order"], c["operation"]) == (FACTS.order, operation)]
