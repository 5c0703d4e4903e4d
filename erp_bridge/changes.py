"""What the office has changed about an order, as far as the shop floor must know it (pure)."""

from __future__ import annotations

from typing import Any

from hub.model.production import WorkOrder, WorkOrderState

Changed = dict[str, tuple[Any, Any]]

_ENDED = (WorkOrderState.COMPLETED, WorkOrderState.CANCELLED)


def differences(known: WorkOrder | None, order: WorkOrder) -> Changed:
    """Field -> (before, after), as JSON can hold them; of an order new to us, all of it."""
    now = facts(order)
    before = facts(known) if known else dict.fromkeys(now)
    return {name: (before[name], now[name]) for name in now if before[name] != now[name]}


def for_the_floor(known: WorkOrder | None, order: WorkOrder) -> Changed:
    """What somebody there has to confirm. Nothing of an order that was not released yet, that had ended, or
    that the office merely books as completed: those who finished it know."""
    if known is None or known.state in _ENDED or order.state is WorkOrderState.COMPLETED:
        return {}
    if known.state is WorkOrderState.HELD and order.state is not WorkOrderState.RELEASED:
        return {}
    found = differences(known, order)
    return {name: found[name] for name in _FLOOR if name in found}


def facts(order: WorkOrder) -> dict[str, Any]:
    """An order as the ledger of messages keeps it."""
    return {
        "product": order.product,
        "quantity": order.quantity,
        "due_at": order.due_at.isoformat(),
        "priority": order.priority,
        "rush": order.rush,
        "state": order.state.value,
        "operations": [f"{job.operation}×{job.quantity}" for job in order.jobs],
        "customer": order.customer,
        "sales_order": order.sales_order,
    }


_FLOOR = ("state", "rush", "priority", "quantity", "due_at", "product", "operations")
