"""What the demo plant's MES tells the books beside its reports: lots put into stock, checks made.

All of it follows from a report and its order, so that it is the same after every restart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.simulators.plant.floor import Report
from tests.simulators.plant.orders import Order

CHECKED_EVERY = 4  # reports
NOMINAL = 25.00  # mm


def postings_of(report: Report, orders: Mapping[str, Order]) -> list[dict[str, Any]]:
    """In the order of their ids, which begin with the report's."""
    order = orders.get(report.order)
    if order is None or report.good <= 0:
        return []
    found = []
    if report.serial % CHECKED_EVERY == 0:
        deviation = (report.serial * 7919 % 41 - 20) / 1000  # ±0.02 mm
        found.append({
            "kind": "quality", "check": "首件尺寸", "passed": True, "value": f"{NOMINAL + deviation:.3f}",
            "unit": "mm", "sample_size": 1, "quantity": 1,
        })  # fmt: skip
    if report.operation == order.jobs[-1].operation:
        lot = f"{report.at:%y%m%d}-{report.order}"
        found.append(
            {"kind": "receipt", "quantity": report.good, "unit": "Pcs", "lot": lot, "warehouse": "CK02"}
        )
    return [
        {
            "id": f"{report.id}-{n}", "order": report.order, "operation": report.operation,
            "item": order.product, "at": report.as_json()["at"], "equipment": report.path,
            "person": report.person, **one,
        }
        for n, one in enumerate(found, 1)
    ]  # fmt: skip


def sums_of(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """What was reported on each operation since its order began."""
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for report in reports:
        pieces = found[report.order, report.operation]
        pieces[0] += report.good
        pieces[1] += report.scrap
    return [
        {"order": order, "operation": operation, "good": good, "scrap": scrap}
        for (order, operation), (good, scrap) in found.items()
    ]


def stock_of(reports: Iterable[Report], orders: Mapping[str, Order]) -> list[dict[str, Any]]:
    """Finished goods, lot by lot as they were put into stock; nothing of them is sold here."""
    found: dict[tuple[str, str, str], float] = defaultdict(float)
    for report in reports:
        for one in postings_of(report, orders):
            if one["kind"] == "receipt":
                found[one["item"], one["lot"], one["warehouse"]] += one["quantity"]
    return [
        {"item": item, "lot": lot, "warehouse": warehouse, "quantity": quantity}
        for (item, lot, warehouse), quantity in found.items()
    ]
