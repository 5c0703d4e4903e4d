"""The reports about one machine that what was told just now can change anything of, and no more.

What a machine runs is told by its last reports. So a report that comes late moves something up to where those
behind it have the same say as without it: from there on nothing is read, however many there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.kpi.job_spans import Job, Standing
from hub.model.parameter import JobSpan
from hub.model.production import JobResponse, JobState
from hub.store.pool import Connection

_FIRST, _LARGEST = 32, 16_384  # reports of one page


@dataclass(slots=True)
class Told:
    """`reports` of the machine from a time on, to `until` at the end of which nothing differs any more."""

    reports: list[JobResponse] = field(default_factory=list)
    stated: set[Job] = field(default_factory=set)  # before the first of them
    running: Job | None = None  # before the first of them, where that is not what ran before the time
    until: datetime | None = None  # None: there are no more


@dataclass(frozen=True, slots=True)
class New:
    """Reports of this transaction: their ids, the last time, and the first id at the earliest time."""

    ids: Collection[str]
    last: datetime
    first_id: str


def new_of(reports: Sequence[JobResponse], since: datetime) -> New:
    at_once = [r.id for r in reports if r.at == since]
    return New({r.id for r in reports}, max(r.at for r in reports), min(at_once, default=""))


async def told(
    connection: Connection, machine: str, since: datetime, before: JobSpan | None, new: New | None
) -> Told:
    """All of them where it is not known what is `new`."""
    asked = _Asked(connection, machine, since)
    ran: Job | None = (before.order, before.operation) if before and before.order else None
    found = Told()
    if new is not None and new.first_id:
        found.running = await asked.running_at(new.first_id, ran)
        asked.begin_id = new.first_id if found.running else ""
    began = found.running or ran
    old, now = Standing(began), Standing(began)
    size, previous = _FIRST if new else None, None
    await asked.learn([began[0]] if began else [], found.stated)
    while True:
        page = await asked.page(previous, size)
        await asked.learn((r.order for r in page), found.stated)
        old.with_states |= found.stated
        now.with_states |= found.stated
        for report in page:
            ends = (
                previous.at if previous and previous.at < report.at else None
            )  # an instant is heard to its end
            if new and ends and new.last <= ends and await asked.same(old, now, ends):
                found.until = ends
                return found
            now.hear(report)
            if new and report.id not in new.ids:
                old.hear(report)
            found.reports.append(report)
            previous = report
        if size is None or len(page) < size:
            return found
        size = min(size * 4, _LARGEST)


class _Asked:
    """Questions to the record about one machine."""

    def __init__(self, connection: Connection, machine: str, since: datetime) -> None:
        self._connection = connection
        self._since, self._places = since, places_of(machine)
        self.begin_id = ""  # reports at `since` with a lesser id count as before it
        self._learnt: set[str] = set()
        self._later: dict[frozenset[Job], datetime | None] = {}

    async def page(self, after: JobResponse | None, size: int | None) -> list[JobResponse]:
        values = {
            "places": self._places, "since": after.at if after else self._since,
            "after": after.id if after else None, "from_id": self.begin_id, "size": size,
        }  # fmt: skip
        return [_report(r) async for r in await self._connection.execute(REPORTS, values)]

    async def learn(self, orders: Iterable[str], stated: set[Job]) -> None:
        """Into `stated`: which operations of these orders had told a state before all that is read."""
        fresh = {*orders} - self._learnt
        if fresh:
            self._learnt |= fresh
            stated |= await self._stated(fresh, self.begin_id)

    async def same(self, old: Standing, now: Standing, at: datetime) -> bool:
        """Whether nothing that is told after `at` can make a difference between the two."""
        if old.running != now.running:
            return False
        more = frozenset(now.with_states - old.with_states)
        if more and more not in self._later:
            values = {"orders": [o for o, _ in more], "operations": [p for _, p in more]}
            row = await (await self._connection.execute(LATER, values)).fetchone()
            self._later[more] = row["at"] if row else None
        later = self._later[more] if more else None
        return later is None or later <= at

    async def running_at(self, first_id: str, ran: Job | None) -> Job | None:
        """What ran before that report, where others of the same instant say it without a doubt."""
        values: dict[str, Any] = {"places": self._places, "since": self._since, "id": first_id}
        row = await (await self._connection.execute(LAST_AT, values)).fetchone()
        if row is None:
            return None
        job: Job = (row["work_order"], row["operation"])
        if row["stated"]:
            return job if row["state"] == JobState.RUNNING.value else None
        jobs = {
            (r["work_order"], r["operation"]) async for r in await self._connection.execute(JOBS_AT, values)
        }
        jobs |= {ran} if ran else set()
        return None if jobs & await self._stated({order for order, _ in jobs}, first_id) else job

    async def _stated(self, orders: Collection[str], before_id: str) -> set[Job]:
        values = {"orders": sorted(orders), "since": self._since, "id": before_id}
        rows = await self._connection.execute(STATED, values)
        return {(r["work_order"], r["operation"]) async for r in rows}


def places_of(machine: str) -> list[str]:
    """The machine and every node above it."""
    steps = machine.split("/")
    return ["/".join(steps[:n]) for n in range(len(steps), 0, -1)]


def _report(r: dict[str, Any]) -> JobResponse:
    return JobResponse(
        r["id"], r["work_order"], r["operation"], r["at"], state=JobState(r["state"]), stated=r["stated"]
    )


# Of a report that names no place it is the one its operation was planned for.
_OF_MACHINE = """
from job_responses r
left join job_orders j on r.equipment = '' and j.work_order = r.work_order and j.operation = r.operation
where coalesce(nullif(r.equipment, ''), j.work_center) = any (%(places)s)
"""
REPORTS = f"""
select r.id, r.work_order, r.operation, r.at, r.state, r.stated {_OF_MACHINE}
    and r.at >= %(since)s and (r.at > %(since)s or case when %(after)s::text is null
        then r.id collate "C" >= %(from_id)s else r.id collate "C" > %(after)s::text end)
order by r.at, r.id collate "C" limit %(size)s::bigint
"""
LAST_AT = f"""
select r.work_order, r.operation, r.state, r.stated {_OF_MACHINE}
    and r.at = %(since)s and r.id collate "C" < %(id)s order by r.id collate "C" desc limit 1
"""
JOBS_AT = f"""
select distinct r.work_order, r.operation {_OF_MACHINE}
    and r.at = %(since)s and r.id collate "C" < %(id)s
"""
STATED = """
select distinct work_order, operation from job_responses
where work_order = any (%(orders)s) and stated
    and (at < %(since)s or (at = %(since)s and id collate "C" < %(id)s))
"""
LATER = """
select max(r.at) as at from unnest(%(orders)s::text[], %(operations)s::text[]) u (work_order, operation)
join job_responses r using (work_order, operation)
"""
