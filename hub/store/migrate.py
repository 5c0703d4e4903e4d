"""Brings a database to the schema of this code, forward only.

Files are `NNNN_name.sql`, or `NNNN_name.EDITION[-EDITION].sql` for some editions only (`timescale` stands for
Apache and community). Each runs in a transaction of its own together with its line in `schema_migrations`, so
a migration that is killed half-way has not happened. The edition is chosen once and stays.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection

from hub.errors import ConfigError
from hub.failpoint import failpoint
from hub.store import half_restored
from hub.store.edition import Edition, probe
from hub.store.partitions import make_ahead

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x616E646F6E01  # "andon", 1
_GROUPS = {"timescale": (Edition.APACHE, Edition.COMMUNITY)}


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    editions: frozenset[Edition]
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All of them, in order."""
    return [_read(path) for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))]


def _read(path: Path) -> Migration:
    _, _, suffix = path.stem.partition(".")
    editions = {
        edition
        for word in filter(None, suffix.split("-"))
        for edition in _GROUPS.get(word) or (Edition(word),)
    }
    return Migration(path.stem, frozenset(editions or Edition), path.read_text(encoding="utf-8"))


async def bring_up_to(dsn: str, numbers: set[str], folder: Path = FOLDER) -> list[str]:
    """As `migrate`, with these only (`0001_record`): the schema that a backup was made of."""
    known = [m for m in read_migrations(folder) if m.name.partition(".")[0] in numbers]
    return await _migrate(dsn, known, restoring=True)


async def migrate(dsn: str, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing and answer with the names applied now; several callers at once take turns.

    Raises ConfigError, and changes nothing, when a file that was applied has changed since, the database is
    newer than this code, its edition is not the one it was made with, or a restore into it did not end.
    """
    return await _migrate(dsn, read_migrations(folder))


async def _migrate(dsn: str, known: list[Migration], *, restoring: bool = False) -> list[str]:
    async with await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, prepare_threshold=None
    ) as connection:
        await connection.execute("set client_min_messages = warning; set timezone = 'UTC'")
        await connection.execute("select pg_advisory_lock(%s)", [LOCK])
        try:
            if not restoring:
                await half_restored.refuse(connection)
            return await _bring_up(connection, known)
        finally:
            await connection.execute("select pg_advisory_unlock(%s)", [LOCK])


async def _bring_up(connection: AsyncConnection[Any], known: list[Migration]) -> list[str]:
    edition = await probe(connection)
    await connection.execute(_BOOKS)
    edition = await _settle(connection, edition)
    todo = missing(known, await _applied(connection), edition)
    for migration in todo:
        async with connection.transaction():
            await connection.execute(migration.text.encode())
            failpoint("migrate.before_record")
            await connection.execute(
                "insert into schema_migrations (name, checksum) values (%s, %s)",
                [migration.name, migration.checksum],
            )
    if edition is Edition.PLAIN and any(m.name.startswith("0002_samples") for m in known):
        await make_ahead(connection)
    return [migration.name for migration in todo]


def missing(known: list[Migration], applied: dict[str, str], edition: Edition) -> list[Migration]:
    """What is yet to be applied; raises ConfigError when the two histories do not fit."""
    by_name = {migration.name: migration for migration in known}
    for name, checksum in applied.items():
        if name not in by_name:
            raise ConfigError(
                f"hub.database: its schema has {name}, which this release does not know: the release "
                "is older than the database. Install the newer release, or restore a backup made by this one"
            )
        if by_name[name].checksum != checksum:
            raise ConfigError(
                f"hub.store.migrations: {name} was changed after it was applied to this database; "
                "put the old text back and write the change as a new migration"
            )
    return [m for m in known if edition in m.editions and m.name not in applied]


async def _applied(connection: AsyncConnection[Any]) -> dict[str, str]:
    rows = await connection.execute("select name, checksum from schema_migrations order by name")
    return dict(await rows.fetchall())


async def _settle(connection: AsyncConnection[Any], offered: Edition) -> Edition:
    """The edition this database was made with. One with fewer powers than that cannot serve it."""
    await connection.execute(
        "insert into schema_edition (edition) values (%s) on conflict do nothing", [offered]
    )
    row = await (await connection.execute("select edition from schema_edition")).fetchone()
    made = Edition(row[0]) if row else offered
    powers = list(Edition)
    if powers.index(offered) < powers.index(made):
        raise ConfigError(
            f"hub.database: it was made with the {made} edition, but the server now offers {offered}; "
            "check shared_preload_libraries and timescaledb.license"
        )
    return made


_BOOKS = """
create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
);
create table if not exists schema_edition (
    one boolean primary key default true check (one),
    edition text not null check (edition in ('plain', 'apache', 'community'))
);
"""
