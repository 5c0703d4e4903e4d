"""What stands between a connector and a real server and fails on command; the server knows nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# what changes something; log-ins, searches and looks at fields are left alone
WRITES = frozenset(
    {
        "create", "write", "delete", "run", "do", "wait", "draft", "cancel", "ship", "assign_try", "process",
        "pass_", "fail",
    }
)  # fmt: skip
_MODELS = {
    "ticket": ("project.work",),
    "report": ("production.work.cycle",),
    "posting": ("production", "stock.move", "stock.lot", "stock.shipment.internal", "quality.inspection",
                "timesheet.line"),
}  # fmt: skip
_CONCURRENCY = {"error": ["ConcurrencyException", "Records were modified in the meanwhile"]}


@dataclass
class Fault:
    kind: str
    on: str = ""
    times: int = 1


class FailingProxy:
    """Forwards one exchange per connection; a planned fault meets the next write it is meant for."""

    def __init__(self, target: str) -> None:
        where = urlsplit(target)
        self._target = (where.hostname or "127.0.0.1", where.port or 80)
        self._planned: list[Fault] = []
        self._server: asyncio.Server | None = None
        self._port = 0
        self._talks: set[asyncio.Task[None]] = set()
        self.seen: list[str] = []  # methods of the writes that came by
        self.log_ins = 0
        self.at: dict[str, str] = {}  # method -> a fault for the next one of exactly that method
        self.odd: set[str] = set()  # of world.ODD, until forgotten
        self.before: dict[str, Callable[[], Awaitable[Any]]] = {}  # method -> what happens just before it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    async def up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Nobody listens here any more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def end(self) -> None:
        """Down, and nobody is being served any more: a caller that died in the middle has left his answer."""
        await self.down()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def plan(self, kind: str, on: str = "", times: int = 1) -> None:
        self._planned.append(Fault(kind, on, times))

    def forget(self) -> None:
        self._planned.clear()
        self.at.clear()
        self.odd.clear()

    # ------------------------------------------------------------------ one exchange
    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(self._serve(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head, body = await _request(reader)
            writer.write(await self._answer(head, body))
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        if "page" in self.odd:
            return _reply(200, "<!DOCTYPE html><h1>系统维护中</h1>".encode(), "text/html")
        call = json.loads(body)
        self.log_ins += call["method"] == "common.db.login"
        hook = self.before.pop(str(call["method"]).removeprefix("model."), None)
        if hook is not None:
            await hook()
        fault = self._meets(call)
        if fault == "drop_before":
            return b""
        if fault == "unavailable":
            return _reply(503, b"<h1>Service Unavailable</h1>", "text/html")
        if fault == "rate_limited":
            return _reply(429, b"<h1>Too Many Requests</h1>", "text/html", "Retry-After: 30\r\n")
        if fault == "locked":
            return _reply(200, json.dumps(_CONCURRENCY).encode(), "application/json")
        if self.odd:
            head, body = _twisted(head, call, self.odd)
        answer = await self._forwarded(head, body)
        if fault == "drop_after_commit":
            return b""
        if fault == "error_after_commit":
            return _reply(500, b"<h1>Internal Server Error</h1>", "text/html")
        if fault == "garbage_after_commit":
            return _reply(200, b"\x00<br>Warning: out of", "application/json")
        return answer

    def _meets(self, call: dict[str, Any]) -> str:
        model, _, method = str(call["method"]).removeprefix("model.").rpartition(".")
        if method not in WRITES or model.startswith("res."):
            return ""
        self.seen.append(f"{model}.{method}")
        if f"{model}.{method}" in self.at:
            return self.at.pop(f"{model}.{method}")
        if model == "ir.note":
            model = str(call["params"][0][0]["resource"]).partition(",")[0] if method == "create" else model
        for fault in self._planned:
            if fault.times and (not fault.on or model in _MODELS[fault.on]):
                fault.times -= 1
                return fault.kind
        return ""

    async def _forwarded(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._target)
        try:
            writer.write(head + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def _twisted(head: bytes, call: dict[str, Any], odd: set[str]) -> tuple[bytes, bytes]:
    """Something on the way that loses parts of the question; the server answers what is left of it."""
    if "renamed" in odd:
        call["method"] = call["method"].replace(".project.work.", ".project.gone.")
    if call["method"].endswith(".search_read"):
        call["params"][0] = [_lost(clause, odd) for clause in call["params"][0]]
    body = json.dumps(call).encode()
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([lines[0], b"Content-Length: %d" % len(body), *lines[1:]]), body


def _lost(clause: Any, odd: set[str]) -> Any:
    match clause:
        case ["id", ">", int()] if "same_page" in odd:
            return ["id", ">", 0]
        case [_, "like", _] | ["name" | "number" | "code", "=" | "in", _] if "any_document" in odd:
            return ["id", ">", 0]
    return clause


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """(head that asks to close, body)."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith(b"connection:")]
    length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
    return b"\r\n".join([*lines, b"Connection: close", b"", b""]), await reader.readexactly(length)


def _reply(status: int, body: bytes, content_type: str, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n{more}\r\n"
    )
    return head.encode() + body


@contextlib.asynccontextmanager
async def failing_proxy(target: str) -> AsyncIterator[FailingProxy]:
    proxy = FailingProxy(target)
    await proxy.up()
    try:
        yield proxy
    finally:
        await proxy.end()
