"""What every test may ask for. `dsn` is a fresh, migrated database of the embedded PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from hub.postgres import EmbeddedPostgres
from hub.store.migrate import migrate
from tests.valkey import redis_server, redis_url

__all__ = ["redis_server", "redis_url"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[str]:
    """DSN of the session's server, fsync off; its database `template` is migrated and never connected to."""
    folder = Path(tempfile.mkdtemp(prefix="andon-test-"))
    folder.chmod(0o711)  # the server's own account must get through when we are root
    server = EmbeddedPostgres(
        folder / "pg", {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
    )
    try:
        dsn = asyncio.run(server.start())
        make_template(dsn)
        yield dsn
    finally:
        asyncio.run(server.stop())
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_dsn(embedded_server: str) -> Iterator[str]:
    """A fresh database without any of our tables."""
    with database(embedded_server, "template1") as dsn:
        yield dsn


@pytest.fixture
def dsn(embedded_server: str) -> Iterator[str]:
    """A fresh database with the current schema."""
    with database(embedded_server, "andon_template") as dsn:
        yield dsn


def make_template(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop database if exists andon_template with (force)")
        connection.execute("create database andon_template")
    asyncio.run(migrate(named(server, "andon_template")))


@contextmanager
def database(server: str, template: str) -> Iterator[str]:
    """A database of its own for the length of the block."""
    name = f"t{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    try:
        yield named(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


def named(server: str, database_name: str) -> str:
    """The server's DSN with another database."""
    head, question, options = server.partition("?")
    return f"{head.rpartition('/')[0]}/{database_name}{question}{options}"


@pytest.fixture(params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)])
def any_dsn(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database on each kind of server we promise to run on."""
    name = {"plain": "dsn", "timescale": "timescale_dsn"}[request.param]
    dsn: str = request.getfixturevalue(name)
    return dsn
