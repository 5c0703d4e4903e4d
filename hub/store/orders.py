"""Work orders, their operations and the reports from the MES."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from hub.model.production import JobOrder, JobProgress, JobResponse, JobState, WorkOrder, WorkOrderState
from hub.model.words import Words
from hub.store import held
from hub.store.pool import Connection
from hub.store.statements import upsert
from hub.store.told_names import Told

COLUMNS = (
    "number", "product", "product_zh", "product_en", "quantity", "due_at", "priority", "rush", "sales_order",
    "customer", "erp_id", "erp_entry_id", "state",
)  # fmt: skip
_SAME_NAME = tuple(c for c in COLUMNS if c not in ("product_zh", "product_en", "state"))
JOB_COLUMNS = ("work_order", "operation", "place", "name_zh", "name_en", "work_center", "quantity")
RESPONSE_COLUMNS = (
    "id", "work_order", "operation", "at", "good", "scrap", "state", "equipment", "person", "labour_seconds",
    "rework", "stated", "corrects",
)  # fmt: skip


def _order_row(order: WorkOrder) -> dict[str, Any]:
    row = {name: getattr(order, name) for name in _SAME_NAME}
    names = {"product_zh": order.product_name.zh, "product_en": order.product_name.en}
    return row | names | {"state": order.state.value}


def _job_row(job: JobOrder, number: str, place: int) -> dict[str, Any]:
    return {
        "work_order": number,
        "operation": job.operation,
        "place": place,
        "name_zh": job.name.zh,
        "name_en": job.name.en,
        "work_center": job.work_center,
        "quantity": job.quantity,
    }


def _job(row: dict[str, Any]) -> JobOrder:
    return JobOrder(
        row["work_order"],
        row["operation"],
        Words(row["name_zh"], row["name_en"]),
        row["work_center"],
        row["quantity"],
    )


async def save(connection: Connection, order: WorkOrder, *, keep_state: bool = False) -> bool:
    """False when the order and its operations were on record just so. `keep_state`: of one that is on record
    the state stays: the sender does not know it."""
    row = _order_row(order)
    touched = (await connection.execute(SAVE_BUT_STATE if keep_state else SAVE, row)).rowcount
    if touched:
        await connection.execute(ENDED, [order.number])
    if not keep_state:  # the office's word, not the MES's
        await held.erp_said(connection, order)
    for place, job in enumerate(order.jobs):
        touched += (await connection.execute(SAVE_JOB, _job_row(job, order.number, place))).rowcount
    kept = [job.operation for job in order.jobs]
    touched += (await connection.execute(DROP_JOBS, [order.number, kept])).rowcount
    return touched > 0


async def save_floor(
    connection: Connection, order: WorkOrder, state: WorkOrderState | None, changed_at: datetime | None
) -> bool:
    """As an MES tells it; an older word of it does not come over a newer one."""
    number = order.number
    if changed_at is not None and (await connection.execute(KNOWN_NEWER, [number, changed_at])).rowcount:
        return False
    touched = await save(connection, order, keep_state=True)
    if changed_at is not None:
        await connection.execute(CHANGED, [changed_at, number])
    if state is None:
        return touched
    moved = (await connection.execute(SET_STATE, {"number": number, "state": state.value})).rowcount
    if moved:
        await connection.execute(ENDED, [number])
    return touched or moved > 0


async def follow_reports(connection: Connection, number: str) -> bool:
    """Completed when the last word on every operation is done, released when one runs again."""
    touched = (await connection.execute(FOLLOW_REPORTS, {"number": number})).rowcount
    if touched:
        await connection.execute(ENDED, [number])
    return touched > 0


async def add_response(
    connection: Connection, response: JobResponse, source: str = "", peers: Sequence[str] | None = None
) -> JobResponse | None:
    """As it stands on record, under the house's name for it; None when it was there."""
    row = asdict(response) | {"work_order": response.order, "state": response.state.value}
    name = await RESPONSES.add(connection, row, source, peers)
    return None if name is None else replace(response, id=name)


async def present(connection: Connection) -> list[WorkOrder]:
    """Those that have not ended, and those that ended lately, as they hold; the most urgent first."""
    found = await (await connection.execute(PRESENT)).fetchall()
    return held.urgent_first(held.under(await held.terms(connection), await _with_jobs(connection, found)))


async def those(connection: Connection, numbers: Sequence[str]) -> list[WorkOrder]:
    """Ended or not, as the ERP has to know them: with a rush order's change once the ERP has taken it over.
    Numbers that are not on record are left out."""
    found = await (await connection.execute(THOSE, [list(numbers)])).fetchall()
    return held.under(await held.terms(connection, told=True), await _with_jobs(connection, found))


async def _with_jobs(connection: Connection, found: Sequence[dict[str, Any]]) -> list[WorkOrder]:
    jobs: dict[str, list[JobOrder]] = defaultdict(list)
    async for row in await connection.execute(JOBS, [[row["number"] for row in found]]):
        jobs[row["work_order"]].append(_job(row))
    return [
        WorkOrder(
            product_name=Words(row["product_zh"], row["product_en"]),
            jobs=tuple(jobs[row["number"]]),
            state=WorkOrderState(row["state"]),
            seller=row["seller"] or "",
            **{name: row[name] for name in _SAME_NAME},
        )
        for row in found
    ]


async def of_sales(connection: Connection, sales: Sequence[str], numbers: Sequence[str]) -> list[WorkOrder]:
    """Those made for these sales orders, and these; ended or not, as they hold."""
    values = {"sales": list(sales), "numbers": list(numbers)}
    found = await (await connection.execute(OF_SALES, values)).fetchall()
    return held.under(await held.terms(connection), await _with_jobs(connection, found))


async def due(connection: Connection, start: datetime, end: datetime) -> list[WorkOrder]:
    """Those due in [start, end) by what the ERP says, ended or not."""
    return await _with_jobs(connection, await (await connection.execute(DUE, [start, end])).fetchall())


async def progress(connection: Connection) -> list[JobProgress]:
    return [_progress(row) async for row in await connection.execute(PROGRESS)]


async def progress_of(connection: Connection, numbers: Sequence[str]) -> list[JobProgress]:
    """Of these orders, however long ago they ended."""
    return [_progress(row) async for row in await connection.execute(PROGRESS_OF, [list(numbers)])]


def _progress(row: dict[str, Any]) -> JobProgress:
    return JobProgress(
        _job(row), row["good"], row["scrap"], JobState(row["state"]), row["started_at"], row["last_at"],
        row["rework"],
    )  # fmt: skip


SAVE = upsert("work_orders", ("number",), COLUMNS)
SAVE_BUT_STATE = upsert("work_orders", ("number",), tuple(c for c in COLUMNS if c != "state"))
ENDED = """
update work_orders set ended_at = case when state in ('completed', 'cancelled')
    then coalesce(ended_at, clock_timestamp()) end
where number = %s
"""
KNOWN_NEWER = "select from work_orders where number = %s and changed_at > %s for update"
CHANGED = "update work_orders set changed_at = %s where number = %s"
SET_STATE = "update work_orders set state = %(state)s where number = %(number)s and state <> %(state)s"
FOLLOW_REPORTS = """
update work_orders o set state = case o.state when 'released' then 'completed' else 'released' end
from (
    select array_agg(coalesce((
        select r.state from job_responses r
        where r.work_order = j.work_order and r.operation = j.operation and r.stated
        order by r.at desc,
            array_position(array['waiting', 'running', 'inspection', 'done'], r.state) desc limit 1
    ), 'waiting')) as states
    from job_orders j where j.work_order = %(number)s
) said
where o.number = %(number)s and (o.state = 'released' and 'done' = all (said.states)
    or o.state = 'completed' and 'running' = any (said.states))
"""
SAVE_JOB = upsert("job_orders", ("work_order", "operation"), JOB_COLUMNS)
# One on which pieces were reported stays to be seen, with what was made: no sum is lost with its operation.
DROP_JOBS = """
with asked (number, kept) as (values (%s::text, %s::text[])),
told as (
    select r.operation, greatest(sum(r.good), 0) as good from job_responses r, asked
    where r.work_order = asked.number and r.operation <> all (asked.kept)
    group by r.operation having sum(r.good) <> 0 or sum(r.scrap) <> 0 or sum(r.rework) <> 0
), closed as (
    update job_orders j set quantity = told.good from told, asked
    where j.work_order = asked.number and j.operation = told.operation and j.quantity <> told.good returning 1
), dropped as (
    delete from job_orders j using asked where j.work_order = asked.number and j.operation <> all (asked.kept)
        and j.operation not in (select operation from told) returning 1
)
select from closed union all select from dropped
"""
RESPONSES = Told("job_responses", RESPONSE_COLUMNS, (), ("work_order", "operation", "at"))
# The seller stands in the sales order, which the ERP may change without touching the production order.
_ORDERS = """
select o.*, (select min(s.seller) from sales_orders s
    where s.number = o.sales_order and s.seller <> '' and o.sales_order <> '') as seller
from work_orders o
"""
_UNSEEN = "select work_order from order_changes where confirmed_at is null"
# One that has ended stays for a day; until the floor has seen that the office has ended it, also longer.
PRESENT = f"""{_ORDERS} where ended_at is null or ended_at > clock_timestamp() - interval '1 day'
    or o.number in ({_UNSEEN})
order by rush desc, priority, due_at, number
"""
OF_SALES = f"""{_ORDERS}
where o.sales_order = any (%(sales)s) or o.number = any (%(numbers)s) order by o.due_at, o.number
"""
DUE = f"{_ORDERS} where o.due_at >= %s and o.due_at < %s order by o.due_at, o.number"
THOSE = f"{_ORDERS} where number = any (%s) order by number"
JOBS = "select * from job_orders where work_order = any (%s) order by work_order, place"
# The state is what the latest report says that says anything of it; of two at one instant, the one that is
# further on. Where none does, what is counted runs.
_PROGRESS = """
select j.*, r.good, r.scrap, r.rework, r.state, r.started_at, r.last_at
from job_orders j join work_orders o on o.number = j.work_order
cross join lateral (
    select coalesce(sum(good), 0) as good, coalesce(sum(scrap), 0) as scrap,
           coalesce(sum(rework), 0) as rework,
           min(at) as started_at, max(at) as last_at,
           coalesce((array_agg(state order by at desc,
               array_position(array['waiting', 'running', 'inspection', 'done'], state) desc)
               filter (where stated))[1],
               case when count(*) > 0 then 'running' else 'waiting' end) as state
    from job_responses r where r.work_order = j.work_order and r.operation = j.operation
) r
"""
PROGRESS = f"""{_PROGRESS}
where o.ended_at is null or o.ended_at > clock_timestamp() - interval '1 day'
order by o.rush desc, o.priority, o.due_at, o.number, j.place
"""
PROGRESS_OF = f"{_PROGRESS} where j.work_order = any (%s) order by o.number, j.place"
