"""HTTP in front of the system, on threads and plain sockets: a fault may close a connection anywhere."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock
from tests.simulators.yonyou.answers import U9Error, envelope, success
from tests.simulators.yonyou.faults import Fault
from tests.simulators.yonyou.sessions import Account
from tests.simulators.yonyou.system import System, is_write

ROOT = "/U9C/webapi/"
CAP = 200
PAUSE = "7"  # seconds that a busy proxy asks for


class YonyouSimulator:
    """`with YonyouSimulator() as erp:` serves until the end of the block; `erp.url` is host and site."""

    def __init__(
        self,
        port: int = 0,
        account: Account | None = None,
        now: Callable[[], datetime] = wall_clock,
        cap: int = CAP,
    ) -> None:
        self.account = account or Account()
        self.system = System(now, self.account, cap)
        self.faults = self.system.faults
        self._http = _Server(("127.0.0.1", port), self.system)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{ROOT.removesuffix('/webapi/')}"

    @property
    def seen(self) -> list[str]:
        """Paths of the writes that came by."""
        return self._http.seen

    def __enter__(self) -> YonyouSimulator:
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
        self.seen: list[str] = []
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server_version = "Microsoft-IIS/10.0"
    server: _Server

    def do_GET(self) -> None:
        self._take()

    do_POST = do_PUT = do_DELETE = do_GET

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if split.path.startswith("/_control/"):
            return self._control(split.path, body)
        if self.server.system.faults.down:
            return self._drop()
        if page := self.server.system.faults.lasting("page"):
            return self._send("<!DOCTYPE html><html><body>系统维护中</body></html>", page.status, "text/html")
        if not split.path.startswith(ROOT):
            return self._send("<html>404 - File or directory not found.</html>", 404, "text/html")
        path = split.path.removeprefix(ROOT)
        if path.lower() == "oauth2/authlogin":
            return self._log_in(dict(parse_qsl(split.query)))
        return self._business(path, body)

    def _log_in(self, query: dict[str, str]) -> None:
        try:
            if self.command != "GET":
                raise U9Error(404, "路由错误")
            self._send(envelope(0, "", self.server.system.sessions.log_in(query)))
        except U9Error as error:
            self._send(envelope(error.code, error.words))

    def _business(self, path: str, body: bytes) -> None:
        system = self.server.system
        met = system.faults.take(path) if is_write(path) else []
        if is_write(path):
            self.server.seen.append(path)
        if any(f.kind in ("session_dead", "http_401") for f in met):
            system.sessions.clear()
        if self._fails_first(met, body):
            return
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            data = system.take(self.command, path, headers, body)
        except U9Error as error:
            self._send(envelope(error.code, error.words))
            return
        if not self._fails_after(met):
            self._send(success(data, system.style))

    def _fails_first(self, met: list[Fault], body: bytes) -> bool:
        for fault in met:
            match fault.kind:
                case "drop_before":
                    self._drop()
                case "unavailable":
                    self._send("Service Unavailable", 503, "text/html")
                case "rate_limited":
                    self._send("Too Many Requests", 429, "text/plain", PAUSE)
                case "internal":
                    self._send(envelope(500, "服务器内部错误"))
                case "http_401":
                    self._send("Unauthorized", 401, "text/html")
                case "locked":
                    system = self.server.system
                    self._send(success(system.locked(body), system.style))
                case _:
                    continue
            return True
        return False

    def _fails_after(self, met: list[Fault]) -> bool:
        for fault in met:
            match fault.kind:
                case "drop_after_commit":
                    self._drop()
                case "error_after_commit":
                    self._send(envelope(500, "服务器内部错误"))
                case "http_500_after_commit":
                    self._send("<html>Runtime Error</html>", 500, "text/html")
                case "garbage_after_commit":
                    self._send("<html>gateway time-out</html>", 200, "text/html")
                case "expired_after_commit":
                    self.server.system.sessions.clear()
                    self._send(envelope(402, "token已过期"))
                case "silent_after_commit":
                    self._send(envelope(0, "", []))
                case "delay":
                    self.server.system.faults.released.wait(fault.seconds)
                    continue
                case "rename":
                    self.server.system.renamed()
                    continue
                case _:
                    continue
            return True
        return False

    def _control(self, path: str, body: bytes) -> None:
        faults = self.server.system.faults
        if path != "/_control/faults" or self.command not in ("GET", "POST", "DELETE"):
            return self._send("{}", 404)
        if self.command == "DELETE":
            faults.clear()
        if self.command == "POST":
            try:
                how = json.loads(body)
                faults.add(how.pop("fault"), **how)
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                return self._send(
                    f'write {{"fault": kind, "times": n, "paths": [..]}}: {wrong}', 400, "text/plain"
                )
        return self._send(json.dumps(faults.as_json()))

    def _send(self, text: str, status: int = 200, kind: str = "application/json", pause: str = "") -> None:
        body = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if pause:
                self.send_header("Retry-After", pause)
            self.end_headers()
            self.wfile.write(body)
