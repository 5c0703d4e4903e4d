"""How a database stands to this release, for processes that leave its schema to others; looks only."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from hub.store.migrate import read_migrations


@dataclass(frozen=True, slots=True)
class Standing:
    newer: tuple[str, ...]  # migrations that it has and this release does not know
    lacking: tuple[str, ...]  # those of this release that it does not have yet


async def standing(dsn: str) -> Standing:
    """Raises psycopg.Error where it cannot be asked."""
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5)
    async with connection:
        row = await (await connection.execute(EDITION)).fetchone()
        if row is None or not row[0]:
            return Standing((), tuple(m.name for m in read_migrations()))
        applied = {row[0] for row in await (await connection.execute(APPLIED)).fetchall()}
        edition = await (await connection.execute("select edition from schema_edition")).fetchone()
    known = read_migrations()
    mine = [m.name for m in known if edition is None or edition[0] in m.editions]
    return Standing(
        tuple(sorted(applied - {m.name for m in known})), tuple(n for n in mine if n not in applied)
    )


EDITION = """
select to_regclass('schema_migrations') is not null and to_regclass('schema_edition') is not null
"""
APPLIED = "select name from schema_migrations"
