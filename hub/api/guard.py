"""The one way in: finds the route, and lets nobody pass whom the route has not named.

It stands before the body is read, so a stranger cannot make us swallow eight megabytes first; and it sees
every kind of route, mounted folders and WebSockets included.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import timedelta

import structlog
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub import patience
from hub.api import errors
from hub.api.auth import DEVICE_COOKIE, Door, address_of, only_cookie
from hub.api.deps import Deps
from hub.api.hosts import hosts_of
from hub.api.limits import Meter, is_loopback
from hub.api.origin import ours
from hub.api.rights import SMALL_BODY, Caller, Right, right_of
from hub.api.texts import TEXTS
from hub.api.tokens import csrf_of, same
from hub.errors import NotAllowed, Refused, Transient

_log = structlog.get_logger("hub.api")
_SAFE = ("GET", "HEAD", "OPTIONS")
RECORD_SECONDS = 4.0  # that one request may wait for the database, all together
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


class Guard:
    def __init__(
        self,
        app: ASGIApp,
        routes: list[BaseRoute],
        plugged: Mapping[str, Right],
        deps: Deps,
        door: Door,
        meter: Meter,
    ) -> None:
        self._app = app
        self._routes = routes
        self._plugged = plugged
        self._deps = deps
        self._door = door
        self._meter = meter
        self._hosts = hosts_of(deps.bind, deps.public_url, deps.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        with patience.patient_for(RECORD_SECONDS):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            right = await self._admit(scope)
        except Refused as no:
            if scope["type"] == "websocket":
                _log.info("socket.refused", code=no.code, client=address_of(HTTPConnection(scope)))
            await _turn_away(errors.refused(no), scope, receive, send)
            return
        except Transient as cause:  # no access while nobody can say who has it
            _log.warning("not available", reason=str(cause))
            await _turn_away(errors.unavailable(cause), scope, receive, send)
            return
        if scope["type"] == "http":
            tally = _Tally(right.body if right else SMALL_BODY)
            if _declared_length(scope) > tally.left:
                await errors.by_status(413, tally.code)(scope, receive, send)
                return
            receive = functools.partial(_read, receive, tally)
            await self._app(scope, receive, send)
            return
        with patience.patient_for(None):  # a screen stays for weeks
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> Right | None:
        """The route's right with the caller noted in the scope; None when there is no such route (a 404 or
        405).
        """
        connection = HTTPConnection(scope)
        wait = self._meter.admit(address_of(connection), self._deps.clock.monotonic())
        if wait:
            raise errors.TooMany("too-many-requests", timedelta(seconds=wait))
        if not self._hosts.know(connection.headers.getlist("host")):
            raise errors.Misdirected("foreign-host", TEXTS["foreign-host"].en)
        route = self._route(scope)
        if route is None:
            return None
        right = right_of(route, self._plugged)
        if right is None:
            raise NotAllowed("not-allowed", TEXTS["not-allowed"].en)
        unsafe = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if unsafe and not right.signed and not origin_is_ours(connection, self._deps):
            raise NotAllowed("foreign-origin", TEXTS["foreign-origin"].en)
        if not right.public and not (right.loopback and _from_here(connection)):
            scope["andon.caller"] = await self._known(connection, right, unsafe and scope["type"] == "http")
        return right

    async def _known(self, connection: HTTPConnection, right: Right, csrf: bool) -> Caller:
        caller = await self._door.caller(connection)
        if caller is None:
            code = "device-revoked" if only_cookie(connection, DEVICE_COOKIE) else "not-logged-in"
            raise errors.NotLoggedIn(code, TEXTS[code].en)
        if not caller.may_use(right):
            raise NotAllowed("not-allowed", TEXTS["not-allowed"].en)
        marks = connection.headers.getlist("x-andon-csrf")
        if csrf and not (len(marks) == 1 and same(marks[0], csrf_of(caller.token))):
            raise NotAllowed("csrf", TEXTS["csrf"].en)
        return caller

    def _route(self, scope: Scope) -> BaseRoute | None:
        """The first full match, as the router itself will choose."""
        return next((r for r in self._routes if r.matches(scope)[0] is Match.FULL), None)


def origin_is_ours(connection: HTTPConnection, deps: Deps) -> bool:
    """Whether this request comes from one of our own pages. One without an Origin does not."""
    headers = connection.headers
    return ours(
        headers.getlist("origin"),
        headers.getlist("host"),
        connection.scope["scheme"],
        deps.public_url,
        deps.allowed_origins,
    )


def _from_here(connection: HTTPConnection) -> bool:
    """On this machine, and not a proxy on this machine that speaks for somebody else."""
    return is_loopback(address_of(connection)) and not any(h in connection.headers for h in _FORWARDED)


async def _turn_away(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})  # before accept: the server makes it a 403
    else:
        await answer(scope, receive, send)


# ------------------------------------------------------------- how much a request may bring
class _Tally:
    def __init__(self, left: int) -> None:
        self.left = left
        self.code = "photo-too-large" if left > SMALL_BODY else "too-large"


def _declared_length(scope: Scope) -> int:
    lengths = HTTPConnection(scope).headers.getlist("content-length")
    return max(
        (int(length) if len(length) < 19 else 1 << 62 for length in lengths if length.isdecimal()), default=0
    )


async def _read(receive: Receive, tally: _Tally) -> Message:
    """Pass the body on until it is too much; chunked bodies do not say so beforehand."""
    message = await receive()
    tally.left -= len(message.get("body", b""))
    if tally.left < 0:
        raise errors.TooLarge(tally.code)
    return message
