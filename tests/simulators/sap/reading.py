"""Rows onto the wire: $select, $expand, $orderby, pages; JSON when it is asked for, Atom when it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from tests.simulators.sap import filters
from tests.simulators.sap.answers import SapError
from tests.simulators.sap.books import Books, Row
from tests.simulators.sap.schema import Kind, Service
from tests.simulators.sap.values import shown

KNOWN = frozenset(
    {"$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$inlinecount", "$skiptoken", "$format"}
)
# which rows of the target belong to a row of the source: navigation -> fields they share
LINKS: dict[str, tuple[str, ...]] = {
    "to_Item": ("MaintenanceNotification", "SalesOrder"),
    "to_Partner": ("MaintenanceNotification",),
    "to_ScheduleLine": ("SalesOrder", "SalesOrderItem"),
    "to_ProductionOrderOperation": ("ManufacturingOrder",),
    "to_ProductionOrderItem": ("ManufacturingOrder",),
    "to_ProductionOrderStatus": ("ManufacturingOrder",),
    "to_ProductionOrderComponentExt4": ("ManufacturingOrder",),
    "to_ProdnOrdConfMatlDocItm": ("ConfirmationGroup", "ConfirmationCount"),
}


@dataclass(slots=True)
class Reader:
    books: Books
    service: Service
    base: str  # absolute URL of the service
    page_size: int

    # ------------------------------------------------------------------ what is asked for
    def listed(self, entity_set: str, query: Mapping[str, str], rows: Sequence[Row] | None = None) -> Any:
        kind = self.service.kind_of(entity_set)
        self._check(query, kind)
        found = list(self.books.rows(entity_set, reading=True)) if rows is None else list(rows)
        if "$filter" in query:
            test = filters.test_of(query["$filter"], kind)
            found = [row for row in found if test(row)]
        found = self._ordered(found, query.get("$orderby", ""), kind)
        count = len(found)
        page, link = self._page(found, entity_set, query)
        body: dict[str, Any] = {"results": [self.entity(entity_set, row, query) for row in page]}
        if query.get("$inlinecount") == "allpages":
            body["__count"] = str(count)
        if link:
            body["__next"] = link
        return {"d": body}

    def counted(self, entity_set: str, query: Mapping[str, str]) -> str:
        kind = self.service.kind_of(entity_set)
        test = filters.test_of(query["$filter"], kind) if "$filter" in query else None
        return str(sum(1 for row in self.books.rows(entity_set, reading=True) if not test or test(row)))

    def _check(self, query: Mapping[str, str], kind: Kind) -> None:
        unknown = [n for n in query if n.startswith("$") and n not in KNOWN]
        if unknown:
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Invalid system query option {unknown[0]}")
        for name in ("$top", "$skip"):
            if not query.get(name, "0").isdigit():
                raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Invalid value for {name}")
        if query.get("$format", "json") not in ("json", "atom", "xml"):
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", "Invalid $format")

    def _ordered(self, rows: list[Row], text: str, kind: Kind) -> list[Row]:
        for part in reversed([p.strip() for p in text.split(",") if p.strip()]):
            name, _, way = part.partition(" ")
            made = kind.fields.get(name)
            if made is None or made.has("o") or way.strip() not in ("", "asc", "desc"):
                raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Cannot order by '{part}'")
            rows.sort(key=partial(_sorted_by, name), reverse=way.strip() == "desc")
        return rows

    def _page(self, rows: list[Row], entity_set: str, query: Mapping[str, str]) -> tuple[list[Row], str]:
        """$skiptoken counts from the beginning of what was asked for."""
        rows = rows[int(query.get("$skip", "0")) :]
        rows = rows[: int(query["$top"])] if "$top" in query else rows
        token = query.get("$skiptoken", "0")
        if not token.isdigit():
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", "Invalid $skiptoken")
        start = int(token)
        page = rows[start : start + self.page_size]
        if start + self.page_size >= len(rows):
            return page, ""
        again = dict(query) | {"$skiptoken": str(start + self.page_size)}
        return page, f"{self.base}/{entity_set}?{urlencode(again, safe='$', quote_via=quote)}"

    # ------------------------------------------------------------------ one entity
    def entity(self, entity_set: str, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        kind = self.service.kind_of(entity_set)
        chosen = [part.strip() for part in query.get("$select", "").split(",") if part.strip()]
        unknown = [n for n in chosen if n.partition("/")[0] not in {*kind.fields, *kind.navigation, "*"}]
        if unknown:
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{unknown[0]}'")
        address = f"{self.base}/{entity_set}({key_text(kind, row)})"
        meta = {"id": address, "uri": address, "type": f"{self.service.namespace}.{kind.name}"}
        version = etag(kind, row)
        out: dict[str, Any] = {"__metadata": meta | ({"etag": version} if version else {})}
        for made in kind.fields.values():
            if not chosen or made.name in chosen or "*" in chosen:
                out[made.name] = shown(made, row.get(made.name))
        expanded = _below(query.get("$expand", ""))
        missing = [n for n in expanded if n not in kind.navigation]
        if missing:
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Invalid $expand: '{missing[0]}'")
        for name, target in kind.navigation.items():
            if name in expanded:
                out[name] = self._expanded(name, target, row, expanded[name])
            elif not chosen:
                out[name] = {"__deferred": {"uri": f"{address}/{name}"}}
        return out

    def linked(self, name: str, target: str, row: Row) -> list[Row]:
        shared = [n for n in LINKS.get(name, ()) if n in row]
        there = self.books.rows(self.service.set_of(target), reading=True)
        return [r for r in there if shared and all(r.get(n) == row.get(n) for n in shared)]

    def _expanded(self, name: str, target: str, row: Row, below: str) -> Any:
        rows = self.linked(name, target, row)
        deeper = {"$expand": below} if below else {}
        made = [self.entity(self.service.set_of(target), r, deeper) for r in rows]
        return {"results": made} if target.endswith("*") else next(iter(made), None)


def _sorted_by(name: str, row: Row) -> tuple[bool, Any]:
    return row.get(name) is not None, row.get(name)


def key_text(kind: Kind, row: Row) -> str:
    parts = []
    for name in kind.keys:
        value = row.get(name)
        if kind.fields[name].kind == "Edm.DateTime":
            text = f"datetime'{value:%Y-%m-%dT%H:%M:%S}'"
        else:
            text = "'" + quote(str(value).replace("'", "''")) + "'"
        parts.append(text if len(kind.keys) == 1 else f"{name}={text}")
    return ",".join(parts)


def etag(kind: Kind, row: Row) -> str:
    made = kind.version
    if made is None:
        return ""
    value = row.get(made.name)
    if made.kind == "Edm.String":
        return f"W/\"'{value}'\""
    return f"W/\"datetimeoffset'{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond:06d}0Z'\"" if value else ""


def _below(expand: str) -> dict[str, str]:
    out: dict[str, list[str]] = {}
    for path in (p.strip() for p in expand.split(",") if p.strip()):
        head, _, rest = path.partition("/")
        out.setdefault(head, []).extend([rest] if rest else [])
    return {head: ",".join(rest) for head, rest in out.items()}


# ------------------------------------------------------------------ Atom
_ATOM = (
    'xmlns="http://www.w3.org/2005/Atom"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
    ' xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"'
)


def atom(body: Any) -> str:
    """The same answer for whoever forgot to ask for JSON."""
    inner = body.get("d", body)
    head = '<?xml version="1.0" encoding="utf-8"?>'
    if isinstance(inner, dict) and isinstance(inner.get("results"), list):
        return f"{head}<feed {_ATOM}>{''.join(_entry(r) for r in inner['results'])}</feed>"
    return head + _entry(inner, f" {_ATOM}")


def _entry(record: Mapping[str, Any], names: str = "") -> str:
    values = "".join(
        f"<d:{name}>{escape(str(value))}</d:{name}>"
        for name, value in record.items()
        if not isinstance(value, dict | list) and value is not None
    )
    inside = f"<m:properties>{values}</m:properties>"
    return f'<entry{names}><content type="application/xml">{inside}</content></entry>'
