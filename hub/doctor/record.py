"""The database and the bus, asked and not written to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from hub.doctor.finding import Finding, clocks
from hub.errors import AndonError
from hub.house import embedded, make_bus
from hub.ports import Clock
from hub.settings import Settings
from hub.store.edition import OLDEST_POSTGRES

PATIENCE = 3.0  # seconds for a server to accept a connection

_SERVER = """
select current_setting('server_version'), current_setting('server_version_num')::int / 10000,
       clock_timestamp(), pg_size_pretty(pg_database_size(current_database())),
       has_schema_privilege(current_schema(), 'create')
"""
_OFFER = """
select (select default_version from pg_available_extensions where name = 'timescaledb'),
       (select extversion from pg_extension where extname = 'timescaledb'),
       coalesce(current_setting('shared_preload_libraries', true), '') like '%timescaledb%',
       current_setting('timescaledb.license', true)
"""


async def examine_database(settings: Settings, clock: Clock, running: str) -> AsyncIterator[Finding]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            if (untouched := _untouched(settings, running)) is not None:
                yield untouched
                return
            connection = await connected(settings, stack)
            async for finding in _server(connection, clock):
                yield finding
            yield await _timescale(connection)
        except (AndonError, psycopg.Error) as cause:
            yield Finding(False, f"database: {_first_line(cause)}", "check hub.database, or leave it out")


def _untouched(settings: Settings, running: str) -> Finding | None:
    """An embedded database that is not made yet is not made by looking at it; one in use is left alone."""
    server = embedded(settings)
    if server is None:
        return None
    folder = Path(settings.file.hub.data) / "postgres"
    if not folder.exists():
        return Finding(True, f"database: an embedded PostgreSQL will be made in {folder}")
    return Finding(True, f"database: the running hub keeps it in {folder}") if running else None


async def connected(settings: Settings, stack: contextlib.AsyncExitStack) -> psycopg.AsyncConnection[Any]:
    """To the record as it is, or to an embedded server that runs for as long. Nothing can be written."""
    server = embedded(settings)
    if server is not None:
        dsn = await server.start()
        stack.push_async_callback(server.stop)
    else:
        assert settings.file.hub.database is not None
        dsn = settings.file.hub.database.get_secret_value()
    made = await psycopg.AsyncConnection.connect(dsn, connect_timeout=int(PATIENCE), autocommit=True)
    await stack.enter_async_context(made)
    await made.execute("set default_transaction_read_only = on")
    return made


async def _server(connection: psycopg.AsyncConnection[Any], clock: Clock) -> AsyncIterator[Finding]:
    asked = clock.now()
    version, major, now, size, may_create = await _one(connection, _SERVER)
    heard = clock.now()
    yield Finding(
        major >= OLDEST_POSTGRES,
        f"database answers: PostgreSQL {version}, {size}",
        f"use PostgreSQL {OLDEST_POSTGRES} or newer",
    )
    yield clocks("database", now - (asked + (heard - asked) / 2))
    yield Finding(
        bool(may_create), "database: our account may make its tables", "let the account own the database"
    )


async def _timescale(connection: psycopg.AsyncConnection[Any]) -> Finding:
    available, made, loaded, licence = await _one(connection, _OFFER)
    if made:
        edition = "Community" if licence == "timescale" else "Apache"
        return Finding(True, f"TimescaleDB {made}, {edition} edition")
    if available and loaded:
        return Finding(
            True, f"TimescaleDB {available} is there, and made in this database at the first start"
        )
    return Finding(True, "no TimescaleDB: plain partitions, raw samples kept for days")


async def _one(connection: psycopg.AsyncConnection[Any], query: str) -> tuple[Any, ...]:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return tuple(row)


def _first_line(cause: Exception) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)


# ------------------------------------------------------------------ the bus
async def examine_bus(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    redis = settings.file.hub.redis
    if redis is None:
        yield Finding(True, "bus within the process (one machine)")
        return
    bus = make_bus(redis)
    try:
        good = await bus.healthy()
    finally:
        await bus.close()
    if not good:
        yield Finding(False, "Redis does not answer", "check hub.redis")
        return
    async for finding in _redis(redis.get_secret_value(), clock):
        yield finding


async def _redis(url: str, clock: Clock) -> AsyncIterator[Finding]:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    server = Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    try:
        told = await server.info()
        version = told.get("valkey_version") or told.get("redis_version") or "unknown"
        yield Finding(True, f"Redis answers: version {version}")
        policy = str(told.get("maxmemory_policy", "noeviction"))
        if told.get("maxmemory"):
            yield Finding(
                policy == "noeviction",
                f"Redis: when its memory is full it does {policy}",
                "set maxmemory-policy noeviction there, or samples on their way are thrown away unsaid",
            )
        asked = clock.now()
        seconds, micros = await server.time()
        now = datetime.fromtimestamp(seconds + micros / 1e6, UTC)
        yield clocks("Redis", now - (asked + (clock.now() - asked) / 2))
    except RedisError as cause:
        yield Finding(False, f"Redis: {type(cause).__name__}", "let our account use INFO and TIME")
    finally:
        await server.aclose()
