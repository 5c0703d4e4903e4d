"""A line to the database of which only our half is left: seen by asking on another one, ended at both ends.

A cable is noticed by keepalives (hub.store.pool). What stands between the two and still takes bytes, but
passes none on any more, is not: whoever waits then waits for ever, and the server keeps the other half with
all that it has locked. From here a query that takes long looks just the same. From there it does not: the
server waits for us while we wait for the server.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import logging
import os
import socket
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

log = logging.getLogger(__name__)

LOOK = 3.0  # seconds that a piece of work has to last before somebody looks, again and again
AGAIN = 2.0  # seconds between two looks that have to agree
ANSWER = 3.0  # seconds for the other line; one that gets no answer either says nothing


class Backend(NamedTuple):
    """A server's process; the start tells it from another one of the same number, and another server's."""

    pid: int
    start: datetime


_backends: WeakKeyDictionary[AsyncConnection[Any], Backend] = WeakKeyDictionary()


def met(connection: AsyncConnection[Any], pid: int, start: datetime | None) -> None:
    """What the server says of the process behind this line. Behind a pooler it is now this one, now that."""
    if start is not None and pid == connection.info.backend_pid:
        _backends[connection] = Backend(pid, start)


@contextmanager
def watched(connection: AsyncConnection[Any]) -> Iterator[None]:
    """Whoever waits on it in the block, while nothing can come any more, gets an OperationalError."""
    watch = _Watch(connection)
    try:
        yield
    finally:
        watch.end()


class _Watch:
    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection, self._loop = connection, asyncio.get_running_loop()
        self._timer = self._loop.call_later(LOOK, self._due)
        self._looking: asyncio.Task[None] | None = None

    def _due(self) -> None:
        self._timer = self._loop.call_later(LOOK, self._due)
        backend = _backends.get(self._connection)
        if (self._looking is None or self._looking.done()) and backend and _is_starving(self._connection):
            self._looking = self._loop.create_task(_look(self._connection, backend))

    def end(self) -> None:
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()


async def _look(connection: AsyncConnection[Any], backend: Backend) -> None:
    with suppress(psycopg.Error, OSError, TimeoutError):
        async with asyncio.timeout(AGAIN + 2 * ANSWER), await _another(connection) as other:
            before = await _waits_for_us(other, backend)
            if before is None:
                return
            await asyncio.sleep(AGAIN)
            if _is_starving(connection) and await _waits_for_us(other, backend) == before:
                log.error("a line to the database passes nothing on any more: it is ended at both ends")
                await other.execute(END, backend)
                cut(connection)


async def _another(connection: AsyncConnection[Any]) -> AsyncConnection[Any]:
    """To the same server, also where several were named."""
    info = connection.info
    here = {"host": info.host, "port": info.port, "connect_timeout": int(ANSWER)}
    same: dict[str, Any] = {**info.get_parameters(), **here}
    if info.password:
        same["password"] = info.password
    return await AsyncConnection.connect(make_conninfo("", **same), autocommit=True, row_factory=tuple_row)


async def _waits_for_us(other: AsyncConnection[Any], backend: Backend) -> tuple[Any, ...] | None:
    """Since when, and how much of a COPY it has; None where it is at work."""
    return await (await other.execute(WAITS, backend)).fetchone()


def _is_starving(connection: AsyncConnection[Any]) -> bool:
    """We have asked, and not a byte of an answer lies here unread."""
    if connection.closed or connection.pgconn.transaction_status != TransactionStatus.ACTIVE:
        return False
    unread = array.array("i", [0])
    fcntl.ioctl(connection.fileno(), termios.FIONREAD, unread)
    return unread[0] == 0


def cut(connection: AsyncConnection[Any]) -> None:
    """Whoever waits on it sees its end at once."""
    if connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


WAITS = """
select a.state_change, a.wait_event, copy.bytes_processed
from pg_stat_activity a left join pg_stat_progress_copy copy on copy.pid = a.pid
where a.pid = %s and a.backend_start = %s and a.state_change is not null and a.wait_event_type = 'Client'
"""
END = """
select pg_terminate_backend(pid) from pg_stat_activity where pid = %s and backend_start = %s
"""
