"""What every test may ask for. `dsn` is a fresh, migrated database of the embedded PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings

from hub.postgres import EmbeddedPostgres
from hub.store.migrate import migrate
from tests import community, timescale
from tests.buses import make_bus
from tests.valkey import redis_server, redis_url

__all__ = ["make_bus", "redis_server", "redis_url"]

# The same examples in every run: what turns red is the change, not the day. ANDON_EXPLORE=1 looks for others.
settings.register_profile("steady", derandomize=True)
if not os.environ.get("ANDON_EXPLORE"):
    settings.load_profile("steady")

# A server may serve several test runs at once: each names its databases after its process.
TEMPLATE = f"andon_template_{os.getpid()}"
_numbers = itertools.count(1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers a file stays together, and whole houses never run side by side."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "tests/e2e" if file.startswith("tests/e2e/") else file

    return Together(config, log)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[str]:
    """DSN of the session's server, fsync off; it has our migrated template."""
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
    with database(embedded_server, TEMPLATE) as dsn:
        yield dsn


def make_template(server: str) -> None:
    """Migrated once; then closed, for a database that somebody is connected to cannot be copied."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}".encode())
        asyncio.run(migrate(named(server, TEMPLATE)))
        connection.execute(f"alter database {TEMPLATE} allow_connections false".encode())
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [TEMPLATE]
        )


@contextmanager
def database(server: str, template: str) -> Iterator[str]:
    """A database of its own for the length of the block."""
    name = f"andon_t_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    try:
        yield named(server, name)
    finally:
        drop(server, name)


def drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def named(server: str, database_name: str) -> str:
    """The server's DSN with another database."""
    head, question, options = server.partition("?")
    return f"{head.rpartition('/')[0]}/{database_name}{question}{options}"


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[str]:
    """DSN of a real TimescaleDB with our template; skips with the reason where the machine cannot."""
    try:
        with timescale.server() as server:
            make_template(server)
            try:
                yield server
            finally:
                drop(server, TEMPLATE)
    except timescale.Unavailable as why:
        pytest.skip(f"no TimescaleDB here: {why}")


@pytest.fixture
def timescale_dsn(timescale_server: str) -> Iterator[str]:
    """A fresh database with the current schema on TimescaleDB."""
    with database(timescale_server, TEMPLATE) as dsn:
        yield dsn


@pytest.fixture
def community_dsn() -> Iterator[str]:
    """An empty database of the community edition: one connection, no COPY; skips where Node is missing."""
    try:
        with community.server() as dsn:
            yield dsn
    except timescale.Unavailable as why:
        pytest.skip(f"no TimescaleDB community edition here: {why}")


@pytest.fixture(params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)])
def any_dsn(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database on each kind of server we promise to run on."""
    name = {"plain": "dsn", "timescale": "timescale_dsn"}[request.param]
    dsn: str = request.getfixturevalue(name)
    return dsn
