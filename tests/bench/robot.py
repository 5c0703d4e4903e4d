"""A chat robot that takes everything and notes when it came: as little HTTP/1.1 as that needs."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_YES = b'{"errcode":0,"errmsg":"ok"}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_YES) + _YES
)


@dataclass(frozen=True, slots=True)
class Arrival:
    at: float  # monotonic, when the whole request was there
    target: str  # path and query
    body: str


class Robot:
    """Messages in the order in which they came."""

    def __init__(self) -> None:
        self.arrivals: asyncio.Queue[Arrival] = asyncio.Queue()
        self.url = ""

    async def told(self, target: str, seconds: float = 20.0) -> Arrival:
        """The next message, which has to be for this target; raises TimeoutError or RuntimeError."""
        async with asyncio.timeout(seconds):
            arrival = await self.arrivals.get()
        if target not in arrival.target:
            raise RuntimeError(f"expected a message for {target}, got one for {arrival.target}")
        return arrival


class _Talk(asyncio.Protocol):
    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            head, _, rest = self._heard.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            target = head.split(b" ", 2)[1].decode()
            self._heard = rest[length:]
            self._transport.write(_ANSWER)
            self._robot.arrivals.put_nowait(Arrival(now, target, rest[:length].decode()))


@contextlib.asynccontextmanager
async def robot() -> AsyncIterator[Robot]:
    made = Robot()
    server = await asyncio.get_running_loop().create_server(lambda: _Talk(made), "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
