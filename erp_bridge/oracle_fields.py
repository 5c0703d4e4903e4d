"""What a pod says of a document's attributes (`describe`), and a few of its records: for whoever maps them.

`/<resource>/describe` is known by everybody's clients and by no page that we have seen (recalled). Where a
pod has none, the attributes are those of the first record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erp_bridge.oracle_answers import OracleRefusal, items_of
from erp_bridge.oracle_maps import DETAILS
from erp_bridge.oracle_records import Kind, Records, Row
from hub.errors import ErpRefused
from hub.model.mapping import ErpField

CAPTIONS = "zh-CN, en;q=0.5"
_MOST = 3
_INSIDE = {"operation": 1, "material": 2, "resource": 2}  # documents that are children of an order: how deep


async def described(records: Records, kind: Kind) -> list[ErpField]:
    """Of a document that is sent as rows of a transaction, those of the rows."""
    if not kind.form:
        raise ErpRefused("no resource is named for it; see quality.resource")
    resource, steps = _place(records, kind)
    told = await _told(records, resource)
    for step in steps:
        told = _child(told, step)
    if not told:
        return [
            _field(name, {}, "", "") for row in (await samples(records, kind))[:1] for name in _names(row)
        ]
    if kind.name == "sales_order":
        return [*_fields(told, "order", "order."), *_fields(_child(told, "lines"), "line", "line.")]
    children = told.get("children")
    below = children if isinstance(children, Mapping) and not steps else {}
    inner = [field for name in below for field in _fields(_child(told, name), name, f"{name}.")]
    return [*_fields(told, "", ""), *inner]


def _place(records: Records, kind: Kind) -> tuple[str, list[str]]:
    if kind.form in DETAILS:
        return kind.form, [DETAILS[kind.form]]
    if kind.name not in _INSIDE:
        return kind.form, []
    above = [records.kinds["operation"].form] if _INSIDE[kind.name] > 1 else []
    return records.kinds["order"].form, [*above, kind.form]


async def _told(records: Records, resource: str) -> Mapping[str, Any]:
    """Nothing where the pod describes nothing."""
    try:
        found = await records.client.get(f"{resource}/describe", language=CAPTIONS)
    except OracleRefusal:
        return {}
    resources = found.body.get("Resources") if found else None
    told = resources.get(resource) if isinstance(resources, Mapping) else None
    return told if isinstance(told, Mapping) else {}


def _child(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    children = told.get("children")
    found = children.get(name) if isinstance(children, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _fields(told: Mapping[str, Any], group: str, before: str) -> Iterator[ErpField]:
    attributes = told.get("attributes")
    for made in attributes if isinstance(attributes, list) else []:
        if isinstance(made, Mapping) and made.get("name"):
            yield _field(str(made["name"]), made, group, before)


def _field(name: str, told: Mapping[str, Any], group: str, before: str) -> ErpField:
    path, title = f"{before}{name}", str(told.get("title") or name)
    joined = group in ("order", "line")  # which are read together, and not written by a map
    write = "" if joined or told.get("updatable") is False else path
    return ErpField(path, title, str(told.get("type") or ""), group, write, path)


async def samples(records: Records, kind: Kind) -> Sequence[Mapping[str, Any]]:
    """A few as they are, without their links; transactions cannot be read."""
    if not kind.form or kind.form in DETAILS:
        return []
    resource, steps = _place(records, kind)
    query = {"limit": str(_MOST), "onlyData": "true"}
    expand = "lines" if kind.name == "sales_order" else ".".join(steps)
    found = await records.client.get(resource, query | ({"expand": expand} if expand else {}))
    if found is None:
        raise records.client.refusal(resource)
    rows: list[Row] = [row for row in items_of(found.body) if isinstance(row, dict)]
    if kind.name == "sales_order":
        return [{"order": row, "line": line} for row in rows for line in items_of(row.get("lines"))][:_MOST]
    for step in steps:
        rows = [below for row in rows for below in items_of(row.get(step)) if isinstance(below, dict)]
    return rows[:_MOST]


def _names(row: Mapping[str, Any]) -> list[str]:
    return [name for name, value in row.items() if not isinstance(value, Mapping | list)]
