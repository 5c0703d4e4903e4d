"""Versions of the ERP's field maps and of machines' state tables: saved one after another, one of each kind
active, or none (the file's)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from hub.errors import Conflict, NotFound
from hub.model.mapping import FROM_FILE, MappingState, MappingVersion
from hub.model.state_table import Seam
from hub.store.pool import Pool, borrowed


class PgMappings:
    """hub.ports.Mappings and StateTables."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def versions(self, kind: str) -> list[MappingVersion]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(VERSIONS, [kind])).fetchall()
        return [_version(row) for row in rows]

    async def active(self, kind: str) -> int:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(ACTIVE, [kind])).fetchone()
        return int(row["number"]) if row else FROM_FILE

    async def in_use(self, prefix: str) -> list[MappingVersion]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(IN_USE, [prefix])).fetchall()
        return [_version(row) for row in rows]

    async def seams(self) -> dict[str, Seam]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(SEAMS)).fetchall()
        return {r["equipment"]: seam_of(r) for r in rows}

    async def set_seams(self, seams: Mapping[str, Seam]) -> None:
        rows = [(path, seam.codes, seam.since) for path, seam in sorted(seams.items())]
        async with borrowed(self._pool) as connection, connection.transaction():
            await connection.cursor().executemany(SET_SEAM, rows)

    async def save(
        self, kind: str, documents: Mapping[str, Any], latest: int, by: str, note: str, at: datetime
    ) -> MappingVersion:
        values = {
            "kind": kind, "documents": Jsonb(dict(documents)), "latest": latest, "by": by, "note": note,
            "at": at,
        }  # fmt: skip
        try:
            async with borrowed(self._pool) as connection:
                row = await (await connection.execute(SAVE, values)).fetchone()
        except psycopg.errors.UniqueViolation:
            row = None
        if row is None:
            raise Conflict("mapping-saved", "somebody has saved another version meanwhile; look at it first")
        return _version(row)

    async def activate(self, kind: str, number: int, active: int, by: str, at: datetime) -> None:
        async with borrowed(self._pool) as connection, connection.transaction():
            rows = await (await connection.execute(LOCK, [kind])).fetchall()
            now = next((r["number"] for r in rows if r["state"] == MappingState.ACTIVE), FROM_FILE)
            if now != active:
                raise Conflict("mapping-activated", f"version {now} has been activated meanwhile")
            if number != FROM_FILE and number not in {r["number"] for r in rows}:
                raise NotFound("not-found", f"there is no version {number}")
            await connection.execute(RETIRE, [kind])
            await connection.execute(ACTIVATE, {"kind": kind, "number": number, "by": by, "at": at})


def _version(row: Mapping[str, Any]) -> MappingVersion:
    return MappingVersion(**{**row, "state": MappingState(row["state"])})


def seam_of(row: Mapping[str, Any]) -> Seam:
    return Seam(row["codes"], row["since"].astimezone(UTC))


VERSIONS = "select * from mappings where kind = %s order by number desc"
ACTIVE = "select number from mappings where kind = %s and state = 'active'"
IN_USE = "select * from mappings where starts_with(kind, %s::text) and state = 'active' order by kind"
SEAMS = "select * from state_seams"
SET_SEAM = """
insert into state_seams (equipment, codes, since) values (%s, %s, %s)
on conflict (equipment) do update set codes = excluded.codes, since = excluded.since
"""
SAVE = """
insert into mappings (number, kind, documents, by, at, note)
select %(latest)s::int + 1, %(kind)s, %(documents)s, %(by)s, %(at)s, %(note)s
where (select coalesce(max(number), 0) from mappings where kind = %(kind)s) = %(latest)s::int
returning *
"""
LOCK = "select number, state from mappings where kind = %s order by number for update"
RETIRE = "update mappings set state = 'retired' where kind = %s and state = 'active'"
ACTIVATE = """
update mappings set state = 'active', activated_at = %(at)s, activated_by = %(by)s
where kind = %(kind)s and number = %(number)s
"""
