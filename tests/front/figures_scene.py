"""A month in figures, what of its costs the ERP has, and machines beside assets, for the stand-in hub."""

from __future__ import annotations

from typing import Any

from tests.front.scenes import words

Json = dict[str, Any]


def delivery(month: str) -> Json:
    total = {
        "line": "", "name": None, "plan_accuracy": 0.934, "planned": 12500, "made": 11675, "orders": 18,
        "on_time": 15, "on_time_share": 15 / 17, "open_late": 1, "unknown": 1, "stock_turns": 8.4, "items": 6,
        "items_known": 4,
    }  # fmt: skip
    unknown = {"stock_turns": None, "items_known": 0, "on_time_share": None, "plan_accuracy": None}
    line = total | {"line": "p1/stamping/l1", "name": words("冲压 1 线", "Stamping line 1")}
    quiet = total | unknown | {"line": "p1/paint/l2", "name": words("涂装 2 线", "Paint line 2"), "orders": 0}
    return {"month": month, "lines": [total, line, quiet | {"planned": 0, "made": 0, "on_time": 0}]}


def costs(month: str) -> Json:
    def cost(what: str, unit: str, booked: float, taken: float, item: str = "", refused: int = 0) -> Json:
        return {
            "what": what, "item": item, "unit": unit, "booked": booked, "taken": taken, "documents": 4,
            "documents_taken": 4 - refused, "documents_refused": refused,
        }  # fmt: skip

    told = [cost("machine", "s", 7200.0, 7200.0), cost("material", "kg", 320.5, 300.0, "R-STEEL", 1)]
    order = {"order": "MO260105-0031", "product": "D100", "product_name": words("门内板", "Door panel")}
    return {"month": month, "orders": [order | {"costs": told}]}


def equipment_map(at: str) -> Json:
    press = {"machine": "p1/stamping/l1/press-01", "where": words("1号线 冲压机01", "Line 1 Press 01")}
    asset = {"asset": "EQ-PRESS-01", "asset_name": words("冲压机 01", "Press 01"), "place": "一车间"}
    nothing = {"asset": "", "asset_name": None, "place": ""}
    bare: Json = {"kind": "no-number", "machine": "p1/stamping/l1/press-02", "others": []}
    free: Json = {"kind": "no-machine", "machine": "", "where": None, "others": []}
    return {
        "read_at": at, "machines": 2, "pairs": [press | asset],
        "orphans": [
            bare | nothing | {"where": words("1号线 冲压机02", "Line 1 Press 02")},
            free | asset | {"asset": "EQ-OVEN-01", "asset_name": words("固化炉", "Oven")},
        ],
    }  # fmt: skip
