"""Numbers of tags, given out once and never reused."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg.rows import tuple_row

from hub.store.pool import Connection, Pool, borrowed


class TagTable:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def number(self, paths: Iterable[str]) -> dict[str, int]:
        """The number of each path; new paths get the next ones, in the order given. Numbers begin at 1."""
        wanted = list(dict.fromkeys(paths))
        async with borrowed(self._pool) as connection:
            found = await _known(connection, wanted)
            if new := [path for path in wanted if path not in found]:
                async with connection.transaction():
                    await connection.execute(ALONE)
                    await connection.execute(NEW, [new])
                found |= await _known(connection, new)
        return {path: found[path] for path in wanted}


async def _known(connection: Connection, paths: list[str]) -> dict[str, int]:
    cursor = connection.cursor(row_factory=tuple_row)
    return dict(await (await cursor.execute(NUMBERS, [paths])).fetchall())


# Two that insert the same paths in another order would wait for each other for ever. Readers are let through.
ALONE = "lock table tags in share row exclusive mode"
# Only unknown paths are inserted (another process may have been quicker): a conflict would use up a number.
NEW = """
insert into tags (path)
select wanted.path from unnest(%s::text[]) with ordinality wanted (path, place)
where not exists (select from tags known where known.path = wanted.path)
order by wanted.place
on conflict (path) do nothing
"""
NUMBERS = "select path, number from tags where path = any (%s)"
