"""Hostile clients: requests and WebSocket frames of real ones, spoilt, towards the hub's own port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from websockets.asyncio.client import connect

from hub.api.auth import SESSION_COOKIE
from hub.api.server import server
from hub.api.tokens import csrf_of
from hub.bus.memory import MemoryBus
from screens.app import pages
from screens.socket import ScreenSocket
from tests.api_house import house
from tests.fuzz.mutations import mutated
from tests.fuzz.stand import Outcome, Recorder, luck, many
from tests.integration.feed_stage import Stage
from tests.integration.test_feed_socket import Visitor

_WAIT = 0.2  # seconds for what may say nothing
_ANSWER = 2.0  # for what says something: an answer, or that the line is cut
_AT_ONCE = 32
_SAID: tuple[tuple[str, str, object], ...] = (
    ("GET", "/api/me", None), ("GET", "/api/alarms?limit=5", None), ("GET", "/api/mes/rejects", None),
    ("POST", "/api/login", {"user": "li", "password": "Zug-4711-Kran-88"}),
    ("POST", "/api/alarms/1/acknowledge", {"note": "是"}),
    ("POST", "/api/mes/mes", {"events": [{"type": "report"}]}),
    ("POST", "/api/mes/rejects/1/check", {"event": '{"type": "report"}'}),
)  # fmt: skip


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[int]:
    one = server(app, "127.0.0.1", 0, ws=ScreenSocket, head_seconds=_WAIT, body_seconds=_WAIT)
    task = asyncio.create_task(one.serve())
    await one.ready.wait()
    try:
        yield one.port
    finally:
        one.should_exit = True
        await task


async def _spoken(port: int, *parts: bytes) -> bytes:
    """What comes back at first after each; the line is gone afterwards."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        for number, part in enumerate(parts):
            writer.write(part)
            async with asyncio.timeout(_WAIT if number else _ANSWER):
                heard += await reader.read(1 << 16)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return heard


async def _requests(port: int, token: str) -> list[bytes]:
    async with Recorder(port) as between:
        where = f"http://127.0.0.1:{between.port}"
        headers = {"Origin": where, "Cookie": f"{SESSION_COOKIE}={token}", "X-Andon-CSRF": csrf_of(token)}
        for method, path, body in _SAID:
            async with httpx.AsyncClient(headers=headers, base_url=where) as http:
                await http.request(method, path, json=body)
        return [b"".join(d for who, d in talk if who == "client") for talk in between.talks]


async def http(count: int, seed: int = 1) -> Outcome:
    it, out = house(), Outcome()
    async with _serving(it.app) as port:
        said = await _requests(port, it.token("admin-1"))
        assert len(said) == len(_SAID)

        async def one(number: int) -> str:
            rng = luck(seed, number)
            heard = await _spoken(port, mutated(rng, rng.choice(said), text=True))
            if b"HTTP/1.1 500" in heard:
                out.fault(number, f"an error of our own: {heard[:200]!r}")
            return heard[9:12].decode("latin-1") or "closed"

        await many(count, one, out, _AT_ONCE)
        assert (await _spoken(port, said[0]))[9:12] == b"200", "nobody answers any more"
    return out


async def _frames(port: int) -> tuple[bytes, list[bytes]]:
    """The handshake of a real client, and its frames."""
    async with Recorder(port) as between:
        async with connect(f"ws://127.0.0.1:{between.port}/ws") as line:
            await line.recv()
            await line.send("hello")
            await line.send(b"\x00\x01" * 300)
            await (await line.ping())
            await line.send("x" * 2000)
        whole = b"".join(data for who, data in between.talks[0] if who == "client")
        parts = [data for who, data in between.talks[0] if who == "client"]
    head = whole[: whole.index(b"\r\n\r\n") + 4]
    return head, [p for p in parts if p != head]


async def websocket(count: int, seed: int = 1) -> Outcome:
    out, app = Outcome(), FastAPI()

    async def welcome(_: object) -> Visitor:
        return Visitor(("p1",))

    async with Stage(MemoryBus({})).running() as stage:
        app.router.routes.extend(pages(stage.feed, welcome, lambda _: True).routes)
        async with _serving(app) as port:
            head, frames = await _frames(port)

            async def one(number: int) -> str:
                rng = luck(seed, number)
                early = rng.random() < 0.2
                first = mutated(rng, head, text=True) if early else head
                spoilt = mutated(rng, rng.choice(frames))
                heard = await _spoken(port, first, spoilt, rng.choice(frames))
                if b"HTTP/1.1 500" in heard:
                    out.fault(number, f"an error of our own: {heard[:200]!r}")
                return heard[9:12].decode("latin-1") or "closed"

            await many(count, one, out, _AT_ONCE)
            assert (await _spoken(port, head))[9:12] == b"101", "nobody is let in any more"
    return out
