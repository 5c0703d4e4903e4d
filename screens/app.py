"""The screens' routes: pages, and the WebSocket that carries the board.

Who is looking is decided elsewhere (`Authenticate`), once at the handshake, and asked again every few seconds
(`Viewer.still_valid`), so that an ended session loses its open sockets as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import structlog
from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.errors import Transient
from screens.channel import Subscription
from screens.feed import Feed
from screens.pages import PATHS, add_pages

log = structlog.get_logger(__name__)

STATIC = Path(__file__).parent / "static"
PUBLIC_PATHS = PATHS
BOARD_PATHS = ("/ws",)
LONGEST = 64 * 1024  # bytes of one inbound message
PER_SECOND = 20  # inbound messages
CHECK = 3.0  # seconds between looks at the session: an ended one is closed within five
ENDED, TOO_LONG, TOO_MANY, SLOW = 4401, 1009, 4429, 4408


class Viewer(Protocol):
    """Somebody who may look: a person, or a wall screen with a token of its own."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """Nodes of the plant tree; nothing outside them is shown."""
        ...

    @property
    def over(self) -> asyncio.Event:
        """Set when somebody in this process has ended the session: no need to wait for the next look."""
        ...

    async def still_valid(self) -> bool:
        """False once they logged out, were revoked or have other scopes; Transient when nobody can say."""
        ...


Authenticate = Callable[[WebSocket], Awaitable[Viewer | None]]
"""Who is behind this socket's cookie; None for nobody."""

OriginCheck = Callable[[HTTPConnection], bool]
"""Whether the request's Origin is one of ours. A missing one is not."""


def pages(
    feed: Feed, authenticate: Authenticate, origin_is_ours: OriginCheck, static: Path = STATIC
) -> APIRouter:
    """Everything that screens load and hear: `PUBLIC_PATHS` hold no data, `BOARD_PATHS` are for viewers."""
    router = APIRouter()
    add_pages(router, static)

    @router.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        viewer = await authenticate(websocket) if origin_is_ours(websocket) else None
        if viewer is None:
            await websocket.close()  # before it was accepted: 403
            return
        await websocket.accept()
        await _Session(feed, websocket, viewer).serve()

    return router


class _Session:
    """One open socket: what goes out, what comes in, and whether it may go on. The first to end ends all."""

    def __init__(self, feed: Feed, websocket: WebSocket, viewer: Viewer) -> None:
        self._feed, self._clock = feed, feed.clock
        self._websocket, self._viewer = websocket, viewer

    async def serve(self) -> None:
        async with self._feed.watch(self._viewer.scopes) as reader:
            work = (
                self._send(reader),
                self._hear(),
                self._guard(),
                self._until_over(),
                self._until_let_go(reader),
            )
            parts = [asyncio.create_task(part) for part in work]
            try:
                done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for part in parts:
                    part.cancel()
                await asyncio.wait(parts)
        for code in {part.result() for part in done if not part.cancelled()} - {0}:
            await self._close(code)
            return

    async def _send(self, reader: Subscription) -> int:
        try:
            while (frame := await reader.take()) is not None:
                await self._websocket.send({"type": "websocket.send", "text": frame})
        except (WebSocketDisconnect, OSError):
            return 0
        return SLOW

    async def _hear(self) -> int:
        """Screens have nothing to say here; what they send is counted and dropped."""
        began, count = self._clock.monotonic(), 0
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return 0
            if len(message.get("bytes") or (message.get("text") or "").encode()) > LONGEST:
                return TOO_LONG
            if self._clock.monotonic() - began >= 1:
                began, count = self._clock.monotonic(), 0
            count += 1
            if count > PER_SECOND:
                return TOO_MANY

    async def _guard(self) -> int:
        while True:
            await self._clock.sleep(CHECK)
            try:
                if not await self._viewer.still_valid():
                    return ENDED
            except Transient as cause:  # the record is away: nobody could have ended the session either
                log.warning("screens.session_unchecked", error=str(cause))

    async def _until_over(self) -> int:
        await self._viewer.over.wait()
        return ENDED

    async def _until_let_go(self, reader: Subscription) -> int:
        await reader.closed.wait()
        return SLOW

    async def _close(self, code: int) -> None:
        """Say why, unless nobody is listening: the server drops the line after that (screens.socket)."""
        if code == SLOW:
            return
        try:
            await self._websocket.close(code)
        except (WebSocketDisconnect, RuntimeError, OSError):
            log.debug("screens.closed_already", code=code)
