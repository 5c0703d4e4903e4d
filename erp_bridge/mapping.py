"""Our intents in ERP-neutral fields, and what an ERP says about orders joined with what we know (pure).

Every connector receives these fields and puts them into its own form: instants are aware UTC datetimes, texts
are Chinese first (the ERP's clerks read them), quantities are whole pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from hub.errors import ErpRefused
from hub.model.erp import PostingKind
from hub.model.production import JobOrder, WorkOrder
from hub.model.words import Words


class Capability(StrEnum):
    """What a connector's `capabilities` may hold."""

    OPEN_TICKETS = "open-tickets"
    UPDATE_TICKETS = "update-tickets"
    CLOSE_TICKETS = "close-tickets"
    TICKET_STATES = "ticket-states"  # tells of tickets that the office has closed by hand
    ATTACHMENTS = "attachments"  # takes the technician's photo
    REOPEN_TICKETS = "reopen-tickets"
    REPORT_OPERATIONS = "report-operations"
    ORDERS = "orders"
    CHANGE_ORDERS = "change-orders"  # priority and due date, for rush orders
    SALES_ORDERS = "sales-orders"
    ITEMS = "items"
    EQUIPMENT = "equipment"
    RECEIPTS = "receipts"
    ISSUES = "issues"
    QUALITY = "quality"
    HOURS = "hours"
    SCRAP = "scrap"
    REPORTED = "reported"  # tells the sums of each operation, for comparison with ours
    STOCK = "stock"
    WEBHOOKS = "webhooks"  # tells of changes by itself


def opening(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a new ticket."""
    return {
        "equipment": str(payload.get("erp_id") or ""),
        "equipment_path": str(payload.get("equipment") or ""),
        "equipment_name": text_of(payload.get("equipment_name")),
        "title": text_of(payload.get("title")),
        "priority": int(payload.get("priority") or 1),
        "fault_code": text_of(payload.get("fault_code")),
        "order": text_of(payload.get("order")),
        "state": "sent",
        "opened_at": instant(payload, "opened_at"),
        "stopped_at": instant(payload, "stopped_at"),
    }


def update(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a step: accepted, arrived, repairing, verifying ..."""
    return {
        "state": str(payload.get("state") or ""),
        "person": str(payload.get("by") or ""),
        "person_name": text_of(payload.get("by_name")),
        "at": instant(payload, "at"),
        "note": text_of(payload.get("note")),
    }


def closing(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the end of a ticket; `downtime` is a timedelta or None."""
    seconds = payload.get("downtime_seconds")
    return {
        "state": "closed",
        "person": str(payload.get("technician") or ""),
        "person_name": text_of(payload.get("technician_name")),
        "at": instant(payload, "at"),
        "cause_class": str(payload.get("cause_class") or ""),
        "cause": text_of(payload.get("cause")),
        "downtime": None if seconds is None else timedelta(seconds=float(seconds)),
        "photo": str(payload.get("photo") or ""),
    }


def report(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of one report 报工: increments, as the MES gave them."""
    return {
        "order": str(payload.get("order") or ""),
        "operation": str(payload.get("operation") or ""),
        "good": int(payload.get("good") or 0),
        "scrap": int(payload.get("scrap") or 0),
        "rework": int(payload.get("rework") or 0),
        "at": instant(payload, "at"),
        "equipment": str(payload.get("equipment") or ""),
        "person": str(payload.get("person") or ""),
        "labour_seconds": float(payload.get("labour_seconds") or 0.0),
    }


POSTINGS = {
    PostingKind.RECEIPT: Capability.RECEIPTS,
    PostingKind.ISSUE: Capability.ISSUES,
    PostingKind.QUALITY: Capability.QUALITY,
    PostingKind.HOURS: Capability.HOURS,
    PostingKind.SCRAP: Capability.SCRAP,
}


def posting(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a posting of any kind; those that a kind has no use for are empty.

    `quantity` is in `unit`; the hours of one operation are `labour_seconds` and `machine_seconds`; a quality
    result has `check`, `passed`, `value` (its number as text, in `unit`) and `sample_size`.
    """
    return {
        "order": str(payload.get("order") or ""),
        "operation": str(payload.get("operation") or ""),
        "item": str(payload.get("item") or ""),
        "quantity": float(payload.get("quantity") or 0.0),
        "unit": str(payload.get("unit") or ""),
        "lot": str(payload.get("lot") or ""),
        "warehouse": str(payload.get("warehouse") or ""),
        "reason": text_of(payload.get("reason")),
        "check": str(payload.get("check") or ""),
        "passed": payload.get("passed"),
        "value": str(payload.get("value") or ""),
        "sample_size": int(payload.get("sample_size") or 0),
        "labour_seconds": float(payload.get("labour_seconds") or 0.0),
        "machine_seconds": float(payload.get("machine_seconds") or 0.0),
        "at": instant(payload, "at"),
        "equipment": str(payload.get("equipment") or ""),
        "person": str(payload.get("person") or ""),
    }


def order_change(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a change to a production order; None leaves a thing as it is."""
    priority, rush = payload.get("priority"), payload.get("rush")
    return {
        "priority": None if priority is None else int(priority),
        "rush": None if rush is None else bool(rush),
        "due_at": instant(payload, "due_at"),
        "reason": text_of(payload.get("reason")),
    }


def text_of(value: object) -> str:
    """A text, or the Chinese half of `{"zh", "en"}`."""
    if isinstance(value, Mapping):
        return str(value.get("zh") or value.get("en") or "")
    return "" if value is None else str(value)


def instant(payload: Mapping[str, Any], name: str) -> datetime | None:
    """The aware instant under `name`; raises ErpRefused for what is not one: trying again would not help."""
    value = payload.get(name)
    if not value:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ErpRefused(f"{name}: {value!r} is not an instant; write 2026-01-05T08:30:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# ------------------------------------------------------------------ orders
def enriched(order: WorkOrder, known: WorkOrder | None) -> WorkOrder:
    """The ERP's order, with what only the record knows: the other language, operations the ERP lacks."""
    if known is None:
        return order
    before = {job.operation: job for job in known.jobs}
    jobs = tuple(_named(job, before.get(job.operation)) for job in order.jobs) or known.jobs
    return replace(
        order,
        product_name=_filled(order.product_name, known.product_name),
        customer=order.customer or known.customer,
        sales_order=order.sales_order or known.sales_order,
        jobs=jobs,
    )


def _named(job: JobOrder, known: JobOrder | None) -> JobOrder:
    return job if known is None else replace(job, name=_filled(job.name, known.name))


def _filled(name: Words, known: Words) -> Words:
    """A translation we already have stays as long as the original is the same."""
    return Words(name.zh, known.en) if not name.en and name.zh == known.zh else name


# ------------------------------------------------------------------ trying again
BACKOFF_FIRST = timedelta(seconds=2)
BACKOFF_MOST = timedelta(minutes=5)


def backoff(attempts: int, seed: int, retry_after: timedelta | None = None) -> timedelta:
    """How long to leave the ERP alone: doubling to five minutes, spread by up to a quarter so that lanes that
    failed together do not come back together. Never less than what the ERP asked for."""
    pause = min(BACKOFF_FIRST * (1 << min(attempts - 1, 16)), BACKOFF_MOST)
    spread = pause * (seed * 7919 % 16) / 64
    return max(pause + spread, retry_after or timedelta(0))
