"""The hub's port, attacked with a socket of our own: what the framework in between would make polite."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from hub.api.auth import SESSION_COOKIE
from hub.api.deps import Plugged
from hub.api.rights import BOARD
from hub.api.server import PING, server
from hub.api.tokens import csrf_of
from hub.errors import ConfigError
from hub.model.people import Role
from screens.socket import ScreenSocket
from tests.api_house import JPEG, House, house
from tests.simulators.devices import BACK, THERE, Proxy

pytestmark = pytest.mark.anyio


def echo(over: asyncio.Event | None = None) -> Plugged:
    """A socket that tells who looks, and says back how much it heard; `over`: it has ended."""
    router = APIRouter()

    @router.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        viewer = await websocket.app.state.door.authenticate(websocket)
        await websocket.accept()
        await websocket.send_json(list(viewer.scopes))
        try:
            while True:
                await websocket.send_text(str(len(await websocket.receive_text())))
        except WebSocketDisconnect:
            if over is not None:
                over.set()

    return Plugged(router, {"/ws": BOARD})


@asynccontextmanager
async def serving(it: House, **limits: Any) -> AsyncIterator[int]:
    running = server(it.app, "127.0.0.1", 0, **limits)
    task = asyncio.create_task(running.serve())
    try:
        async with asyncio.timeout(10):
            await running.ready.wait()
        yield running.port
    finally:
        running.should_exit = True
        await task


async def raw(port: int, sent: bytes) -> bytes:
    """What comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


def login_headers(it: House, port: int, role: Role = Role.TECHNICIAN) -> tuple[str, ...]:
    token = it.token(f"{role.value}-1")
    return (
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        f"Cookie: {SESSION_COOKIE}={token}",
        f"X-Andon-CSRF: {csrf_of(token)}",
    )


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def told(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


# ------------------------------------------------------------------ plain
async def test_the_server_says_nothing_of_itself_and_everything_of_safety() -> None:
    async with serving(house()) as port:
        answer = await raw(
            port, request("GET /health HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close")
        )
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert status_of(answer) == 200
    assert b"uvicorn" not in head
    assert b"\r\nserver:" not in head
    for name in (b"content-security-policy", b"x-content-type-options: nosniff", b"x-frame-options: deny"):
        assert name in head


async def test_a_port_that_is_taken_is_told_with_the_remedy() -> None:
    async with serving(house()) as port:
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: cannot listen"):
            await server(house().app, "127.0.0.1", port).serve()


# ------------------------------------------------------------------ slow and big
async def test_who_does_not_finish_the_headers_is_hung_up_on() -> None:
    async with serving(house(), head_seconds=0.2) as port:
        assert await raw(port, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ") in (b"", b"reset")
        assert await raw(port, b"") in (b"", b"reset")


async def test_who_does_not_finish_the_body_is_hung_up_on() -> None:
    it = house()
    async with serving(it, body_seconds=0.2) as port:
        headers = (*login_headers(it, port), "Content-Type: application/json", "Content-Length: 100")
        answer = await raw(port, request("POST /api/alarms/1/acknowledge HTTP/1.1", *headers, body=b"{"))
    assert answer in (b"", b"reset")
    assert not it.desk.asked


async def test_slow_headers_of_a_second_request_are_hung_up_on_too() -> None:
    async with serving(house(), head_seconds=0.2) as port:
        first = request("GET /health HTTP/1.1", f"Host: 127.0.0.1:{port}")
        answer = await raw(port, first + b"GET /health HTTP/1.1\r\nX-Slow: ")
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_request_that_takes_its_time_inside_is_not_hung_up_on() -> None:
    it, asked, go_on = house(), asyncio.Event(), asyncio.Event()

    async def recent(limit: int) -> list[Any]:
        asked.set()
        await go_on.wait()
        return []

    it.ledger.recent_alarms = recent  # type: ignore[method-assign]
    async with serving(it, head_seconds=0.1, body_seconds=0.1) as port:
        sent = request("GET /api/alarms?open=false HTTP/1.1", *login_headers(it, port), "Connection: close")
        waiting = asyncio.create_task(raw(port, sent))
        await asked.wait()
        assert await raw(port, b"") in (
            b"",
            b"reset",
        )  # as long as it takes to lose patience with somebody else
        go_on.set()
        assert status_of(await waiting) == 200


async def test_a_flood_of_headers_is_refused() -> None:
    async with serving(house()) as port:
        answer = await raw(port, request("GET /health HTTP/1.1", "Host: x", "X-Big: " + "a" * 1_000_000))
    assert answer == b"reset" or status_of(answer) in (400, 431)


@pytest.mark.parametrize("length", ["2000000", "9" * 4000, "9" * 18])
async def test_a_body_that_announces_too_much_is_refused_unread(length: str) -> None:
    it = house()
    async with serving(it) as port:
        headers = (*login_headers(it, port), f"Content-Length: {length}", "Connection: close")
        answer = await raw(port, request("POST /api/alarms/1/acknowledge HTTP/1.1", *headers))
    assert status_of(answer) in (400, 413)
    assert not it.desk.asked


async def send(it: House, port: int, path: str, kind: str, body: Any) -> httpx.Response:
    """As a browser would, over a connection that stays open; `body` bytes, or pieces without a length."""
    headers = dict(line.split(": ", 1) for line in login_headers(it, port)) | {"Content-Type": kind}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        return await client.post(path, headers=headers, content=body)


async def test_a_body_that_grows_beyond_the_limit_without_announcing_it_is_cut_off() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 0x10000

    it = house()
    async with serving(it) as port:
        answer = await send(it, port, "/api/alarms/1/acknowledge", "application/json", pieces())
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too-large"
    assert not it.desk.asked


@pytest.mark.parametrize(("size", "status"), [(8 << 20, 200), ((8 << 20) + 1, 413), (9 << 20, 413)])
async def test_a_photo_of_eight_megabytes_is_the_largest(size: int, status: int) -> None:
    it = house()
    start = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="p.jpg"\r\n\r\n'
    body = start + JPEG + b"\0" * (size - len(JPEG)) + b"\r\n--b--\r\n"
    async with serving(it) as port:
        answer = await send(it, port, "/api/photos", "multipart/form-data; boundary=b", body)
    assert answer.status_code == status
    assert len(it.ledger.photos) == (status == 200)
    if status == 413:
        assert answer.json()["error"]["code"] == "photo-too-large"


async def test_a_stranger_cannot_make_the_hub_swallow_a_photo() -> None:
    it = house()
    async with serving(it) as port:
        headers = (
            f"Host: 127.0.0.1:{port}",
            f"Origin: http://127.0.0.1:{port}",
            f"Content-Length: {8 << 20}",
        )
        answer = await raw(port, request("POST /api/photos HTTP/1.1", *headers, "Connection: close"))
    assert status_of(answer) == 401  # told before a byte of the body was there


async def test_one_address_holds_so_many_connections_and_not_one_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub.api.server.is_loopback", lambda _: False)
    async with serving(house(), per_address=2) as port:
        ask = request("GET /health HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close")
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await raw(port, ask) in (b"", b"reset")
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        assert status_of(await raw(port, ask)) == 200


async def test_a_header_that_is_there_twice_is_refused() -> None:
    it = house()
    async with serving(it) as port:
        for twice in (
            f"Origin: http://127.0.0.1:{port}",
            "Origin: http://evil",
            "Host: evil",
            "X-Andon-CSRF: x",
        ):
            headers = (*login_headers(it, port), twice, "Connection: close")
            answer = await raw(port, request("POST /api/alarms/1/acknowledge HTTP/1.1", *headers))
            assert status_of(answer) in (400, 403), twice
    assert not it.desk.asked


ODD_ADDRESSES = (
    "/api/alarms/", "//api/alarms", "/api//alarms", "/API/alarms", "/api/../api/alarms", "/api/alarms%2f2",
    "/api/alarms/1/../2", "/api/photos/..%2f..%2fetc%2fpasswd", "/api/photos/%00", "/metrics/",
    "/api/%61larms/2", "http://evil.example/api/alarms", "/health/.", "/api/alarms/1%00", "/api/alarms;x=1",
)  # fmt: skip


async def test_another_way_of_writing_an_address_opens_nothing() -> None:
    it = house()
    async with serving(it) as port:
        for address in ODD_ADDRESSES:
            ask = request(f"GET {address} HTTP/1.1", *login_headers(it, port), "Connection: close")
            answer = await raw(port, ask)
            assert status_of(answer) in (400, 404), address
            assert b"Traceback" not in answer


async def test_other_methods_do_nothing() -> None:
    it = house()
    async with serving(it) as port:
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "CONNECT", "GETX"):
            headers = (*login_headers(it, port), "Connection: close")
            answer = await raw(port, request(f"{method} /api/alarms/1/acknowledge HTTP/1.1", *headers))
            assert status_of(answer) in (400, 404, 405), method
    assert not it.desk.asked


async def test_metrics_are_for_this_machine_but_not_for_whom_a_proxy_on_it_speaks() -> None:
    async with serving(house()) as port:
        here = (f"Host: 127.0.0.1:{port}", "Connection: close")
        assert status_of(await raw(port, request("GET /metrics HTTP/1.1", *here))) == 200
        for header in ("X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4"):
            assert status_of(await raw(port, request("GET /metrics HTTP/1.1", *here, header))) == 401


# ------------------------------------------------------------------ the socket
def cookie(it: House, role: Role = Role.VIEWER) -> dict[str, str]:
    return {"Cookie": f"{SESSION_COOKIE}={it.token(f'{role.value}-1')}"}


async def test_a_session_opens_the_socket_and_sees_its_own_scopes() -> None:
    it = house(plugged=(echo(),))
    async with serving(it) as port:
        url, origin = f"ws://127.0.0.1:{port}/ws", f"http://127.0.0.1:{port}"
        async with connect(url, origin=origin, additional_headers=cookie(it)) as ws:  # type: ignore[arg-type]
            assert json.loads(await ws.recv()) == ["p1/stamping"]
            await ws.send("hello")
            assert await ws.recv() == "5"


async def test_a_foreign_page_with_our_cookie_gets_no_socket() -> None:
    it = house(plugged=(echo(),))
    async with serving(it) as port:
        here = f"127.0.0.1:{port}"
        foreign: tuple[Any, ...] = (
            "http://evil.example",
            None,
            "null",
            f"http://{here}.evil",
            f"https://{here}",
        )
        for origin in foreign:
            with pytest.raises(InvalidStatus) as refusal:
                async with connect(f"ws://{here}/ws", origin=origin, additional_headers=cookie(it)):
                    raise AssertionError("let in")
            assert refusal.value.response.status_code == 403, origin


async def test_without_a_session_there_is_no_socket() -> None:
    it = house(plugged=(echo(),))
    async with serving(it) as port:
        origin: Any = f"http://127.0.0.1:{port}"
        for headers in ({}, {"Cookie": f"{SESSION_COOKIE}=made-up"}):
            with pytest.raises(InvalidStatus) as refusal:
                async with connect(f"ws://127.0.0.1:{port}/ws", origin=origin, additional_headers=headers):
                    raise AssertionError("let in")
            assert refusal.value.response.status_code == 401


async def test_a_message_of_more_than_64_kilobytes_ends_the_socket() -> None:
    it = house(plugged=(echo(),))
    async with serving(it) as port:
        origin: Any = f"http://127.0.0.1:{port}"
        async with connect(f"ws://127.0.0.1:{port}/ws", origin=origin, additional_headers=cookie(it)) as ws:
            await ws.recv()
            await ws.send("x" * (65 << 10))
            with pytest.raises(ConnectionClosed) as end:
                await ws.recv()
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 1009


async def test_a_socket_whose_line_passes_nothing_on_is_closed_by_the_hub() -> None:
    assert 2 * PING <= 10
    over = asyncio.Event()
    it = house(plugged=(echo(over),))
    async with serving(it, ws=ScreenSocket, ping=0.2) as port, Proxy(port) as line:
        origin: Any = f"http://127.0.0.1:{line.port}"
        async with connect(
            f"ws://127.0.0.1:{line.port}/ws", origin=origin, additional_headers=cookie(it)
        ) as ws:
            await ws.recv()
            await ws.send("hello")
            assert await ws.recv() == "5", "it is up"
            line.lose(THERE, BACK)
            async with asyncio.timeout(10):
                await over.wait()
            line.cut()


async def test_a_refused_socket_is_one_line_in_the_log_and_no_bug_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "uvicorn.error")
    it = house(plugged=(echo(),))
    with capture_logs() as said:
        async with serving(it, ws=ScreenSocket) as port:
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"ws://127.0.0.1:{port}/ws", origin=Origin(f"http://127.0.0.1:{port}")):
                    pass
    assert refused.value.response.status_code == 401
    assert [(line["event"], line["code"]) for line in said] == [("socket.refused", "not-logged-in")]
    assert not caplog.records
