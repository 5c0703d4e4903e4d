"""One OData service: entities by key, lists page by page, functions; versions 2 and 4 differ here alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from erp_bridge.sap_answers import PRECONDITION_FAILED, PRECONDITION_REQUIRED, SapRefusal, function_failure
from erp_bridge.sap_client import SapClient, read_json
from erp_bridge.sap_config import SapConfig
from erp_bridge.sap_maps import DOCUMENTS, SERVICES
from erp_bridge.sap_metadata import EntityType, Metadata, parsed
from erp_bridge.sap_values import V2, decoded, literal
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

PATHS = {
    "production_order": "/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV",
    "confirmation": "/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV",
    "notification": "/sap/opu/odata/sap/API_MAINTNOTIFICATION",
    "sales_order": "/sap/opu/odata/sap/API_SALES_ORDER_SRV",
    "equipment": "/sap/opu/odata/sap/API_EQUIPMENT",
    "batch": "/sap/opu/odata/sap/API_BATCH_SRV",
    "product": "/sap/opu/odata/sap/API_PRODUCT_SRV",
}
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Entity:
    """A record in what maps read (see sap_values.decoded), with its ETag: "" where SAP offers none."""

    fields: Mapping[str, Any]
    version: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)


class ODataService:
    def __init__(self, name: str, config: SapConfig, client: SapClient) -> None:
        site = config.services.get(name)  # type: ignore[call-overload]
        self.name = name
        self.path: str = (site.path if site else "") or PATHS[name]
        self.version: int = site.version if site else V2
        self._config = config
        self._client = client
        self._known: Metadata | None = None
        self._learning = asyncio.Lock()

    # ------------------------------------------------------------------ what it has
    async def metadata(self) -> Metadata:
        """Read once; `forget` after a refusal that may come from an upgrade."""
        async with self._learning:
            if self._known is None:
                self._known = await self._learned()
            return self._known

    def forget(self) -> None:
        self._known = None

    async def _learned(self) -> Metadata:
        reply = await self._client.get(f"{self.path}/$metadata", accept="application/xml")
        if reply.status_code == 404:
            raise ErpRefused(
                f"SAP has no service {self.path}; check services.{self.name}.path, for {self._documents()}"
            )
        try:
            return parsed(reply.content)
        except ValueError as cause:
            raise ErpUnavailable(f"SAP's $metadata of {self.path} cannot be read: {cause}") from None

    async def kind(self, entity_set: str) -> EntityType:
        found = (await self.metadata()).of_set(entity_set)
        if found is None:
            raise self._gone(entity_set)
        return found

    def _documents(self, entity_set: str = "") -> str:
        """Where the configuration speaks of this service, or of one of its entity sets."""
        named = {n: self._config.documents.get(n) for n in SERVICES}  # type: ignore[call-overload]
        forms = {n: (site.form if site else "") or DOCUMENTS[n].form for n, site in named.items()}
        mine = [n for n, service in SERVICES.items() if service == self.name]
        found = [n for n in mine if entity_set in ("", forms[n])]
        return ", ".join(f"documents.{n}.form" for n in found or mine)

    def _gone(self, entity_set: str) -> ErpRefused:
        self.forget()  # it may have been there a moment ago
        return ErpRefused(
            f"SAP's service {self.path} has no {entity_set}; check {self._documents(entity_set)}"
            f" and services.{self.name}"
        )

    async def literal(self, entity_set: str, name: str, value: Any) -> str:
        """Of the type that this release gives the property."""
        prop = (await self.kind(entity_set)).properties.get(name)
        try:
            return literal(value, prop.type if prop else "Edm.String", self.version)
        except ValueError as cause:
            raise ErpRefused(f"{entity_set}.{name}: {cause}") from None

    async def equals(self, entity_set: str, name: str, value: Any) -> str:
        return f"{name} eq {await self.literal(entity_set, name, value)}"

    async def any_of(self, entity_set: str, name: str, values: Iterable[Any]) -> str:
        parts = [await self.equals(entity_set, name, value) for value in values]
        return "(" + " or ".join(parts) + ")"

    # ------------------------------------------------------------------ reading
    async def one(
        self, entity_set: str, keys: Mapping[str, Any], expand: Sequence[str] = ()
    ) -> Entity | None:
        """None when there is none."""
        path = await self._addressed(entity_set, keys)
        reply = await self._client.get(path, self._query(expand=expand))
        if reply.status_code == 404:
            return None
        found = self._entity(reply, f"GET {entity_set}", await self._typed(entity_set), write=False)
        others = [n for n, value in keys.items() if not _same(found[n], value)]
        if others:
            raise ErpUnavailable(
                f"SAP answered GET {entity_set} with another one: {', '.join(others)} differs"
            )
        return found

    async def rows(
        self,
        entity_set: str,
        where: str = "",
        *,
        expand: Sequence[str] = (),
        order: Sequence[str] = (),
        most: int = 0,
    ) -> list[Entity]:
        """All that match, by their key, however the server cuts its pages; or the first `most`."""
        kind = await self.kind(entity_set)
        limit = min(most or self._config.page_rows, self._config.page_rows)
        by = order or kind.keys
        asked = self._query(expand=expand) | {"$top": str(limit)} | ({"$filter": where} if where else {})
        asked |= {"$orderby": ",".join(by)} if by else {}
        rows: dict[tuple[Any, ...], Entity] = {}
        query, seen, window = asked, 0, 0
        for _ in range(_MOST_PAGES):
            page, following = await self._page(entity_set, query)
            seen, window = seen + len(page), window + len(page)
            before = len(rows)
            for row in page:
                rows[_keys(row, kind, entity_set) or (len(rows),)] = row
            if page and len(rows) == before:
                raise ErpUnavailable(
                    f"SAP gives the same page of {entity_set} again, whichever is asked for: something before"
                    " it answers in its place; check url"
                )
            if most and len(rows) >= most:
                return list(rows.values())[:most]
            if following:
                query = following
            elif window >= limit:  # the server has given all that we asked for: there may be more
                query, window = asked | {"$skip": str(seen)}, 0
            else:
                return list(rows.values())
        raise ErpUnavailable(f"SAP never ends its list of {entity_set}")

    async def _page(
        self, entity_set: str, query: Mapping[str, str]
    ) -> tuple[list[Entity], dict[str, str] | None]:
        what = f"GET {entity_set}"
        reply = await self._client.get(f"{self.path}/{entity_set}", query)
        if reply.status_code == 404:
            raise self._gone(entity_set)
        body = read_json(reply, what, write=False)
        inner = body.get("d", body) if isinstance(body, Mapping) else None
        rows = inner.get("results", inner.get("value")) if isinstance(inner, Mapping) else inner
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise ErpUnavailable(f"SAP answered {what} in words we do not know")
        link = (inner.get("__next") or inner.get("@odata.nextLink")) if isinstance(inner, Mapping) else ""
        known, kind = await self._typed(entity_set)
        return [_entity(row, known, kind) for row in rows], self._following(query, str(link or ""))

    async def _typed(self, entity_set: str) -> tuple[Metadata, EntityType | None]:
        known = await self.metadata()
        return known, known.of_set(entity_set)

    def _following(self, query: Mapping[str, str], link: str) -> dict[str, str] | None:
        """Only the question is taken from their link: another host would be given our password."""
        if not link:
            return None
        asked = dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
        asked = {name: value for name, value in asked.items() if not name.startswith("sap-")}
        if asked == dict(query):
            raise ErpUnavailable("SAP's link to the next page leads to the same page")
        return asked

    # ------------------------------------------------------------------ writing
    async def create(self, entity_set: str, body: Mapping[str, Any]) -> Entity:
        try:
            reply = await self._client.write("POST", self.path, f"{self.path}/{entity_set}", body=body)
        except SapRefusal:
            self.forget()  # an upgrade may have taken a property away
            raise
        return self._entity(reply, f"POST {entity_set}", await self._typed(entity_set), write=True)

    async def change(
        self, entity_set: str, keys: Mapping[str, Any], body: Mapping[str, Any], version: str = ""
    ) -> None:
        """Raises ErpUnavailable when somebody was faster: look again before the next try."""
        await self._versioned("PATCH", await self._addressed(entity_set, keys), version, body=body)

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        bound: tuple[str, Mapping[str, Any]] | None = None,
        version: str = "",
    ) -> Entity:
        """A function. OData 4 has actions instead, `bound` to an entity."""
        if self.version == V2:
            query = _parameters(arguments, (await self.metadata()).calls.get(name, {}))
            reply = await self._versioned("POST", f"{self.path}/{name}", version, query=query)
        else:
            entity_set, keys = bound or ("", {})
            namespace = (await self.metadata()).namespace
            path = f"{await self._addressed(entity_set, keys)}/{namespace}.{name}"
            body = {n: v for n, v in arguments.items() if v is not None and n not in keys}
            reply = await self._versioned("POST", path, version, body=body)
        return self._called(name, reply)

    def _called(self, name: str, reply: httpx.Response) -> Entity:
        if not reply.content:
            return Entity({})
        entity = self._entity(reply, f"POST {name}", (Metadata(), None), write=True)
        inner = entity[name]
        result = inner if isinstance(inner, Mapping) else entity.fields
        failure = function_failure(result, name, self._config.busy_words)
        if failure is not None:
            raise failure
        return Entity(result, entity.version)

    async def _versioned(self, method: str, path: str, version: str, **more: Any) -> httpx.Response:
        try:
            return await self._client.write(method, self.path, path, version=version, **more)
        except SapRefusal as refusal:
            if refusal.status == PRECONDITION_FAILED:
                raise ErpUnavailable(f"somebody was faster: {refusal}") from None
            if refusal.status != PRECONDITION_REQUIRED or version:
                raise
        if not self._config.any_version:
            raise ErpRefused(
                f"SAP wants a version (If-Match) for {path.rpartition('/')[2]} and has given none;"
                " set any_version: true to write over whatever is there"
            )
        return await self._client.write(method, self.path, path, version="*", **more)

    # ------------------------------------------------------------------ envelopes and addresses
    async def _addressed(self, entity_set: str, keys: Mapping[str, Any]) -> str:
        parts = {
            name: quote(await self.literal(entity_set, name, value), safe="'") for name, value in keys.items()
        }
        inside = (
            next(iter(parts.values())) if len(parts) == 1 else ",".join(f"{n}={v}" for n, v in parts.items())
        )
        return f"{self.path}/{entity_set}({inside})"

    def _query(self, expand: Sequence[str] = ()) -> dict[str, str]:
        if not expand:
            return {}
        if self.version == V2:
            return {"$expand": ",".join(expand)}
        return {"$expand": _nested(expand)}

    def _entity(
        self, reply: httpx.Response, what: str, typed: tuple[Metadata, EntityType | None], *, write: bool
    ) -> Entity:
        body = read_json(reply, what, write=write)
        record = body.get("d", body) if isinstance(body, Mapping) else None
        if not isinstance(record, Mapping):
            raise ErpUnavailable(f"SAP answered {what} in words we do not know", in_doubt=write)
        return _entity(record, *typed, str(reply.headers.get("ETag", "")))


def _keys(row: Entity, kind: EntityType, entity_set: str) -> tuple[Any, ...]:
    keys = tuple(row[name] for name in kind.keys)
    if None in keys:
        raise ErpUnavailable(f"SAP gave a row of {entity_set} without its key {', '.join(kind.keys)}")
    return keys


def _same(found: Any, wanted: Any) -> bool:
    """Numbers come with leading zeros and without, dates with a time and without."""
    one, other = (
        str(value if value is not None else "").removesuffix("T00:00:00").lstrip("0")
        for value in (found, wanted)
    )
    return one == other


def _parameters(arguments: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, str]:
    try:
        return {n: literal(v, types.get(n, "Edm.String"), V2) for n, v in arguments.items() if v is not None}
    except ValueError as cause:
        raise ErpRefused(f"an argument does not fit its type: {cause}") from None


def _nested(expand: Sequence[str]) -> str:
    """`to_Item,to_Item/to_Line` of OData 2 as `to_Item($expand=to_Line)` of OData 4."""
    below: dict[str, list[str]] = {}
    for path in expand:
        head, _, rest = path.partition("/")
        below.setdefault(head, []).extend([rest] if rest else [])
    return ",".join(f"{head}($expand={_nested(rest)})" if rest else head for head, rest in below.items())


def _entity(record: Mapping[str, Any], known: Metadata, kind: EntityType | None, version: str = "") -> Entity:
    meta = record.get("__metadata")
    own = meta.get("etag") if isinstance(meta, Mapping) else record.get("@odata.etag")
    return Entity(_plain(record, known, kind), version or str(own or ""))


def _plain(record: Mapping[str, Any], known: Metadata, kind: EntityType | None) -> dict[str, Any]:
    """Without the wrapping: lists are lists, what was not expanded is not there."""
    out: dict[str, Any] = {}
    for name, value in record.items():
        if name == "__metadata" or name.startswith("@") or "@odata." in name:
            continue
        if isinstance(value, Mapping) and isinstance(value.get("results"), list):
            value = value["results"]  # noqa: PLW2901 the list is what the name stands for
        below = known.below(kind, name) if kind else None
        if isinstance(value, list):
            out[name] = [_plain(row, known, below) if isinstance(row, Mapping) else row for row in value]
        elif not isinstance(value, Mapping):
            prop = kind.properties.get(name) if kind else None
            out[name] = decoded(value, prop.type if prop else "")
        elif "__deferred" not in value:
            out[name] = _plain(value, known, below)
    return out
