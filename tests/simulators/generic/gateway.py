"""A gateway in front of a real PostgreSQL: it asks for the password, and misbehaves on command.

It speaks the wire protocol (postgresql.org/docs/current/protocol.html) as far as it has to: it reads the
statements that pass, and answers in the server's place when a fault is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from tests.simulators.generic.faults import Faults

_NO_TLS = {80877103, 80877104}  # SSLRequest, GSSENCRequest
_WRITE = re.compile(rb'(?:insert\s+into|update)\s+"?(\w+)"?', re.IGNORECASE)
_AFTER = ("drop_after_commit", "error_after_commit", "garbage_after_commit")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>down for maintenance</html>"
FORMS = {"repair": "repair", "op_report": "report", "posting": "posting"}


class Gone(Exception):
    """The line is to be cut."""


class Gateway:
    def __init__(self, server_socket: Path, database: str, user: str, password: str) -> None:
        self._socket = server_socket
        self._database = database
        self._user, self._password = user, password
        self.faults = Faults()
        self.port = 0
        self.seen: list[bytes] = []  # texts of statements that passed
        self._lines: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Gateway]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Every line that is open now."""
        for line in self._lines:
            line.transport.abort()
        self._lines.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        up_writer: asyncio.StreamWriter | None = None
        try:
            if self.faults.lasts("down"):
                return
            options = await self._welcomed(reader, writer)
            up_reader, up_writer = await asyncio.open_unix_connection(str(self._socket))
            up_writer.write(self._startup(options))
            await _Line(self, reader, writer, up_reader, up_writer).run()
        except (Gone, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._lines.discard(writer)
            writer.transport.abort()
            if up_writer is not None:
                up_writer.transport.abort()

    async def _welcomed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[bytes, bytes]:
        while True:
            length, code = struct.unpack("!ii", await reader.readexactly(8))
            rest = await reader.readexactly(length - 8)
            if code not in _NO_TLS:
                break
            writer.write(b"N")
        words = rest.split(b"\0")
        options = dict(zip(words[::2], words[1::2], strict=False))
        writer.write(b"R" + struct.pack("!ii", 8, 3))  # the password, please
        _, said = await message(reader)
        if (options.get(b"user"), said.rstrip(b"\0")) != (self._user.encode(), self._password.encode()):
            writer.write(error("28P01", f'password authentication failed for user "{self._user}"'))
            await writer.drain()
            raise Gone
        return options

    def _startup(self, options: dict[bytes, bytes]) -> bytes:
        said = {**options, b"user": b"andon", b"database": self._database.encode()}
        body = b"".join(n + b"\0" + v + b"\0" for n, v in said.items() if n) + b"\0"
        return struct.pack("!ii", len(body) + 8, 196608) + body


class _Line:
    """One client and its server."""

    def __init__(
        self, gateway: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        self._gateway = gateway
        self._reader, self._writer = reader, writer
        self._up_reader, self._up_writer = up_reader, up_writer
        self._due: list[str] = []  # faults that the commit of this transaction meets
        self._asked = False  # this transaction has written already
        self._skipping = False  # up to Sync, for we have answered in the server's place
        self._swallow = False  # the server's answers are not passed on

    async def run(self) -> None:
        ways = [asyncio.create_task(self._up()), asyncio.create_task(self._down())]
        done, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in rest:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for way in done:
            way.exception()

    async def _up(self) -> None:
        while True:
            kind, body = await message(self._reader)
            if self._gateway.faults.lasts("page"):
                self._writer.write(PAGE)
                await self._writer.drain()
                raise Gone
            if self._gateway.faults.lasts("any_document") and kind == b"P":
                body = body.replace(b"ext_no = $1", b"$1::text is not null")  # a view that passes over it
            if kind in (b"P", b"Q"):
                text = body if kind == b"Q" else body.partition(b"\0")[2]
                self._gateway.seen.append(text.partition(b"\0")[0])
                self._listen(text.partition(b"\0")[0], kind)
            if self._skipping:
                if kind in (b"S", b"Q"):
                    self._skipping = False
                    self._writer.write(
                        error("55P03", "could not obtain lock on row in relation") + ready(b"E")
                    )
                continue
            self._up_writer.write(kind + struct.pack("!i", len(body) + 4) + body)

    def _listen(self, text: bytes, kind: bytes) -> None:
        lowered = text.strip().lower()
        if lowered.startswith((b"begin", b"rollback")):
            self._due, self._asked = [], False
        if lowered.startswith(b"commit"):
            self._swallow = bool(self._due)
            return
        found = None if lowered.startswith((b"explain", b"select")) else _WRITE.search(text)
        if not found or self._asked:
            return
        self._asked = True
        met = self._gateway.faults.take(FORMS.get(found[1].decode(), found[1].decode()))
        if "drop_before" in met:
            raise Gone
        if "unavailable" in met:
            self._writer.write(error("57P01", "terminating connection due to administrator command"))
            raise Gone
        self._skipping = "locked" in met
        self._due = [k for k in met if k in _AFTER]

    async def _down(self) -> None:
        while True:
            kind, body = await message(self._up_reader)
            if not self._swallow:
                self._writer.write(kind + struct.pack("!i", len(body) + 4) + body)
                continue
            if kind != b"Z":
                continue
            self._swallow = False  # it is committed
            fault, self._due = self._due[0], []
            if fault == "error_after_commit":
                self._writer.write(error("XX000", "could not write to log") + ready(b"I"))
                continue
            if fault == "garbage_after_commit":
                self._writer.write(b"<html>gateway time-out</html>")
                await self._writer.drain()
            raise Gone


async def message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


def error(code: str, words: str) -> bytes:
    body = b"".join(
        k + v.encode() + b"\0" for k, v in ((b"S", "ERROR"), (b"V", "ERROR"), (b"C", code), (b"M", words))
    )
    return b"E" + struct.pack("!i", len(body) + 5) + body + b"\0"


def ready(state: bytes) -> bytes:
    return b"Z" + struct.pack("!i", 5) + state
