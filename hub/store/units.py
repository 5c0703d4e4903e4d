"""The unit that each tag's samples are in. One that changes does not change what is on record: a curve begins
where its unit does, and the change stands on the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from hub.store.pool import Pool, borrowed


async def tell(pool: Pool, units: Mapping[str, str]) -> list[str]:
    """At the start of the process that stores: the paths whose unit is another one from now on."""
    async with borrowed(pool) as connection:
        rows = await (await connection.execute(TELL, [list(units), list(units.values())])).fetchall()
    return [row["path"] for row in rows]


async def since(pool: Pool) -> dict[str, datetime]:
    """Of tags whose unit has changed: since when they have the present one."""
    async with borrowed(pool) as connection:
        rows = await (await connection.execute(SINCE)).fetchall()
    return {row["path"]: datetime.fromisoformat(row["since"]).astimezone(UTC) for row in rows}


TELL = """
with moved as (
    insert into marks as old (name, value)
    select 'unit:' || said.path, json_build_object('unit', said.unit)::text
    from unnest(%s::text[], %s::text[]) said (path, unit) order by 1
    on conflict (name) do update set value = json_build_object(
        'unit', excluded.value::json->>'unit', 'before', old.value::json->>'unit', 'since', now())::text
        where old.value::json->>'unit' <> excluded.value::json->>'unit'
    returning substr(name, 6) as path, value::json as value
),
told as (
    insert into audit (at, who, what, about, detail)
    select now(), 'writer', 'unit-changed', moved.path,
           jsonb_build_object('before', moved.value->>'before', 'after', moved.value->>'unit')
    from moved where moved.value->>'since' is not null
)
select path from moved where value->>'since' is not null order by path
"""
SINCE = """
select substr(name, 6) as path, value::json->>'since' as since from marks
where name like 'unit:%%' and value::json->>'since' is not null
"""
