"""Fields and records of a DocType as the site has them, for whoever edits a map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from erp_bridge.erpnext_client import Row
from erp_bridge.erpnext_meta import Meta
from erp_bridge.erpnext_records import Records, rows_of
from hub.errors import ErpRefused
from hub.model.mapping import ErpField

MOST = 3  # records
_LAYOUT = frozenset(
    {"Section Break", "Column Break", "Tab Break", "HTML", "Button", "Heading", "Fold", "Image"}
)
_TABLES = frozenset({"Table", "Table MultiSelect"})
_OF_ALL = {
    "name": "编号 name", "docstatus": "0 草稿 draft 1 已提交 submitted 2 已取消 cancelled",
    "owner": "制单人 owner", "creation": "制单时间 made at", "modified": "修改时间 changed at",
}  # fmt: skip
# documents that are rows of another's table: that other, its table, what the map sees the whole as
_ROWS = {
    "operation": ("order", "operations", "order"),
    "sales_line": ("sales_order", "items", "order"),
    "report": ("card", "time_logs", ""),
    "scrap": ("card", "time_logs", ""),
    "hours": ("card", "time_logs", ""),
    "receipt_line": ("receipt", "items", ""),
    "issue_line": ("issue", "items", ""),
    "reading": ("quality", "readings", ""),
}


async def described(records: Records, document: str) -> list[ErpField]:
    """Raises ErpRefused where this user is not told."""
    form = records.form(document)
    meta = await records.meta(form)
    if not meta.fields:
        raise ErpRefused(
            f"ERPNext does not tell this user the fields of {form}; a role that may read it is missing"
        )
    out = [ErpField(name, title, "Data", read=name) for name, title in _OF_ALL.items()]
    for name, spec in meta.fields.items():
        out += _field(meta, name, spec)
        if spec.get("fieldtype") in _TABLES and spec.get("options"):
            rows = await records.meta(str(spec["options"]))
            out += (f for n, row in rows.fields.items() for f in _field(rows, n, row, name))
    return out


def _field(meta: Meta, name: str, spec: Mapping[str, Any], table: str = "") -> Iterator[ErpField]:
    kind, label = str(spec.get("fieldtype") or ""), str(spec.get("label") or "")
    if kind in _LAYOUT:
        return
    closed = bool(spec.get("read_only")) or kind in _TABLES or name == "amended_from"
    path, row = (f"{table}.{name}", f"{table}[].{name}") if table else (name, name)
    title = meta.captions.get(label) or label
    yield ErpField(path, title, _typed(kind, spec), table, "" if closed else row, row)


def _typed(kind: str, spec: Mapping[str, Any]) -> str:
    """`Link Asset`, `Select Pending, Completed, Cancelled`"""
    options = ", ".join(str(spec.get("options") or "").split("\n")) if kind in ("Link", "Select") else ""
    return f"{kind} {options}".strip()


async def shown(records: Records, document: str) -> list[Row]:
    """The last that were written."""
    if document not in _ROWS:
        return await _documents(records, document)
    whole, table, seen_as = _ROWS[document]
    rows = [
        row | ({seen_as: one} if seen_as else {})
        for one in await _documents(records, whole)
        for row in rows_of(one, table)
    ]
    return rows[:MOST]


async def _documents(records: Records, document: str) -> list[Row]:
    form = records.form(document)
    query = {
        "fields": json.dumps(["name"]),
        "filters": json.dumps(records.filters(document), ensure_ascii=False),
        "order_by": "modified desc",
        "limit_page_length": str(MOST),
    }
    rows = (await records.client.rows(form, query))[:MOST]
    found = [await records.client.one(form, str(row["name"])) for row in rows]
    return [one for one in found if one is not None]
