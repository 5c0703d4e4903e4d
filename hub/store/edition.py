"""Which of the three databases this is. Asked, never found out by trying."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection

from hub.errors import ConfigError

OLDEST_POSTGRES = 15


class Edition(StrEnum):
    PLAIN = "plain"  # PostgreSQL alone
    APACHE = "apache"  # TimescaleDB with hypertables only
    COMMUNITY = "community"  # and continuous aggregates and compression


async def probe(connection: AsyncConnection[Any]) -> Edition:
    """What the server offers in this database. Makes the extension where it is loaded but not yet made."""
    if connection.info.server_version < OLDEST_POSTGRES * 10_000:
        raise ConfigError(
            f"hub.database: the server is PostgreSQL {connection.info.server_version // 10_000}; "
            f"use {OLDEST_POSTGRES} or newer"
        )
    row = await (await connection.execute(_OFFER)).fetchone()
    available, made, loaded = row if row is not None else (False, False, False)
    if not made and not (available and loaded):
        return Edition.PLAIN
    if not made:
        await connection.execute("create extension if not exists timescaledb")
    return await _licensed(connection)


async def _licensed(connection: AsyncConnection[Any]) -> Edition:
    row = await (await connection.execute("show timescaledb.license")).fetchone()
    return Edition.COMMUNITY if row is not None and row[0] == "timescale" else Edition.APACHE


_OFFER = """
select exists (select from pg_available_extensions where name = 'timescaledb'),
       exists (select from pg_extension where extname = 'timescaledb'),
       coalesce(current_setting('shared_preload_libraries', true), '') like '%timescaledb%'
"""
