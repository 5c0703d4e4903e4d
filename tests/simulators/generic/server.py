"""The home-made ERP over HTTP. `Dialect`: which of the usual ways it has to log in, to page, to say no."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from tests.simulators.generic import seed
from tests.simulators.generic.books import Books, No, Row
from tests.simulators.generic.faults import Faults
from tests.simulators.thread_server import SilentHandler, ThreadServer

USER, SECRET = "andon", "home-made-secret-nobody-reads"
LISTS = {"machines": "machines", "items": "items", "orders": "orders", "sales-orders": "sales",
         "stock": "stock", "progress": "operations", "repairs": "repair", "reports": "report",
         "postings": "posting"}  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    auth: Literal["login", "cookie", "oauth2", "basic", "bearer", "api-key", "none"] = "login"
    paging: Literal["page", "offset", "next", "link", "cursor", "none"] = "page"
    envelope: bool = True  # HTTP 200 with a code, also for refusals
    page_rows: int = 3  # never more at once, whatever is asked for
    unique: bool = True  # an external number is taken once only


class HomeMadeErp:
    """Serves inside `with`; tokens and books are its own."""

    def __init__(self, now: Callable[[], datetime], dialect: Dialect | None = None, port: int = 0) -> None:
        self.dialect = dialect or Dialect()
        self.faults = Faults()
        self.books = Books(now, lambda: self.faults.lasts("lag"), self.dialect.unique)
        self.tokens: set[str] = set()
        self.logins = 0
        self.seen: list[dict[str, Any]] = []  # requests: method, path, headers
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/api"

    def __enter__(self) -> HomeMadeErp:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], erp: HomeMadeErp) -> None:
        self.erp = erp
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server: _Server

    def do_GET(self) -> None:
        self._take()

    do_POST = do_PATCH = do_GET

    def _take(self) -> None:
        erp = self.server.erp
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if erp.faults.lasts("down"):
            return self._drop()
        if erp.faults.lasts("page"):
            return self._raw(200, "<!DOCTYPE html><h1>系统维护中</h1>".encode(), {}, "text/html")
        steps = [unquote(s) for s in split.path.removeprefix("/api/").split("/")]
        erp.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers)})
        try:
            if steps[0] in ("login", "oauth"):
                return self._enter(steps[0], body)
            query = dict(parse_qsl(split.query))
            # what it is a write of: "repair", "report", "posting"
            form = {"repairs": "repair", "reports": "report", "postings": "posting"}.get(steps[0], steps[0])
            met = erp.faults.take(form) if self.command != "GET" else []
            if "session_dead" in met:
                erp.tokens.clear()
            self._known()
            if self._fails_first(met):
                return None
            with erp.books.lock:
                data, more = self._answer(steps, query, json.loads(body or "{}"))
            if self._fails_after(met):
                return None
            return self._yes(data, more)
        except No as no:
            return self._no(no)

    # ------------------------------------------------------------------ who it is
    def _enter(self, way: str, body: bytes) -> None:
        erp = self.server.erp
        if way == "oauth":
            form = {n: v[0] for n, v in parse_qs(body.decode()).items()}
            pair = base64.b64decode((self.headers.get("Authorization") or " ").split(" ")[1] or b"").decode()
            if form.get("grant_type") != "client_credentials" or pair != f"{USER}:{SECRET}":
                return self._send(401, {"error": "invalid_client"})
        else:
            said = json.loads(body)
            if (said.get("user"), said.get("password")) != (USER, SECRET):
                return self._no(No(401, 4011, "用户或密码错误 wrong user or password"))
        erp.logins += 1
        token = f"token-{erp.logins}-secret-session"
        erp.tokens.add(token)
        if way == "oauth":
            return self._send(200, {"access_token": token, "token_type": "bearer", "expires_in": 3600})
        if erp.dialect.auth == "cookie":
            return self._send(200, {"code": 0, "data": {}}, {"Set-Cookie": f"sid={token}; HttpOnly; Path=/"})
        return self._send(200, {"code": 0, "data": {"token": token}})

    def _known(self) -> None:
        erp = self.server.erp
        said = self.headers.get("Authorization") or ""
        match erp.dialect.auth:
            case "login" | "oauth2":
                well = said.removeprefix("Bearer ") in erp.tokens
            case "cookie":
                well = (self.headers.get("Cookie") or "").removeprefix("sid=") in erp.tokens
            case "basic":
                well = said == "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
            case "bearer":
                well = said == f"Bearer {SECRET}"
            case "api-key":
                well = self.headers.get("X-Api-Key") == SECRET
            case _:
                well = True
        if not well:
            raise No(401, 4010, "登录已过期 the session is over")

    # ------------------------------------------------------------------ what goes wrong
    def _fails_first(self, met: list[str]) -> bool:
        for kind in met:
            if kind == "drop_before":
                self._drop()
                return True
            if kind == "unavailable":
                self._send(503, {"message": "down for maintenance"}, {"Retry-After": "7"})
                return True
            if kind == "rate_limited":
                raise No(429, 4290, "请求过于频繁 too many requests")
            if kind == "locked":
                raise No(423, 4230, "单据正在编辑 is being edited by WANG")
        return False

    def _fails_after(self, met: list[str]) -> bool:
        for kind in met:
            if kind == "drop_after_commit":
                self._drop()
            elif kind == "error_after_commit":
                self._send(500, {"message": "NullPointerException"})
            elif kind == "garbage_after_commit":
                self._raw(200, b"<html>gateway time-out</html>", {})
            else:
                continue
            return True
        return False

    # ------------------------------------------------------------------ its business
    def _answer(self, steps: list[str], query: dict[str, str], body: Row) -> tuple[Any, dict[str, Any]]:
        books = self.server.erp.books
        if self.server.erp.faults.lasts("renamed") and (steps[0] == "repairs" or steps[-1] == "repair"):
            raise No(404, 4040, f"no such address: {self.path}")
        match self.command, steps:
            case "GET", ["schema", form] if form in seed.COLUMNS:
                return [{"field": n} for n in seed.COLUMNS[form]], {}
            case "GET", ["repairs", number]:
                if not (found := books.shown("repair", id=number)):
                    raise No(404, 4040, f"repair {number} does not exist")
                return found[0], {}
            case "GET", [name] if name in LISTS:
                return self._page(self._list(name, query), query)
            case "POST", ["repairs" | "reports" | "postings" as name]:
                return books.create(LISTS[name], body), {}
            case "POST", ["postings", number, "confirm"]:
                return books.confirm(number), {}
            case "PATCH", ["repairs", number]:
                return books.change("repair", number, body), {}
            case "PATCH", ["orders", number]:
                return books.change_order(number, body), {}
        raise No(404, 4040, f"no such address: {self.path}")

    def _list(self, name: str, query: dict[str, str]) -> list[Row]:
        books = self.server.erp.books
        rows = books.shown(LISTS[name])
        for field in ("ext_no", "kind", "status", "order_no", "item_no"):
            if field in query and not (field == "ext_no" and self.server.erp.faults.lasts("any_document")):
                wanted = query[field].split(",")
                rows = [r for r in rows if str(r.get(field)) in wanted]
        if "changed_after" in query:
            rows = [r for r in rows if r.get("changed", "9") >= query["changed_after"]]
        if name == "orders":
            rows = [r | {"operations": books.where("operations", order_no=r["no"])} for r in rows]
        return rows

    def _page(self, rows: list[Row], query: dict[str, str]) -> tuple[list[Row], dict[str, Any]]:
        dialect = self.server.erp.dialect
        size = min(int(query.get("size", dialect.page_rows)), dialect.page_rows)
        if dialect.paging == "none":
            return rows, {}
        if dialect.paging == "page":
            start = (int(query.get("page", 1)) - 1) * size
        else:
            start = int(query.get("offset", query.get("cursor", 0)))
        start = 0 if self.server.erp.faults.lasts("same_page") else start
        page, rest = rows[start : start + size], rows[start + size :]
        more: dict[str, Any] = {"total": len(rows)}
        if dialect.paging == "cursor":
            more["next_cursor"] = str(start + size) if rest else None
        if dialect.paging in ("next", "link") and rest:
            path = urlsplit(self.path).path
            more["next"] = f"{path}?{urlencode(query | {'offset': start + size})}"
        return page, more

    # ------------------------------------------------------------------ how it says it
    def _yes(self, data: Any, more: dict[str, Any]) -> None:
        dialect = self.server.erp.dialect
        headers = {}
        if dialect.paging == "link" and "next" in more:
            headers["Link"] = f'<{more.pop("next")}>; rel="next"'
        if dialect.envelope:
            return self._send(200, {"code": 0, "msg": "ok", "data": data, **more}, headers)
        body = {"rows": data, **more} if isinstance(data, list) and dialect.paging != "link" else data
        return self._send(201 if self.command == "POST" else 200, body, headers)

    def _no(self, no: No) -> None:
        if self.server.erp.dialect.envelope:
            return self._send(200, {"code": no.code, "msg": no.words, "data": None})
        pause = {"Retry-After": "9"} if no.status == 429 else {}
        return self._send(no.status, {"error": {"message": no.words}}, pause)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(body, ensure_ascii=False).encode(), headers or {})

    def _raw(
        self, status: int, body: bytes, headers: dict[str, str], kind: str = "application/json;charset=utf-8"
    ) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
