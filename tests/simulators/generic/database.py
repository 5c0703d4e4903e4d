"""The home-made ERP's database: a real PostgreSQL with its tables, put back to the start for every test."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from hub.postgres import EmbeddedPostgres
from tests.simulators.generic import seed

DATABASE = "erp"
_SEED: Mapping[str, Any] = {
    "machine": seed.machines, "item": seed.items, "prod_order": seed.orders,
    "prod_operation": seed.operations, "sales_line": seed.sales, "stock": seed.stock,
}  # fmt: skip
_EMPTIED = ("repair_step", "repair", "op_report", "posting", *reversed(list(_SEED)))


class Database:
    """The server runs in a thread of its own until the test run ends."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="andon-erp-"))
        self._folder.chmod(0o711)  # the server's own account must get through when we are root
        self._up, self._stop = threading.Event(), threading.Event()
        self._dsn, self._trouble = "", ""
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        atexit.register(self._end)
        if not self._up.wait(60) or self._trouble:
            raise RuntimeError(f"the ERP's database does not start: {self._trouble or 'no answer'}")
        self._make()

    @property
    def socket(self) -> Path:
        (folder,) = parse_qs(urlsplit(self._dsn).query)["host"]
        return Path(folder) / ".s.PGSQL.5432"

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """As a clerk's program would ask, past the gateway."""
        with self._connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def reset(self) -> None:
        """One batch of statements on a line that stays open: it is done for every test."""
        self._line.execute(self._script)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._dsn, dbname=DATABASE)

    def _make(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(f"create database {DATABASE}".encode())
        self._line = psycopg.connect(self._dsn, dbname=DATABASE, autocommit=True)
        self._line.execute(Path(__file__).with_name("schema.sql").read_bytes())
        self._line.execute("create schema start")
        emptied = [sql.SQL("delete from {}").format(sql.Identifier(table)) for table in _EMPTIED]
        filled = [self._kept(table) for table in _SEED]
        self._script = sql.SQL("; ").join([*emptied, *filled])

    def _kept(self, table: str) -> sql.Composed:
        """Lays the table's start aside; the statement that brings it back."""
        name, aside = sql.Identifier(table), sql.Identifier("start", table)
        self._line.execute(sql.SQL("create table {} (like {})").format(aside, name))
        for row in _SEED[table]():
            names = sql.SQL(", ").join(map(sql.Identifier, row))
            places = sql.SQL(", ").join(map(sql.Placeholder, row))
            statement = sql.SQL("insert into {} ({}) values ({})").format(aside, names, places)
            self._line.execute(statement, row)
        return sql.SQL("insert into {} select * from {}").format(name, aside)

    def _live(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = EmbeddedPostgres(self._folder / "pg", {"fsync": "off", "full_page_writes": "off"})
        try:
            self._dsn = await server.start()
        except Exception as cause:  # told to whoever waits
            self._trouble = str(cause)
            raise
        finally:
            self._up.set()
        while not self._stop.is_set():
            await asyncio.sleep(0.1)
        await server.stop()

    def _end(self) -> None:
        self._line.close()
        self._stop.set()
        self._thread.join(30)
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def database() -> Database:
    """One for the test run."""
    return Database()
