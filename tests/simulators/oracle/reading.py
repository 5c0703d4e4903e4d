"""Collections and items as Oracle shows them: pages, chosen fields, children, links, ETags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.simulators.oracle.answers import OracleError
from tests.simulators.oracle.books import Row
from tests.simulators.oracle.query import parsed
from tests.simulators.oracle.schema import Resource

DEFAULT_LIMIT, MOST = 25, 500


@dataclass(frozen=True, slots=True)
class View:
    """How one request wants to see things."""

    query: Mapping[str, str]
    framework: int
    child_limit: int = DEFAULT_LIMIT

    @property
    def only_data(self) -> bool:
        return self.query.get("onlyData") == "true"

    def number(self, name: str, otherwise: int) -> int:
        value = self.query.get(name, str(otherwise))
        if not value.isdigit():
            raise OracleError(400, f"{value} is not a valid value of {name}.")
        return int(value)


def collection(resource: Resource, rows: Iterable[Row], url: str, view: View) -> Row:
    if "fields" in view.query and "expand" in view.query:
        raise OracleError(400, "The fields and expand parameters cannot be used together.")
    if "q" in view.query and "finder" in view.query:
        raise OracleError(400, "The q and finder parameters cannot be used together.")
    if "fields" in view.query:
        _fields(resource, view.query["fields"])  # names are looked at even where there is no row
    found = _ordered(resource, _chosen(resource, rows, view), view)
    limit = min(view.number("limit", DEFAULT_LIMIT), MOST)
    offset = view.number("offset", 0)
    page = found[offset : offset + limit]
    shown = [item(resource, row, f"{url}/{key_of(resource, row)}", view) for row in page]
    out: Row = {
        "items": shown, "count": len(shown), "hasMore": offset + limit < len(found), "limit": limit,
        "offset": offset,
    }  # fmt: skip
    if view.query.get("totalResults") == "true":
        out["totalResults"] = len(found)
    return out | {"links": [{"rel": "self", "href": url, "name": resource.name, "kind": "collection"}]}


def _chosen(resource: Resource, rows: Iterable[Row], view: View) -> list[Row]:
    q = view.query.get("q")
    if q is None:
        return _found(resource, rows, view)
    test = parsed(q, view.framework)
    test(lambda name: _values(resource, {}, name))  # names are looked at even where there is no row
    return [row for row in rows if test(lambda name, row=row: _values(resource, row, name))]  # type: ignore[misc]


def _found(resource: Resource, rows: Iterable[Row], view: View) -> list[Row]:
    finder = view.query.get("finder")
    if finder is None:
        return list(rows)
    name, _, condition = finder.partition(";")
    attribute, _, value = condition.partition("=")
    if name != "PrimaryKey" or attribute != resource.key:
        raise OracleError(400, f"The finder {name} is not valid.")
    return [row for row in rows if str(row[attribute]) == value]


def _values(resource: Resource, row: Row, name: str) -> list[Any]:
    child, _, rest = name.partition(".")
    if rest and child in resource.children:
        below = resource.children[child]
        return [v for r in row.get(child) or [] for v in _values(below, r, rest)]
    if name not in resource.attributes:
        raise OracleError(400, f"Attribute {name} is not defined in {resource.name}.", name)
    return [row.get(name)]


def _ordered(resource: Resource, rows: list[Row], view: View) -> list[Row]:
    for part in reversed([p for p in view.query.get("orderBy", "").split(",") if p]):
        name, _, way = part.partition(":")
        if name not in resource.attributes or way not in ("", "asc", "desc"):
            raise OracleError(400, f"{part} is not a valid value of orderBy.")
        rows = sorted(rows, key=lambda r: (r.get(name) is None, r.get(name)), reverse=way == "desc")
    return rows


# ------------------------------------------------------------------ one item
def item(resource: Resource, row: Row, url: str, view: View) -> Row:
    fields = _fields(resource, view.query["fields"]) if "fields" in view.query else None
    expand = [path for path in view.query.get("expand", "").split(",") if path]
    return _shown(resource, row, url, view, fields, expand)


def _shown(
    resource: Resource,
    row: Row,
    url: str,
    view: View,
    fields: Mapping[str, list[str]] | None,
    expand: list[str],
) -> Row:
    names = resource.attributes if fields is None else fields.get("", [])
    out = {name: plain(row.get(name)) for name in names}
    for child, below in resource.children.items():
        inner = [p.partition(".")[2] for p in expand if p.partition(".")[0] in (child, "all")]
        fewer = _below(fields, child) if fields is not None else None
        if inner or fewer:
            rows = row.get(child) or []
            shown = [
                _shown(
                    below, r, f"{url}/child/{child}/{key_of(below, r)}", view, fewer, [i for i in inner if i]
                )
                for r in rows[: view.child_limit]
            ]
            out[child] = _children(shown, len(rows), f"{url}/child/{child}", view)
    unknown = [p for p in expand if p != "all" and p.partition(".")[0] not in resource.children]
    if unknown:
        raise OracleError(400, f"{unknown[0]} is not a child of {resource.name}.")
    return out if view.only_data else out | {"links": links(resource, row, url)}


def _children(shown: list[Row], count: int, url: str, view: View) -> Any:
    if view.framework < 3:
        return shown
    more = count > len(shown)
    whole = {"items": shown, "count": len(shown), "hasMore": more, "limit": view.child_limit, "offset": 0}
    return whole if view.only_data else whole | {"links": [{"rel": "self", "href": url}]}


def _fields(resource: Resource, text: str) -> dict[str, list[str]]:
    """`A,B;Child:C,D` or `Child:C`: what of each is wanted. Raises OracleError for what there is not."""
    wanted: dict[str, list[str]] = {}
    for group in text.split(";"):
        child, colon, names = group.rpartition(":")
        here = resource
        for step in filter(None, child.split(".")):
            if step not in here.children:
                raise OracleError(400, f"{step} is not a child of {here.name}.", step)
            here = here.children[step]
        for name in filter(None, names.split(",")):
            if name not in here.attributes:
                raise OracleError(400, f"Attribute {name} is not defined in {here.name}.", name)
            wanted.setdefault(child, []).append(name)
        if not colon:
            wanted.setdefault("", [])
    return wanted


def _below(fields: Mapping[str, list[str]], child: str) -> dict[str, list[str]]:
    out = {}
    for path, names in fields.items():
        head, _, rest = path.partition(".")
        if head == child:
            out[rest] = names
    return out


def described(resource: Resource) -> Row:
    """What a program may ask about a resource, its children within."""
    attributes = [
        {"name": name, "title": f"{name} 标题", "type": made.kind, "updatable": made.update}
        for name, made in resource.attributes.items()
    ]
    children = {name: described(below) for name, below in resource.children.items()}
    return {"discrColumnType": False, "attributes": attributes, "children": children}


def links(resource: Resource, row: Row, url: str) -> list[Row]:
    found: list[Row] = [
        {"rel": "self", "href": url, "name": resource.name, "kind": "item",
         "properties": {"changeIndicator": etag(resource, row)}}
    ]  # fmt: skip
    return found + [
        {"rel": "child", "href": f"{url}/child/{child}", "name": child, "kind": "collection"}
        for child in resource.children
    ]


def etag(resource: Resource, row: Row) -> str:
    """Of the record itself: a child's change shows when it moves the record's last update."""
    said = {name: plain(row.get(name)) for name in resource.attributes} | {"#": row.get("#", 0)}
    return "ACED" + hashlib.sha1(json.dumps(said, sort_keys=True).encode()).hexdigest().upper()


def key_of(resource: Resource, row: Row) -> str:
    key = str(row.get(resource.key, ""))
    if not resource.hashed:
        return key
    return "00020000000EACED" + hashlib.sha1(f"{resource.name}{key}".encode()).hexdigest().upper()


def plain(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
