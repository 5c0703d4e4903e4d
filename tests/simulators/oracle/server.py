"""HTTP in front of the system, on threads and plain sockets: a fault may close a connection anywhere."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.simulators.oracle.answers import PAGE, OracleError
from tests.simulators.oracle.faults import Fault
from tests.simulators.oracle.system import VERSIONS, Account, Answer, Request, System
from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock

PAUSE = "7"  # seconds that a busy server asks for
TOKEN = "/oauth2/v1/token"


class OracleSimulator:
    """`with OracleSimulator() as erp:` serves until the end of the block; `erp.url` is the host."""

    def __init__(
        self, port: int = 0, account: Account | None = None, now: Callable[[], datetime] = wall_clock
    ) -> None:
        self.account = account or Account()
        self.system = System(now, self.account)
        self.faults = self.system.faults
        self._http = _Server(("127.0.0.1", port), self.system)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> OracleSimulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self._http.over.set()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], system: System) -> None:
        self.system = system
        self.over = threading.Event()
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server_version = "Oracle-HTTP-Server"
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if split.path.startswith("/_control/"):
            self._control(split.path, body)
        elif self.server.system.faults.down:
            self._drop()
        elif self.server.system.faults.lasts("page"):
            self._send(Answer(200, PAGE, "text/html"))
        elif split.path == TOKEN:
            self._grant()
        elif split.path.rstrip("/") == "/fscmRestApi/resources":
            self._send(Answer(200, _catalogue()))
        else:
            query = dict(parse_qsl(split.query, keep_blank_values=True))
            if self.server.system.faults.lasts("same_page"):
                query.pop("offset", None)
            if self.server.system.faults.lasts("any_document"):
                query.pop("q", None)
            headers: Any = self.headers
            self._business(Request(self.command, split.path, query, headers, body))

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

    def _business(self, request: Request) -> None:
        system = self.server.system
        name = request.path.split("/")[4] if request.path.count("/") > 3 else ""
        met = system.faults.take(name) if request.method != "GET" else []
        kinds = {fault.kind for fault in met}
        try:
            if "session_dead" in kinds:
                system.revoke()
            if self._fails_first(kinds):
                return
            fail_first = "row_failure" in kinds
            answer = system.answer(request, f"http://{self.headers.get('Host')}", fail_first=fail_first)
        except OracleError as error:
            self._refuse(error, request)
            return
        if not self._fails_after(met):
            self._send(answer)

    def _fails_first(self, kinds: set[str]) -> bool:
        pause = (("Retry-After", PAUSE),)
        if "drop_before" in kinds:
            self._drop()
            return True
        if "login_page" in kinds:
            self._send(Answer(200, PAGE, "text/html"))
            return True
        errors = {
            "unavailable": OracleError(503, "Service Unavailable", plain=True, headers=pause),
            "rate_limited": OracleError(429, "Too Many Requests", plain=True, headers=pause),
            "plain_error": OracleError(500, "Internal Server Error", plain=True),
            "locked": OracleError(400, "The record is locked by another user. Try again later."),
        }
        for kind in errors.keys() & kinds:
            raise errors[kind]
        return False

    def _fails_after(self, met: list[Fault]) -> bool:
        for fault in met:
            match fault.kind:
                case "drop_after_commit":
                    self._drop()
                case "error_after_commit":
                    self._send(Answer(500, "Internal Server Error", "text/plain"))
                case "garbage_after_commit":
                    self._send(Answer(200, PAGE, "text/html"))
                case "delay_after_commit":
                    self.server.over.wait(fault.seconds)
                    continue
                case _:
                    continue
            return True
        return False

    def _refuse(self, error: OracleError, request: Request) -> None:
        try:
            framework = request.framework
        except OracleError:
            framework = 1
        text, kind = error.body(framework)
        self._send(Answer(error.status, text, kind, list(error.headers)))

    def _grant(self) -> None:
        token = self.server.system.granted(self.headers.get("Authorization") or "")
        if token is None:
            return self._send(Answer(401, {"error": "invalid_client"}, "application/json"))
        body = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return self._send(Answer(200, body, "application/json"))

    def _control(self, path: str, body: bytes) -> None:
        faults = self.server.system.faults
        if path != "/_control/faults" or self.command not in ("GET", "POST", "DELETE"):
            return self._send(Answer(404, {}))
        if self.command == "DELETE":
            faults.clear()
        if self.command == "POST":
            try:
                how = json.loads(body)
                faults.add(how.pop("fault"), **how)
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                text = f'write {{"fault": kind, "times": n, "resources": [..]}}: {wrong}'
                return self._send(Answer(400, text, "text/plain"))
        return self._send(Answer(200, {"faults": faults.as_json()}, "application/json"))

    def _send(self, answer: Answer) -> None:
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body, ensure_ascii=False)
        data = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(answer.status)
            self.send_header("Content-Type", f"{answer.kind};charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)


def _catalogue() -> dict[str, Any]:
    versions = [
        {"version": v, "isLatest": v == "latest", "defaultFrameworkVersion": "1",
         "allowedFrameworkVersions": [str(n) for n in range(1, 10)]}
        for v in VERSIONS
    ]  # fmt: skip
    return {"items": versions}
