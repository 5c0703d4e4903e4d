"""Which order, operation and lots a machine ran when, from what an MES reports. Pure.

A report that something is running begins its operation on that machine and ends whatever ran before; one
that it waits, awaits inspection or is done ends it. A lot counts from the moment at which it was issued, of
each item the latest one. Reports come late and out of order: the same facts give the same spans, always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from hub.model.parameter import JobSpan, Lot
from hub.model.production import JobResponse, JobState, Posting

_Job = tuple[str, str]


def covers(place: str, machine: str) -> bool:
    """Whether what is said of `place` (a machine or a node above it) is said of this machine."""
    return machine == place or machine.startswith(f"{place}/")


def job_spans(
    machine: str,
    before: JobSpan | None,
    since: datetime,
    reports: Iterable[JobResponse],
    issues: Iterable[Posting],
) -> list[JobSpan]:
    """The spans that begin at `since` or later. `before` is the one that lasts until then.

    `reports` are those about this machine from `since` on; `issues` those of the orders in question, however
    long ago: material is made ready before its operation begins.
    """
    loads = sorted(issues, key=lambda p: (p.at, p.id))
    told = sorted(reports, key=lambda r: (r.at, r.id))
    issued: defaultdict[_Job, dict[str, str]] = defaultdict(dict)
    running: _Job | None = (before.order, before.operation) if before and before.order else None
    out: list[JobSpan] = []
    at_load = at_report = 0
    for at in sorted({since, *(r.at for r in told), *(p.at for p in loads if p.at >= since)}):
        while at_load < len(loads) and loads[at_load].at <= at:
            _issue(issued, machine, loads[at_load])
            at_load += 1
        while at_report < len(told) and told[at_report].at <= at:
            running = _after(running, told[at_report])
            at_report += 1
        now = _span(machine, at, running, issued)
        if not now.same_as(out[-1] if out else before):
            out.append(now)
    return out


def _after(running: _Job | None, report: JobResponse) -> _Job | None:
    job = (report.order, report.operation)
    if report.state is JobState.RUNNING:
        return job
    return None if running == job else running


def _issue(issued: defaultdict[_Job, dict[str, str]], machine: str, load: Posting) -> None:
    if load.lot and (not load.equipment or covers(load.equipment, machine)):
        issued[load.order, load.operation][load.item] = load.lot


def _span(
    machine: str, at: datetime, running: _Job | None, issued: defaultdict[_Job, dict[str, str]]
) -> JobSpan:
    if running is None:
        return JobSpan(machine, at)
    lots = {**issued[running[0], ""], **issued[running]}
    return JobSpan(machine, at, *running, tuple(Lot(item, lots[item]) for item in sorted(lots)))
