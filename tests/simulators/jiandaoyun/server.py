"""HTTP in front of the platform, on threads and plain sockets: a fault may close a connection anywhere."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tests.simulators.jiandaoyun.answers import FlowRefused, Refused
from tests.simulators.jiandaoyun.desk import Desk
from tests.simulators.jiandaoyun.faults import Fault
from tests.simulators.jiandaoyun.keys import Key
from tests.simulators.jiandaoyun.platform import Platform
from tests.simulators.jiandaoyun.seed import seed
from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock

API_KEY = "jiandaoyun-demo-key"
ROOT = "/api/"
PAUSE = "3"  # seconds that a limit asks for


class JiandaoyunSimulator:
    """`with JiandaoyunSimulator() as erp:` serves until the end of the block; `erp.url` ends in /api."""

    def __init__(
        self,
        port: int = 0,
        keys: Mapping[str, Key] | None = None,
        now: Callable[[], datetime] = wall_clock,
        *,
        flow: bool = False,
        limited: bool = False,
    ) -> None:
        self.platform = Platform(now, keys or {API_KEY: Key()}, limited=limited)
        seed(self.platform, flow=flow)
        self.desk = Desk(self.platform)
        self.faults = self.platform.faults
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/api"

    def __enter__(self) -> JiandaoyunSimulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], erp: JiandaoyunSimulator) -> None:
        self.erp = erp
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server_version = "nginx"
    server: _Server

    def do_GET(self) -> None:
        self._body()
        if urlsplit(self.path).path == "/_control/faults":
            return self._send(200, self.server.erp.faults.as_json())
        return self._send(404, {"code": 1, "msg": "POST only"})

    do_PUT = do_PATCH = do_HEAD = do_GET

    def do_DELETE(self) -> None:
        self._body()
        self.server.erp.faults.clear()
        self._send(200, [])

    def do_POST(self) -> None:
        body, path = self._body(), urlsplit(self.path).path
        if path.startswith("/_control/"):
            return self._control(path, body)
        if self.server.erp.faults.down:
            return self._drop()
        if page := self.server.erp.faults.lasting("page"):
            return self._send(page.status, "<!DOCTYPE html><html><body>系统维护中</body></html>")
        try:
            if path == "/_files/":
                with self.server.erp.platform.lock:
                    answer: Any = self.server.erp.platform.files.take(self.headers["Content-Type"], body)
                return self._send(200, answer)
            return self._api(path, body)
        except Refused as refusal:
            self._refuse(refusal)
        except FlowRefused as refusal:
            self._send(200, {"status": "failure", "code": refusal.code, "message": refusal.said})

    def _api(self, path: str, body: bytes) -> None:
        platform = self.server.erp.platform
        if not path.startswith(ROOT):
            raise Refused(1, 404)
        host = f"http://{self.headers.get('Host')}"
        with platform.lock:
            call = platform.call(
                path.removeprefix(ROOT),
                self.headers.get("Authorization") or "",
                self.client_address[0],
                host,
                body,
            )
            form = platform.form_written(call)
        fault = platform.faults.take(form) if form is not None else None
        if fault is not None and self._fails_first(fault):
            return
        answer = platform.answer(call)
        if fault is None or not self._fails_after(fault):
            self._send(200, answer)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _fails_first(self, fault: Fault) -> bool:
        match fault.kind:
            case "drop_before":
                self._drop()
                return True
            case "unavailable":
                self._send(502, "<html>502 Bad Gateway</html>")
                return True
            case "rate_limited":
                raise Refused(8304, 429)
            case "rate_limited_400":
                raise Refused(8303)
            case "locked":
                raise Refused(9007)
            case "refused":
                raise Refused(fault.code)
        return False

    def _fails_after(self, fault: Fault) -> bool:
        match fault.kind:
            case "drop_after_commit":
                self._drop()
            case "error_after_commit":
                self._send(502, "<html>502 Bad Gateway</html>")
            case "submit_failed_after_commit":
                raise Refused(4000)
            case "garbage_after_commit":
                self._send(200, "<html>gateway time-out</html>")
            case "empty_after_commit":
                self._send(200, "")
            case "delay":
                self.server.erp.faults.released.wait(60)
                return False
            case _:
                return False
        return True

    # ------------------------------------------------------------------ control
    def _control(self, path: str, body: bytes) -> None:
        """`faults`: plan one; `edit`: as if a person had done it in the browser."""
        erp = self.server.erp
        try:
            how = json.loads(body or b"{}")
            match path:
                case "/_control/faults":
                    erp.faults.add(how.pop("fault"), **how)
                case "/_control/edit":
                    erp.desk.edit(how["form"], how["id"], how["values"])
                case "/_control/create":
                    return self._send(200, {"id": erp.desk.create(how["form"], how["values"])})
                case "/_control/push":
                    form = erp.platform.books.form(how["form"])
                    erp.platform.pusher.targets[form.entry_id] = how["url"], how["secret"]
                case _:
                    return self._send(404, {})
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration, Refused) as wrong:
            return self._send(400, {"error": str(wrong)})
        return self._send(200, erp.faults.as_json())

    def _refuse(self, refusal: Refused) -> None:
        self._send(refusal.status, {"code": refusal.code, "msg": refusal.said})

    def _send(self, status: int, told: Any) -> None:
        html = isinstance(told, str)
        body = told.encode() if html else json.dumps(told, ensure_ascii=False).encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if html else "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", PAUSE)
            self.end_headers()
            self.wfile.write(body)
