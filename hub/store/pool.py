"""Connections to the record, and what a lost database is called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from hub.errors import Permanent, Transient

Connection: TypeAlias = AsyncConnection[DictRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]


async def open_pool(dsn: str, min_size: int = 1, max_size: int = 6, timeout: float = 30.0) -> Pool:
    """Connects at once; raises Transient when nobody answers within `timeout` seconds."""
    pool: Pool = AsyncConnectionPool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        open=False,
        connection_class=AsyncConnection[DictRow],
        kwargs={"autocommit": True, "row_factory": dict_row},
        configure=_configure,
        check=AsyncConnectionPool.check_connection,
        name="record",
    )
    try:
        await pool.open(wait=True, timeout=timeout)
    except PoolTimeout:
        await pool.close()
        raise Transient(f"the database does not answer within {timeout:g} s") from None
    return pool


async def _configure(connection: AsyncConnection[Any]) -> None:
    await connection.execute("set timezone = 'UTC'")


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for one piece of work; a database that is away, or a deadlock, becomes Transient.

    A value it cannot hold becomes Permanent.
    """
    try:
        async with pool.connection() as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as cause:
        raise Transient(f"the database is away: {_first_line(cause)}") from cause
    except psycopg.DataError as cause:  # it will never be taken: trying again would go on for ever
        raise Permanent(f"the database refuses a value: {_first_line(cause)}") from cause


def _first_line(cause: psycopg.Error) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)
