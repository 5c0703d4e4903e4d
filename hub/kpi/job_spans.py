"""Which order, operation and lots a machine ran when, from what an MES reports. Pure.

A report that something is running begins its operation on that machine and ends whatever ran before; one
that it waits, awaits inspection or is done ends it. A report that only counts says nothing against one that
tells a state: it begins its operation where the MES tells no states of it, nor of what is running. A lot
counts from the moment at which it was issued, of each item the latest one. Reports come late and out of
order: the same facts give the same spans, always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hub.model.parameter import JobSpan, Lot
from hub.model.production import JobResponse, JobState, Posting

Job = tuple[str, str]  # order, operation


@dataclass(slots=True)
class Standing:
    """What a machine runs as its reports come, and of which operations a state was told."""

    running: Job | None = None
    with_states: set[Job] = field(default_factory=set)

    def hear(self, report: JobResponse) -> None:
        job = (report.order, report.operation)
        if not report.stated:
            if job not in self.with_states and self.running not in self.with_states:
                self.running = job
            return
        self.with_states.add(job)
        if report.state is JobState.RUNNING:
            self.running = job
        elif self.running == job:
            self.running = None


def covers(place: str, machine: str) -> bool:
    """Whether what is said of `place` (a machine or a node above it) is said of this machine."""
    return machine == place or machine.startswith(f"{place}/")


def job_spans(
    machine: str,
    before: JobSpan | None,
    since: datetime,
    reports: Iterable[JobResponse],
    issues: Iterable[Posting],
    stated: Iterable[Job] = (),
    running: Job | None = None,
) -> list[JobSpan]:
    """The spans that begin at `since` or later. `before` is the one that lasts until then.

    `reports` are those about this machine from `since` on; `issues` those of the orders in question, however
    long ago: material is made ready before its operation begins. `stated`: operations whose state was told
    before `since`. `running`: what ran before the first of the reports where that is not `before`.
    """
    loads = sorted(issues, key=lambda p: (p.at, p.id))
    told = sorted(reports, key=lambda r: (r.at, r.id))
    issued: defaultdict[Job, dict[str, str]] = defaultdict(dict)
    ran: Job | None = (before.order, before.operation) if before and before.order else None
    now_is = Standing(running or ran, set(stated))
    out: list[JobSpan] = []
    at_load = at_report = 0
    for at in sorted({since, *(r.at for r in told), *(p.at for p in loads if p.at >= since)}):
        while at_load < len(loads) and loads[at_load].at <= at:
            _issue(issued, machine, loads[at_load])
            at_load += 1
        while at_report < len(told) and told[at_report].at <= at:
            now_is.hear(told[at_report])
            at_report += 1
        now = _span(machine, at, now_is.running, issued)
        if not now.same_as(out[-1] if out else before):
            out.append(now)
    return out


def _issue(issued: defaultdict[Job, dict[str, str]], machine: str, load: Posting) -> None:
    if load.lot and (not load.equipment or covers(load.equipment, machine)):
        issued[load.order, load.operation][load.item] = load.lot


def _span(
    machine: str, at: datetime, running: Job | None, issued: defaultdict[Job, dict[str, str]]
) -> JobSpan:
    if running is None:
        return JobSpan(machine, at)
    lots = {**issued[running[0], ""], **issued[running]}
    return JobSpan(machine, at, *running, tuple(Lot(item, lots[item]) for item in sorted(lots)))
