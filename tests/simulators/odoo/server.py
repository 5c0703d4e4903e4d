"""HTTP in front of the service: JSON-2, JSON-RPC, XML-RPC; a fault may close a connection anywhere."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xmlrpc import client as xml

import defusedxml.xmlrpc

from tests.simulators.odoo.books import ME
from tests.simulators.odoo.errors import OdooError, not_found, user_error
from tests.simulators.odoo.faults import Faults
from tests.simulators.odoo.service import LANG, PLACES, READS, Service
from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock

defusedxml.xmlrpc.monkey_patch()
TICKETS = "maintenance.request"
PAUSE = "7"  # seconds that a crowded server asks for


@dataclass
class Account:
    database: str = "plant"
    login: str = "andon"
    key: str = "odoo-key-of-forty-signs-that-nobody-reads"


class OdooSimulator:
    """`with OdooSimulator() as erp:` serves until the end of the block; `erp.url` is the host."""

    def __init__(
        self,
        port: int = 0,
        account: Account | None = None,
        now: Callable[[], datetime] = wall_clock,
        release: int = 19,
    ) -> None:
        self.account = account or Account()
        self.service = Service(release, now)
        self.faults = Faults()
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def __enter__(self) -> OdooSimulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], erp: OdooSimulator) -> None:
        self.erp = erp
        super().__init__(address, _Handler)


class _Dropped(Exception):
    """The connection is closed without a byte."""


class _Plain(Exception):
    """An answer that does not come from Odoo's own code."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        self.status = status
        self.text = text
        self.headers = headers
        super().__init__(text)


class _Handler(SilentHandler):
    server_version = "Werkzeug/3.0"
    server: _Server

    def do_GET(self) -> None:
        self._take()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.erp.faults.down:
            return self._drop()
        if self.server.erp.faults.lasts("page"):
            return self._send(200, "<!DOCTYPE html><html><h1>Maintenance</h1></html>", "text/html")
        path = self.path.partition("?")[0]
        try:
            if path.startswith("/json/2/") and self.server.erp.service.release >= 19:
                return self._json2(path, body)
            if path.startswith("/doc-bearer/") and self.server.erp.service.release >= 19:
                return self._documented(path)
            if path == "/jsonrpc" and self.command == "POST":
                return self._jsonrpc(body)
            if path.startswith("/xmlrpc/") and self.command == "POST":
                return self._xmlrpc(path.rpartition("/")[2], body)
            if path == "/web/version" and self.command == "GET" and self.server.erp.service.release >= 19:
                return self._send(200, json.dumps(self._version()))
            if path.startswith("/web/") and self.command == "POST":
                return self._web(path, body)
        except _Dropped:
            return self._drop()
        except _Plain as plain:
            return self._send(plain.status, plain.text, "text/html", *plain.headers)
        return self._send(404, "<h1>Not Found</h1>", "text/html")

    # ------------------------------------------------------------------ JSON-2
    def _json2(self, path: str, body: bytes) -> None:
        try:
            answer = self._json2_answer(path, body)
        except OdooError as error:
            more = [("WWW-Authenticate", "Bearer")] if error.status == 401 else []
            return self._send(error.status, json.dumps(error.as_json(self._lang)), "application/json", *more)
        return self._send(200, json.dumps(answer))

    _lang = LANG

    def _json2_answer(self, path: str, body: bytes) -> Any:
        model, _, method = path.removeprefix("/json/2/").partition("/")
        account, database = self.server.erp.account, self.headers.get("X-Odoo-Database")
        if database and database != account.database:
            raise _Plain(404, "<h1>Not Found</h1>")
        if self.command != "POST":
            raise not_found("The requested URL was not found on the server.")
        kind = (self.headers.get("Content-Type") or "").partition(";")[0]
        if kind != "application/json":
            raise _Plain(415, "<h1>Unsupported Media Type</h1>")
        scheme, _, key = (self.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or key != account.key:
            raise OdooError("werkzeug.exceptions.Unauthorized", "Invalid apikey")
        try:
            named = json.loads(body or b"{}")
        except ValueError:
            raise OdooError("werkzeug.exceptions.BadRequest", "The body is not JSON") from None
        if not isinstance(named, dict):
            raise OdooError("werkzeug.exceptions.BadRequest", "The body is not an object")
        self._lang = (named.get("context") or {}).get("lang") or LANG
        return self._called(model, method, named)

    def _called(self, model: str, method: str, named: dict[str, Any]) -> Any:
        """The call, and what was planned to go wrong with it."""
        erp = self.server.erp
        fault = "" if method in READS or method.startswith("_") else erp.faults.take(model, method)
        match fault:
            case "drop_before":
                raise _Dropped
            case "unavailable":
                raise _Plain(503, "<h1>Service Unavailable</h1>")
            case "rate_limited":
                raise _Plain(429, "<h1>Too Many Requests</h1>", ("Retry-After", PAUSE))
            case "locked":
                raise OdooError("odoo.exceptions.LockError", "Cannot grab a lock on records", "记录已被锁定")
            case "clash":
                erp.service.clashes += method == "load"
        if erp.faults.lasts("renamed") and model == TICKETS:
            raise self._no_model(model)
        answer = erp.service.call(model, method, self._beside(method, named))
        match fault:
            case "drop_after_commit":
                raise _Dropped
            case "error_after_commit":
                raise OdooError("psycopg2.InterfaceError", "connection already closed")
            case "garbage_after_commit":
                raise _Plain(200, "<html>gateway time-out</html>")
        return answer

    def _no_model(self, model: str) -> OdooError:
        """JSON-2 has no such address; `execute_kw` has no such object."""
        if self.path == "/jsonrpc":
            return user_error(f"Object {model} doesn't exist", f"对象 {model} 不存在")
        return not_found(f"the model {model!r} does not exist")

    def _beside(self, method: str, named: dict[str, Any]) -> dict[str, Any]:
        """What somebody before Odoo makes of a question: the first page again, or anything."""
        faults, domain = self.server.erp.faults, list(named.get("domain") or [])
        if method != "search_read":
            return named
        if faults.lasts("any_document"):
            return named | {"domain": []}
        if faults.lasts("same_page") and domain and domain[-1][0] == "id" and domain[-1][1] in "<>":
            return named | {"domain": domain[:-1]}
        return named

    def _documented(self, path: str) -> None:
        """What a program may ask about models and methods; with a key."""
        if self.headers.get("Authorization", "").partition(" ")[2] != self.server.erp.account.key:
            return self._send(401, "{}")
        name = path.rpartition("/")[2].removesuffix(".json")
        schema = self.server.erp.service.books.schema
        if name == "index":
            models = [
                {"model": m, "name": m, "fields": sorted(f), "methods": sorted(PLACES)}
                for m, f in schema.items()
            ]
            return self._send(200, json.dumps({"models": models}))
        if name not in schema:
            return self._send(404, "<h1>Not Found</h1>", "text/html")
        methods = {
            method: {
                "parameters": {p: {} for p in places if p != "ids"},
                "api": [] if "ids" in places else ["model"],
            }
            for method, places in PLACES.items()
        }
        fields = {n: f.described() for n, f in schema[name].items()}
        return self._send(200, json.dumps({"model": name, "fields": fields, "methods": methods}))

    # ------------------------------------------------------------------ JSON-RPC
    def _jsonrpc(self, body: bytes) -> None:
        call: dict[str, Any] = {}
        try:
            call = json.loads(body)
            params = call.get("params") or {}
            answer = self._dispatched(params["service"], params["method"], list(params.get("args") or []))
        except OdooError as error:
            return self._rpc_error(call.get("id"), error)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _Plain(400, "<h1>Bad Request</h1>") from None
        out = {"jsonrpc": "2.0", "id": call.get("id")}
        return self._send(200, json.dumps(out if answer is None else out | {"result": answer}))

    def _rpc_error(self, number: Any, error: OdooError) -> None:
        data = error.as_json(self._lang)
        text = {"code": 0, "message": "Odoo Server Error", "data": data}
        self._send(200, json.dumps({"jsonrpc": "2.0", "id": number, "error": text}))

    def _dispatched(self, service: str, method: str, args: list[Any]) -> Any:
        if service == "common":
            return self._common(method, args)
        if service == "db" and method == "list":
            return [self.server.erp.account.database]
        if service != "object" or method not in ("execute_kw", "execute"):
            raise not_found(f"no service {service}.{method}")
        database, uid, key, model, name, *rest = args
        self._known_database(database)
        if uid != ME or key != self.server.erp.account.key:
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied", "拒绝访问")
        placed, named = (
            (rest, {}) if method == "execute" else ((rest or [[]])[0], rest[1] if len(rest) > 1 else {})
        )
        self._lang = (named.get("context") or {}).get("lang") or LANG
        return self._called(model, name, self.server.erp.service.placed(name, list(placed), dict(named)))

    def _known_database(self, database: str) -> None:
        if database != self.server.erp.account.database:
            said = f'connection to server failed: FATAL:  database "{database}" does not exist'
            raise OdooError("psycopg2.OperationalError", said)

    def _common(self, method: str, args: list[Any]) -> Any:
        account = self.server.erp.account
        if method == "version":
            found = self._version()
            return {"server_version": found["version"], "server_version_info": found["version_info"],
                    "server_serie": found["version"], "protocol_version": 1}  # fmt: skip
        if method in ("authenticate", "login"):
            database, login, key = args[:3]
            self._known_database(database)
            return ME if (login, key) == (account.login, account.key) else False
        raise not_found(f"no service common.{method}")

    def _version(self) -> dict[str, Any]:
        release = self.server.erp.service.release
        return {"version_info": [release, 0, 0, "final", 0, ""], "version": f"{release}.0"}

    def _web(self, path: str, body: bytes) -> None:
        """What the web client's own doors are to programs that log in as it does."""
        call = json.loads(body)
        params = call.get("params") or {}
        try:
            if path == "/web/webclient/version_info":
                version = self._version()
                answer: Any = {
                    "server_version": version["version"],
                    "server_version_info": version["version_info"],
                }
            elif path == "/web/session/authenticate":
                uid = self._common("authenticate", [params["db"], params["login"], params["password"]])
                if not uid:
                    raise OdooError("odoo.exceptions.AccessDenied", "Access Denied", "拒绝访问")
                answer = {"uid": uid, "user_context": {"lang": LANG}, "session_id": "s", "db": params["db"]}
            else:
                raise _Plain(404, "<h1>Not Found</h1>")
        except OdooError as error:
            return self._rpc_error(call.get("id"), error)
        return self._send(200, json.dumps({"jsonrpc": "2.0", "id": call.get("id"), "result": answer}))

    # ------------------------------------------------------------------ XML-RPC
    def _xmlrpc(self, service: str, body: bytes) -> None:
        args, method = xml.loads(body)
        try:
            answer = self._dispatched(service, str(method), list(args))
            text = xml.dumps((answer,), methodresponse=True, allow_none=True)
        except OdooError as error:
            text = xml.dumps(_fault(error), allow_none=True)
        self._send(200, text, "text/xml")

    # ------------------------------------------------------------------ the wire
    def _send(
        self, status: int, text: str, kind: str = "application/json", *headers: tuple[str, str]
    ) -> None:
        body = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)


def _fault(error: OdooError) -> xml.Fault:
    if error.name == "odoo.exceptions.AccessDenied":
        return xml.Fault(3, error.message)
    known = error.name.startswith(("odoo.exceptions.", "werkzeug."))
    return xml.Fault(2 if known else 1, error.message)
