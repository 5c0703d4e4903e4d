"""HTTP in front of the system, on threads and plain sockets: a fault may close a connection anywhere."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tests.simulators.sap.answers import SapError, as_json, as_xml
from tests.simulators.sap.orders import message
from tests.simulators.sap.sessions import Account
from tests.simulators.sap.system import PAGE, ROOT, Answer, Request, System, query_of
from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock

PAUSE = "7"  # seconds that a busy server asks for


class SapSimulator:
    """`with SapSimulator() as erp:` serves until the end of the block; `erp.url` is the host."""

    def __init__(
        self,
        port: int = 0,
        account: Account | None = None,
        now: Callable[[], datetime] = wall_clock,
        page_size: int = PAGE,
    ) -> None:
        self.account = account or Account()
        self.system = System(now, self.account, page_size)
        self.faults = self.system.faults
        self._http = _Server(("127.0.0.1", port), self.system)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> SapSimulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], system: System) -> None:
        self.system = system
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server_version = "SAP NetWeaver Application Server"
    server: _Server

    def do_GET(self) -> None:
        self._take()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_MERGE = do_GET

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if split.path.startswith("/_control/"):
            return self._control(split.path, body)
        if self.server.system.faults.down:
            return self._drop()
        if self.server.system.faults.lasts("page"):
            return self._send(Answer(200, "<!DOCTYPE html><html><h1>Maintenance</h1></html>", "text/html"))
        if split.path == "/oauth/token":
            return self._grant()
        headers: Any = self.headers
        query = query_of(split.query)
        if self.server.system.faults.lasts("same_page"):
            query = {n: v for n, v in query.items() if n not in ("$skip", "$skiptoken")}
        if self.server.system.faults.lasts("any_document"):
            query.pop("$filter", None)
        request = Request(self.command, split.path, query, headers, body)
        return self._business(request)

    def _business(self, request: Request) -> None:
        system = self.server.system
        name = request.path.rpartition("/")[2].partition("(")[0]
        met = system.faults.take(name) if request.method not in ("GET", "HEAD") else []
        service = request.path.removeprefix(ROOT).partition("/")[0]
        try:
            if "session_dead" in met:
                system.sessions.clear()
            if self._fails_first(met, name, service):
                return
            answer = system.answer(request, f"http://{self.headers.get('Host')}")
        except SapError as error:
            answer = _refused(error, request, service)
            self._send(answer)
            return
        if not self._fails_after(met, service):
            self._send(answer)

    def _fails_first(self, met: list[str], name: str, service: str) -> bool:
        busy = "Order 1000020 is currently being processed by user WANG"
        pause = (("Retry-After", PAUSE),)
        errors = {
            "unavailable": SapError(503, "", "Service Unavailable", plain=True, headers=pause),
            "rate_limited": SapError(429, "", "Too Many Requests", plain=True, headers=pause),
            "locked": SapError(400, "CO/469", busy),
            "locked_423": SapError(423, "CO/469", "Locked"),
            "business_500": SapError(500, "IM/003", "Notification type is not maintained"),
        }
        for kind in met:
            if kind == "drop_before":
                self._drop()
                return True
            if kind in errors:
                raise errors[kind]
            if kind == "function_error":
                said = message("E", "CO", "469", f"{name}: schedule could not be made")
                self._send(Answer(200, json.dumps({"d": {name: said}})))
                return True
        return False

    def _fails_after(self, met: list[str], service: str) -> bool:
        for kind in met:
            match kind:
                case "drop_after_commit":
                    self._drop()
                case "error_after_commit":
                    error = SapError(500, "/IWBEP/CX_MGW_TECH_EXCEPTION", "Internal Server Error")
                    self._send(Answer(500, as_json(error, service)))
                case "garbage_after_commit":
                    self._send(Answer(200, "<html>gateway time-out</html>", "text/html"))
                case _:
                    continue
            return True
        return False

    def _grant(self) -> None:
        token = self.server.system.sessions.granted(self.headers.get("Authorization") or "")
        if token is None:
            return self._send(Answer(401, '{"error": "invalid_client"}'))
        body = {"access_token": token, "token_type": "bearer", "expires_in": 3600}
        return self._send(Answer(200, json.dumps(body)))

    def _control(self, path: str, body: bytes) -> None:
        faults = self.server.system.faults
        if path != "/_control/faults" or self.command not in ("GET", "POST", "DELETE"):
            return self._send(Answer(404, "{}"))
        if self.command == "DELETE":
            faults.clear()
        if self.command == "POST":
            try:
                how = json.loads(body)
                faults.add(how.pop("fault"), **how)
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                text = f'write {{"fault": kind, "times": n, "sets": [..]}}: {wrong}'
                return self._send(Answer(400, text, "text/plain"))
        return self._send(Answer(200, json.dumps(faults.as_json())))

    def _send(self, answer: Answer) -> None:
        body = answer.text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(answer.status)
            if answer.kind:
                self.send_header("Content-Type", f"{answer.kind};charset=utf-8")
            if answer.status != 204:
                self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD" and answer.status != 204:
                self.wfile.write(body)


def _refused(error: SapError, request: Request, service: str) -> Answer:
    headers = list(error.headers)
    if error.plain:
        return Answer(error.status, error.message, "text/plain", headers)
    if request.wants_json:
        return Answer(error.status, as_json(error, service), headers=headers)
    return Answer(error.status, as_xml(error), "application/xml", headers)
