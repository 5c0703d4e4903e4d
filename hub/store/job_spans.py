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
from hub.model.production import JobResponse, Posting
from hub.store.job_reports import New, new_of, told
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
        for row in touched:  # a lot counts for all that its order ran afterwards
            new = None if row["loaded"] else new_of(self.reports, row["since"])
            await follow(connection, row["equipment"], row["since"], new)


async def follow(connection: Connection, machine: str, since: datetime, new: New | None = None) -> None:
    """The machine's spans from `since` on as the reports have them, and its samples bound to them: up to
    where the `new` reports make a difference, all of them where it is not known which are new."""
    before = next(iter(await _read(connection, BEFORE, [machine, since])), None)
    heard = await told(connection, machine, since, before, new)
    orders = {r.order for r in heard.reports} | ({before.order} if before else set())
    orders |= {heard.running[0]} if heard.running else set()
    until = heard.until or datetime.max.replace(tzinfo=UTC)
    issues = [i for i in await _issues(connection, sorted(orders)) if i.at <= until]
    meant = job_spans(machine, before, since, heard.reports, issues, heard.stated, heard.running)
    known = await _read(connection, FROM, [machine, since, heard.until])
    kept = {(s.since, s.order, s.operation, s.lots) for s in known}
    added = [s for s in meant if (s.since, s.order, s.operation, s.lots) not in kept]
    wanted = {(s.since, s.order, s.operation, s.lots) for s in meant}
    gone = [s for s in known if (s.since, s.order, s.operation, s.lots) not in wanted]
    if not added and not gone:
        return
    await connection.execute(DROP, [[s.id for s in gone]])
    async with connection.cursor() as cursor:
        await cursor.executemany(ADD, [_row(span) for span in added])
    first = min(s.since for s in (*added, *gone))
    last = max(s.since for s in (*added, *gone))
    await connection.execute(BIND, {"machine": machine, "first": first, "last": last})


async def _issues(connection: Connection, orders: Sequence[str]) -> list[Posting]:
    return [
        Posting(
            r["id"], PostingKind.ISSUE, r["work_order"], r["operation"], r["at"], r["item"], lot=r["lot"],
            equipment=r["equipment"],
        )
        async for r in await connection.execute(ISSUES, [list(orders)])
    ]  # fmt: skip


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
select equipment, min(at) as since, bool_or(loaded) as loaded from (
    select p.equipment, told.at, false as loaded from told
    join (select distinct equipment from process_parameters where active) p
        on told.place <> '' and (p.equipment = told.place or starts_with(p.equipment, told.place || '/'))
    union all
    select s.equipment, i.at, true
    from unnest(%(issued)s::text[], %(issued_at)s::timestamptz[]) i (work_order, at)
    join job_spans s on s.work_order = i.work_order
) found group by equipment order by equipment
"""
BEFORE = """
select * from job_spans where equipment = %s and since < %s order by since desc limit 1
"""
FROM = """
select * from job_spans where equipment = %s and since >= %s
    and since <= coalesce(%s::timestamptz, 'infinity') order by since
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
  and p.ts >= %(first)s and p.ts < coalesce((
    select min(s.since) from job_spans s where s.equipment = %(machine)s and s.since > %(last)s), 'infinity')
"""
