"""What was read of orders, plans and sales orders joined into our work orders (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.kingdee_config import OrderBlock
from hub.model.erp import SalesOrder
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

Row = Mapping[str, Any]  # in our fields, as a map has read it


def joined(
    settings: OrderBlock, lines: Iterable[Row], plans: Iterable[Row], sales: Iterable[Row]
) -> list[WorkOrder]:
    """One work order per order line; the second line of MO0001 is MO0001.2."""
    by_line: dict[str, list[Row]] = defaultdict(list)
    for row in plans:
        by_line[str(row.get("order_line") or "")].append(row)
    wishes = _wishes(sales)
    return [_order(settings, row, by_line, wishes) for row in lines]


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
    wished = int(wish.get("priority") or 0)
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
    jobs = [
        JobOrder(
            number,
            str(row["operation"]),
            words(row.get("name"), row.get("name_en")),
            settings.work_centers.get(str(row.get("work_center")), str(row.get("work_center") or "")),
            round(float(row.get("quantity") or 0)),
        )
        for row in rows
    ]
    return sorted(jobs, key=lambda job: (len(job.operation), job.operation))


def _wishes(sales: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """What the customer wants, by sales order and product; the most urgent of several lines counts."""
    found: dict[tuple[str, str], Row] = {}
    for row in sales:
        at = (str(row["number"]), str(row.get("product") or ""))
        if at not in found or _urgency(row) < _urgency(found[at]):
            found[at] = row
    return found


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


def moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def identity(value: Any) -> str:
    """Ids and operation numbers come as 10, 10.0 or "10"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
