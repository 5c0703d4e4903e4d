"""What $metadata says of a document's properties, and a few of its records: for whoever maps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from erp_bridge.sap_metadata import EntityType, Metadata, Property
from erp_bridge.sap_records import Kind
from hub.errors import ErpRefused
from hub.model.mapping import ErpField

_NEW = frozenset({"ticket", "report", "receipt", "issue", "hours", "scrap", "quality"})
_MOST = 3
_JOINED = {  # documents whose map sees a record with records below it: group -> where it comes from
    "sales_order": {"order": (), "item": ("to_Item",), "line": ("to_Item", "to_ScheduleLine")},
}


async def described(kind: Kind) -> list[ErpField]:
    known = await kind.service.metadata()
    if kind.name == "completion":
        arguments = known.calls.get(kind.form, {})
        return [ErpField(name, name, type_, "", name, "") for name, type_ in arguments.items()]
    entity = known.of_set(kind.form) or _reached(kind.form, known)
    if entity is None:
        raise ErpRefused(f"SAP's service {kind.service.path} has no {kind.form}; see documents.{kind.name}")
    if kind.name in _JOINED:
        return list(_joined(kind, known, entity))
    found = [_field(kind, made, "") for made in entity.properties.values()]
    for name in entity.navigation:
        below = known.below(entity, name)
        found += [_field(kind, made, name) for made in (below.properties.values() if below else ())]
    return found


def _reached(navigation: str, known: Metadata) -> EntityType | None:
    """Operations have no set of their own: an order leads to them."""
    above = (t for t in known.types.values() if navigation in t.navigation)
    return next((below for t in above if (below := known.below(t, navigation)) is not None), None)


def _joined(kind: Kind, known: Metadata, entity: EntityType) -> Iterator[ErpField]:
    for group, steps in _JOINED[kind.name].items():
        here: EntityType | None = entity
        for step in steps:
            here = known.below(here, step) if here else None
        for made in here.properties.values() if here else ():
            path = f"{group}.{made.name}"
            yield ErpField(path, made.title or made.name, made.type, group, "", path)


def _field(kind: Kind, made: Property, group: str) -> ErpField:
    """Rows below are written as a list of one, and read by who knows which of them is meant."""
    allowed = made.creatable if kind.name in _NEW else made.updatable
    path = f"{group}[].{made.name}" if group else made.name
    name = f"{group}.{made.name}" if group else made.name
    read = f"{group}[0].{made.name}" if group else made.name
    return ErpField(name, made.title or made.name, made.type, group, path if allowed else "", read)


async def samples(kinds: Mapping[str, Kind], document: str) -> Sequence[Mapping[str, Any]]:
    """Operations as they stand in their orders; a function has none."""
    kind = kinds[document]
    if document == "completion":
        return []
    if document == "operation":
        rows = await kinds["order"].rows(expand=[kind.form], most=_MOST)
        return [step for row in rows for step in row[kind.form] or []][:_MOST]
    if document in _JOINED:
        rows = await kind.rows(expand=["to_Item", "to_Item/to_ScheduleLine"], most=_MOST)
        return [
            {"order": dict(row.fields), "item": item, "line": next(iter(item.get("to_ScheduleLine") or [{}]))}
            for row in rows
            for item in row["to_Item"] or []
        ][:_MOST]
    return [dict(row.fields) for row in await kind.rows(most=_MOST)]
