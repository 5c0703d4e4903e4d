"""How far orders are, when they will be finished, and how late that is.

A prediction is arithmetic that a planner can redo by hand: what remains, divided by the operation's own pace
(or the line's target while there is no pace yet), laid into the planned time of the calendar, one order after
the other on each line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.kpi.calendar import PlantCalendar, WorkingTime
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder

ENOUGH = timedelta(minutes=10)  # planned time that a pace must have been seen over
HORIZON = timedelta(days=60)  # farther away than this is not a prediction


@dataclass(frozen=True, slots=True)
class Outlook:
    """When an order will be finished. None: no pace and no target, or beyond the horizon."""

    finish: datetime | None
    late_by: timedelta | None  # None when in time, or not known


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
    told = {(p.job.order, p.job.operation): p for p in progress}
    parts = {o.number: [told.get((j.order, j.operation)) or _untouched(j) for j in o.jobs] for o in orders}
    begun = [p.started_at for ps in parts.values() for p in ps if p.started_at]
    work = WorkingTime(plant, max(min(begun, default=now), now - HORIZON), now + HORIZON)
    schedule = _Schedule(work, targets, now)
    for part in (p for ps in parts.values() for p in ps if p.state is JobState.RUNNING):
        schedule.occupy(part)
    queue = sorted(orders, key=lambda o: (not o.rush, o.priority, o.due_at, o.number))
    return {
        order.number: _judged(order, schedule.finish(parts[order.number]), now)
        for order in queue
        if any(p.state is not JobState.DONE for p in parts[order.number])
    }


class _Schedule:
    """Which line is free when, while orders are laid in one after the other."""

    def __init__(self, work: WorkingTime, targets: Mapping[str, int], now: datetime) -> None:
        self._work, self._targets, self._now = work, targets, now
        self._free: dict[str, datetime] = {}

    def occupy(self, running: JobProgress) -> None:
        end, line = self._end(running, self._now), running.job.work_center
        self._free[line] = max(end or self._now, self._free_at(line))

    def finish(self, parts: Sequence[JobProgress]) -> datetime | None:
        before = self._now
        for part in parts:
            if part.state in (JobState.DONE, JobState.INSPECTION):
                continue
            waits = part.state is JobState.WAITING
            end = self._end(part, max(before, self._free_at(part.job.work_center)) if waits else self._now)
            if end is None:
                return None
            if waits:
                self._free[part.job.work_center] = end
            before = max(before, end)
        return before

    def _free_at(self, line: str) -> datetime:
        return self._free.get(line, self._now)

    def _end(self, part: JobProgress, start: datetime) -> datetime | None:
        remaining = part.job.quantity - part.good
        if remaining <= 0:
            return start
        target = self._targets.get(part.job.work_center, 0)
        needed = time_for(remaining, part, self._work, target)
        return None if needed is None else self._work.after(start, needed)


def time_for(pieces: int, part: JobProgress, work: WorkingTime, target_per_hour: int) -> timedelta | None:
    """Planned time that so many good pieces take: at the pace between the first and the last report, else
    at the line's target; None without either."""
    if part.started_at and part.last_at and part.good > 0:
        seen = work.between(part.started_at, part.last_at)
        if seen >= ENOUGH:
            return seen * pieces / part.good
    return timedelta(hours=1) * pieces / target_per_hour if target_per_hour > 0 else None


def _untouched(job: JobOrder) -> JobProgress:
    return JobProgress(job, 0, 0, JobState.WAITING, None, None)


def _judged(order: WorkOrder, finish: datetime | None, now: datetime) -> Outlook:
    expected = max(finish, now) if finish else now  # an overdue order is late, whatever can be predicted
    late = expected - order.due_at
    return Outlook(finish, late if late > timedelta() else None)
