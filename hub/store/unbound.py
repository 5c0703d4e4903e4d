"""Reports and postings of operations that no order on record has: counted again as soon as one has them."""

from __future__ import annotations

from hub.model.intake import Unbound
from hub.store.pool import Connection


async def note(connection: Connection, order: str, operation: str) -> str:
    """ "" when the operation is on record, else what is not: "order" or "operation"."""
    row = await (await connection.execute(NOTE, {"order": order, "operation": operation})).fetchone()
    return row["lacking"] if row else ""


async def those(connection: Connection, limit: int) -> list[Unbound]:
    """The latest first."""
    return [Unbound(**row) async for row in await connection.execute(THOSE, [limit])]


async def count(connection: Connection) -> int:
    row = await (await connection.execute(COUNT)).fetchone()
    return row["n"] if row else 0


# Of a posting that names no operation only the order has to be there.
NOTE = """
with lacking as (
    select case when exists (select from work_orders where number = %(order)s)
        then 'operation' else 'order' end as lacking
    where not exists (
        select from job_orders where work_order = %(order)s and operation = %(operation)s)
      and not (%(operation)s = '' and exists (select from work_orders where number = %(order)s))
), kept as (
    insert into unbound_jobs (work_order, operation) select %(order)s, %(operation)s from lacking
    on conflict do nothing
)
select lacking from lacking
"""
_OPEN = """
unbound_jobs u left join work_orders o on o.number = u.work_order
where not exists (select from job_orders j where j.work_order = u.work_order and j.operation = u.operation)
  and not (u.operation = '' and o.number is not null)
"""
COUNT = f"select count(*) as n from {_OPEN}"  # noqa: S608 our own text
THOSE = f"""
with open as (
    select u.work_order, u.operation, o.number is not null as known from {_OPEN}
)
select open.work_order as order, open.operation, open.known as order_known,
    r.reports, r.good, r.scrap, r.rework, p.postings,
    least(r.first_at, p.first_at) as first_at, greatest(r.last_at, p.last_at) as last_at,
    array(select distinct s from unnest(r.sources || p.sources) s where s <> '' order by s) as sources
from open cross join lateral (
    select count(*) as reports, coalesce(sum(good), 0) as good, coalesce(sum(scrap), 0) as scrap,
        coalesce(sum(rework), 0) as rework, min(at) as first_at, max(at) as last_at,
        array_agg(distinct source) as sources
    from job_responses where work_order = open.work_order and operation = open.operation
) r cross join lateral (
    select count(*) as postings, min(at) as first_at, max(at) as last_at,
        array_agg(distinct source) as sources
    from postings where work_order = open.work_order and operation = open.operation
) p
order by last_at desc nulls last, open.work_order, open.operation limit %s
"""  # noqa: S608
DONE = """
delete from unbound_jobs u using work_orders o where u.since < %s and o.number = u.work_order and (
    u.operation = '' or exists (
    select from job_orders j where j.work_order = u.work_order and j.operation = u.operation))
"""
