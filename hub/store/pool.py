"""Connections to the record, what a lost database is called, and for how long a silent one is waited for.

A database that is frozen (a stopped process, a disk that hangs) refuses nothing and answers nothing, and
asking it to cancel a query waits as well. So a connection whose time is up has its socket cut: libpq sees the
end of it at once, and the pool makes another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from hub import patience
from hub.errors import Permanent, RecordAway, Undone
from hub.store import half_open
from hub.store.half_open import cut

Connection: TypeAlias = AsyncConnection[DictRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]

SILENT = 5.0  # seconds for a first word: of a new connection, and of one that was idle
LATE = 0.5  # seconds by which our own loop overslept: then it is not the database that is slow ...
FOLLOW = 0.5  # ... and it has so much more
# Seconds for which a connection that answered is lent unasked: longer than the beat of a house at rest.
FRESH = 2.5
GIVE_UP = 4.0  # seconds of trying to replace a connection; from then on the next borrower tries
# Of the levels of synchronous_commit all but `off` wait for our server's disk; a stronger one stays.
DURABLE = """
select set_config('timezone', 'UTC', false), set_config('synchronous_commit', case
    when current_setting('synchronous_commit') = 'off' then 'on' else current_setting('synchronous_commit')
end, false)
"""
WHO = """
select pg_backend_pid() as pid, (select backend_start from pg_stat_get_activity(pg_backend_pid())) as start
"""
_answered: WeakKeyDictionary[AsyncConnection[Any], float] = WeakKeyDictionary()  # by the loop's clock
# Half-open connections (a cable, a firewall that forgot us) end within about ten seconds.
WIRE = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
        "tcp_user_timeout": 10_000}  # fmt: skip


async def open_pool(
    dsn: str, min_size: int = 1, max_size: int = 6, timeout: float = 30.0, wait: bool = True
) -> Pool:
    """Connects at once; raises RecordAway when nobody answers within `timeout` seconds, or, without `wait`,
    goes on trying."""
    pool: Pool = AsyncConnectionPool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        reconnect_timeout=GIVE_UP,
        open=False,
        connection_class=AsyncConnection[DictRow],
        kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": int(SILENT), **WIRE},
        configure=_configure,
        check=_check,
        name="record",
    )
    try:
        await pool.open(wait=wait, timeout=timeout)
    except PoolTimeout:
        await pool.close()
        raise RecordAway(f"the database does not answer within {timeout:g} s") from None
    return pool


async def _configure(connection: AsyncConnection[Any]) -> None:
    """What is told to be on record is on the disk, whatever the server's own settings say."""
    with _cut_after(connection, SILENT):
        await connection.execute(DURABLE)
        row = await (await connection.execute(WHO)).fetchone()
    if row is not None:
        half_open.met(connection, row["pid"], row["start"])


async def _check(connection: Connection) -> None:
    """Half of what patience is left, so that another connection may be tried. One that answered a moment ago
    is believed: in a house at work every second question would be whether there is anybody."""
    now = asyncio.get_running_loop().time()
    if now - _answered.get(connection, -FRESH) < FRESH:
        return
    present = patience.present()
    with _cut_after(connection, min(SILENT, present.left() / 2) if present else SILENT):
        await AsyncConnectionPool.check_connection(connection)
    _answered[connection] = now


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for one piece of work; a database that is away becomes RecordAway, a deadlock Undone.

    So does one that keeps silent for longer than the caller's patience (hub.patience). A value it cannot hold
    becomes Permanent.
    """
    present = patience.present()
    try:
        with present.spent() if present else nullcontext():
            async with pool.connection(timeout=present.left() if present else None) as connection:
                with _cut_after(connection, present.left()) if present else half_open.watched(connection):
                    yield connection
                _answered[connection] = asyncio.get_running_loop().time()
    except psycopg.errors.DeadlockDetected as cause:
        raise Undone("two wrote to the same rows at once; this one was undone") from cause
    except (psycopg.OperationalError, psycopg.InterfaceError) as cause:
        raise RecordAway(f"the database is away: {_first_line(cause)}") from cause
    except psycopg.DataError as cause:  # it will never be taken: trying again would go on for ever
        raise Permanent(f"the database refuses a value: {_first_line(cause)}") from cause


@contextmanager
def _cut_after(connection: AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Ends the connection under whoever is still waiting on it then: they get an OperationalError."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    timers: list[asyncio.TimerHandle] = []

    def fire() -> None:
        if loop.time() > due + LATE:  # the answer may be there, unread
            timers.append(loop.call_later(FOLLOW, cut, connection))
        else:
            cut(connection)

    timers.append(loop.call_at(due, fire))
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def _first_line(cause: psycopg.Error) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)
