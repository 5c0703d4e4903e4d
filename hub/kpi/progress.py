"""How far orders are, when they will be finished, and how late that is.

A prediction is arithmetic that a planner can redo by hand: what remains, divided by the operation's own pace
(or the line's target while there is no pace yet), laid into the planned time of the calendar, one order after
the other on each line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.kpi.calendar import PlantCalendar, length, planned_time
from hub.model.production import JobOrder, JobProgress, JobResponse, JobState, WorkOrder

ENOUGH = timedelta(minutes=10)  # planned time that a pace must have been seen over
HORIZON = timedelta(days=60)  # farther away than this is not a prediction
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Outlook:
    """When an order will be finished. None: no pace and no target, or beyond the horizon."""

    finish: datetime | None
    late_by: timedelta | None  # None when in time, or not known


def progress_of(job: JobOrder, responses: Iterable[JobResponse]) -> JobProgress:
    """The sum of the reports, each taken once, in any order; the newest report says the state."""
    told = {r.id: r for r in responses if (r.order, r.operation) == (job.order, job.operation)}
    if not told:
        return JobProgress(job, 0, 0, JobState.WAITING, None, None)
    reports = sorted(told.values(), key=lambda r: (r.at, r.id))
    return JobProgress(
        job,
        sum(r.good for r in reports),
        sum(r.scrap for r in reports),
        reports[-1].state,
        reports[0].at,
        reports[-1].at,
    )


def finishes(
    orders: Sequence[WorkOrder],
    progress: Iterable[JobProgress],
    plant: PlantCalendar,
    targets: Mapping[str, int],
    now: datetime,
) -> dict[str, Outlook]:
    """Order number -> outlook, for every order that is not done.

    What runs goes on running. What waits begins when its predecessor and its line are free, in the order of
    rush, priority, due date and number.
    """
    done = {(p.job.order, p.job.operation): p for p in progress}
    free: dict[str, datetime] = {}
    queue = sorted(orders, key=lambda o: (not o.rush, o.priority, o.due_at, o.number))
    for order in queue:  # lines are taken by what runs there already
        for job in order.jobs:
            p = done.get((job.order, job.operation))
            if p is not None and p.state is JobState.RUNNING and (end := _end(p, plant, targets, now, now)):
                free[job.work_center] = max(end, free.get(job.work_center, now))
    out: dict[str, Outlook] = {}
    for order in queue:
        parts = [
            done.get((j.order, j.operation)) or JobProgress(j, 0, 0, JobState.WAITING, None, None)
            for j in order.jobs
        ]
        if parts and all(p.state is JobState.DONE for p in parts):
            continue
        out[order.number] = _judged(order, _finish(parts, plant, targets, now, free), now)
    return out


def _finish(
    parts: Sequence[JobProgress],
    plant: PlantCalendar,
    targets: Mapping[str, int],
    now: datetime,
    free: dict[str, datetime],
) -> datetime | None:
    before: datetime | None = now
    for part in parts:
        if before is None:
            return None
        if part.state in (JobState.DONE, JobState.INSPECTION):
            continue
        line = part.job.work_center
        start = now if part.state is JobState.RUNNING else max(before, free.get(line, now))
        end = _end(part, plant, targets, now, start)
        if end is not None and part.state is JobState.WAITING:
            free[line] = end
        before = None if end is None else max(before, end)
    return before


def _judged(order: WorkOrder, finish: datetime | None, now: datetime) -> Outlook:
    expected = max(finish, now) if finish else now  # an overdue order is late, whatever can be predicted
    late = expected - order.due_at
    return Outlook(finish, late if late > timedelta() else None)


def _end(
    part: JobProgress, plant: PlantCalendar, targets: Mapping[str, int], now: datetime, start: datetime
) -> datetime | None:
    remaining = part.job.quantity - part.good
    if remaining <= 0:
        return start
    pace = each_takes(part, plant, targets.get(part.job.work_center, 0))
    return None if pace is None else after_work(plant, start, pace * remaining)


def each_takes(part: JobProgress, plant: PlantCalendar, target_per_hour: int) -> timedelta | None:
    """Planned time for one good piece: as seen between the first and the last report, else as targeted."""
    if part.started_at and part.last_at and part.good > 0:
        seen = length(planned_time(plant, part.started_at, part.last_at))
        if seen >= ENOUGH:
            return seen / part.good
    return timedelta(hours=1) / target_per_hour if target_per_hour > 0 else None


def after_work(plant: PlantCalendar, start: datetime, work: timedelta) -> datetime | None:
    """The moment at which `work` of planned time has passed since `start`; None beyond the horizon."""
    at = start
    while at < start + HORIZON:
        for begin, end in planned_time(plant, at, at + _WEEK):
            if work <= end - begin:
                return begin + work
            work -= end - begin
        at += _WEEK
    return None
