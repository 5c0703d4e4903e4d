"""What ERPNext works out and refuses, DocType by DocType."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.meta import Field

if TYPE_CHECKING:
    from tests.simulators.erpnext.site import Site

Doc = dict[str, Any]
CANCELLED = 2
_SERIES = "naming_series"


def _throw(text: str, kind: str = "ValidationError", module: str = "frappe.exceptions") -> None:
    raise FrappeError(kind, text, module)


def _at(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))


def _sum(rows: list[Doc], name: str) -> float:
    return sum(float(row.get(name) or 0) for row in rows)


# ------------------------------------------------------------------ before the fields are checked
def before(site: Site, doc: Doc, old: Doc | None) -> None:
    kind = site.types[doc["doctype"]]
    if _SERIES in kind.fields and not doc.get(_SERIES):
        doc[_SERIES] = kind.fields[_SERIES].options
    today = site.now().astimezone(site.zone).strftime("%Y-%m-%d")
    match doc["doctype"]:
        case "Asset Repair":
            doc["repair_status"] = doc.get("repair_status") or "Pending"
            asset = site.find("Asset", doc.get("asset")) or {}
            doc |= {
                "asset_name": asset.get("asset_name"),
                "company": doc.get("company") or asset.get("company"),
            }
        case "Issue":
            doc["status"] = doc.get("status") or "Open"
        case "Work Order":
            item = site.find("Item", doc.get("production_item")) or {}
            doc |= {"item_name": item.get("item_name"), "has_batch_no": item.get("has_batch_no") or 0}
            doc["planned_start_date"] = doc.get("planned_start_date") or f"{today} 08:00:00"
        case "Sales Order":
            customer = site.find("Customer", doc.get("customer")) or {}
            doc["customer_name"] = customer.get("customer_name")
            doc["transaction_date"] = doc.get("transaction_date") or today
        case "Stock Entry":
            doc["purpose"] = doc.get("purpose") or doc.get("stock_entry_type")
            doc["posting_date"] = doc.get("posting_date") or today
        case "Quality Inspection":
            doc["report_date"] = doc.get("report_date") or today
            doc["status"] = doc.get("status") or "Accepted"
        case "Job Card":
            order = site.find("Work Order", doc.get("work_order")) or {}
            doc["production_item"] = order.get("production_item")


def validate(site: Site, doc: Doc, old: Doc | None) -> None:
    match doc["doctype"]:
        case "Asset Repair":
            _repair(site, doc)
        case "Job Card":
            _card(site, doc)
        case "Stock Entry":
            _entry(site, doc)
        case "Work Order" | "Sales Order":
            doc["status"] = _status(doc)
        case "Custom Field":
            if doc["dt"] not in site.types:
                _throw(f"Could not find DocType: {doc['dt']}", "LinkValidationError")


def inserted(site: Site, doc: Doc) -> None:
    if doc["doctype"] == "Custom Field":
        add_field(site, doc)
    if doc["doctype"] == "Asset Repair":
        site.set("Asset", doc["asset"], status="Out of Order")


def add_field(site: Site, doc: Doc) -> None:
    """A key user's field, from then on."""
    made = Field(
        doc["fieldname"], doc.get("fieldtype") or "Data", doc.get("options") or "",
        bool(doc.get("reqd")), False, bool(doc.get("allow_on_submit")), bool(doc.get("unique")),
    )  # fmt: skip
    site.grow(doc["dt"], made)


# ------------------------------------------------------------------ submit and cancel
def submitted(site: Site, doc: Doc) -> None:
    match doc["doctype"]:
        case "Asset Repair":
            site.set("Asset", doc["asset"], status="Submitted")
        case "Job Card":
            _card_ends(site, doc)
        case "Stock Entry":
            _moves(site, doc, 1.0)
        case "Quality Inspection":
            if doc.get("reference_type") == "Job Card" and doc.get("reference_name"):
                site.set("Job Card", doc["reference_name"], quality_inspection=doc["name"])


def cancelled(site: Site, doc: Doc) -> None:
    if doc["doctype"] in ("Work Order", "Job Card", "Sales Order"):
        site.put(doc | {"status": "Cancelled"})
    if doc["doctype"] == "Asset Repair":
        site.set("Asset", doc["asset"], status="Submitted")
    if doc["doctype"] == "Job Card":
        _count(site, doc)
    if doc["doctype"] == "Stock Entry":
        _moves(site, doc, -1.0)


# ------------------------------------------------------------------ repairs
def _repair(site: Site, doc: Doc) -> None:
    if (site.find("Asset", doc["asset"]) or {}).get("status") in ("Sold", "Scrapped"):
        _throw(f"Asset {doc['asset']} is sold or scrapped and cannot be repaired.")
    done = doc.get("completion_date")
    if done and _at(doc["failure_date"]).date() > _at(done).date():
        _throw("Completion Date can not be before Failure Date. Please adjust the dates accordingly.")
    if doc["docstatus"] == 1 and doc["repair_status"] == "Pending":
        _throw("Please update Repair Status.")
    doc["downtime"] = None
    if doc["repair_status"] == "Completed" and done:
        hours = (_at(done) - _at(doc["failure_date"])).total_seconds() / 3600
        doc["downtime"] = f"{round(hours, 2)} Hrs"


# ------------------------------------------------------------------ job cards
def _card(site: Site, doc: Doc) -> None:
    logs = doc["time_logs"]
    for row in logs:
        if row.get("from_time") and row.get("to_time"):
            if _at(row["from_time"]) > _at(row["to_time"]):
                _throw(f"Row {row['idx']}: From time must be less than to time")
            _no_overlap(site, doc, row)
            row["time_in_mins"] = (_at(row["to_time"]) - _at(row["from_time"])).total_seconds() / 60
    doc["total_completed_qty"] = _sum(logs, "completed_qty")
    doc["total_time_in_mins"] = _sum(logs, "time_in_mins")
    times = [_at(row[n]) for row in logs for n in ("from_time", "to_time") if row.get(n)]
    if times:
        doc |= {"actual_start_date": str(min(times)), "actual_end_date": str(max(times))}
    missing = doc["for_quantity"] - doc["total_completed_qty"]
    doc["process_loss_qty"] = missing if doc["total_completed_qty"] and missing > 0 else 0.0
    doc["status"] = "Work In Progress" if logs else "Open"
    if doc["docstatus"] == 1:
        doc["status"] = "Completed"
    if not doc["docstatus"]:
        _not_too_many(site, doc)


def _no_overlap(site: Site, doc: Doc, row: Doc) -> None:
    began, ended = _at(row["from_time"]), _at(row["to_time"])
    for card in site.every("Job Card"):
        if card["name"] == doc.get("name") or card["docstatus"] == CANCELLED:
            continue
        same_machine = card["workstation"] == doc["workstation"]
        for other in card["time_logs"]:
            same_person = row.get("employee") and other.get("employee") == row["employee"]
            if not (other.get("from_time") and other.get("to_time") and (same_machine or same_person)):
                continue
            first, last = _at(other["from_time"]), _at(other["to_time"])
            if first < began < last or first < ended < last or (first >= began and last <= ended):
                _throw(
                    f"Row {row['idx']}: From Time and To Time of {doc.get('name')} is overlapping with"
                    f" {card['name']}", "OverlapError", "erpnext.manufacturing.doctype.job_card.job_card",
                )  # fmt: skip


def _not_too_many(site: Site, doc: Doc) -> None:
    order = site.get("Work Order", doc["work_order"])
    cards = [
        c for c in site.every("Job Card")
        if (c["work_order"], c["operation_id"]) == (doc["work_order"], doc["operation_id"])
        and c["docstatus"] != CANCELLED and c["name"] != doc.get("name") and doc.get("operation_id")
    ]  # fmt: skip
    planned = _sum(cards, "for_quantity") + doc["for_quantity"]
    done = _sum([o for o in order["operations"] if o["name"] == doc["operation_id"]], "completed_qty")
    if doc.get("operation_id") and planned - done > order["qty"]:
        _throw(
            "Qty To Manufacture in the job card cannot be greater than Qty To Manufacture in the work order"
            f" for the operation {doc['operation']}."
        )


def _card_ends(site: Site, doc: Doc) -> None:
    if not doc["time_logs"]:
        _throw(f"Time logs are required for Job Card {doc['name']}")
    done = doc["total_completed_qty"] + doc["process_loss_qty"]
    if doc["for_quantity"] and done != doc["for_quantity"]:
        _throw(
            f"The Total Completed Qty ({done}) must be equal to Qty to Manufacture ({doc['for_quantity']})"
        )
    _count(site, doc)


def _count(site: Site, doc: Doc) -> None:
    """Only submitted cards count in the Work Order."""
    order = site.get("Work Order", doc["work_order"])
    for row in order["operations"]:
        if row["name"] == doc.get("operation_id"):
            cards = [
                c for c in site.every("Job Card") if c["operation_id"] == row["name"] and c["docstatus"] == 1
            ]
            row["completed_qty"] = _sum(cards, "total_completed_qty")
            row["process_loss_qty"] = _sum(cards, "process_loss_qty")
    order["status"] = "In Process" if order["status"] == "Not Started" else order["status"]
    site.put(order | {"modified": site.stamp()})


# ------------------------------------------------------------------ stock
def _entry(site: Site, doc: Doc) -> None:
    if not doc["items"]:
        _throw(f"[Stock Entry, {doc.get('name')}]: items", "MandatoryError")
    for row in doc["items"]:
        if not (row.get("s_warehouse") or row.get("t_warehouse")):
            _throw(f"Row {row['idx']}: Source or target warehouse is mandatory")
        batched = (site.find("Item", row["item_code"]) or {}).get("has_batch_no")
        if doc["docstatus"] == 1 and batched and not row.get("batch_no"):
            _throw(f"Row #{row['idx']}: Batch No is mandatory for Item {row['item_code']}")
        batch = site.find("Batch", row.get("batch_no"))
        if batch and batch["item"] != row["item_code"]:
            _throw(f"Row #{row['idx']}: {row['batch_no']} is not a batch of Item {row['item_code']}")
    if doc.get("purpose") == "Manufacture" and doc.get("work_order"):
        _manufacture(site, doc)


def _manufacture(site: Site, doc: Doc) -> None:
    if not doc["fg_completed_qty"]:
        _throw("For Quantity (Manufactured Qty) is mandatory")
    order = site.get("Work Order", doc["work_order"])
    total = order["produced_qty"] + doc["fg_completed_qty"]
    for row in order["operations"]:
        if doc["docstatus"] < 2 and row["completed_qty"] + row["process_loss_qty"] < total:
            _throw(
                f"Row #{row['idx']}: Operation {row['operation']} is not completed for {total} qty of"
                f" finished goods in Work Order {order['name']}. Update it via Job Card.",
                "OperationsNotCompleteError", "erpnext.stock.doctype.stock_entry.stock_entry",
            )  # fmt: skip
    if total > order["qty"]:
        _throw(f"Cannot produce more Item {order['production_item']} than Work Order quantity {order['qty']}")
    if not any(r.get("is_finished_item") for r in doc["items"]):
        _throw("There must be at least 1 Finished Good in the Stock Entry")


def _moves(site: Site, doc: Doc, sign: float) -> None:
    for row in doc["items"]:
        if row.get("s_warehouse"):
            _bin(site, row["item_code"], row["s_warehouse"], -sign * row["qty"])
        if row.get("t_warehouse"):
            _bin(site, row["item_code"], row["t_warehouse"], sign * row["qty"])
        batch = site.find("Batch", row.get("batch_no"))
        if batch and row.get("t_warehouse"):
            site.set("Batch", batch["name"], batch_qty=(batch.get("batch_qty") or 0) + sign * row["qty"])
    if not doc.get("work_order"):
        return
    order = site.get("Work Order", doc["work_order"])
    quantity = sign * (doc.get("fg_completed_qty") or 0)
    if doc["purpose"] == "Manufacture":
        order["produced_qty"] += quantity
        order["status"] = "Completed" if order["produced_qty"] >= order["qty"] else "In Process"
    if doc["purpose"] == "Material Transfer for Manufacture":
        for row in order["required_items"]:
            moved = sum(r["qty"] for r in doc["items"] if r["item_code"] == row["item_code"])
            row["transferred_qty"] += sign * moved
    site.put(order | {"modified": site.stamp()})


def _bin(site: Site, item: str, warehouse: str, quantity: float) -> None:
    there = next(
        (b for b in site.every("Bin") if (b["item_code"], b["warehouse"]) == (item, warehouse)), None
    )
    after = (there["actual_qty"] if there else 0.0) + quantity
    if after < 0 and not site.negative_stock:
        _throw(
            f"{-after} units of Item {item} needed in Warehouse {warehouse} to complete this transaction.",
            "NegativeStockError", "erpnext.stock.stock_ledger",
        )  # fmt: skip
    name = there["name"] if there else f"bin-{item}-{warehouse}"
    known = there or {
        "doctype": "Bin",
        "name": name,
        "item_code": item,
        "warehouse": warehouse,
        "docstatus": 0,
    }
    site.put(known | {"actual_qty": after, "modified": site.stamp()})


def _status(doc: Doc) -> str:
    if doc["doctype"] == "Sales Order":
        return ("Draft", doc.get("status") or "To Deliver and Bill", "Cancelled")[doc["docstatus"]]
    if doc["docstatus"] == 0:
        return "Draft"
    kept = doc.get("status")
    return str(kept) if kept not in (None, "", "Draft") else "Not Started"
