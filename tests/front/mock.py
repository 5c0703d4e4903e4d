"""A stand-in hub for the screens: static files and a scripted board, with the hub's security headers.

`python -m tests.front.mock --port 8899 --scene hot` to look at; `running(Hub())` in tests. It keeps to
docs/api.md and does nothing else: no rules, no store, no rights beyond "logged in or not".
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.api.errors import json as hub_json
from hub.clock import SystemClock
from hub.errors import Refused
from tests.front import erp_scene, figures_scene, mapping_scene, parameters_scene, rejects_scene, states_scene
from tests.front.reconcile_scene import discrepancies, run
from tests.front.rush_scene import foreseen, rush
from tests.front.scenes import SCENES, Json, person, stamp, words

STATIC = Path(__file__).resolve().parents[2] / "screens" / "static"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
)
PASSWORD, ONCE = "right", "kalu-meri-tosu-4827"  # of everybody here, and one for a single login


class Hub:
    """What a test may turn: the scene, who is logged in, whether frames flow, what was asked of it."""

    def __init__(
        self, scene: str = "demo", roles: tuple[str, ...] = ("admin", "manager", "technician")
    ) -> None:
        self.scene = scene
        self.roles = roles
        self.logged_in = True
        self.device_token = "device-token"
        self.silent = False  # connections stay open and say nothing
        self.renamed: dict[str, str] = {}  # names on the board, and what they are instead
        self.device_gone = False  # a wall screen that was sent away
        self.sockets = True  # False: only /api/board answers
        self.skip_a_frame = False
        self.refuse: dict[str, tuple[int, str]] = {}  # verb -> status, code
        self.asked: list[tuple[str, Any]] = []
        self._heard = threading.Condition()
        self.photos: dict[str, bytes] = {}
        self.changes: dict[str, Json] = {}  # ticket or alarm id -> what people have changed
        self.reconciled: dict[int, Json] = {}
        self.rushed: dict[str, Json] = {}  # order -> its rush
        self.confirmed: set[int] = set()  # changes of orders
        self.settled: set[int] = set()  # letters that were sent again or put aside
        self.links: dict[int, Json] = {}  # to customers' orders
        self.steps: list[Json] = []  # lines of the tickets' history that people have added
        self.maps = mapping_scene.desk()
        self.states: states_scene.Scene | None = None  # made when somebody asks
        self.clock = SystemClock()
        self.rejects = rejects_scene.Desk(self.now())
        self.parts: dict[str, Json] = {}  # of the status page, beside or instead of those of `status`

    def board(self) -> Json:
        board = SCENES[self.scene](self.clock.now())
        for section in ("tickets", "alarms"):
            for key, item in board[section].items():
                item.update(self.changes.get(key, {}))
        for order in board["orders"].values():
            if order.get("change", {}).get("id") in self.confirmed:
                del order["change"]
        for number, made in self.rushed.items():
            board["orders"][number]["rush"] = made["state"] == "made"
        text = json.dumps(board, ensure_ascii=False)
        for name, instead in self.renamed.items():
            text = text.replace(name, json.dumps(instead, ensure_ascii=False)[1:-1])
        found: Json = json.loads(text) if self.renamed else board
        return found

    def now(self) -> datetime:
        return self.clock.now()

    def hear(self, verb: str, what: Any) -> None:
        with self._heard:
            self.asked.append((verb, what))
            self._heard.notify_all()

    def asked_by(self, count: int) -> list[tuple[str, Any]]:
        """What was asked, once there are so many: a page shows a step before its request has gone out."""
        with self._heard:
            self._heard.wait_for(lambda: len(self.asked) >= count, timeout=10)
            return list(self.asked)


def build(hub: Hub) -> Starlette:
    api = Api(hub)
    routes = [
        *(Route(f"/{page}", _page(page)) for page in ("login", "wall", "phone", "console")),
        Route("/", lambda _: RedirectResponse("/wall")),
        Route("/sw.js", lambda _: FileResponse(STATIC / "sw.js", media_type="text/javascript")),
        Route("/static/vendor/plotly.min.js", _plotly),
        *api.routes(),
        WebSocketRoute("/ws", api.feed),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(_Headers)
    return app


class Api:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def routes(self) -> list[Route]:
        return [
            Route("/api/login", self.login, methods=["POST"]),
            Route("/api/logout", self.logout, methods=["POST"]),
            Route("/api/device-login", self.device_login, methods=["POST"]),
            Route("/api/devices", self.devices, methods=["POST"]),
            Route("/api/devices", self.guarded(self.screens)),
            Route("/api/devices/{id:int}", self.guarded(self.revoke), methods=["DELETE"]),
            Route("/api/people", self.guarded(self.people)),
            Route("/api/people/{id}/one-time-password", self.guarded(self.reset), methods=["POST"]),
            Route("/api/password", self.guarded(self.password), methods=["POST"]),
            Route("/api/me", self.guarded(self.me)),
            Route("/api/board", self.guarded(self.board)),
            Route("/api/alarms", self.guarded(self.alarms)),
            Route("/api/alarms/{id:int}", self.guarded(self.alarm)),
            Route("/api/alarms/{id:int}/acknowledge", self.guarded(self.acknowledge), methods=["POST"]),
            Route("/api/alarms/{id:int}/{verb}", self.guarded(self.put_aside), methods=["POST"]),
            Route("/api/rules", self.guarded(self.rules)),
            Route("/api/rules/{verb}", self.guarded(self.service), methods=["POST"]),
            Route("/api/tickets", self.guarded(self.tickets)),
            Route("/api/tickets/{id}", self.guarded(self.ticket)),
            Route("/api/tickets/{id}/{verb}", self.guarded(self.act), methods=["POST"]),
            Route("/api/photos", self.guarded(self.photo), methods=["POST"]),
            Route("/api/photos/{id}", self.guarded(self.picture)),
            Route("/api/trend", self.guarded(self.trend)),
            Route("/api/orders/{number}/rush", self.guarded(self.rush), methods=["GET", "POST", "DELETE"]),
            Route("/api/orders/{number}/rush/seen", self.guarded(self.rush_seen), methods=["POST"]),
            Route("/api/{kind}/{name}/parameters", self.guarded(self.parameters)),
            Route("/api/rushes", self.guarded(self.rushes)),
            Route("/api/orders/{number}/links", self.guarded(self.links), methods=["GET", "POST"]),
            Route("/api/order-links/{id:int}", self.guarded(self.unlink), methods=["DELETE"]),
            Route("/api/sales", self.guarded(self.sales)),
            Route("/api/delivery", self.guarded(self.delivery)),
            Route("/api/costs", self.guarded(self.costs)),
            Route("/api/equipment-map", self.guarded(self.assets)),
            Route("/api/mes/rejects", self.guarded(self.rejects)),
            Route("/api/mes/unbound", self.guarded(self.unbound)),
            Route("/api/mes/rejects/{verb}", self.guarded(self.many_rejects), methods=["POST"]),
            Route("/api/mes/rejects/1/{verb}", self.guarded(self.correction), methods=["GET", "POST"]),
            Route("/api/erp/mappings{rest:path}", self.guarded(self.mappings), methods=["GET", "POST"]),
            Route("/api/state-tables{rest:path}", self.guarded(self.states), methods=["GET", "POST"]),
            Route("/api/reconciliation", self.guarded(self.reconciliation)),
            Route("/api/reconciliation/run", self.guarded(self.compare), methods=["POST"]),
            Route("/api/reconciliation/{id:int}/{verb}", self.guarded(self.reconcile), methods=["POST"]),
            Route("/api/erp/health", self.guarded(self.erp_health)),
            Route("/api/erp/letters", self.guarded(self.letters)),
            Route("/api/erp/letters/{id:int}/{verb}", self.guarded(self.settle), methods=["POST"]),
            Route("/api/erp/exchanges", self.guarded(self.exchanges)),
            Route("/api/order-changes/{id:int}/confirm", self.guarded(self.confirm), methods=["POST"]),
            Route("/api/audit", self.guarded(self.audit)),
            Route("/api/timeline", self.guarded(self.timeline)),
            Route("/api/status", self.guarded(self.status)),
            Route("/health", lambda _: JSONResponse({"status": "ok", "parts": {"board": True}})),
        ]

    def guarded(self, answer: Any) -> Any:
        async def checked(request: Request) -> Response:
            if not self.hub.logged_in and self.hub.device_gone:
                return refusal(401, "device-revoked", "授权已被收回", "Its permission was withdrawn")
            if not self.hub.logged_in:
                return refusal(401, "not-logged-in", "请先登录", "Log in first")
            if request.method not in ("GET", "HEAD") and request.headers.get("x-andon-csrf") != "csrf-token":
                return refusal(403, "csrf", "页面已过期，请刷新", "The page has expired; reload it")
            found: Response = await answer(request)
            return found

        return checked

    # ------------------------------------------------------------- logging in
    async def login(self, request: Request) -> Response:
        asked = await request.json()
        if asked.get("password") == ONCE and not asked.get("new_password"):
            return refusal(403, "password-once", "请先设置新密码", "Choose your own password first")
        if asked.get("password") not in (PASSWORD, ONCE):
            return refusal(401, "login-failed", "用户名或密码不对", "User name or password is wrong")
        self.hub.hear("login", asked)
        self.hub.logged_in = True
        return await self.me(request)

    async def logout(self, _: Request) -> Response:
        self.hub.logged_in = False
        return Response(status_code=204)

    async def device_login(self, request: Request) -> Response:
        self.hub.logged_in = (await request.json()).get("token") == self.hub.device_token
        return (
            Response(status_code=204)
            if self.hub.logged_in
            else refusal(401, "device-unknown", "无效", "unknown")
        )

    async def audit(self, _: Request) -> Response:
        at = stamp(self.hub.now())
        told = [
            ("zhang", "state-history.rederive", "p1/stamping/l1/press-01", {
                "number": 2, "since": at, "until": at, "reasons_left": 1, "address": "10.0.0.5",
                "seconds": {"recorded": {"unknown": 10.0}, "derived": {"setup": 10.0}},
            }),
            ("spool", "samples-dropped", "edge-1", {"samples": 1200, "from": at, "to": at, "tags": 12}),
            ("writer", "samples-lost", "edge-2", {"batches": 5}),
            ("upkeep", "samples-too-late", "2026-01-05", {"samples": 17, "first": at, "last": at}),
            ("li", "acknowledge", "alarm:15", {"note": "在看", "address": "10.0.0.7"}),
        ]  # fmt: skip
        lines = [
            {"id": 9 - n, "at": at, "who": who, "what": what, "about": about, "detail": detail,
             "name": {"zh": "李强", "en": "Li Qiang"} if who == "li" else None}
            for n, (who, what, about, detail) in enumerate(told)
        ]  # fmt: skip
        return JSONResponse({"lines": lines})

    async def devices(self, request: Request) -> Response:
        self.hub.hear("devices", await request.json())
        return JSONResponse({"token": self.hub.device_token})

    async def screens(self, _: Request) -> Response:
        rows = [
            {"id": 1, "name": "东门", "scope": "p1", "where": {"zh": "示范工厂", "en": "Demo plant"},
             "made_at": stamp(self.hub.now()), "seen_at": stamp(self.hub.now())},
            {"id": 2, "name": "仓库", "scope": "p1", "where": {"zh": "示范工厂", "en": "Demo plant"},
             "made_at": stamp(self.hub.now())},
        ]  # fmt: skip
        return JSONResponse({"devices": [row for row in rows if ("revoke", row["id"]) not in self.hub.asked]})

    async def revoke(self, request: Request) -> Response:
        self.hub.hear("revoke", request.path_params["id"])
        return Response(status_code=204)

    async def people(self, _: Request) -> Response:
        more = {"roles": ["technician"], "scopes": ["p1"], "language": "zh", "password": "own", "sessions": 1}
        rows = [{**person(who), **more, "seen_at": stamp(self.hub.now())} for who in ("zhang", "li")]
        return JSONResponse({"people": rows})

    async def reset(self, request: Request) -> Response:
        self.hub.hear("reset", request.path_params["id"])
        return JSONResponse({"password": ONCE, "until": stamp(self.hub.now() + timedelta(days=1))})

    async def password(self, request: Request) -> Response:
        asked = await request.json()
        self.hub.hear("password", asked)
        if asked["old"] != PASSWORD:
            return refusal(400, "password-wrong", "现在的密码不正确", "the present password is wrong")
        return JSONResponse({"csrf": "csrf-token"})

    async def me(self, _: Request) -> Response:
        who = {**person("zhang"), "roles": list(self.hub.roles), "scopes": ["p1"], "language": "zh"}
        return JSONResponse({"person": who, "csrf": "csrf-token"})

    # ------------------------------------------------------------- reading
    async def board(self, _: Request) -> Response:
        if self.hub.silent:
            await asyncio.sleep(3600)
        return JSONResponse(
            {"type": "snapshot", "seq": 1, "at": stamp(self.hub.now()), "board": self.hub.board()}
        )

    async def alarms(self, _: Request) -> Response:
        return JSONResponse({"alarms": list(self.hub.board()["alarms"].values())})

    async def alarm(self, request: Request) -> Response:
        found = self.hub.board()["alarms"].get(str(request.path_params["id"]))
        at = found["raised_at"] if found else ""
        lines = [
            {
                "at": at,
                "event": "raised",
                "before": "normal",
                "after": "unacked",
                "by": "",
                "note": "",
                "value": 92.4,
            }
        ]
        return JSONResponse({"alarm": found, "lines": lines})

    async def tickets(self, _: Request) -> Response:
        return JSONResponse({"tickets": list(self.hub.board()["tickets"].values())})

    async def ticket(self, request: Request) -> Response:
        board = self.hub.board()
        found = board["tickets"].get(request.path_params["id"])
        if found is None:
            return refusal(404, "no-such-ticket", "没有这张工单", "No such ticket")
        lines = [
            {
                "at": found["opened_at"],
                "before": "new",
                "after": "sent",
                "by": "",
                "channel": "erp",
                "note": "",
            },
            *self.hub.steps,
        ]
        return JSONResponse(
            {
                "ticket": found,
                "alarm": board["alarms"].get(str(found["alarm_id"])),
                "lines": lines,
                "erp": erp_scene.standing(self.hub.now()),
            }
        )

    async def trend(self, request: Request) -> Response:
        now = self.hub.now()
        means = [61 + max(0, i - 48) * 2.6 + i % 3 * 0.4 for i in range(61)]
        points = [
            [stamp(now - timedelta(minutes=60 - i)), *(round(mean + d, 2) for d in (0, -0.6, 0.7))]
            for i, mean in enumerate(means)
        ]
        return JSONResponse({"tag": request.query_params["tag"], "unit": "℃", "points": points})

    async def timeline(self, _: Request) -> Response:
        now, spans = self.hub.now(), []
        cycle = [
            "executing",
            "idle",
            "executing",
            "setup",
            "executing",
            "fault",
            "maintenance",
            "executing",
            "unknown",
        ]
        for n, path in enumerate(self.hub.board()["machines"]):
            at, i = now - timedelta(hours=8), n
            while at < now:
                until = at + timedelta(minutes=20 + (n * 37 + i * 53) % 70)
                spans.append(
                    {
                        "equipment": path,
                        "state": cycle[i % 9],
                        "since": stamp(at),
                        "until": stamp(min(until, now)),
                    }
                )
                at, i = until, i + 1
        return JSONResponse({"spans": spans})

    async def status(self, _: Request) -> Response:
        since = stamp(self.hub.now() - timedelta(hours=2))
        parts = {
            n: {"up": True, "since": since, "restarts": 0, "last_error": "", "detail": {}}
            for n in (
                "writer",
                "rules",
                "notifiers",
                "erp bridge",
                "board",
                "collector opcua-l1",
                "collector opcua-l2",
            )
        }
        parts["collector modbus-l3"] = {
            "up": False,
            "since": since,
            "restarts": 7,
            "last_error": "SourceUnavailable: no answer from 127.0.0.1:15021",
            "detail": {"next_try_seconds": 8},
        }
        parts["notifiers"]["detail"] = {
            "inbox": {
                "sent": 31,
                "dropped": 2,
                "dead": 0,
                "last_ok": since,
                "last_error": "",
                "held_seconds": 0.0,
            },
            "wecom": {"sent": 30, "dropped": 2, "dead": 1, "last_ok": since, "last_error": "errcode 93000"},
        }
        outbox = {"waiting": {"tell": 2}, "oldest_seconds": {"tell": 4.2}, "dead": 0}
        latency = {"p50": 0.142, "p99": 0.418}
        queues = {"samples": {"rules": 0, "store": 12}}
        return JSONResponse(
            {
                "parts": parts | {n: {"up": True, "since": since, **p} for n, p in self.hub.parts.items()},
                "queues": queues,
                "latency": latency,
                "outbox": outbox,
                "sources": self.hub.board()["health"]["sources"],
            }
        )

    # ------------------------------------------------------------- acting
    async def acknowledge(self, request: Request) -> Response:
        key = str(request.path_params["id"])
        self.hub.hear("acknowledge", key)
        self.hub.changes[key] = {"state": "acked", "acked_by": "zhang", "owner": person("zhang")}
        return JSONResponse({"alarm": self.hub.board()["alarms"][key]})

    async def put_aside(self, request: Request) -> Response:
        key, verb = str(request.path_params["id"]), request.path_params["verb"]
        body = await request.json()
        self.hub.hear(verb, body)
        if verb in self.hub.refuse:
            status, code = self.hub.refuse[verb]
            return refusal(status, code, "状态已变化", "The state has changed")
        reason = words(*[body.get("reason", "")] * 2)
        why = {"by": person("zhang"), "at": stamp(self.hub.now()), "reason": reason}
        self.hub.changes[key] = {
            "shelve": {"state": "shelved", "aside": {**why, "until": body.get("until")}},
            "out-of-service": {"state": "out-of-service", "aside": why},
        }.get(verb, {"state": "unacked", "aside": None})
        return JSONResponse({"alarm": self.hub.board()["alarms"][key]})

    async def rules(self, _: Request) -> Response:
        press = self.hub.board()["machines"]["p1/stamping/l1/press-01"]
        rule = {"rule": "oil-hot", "subject": f"{press['path']}/oil_temp", "equipment": press["path"],
                "where": press["name"], "title": words("油温高", "Hot oil"), "priority": "high"}  # fmt: skip
        return JSONResponse({"rules": [rule]})

    async def service(self, request: Request) -> Response:
        self.hub.hear(f"rules/{request.path_params['verb']}", await request.json())
        return JSONResponse({"alarms": [{}]})

    async def act(self, request: Request) -> Response:
        key, verb = request.path_params["id"], request.path_params["verb"]
        body = await request.json()
        self.hub.hear(verb, body)
        if verb in self.hub.refuse:
            status, code = self.hub.refuse[verb]
            return refusal(status, code, "已由李强接单", "Li Qiang was faster")
        at = stamp(self.hub.now())
        outcomes: dict[str, Json] = {
            "accept": {"state": "accepted", "accepted_at": at, "technician": person("zhang")},
            "arrive": {"state": "on-site", "arrived_at": at},
            "begin": {"state": "repairing"},
            "repaired": {"state": "verifying", "repaired_at": at, "good_cycles": 1, "reset_at": at,
                         **{k: body.get(k, "") for k in ("cause_class", "cause", "photo")}},
            "close": {"state": "closed", "closed_at": at, "downtime_seconds": 725.4},
        }  # fmt: skip
        self.hub.changes[key] = {**self.hub.changes.get(key, {}), **outcomes[verb]}
        told = {"before": "", "after": outcomes[verb]["state"], "by": "zhang", "channel": "phone", "note": ""}
        self.hub.steps.append({"at": at, "device_time": "2026-01-05T12:00:00Z", **told})
        return JSONResponse({"ticket": self.hub.board()["tickets"][key]})

    async def photo(self, request: Request) -> Response:
        async with request.form() as form:
            sent = form["photo"]
            assert isinstance(sent, UploadFile)
            key = f"photo-{len(self.hub.photos) + 1}"
            self.hub.photos[key] = await sent.read()
        return JSONResponse({"id": key})

    async def picture(self, request: Request) -> Response:
        return Response(self.hub.photos[request.path_params["id"]], media_type="image/jpeg")

    # ------------------------------------------------------------- the ERP
    async def erp_health(self, _: Request) -> Response:
        return hub_json(erp_scene.health(self.hub.now(), erp_scene.DEAD - len(self.hub.settled)))

    async def letters(self, request: Request) -> Response:
        if request.query_params.get("dead") == "false":
            return hub_json({"letters": erp_scene.under_way(self.hub.now()), "next": None})
        found = [x for x in erp_scene.letters(self.hub.now()) if x["id"] not in self.hub.settled]
        return hub_json({"letters": found, "next": None})

    async def settle(self, request: Request) -> Response:
        number, verb = request.path_params["id"], request.path_params["verb"]
        self.hub.hear(f"letter-{verb}", (number, await request.json()))
        if number in self.hub.settled:
            return refusal(409, "not-dead", "已在途或已完成", "It is under way or done already")
        self.hub.settled.add(number)
        return hub_json({"letter": {"id": number, "state": "waiting"}})

    async def exchanges(self, request: Request) -> Response:
        asked = request.query_params
        before, document = int(asked.get("before", 0)), asked.get("document", "")
        found = [
            e for e in erp_scene.exchanges(self.hub.now())
            if (not before or e["id"] < before) and (not document or document in e["document"])
        ]  # fmt: skip
        self.hub.hear("exchanges", (document, before))
        shown = found[: int(asked["limit"])]
        return hub_json({"exchanges": shown, "next": shown[-1]["id"] if len(shown) < len(found) else None})

    async def confirm(self, request: Request) -> Response:
        number, body = request.path_params["id"], await request.json()
        self.hub.hear("confirm", (number, body))
        if "confirm" in self.hub.refuse:
            return refusal(*self.hub.refuse["confirm"], "工单又有变更", "The order has changed again")
        self.hub.confirmed.add(number)
        return hub_json({"confirmed": True})

    # ------------------------------------------------------------- field maps
    async def mappings(self, request: Request) -> Response:
        body = await request.json() if request.method == "POST" else None
        try:
            found = await mapping_scene.answer(
                self.hub.maps, request.method, request.path_params["rest"], body
            )
        except Refused as cause:
            return refusal(cause.status, cause.code, str(cause), str(cause))
        return hub_json(found)

    async def states(self, request: Request) -> Response:
        body = await request.json() if request.method == "POST" else None
        if self.hub.states is None:
            self.hub.states = states_scene.Scene()
        path, query = request.path_params["rest"], request.query_params
        try:
            found = await states_scene.answer(self.hub.states, request.method, path, query, body)
        except Refused as cause:
            return refusal(cause.status, cause.code, str(cause), str(cause))
        return hub_json(found)

    # ------------------------------------------------------------- reconciliation
    async def rejects(self, request: Request) -> Response:
        return hub_json(self.hub.rejects.told(request.query_params))

    async def many_rejects(self, request: Request) -> Response:
        return hub_json(self.hub.rejects.many(request.path_params["verb"], await request.json()))

    async def unbound(self, _: Request) -> Response:
        return hub_json(self.hub.rejects.unbound())

    async def correction(self, request: Request) -> Response:
        body = await request.json() if request.method == "POST" else {}
        return hub_json(self.hub.rejects.answer(request.path_params["verb"], body))

    async def reconciliation(self, _: Request) -> Response:
        found = [{**d, **self.hub.reconciled.get(d["id"], {})} for d in discrepancies(self.hub.now())]
        return hub_json({"discrepancies": found, "run": run(self.hub.now()), "waiting": False})

    async def compare(self, _: Request) -> Response:
        self.hub.hear("reconcile", None)
        return JSONResponse({"waiting": True})

    async def reconcile(self, request: Request) -> Response:
        number, verb = request.path_params["id"], request.path_params["verb"]
        self.hub.hear(f"reconcile {verb}", number)
        changed = {"repair_state": "asked"} if verb == "repair" else {"may": True}
        known = self.hub.reconciled.setdefault(number, {})
        known.update(changed)
        found = next(d for d in discrepancies(self.hub.now()) if d["id"] == number)
        return hub_json({"discrepancy": {**found, **known}})

    # ------------------------------------------------------------- rush orders
    async def rush(self, request: Request) -> Response:
        number, made = request.path_params["number"], self.hub.rushed
        orders = self.hub.board()["orders"]
        if number not in orders:
            return refusal(404, "not-found", "没有找到", "not found")
        if request.method != "GET":
            body = await request.json() if request.method == "POST" else {}
            self.hub.hear(f"rush {request.method}", body)
            if "rush" in self.hub.refuse:
                status, code = self.hub.refuse["rush"]
                return refusal(status, code, "李强 已先插单", "Li Qiang was faster")
            made[number] = rush(number, self.hub.now(), undone=request.method == "DELETE")
            return JSONResponse({"rush": made[number]})
        if due := request.query_params.get("due_at"):
            self.hub.hear("rush foreseen", f"GET {due}")
        answer: Json = {"order": orders[number], "at": stamp(self.hub.now())}
        if number in made:
            answer["rush"] = made[number]
        if made.get(number, {}).get("state") == "made":
            answer["why_not"] = {
                "code": "rush",
                "text": words("该工单已是急单", "It is a rush order already"),
            }
        else:
            answer["preview"] = foreseen(number, orders, self.hub.now())
        return JSONResponse(answer)

    async def rush_seen(self, request: Request) -> Response:
        made = self.hub.rushed[request.path_params["number"]]
        made["seen"] = [{"event": made["state"], "person": person("zhang"), "at": made["at"]}]
        return Response(status_code=204)

    async def rushes(self, _: Request) -> Response:
        return JSONResponse({"rushes": list(self.hub.rushed.values())})

    # ------------------------------------------------------------- customers' orders
    async def links(self, request: Request) -> Response:
        number, made, now = request.path_params["number"], self.hub.links, self.hub.now()
        if request.method == "POST":
            link = {"id": len(made) + 1, "order": number, "made_by": person("zhang"), "made_at": stamp(now)}
            made[link["id"]] = link | {"expires_at": stamp(now + timedelta(days=90)), "seen_at": None}
            return JSONResponse({"link": link, "path": "/o/abcdefghijklmnopqrstuv", "url": "/o/abc"})
        return JSONResponse({"links": [link for link in made.values() if link["order"] == number]})

    async def unlink(self, request: Request) -> Response:
        del self.hub.links[request.path_params["id"]]
        return Response(status_code=204)

    async def parameters(self, request: Request) -> Response:
        told = parameters_scene.parameters(request.path_params["name"], self.hub.now())
        return JSONResponse(told if request.path_params["kind"] == "orders" else {"orders": [told]})

    async def delivery(self, request: Request) -> Response:
        return JSONResponse(figures_scene.delivery(request.query_params["month"]))

    async def costs(self, request: Request) -> Response:
        return JSONResponse(figures_scene.costs(request.query_params["month"]))

    async def assets(self, _: Request) -> Response:
        return JSONResponse(figures_scene.equipment_map(stamp(self.hub.now())))

    async def sales(self, _: Request) -> Response:
        now, orders = self.hub.now(), self.hub.board()["orders"]
        order = next(iter(orders.values()))
        line = {
            "product": order["product"], "product_name": order["product_name"], "stage": "running",
            "ordered": order["quantity"], "made": 12, "due_at": order["due_at"], "late_by": 3600,
            "finish": stamp(now + timedelta(hours=3)), "changed_at": stamp(now),
            "operation": {"name": words("冲压", "Stamping"), "state": "running", "good": 12, "quantity": 50},
        }  # fmt: skip
        sold = {"number": "SO-1", "customer": "华东机械", "order": order["number"], "lines": [line]}
        nothing = dict.fromkeys(("finish", "late_by", "operation", "changed_at"))
        later = line | nothing | {"product": "B200", "product_name": words("阀体", "Valve"), "made": 0}
        later["stage"] = "unplanned"
        unplanned = {"number": "SO-2", "customer": "Nova", "order": None, "lines": [later]}
        short = line | nothing | {"stage": "done", "ordered": 300, "made": 298}
        ended = {"number": "SO-3", "customer": "Alpina", "order": order["number"], "lines": [short]}
        return JSONResponse({"sales": [sold, unplanned, ended], "as_of": stamp(now), "stale": ""})

    # ------------------------------------------------------------- the board, once a second
    async def feed(self, socket: WebSocket) -> None:
        if not self.hub.sockets or not self.hub.logged_in:
            await socket.close(1008)
            return
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            async for frame in self.frames():
                await socket.send_text(json.dumps(frame))

    async def frames(self) -> AsyncIterator[Json]:
        seq, shown = 1, self.hub.board()
        yield {"type": "snapshot", "seq": seq, "at": stamp(self.hub.now()), "board": shown}
        while True:
            await asyncio.sleep(0.5)
            if self.hub.silent:
                continue
            board = self.hub.board()
            seq += 2 if self.hub.skip_a_frame else 1
            self.hub.skip_a_frame = False
            gone = {section: {k: None for k in shown[section] if k not in board[section]}
                    for section in ("machines", "lines", "alarms", "tickets", "orders")}  # fmt: skip
            patch = {
                key: {**value, **gone.get(key, {})} if isinstance(value, dict) else value
                for key, value in board.items()
            }
            if "last_calm_since" not in board:
                patch["last_calm_since"] = None
            yield {"type": "patch", "seq": seq, "at": stamp(self.hub.now()), "board": patch}
            yield {"type": "heartbeat", "seq": seq, "at": stamp(self.hub.now())}
            shown = board


def refusal(status: int, code: str, zh: str, en: str) -> Response:
    return JSONResponse({"error": {"code": code, "text": words(zh, en), "id": "0a1b2c"}}, status)


def _page(name: str) -> Any:
    return lambda _: FileResponse(STATIC / f"{name}.html")


def _plotly(_: Request) -> Response:
    return FileResponse(Path(str(resources.files("plotly") / "package_data" / "plotly.min.js")))


class _Headers:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_policy)


class Mock:
    """The stand-in hub on a free port, in a thread of its own."""

    def __init__(self, hub: Hub, port: int = 0) -> None:
        self.hub = hub
        config = uvicorn.Config(build(hub), port=port, log_config=None, ws="websockets-sansio",
                                timeout_graceful_shutdown=1)  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@contextlib.contextmanager
def running(hub: Hub, port: int = 0) -> Iterator[Mock]:
    mock = Mock(hub, port)
    mock.start()
    try:
        yield mock
    finally:
        mock.stop()


def main() -> None:
    options = argparse.ArgumentParser(description="screens without a hub")
    options.add_argument("--port", type=int, default=8899)
    options.add_argument("--scene", choices=sorted(SCENES), default="demo")
    chosen = options.parse_args()
    uvicorn.run(build(Hub(chosen.scene)), port=chosen.port, log_level="info")


if __name__ == "__main__":
    main()
