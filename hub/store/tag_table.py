"""Numbers of tags, given out once and never reused."""

from __future__ import annotations

from collections.abc import Iterable

from hub.store.pool import Pool, borrowed


class TagTable:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def number(self, paths: Iterable[str]) -> dict[str, int]:
        """The number of each path; new paths get the next ones, in the order given. Numbers begin at 1."""
        wanted = list(dict.fromkeys(paths))
        async with borrowed(self._pool) as connection, connection.transaction():
            await connection.execute(NEW, [wanted])
            rows = await (await connection.execute(NUMBERS, [wanted])).fetchall()
        found = {row["path"]: row["number"] for row in rows}
        return {path: found[path] for path in wanted}


# Only unknown paths are inserted: a conflict would use up a number.
NEW = """
insert into tags (path)
select wanted.path from unnest(%s::text[]) with ordinality wanted (path, place)
where not exists (select from tags known where known.path = wanted.path)
order by wanted.place
on conflict (path) do nothing
"""
NUMBERS = "select path, number from tags where path = any (%s)"
