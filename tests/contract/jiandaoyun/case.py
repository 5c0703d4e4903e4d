"""What the hub sends, as these tests send it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulators.jiandaoyun import seed

KEY = "AH-20260105-0007"
AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)


def ticket(**more: Any) -> dict[str, Any]:
    return {
        "equipment": seed.EQUIPMENT, "equipment_path": "p1/machining/l2/cnc-03",
        "equipment_name": "加工中心03",
        "title": "主轴温度超限 82℃", "priority": 4, "fault_code": "17", "order": seed.ORDER, "state": "sent",
        "opened_at": AT, "stopped_at": AT - timedelta(minutes=1),
    } | more  # fmt: skip


def step(state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "person": "tech-a", "person_name": "甲", "at": AT, "note": ""} | more


def closing(**more: Any) -> dict[str, Any]:
    return step(
        "closed",
        cause_class="mechanical",
        cause="更换冷却泵",
        downtime=timedelta(minutes=95),
        photo="",
        **more,
    )


def report(good: int = 3, scrap: int = 1, operation: str = "10", **more: Any) -> dict[str, Any]:
    return {
        "order": seed.ORDER, "operation": operation, "good": good, "scrap": scrap, "at": AT,
        "equipment": seed.EQUIPMENT, "person": "op-a",
    } | more  # fmt: skip


def receipt(**more: Any) -> dict[str, Any]:
    return {
        "order": seed.ORDER, "operation": "", "item": seed.ITEM, "quantity": 2.0, "lot": "FG-LOT-01",
        "warehouse": "", "at": AT, "equipment": "", "person": "",
    } | more  # fmt: skip
