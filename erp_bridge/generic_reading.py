"""Our fields, as a map gives them, in our model's words (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from erp_bridge.generic_fields import JOB
from hub.model.erp import ErpEquipment, Item, OperationClaim, SalesOrder, StockClaim
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

Ours = Mapping[str, Any]


def work_order(ours: Ours, jobs: Iterable[Ours]) -> WorkOrder:
    """Raises ValueError naming what cannot be read."""
    number = text(ours, "number")
    made = (*(ours.get("jobs") or ()), *jobs)
    quantity = round(_number(ours, "quantity"))
    found = [_job({"order": number, "quantity": quantity} | _known(job)) for job in made]
    by_operation = {job.operation: job for job in found}
    return WorkOrder(
        number=number,
        product=text(ours, "product"),
        product_name=_words(ours, "product_name"),
        quantity=quantity,
        due_at=_instant(ours, "due_at"),
        priority=round(_number(ours, "priority", 5)),
        rush=flag(ours.get("rush")),
        sales_order=text(ours, "sales_order"),
        customer=text(ours, "customer"),
        erp_id=text(ours, "erp_id") or number,
        erp_entry_id=text(ours, "erp_entry_id"),
        jobs=tuple(sorted(by_operation.values(), key=lambda j: (len(j.operation), j.operation))),
        state=_state(ours.get("state", WorkOrderState.RELEASED)),
    )


def job(ours: Ours) -> JobOrder:
    """Raises ValueError naming what cannot be read."""
    return _job({"order": "", "quantity": 0} | _known(ours))


def _known(job: Ours) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name in JOB and value is not None}


def _job(ours: Ours) -> JobOrder:
    return JobOrder(
        text(ours, "order"), text(ours, "operation"), _words(ours, "name"), text(ours, "work_center"),
        round(_number(ours, "quantity")),
    )  # fmt: skip


def sales_order(ours: Ours) -> SalesOrder:
    return SalesOrder(
        number=text(ours, "number"),
        line=text(ours, "line"),
        customer=text(ours, "customer"),
        product=text(ours, "product"),
        quantity=_number(ours, "quantity"),
        due_at=_instant(ours, "due_at"),
        priority=round(_number(ours, "priority", 5)),
        rush=flag(ours.get("rush")),
        open=flag(ours.get("open", True)),
        seller=text(ours, "seller"),
        erp_id=text(ours, "erp_id") or text(ours, "number"),
    )


def item(ours: Ours) -> Item:
    number = text(ours, "number")
    return Item(number, _words(ours, "name"), text(ours, "unit"), text(ours, "family"),
                text(ours, "erp_id") or number)  # fmt: skip


def equipment(ours: Ours) -> ErpEquipment:
    number = text(ours, "number")
    return ErpEquipment(number, _words(ours, "name"), text(ours, "place"), flag(ours.get("active", True)),
                        text(ours, "erp_id") or number)  # fmt: skip


def claim(ours: Ours) -> OperationClaim:
    return OperationClaim(text(ours, "order"), text(ours, "operation"), _number(ours, "quantity"),
                          _number(ours, "good"), _number(ours, "scrap"))  # fmt: skip


def stock(ours: Ours) -> StockClaim:
    return StockClaim(text(ours, "item"), _number(ours, "quantity"), text(ours, "lot"),
                      text(ours, "warehouse"))  # fmt: skip


def text(ours: Ours, name: str) -> str:
    value = ours.get(name)
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def flag(value: Any) -> bool:
    """Their yes, in any of the usual forms."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "n", "no", "否", "f")
    return bool(value)


def _words(ours: Ours, name: str) -> Words:
    return Words(text(ours, name), text(ours, f"{name}_en"))


def _number(ours: Ours, name: str, otherwise: float = 0.0) -> float:
    value = ours.get(name)
    if value in (None, ""):
        return otherwise
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):  # JSON as Python reads it knows NaN and Infinity
        raise ValueError(f"{name}: {value!r} is not a number")
    return number


def _instant(ours: Ours, name: str) -> datetime:
    value = ours.get(name)
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(
            f"{name}: {value!r} is not a time; map it by instant(...), which knows the time zone"
        ) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _state(word: Any) -> WorkOrderState:
    try:
        return WorkOrderState(str(word))
    except ValueError:
        return WorkOrderState.HELD  # a state we do not know is not worked on
