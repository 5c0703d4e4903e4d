"""The board over a real WebSocket, and the pages over HTTP, served by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub.api.auth import SESSION_COOKIE
from hub.api.origin import ours
from hub.errors import Transient
from screens.app import BOARD_PATHS, CHECK, LONGEST, PER_SECOND, PUBLIC_PATHS, pages
from screens.channel import PATIENCE
from screens.socket import ScreenSocket
from tests.buses import MakeBus
from tests.integration.feed_stage import L1, M1, M2, TEMP1, Reader, Stage, alarm, until

pytestmark = pytest.mark.anyio


@dataclass
class Visitor:
    scopes: tuple[str, ...]
    valid: bool = True
    trouble: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def still_valid(self) -> bool:
        if self.trouble:
            raise Transient("the database is away: test")
        return self.valid


@dataclass
class House:
    stage: Stage
    address: str
    server: uvicorn.Server
    visitors: dict[str, Visitor] = field(default_factory=dict)  # by cookie

    async def authenticate(self, websocket: WebSocket) -> Visitor | None:
        return self.visitors.get(websocket.cookies.get("andon_session", ""))

    def origin_is_ours(self, asked: HTTPConnection) -> bool:
        headers = asked.headers
        return ours(headers.getlist("origin"), headers.getlist("host"), asked.url.scheme, "", ())

    def open(self, cookie: str = "whole", origin: str | None = None, **more: object) -> connect:
        origin = f"http://{self.address}" if origin is None else origin
        headers = {"Cookie": f"andon_session={cookie}"}
        if origin:
            headers["Origin"] = origin
        return connect(f"ws://{self.address}/ws", additional_headers=headers, **more)  # type: ignore[arg-type]


def shells(folder: Path) -> Path:
    folder.mkdir()
    for page in ("wall", "phone", "console", "login"):
        (folder / f"{page}.html").write_text(f"<!doctype html><title>{page}</title>", "utf-8")
    (folder / "phone.html").write_text(
        '<!doctype html><script type="importmap">{"imports":{}}</script><script>alert(1)</script>', "utf-8"
    )
    (folder / "sw.js").write_text("// worker\n", "utf-8")
    (folder / "manifest.webmanifest").write_text("{}", "utf-8")
    (folder / "lib").mkdir()
    (folder / "lib" / "feed.js").write_text("export {}\n", "utf-8")
    (folder / ".secret").write_text("no", "utf-8")
    (folder.parent / "outside.js").write_text("no", "utf-8")
    return folder


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_bus: MakeBus) -> AsyncIterator[House]:
    monkeypatch.setattr("screens.socket.LINGER", 0.05)
    async with Stage(make_bus({})).running() as stage:
        listener = socket.create_server(("127.0.0.1", 0))
        app = FastAPI()
        server = uvicorn.Server(
            uvicorn.Config(
                app, ws=ScreenSocket, ws_max_size=LONGEST, lifespan="off", log_config=None, access_log=False
            )
        )
        house = House(stage, f"127.0.0.1:{listener.getsockname()[1]}", server)
        house.visitors = {"whole": Visitor(("p1",)), "line": Visitor((L1,))}
        static = shells(tmp_path / "static")
        app.router.routes.extend(pages(stage.feed, house.authenticate, house.origin_is_ours, static).routes)
        task = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        try:
            yield house
        finally:
            server.should_exit = True
            async with asyncio.timeout(10):
                await task
            listener.close()


class Browser(Reader):
    def __init__(self, line: ClientConnection) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.line = line

    async def next(self, kind: str = "") -> dict[str, object]:
        async with asyncio.timeout(5):
            while True:
                text = await self.line.recv()
                assert isinstance(text, str), "frames are text"
                frame = self.take(text)
                if not kind or frame["type"] == kind:
                    return frame


async def code_of(line: ClientConnection) -> int | None:
    """With what the hub closed the line; what it says before that is heard out."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            while True:
                await line.recv()
    return line.close_code


# ------------------------------------------------------------------ the board
async def test_a_browser_gets_the_board_and_keeps_it_by_patches(house: House) -> None:
    async with house.open() as line:
        browser = Browser(line)
        assert (await browser.next())["type"] == "snapshot"
        house.stage.ledger.alarms = [alarm()]
        await house.stage.hint("alarm")
        await browser.next("patch")
        assert list(browser.board["alarms"]) == ["1"]
        await house.stage.say(1, 88.0)
        await house.stage.turn(0.3)
        await browser.next("patch")
        assert browser.board["machines"][M1]["values"][TEMP1]["value"] == 88.0
        await house.stage.turn(1.1)
        await browser.next("heartbeat")
        assert browser.board == house.stage.feed.snapshot(("p1",))["board"]


async def test_a_line_leaders_socket_carries_their_line_alone(house: House) -> None:
    async with house.open("line") as line:
        browser = Browser(line)
        await browser.next()
        house.stage.ledger.alarms = [alarm(2, M2)]
        await house.stage.hint("alarm")
        await house.stage.say(2, 50.0)
        await house.stage.turn(1.2)
        await browser.next("heartbeat")
        assert M2 not in str(browser.frames)


async def test_a_hundred_phones_hear_the_same_alarm(house: House) -> None:
    async with contextlib.AsyncExitStack() as lines:
        browsers = [Browser(await lines.enter_async_context(house.open())) for _ in range(100)]
        for browser in browsers:
            await browser.next("snapshot")
        house.stage.ledger.alarms = [alarm()]
        await house.stage.hint("alarm")
        for browser in browsers:
            await browser.next("patch")
        assert {b.seq for b in browsers} == {browsers[0].seq}


# ------------------------------------------------------------------ who may listen
@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "https://{address}",
        "http://{address}.evil.example",
        "http://evil.example/{address}",
        "http://127.0.0.1",
    ],
)
async def test_a_foreign_or_missing_origin_is_refused_even_with_a_cookie(house: House, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with house.open(origin=origin.format(address=house.address)):
            pass
    assert refused.value.response.status_code == 403
    assert house.stage.feed.readers == 0


async def test_without_a_session_there_is_no_socket(house: House) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with house.open("nobody"):
            pass
    assert refused.value.response.status_code == 403


async def test_the_socket_of_an_ended_session_is_closed_within_five_seconds(house: House) -> None:
    async with house.open() as line:
        browser = Browser(line)
        await browser.next()
        house.visitors["whole"].valid = False
        assert CHECK < 5
        await house.stage.turn(CHECK + 0.1)
        assert await code_of(line) == 4401
    await until(lambda: house.stage.feed.readers == 0)


async def test_the_socket_of_a_screen_that_is_sent_away_is_closed_at_once(house: House) -> None:
    async with house.open() as line:
        await Browser(line).next()
        house.visitors["whole"].over.set()  # the clock stands still: nobody looks at the session
        assert await code_of(line) == 4401


async def test_a_record_that_is_away_does_not_close_sockets(house: House) -> None:
    async with house.open() as line:
        browser = Browser(line)
        await browser.next()
        house.visitors["whole"].trouble = True
        await house.stage.turn(CHECK + 0.1)
        await browser.next("heartbeat")
        assert house.stage.feed.readers == 1


# ------------------------------------------------------------------ what may come in
async def test_a_few_words_from_a_browser_are_ignored(house: House) -> None:
    async with house.open() as line:
        browser = Browser(line)
        await browser.next()
        for _ in range(PER_SECOND):
            await line.send("hello")
        await house.stage.turn(1.1)
        await browser.next("heartbeat")


async def test_a_chatterbox_is_closed(house: House) -> None:
    async with house.open() as line:
        await line.recv()
        for _ in range(PER_SECOND + 1):
            await line.send("hello")
        assert await code_of(line) == 4429


async def test_a_message_over_64_kilobytes_is_refused(house: House) -> None:
    async with house.open() as line:
        await line.recv()
        await line.send("x" * (LONGEST + 1))
        assert await code_of(line) == 1009


# ------------------------------------------------------------------ slow ones
async def test_a_browser_that_reads_nothing_is_cut_off_and_the_others_go_on(house: House) -> None:
    """Its receive window is full: neither data nor a close frame gets through, so the line itself is cut."""
    frozen = await frozen_browser(house)
    async with house.open() as line:
        browser = Browser(line)
        await browser.next()
        stage = house.stage
        stage.ledger.alarms = [alarm(n) for n in range(1, 800)]  # big frames fill the buffers sooner
        for n in range(int(PATIENCE) * 2):
            stage.ledger.alarms = [
                a if i % 2 else alarm(a.id, M2 if n % 2 else M1) for i, a in enumerate(stage.ledger.alarms)
            ]
            await stage.hint("alarm")
            await stage.turn(1.1)
            await browser.next("heartbeat")
            if stage.feed.readers == 1:
                break
        assert stage.feed.readers == 1, "the frozen one is still there"
        await until(lambda: len(house.server.server_state.connections) == 1)
        await stage.turn(1.1)
        await browser.next("heartbeat")
    frozen.close()


async def frozen_browser(house: House) -> socket.socket:
    """Shakes hands, then never reads again."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    host, port = house.address.split(":")
    await loop.sock_connect(peer, (host, int(port)))
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    await loop.sock_sendall(
        peer,
        (
            f"GET /ws HTTP/1.1\r\nHost: {house.address}\r\nOrigin: http://{house.address}\r\n"
            "Cookie: andon_session=whole\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode(),
    )
    await until(lambda: house.stage.feed.readers == 1)
    return peer


# ------------------------------------------------------------------ pages
@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    cookies = {SESSION_COOKIE: "whatever"}
    async with httpx.AsyncClient(
        base_url=f"http://{house.address}", cookies=cookies, trust_env=False
    ) as client:
        yield client


async def test_the_front_door_leads_to_the_wall(http: httpx.AsyncClient) -> None:
    answer = await http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/wall")


async def test_who_never_logged_in_is_sent_to_the_login_and_back(http: httpx.AsyncClient) -> None:
    http.cookies.clear()
    answer = await http.get("/phone?lang=en")
    assert (answer.status_code, answer.headers["location"]) == (307, "/login?next=%2Fphone%3Flang%3Den")
    assert (await http.get("/console")).status_code == 307
    assert [(await http.get(path)).status_code for path in ("/wall", "/login")] == [200, 200]


@pytest.mark.parametrize("path", ["/wall", "/phone", "/console", "/login", "/sw.js", "/static/lib/feed.js"])
async def test_pages_are_public_revalidated_and_closed_to_foreign_things(
    http: httpx.AsyncClient, path: str
) -> None:
    first = await http.get(path)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["x-content-type-options"] == "nosniff"
    policy = first.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_an_import_map_is_allowed_by_its_hash_and_no_other_inline_script(
    http: httpx.AsyncClient,
) -> None:
    policy = (await http.get("/phone")).headers["content-security-policy"]
    assert len(re.findall(r"'sha256-[^']+'", policy)) == 1
    assert "sha256" not in (await http.get("/wall")).headers["content-security-policy"]


async def test_a_file_that_changed_is_served_anew(http: httpx.AsyncClient, tmp_path: Path) -> None:
    before = (await http.get("/static/lib/feed.js")).headers["etag"]
    file = tmp_path / "static" / "lib" / "feed.js"
    file.write_text("export const changed = true\n", "utf-8")
    answer = await http.get("/static/lib/feed.js", headers={"If-None-Match": before})
    assert (answer.status_code, "changed" in answer.text) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../outside.js",
        "/static/%2e%2e/outside.js",
        "/static/lib/..%2f..%2foutside.js",
        "/static/.secret",
        "/static/lib",
        "/static/",
        "/static/none.js",
        "/static//etc/passwd",
        "/static/a%00b.js",
    ],
)
async def test_nothing_outside_the_folder_is_served(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.send(httpx.Request("GET", http.base_url.join("/").copy_with(raw_path=path.encode())))
    assert answer.status_code == 404


async def test_plotly_comes_out_of_its_own_package(http: httpx.AsyncClient) -> None:
    answer = await http.get("/static/vendor/plotly.min.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) > 1_000_000


async def test_every_route_is_named_as_public_or_as_the_boards(house: House) -> None:
    router = pages(house.stage.feed, house.authenticate, house.origin_is_ours)
    assert {r.path for r in router.routes} == {*PUBLIC_PATHS, *BOARD_PATHS}  # type: ignore[attr-defined]
