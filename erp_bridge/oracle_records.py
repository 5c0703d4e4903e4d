"""Collections and records of Oracle's REST, and each document of ours bound to its resource and map.

A collection is read to its end: every page begins with the last row of the one before, so that rows which
move between two pages are noticed, and nothing is taken twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from erp_bridge import as_read
from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.oracle_answers import OracleRefusal, Stale, items_of
from erp_bridge.oracle_client import Answer, OracleClient
from erp_bridge.oracle_config import OracleConfig
from erp_bridge.oracle_maps import DOCUMENTS
from erp_bridge.oracle_query import Dialect
from hub.errors import ErpUnavailable

log = logging.getLogger(__name__)

PARAGRAPH = "+"  # at the end of a written field: a step is added to a text
TRIES = 3  # at a record that others change at the same time
_MOST_STARTS = 2  # of a collection that moves while it is read

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """`block`: the site's map over ours; `own`: what the site itself has asked for."""

    name: str
    block: MapBlock
    map: FieldMap
    own: frozenset[str]
    mine: str  # what of it is ours, as q

    @property
    def form(self) -> str:
        return self.block.form

    def read(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """In our fields; one that cannot be read must not hide the others."""
        return as_read.read(self.name, _called(record), self.map, record)

    def written(self, fields: Mapping[str, Any]) -> Written:
        return Written.of(self.map.written(fields))


@dataclass(frozen=True, slots=True)
class Written:
    """What a map gives: attributes of the record, steps for its texts, attributes of its flexfields."""

    body: Row
    steps: dict[str, str]
    children: dict[str, Row]

    @classmethod
    def of(cls, whole: Mapping[str, Any]) -> Written:
        steps = {n.rstrip(PARAGRAPH): str(v) for n, v in whole.items() if n.endswith(PARAGRAPH) and v}
        children = {n: dict(v) for n, v in whole.items() if isinstance(v, Mapping)}
        rest = {n: v for n, v in whole.items() if n not in children and not n.endswith(PARAGRAPH)}
        return cls(rest, steps, children)


class Records:
    """Everything that the connector's parts share."""

    def __init__(self, config: OracleConfig, client: OracleClient) -> None:
        self.config = config
        self.client = client
        self.dialect = Dialect(config.framework)
        self.kinds = {name: self._kind(name) for name in DOCUMENTS}

    def _kind(self, name: str) -> Kind:
        site = self.config.documents.get(name)  # type: ignore[call-overload]
        base = DOCUMENTS[name]
        if name == "operation" and self.config.work_centers:
            base = MapBlock(tables={"work_centers": dict(self.config.work_centers)}).over(base)
        block = site.over(base) if site else base
        own = frozenset(_asked_for(site)) if site else frozenset()
        made = compiled(block, self.config.zone, f"erp.with.documents.{name}")
        return Kind(name, block, made, own, self.config.filters.get(name, ""))  # type: ignore[call-overload]

    # ------------------------------------------------------------------ collections
    async def rows(
        self, resource: str, *conditions: str, expand: str = "", order: str = "", mine: str = ""
    ) -> list[Row]:
        """All of them, each once, in the order of the attribute `order`. A resource that is not there is
        refused; one whose rows one may not see may look empty."""
        query = {"limit": str(self.config.page_rows)}
        condition = self.dialect.both([*conditions, self.dialect.enclosed(mine)])
        if condition:
            query["q"] = condition
        if expand:
            query["expand"] = expand
        if order:
            query["orderBy"] = f"{order}:asc"
        for _ in range(_MOST_STARTS):
            found, whole = await self._pages(resource, query, joined=True)
            if whole:
                return found
            log.info("%s moved while it was read: read once more", resource)
        return (await self._pages(resource, query, joined=False))[0]

    async def _pages(
        self, resource: str, query: Mapping[str, str], *, joined: bool
    ) -> tuple[list[Row], bool]:
        """(rows, False when the pages did not join, and they had to)."""
        found: list[Row] = []
        seen: set[Any] = set()
        whole = True
        while True:
            offset = max(len(found) - 1, 0)
            page = await self.client.get(resource, {**query, "offset": str(offset)} if offset else query)
            if page is None:
                raise self.client.refusal(resource, self._places(resource))
            rows = _rows(page.body, resource)
            if joined and offset and (not rows or identity(rows[0]) != identity(found[-1])):
                whole = False
            fresh = [r for r in rows if identity(r) not in seen]
            found += fresh
            seen.update(map(identity, fresh))
            if not page.body.get("hasMore") or not whole:
                return found, whole
            if not fresh:
                raise ErpUnavailable(
                    f"Oracle says that {resource} has more and gives the same rows again, whichever are asked"
                    " for: something before it answers in its place; check url"
                )

    def _places(self, resource: str) -> str:
        """Where the configuration names this resource."""
        names = [f"documents.{n}.form" for n, k in self.kinds.items() if k.form == resource.partition("/")[0]]
        return f" (see {', '.join(names)})" if names else ""

    async def below(self, resource: str, record: Mapping[str, Any], key: Any, child: str) -> list[Row]:
        """Children of a record: those that came with it, the rest where it says that there are more."""
        inside = record.get(child)
        more = isinstance(inside, Mapping) and inside.get("hasMore")
        if inside is not None and not more:
            return [row for row in items_of(inside) if isinstance(row, dict)]
        return await self.rows(f"{resource}/{key}/child/{child}")

    # ------------------------------------------------------------------ one record
    async def one(self, path: str, expand: str = "") -> Answer | None:
        found = await self.client.get(path, {"expand": expand} if expand else None)
        return None if found is None else Answer(found.body, found.version or version_of(found.body))

    async def ticket_row(self, path: str) -> Row | None:
        """A record whose id is the last part of its path, and no other one."""
        found = await self.one(path)
        if found is not None and str(found.body.get("WorkOrderId")) != path.rpartition("/")[2]:
            raise ErpUnavailable(f"Oracle answered GET {path.partition('/')[0]} with another record")
        return None if found is None else found.body

    async def change(self, path: str, made: Callable[[Row], Row | None]) -> Row:
        """PATCH what `made` gives of the record as it stands; read again when somebody was quicker. None
        leaves it alone. The record as it was read last; {} when there is none."""
        for tries in range(TRIES):
            now = await self.one(path)
            if now is None:
                return {}
            if str(now.body.get("WorkOrderId") or "") not in ("", path.rpartition("/")[2]):
                raise ErpUnavailable(f"Oracle answered GET {path.partition('/')[0]} with another record")
            body = made(now.body)
            if not body:
                return now.body
            try:
                await self.client.write("PATCH", path, body, version=now.version)
            except Stale:
                if tries + 1 == TRIES:
                    raise
            else:
                return now.body
        return {}

    async def _first_child(self, path: str, child: str, body: Row, seen: Mapping[str, str] | None) -> None:
        try:
            await self.client.write("POST", f"{path}/child/{child}", body)
        except OracleRefusal:
            if seen is None or not await self.rows(f"{path}/child/{child}"):
                raise
            raise Stale(f"somebody has made {child} of {path.partition('/')[0]} meanwhile") from None

    async def put_child(
        self, path: str, child: str, body: Row, context: str, seen: Mapping[str, str] | None = None
    ) -> None:
        """A flexfield has one row for a record: changed where it is, made where it is not. Raises Stale when
        it does not say what we have `seen` any more."""
        if context and "__FLEX_Context" not in body:
            body = {"__FLEX_Context": context, **body}
        rows = await self.rows(f"{path}/child/{child}")
        if not rows:
            await self._first_child(path, child, body, seen)
        elif seen is not None or any(rows[0].get(name) != value for name, value in body.items()):
            key = child_key(rows[0]) or path.rpartition("/")[2]
            where = f"{path}/child/{child}/{key}"
            now = await self.one(where)
            there = now.body if now else rows[0]
            if any(str(there.get(name) or "") != text for name, text in (seen or {}).items()):
                raise Stale(f"somebody has changed {child} of {path.partition('/')[0]} meanwhile")
            await self.client.write("PATCH", where, body, version=now.version if now else "")


_NUMBERS = ("WorkOrderNumber", "OperationSequenceNumber", "OrderNumber", "ItemNumber", "AssetNumber")


def _called(record: Mapping[str, Any]) -> str:
    """How a clerk finds it; of a line, its order's number."""
    inner = record.get("order")
    row = inner if isinstance(inner, Mapping) else record
    return next((str(row[n]) for n in _NUMBERS if row.get(n)), str(next(iter(row.values()), "?")))


def _rows(body: Mapping[str, Any], resource: str) -> list[Row]:
    rows = body.get("items")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row for row in rows):
        raise ErpUnavailable(f"Oracle answered GET {resource.partition('/')[0]} in words we do not know")
    return rows


def identity(row: Mapping[str, Any]) -> Any:
    """What tells rows apart: the address of each, or all that it says."""
    link = _self_link(row)
    return str(link["href"]) if link.get("href") else repr(sorted(row.items(), key=lambda i: i[0]))


def version_of(row: Mapping[str, Any]) -> str:
    """The ETag as a collection gives it."""
    properties = _self_link(row).get("properties")
    return str(properties.get("changeIndicator") or "") if isinstance(properties, Mapping) else ""


def child_key(row: Mapping[str, Any]) -> str:
    """The last part of its address, never made by us: it may be a hash."""
    return str(_self_link(row).get("href") or "").rpartition("/")[2]


def _self_link(row: Mapping[str, Any]) -> Mapping[str, Any]:
    links = row.get("links")
    found = [li for li in links if isinstance(li, Mapping)] if isinstance(links, Sequence) else []
    return next((li for li in found if li.get("rel") == "self"), {})


def _asked_for(site: MapBlock) -> Iterator[str]:
    for written in (site.write, *(variant.write for variant in site.variants)):
        yield from (name for name, text in written.items() if text)
    yield from asked(site)
