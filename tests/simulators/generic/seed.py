"""What stands in the home-made ERP's books at the start; the same over REST and in tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 5, 4, tzinfo=UTC)
ITEM, COMPONENT, LOT, WAREHOUSE = "SHAFT-20", "BAR-22", "BAR-LOT-7", "W1"
MACHINE, ORDER, SALE = "CNC-03", "WO-1001", "SO-501"
QUANTITY = 120
ORDERS = 7  # on the floor; one more is done
COLUMNS = {  # forms and their fields
    "order": (
        "no", "item_no", "quantity", "due", "priority", "rush", "sale_no", "customer", "status", "changed",
        "reason",
    ),
    "repair": (
        "id", "no", "ext_no", "machine_no", "title", "level", "order_no", "status", "opened", "stopped",
        "worker", "cause", "result", "minutes", "remark", "u_fault",
    ),
    "report": ("id", "no", "ext_no", "order_no", "op_no", "good", "bad", "worker", "at"),
    "posting": (
        "id", "no", "ext_no", "kind", "order_no", "op_no", "item_no", "quantity", "lot", "warehouse",
        "reason",
        "check_name", "passed", "value", "hours", "machine_hours", "worker", "at", "confirmed",
    ),
}  # fmt: skip


def local(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def machines() -> list[dict[str, object]]:
    return [
        {"no": "CNC-01", "name": "加工中心01", "place": "机加二线", "in_use": 1},
        {"no": MACHINE, "name": "加工中心03", "place": "机加二线", "in_use": 1},
        {"no": "CNC-99", "name": "旧车床", "place": "仓库", "in_use": 0},
    ]


def items() -> list[dict[str, object]]:
    return [
        {"no": ITEM, "name": "传动轴 20", "unit": "件", "family": "shaft"},
        {"no": COMPONENT, "name": "圆钢 22", "unit": "kg", "family": "bar"},
    ]


def orders() -> list[dict[str, object]]:
    changed = local(START - timedelta(days=3))
    return [
        {
            "no": f"WO-{1001 + n}", "item_no": ITEM, "quantity": QUANTITY + n,
            "due": local(START + timedelta(days=4 + n)),
            "priority": 5, "rush": 0, "sale_no": SALE if n == 0 else "", "customer": "华东泵业",
            "status": "FINISHED" if n == ORDERS else "RELEASED", "changed": changed,
        }
        for n in range(ORDERS + 1)
    ]  # fmt: skip


def operations() -> list[dict[str, object]]:
    return [
        {
            "order_no": o["no"],
            "op_no": op,
            "name": name,
            "line": "L2",
            "planned": o["quantity"],
            "good": 0,
            "bad": 0,
        }
        for o in orders()
        for op, name in ((10, "车削"), (20, "磨削"))
    ]


def sales() -> list[dict[str, object]]:
    return [
        {"no": SALE, "line": 1, "customer": "华东泵业", "item_no": ITEM, "quantity": 100,
         "due": local(START + timedelta(days=6)),
         "changed": local(START - timedelta(days=3)), "seller": "s-01"},
        {"no": "SO-502", "line": 1, "customer": "北方电机", "item_no": ITEM, "quantity": 20,
         "due": local(START + timedelta(days=9)),
         "changed": local(START - timedelta(days=3)), "seller": "s-02"},
    ]  # fmt: skip


def stock() -> list[dict[str, object]]:
    return [
        {"item_no": ITEM, "lot": "FG-0", "warehouse": WAREHOUSE, "quantity": 40.0},
        {"item_no": COMPONENT, "lot": LOT, "warehouse": WAREHOUSE, "quantity": 500.0},
    ]
