"""Methods by their dotted names: what programs and forms call beside the documents."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.meta import MESSAGES, known
from tests.simulators.erpnext.query import listed
from tests.simulators.erpnext.site import Doc, Site, User

Arguments = Mapping[str, Any]
Method = Callable[[Site, User | None, Arguments], Any]
METHODS: dict[str, Method] = {}
READING = frozenset(
    {"frappe.auth.get_logged_user", "frappe.ping", "ping", "frappe.client.get_list", "frappe.client.get",
     "frappe.client.get_value", "frappe.client.get_count", "frappe.desk.form.load.getdoctype",
     "erpnext.manufacturing.doctype.work_order.work_order.make_stock_entry"}
)  # fmt: skip


def method(name: str) -> Callable[[Method], Method]:
    def kept(function: Method) -> Method:
        METHODS[name] = function
        return function

    return kept


def called(site: Site, user: User | None, name: str, arguments: Arguments) -> Any:
    if name not in METHODS or name.rpartition(".")[2] in site.lacks:
        raise FrappeError("ValidationError", f"Failed to get method for command {name}")
    return METHODS[name](site, user, arguments)


def touches(name: str, arguments: Arguments) -> str:
    """The DocType that a call is about, for faults; the method's own name where it is about none."""
    doc = read(arguments.get("doc") or arguments.get("doclist") or {})
    return str((doc.get("doctype") if isinstance(doc, dict) else "") or arguments.get("doctype") or name)


def read(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _needed(arguments: Arguments, *names: str) -> list[str]:
    gone = [name for name in names if arguments.get(name) in (None, "")]
    if gone:
        raise FrappeError("TypeError", f"missing required argument: '{gone[0]}'", "builtins")
    return [str(arguments[name]) for name in names]


@method("ping")
@method("frappe.ping")
def _ping(site: Site, user: User | None, arguments: Arguments) -> Any:
    return "pong"


@method("frappe.auth.get_logged_user")
def _who(site: Site, user: User | None, arguments: Arguments) -> Any:
    if user is None:
        raise FrappeError("PermissionError", "Login to access")
    return user.email


@method("frappe.client.get_list")
def _list(site: Site, user: User | None, arguments: Arguments) -> Any:
    (doctype,) = _needed(arguments, "doctype")
    site.allow(user, doctype, "read")
    return listed(site, known(site.types, doctype), arguments)


@method("frappe.client.get_count")
def _count(site: Site, user: User | None, arguments: Arguments) -> Any:
    return len(_list(site, user, {**arguments, "limit_page_length": 0}))


@method("frappe.client.get")
def _get(site: Site, user: User | None, arguments: Arguments) -> Any:
    doctype, name = _needed(arguments, "doctype", "name")
    site.allow(user, doctype, "read")
    return site.get(doctype, name)


@method("frappe.client.get_value")
def _value(site: Site, user: User | None, arguments: Arguments) -> Any:
    names = read(arguments.get("fieldname") or "name")
    fields = names if isinstance(names, list) else [names]
    rows = _list(site, user, {**arguments, "fields": fields, "limit_page_length": 1})
    return rows[0] if rows else {}


@method("frappe.client.set_value")
def _set(site: Site, user: User | None, arguments: Arguments) -> Any:
    doctype, name = _needed(arguments, "doctype", "name")
    field = read(arguments.get("fieldname"))
    values = field if isinstance(field, dict) else {str(field): arguments.get("value")}
    return site.save(doctype, name, values, user)


@method("frappe.client.insert")
def _insert(site: Site, user: User | None, arguments: Arguments) -> Any:
    doc = read(arguments.get("doc"))
    return site.insert(doc["doctype"], doc, user)


@method("frappe.client.save")
def _save(site: Site, user: User | None, arguments: Arguments) -> Any:
    doc = read(arguments.get("doc"))
    return site.save(doc["doctype"], doc["name"], doc, user)


@method("frappe.client.submit")
def _submit(site: Site, user: User | None, arguments: Arguments) -> Any:
    doc = read(arguments.get("doc") or arguments.get("doclist"))
    return site.save(doc["doctype"], doc["name"], {**doc, "docstatus": 1}, user)


@method("frappe.client.cancel")
def _cancel(site: Site, user: User | None, arguments: Arguments) -> Any:
    doctype, name = _needed(arguments, "doctype", "name")
    return site.save(doctype, name, {"docstatus": 2}, user)


@method("frappe.client.delete")
def _delete(site: Site, user: User | None, arguments: Arguments) -> Any:
    doctype, name = _needed(arguments, "doctype", "name")
    site.remove(doctype, name, user)
    return None


@method("frappe.desk.form.load.getdoctype")
def _form(site: Site, user: User | None, arguments: Arguments) -> Any:
    (doctype,) = _needed(arguments, "doctype")
    kind = known(site.types, doctype)
    if user is None:
        raise FrappeError("PermissionError", "Login to access")
    docs = [k.as_json(whole=True) for k in (kind, *(site.types[c] for c in kind.tables().values()))]
    labels = {field["label"] for doc in docs for field in doc["fields"]}
    docs[0]["__messages"] = {n: t for n, t in MESSAGES.items() if n in labels}
    return docs


@method("frappe.desk.form.assign_to.add")
def _assign(site: Site, user: User | None, arguments: Arguments) -> Any:
    doctype, name = _needed(arguments, "doctype", "name")
    for email in read(arguments.get("assign_to")) or []:
        todo = {"reference_type": doctype, "reference_name": name, "allocated_to": email, "status": "Open"}
        site.insert("ToDo", todo, user)
    return []


@method("erpnext.manufacturing.doctype.work_order.work_order.make_stock_entry")
def _entry(site: Site, user: User | None, arguments: Arguments) -> Any:
    """Worked out and not saved."""
    number, purpose = _needed(arguments, "work_order_id", "purpose")
    order, quantity = site.get("Work Order", number), float(arguments.get("qty") or 0)
    bom = site.get("BOM", order["bom_no"])
    rows: list[Doc] = [
        {"doctype": "Stock Entry Detail", "item_code": row["item_code"], "qty": row["qty"] * quantity,
         "s_warehouse": order["wip_warehouse"], "batch_no": _batch(site, row["item_code"]), "__islocal": 1}
        for row in bom["items"]
    ]  # fmt: skip
    rows.append(
        {"doctype": "Stock Entry Detail", "item_code": order["production_item"], "qty": quantity,
         "t_warehouse": order["fg_warehouse"], "is_finished_item": 1, "__islocal": 1}
    )  # fmt: skip
    return {
        "doctype": "Stock Entry", "__islocal": 1, "docstatus": 0, "purpose": purpose,
        "stock_entry_type": purpose,
        "work_order": number, "company": order["company"], "from_bom": 1, "bom_no": order["bom_no"],
        "fg_completed_qty": quantity, "from_warehouse": order["wip_warehouse"],
        "to_warehouse": order["fg_warehouse"], "items": rows,
    }  # fmt: skip


def _batch(site: Site, item: str) -> str | None:
    """As the stock settings pick one, first in first out."""
    return next((b["name"] for b in copy.copy(site.every("Batch")) if b["item"] == item), None)
