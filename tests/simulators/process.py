"""What every simulator process does alike: say that it serves, and end when it should.

A simulator prints one line of JSON on stdout once it is serving, ends cleanly on SIGTERM and SIGINT, and does
not outlive the process that started it: a demo that was killed must leave nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn

PARENT_CHECK = 0.5  # seconds between two looks at the parent


def announce(name: str, url: str, **more: Any) -> None:
    """The ready line: `{"ready": name, "url": url, ...}`."""
    say({"ready": name, "url": url, **more})


def say(line: dict[str, Any]) -> None:
    """One line of JSON on stdout, at once; whoever started us may already have stopped reading."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def told_to_stop() -> asyncio.Future[str]:
    """Done when SIGTERM or SIGINT comes or the parent ends; holds which it was. Listens from this call on.

    Call it before `announce`: whoever reads the ready line may stop us the next moment. The handlers stay
    until the loop is closed, so that a second Ctrl-C does not break the clean-up.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()

    def tell(reason: str) -> None:
        if not stop.done():
            stop.set_result(reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, signal.Signals(number).name)
    parent = int(os.environ.get("ANDON_PARENT") or os.getppid())  # named: it may be gone by now
    watch = loop.create_task(_parent_gone(parent, tell))
    stop.add_done_callback(lambda _: watch.cancel())
    return stop


async def _parent_gone(parent: int, tell: Callable[[str], None]) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_CHECK)
    tell("parent gone")


class QuietServer(uvicorn.Server):
    """uvicorn without signal handlers and logs of its own, to run beside other tasks in one loop."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none",
                           timeout_graceful_shutdown=1)
        )  # fmt: skip
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


def listening(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A bound socket (port 0: any free one); raises OSError with a remedy when the port is taken."""
    # named as TCP, or asyncio leaves Nagle's delay on and every answer is 40 ms late
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as cause:
        sock.close()
        raise OSError(f"cannot serve on {host}:{port} ({cause.strerror}); choose another --port") from None
    return sock


@contextlib.asynccontextmanager
async def http_server(app: Any, port: int) -> AsyncIterator[str]:
    """Serve `app` (ASGI) on the loopback inside the block; yields the base URL."""
    sock = listening(port)
    server = QuietServer(app)
    task = asyncio.create_task(server.serve([sock]))
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        sock.close()


def serve_until_told(
    name: str, app: Any, port: int, beside: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Serve, print the ready line, wait, stop: an HTTP simulator's whole life. `beside` runs meanwhile."""

    async def life() -> None:
        async with http_server(app, port) as url:
            stop = told_to_stop()
            announce(name, url)
            side = asyncio.ensure_future(beside()) if beside else None
            await stop
            if side:
                side.cancel()
                await asyncio.gather(side, return_exceptions=True)

    try:
        asyncio.run(life())
    except OSError as cause:
        sys.exit(f"{name}: {cause}")
