"""Where spoilt exchanges are played, and what became of them is counted."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import random
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from hub.errors import SourceRefused, SourceUnavailable
from hub.model.batch import SampleBatch

_BAD = 0x80000000
_LONGEST = 20.0  # seconds after which an input counts as one that never ends

Cut = Callable[[bytes], int]
Answer = Callable[[bytes], bytes | None]


@dataclass
class Outcome:
    """`faults`: inputs after which something was wrong, each with what."""

    inputs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    megabytes: float = 0.0
    tasks_left: int = 0
    samples: int = 0

    def fault(self, number: int, what: str) -> None:
        if len(self.faults) < 50:
            self.faults.append(f"input {number}: {what}")


def resident() -> float:
    """Megabytes of this process that are in use: what is only not given back yet is no growth."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def luck(seed: int, number: int) -> random.Random:
    return random.Random(f"{seed}/{number}")


async def many(count: int, one: Callable[[int], Awaitable[str]], out: Outcome, at_once: int = 32) -> Outcome:
    """`one(number)` plays an input and says how it ended; its memory counts from the first fifth on."""
    before = asyncio.all_tasks()
    numbers = iter(range(count))
    memory = 0.0

    async def work() -> None:
        nonlocal memory
        for number in numbers:
            if number == count // 5:
                memory = resident()
            try:
                async with asyncio.timeout(_LONGEST):
                    said = await one(number)
            except (SourceUnavailable, SourceRefused) as cause:
                said = type(cause).__name__
            except TimeoutError:
                said = "endless"
                out.fault(number, "never ended")
            except Exception as cause:  # what this is about
                said = type(cause).__name__
                out.fault(number, f"{cause!r} at {_place(cause)}")
            out.inputs += 1
            out.ends[said] += 1

    with _complaints(out):
        await asyncio.gather(*(work() for _ in range(at_once)))
        for _ in range(20):
            await asyncio.sleep(0)
    out.megabytes = max(out.megabytes, round(resident() - memory, 1))
    left = {t for t in asyncio.all_tasks() - before if not t.done()}
    out.tasks_left += len(left)
    return out


def _place(cause: BaseException) -> str:
    frames = traceback.extract_tb(cause.__traceback__)[-3:]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))


class Shelf:
    """A sink that looks at each batch and keeps none: no number that is none may count as good."""

    def __init__(self, out: Outcome, number: int, known: set[int], poison: float | None = None) -> None:
        self._out, self._number, self._known, self._poison = out, number, known, poison
        self.values: list[float] = []

    async def put(self, item: SampleBatch) -> None:
        self._out.samples += len(item)
        good = item.statuses < _BAD
        if not np.isfinite(item.values[good]).all():
            self._out.fault(self._number, f"stored as good: {item.values[good]}")
        if not {int(t) for t in item.tags} <= self._known:
            self._out.fault(self._number, f"stored under tags {sorted({int(t) for t in item.tags})}")
        if self._poison is not None and (item.values[good] == self._poison).any():
            self._out.fault(self._number, "a value was stored that was nobody's answer")
        self.values += item.values[good].tolist()


class Last(bytes):
    """A reply behind which the connection ends."""


class _Player(asyncio.Protocol):
    """Answers each message that it has in full; None ends the connection."""

    def __init__(self, cut: Cut, answer: Answer, open_ones: set[asyncio.Transport]) -> None:
        self._cut, self._answer, self._open, self._held = cut, answer, open_ones, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._open.add(self._transport)

    def connection_lost(self, cause: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (size := self._cut(self._held)) and not self._transport.is_closing():
            message, self._held = self._held[:size], self._held[size:]
            reply = self._answer(message)
            if reply is None:
                self._transport.close()
            elif reply:
                self._transport.write(reply)
                if isinstance(reply, Last):
                    self._transport.close()


@asynccontextmanager
async def playing(cut: Cut, answer: Callable[[], Answer]) -> AsyncIterator[int]:
    """A server with answers of its own for each connection; its port."""
    open_ones: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Player(cut, answer(), open_ones), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for transport in list(open_ones):
            transport.abort()


class Recorder:
    """Between a client and a real server: everything that went each way, in its order."""

    def __init__(self, port: int) -> None:
        self._server_port, self.port = port, 0
        self.talks: list[list[tuple[str, bytes]]] = []

    async def __aenter__(self) -> Recorder:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk: list[tuple[str, bytes]] = []
        self.talks.append(talk)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        await asyncio.gather(
            _carry(reader, far_writer, talk, "client"), _carry(far_reader, writer, talk, "server")
        )


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: list[tuple[str, bytes]], who: str
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            talk.append((who, data))
            writer.write(data)
            await writer.drain()
    writer.close()


def messages(talk: list[tuple[str, bytes]], who: str, cut: Cut) -> list[bytes]:
    """What one of the two said, message by message."""
    whole, found = b"".join(data for by, data in talk if by == who), []
    while size := cut(whole):
        found.append(whole[:size])
        whole = whole[size:]
    return found


@contextmanager
def _complaints(out: Outcome) -> Iterator[None]:
    """An error in a callback or in a log is a fault as well."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def heard(_: Any, context: dict[str, Any]) -> None:
        out.fault(-1, f"in a callback: {context.get('message')} {context.get('exception')!r}")

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith("asyncua"):
                cause = record.exc_info[1] if record.exc_info else None
                where = f"{cause!r:.200} at {_place(cause)}" if cause else ""
                out.fault(-1, f"logged: {record.name} {record.getMessage()[:200]} {where}")

    ear = Ear(logging.ERROR)
    loop.set_exception_handler(heard)
    logging.getLogger().addHandler(ear)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(ear)
        loop.set_exception_handler(before)
