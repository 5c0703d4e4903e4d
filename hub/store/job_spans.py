"""What each machine ran when, kept up to date in the transaction that puts a report on record.

Only machines with process parameters have spans. A report that comes late moves them, and with them what
the stored samples of its time are bound to. Writers of samples hold LOCK together, whoever moves a span holds
it alone: no sample is stored between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.kpi.job_spans import job_spans
from hub.model.erp import PostingKind
from hub.model.parameter import JobSpan, Lot
from hub.model.production import JobResponse, JobState, Posting
from hub.store.pool import Connection

LOCK = 0x616E646F6E04
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Moves:
    """What one transaction has told of jobs and lots; `settle` before its commit."""

    reports: list[JobResponse] = field(default_factory=list)
    issues: list[Posting] = field(default_factory=list)

    def report(self, report: JobResponse) -> None:
        self.reports.append(report)

    def post(self, posting: Posting) -> None:
        if posting.kind is PostingKind.ISSUE and posting.lot:
            self.issues.append(posting)

    async def settle(self, connection: Connection) -> None:
        if not self.reports and not self.issues:
            return
        values = {
            "places": [r.equipment for r in self.reports],
            "work_orders": [r.order for r in self.reports],
            "operations": [r.operation for r in self.reports],
            "ats": [r.at for r in self.reports],
            "issued": [p.order for p in self.issues],
            "issued_at": [p.at for p in self.issues],
        }
        touched = await (await connection.execute(TOUCHED, values)).fetchall()
        if not touched:
            return
        await connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        for row in touched:
            await follow(connection, row["equipment"], row["since"])


async def follow(connection: Connection, machine: str, since: datetime) -> None:
    """The machine's spans from `since` on as the reports have them, and its samples bound to them."""
    before = next(iter(await _read(connection, BEFORE, [machine, since])), None)
    reports = await _reports(connection, machine, since)
    orders = {r.order for r in reports} | ({before.order} if before else set())
    meant = job_spans(machine, before, since, reports, await _issues(connection, sorted(orders)))
    known = await _read(connection, FROM, [machine, since])
    kept = {(s.since, s.order, s.operation, s.lots) for s in known}
    new = [s for s in meant if (s.since, s.order, s.operation, s.lots) not in kept]
    wanted = {(s.since, s.order, s.operation, s.lots) for s in meant}
    gone = [s for s in known if (s.since, s.order, s.operation, s.lots) not in wanted]
    if not new and not gone:
        return
    await connection.execute(DROP, [[s.id for s in gone]])
    for span in new:
        await connection.execute(ADD, _row(span))
    first = min(s.since for s in (*new, *gone))
    last = max(s.since for s in (*new, *gone))
    until = min((s.since for s in meant if s.since > last), default=None)
    await connection.execute(BIND, {"machine": machine, "first": first, "until": until})


async def _reports(connection: Connection, machine: str, since: datetime) -> list[JobResponse]:
    rows = await connection.execute(REPORTS, {"places": _places(machine), "since": since})
    return [
        JobResponse(r["id"], r["work_order"], r["operation"], r["at"], state=JobState(r["state"]))
        async for r in rows
    ]


async def _issues(connection: Connection, orders: Sequence[str]) -> list[Posting]:
    return [
        Posting(
            r["id"], PostingKind.ISSUE, r["work_order"], r["operation"], r["at"], r["item"], lot=r["lot"],
            equipment=r["equipment"],
        )
        async for r in await connection.execute(ISSUES, [list(orders)])
    ]  # fmt: skip


def _places(machine: str) -> list[str]:
    """The machine and every node above it."""
    steps = machine.split("/")
    return ["/".join(steps[:n]) for n in range(len(steps), 0, -1)]


async def _read(connection: Connection, query: str, values: Sequence[Any]) -> list[JobSpan]:
    return [span_of(row) async for row in await connection.execute(query.encode(), list(values))]


def span_of(row: dict[str, Any]) -> JobSpan:
    return JobSpan(
        row["equipment"], row["since"].astimezone(UTC), row["work_order"], row["operation"],
        lots_of(row["items"], row["lots"]), row["id"],
        row["until"].astimezone(UTC) if row.get("until") else None,
    )  # fmt: skip


def lots_of(items: Iterable[str], lots: Iterable[str]) -> tuple[Lot, ...]:
    return tuple(Lot(item, lot) for item, lot in zip(items, lots, strict=True))


def _row(span: JobSpan) -> dict[str, Any]:
    return {
        "equipment": span.equipment, "since": span.since, "work_order": span.order,
        "operation": span.operation, "items": [x.item for x in span.lots], "lots": [x.lot for x in span.lots],
    }  # fmt: skip


# Of a report that names no place it is the one its operation was planned for.
TOUCHED = """
with told as (
    select coalesce(nullif(r.place, ''), j.work_center) as place, r.at
    from unnest(%(places)s::text[], %(work_orders)s::text[], %(operations)s::text[], %(ats)s::timestamptz[])
        r (place, work_order, operation, at)
    left join job_orders j on r.place = '' and j.work_order = r.work_order and j.operation = r.operation
)
select equipment, min(at) as since from (
    select p.equipment, told.at from told
    join (select distinct equipment from process_parameters where active) p
        on told.place <> '' and (p.equipment = told.place or starts_with(p.equipment, told.place || '/'))
    union all
    select s.equipment, i.at from unnest(%(issued)s::text[], %(issued_at)s::timestamptz[]) i (work_order, at)
    join job_spans s on s.work_order = i.work_order
) found group by equipment order by equipment
"""
BEFORE = """
select * from job_spans where equipment = %s and since < %s order by since desc limit 1
"""
FROM = "select * from job_spans where equipment = %s and since >= %s order by since"
REPORTS = """
select r.id, r.work_order, r.operation, r.at, r.state from job_responses r
left join job_orders j on r.equipment = '' and j.work_order = r.work_order and j.operation = r.operation
where r.at >= %(since)s and coalesce(nullif(r.equipment, ''), j.work_center) = any (%(places)s)
"""
ISSUES = """
select id, work_order, operation, at, item, lot, equipment from postings
where kind = 'issue' and lot <> '' and work_order = any (%s)
"""
DROP = "delete from job_spans where id = any (%s)"
ADD = """
insert into job_spans (equipment, since, work_order, operation, items, lots)
values (%(equipment)s, %(since)s, %(work_order)s, %(operation)s, %(items)s::text[], %(lots)s::text[])
"""
BIND = """
update parameter_samples p set span = coalesce((
    select s.id from job_spans s where s.equipment = %(machine)s and s.since <= p.ts
    order by s.since desc limit 1), 0)
where p.tag in (select tag from process_parameters where equipment = %(machine)s)
  and p.ts >= %(first)s and p.ts < coalesce(%(until)s::timestamptz, 'infinity')
"""
