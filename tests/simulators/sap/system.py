"""One SAP system behind its URLs: a request in, an answer or a SapError out. Knows nothing of sockets."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.simulators.sap import filters, four, schema
from tests.simulators.sap.answers import SapError
from tests.simulators.sap.books import Books, Row
from tests.simulators.sap.confirmations import SET as CONFIRMATIONS
from tests.simulators.sap.confirmations import Confirmations
from tests.simulators.sap.faults import Faults
from tests.simulators.sap.notifications import SET as NOTIFICATIONS
from tests.simulators.sap.notifications import Notifications
from tests.simulators.sap.orders import SET as ORDERS
from tests.simulators.sap.orders import Orders
from tests.simulators.sap.reading import Reader, atom, etag, key_text
from tests.simulators.sap.schema import Kind, Service
from tests.simulators.sap.seed import seed
from tests.simulators.sap.sessions import Account, Sessions
from tests.simulators.sap.writing import check_version, read_body, touch

ROOT = "/sap/opu/odata/sap/"
JSON = "application/json"
_SEGMENT = re.compile(r"^([A-Za-z0-9_]+)(?:\((.*)\))?$")
_KEY = re.compile(r"([A-Za-z0-9_]+)=((?:[a-z]+)?'(?:[^']|'')*'|[^,]+)")
_FOURTH = re.compile(r"^/sap/opu/odata4/sap/[^/]+/srvd_a2x/sap/([^/]+)/0001/(.*)$")
PAGE = 3


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def wants_json(self) -> bool:
        return JSON in (self.headers.get("Accept") or "") or self.query.get("$format") == "json"


@dataclass(slots=True)
class Answer:
    status: int
    text: str = ""
    kind: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)


class System:
    def __init__(self, now: Callable[[], datetime], account: Account, page_size: int = PAGE) -> None:
        self.lock = threading.RLock()
        self.faults = Faults()
        self.books = Books(now)
        self.services = schema.services()
        self.sessions = Sessions(account)
        self.account = account
        self.page_size = page_size
        seed(self.books, self.services)
        self.books.age(timedelta(days=1))
        self.notifications = Notifications(self.books, self.services["API_MAINTNOTIFICATION"])
        self.orders = Orders(self.books, self.services["API_PRODUCTION_ORDER_2_SRV"])
        self.confirmations = Confirmations(
            self.books, self.orders, self.services["API_PRODUCTION_ORDER_2_SRV"]
        )
        self.seen: list[Request] = []

    def answer(self, request: Request, origin: str) -> Answer:
        """Raises SapError for whatever SAP would refuse."""
        self.seen.append(request)
        self.sessions.check_user(request.headers)
        if request.query.get("sap-client", self.account.client) != self.account.client:
            raise SapError(401, "", "Client does not exist", plain=True)
        if request.method not in ("GET", "HEAD"):
            self.sessions.check_token(request.headers)
        with self.lock:
            self.books.lag = timedelta(seconds=self.faults.lag)
            inner = self._fourth if request.path.startswith(four.ROOT) else self._service
            answer = inner(request, origin)
        answer.headers += self.sessions.fetched(request.headers)
        return answer

    def _service(self, request: Request, origin: str) -> Answer:
        name, _, rest = request.path.removeprefix(ROOT).partition("/")
        gone = name == "API_MAINTNOTIFICATION" and self.faults.lasts("renamed")
        service = None if gone else self.services.get(name)
        if service is None or not request.path.startswith(ROOT):
            raise SapError(
                404, "/IWFND/MED/170", f"No service found for namespace '', name '{name}', version '0001'"
            )
        reader = Reader(self.books, service, origin + ROOT + name, self.page_size)
        if request.method in ("GET", "HEAD"):
            return self._read(request, service, reader, rest)
        return self._write(request, service, reader, rest)

    def _fourth(self, request: Request, origin: str) -> Answer:
        """OData 4 around the same service."""
        found = _FOURTH.match(request.path)
        service = self.services.get(found[1]) if found else None
        if service is None or found is None:
            raise SapError(404, "/IWBEP/CM_V4_COS/014", "No service found")
        rest = found[2]
        if rest == "$metadata":
            return Answer(200, four.metadata(service), "application/xml")
        first, _, action = rest.partition("/")
        kind = service.kind_of(self._segment(service, first)[0]) if first else None
        asked, body = four.query(request.query), request.body
        if request.method == "POST" and action:
            rest, more = self._action(service, first, action, request)
            asked, body = asked | more, b""
        elif body and kind:
            body = four.body(service, kind, body)
        path = f"{ROOT}{service.name}/{rest}"
        plain = Request(request.method, path, asked, request.headers, body)
        answer = self._service(plain, origin)
        if answer.text and answer.kind == JSON and kind:
            answer.text = four.answer(service, kind, answer.text, request.query)
        return answer

    def _action(
        self, service: Service, first: str, action: str, request: Request
    ) -> tuple[str, dict[str, str]]:
        """An action of an entity is a function with the entity's key."""
        space, _, name = action.rpartition(".")
        entity_set, key = self._segment(service, first)
        if space != four.namespace(service) or name not in service.calls or key is None:
            raise SapError(404, "/IWBEP/CM_V4_COS/014", f"No action {action}")
        given = dict(zip(service.kind_of(entity_set).keys, key, strict=True)) | json.loads(
            request.body or b"{}"
        )
        types = {n: f.kind for n, (f, _) in service.calls[name].parameters.items()}
        return name, {n: four.argument(types.get(n, ""), v) for n, v in given.items()}

    # ------------------------------------------------------------------ reading
    def _read(self, request: Request, service: Service, reader: Reader, rest: str) -> Answer:
        if not rest:
            return self._shown(request, {"d": {"EntitySets": list(service.sets)}})
        if rest == "$metadata":
            return Answer(200, schema.metadata(service), "application/xml")
        first, _, below = rest.partition("/")
        entity_set, key = self._segment(service, first)
        kind = service.kind_of(entity_set)
        if key is None:
            if below == "$count":
                return Answer(200, reader.counted(entity_set, request.query), "text/plain")
            return self._shown(request, reader.listed(entity_set, request.query))
        row = self._row(entity_set, kind, key, reading=True)
        if not below:
            shown = {"d": reader.entity(entity_set, row, request.query)}
            return self._shown(request, shown, etag(kind, row))
        if below not in kind.navigation:
            raise SapError(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{below}'")
        target = service.set_of(kind.navigation[below])
        rows = reader.linked(below, kind.navigation[below], row)
        return self._shown(request, reader.listed(target, request.query, rows))

    def _shown(self, request: Request, body: Any, version: str = "", status: int = 200) -> Answer:
        headers = [("ETag", version)] if version else []
        if request.wants_json:
            return Answer(status, json.dumps(body, ensure_ascii=False), JSON, headers)
        return Answer(status, atom(body), "application/atom+xml;type=feed", headers)

    def _segment(self, service: Service, text: str) -> tuple[str, tuple[Any, ...] | None]:
        found = _SEGMENT.match(unquote(text))
        if not found or found[1] not in service.sets:
            raise SapError(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{unquote(text)}'")
        if found[2] is None:
            return found[1], None
        return found[1], _key(service.kind_of(found[1]), found[2])

    def _row(self, entity_set: str, kind: Kind, key: tuple[Any, ...], *, reading: bool = False) -> Row:
        row = self.books.get(entity_set, key, reading=reading)
        if reading and self.faults.lasts("any_document"):
            row = next(iter(self.books.rows(entity_set, reading=True)), None)
        if row is None:
            raise SapError(
                404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{entity_set}' {key}"
            )
        return row

    # ------------------------------------------------------------------ writing
    def _write(self, request: Request, service: Service, reader: Reader, rest: str) -> Answer:
        method = request.headers.get("X-HTTP-Method") or request.method
        if method == "POST" and rest in service.calls:
            return self._call(request, service, reader, rest)
        entity_set, key = self._segment(service, rest)
        off = service.sets[entity_set][1]
        kind = service.kind_of(entity_set)
        allowed = {"POST": ("c", key is None), "PATCH": ("u", key is not None), "DELETE": ("d", True)}
        allowed |= dict.fromkeys(("MERGE", "PUT"), allowed["PATCH"])
        mark, fits = allowed.get(method, ("", False))
        if mark in off or not fits or method == "DELETE":
            raise SapError(405, "/IWBEP/CM_MGW_RT/108", f"Method {method} is not allowed on '{entity_set}'")
        body = _json(request)
        if key is None:
            return self._created(
                request, service, reader, entity_set, read_body(service, kind, body, new=True)
            )
        row = self._row(entity_set, kind, key)
        check_version(kind, row, request.headers.get("If-Match") or "")
        after = self._changed(entity_set, kind, row, read_body(service, kind, body, new=False))
        return Answer(204, "", "", [("ETag", etag(kind, after))] if etag(kind, after) else [])

    def _created(
        self, request: Request, service: Service, reader: Reader, entity_set: str, row: Row
    ) -> Answer:
        warning = ""
        if entity_set == NOTIFICATIONS:
            made = self.notifications.create(row)
        elif entity_set == CONFIRMATIONS:
            made, warning = self.confirmations.create(row)
        else:
            raise SapError(501, "/IWBEP/CM_MGW_RT/009", f"'{entity_set}' is not implemented here")
        kind = service.kind_of(entity_set)
        answer = self._shown(request, {"d": reader.entity(entity_set, made, {})}, etag(kind, made), 201)
        answer.headers.append(("Location", f"{reader.base}/{entity_set}({key_text(kind, made)})"))
        if warning:
            said = {"code": "RU/110", "message": warning, "severity": "warning", "details": []}
            answer.headers.append(("sap-message", json.dumps(said)))
        return answer

    def _changed(self, entity_set: str, kind: Kind, before: Row, row: Row) -> Row:
        keyless = {name: value for name, value in row.items() if name not in kind.keys}
        if entity_set == NOTIFICATIONS:
            return self.notifications.change(before, keyless)
        if entity_set == ORDERS:
            return self.orders.change(before, keyless)
        after = before | keyless
        touch(self.books, kind, after)
        self.books.put(entity_set, tuple(after[name] for name in kind.keys), after)
        return after

    def _call(self, request: Request, service: Service, reader: Reader, name: str) -> Answer:
        if request.body:
            raise SapError(400, "/IWBEP/CM_MGW_RT/011", "A function import has no body")
        arguments = _arguments(service.calls[name], request.query)
        if service.name == "API_MAINTNOTIFICATION":
            row = self.notifications.call(name, arguments)
            return self._shown(request, {"d": reader.entity(NOTIFICATIONS, row, {})})
        if service.name == "API_PRODUCTION_ORDER_2_SRV":
            said = self.orders.call(name, arguments, request.headers.get("If-Match") or "")
            return self._shown(request, {"d": {name: said}})
        if name == "CancelProdnOrdConf":
            row = self.confirmations.cancel(arguments)
            return self._shown(request, {"d": reader.entity(CONFIRMATIONS, row, {})})
        raise SapError(501, "/IWBEP/CM_MGW_RT/009", f"{name} is not implemented here")


def _json(request: Request) -> Any:
    kind = (request.headers.get("Content-Type") or "").partition(";")[0]
    if kind != JSON:
        raise SapError(415, "/IWBEP/CM_MGW_RT/010", f"Unsupported content type '{kind}'")
    try:
        return json.loads(request.body)
    except ValueError:
        raise SapError(400, "CX_SXML_PARSE_ERROR/001", "Malformed request body") from None


def _key(kind: Kind, text: str) -> tuple[Any, ...]:
    if len(kind.keys) == 1 and not _KEY.fullmatch(text):
        return (filters.literal(text, kind.fields[kind.keys[0]]),)
    given = dict(_KEY.findall(text))
    if set(given) != set(kind.keys):
        raise SapError(400, "/IWBEP/CM_MGW_RT/013", f"The key of '{kind.name}' is {', '.join(kind.keys)}")
    return tuple(filters.literal(given[name], kind.fields[name]) for name in kind.keys)


def _arguments(call: schema.Call, query: Mapping[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, text in query.items():
        if name.startswith(("$", "sap-")):
            continue
        if name not in call.parameters:
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Unknown parameter '{name}' of '{call.name}'")
        out[name] = filters.literal(text, call.parameters[name][0])
    for name, (_, optional) in call.parameters.items():
        if not optional and name not in out:
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Parameter '{name}' is missing")
    return out


def query_of(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))
