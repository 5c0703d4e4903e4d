"""HTTP in front of the site, on threads and plain sockets: a fault may close a connection anywhere."""

from __future__ import annotations

import base64
import contextlib
import email.parser
import email.policy
import json
import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.simulators.erpnext import seed
from tests.simulators.erpnext.errors import PAGE, FrappeError, body_of
from tests.simulators.erpnext.faults import Faults
from tests.simulators.erpnext.meta import known
from tests.simulators.erpnext.methods import READING, called, read, touches
from tests.simulators.erpnext.query import PAGE as ROWS
from tests.simulators.erpnext.query import listed
from tests.simulators.erpnext.site import Site, User
from tests.simulators.thread_server import SilentHandler, ThreadServer, wall_clock

PAUSE = "7"  # seconds that a busy server asks for
TICKETS = "Asset Repair"
Asked = dict[str, Any]


class ErpNextSimulator:
    """`with ErpNextSimulator() as erp:` serves until the end of the block. `bare`: without the custom fields
    that a key user makes for us."""

    def __init__(
        self,
        port: int = 0,
        now: Callable[[], datetime] = wall_clock,
        host: str = "",
        bare: bool = False,
        lacks: frozenset[str] = frozenset(),
    ) -> None:
        self.site = Site(now, host=host, lacks=lacks)
        seed.fill(self.site)
        if not bare:
            seed.key_user(self.site)
        self.faults = Faults()
        self._http = _Server(("127.0.0.1", port), self.site, self.faults)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def requests(self) -> list[str]:
        """`METHOD path` of all there were."""
        return self._http.requests

    def __enter__(self) -> ErpNextSimulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadServer):
    def __init__(self, address: tuple[str, int], site: Site, faults: Faults) -> None:
        self.site, self.faults = site, faults
        self.sessions: dict[str, tuple[User, str]] = {}  # cookie -> (user, CSRF token)
        self.requests: list[str] = []
        super().__init__(address, _Handler)


class _Handler(SilentHandler):
    server_version = "Werkzeug"
    server: _Server

    def do_GET(self) -> None:
        self._take()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    # ------------------------------------------------------------------ one request
    def _take(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if split.path == "/_control/faults":
            return self._control(raw)
        self.server.requests.append(f"{self.command} {unquote(split.path)}")
        if self.server.faults.down:
            return self._drop()
        if self.server.faults.lasts("page"):
            return self._page(200, "系统维护中 down for maintenance")
        host = self.headers.get("Host") or ""
        if self.server.site.host not in ("", host, host.partition(":")[0]):
            return self._page(404, f"{host} does not exist")
        self._cookies: list[str] = []
        asked = dict(parse_qsl(split.query, keep_blank_values=True)) | self._form(raw)
        return self._business(split.path.rstrip("/"), asked)

    def _business(self, path: str, asked: Asked) -> None:
        version = 2 if path.startswith("/api/v2/") else 1
        site, met = self.server.site, []
        try:
            user = self._user(path, asked)
            if self.command not in ("GET", "HEAD"):
                met = self.server.faults.take(self._about(path, asked))
            if self._fails_first(met):
                return None
            with site.transaction():
                status, body = self._answered(path, asked, user, version)
        except FrappeError as error:
            return self._json(error.status, body_of(error, version))
        if status == 404:
            return self._page(404, "Not Found")
        if not self._fails_after(met, version):
            self._json(status, body)
        return None

    def _about(self, path: str, asked: Asked) -> str:
        parts = self._parts(path)
        name = parts[1] if parts[:1] in (["resource"], ["document"]) and len(parts) > 1 else ""
        method = parts[1] if parts[:1] == ["method"] and len(parts) > 1 else str(asked.get("cmd") or "")
        return name or ("" if method in READING else touches(method, asked))

    def _parts(self, path: str) -> list[str]:
        parts = [unquote(p) for p in path.split("/")[1:]]
        if parts[:1] == ["api"]:
            parts = parts[2:] if parts[1:2] in (["v1"], ["v2"]) else parts[1:]
        return parts

    def _answered(self, path: str, asked: Asked, user: User | None, version: int) -> tuple[int, Any]:
        faults, odd = self.server.faults, {**asked}
        if faults.lasts("renamed") and TICKETS in (*self._parts(path), asked.get("doctype")):
            raise FrappeError("DoesNotExistError", f"DocType {TICKETS} not found")
        if faults.lasts("same_page"):  # a proxy that passes over what it does not know
            odd |= dict.fromkeys({"limit_start", "start"} & odd.keys(), "0")
        if faults.lasts("any_document"):
            odd.pop("filters", None)
        return self._told(path, odd, user, version)

    def _told(self, path: str, asked: Asked, user: User | None, version: int) -> tuple[int, Any]:
        match self._parts(path):
            case [""] | [] if asked.get("cmd"):
                return self._method(str(asked["cmd"]), asked, user, version)
            case ["method", name]:
                return self._method(name, asked, user, version)
            case ["resource", doctype] if version == 1:
                return self._many(doctype, asked, user, version)
            case ["document", doctype] if version == 2:
                return self._many(doctype, asked, user, version)
            case ["document", doctype, *name, "method", called_for] if version == 2:
                return self._bound(doctype, "/".join(name), called_for, user)
            case ["resource" | "document", doctype, *name]:
                return self._one(doctype, "/".join(name), asked, user)
        raise FrappeError("PageDoesNotExistError", f"{path} not found")

    # ------------------------------------------------------------------ documents
    def _many(self, doctype: str, asked: Asked, user: User | None, version: int) -> tuple[int, Any]:
        site = self.server.site
        if self.command == "POST":
            return 200, {"data": site.insert(doctype, self._given(asked), user)}
        site.allow(user, doctype, "read")
        kind = known(site.types, doctype)
        rows = listed(site, kind, asked)
        if version == 1:
            return 200, {"data": rows}
        after = {"limit_start": int(asked.get("start") or 0) + len(rows), "limit_page_length": 1}
        start_given = asked.get("limit") or asked.get("limit_page_length") or ROWS
        more = len(rows) == int(start_given) and bool(listed(site, kind, {**asked, **after}))
        return 200, {"data": rows, "has_next_page": more}

    def _one(self, doctype: str, name: str, asked: Asked, user: User | None) -> tuple[int, Any]:
        site = self.server.site
        if doctype == "DocType":
            site.allow(user, "DocType", "read")
            return 200, {"data": known(site.types, name).as_json(whole=False)}
        if self.command in ("PUT", "POST"):
            return 200, {"data": site.save(doctype, name, self._given(asked), user)}
        if self.command == "DELETE":
            site.remove(doctype, name, user)
            return 202, {"data": "ok"}
        site.allow(user, doctype, "read")
        if self.server.faults.lasts("any_document"):
            name = next((d["name"] for d in site.every(doctype) if d["name"] != name), name)
        return 200, {"data": site.get(doctype, name)}

    def _bound(self, doctype: str, name: str, method: str, user: User | None) -> tuple[int, Any]:
        status = {"submit": 1, "cancel": 2}.get(method)
        if status is None:
            raise FrappeError("PermissionError", f"Method {method} is not whitelisted")
        return 200, {"data": self.server.site.save(doctype, name, {"docstatus": status}, user)}

    def _given(self, asked: Asked) -> Asked:
        """JSON of the body, or the form's `data` as JSON; `doctype` is in the path."""
        data = read(asked["data"]) if isinstance(asked.get("data"), str) else asked
        return {n: v for n, v in data.items() if n not in ("doctype", "cmd")}

    # ------------------------------------------------------------------ methods
    def _method(self, name: str, asked: Asked, user: User | None, version: int) -> tuple[int, Any]:
        if name == "login":
            return 200, {"message": "Logged In", "full_name": self._log_in(asked).email}
        if name in ("logout", "frappe.sessions.logout"):
            self.server.sessions.pop(self._cookie(), None)
            return 200, {}
        if "pages" in self.server.site.lacks and name.rpartition(".")[2] in self.server.site.lacks:
            return 404, None
        if name == "upload_file":
            return 200, {"message": self._upload(asked, user)}
        answer = called(self.server.site, user, name, asked)
        if name == "frappe.desk.form.load.getdoctype":
            return 200, {"docs": answer, "user_settings": "{}"}
        return 200, {"data" if version == 2 else "message": answer}

    def _upload(self, asked: Asked, user: User | None) -> Any:
        name = str(asked.get("file_name") or "file")
        there = {f["file_name"] for f in self.server.site.every("File")}
        if name in there:  # as Frappe does it
            stem, _, suffix = name.rpartition(".")
            name = f"{stem}{secrets.token_hex(3)}.{suffix}"
        place = "/private/files/" if asked.get("is_private") == "1" else "/files/"
        about = {"attached_to_doctype": asked.get("doctype"), "attached_to_name": asked.get("docname")}
        return self.server.site.insert("File", {**about, "file_name": name, "file_url": place + name}, user)

    # ------------------------------------------------------------------ who it is
    def _user(self, path: str, asked: Asked) -> User | None:
        kind, _, what = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "basic":
            with contextlib.suppress(ValueError):
                what = base64.b64decode(what).decode()
        if kind:
            key, _, secret = what.partition(":")
            for user in self.server.site.users:
                if user.api_key == key and secrets.compare_digest(user.api_secret.encode(), secret.encode()):
                    return user
            raise FrappeError("AuthenticationError", "Invalid key or secret")
        session = self.server.sessions.get(self._cookie())
        if session is None:
            return None
        given = self.headers.get("X-Frappe-CSRF-Token") or asked.get("csrf_token")
        if self.command not in ("GET", "HEAD") and given != session[1] and not path.endswith("logout"):
            raise FrappeError("CSRFTokenError", "Invalid Request")
        return session[0]

    def _cookie(self) -> str:
        found = SimpleCookie(self.headers.get("Cookie") or "").get("sid")
        return found.value if found else ""

    def _log_in(self, asked: Asked) -> User:
        for user in self.server.site.users:
            if user.email == asked.get("usr") and user.password and user.password == asked.get("pwd"):
                sid, token = secrets.token_hex(16), secrets.token_hex(16)
                self.server.sessions[sid] = user, token
                self._cookies = [f"sid={sid}; HttpOnly; Path=/", f"csrf_token={token}; Path=/"]
                return user
        raise FrappeError("AuthenticationError", "Invalid login credentials")

    def _form(self, raw: bytes) -> Asked:
        kind = self.headers.get("Content-Type") or ""
        if kind.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(raw.decode(), keep_blank_values=True))
        if kind.startswith("multipart/form-data"):
            return _parts_of(kind, raw)
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    # ------------------------------------------------------------------ faults
    def _fails_first(self, met: list[str]) -> bool:
        for kind in met:
            match kind:
                case "drop_before":
                    self._drop()
                    return True
                case "unavailable":
                    self._page(503, "Updating", (("Retry-After", PAUSE),))
                    return True
                case "rate_limited":
                    error = FrappeError("TooManyRequestsError", "Too Many Requests")
                    self._json(429, body_of(error, 1), (("Retry-After", PAUSE),))
                    return True
                case "locked":
                    words = "Error: Document has been modified after you have opened it"
                    raise FrappeError("TimestampMismatchError", words)
        return False

    def _fails_after(self, met: list[str], version: int) -> bool:
        for kind in met:
            match kind:
                case "drop_after_commit":
                    self._drop()
                case "error_after_commit":
                    error = FrappeError(
                        "OperationalError", "(2006, 'MySQL server has gone away')", "pymysql.err"
                    )
                    self._json(500, body_of(error, version))
                case "garbage_after_commit":
                    self._page(200, "gateway")
                case "proxy_after_commit":
                    self._page(504, "504 Gateway Time-out")
                case _:
                    continue
            return True
        return False

    def _control(self, raw: bytes) -> None:
        faults = self.server.faults
        if self.command == "DELETE":
            faults.clear()
        if self.command == "POST":
            try:
                how = json.loads(raw)
                faults.add(how.pop("fault"), **how)
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                return self._json(400, {"error": f'write {{"fault": kind, "times": n, "on": [..]}}: {wrong}'})
        return self._json(200, faults.as_json())

    # ------------------------------------------------------------------ answers
    def _json(self, status: int, body: Any, more: tuple[tuple[str, str], ...] = ()) -> None:
        self._send(status, json.dumps(body, ensure_ascii=False, default=str), "application/json", more)

    def _page(self, status: int, title: str, more: tuple[tuple[str, str], ...] = ()) -> None:
        self._send(status, PAGE.format(title=title), "text/html; charset=utf-8", more)

    def _send(self, status: int, text: str, kind: str, more: tuple[tuple[str, str], ...]) -> None:
        body = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in more:
                self.send_header(name, value)
            for cookie in getattr(self, "_cookies", []):
                self.send_header("Set-Cookie", cookie)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)


def _parts_of(kind: str, raw: bytes) -> Asked:
    text = f"Content-Type: {kind}\r\n\r\n".encode() + raw
    out: Asked = {}
    for part in email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text).iter_parts():
        name = str(part.get_param("name", header="content-disposition") or "")
        if part.get_filename():
            out["file_name"] = part.get_filename()
        else:
            out[name] = part.get_content().strip()
    return out
