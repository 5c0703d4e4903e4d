"""Who of several processes does a thing: whoever holds its lock in the database, and only while they hold it.

The lock belongs to a connection of its own, so it is free as soon as its process is dead or cut off. A pooler
in between (PgBouncer) has to keep that connection for the whole session.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from hub.errors import RecordAway
from hub.ports import Clock
from hub.store.pool import SILENT, WIRE

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two tries of who stands by


class Duty:
    """One thing that one process of the plant does at a time; the others stand by and take over."""

    def __init__(self, dsn: str, name: str, clock: Clock) -> None:
        self._dsn, self._name, self._clock = dsn, name, clock
        self.standing_by = False

    async def carry(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the turn, then work until that ends. The work is stopped, and RecordAway raised, when the
        lock is lost. Nothing waits inside the database: a statement that waited for weeks would keep it from
        cleaning up."""
        try:
            async with _connected(self._dsn) as connection:
                while not await _locked(connection, self._name):
                    if not self.standing_by:
                        log.info("standing by: another process does %s", self._name)
                    self.standing_by = True
                    await self._clock.sleep(EVERY)
                self.standing_by = False
                await _while_held(connection, work())
        finally:
            self.standing_by = False


async def under_a_name(dsn: str, name: str, work: Callable[[str], Awaitable[None]]) -> None:
    """Work under a name that no other living process has: `name`, `name (2)` ... Whoever is started again
    gets the name of the one that died, and with it what that one held."""
    async with _connected(dsn) as connection:
        for number in itertools.count(1):
            own = name if number == 1 else f"{name} ({number})"
            if await _locked(connection, own):
                await _while_held(connection, work(own))
                return


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[AsyncConnection[Any]]:
    options: dict[str, Any] = {"connect_timeout": int(SILENT), **WIRE}
    try:
        async with await AsyncConnection.connect(dsn, autocommit=True, **options) as connection:
            for setting in PATIENT:
                await connection.execute(setting)
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as cause:
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise RecordAway(f"the database is away: {reason}") from cause


async def _locked(connection: AsyncConnection[Any], name: str) -> bool:
    row = await (await connection.execute(TRY, [f"andon:{name}"])).fetchone()
    return bool(row and row[0])


async def _while_held(connection: AsyncConnection[Any], work: Awaitable[None]) -> None:
    working = asyncio.ensure_future(work)
    watching = asyncio.create_task(_lost(connection))
    try:
        done, _ = await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _lost(connection: AsyncConnection[Any]) -> None:
    """Returns never; raises when the connection ends. Nobody notifies it: it only listens for the end.

    psycopg would look ten times a second, for each lock of the house; the loop tells when something came.
    """
    loop, wire = asyncio.get_running_loop(), connection.fileno()
    while True:
        heard = asyncio.Event()
        loop.add_reader(wire, heard.set)
        try:
            await heard.wait()
        finally:
            loop.remove_reader(wire)
        async for _ in connection.notifies(timeout=0):
            pass


TRY = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
# A cable that is cut: our side gives up first (WIRE, about 11 s), then the server gives the lock to another.
PATIENT = (
    "set tcp_keepalives_idle = 10",
    "set tcp_keepalives_interval = 5",
    "set tcp_keepalives_count = 3",
)
