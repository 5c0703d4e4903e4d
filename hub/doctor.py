"""What could go wrong on this machine with this configuration, before it does."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import AsyncIterator

import psycopg

from hub.app import check
from hub.errors import AndonError, ConfigError
from hub.house import make_bus, refuse_taken_port
from hub.people import record_of
from hub.registry import intruders
from hub.settings import Settings

Finding = tuple[bool, str, str]  # good, what was looked at and found, remedy
LEAST_FREE = 2 * 2**30


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """One finding after the other."""
    yield sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer"
    strangers = intruders()
    yield not strangers, "package names are ours alone", "; ".join(strangers)
    yield _configuration(settings)
    yield _disk(settings)
    yield _port(settings)
    async for finding in _database(settings):
        yield finding
    yield await _bus(settings)
    for host, port in _devices(settings):
        yield _reachable(host, port)


def _configuration(settings: Settings) -> Finding:
    try:
        counts = check(settings)
    except ConfigError as cause:
        return False, f"configuration {settings.source}", "; ".join(cause.complaints)
    return (
        True,
        f"configuration {settings.source}: {counts['conditions']} conditions on {counts['tags']} tags",
        "",
    )


def _disk(settings: Settings) -> Finding:
    folder = settings.file.hub.data.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return free > LEAST_FREE, f"{free / 2**30:.1f} GiB free at {folder}", "free some space: 2 GiB at least"


def _port(settings: Settings) -> Finding:
    hub = settings.file.hub
    try:
        refuse_taken_port(hub.host, hub.port)
    except ConfigError as cause:
        return False, f"{hub.host}:{hub.port}", str(cause)
    return True, f"{hub.host}:{hub.port} is free", ""


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with record_of(settings) as record, record.pool.connection() as connection:
            version = await (await connection.execute("show server_version")).fetchone()
            yield True, f"database answers: PostgreSQL {_first(version)}", ""
            found = await (
                await connection.execute("select extversion from pg_extension where extname = 'timescaledb'")
            ).fetchone()
            if found is None:
                yield True, "no TimescaleDB: plain partitions, raw samples kept for days", ""
                return
            licence = await (await connection.execute("show timescaledb.license")).fetchone()
            yield True, f"TimescaleDB {_first(found)}, {_first(licence)} licence", ""
    except (AndonError, psycopg.Error) as cause:
        yield False, f"database: {type(cause).__name__}: {cause}", "check hub.database, or leave it out"


def _first(row: object) -> str:
    return str(next(iter(row.values()))) if isinstance(row, dict) and row else "?"


async def _bus(settings: Settings) -> Finding:
    redis = settings.file.hub.redis
    if redis is None:
        return True, "bus within the process (one machine)", ""
    bus = make_bus(redis)
    try:
        good = await bus.healthy()
    finally:
        await bus.close()
    return good, "Redis answers" if good else "Redis does not answer", "check hub.redis"


def _devices(settings: Settings) -> list[tuple[str, int]]:
    found = []
    for block in settings.file.collectors:
        if "host" in block.with_:
            found.append((str(block.with_["host"]), int(block.with_.get("port", 502))))
        elif "endpoint" in block.with_:
            place = str(block.with_["endpoint"]).partition("://")[2].partition("/")[0]
            host, _, port = place.rpartition(":")
            found.append((host or place, int(port) if host and port.isdigit() else 4840))
    return found


def _reachable(host: str, port: int) -> Finding:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError as cause:
        return (
            False,
            f"{host}:{port}: {cause.strerror or cause}",
            "is it on, is the address right, is a firewall between?",
        )
    return True, f"{host}:{port} accepts connections", ""
