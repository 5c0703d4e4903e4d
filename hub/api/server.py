"""uvicorn with limits: on sizes, on connections, and on how long a client may take to ask."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from hub.api.limits import household, is_loopback
from hub.errors import ConfigError

HEAD_SECONDS = 10.0  # until the request line and the headers are there
BODY_SECONDS = 180.0  # until the body is: a photo of 8 MB over 64 kB/s
PING = 5.0  # seconds between two pings of a WebSocket, and for the answer: who is gone is seen within ten
PER_ADDRESS = 200  # connections that are not a WebSocket yet; a browser opens six


def server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    ws: type[asyncio.Protocol] | None = None,
    trusted_proxies: str = "",
    head_seconds: float = HEAD_SECONDS,
    body_seconds: float = BODY_SECONDS,
    per_address: int = PER_ADDRESS,
    connections: int = 2000,
    ping: float = PING,
) -> HubServer:
    """Not yet started: `await server.serve()`. Logs nothing of requests: their query strings are nobody's
    business.

    `ws`: a WebSocket protocol of the screens' own, instead of uvicorn's.
    `trusted_proxies`: addresses, with commas, whose X-Forwarded-For and -Proto are believed; none unless
    told.
    """
    http = type(
        "LimitedProtocol",
        (Impatient,),
        {
            "head_seconds": head_seconds,
            "body_seconds": body_seconds,
            "per_address": per_address,
            "open_by_address": Counter(),
        },
    )
    config = uvicorn.Config(
        app, host, port,
        http=http, ws=ws or "websockets-sansio", ws_max_size=64 << 10, ws_max_queue=8,
        ws_ping_interval=ping, ws_ping_timeout=ping, ws_per_message_deflate=True,
        h11_max_incomplete_event_size=32 << 10, limit_concurrency=connections, backlog=512,
        timeout_keep_alive=20, timeout_graceful_shutdown=3,
        server_header=False, access_log=False, log_config=None, lifespan="off",
        proxy_headers=bool(trusted_proxies), forwarded_allow_ips=trusted_proxies or None,
    )  # fmt: skip
    return HubServer(config)


class HubServer(uvicorn.Server):
    """Leaves signals to the roof, says when it is ready, and on which port."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            at = f"{self.config.host}:{self.config.port}"
            raise ConfigError(
                f"{at}: cannot listen there; is a hub running? Choose another hub.port"
            ) from None
        self.ready.set()

    @property
    def port(self) -> int:
        """The one it got, when it was asked for port 0."""
        return int(self.servers[0].sockets[0].getsockname()[1])


class Impatient(H11Protocol):
    """uvicorn waits for ever for the end of a request; we do not (slow headers, slow bodies).

    Nor may one address hold all connections. This machine itself is exempt: a proxy or the simulators speak
    for many.
    """

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    per_address = PER_ADDRESS
    open_by_address: ClassVar[Counter[str]] = Counter()
    _counted = ""
    _timer: asyncio.TimerHandle | None = None
    _waits_for = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = household(self.client[0]) if self.client else ""
        if address and not is_loopback(self.client[0] if self.client else ""):
            self._counted = address
            self.open_by_address[address] += 1
            if self.open_by_address[address] > self.per_address:
                transport.abort()
                return
        self._wait_for("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # a next request has begun already; else keep-alive's own timer runs
            self._look()

    def _look(self) -> None:
        """What of a request is still to come?"""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._wait_for("body")
        elif state is h11.IDLE and self.cycle is not None and not self.cycle.response_complete:
            self._wait_for("")
        elif state is h11.IDLE:
            self._wait_for("head")
        else:  # asked in full, upgraded or broken
            self._wait_for("")

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._forget()
        super().handle_websocket_upgrade(event)

    def _wait_for(self, what: str) -> None:
        """Start the clock of this part of a request; one that runs already goes on."""
        if what == self._waits_for:
            return
        self._waits_for = what
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if what:
            seconds = self.head_seconds if what == "head" else self.body_seconds
            self._timer = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _forget(self) -> None:
        self._wait_for("")
        if self._counted:
            self.open_by_address[self._counted] -= 1
            if self.open_by_address[self._counted] <= 0:
                del self.open_by_address[self._counted]
            self._counted = ""
