"""HTTP in front of the services, on threads and plain sockets: a fault may close a connection anywhere."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.simulators.kingdee import desk
from tests.simulators.kingdee.answers import (
    BUSY,
    CONTEXT_LOST,
    QUOTA,
    HttpFailure,
    PlainFailure,
    Refusal,
    failure,
)
from tests.simulators.kingdee.bodies import read_body
from tests.simulators.kingdee.books import Books
from tests.simulators.kingdee.faults import Fault, Faults
from tests.simulators.kingdee.page import render
from tests.simulators.kingdee.seed import admit, seed
from tests.simulators.kingdee.service import FORM_SERVICE, Service, wrapped
from tests.simulators.kingdee.sessions import COOKIE, Account, Session
from tests.simulators.plant.orders import Order
from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock

SUFFIX = ".common.kdsvc"
BASE = "/k3cloud/"
PAGE = "<!DOCTYPE html><html><body>系统维护中，页面不存在</body></html>"


class KingdeeSimulator:
    """`with KingdeeSimulator() as erp:` serves until the end of the block; `erp.url` is the server URL."""

    def __init__(
        self,
        port: int = 0,
        state: Path | None = None,
        account: Account | None = None,
        now: Callable[[], datetime] = wall_clock,
        order_start: datetime | None = None,
        unique_keys: bool = True,  # False: the customer has forgotten the unique index on our keys
        begun: bool = True,  # False: what was made before the start is reported by the MES, too
    ) -> None:
        self._now = now
        self.faults = Faults()
        self.account = account or Account()
        self.books = Books(now, state)
        if self.books.is_empty:
            seed(self.books, order_start or now(), self.account.user, begun)
        self.service = Service(self.books, self.account, now, self.faults, unique_keys)
        self.calls: deque[tuple[str, str]] = deque(maxlen=10_000)  # (service, form) of every business call
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        return self.origin + BASE

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.faults.clear()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()
        self.books.close()

    def __enter__(self) -> KingdeeSimulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tickets(self) -> list[dict[str, Any]]:
        with self.service.lock:
            return desk.tickets(self.books)

    def reports(self) -> list[dict[str, Any]]:
        with self.service.lock:
            return desk.reports(self.books)

    def admit_orders(self, orders: list[Order]) -> int:
        """Orders as the MES tells of them; the number of those that were new or had moved."""
        with self.service.lock:
            taken = sum(admit(self.books, order, self._now()) for order in orders)
            self.books.commit()
        return taken

    def close_ticket_by_hand(self, ticket_id: int) -> None:
        """What a clerk does: state, submit, approve."""
        with self.service.lock:
            record = self.books.get("AH_EquipRepair", ticket_id)
            if record is None:
                return
            changed = record.copy()
            changed.values |= {
                "f_ah_state": "DONE",
                "f_ah_closetime": self.books.local_time(),
                "fdocumentstatus": "C",
            }
            self.books.put(changed)
            self.books.commit()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], owner: KingdeeSimulator) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server_version = "Kingdee"
    server: _Server

    # ------------------------------------------------------------------ POST
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        if path == "/_control/faults":
            return self._add_fault(body)
        if path.startswith("/tickets/"):
            return self._close_by_hand(path)
        if not path.startswith(BASE) or not path.endswith(SUFFIX):
            return self._text(404, "Not Found")
        return self._business(path.removeprefix(BASE).removesuffix(SUFFIX), path, body)

    def _business(self, name: str, path: str, body: bytes) -> None:
        owner = self.server.owner
        method = name.removeprefix(FORM_SERVICE)
        form = self._form_in(method, body)
        owner.calls.append((method, form))
        met = owner.faults.take(method, form)
        if self._fails_first(method, met):
            return None
        try:
            answer, session = owner.service.answer(name, path, self.headers, body)  # type: ignore[arg-type]
        except PlainFailure as failed:
            return self._text(200, f"response_error:{failed}")
        except HttpFailure as failed:
            return self._text(failed.status, str(failed))
        text = json.dumps(answer, ensure_ascii=False)
        if self._fails_after(met, text):
            return None
        return self._text(200, text, session)

    def _form_in(self, method: str, body: bytes) -> str:
        try:
            return read_body(self.headers.get("Content-Type", ""), body, method).form
        except Refusal:
            return ""

    def _fails_first(self, method: str, met: list[Fault]) -> bool:
        for fault in met:
            match fault.kind:
                case "down" | "drop_before":
                    self._drop()
                case "page":
                    self._text(fault.status, PAGE, kind="text/html")
                case "bad_gateway":
                    self._text(502, "Bad Gateway")
                case "busy":
                    self._refuse(method, Refusal(BUSY, "网控冲突：该单据正在被其他用户操作"))
                case "quota":
                    self._refuse(method, Refusal(QUOTA, "API 调用次数已达到限额"))
                case "context_lost":
                    self._refuse(method, Refusal(CONTEXT_LOST, "会话信息已丢失，请重新登录"))
                case "unauthorized":
                    self._text(401, "Unauthorized")
                case "response_error":
                    self._text(200, "response_error:未将对象引用设置到对象的实例。")
                case "session_death":
                    self.server.owner.service.sessions.kill_all()
                    continue
                case _:
                    continue
            return True
        return False

    def _fails_after(self, met: list[Fault], text: str) -> bool:
        for fault in met:
            match fault.kind:
                case "delay":
                    self.server.owner.faults.released.wait(fault.seconds)
                    continue
                case "hold":
                    self.server.owner.faults.released.wait(60)
                    continue
                case "drop_after_commit":
                    self._drop()
                case "cut_answer":
                    head = (
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                    )
                    self.wfile.write((head + text[: len(text) // 2]).encode())
                    self._drop()
                case "error_500_after_commit":
                    self._text(500, "Internal Server Error")
                case "response_error_after_commit":
                    self._text(200, "response_error:操作超时")
                case "garbage_after_commit":
                    self._text(200, "<html>gateway time-out</html>")
                case _:
                    continue
            return True
        return False

    def _refuse(self, method: str, refusal: Refusal) -> None:
        self._text(200, json.dumps(wrapped(method, failure(refusal)), ensure_ascii=False))

    # ------------------------------------------------------------------ control and the clerk's page
    def do_GET(self) -> None:
        split = urlsplit(self.path)
        owner = self.server.owner
        pages: dict[str, Callable[[], Any]] = {
            "/_control/tickets": owner.tickets,
            "/_control/reports": owner.reports,
            "/_control/faults": owner.faults.as_json,
            "/_control/calls": lambda: list(owner.calls),
        }
        if split.path in pages:
            return self._json(pages[split.path]())
        if split.path == "/":
            language = (parse_qs(split.query).get("lang") or ["zh"])[0]
            return self._text(200, render(owner.tickets(), owner.reports(), language), kind="text/html")
        return self._text(405 if split.path.endswith(SUFFIX) else 404, "Not Found")

    def do_DELETE(self) -> None:
        if self.path != "/_control/faults":
            return self._text(404, "Not Found")
        self.server.owner.faults.clear()
        return self._json([])

    def _add_fault(self, body: bytes) -> None:
        try:
            how = json.loads(body)
            self.server.owner.faults.add(how.pop("fault"), **how)
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            return self._text(400, f'write {{"fault": kind, "times": n, "services": [..]}}: {wrong}')
        return self._json(self.server.owner.faults.as_json())

    def _close_by_hand(self, path: str) -> None:
        parts = path.split("/")
        if len(parts) != 4 or parts[3] != "close" or not parts[2].isdigit():
            return self._text(404, "Not Found")
        self.server.owner.close_ticket_by_hand(int(parts[2]))
        self.send_response(303)
        self.send_header("Location", f"/?{urlsplit(self.path).query}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _json(self, value: Any) -> None:
        self._text(200, json.dumps(value, ensure_ascii=False))

    def _text(
        self, status: int, text: str, session: Session | None = None, kind: str = "application/json"
    ) -> None:
        body = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if session is not None and session.fresh:
                self.send_header("Set-Cookie", f"{COOKIE}={session.id}; path=/; HttpOnly")
                self.send_header("Set-Cookie", f"ASP.NET_SessionId={session.id[:24]}; path=/; HttpOnly")
            self.end_headers()
            self.wfile.write(body)
