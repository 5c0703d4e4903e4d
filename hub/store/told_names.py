"""Names of reports and postings: each source numbers its own, the house and the ERP know each by one name.

The first to use an id has it as its name, another source's is named after that source as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from hub.store.pool import Connection
from hub.store.statements import insert


class Told:
    """One table of them. `same`: columns that tell a repeat where the source is not known."""

    def __init__(self, table: str, columns: Sequence[str], key: Sequence[str], same: Sequence[str]) -> None:
        self._add = insert(table, (*columns, "source", "told_as"), "on conflict do nothing")
        self._known = sql.SQL(KNOWN).format(
            table=sql.Identifier(table), key=_equal(key) if key else sql.SQL("true"), same=_equal(same)
        )

    async def add(
        self, connection: Connection, row: Mapping[str, Any], source: str, peers: Sequence[str] | None
    ) -> str | None:
        """The name that it has got; None when it is on record. What came before sources were kept, or of a
        source that is none of the `peers` any more, is the same when it tells of the same."""
        told = row["id"]
        for name in _names(source, told):
            values = {**row, "id": name, "source": source, "told_as": "" if name == told else told}
            if (await connection.execute(self._add, values)).rowcount:
                return name
            asked = {**row, "source": source, "peers": None if peers is None else list(peers)}
            if await (await connection.execute(self._known, asked)).fetchone() is not None:
                return None
        return None


def _names(source: str, told: str) -> tuple[str, ...]:
    if not source:
        return (told,)
    third = hashlib.sha256(f"{source}\n{told}".encode()).hexdigest()[:16]
    return told, f"{source}:{told}", f"{source}:{told}:{third}"


def _equal(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(c), sql.Placeholder(c)) for c in columns
    )


KNOWN = """
select from {table} where {key} and (
    source = %(source)s and case when told_as = '' then id else told_as end = %(id)s
    or id = %(id)s and {same} and (source = '' or source <> all (%(peers)s::text[]) and source <> %(source)s))
"""
