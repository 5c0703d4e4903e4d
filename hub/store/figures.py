"""What the figures of a month are made of: orders that were due, their reports, what was issued, stock by
day; and what of an order's costs the ERP has been told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.model.production import JobResponse, JobState, WorkOrder
from hub.store import orders
from hub.store.pool import Pool, borrowed


@dataclass(frozen=True, slots=True)
class PgFigures:
    """hub.api.deps.FigureBook."""

    pool: Pool

    async def due(self, start: datetime, end: datetime) -> tuple[list[WorkOrder], list[JobResponse]]:
        """Orders due in [start, end), ended or not, with all of their reports."""
        async with borrowed(self.pool) as connection:
            found = await orders.due(connection, start, end)
            rows = await (await connection.execute(REPORTS, [[o.number for o in found]])).fetchall()
        return found, [_report(row) for row in rows]

    async def issued(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """{"item", "work_center", "quantity"}: material that went into orders."""
        async with borrowed(self.pool) as connection:
            return await (await connection.execute(ISSUED, [start, end])).fetchall()

    async def stock(self, start: datetime, end: datetime) -> dict[str, list[float]]:
        """Item -> what the ERP told on each day of the period (days in UTC)."""
        levels: dict[str, list[float]] = defaultdict(list)
        async with borrowed(self.pool) as connection:
            async for row in await connection.execute(STOCK, [start, end]):
                levels[row["item"]].append(row["quantity"])
        return levels

    async def costs(self, start: datetime, end: datetime, order: str = "") -> list[dict[str, Any]]:
        """Per order, kind of cost, item and unit: how much was booked in [start, end), and how much of it the
        ERP has taken; with the numbers of documents, taken, and refused."""
        values = {"start": start, "end": end, "order": order, "most": MOST}
        async with borrowed(self.pool) as connection:
            return await (await connection.execute(COSTS, values)).fetchall()


def _report(row: dict[str, Any]) -> JobResponse:
    return JobResponse(
        row["id"], row["work_order"], row["operation"], row["at"], row["good"], row["scrap"],
        JobState(row["state"]), row["equipment"], row["person"], row["labour_seconds"],
        row["rework"], row["stated"],
    )  # fmt: skip


MOST = 5000  # rows of one answer
REPORTS = "select * from job_responses where work_order = any (%s) order by at, id"
ISSUED = """
select p.item, coalesce(j.work_center, '') as work_center, sum(p.quantity)::float8 as quantity
from postings p left join job_orders j on j.work_order = p.work_order and j.operation = p.operation
where p.kind = 'issue' and p.item <> '' and p.at >= %s and p.at < %s
group by p.item, coalesce(j.work_center, '') order by p.item
"""
STOCK = """
select item, quantity from stock_days
where day >= (%s::timestamptz at time zone 'UTC')::date and day < (%s::timestamptz at time zone 'UTC')::date
order by item, day
"""
# The document's key is that of the ledger of messages: erp_bridge.envelope.
COSTS = """
with booked as (
    select work_order, 'report:' || id as document, at, c.what, '' as item, c.unit, c.quantity
    from job_responses cross join lateral (values
        ('report-labour', 's', labour_seconds), ('good', '', good::float8),
        ('report-scrap', '', scrap::float8)
    ) as c (what, unit, quantity)
    union all
    select work_order, kind || ':' || id, at, c.what, c.item, c.unit, c.quantity
    from postings p cross join lateral (values
        ('labour', '', 's', case when kind = 'hours' then p.labour_seconds else 0 end),
        ('machine', '', 's', case when kind = 'hours' then p.machine_seconds else 0 end),
        ('material', p.item, p.unit, case when kind = 'issue' then p.quantity else 0 end),
        ('scrap', p.item, p.unit, case when kind = 'scrap' then p.quantity else 0 end),
        ('receipt', p.item, p.unit, case when kind = 'receipt' then p.quantity else 0 end)
    ) as c (what, item, unit, quantity)
)
select b.work_order, b.what, b.item, b.unit, sum(b.quantity)::float8 as booked,
    coalesce(sum(b.quantity) filter (where t.taken), 0)::float8 as taken,
    count(*) as documents, count(*) filter (where t.taken) as documents_taken,
    count(*) filter (where t.refused and not t.taken) as documents_refused
from booked b cross join lateral (
    select coalesce(bool_or(e.outcome in ('done', 'adopted')), false) as taken,
        coalesce((array_agg(e.outcome order by e.id desc))[1] = 'refused', false) as refused
    from erp_exchanges e where e.document = b.document
) t
where b.quantity <> 0 and b.at >= %(start)s and b.at < %(end)s
    and (%(order)s = '' or b.work_order = %(order)s)
group by b.work_order, b.what, b.item, b.unit
order by b.work_order desc, b.what, b.item, b.unit limit %(most)s
"""
