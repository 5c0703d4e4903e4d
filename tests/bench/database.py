"""The database server of a bench: TimescaleDB where it can be had, else the embedded PostgreSQL; durable."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from hub.postgres import EmbeddedPostgres
from hub.store.edition import probe
from tests import timescale
from tests.bench.figures import say
from tests.bench.processes import parent

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    dsn: str
    postmaster: int
    about: dict[str, str]  # edition and versions

    def fresh(self) -> str:
        """DSN of a new, empty database."""
        name = f"andon_bench_{next(_numbers)}"
        self.do(f"drop database if exists {name} with (force)")
        self.do(f"create database {name}")
        head, question, options = self.dsn.partition("?")
        return f"{head.rpartition('/')[0]}/{name}{question}{options}"

    def do(self, statement: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Server]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            dsn = stack.enter_context(timescale.apart())
        except timescale.Unavailable as why:
            say(f"no TimescaleDB here ({why}): the embedded PostgreSQL instead")
            embedded = EmbeddedPostgres(folder / "postgres")
            dsn = await embedded.start()
            stack.push_async_callback(embedded.stop)
        made = Server(dsn, *await _look(dsn))
        yield replace(made, about=made.about | {"edition": await _edition(made.fresh())})


async def _look(dsn: str) -> tuple[int, dict[str, str]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        backend = int(await _one(connection, "select pg_backend_pid()"))
        about = {
            "postgresql": (await _one(connection, "show server_version")).split()[0],
            "timescaledb": await _one(connection, OFFERED),
            "fsync": await _one(connection, "show fsync"),
            "synchronous_commit": await _one(connection, "show synchronous_commit"),
        }
        postmaster = parent(backend)  # while it lives: one that has ended has no parent to be found
    if postmaster <= 1:
        raise RuntimeError("the database server is none of this machine's: its CPU time cannot be read")
    return postmaster, about


async def _edition(dsn: str) -> str:
    """As the product finds it; in a database of its own, since looking makes the extension."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return (await probe(connection)).value


async def _one(connection: psycopg.AsyncConnection[Any], query: str) -> str:
    row = await (await connection.execute(query.encode())).fetchone()
    return str(row[0]) if row else ""


OFFERED = "select coalesce(max(default_version), '') from pg_available_extensions where name = 'timescaledb'"
