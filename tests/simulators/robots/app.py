"""Both robots, their control and the inbox page as one ASGI application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub.ports import Clock
from tests.simulators.robots.dingtalk import DingTalkRobot
from tests.simulators.robots.faults import Fault, Faults
from tests.simulators.robots.inbox import Inbox
from tests.simulators.robots.wecom import WeComRobot

PAGE = Path(__file__).parent / "page"
FILES = {"page.css": "text/css", "page.js": "text/javascript", "bubble.js": "text/javascript"}
POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
Robot = WeComRobot | DingTalkRobot


class Robots:
    """Everything the simulator knows; tests look into it directly."""

    def __init__(
        self, clock: Clock, wecom_key: str, dingtalk_token: str, dingtalk_secret: str = "",
        state: Path | None = None,
    ) -> None:  # fmt: skip
        self.clock = clock
        self.inbox = Inbox(state)
        self.faults = Faults()
        self.wecom = WeComRobot(wecom_key, clock, self.inbox)
        self.dingtalk = DingTalkRobot(dingtalk_token, dingtalk_secret, clock, self.inbox)
        self.app = Starlette(routes=[
            Route("/wecom/cgi-bin/webhook/send", Endpoint(self.wecom, self)),
            Route("/dingtalk/robot/send", Endpoint(self.dingtalk, self)),
            Route("/_control/faults", self._set_faults, methods=["POST"]),
            Route("/_control/settings", self._set, methods=["POST"]),
            Route("/_control/messages", self._messages, methods=["GET"]),
            Route("/_control/messages", self._clear, methods=["DELETE"]),
            Route("/", self._page, methods=["GET"]),
            Route("/{name}", self._file, methods=["GET"]),
        ])  # fmt: skip

    async def _set_faults(self, request: Request) -> Response:
        try:
            self.faults.set(await request.json())
        except (ValueError, TypeError, KeyError) as cause:
            return JSONResponse({"error": str(cause)}, 400)
        return JSONResponse(self.faults.as_dict())

    async def _set(self, request: Request) -> Response:
        wishes = await request.json()
        self.wecom.settle(wishes.get("wecom", {}))
        self.dingtalk.settle(wishes.get("dingtalk", {}))
        return Response(status_code=204)

    async def _messages(self, request: Request) -> Response:
        after = int(request.query_params.get("after", "0"))
        messages = self.inbox.after(after)
        if "body" not in request.query_params:
            messages = [{k: v for k, v in m.items() if k != "body"} for m in messages]
        return JSONResponse({
            "messages": messages, "last": self.inbox.last, "refusals": self.inbox.refusals[-20:],
            "robots": {r.name: self._standing(r) for r in (self.wecom, self.dingtalk)},
            "faults": self.faults.as_dict(), "now": self.clock.now().isoformat(),
        }, headers=POLICY)  # fmt: skip

    def _standing(self, robot: Robot) -> dict[str, Any]:
        now = self.clock.monotonic()
        return {
            "shown": len(self.inbox.of(robot.name)), "refused": self.inbox.refused[robot.name],
            "free": robot.allowance.free(now), "most": robot.allowance.most,
            "blocked": round(robot.allowance.blocked(now)),
        }  # fmt: skip

    async def _clear(self, request: Request) -> Response:
        self.inbox.clear()
        return Response(status_code=204)

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers=POLICY)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return Response(status_code=404)
        return FileResponse(PAGE / name, media_type=FILES[name], headers=POLICY)


class Endpoint:
    """A robot's address: below HTTP, because it must be able to break off in the middle of an answer."""

    def __init__(self, robot: Robot, robots: Robots) -> None:
        self._robot, self._robots = robot, robots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        content = await _body(receive)
        fault = self._robots.faults.next(self._robot.name)
        match fault:
            case None:
                await _json(send, self._answer(scope, content))
            case Fault(kind="cut"):
                _cut(receive)
            case Fault(kind="hang"):
                await _until_gone(receive)
            case Fault(kind="hang-after"):
                self._answer(scope, content)
                await _until_gone(receive)
            case Fault(kind="cut-after"):
                self._answer(scope, content)
                _cut(receive)
            case Fault(kind="cut-mid"):
                await _half(send, self._answer(scope, content))
                _cut(receive)
            case Fault(kind="slow"):
                await self._robots.clock.sleep(fault.seconds)
                await _json(send, self._answer(scope, content))
            case Fault(kind="http"):
                await _whole(send, fault.status, b"text/html", HTML.encode())
            case Fault(kind="html"):
                await _whole(send, 200, b"text/html", HTML.encode())
            case Fault(kind="block"):
                await _json(send, {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "u1"})
            case Fault():
                self._robots.inbox.refuse(
                    self._robot.name, self._robots.clock.now(), fault.errcode, fault.errmsg
                )
                await _json(send, {"errcode": fault.errcode, "errmsg": fault.errmsg})

    def _answer(self, scope: Scope, content: bytes) -> dict[str, Any]:
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        headers = dict(scope["headers"])
        return self._robot.answer(
            scope["method"], query, headers.get(b"content-type", b"").decode("latin-1"), content
        )


async def _body(receive: Receive) -> bytes:
    content, more = b"", True
    while more:
        event = await receive()
        content += event.get("body", b"")
        more = event.get("more_body", False)
    return content


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    _cut(receive)


def _cut(receive: Receive) -> None:
    """Drop the TCP connection. uvicorn's receive is a method of the object that holds the transport."""
    cycle: Any = getattr(receive, "__self__", None)
    cycle.transport.abort()
    cycle.disconnected = True
    cycle.response_complete = True


async def _json(send: Send, answer: dict[str, Any]) -> None:
    await _whole(send, 200, b"application/json; charset=utf-8", json.dumps(answer).encode())


async def _whole(send: Send, status: int, kind: bytes, content: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _half(send: Send, answer: dict[str, Any]) -> None:
    content = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
