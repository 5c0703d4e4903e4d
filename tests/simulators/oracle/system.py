"""One pod behind its URLs: a request in, an answer or an OracleError out. Knows nothing of sockets."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tests.simulators.oracle import reading, schema
from tests.simulators.oracle.answers import OracleError
from tests.simulators.oracle.books import Books, Row
from tests.simulators.oracle.faults import Faults
from tests.simulators.oracle.reading import View, etag, key_of
from tests.simulators.oracle.schema import Resource
from tests.simulators.oracle.seed import ORGANIZATION, seed
from tests.simulators.oracle.transactions import Transactions
from tests.simulators.oracle.writing import checked, with_status

ROOT = "/fscmRestApi/resources/"
VERSIONS = ("11.13.18.05", "latest")
ITEM = "application/vnd.oracle.adf.resourceitem+json"
COLLECTION = "application/vnd.oracle.adf.resourcecollection+json"
_ACCEPTED = (ITEM, "application/json")


@dataclass(frozen=True, slots=True)
class Account:
    user: str = "ANDON_INTEGRATION"
    password: str = "password-that-nobody-may-read"
    client_id: str = "andon-hub"
    client_secret: str = field(default="client-secret-that-nobody-may-read", repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def framework(self) -> int:
        value = self.headers.get("REST-Framework-Version") or "1"
        if not value.isdigit() or not 1 <= int(value) <= 9:
            raise OracleError(400, f"REST-Framework-Version {value} is not supported.", plain=True)
        return int(value)


@dataclass(slots=True)
class Answer:
    status: int
    body: Any = None
    kind: str = ITEM
    headers: list[tuple[str, str]] = field(default_factory=list)


class System:
    def __init__(self, now: Callable[[], datetime], account: Account) -> None:
        self.account = account
        self.faults = Faults()
        self.books = Books(now)
        self.resources = schema.resources()
        self.transactions = Transactions(self.books)
        self.complete_needs_operations = False
        self.inline_children = True  # a create takes children with it
        self.child_limit = reading.DEFAULT_LIMIT
        self.seen: list[Request] = []
        self._bearers: set[str] = set()
        seed(self.books)
        self.books.age(timedelta(days=1))

    # ------------------------------------------------------------------ who calls
    def granted(self, authorization: str) -> str | None:
        if not _is(authorization, self.account.client_id, self.account.client_secret):
            return None
        token = secrets.token_urlsafe(24)
        self._bearers.add(token)
        return token

    def revoke(self) -> None:
        self._bearers.clear()

    def _check_user(self, headers: Mapping[str, str]) -> None:
        given = headers.get("Authorization") or ""
        if given.startswith("Bearer "):  # bearer wins
            good = given.removeprefix("Bearer ") in self._bearers
        else:
            good = _is(given, self.account.user, self.account.password)
        if not good:
            challenge = (("WWW-Authenticate", 'Basic realm="Oracle Applications"'),)
            raise OracleError(401, "<html><body>Unauthorized</body></html>", page=True, headers=challenge)

    # ------------------------------------------------------------------ routing
    def answer(self, request: Request, origin: str, *, fail_first: bool = False) -> Answer:
        """Raises OracleError for whatever Oracle would refuse."""
        self.seen.append(request)
        self._check_user(request.headers)
        version, _, rest = request.path.removeprefix(ROOT).partition("/")
        if not request.path.startswith(ROOT) or version not in VERSIONS:
            raise OracleError(404, "Not Found", plain=True)
        view = View(request.query, request.framework, self.child_limit)
        with self.books.lock:
            self.books.lag = timedelta(seconds=self.faults.lag)
            return self._routed(request, view, [unquote(p) for p in rest.split("/")], origin, fail_first)

    def _routed(self, request: Request, view: View, path: list[str], origin: str, fail_first: bool) -> Answer:
        gone = path[0] == "maintenanceWorkOrders" and self.faults.lasts("renamed")
        resource = None if gone else self.resources.get(path[0])
        if resource is None:
            raise OracleError(404, f"The resource {path[0]} does not exist.")
        url = origin + request.path
        if request.method == "GET" and path[1:] == ["describe"]:
            return Answer(200, {"Resources": {resource.name: reading.described(resource)}}, COLLECTION)
        if resource.transaction:
            return self._transact(request, resource, path, fail_first)
        if request.method == "GET":
            return self._read(resource, path[1:], url, view)
        if not resource.writable or request.method not in ("POST", "PATCH"):
            raise OracleError(405, f"{request.method} is not supported.")
        body = _body(request)
        if len(path) == 1 and request.method == "POST":
            return self._create(resource, body, url, view)
        if len(path) == 2 and request.method == "PATCH":
            return self._patch(resource, path[1], body, url, view, request.headers.get("If-Match"))
        if len(path) in (4, 5) and path[2] == "child":
            return self._write_child(resource, path, body, url, view, request)
        raise OracleError(405, f"{request.method} is not supported.")

    def _transact(self, request: Request, resource: Resource, path: list[str], fail_first: bool) -> Answer:
        if request.method != "POST" or len(path) > 1:
            raise OracleError(405, "GET action not supported")
        body = checked(resource, _body(request), new=True)
        made = self.transactions.take(resource.name, body, fail_first=fail_first)
        return Answer(201, json.loads(json.dumps(made, default=reading.plain)))

    # ------------------------------------------------------------------ reading
    def _read(self, resource: Resource, path: list[str], url: str, view: View) -> Answer:
        rows = self.books.rows(resource.name, reading=True)
        if not path:
            return Answer(200, reading.collection(resource, rows, url, view), COLLECTION)
        here, row, at = resource, self._found(resource, rows, path[0], reading_other=True), 1
        while at < len(path):
            child = here.children.get(path[at + 1]) if path[at] == "child" and at + 1 < len(path) else None
            if child is None:
                raise OracleError(404, "Not Found")
            below = row.get(child.name) or []
            if at + 2 == len(path):
                return Answer(200, reading.collection(child, below, url, view), COLLECTION)
            here, row, at = child, self._found(child, below, path[at + 2]), at + 3
        shown = reading.item(here, row, url, view)
        return Answer(200, shown, headers=[("ETag", etag(here, row))])

    def _found(self, resource: Resource, rows: Any, key: str, *, reading_other: bool = False) -> Row:
        for row in rows:
            if key_of(resource, row) == key or (reading_other and self.faults.lasts("any_document")):
                return dict(row)
        raise OracleError(404, "Not Found")

    # ------------------------------------------------------------------ writing
    def _create(self, resource: Resource, body: Row, url: str, view: View) -> Answer:
        inside = [name for name in resource.children if name in body]
        if inside and not self.inline_children:
            raise OracleError(400, f"Attribute {inside[0]} is not defined in {resource.name}.", inside[0])
        row = checked(resource, body, new=True)
        if resource.name == "workOrders":
            raise OracleError(405, "POST is not supported.")
        mine = resource.name != "maintenanceWorkOrders"  # a resource that a plant has made for itself
        made = {resource.key: self.books.next(), **row} if mine else self._maintenance(row)
        self.books.put(resource.name, made[resource.key], made)
        shown = reading.item(resource, made, f"{url}/{made[resource.key]}", view)
        return Answer(201, shown, headers=[("ETag", etag(resource, made))])

    def _maintenance(self, row: Row) -> Row:
        if row.get("OrganizationCode") != ORGANIZATION:
            raise OracleError(400, "The organization is not valid.", "OrganizationCode")
        number = row.get("WorkOrderNumber") or f"WO{self.books.next()}"
        if self.books.where("maintenanceWorkOrders", OrganizationCode=ORGANIZATION, WorkOrderNumber=number):
            raise OracleError(400, "The work order number already exists.", "WorkOrderNumber")
        asset = row.get("AssetNumber")
        required = ("InventoryItemId", "PlannedStartQuantity", "UOMCode")  # an asset brings them along
        missing = [name for name in required if asset is None and row.get(name) is None]
        if missing:
            raise OracleError(400, f"Attribute {missing[0]} is required.", missing[0])
        if asset is not None and not self.books.where("maintenanceAssets", AssetNumber=asset):
            raise OracleError(400, f"The asset number {asset} does not exist.", "AssetNumber")
        key = self.books.next()
        row = with_status({}, {"WorkOrderStatusCode": "ORA_UNRELEASED"} | row)
        for child in row.get("WorkOrderDFF") or []:
            child["WorkOrderId"] = key
        steps = [
            {"WorkOrderOperationId": self.books.next(), "OperationSequenceNumber": 10,
             "OperationName": "维修", "UOMCode": "Ea", "ReadyQuantity": 1, "CompletedQuantity": 0,
             "ScrappedQuantity": 0}
        ]  # fmt: skip
        below = {"WorkOrderDFF": [], "WorkOrderOperation": steps if self.complete_needs_operations else []}
        return below | row | {
            "WorkOrderId": key, "WorkOrderNumber": number, "LastUpdateDate": self.books.now(),
        }  # fmt: skip

    def _patch(
        self, resource: Resource, key: str, body: Row, url: str, view: View, match: str | None
    ) -> Answer:
        row = self._found(resource, self.books.rows(resource.name), key)
        if match and match.strip('"') != etag(resource, row):
            raise OracleError(412, "The resource has been changed since it was read.")
        change = with_status(row, checked(resource, body, new=False))
        if change.get("WorkOrderSystemStatusCode") == "ORA_COMPLETED":
            if self.complete_needs_operations and any(s["ReadyQuantity"] for s in row["WorkOrderOperation"]):
                raise OracleError(400, "The operations of the work order aren't complete.")
            change["ActualCompletionDate"] = self.books.now()
        after = row | change | {"LastUpdateDate": self.books.now(), "#": row.get("#", 0) + 1}
        self.books.put(resource.name, after[resource.key], after)
        shown = reading.item(resource, after, url, view)
        return Answer(200, shown, headers=[("ETag", etag(resource, after))])

    def _write_child(
        self, resource: Resource, path: list[str], body: Row, url: str, view: View, request: Request
    ) -> Answer:
        child = resource.children.get(path[3])
        if child is None or not child.writable:
            raise OracleError(405, f"{request.method} is not supported.")
        row = self._found(resource, self.books.rows(resource.name), path[1])
        rows = row.setdefault(child.name, [])
        if request.method == "POST" and not rows:
            if not body.get("__FLEX_Context"):
                raise OracleError(400, "Attribute __FLEX_Context is required.", "__FLEX_Context")
            rows.append(checked(child, body, new=True) | {"WorkOrderId": row["WorkOrderId"]})
        elif request.method == "PATCH" and rows and len(path) == 5 and path[4] == key_of(child, rows[0]):
            match = request.headers.get("If-Match")
            if match and match != etag(child, rows[0]):
                raise OracleError(412, "The resource has been changed since it was read.")
            rows[0] |= checked(child, body, new=False) | {"#": rows[0].get("#", 0) + 1}
        else:
            raise OracleError(
                404 if request.method == "PATCH" else 400, "The flexfield row is there already."
            )
        row["LastUpdateDate"] = self.books.now()
        self.books.put(resource.name, row["WorkOrderId"], row)
        status = 201 if request.method == "POST" else 200
        return Answer(status, reading.item(child, rows[0], url, view))


def _body(request: Request) -> Any:
    kind = (request.headers.get("Content-Type") or "").partition(";")[0]
    if kind not in _ACCEPTED:
        raise OracleError(415, f"The media type {kind} is not supported.")
    try:
        return json.loads(request.body)
    except ValueError:
        raise OracleError(400, "The request body is not valid JSON.") from None


def _is(authorization: str, user: str, secret: str) -> bool:
    wanted = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
    return hmac.compare_digest(authorization.encode(), wanted.encode())
