"""What could go wrong on this machine with this configuration, before it does. Changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import urlsplit

import psycopg

from hub.app import check
from hub.errors import AndonError, ConfigError
from hub.house import Use, embedded, make_bus, read_plugins, refuse_taken_port
from hub.registry import intruders
from hub.settings import Settings

Finding = tuple[bool, str, str]  # good, what was looked at and found, remedy
LEAST_FREE = 2 * 2**30
PATIENCE = 3.0  # seconds for a device or a server to accept a connection
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  compared with, not bound to
PORTS = {"http": 80, "https": 443, "opc.tcp": 4840}


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """One finding after the other."""
    yield sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer"
    strangers = intruders()
    yield not strangers, "package names are ours alone", "; ".join(strangers)
    yield _configuration(settings)
    yield _links(settings)
    yield _disk(settings)
    yield _port(settings)
    async for finding in _database(settings):
        yield finding
    yield await _bus(settings)
    for finding in await _outside(settings):
        yield finding


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


def _links(settings: Settings) -> Finding:
    hub = settings.file.hub
    address = hub.public_url or f"http://{hub.host}:{hub.port}"
    lost = not hub.public_url and hub.host in EVERYWHERE and bool(settings.file.notifiers)
    return (
        not lost,
        f"links in messages begin with {address}",
        "no phone reaches that: set hub.public_url, or ANDON_PUBLIC_URL, to the address phones use",
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
    async with contextlib.AsyncExitStack() as stack:
        try:
            connection = await _connected(settings, stack)
            yield True, f"database answers: PostgreSQL {await _one(connection, 'show server_version')}", ""
            version = await _one(connection, TIMESCALE)
            if version is None:
                yield True, "no TimescaleDB: plain partitions, raw samples kept for days", ""
                return
            licence = await _one(connection, "show timescaledb.license")
            yield True, f"TimescaleDB {version}, {licence} licence", ""
        except (AndonError, psycopg.Error) as cause:
            yield False, f"database: {_first_line(cause)}", "check hub.database, or leave it out"


async def _connected(settings: Settings, stack: contextlib.AsyncExitStack) -> psycopg.AsyncConnection[Any]:
    """To the record as it is, or to an embedded server that runs for as long; nothing is migrated."""
    server = embedded(settings)
    if server is not None:
        dsn = await server.start()
        stack.push_async_callback(server.stop)
    else:
        assert settings.file.hub.database is not None
        dsn = settings.file.hub.database.get_secret_value()
    made = await psycopg.AsyncConnection.connect(dsn, connect_timeout=int(PATIENCE), autocommit=True)
    return await stack.enter_async_context(made)


async def _one(connection: psycopg.AsyncConnection[Any], query: str) -> Any:
    row = await (await connection.execute(query.encode())).fetchone()
    return row[0] if row else None


TIMESCALE = "select extversion from pg_extension where extname = 'timescaledb'"


def _first_line(cause: Exception) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)


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


# ------------------------------------------------------------------ machines, robots, ERP
async def _outside(settings: Settings) -> list[Finding]:
    """All at once: a plant of a hundred machines that are switched off is no reason to wait minutes."""
    try:
        used = read_plugins(settings)
    except ConfigError:
        return []  # told above
    return await asyncio.gather(*(_reachable(*place) for place in _places(used.every())))


def _places(uses: Iterable[Use]) -> list[tuple[str, str, int]]:
    """(name, host, port) of everything that is reached by an address of its own."""
    found = []
    for use in uses:
        if host := getattr(use.config, "host", None):
            found.append((use.name, str(host), int(use.config.port)))
            continue
        for key in ("endpoint", "base_url", "server_url"):
            url = urlsplit(str(getattr(use.config, key, "")))
            if url.hostname:
                found.append((use.name, url.hostname, url.port or PORTS.get(url.scheme, 443)))
                break
    return found


async def _reachable(name: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as cause:  # TimeoutError is one
        why = cause.strerror or "no answer" if isinstance(cause, TimeoutError) else str(cause)
        return False, f"{name}: {host}:{port}: {why}", ADVICE
    writer.close()
    return True, f"{name}: {host}:{port} accepts connections", ""


ADVICE = "is it on, is the address right, is a firewall between?"
