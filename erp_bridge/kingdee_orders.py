"""What was read of orders, plans and sales orders joined into our work orders (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from erp_bridge.as_read import Row, each, moment
from erp_bridge.kingdee_config import OrderBlock
from hub.model.erp import SalesOrder
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

NEEDED = ("bill", "erp_id", "erp_entry_id", "product", "quantity", "due_at", "state")


def joined(
    settings: OrderBlock, lines: Iterable[Row], plans: Iterable[Row], sales: Iterable[Row]
) -> list[WorkOrder]:
    """One work order per order line; the second line of MO0001 is MO0001.2."""
    by_line: dict[str, list[Row]] = defaultdict(list)
    for row in each("plan", plans, ("order_line", "operation"), dict):
        by_line[str(row["order_line"])].append(row)
    wishes = _wishes(each("sales_order", sales, ("number",), _wish))
    return each("order", lines, NEEDED, lambda row: _order(settings, row, by_line, wishes))


def order_number(bill: str, seq: int) -> str:
    return bill if seq <= 1 else f"{bill}.{seq}"


def bill_and_line(number: str) -> tuple[str, int]:
    """The inverse of `order_number`."""
    bill, _, seq = number.rpartition(".")
    return (bill, int(seq)) if bill and seq.isdigit() and int(seq) > 1 else (number, 1)


def _order(
    settings: OrderBlock,
    row: Row,
    by_line: Mapping[str, Sequence[Row]],
    wishes: Mapping[tuple[str, str], Row],
) -> WorkOrder:
    number = order_number(str(row["bill"]), int(row.get("seq") or 1))
    product, sales_order = str(row["product"]), str(row.get("sales_order") or "")
    wish = wishes.get((sales_order, product), {})
    wished = wish.get("priority", 0)
    return WorkOrder(
        number=number,
        product=product,
        product_name=words(row.get("product_name"), row.get("product_name_en")),
        quantity=round(float(row["quantity"])),
        due_at=moment(row["due_at"]),
        priority=int(row.get("priority") or 0) or wished or 5,
        rush=bool(row.get("rush") or wish.get("rush")) or 0 < wished <= settings.rush_priority,
        sales_order=sales_order,
        customer=str(wish.get("customer") or ""),
        erp_id=str(row["erp_id"]),
        erp_entry_id=str(row["erp_entry_id"]),
        jobs=tuple(_jobs(settings, number, by_line.get(str(row["erp_entry_id"]), ()))),
        state=WorkOrderState(row["state"]),
    )


def _jobs(settings: OrderBlock, number: str, rows: Sequence[Row]) -> list[JobOrder]:
    def job(row: Row) -> JobOrder:
        center = str(row.get("work_center") or "")
        return JobOrder(
            number,
            str(row["operation"]),
            words(row.get("name"), row.get("name_en")),
            settings.work_centers.get(center, center),
            round(float(row.get("quantity") or 0)),
        )

    jobs: dict[str, JobOrder] = {}
    for one in each("plan", rows, ("operation",), job):  # an operation may be planned in several parts
        before = jobs.get(one.operation)
        jobs[one.operation] = replace(one, quantity=one.quantity + before.quantity) if before else one
    return sorted(jobs.values(), key=lambda job: (len(job.operation), job.operation))


def _wishes(sales: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """What the customer wants, by sales order and product; the most urgent of several lines counts."""
    found: dict[tuple[str, str], Row] = {}
    for row in sales:
        at = (str(row["number"]), str(row.get("product") or ""))
        if at not in found or _urgency(row) < _urgency(found[at]):
            found[at] = row
    return found


def _wish(row: Row) -> dict[str, Any]:
    return {**row, "priority": int(row.get("priority") or 0)}


def _urgency(row: Row) -> tuple[bool, float]:
    return not row.get("rush"), float(row.get("priority") or 1e9)


def sales_order(settings: OrderBlock, row: Row) -> SalesOrder:
    wished = int(row.get("priority") or 0)
    return SalesOrder(
        number=str(row["number"]),
        line=str(row.get("line") or ""),
        customer=str(row.get("customer") or ""),
        product=str(row["product"]),
        quantity=float(row.get("quantity") or 0),
        due_at=moment(row["due_at"]),
        priority=wished or 5,
        rush=bool(row.get("rush")) or 0 < wished <= settings.rush_priority,
        open=bool(row.get("open", True)),
        seller=str(row.get("seller") or ""),
        erp_id=str(row.get("erp_id") or ""),
    )


def words(zh: Any, en: Any) -> Words:
    return Words(str(zh or ""), str(en or ""))
