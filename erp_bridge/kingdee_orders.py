"""Rows of Kingdee's order queries joined into our work orders (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from erp_bridge.kingdee_config import KingdeeConfig, OrderBlock, PlanBlock
from hub.errors import ErpUnavailable
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

Row = Mapping[str, Any]


def order_keys(order: OrderBlock) -> list[str]:
    wanted = [
        "FID", "FBillNo", f"{order.entry}_FEntryId", f"{order.entry}_FSeq", "FMaterialId.FNumber",
        "FMaterialId.FName", "FQty", "FPlanFinishDate", "FStatus", "FDocumentStatus", "FCancelStatus",
        "FSaleOrderNo", order.product_name_en, order.priority,
    ]  # fmt: skip
    return [key for key in wanted if key]


def plan_keys(plan: PlanBlock) -> list[str]:
    wanted = [
        "FID", f"{plan.entry}_FEntryId", plan.order, plan.order_entry, plan.operation, plan.name,
        plan.name_en, plan.work_center, plan.quantity,
    ]  # fmt: skip
    return [key for key in wanted if key]


def sales_keys(order: OrderBlock) -> list[str]:
    wanted = [
        "FID", f"{order.sales_entry}_FEntryId", "FBillNo", "FCustId.FName", "FMaterialId.FNumber",
        order.sales_priority, order.rush,
    ]  # fmt: skip
    return [key for key in wanted if key]


def joined(
    config: KingdeeConfig, lines: Iterable[Row], plans: Iterable[Row], sales: Iterable[Row]
) -> list[WorkOrder]:
    """One work order per order line; the second line of MO0001 is MO0001.2."""
    by_line: dict[str, list[Row]] = defaultdict(list)
    for row in plans:
        by_line[identity(row.get(config.plan.order_entry))].append(row)
    wishes = _wishes(config.order, sales)
    return [_order(config, row, by_line, wishes) for row in lines]


def order_number(bill: str, seq: int) -> str:
    return bill if seq <= 1 else f"{bill}.{seq}"


def bill_and_line(number: str) -> tuple[str, int]:
    """The inverse of `order_number`."""
    bill, _, seq = number.rpartition(".")
    return (bill, int(seq)) if bill and seq.isdigit() and int(seq) > 1 else (number, 1)


def _order(
    config: KingdeeConfig,
    row: Row,
    by_line: Mapping[str, Sequence[Row]],
    wishes: Mapping[tuple[str, str], Row],
) -> WorkOrder:
    keys, entry = config.order, identity(row.get(f"{config.order.entry}_FEntryId"))
    number = order_number(str(row["FBillNo"]), int(row.get(f"{keys.entry}_FSeq") or 1))
    product, sales_order = str(row["FMaterialId.FNumber"] or ""), str(row.get("FSaleOrderNo") or "")
    wish = wishes.get((sales_order, product), {})
    sales_priority = int(wish.get(keys.sales_priority) or 0)
    return WorkOrder(
        number=number,
        product=product,
        product_name=_words(row.get("FMaterialId.FName"), row.get(keys.product_name_en)),
        quantity=round(float(row["FQty"] or 0)),
        due_at=instant(row.get("FPlanFinishDate"), config.zone),
        priority=int(row.get(keys.priority) or 0) or sales_priority or 5,
        rush=truth(wish.get(keys.rush)) or 0 < sales_priority <= keys.rush_priority,
        sales_order=sales_order,
        customer=str(wish.get("FCustId.FName") or ""),
        erp_id=identity(row["FID"]),
        erp_entry_id=entry,
        jobs=tuple(_jobs(config, number, by_line.get(entry, ()))),
        state=order_state(keys, row),
    )


def order_state(keys: OrderBlock, row: Row) -> WorkOrderState:
    """作废 is cancelled, 完工 and 结案 completed; whose release or approval was taken back is held."""
    status = identity(row.get("FStatus"))
    if row.get("FCancelStatus") == "B":
        return WorkOrderState.CANCELLED
    if status in keys.finished:
        return WorkOrderState.COMPLETED
    released = row.get("FDocumentStatus") == "C" and status in keys.states
    return WorkOrderState.RELEASED if released else WorkOrderState.HELD


def _jobs(config: KingdeeConfig, number: str, rows: Sequence[Row]) -> list[JobOrder]:
    plan = config.plan
    jobs = [
        JobOrder(
            number,
            identity(row[plan.operation]),
            _words(row.get(plan.name), row.get(plan.name_en)),
            config.order.work_centers.get(
                str(row.get(plan.work_center)), str(row.get(plan.work_center) or "")
            ),
            round(float(row.get(plan.quantity) or 0)),
        )
        for row in rows
    ]
    return sorted(jobs, key=lambda job: (len(job.operation), job.operation))


def _wishes(keys: OrderBlock, sales: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """What the customer wants, by sales order and product; the most urgent of several lines counts."""
    found: dict[tuple[str, str], Row] = {}
    for row in sales:
        at = (str(row["FBillNo"]), str(row.get("FMaterialId.FNumber") or ""))
        if at not in found or _urgency(keys, row) < _urgency(keys, found[at]):
            found[at] = row
    return found


def _urgency(keys: OrderBlock, row: Row) -> tuple[bool, float]:
    return not truth(row.get(keys.rush)), float(row.get(keys.sales_priority) or 1e9)


def _words(zh: Any, en: Any) -> Words:
    return Words(str(zh or ""), str(en or ""))


def identity(value: Any) -> str:
    """Ids and operation numbers come as 10, 10.0 or "10"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def truth(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1")


def instant(value: Any, zone: tzinfo) -> datetime:
    """The server's local time without a zone, as an instant."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ErpUnavailable(f"Kingdee gave {value!r} where a date belongs") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
