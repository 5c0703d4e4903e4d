"""Plan accuracy, orders on time, stock turns: from the ERP's orders and stock and the MES's reports (pure).

Our own definitions, by the rules of definitions.md section 3: half-open intervals in UTC, one computation for
screen and report alike, and what is not known is left out with the coverage shown, never counted as good or
bad. GQ is the good quantity of ISO 22400-2 as reported, per operation.

- Plan accuracy 计划达成率 of a line: of the pieces that its operations had to make of orders due in the
  period, the share made good by the order's due time; more than planned does not make up for less elsewhere.
- Orders on time 按期完成率: of the orders due in the period whose end is known or that are still open, the
  share of which the last operation had made the whole quantity by the due time. An order belongs to the
  line of its last operation.
- Stock turns 库存周转 of an item: what was issued in the period, as of a year, over the mean stock of the
  days on which the ERP told it; of several items the median, because kilograms and pieces do not add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import fmean, median
from zoneinfo import ZoneInfo

from hub.model.production import JobOrder, JobResponse, JobState, WorkOrder, WorkOrderState

YEAR = timedelta(days=365)
At = tuple[str, str]  # (order, operation)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one line, or of all of them when `line` is ""."""

    line: str
    planned: int  # pieces that had to be made
    made: int  # ... of them by their due time
    orders: int  # due
    on_time: int
    open_late: int  # due, and not finished yet
    unknown: int  # ended without reports: nobody can say when

    @property
    def plan_accuracy(self) -> float | None:
        return self.made / self.planned if self.planned else None

    @property
    def on_time_share(self) -> float | None:
        known = self.orders - self.unknown
        return self.on_time / known if known else None


@dataclass(frozen=True, slots=True)
class Turns:
    """`median` None: of no item are both use and stock known. `items`: each one's, None where unknown."""

    median: float | None
    items: Mapping[str, float | None]


def month_of(zone: str, year: int, month: int) -> tuple[datetime, datetime]:
    """A calendar month of the plant as UTC instants."""
    first = date(year, month, 1)
    after = (first + timedelta(days=32)).replace(day=1)
    begin, end = (datetime.combine(d, time(0), ZoneInfo(zone)).astimezone(UTC) for d in (first, after))
    return begin, end


def delivery(
    orders: Iterable[WorkOrder], reports: Iterable[JobResponse], start: datetime, end: datetime, now: datetime
) -> list[Figures]:
    """Lines in the order of their paths, all of them together first. What is due later than `now` is not
    judged yet; cancelled orders never are."""
    told: dict[At, list[JobResponse]] = defaultdict(list)
    for report in sorted(reports, key=lambda r: (r.at, r.id)):
        told[report.order, report.operation].append(report)
    judged = [
        o for o in orders
        if start <= o.due_at < min(end, now) and o.state is not WorkOrderState.CANCELLED and o.jobs
    ]  # fmt: skip
    lines = sorted({job.work_center for order in judged for job in order.jobs} - {""})
    return [_figures("", judged, told), *(_figures(line, judged, told) for line in lines)]


def _figures(line: str, orders: Sequence[WorkOrder], told: Mapping[At, Sequence[JobResponse]]) -> Figures:
    jobs = [(o, j) for o in orders for j in o.jobs if line in ("", j.work_center)]
    mine = [o for o in orders if line in ("", o.jobs[-1].work_center)]
    ends = [(o, _finished_at(o.jobs[-1], told.get((o.number, o.jobs[-1].operation), ()))) for o in mine]
    return Figures(
        line,
        sum(job.quantity for _, job in jobs),
        sum(_made_by(order.due_at, job, told.get((order.number, job.operation), ())) for order, job in jobs),
        len(mine),
        sum(end is not None and end <= order.due_at for order, end in ends),
        sum(end is None and order.state is not WorkOrderState.COMPLETED for order, end in ends),
        sum(end is None and order.state is WorkOrderState.COMPLETED for order, end in ends),
    )


def _made_by(due: datetime, job: JobOrder, reports: Sequence[JobResponse]) -> int:
    return max(0, min(job.quantity, sum(r.good for r in reports if r.at <= due)))


def _finished_at(job: JobOrder, reports: Sequence[JobResponse]) -> datetime | None:
    """When the whole quantity was there, or the shop floor said that it was done."""
    good = 0
    for report in reports:
        good += report.good
        if good >= job.quantity or report.state is JobState.DONE:
            return report.at
    return None


def turns(issued: Mapping[str, float], stock: Mapping[str, Sequence[float]], period: timedelta) -> Turns:
    """`stock`: what the ERP told on the days of the period. An item without a stock, or with none of it on
    any day, is not known."""
    if period <= timedelta():
        return Turns(None, dict.fromkeys(issued))
    items = {item: _turns(used * (YEAR / period), stock.get(item, ())) for item, used in issued.items()}
    known = [n for n in items.values() if n is not None]
    return Turns(median(known) if known else None, items)


def _turns(yearly: float, levels: Sequence[float]) -> float | None:
    mean = fmean(levels) if levels else 0.0
    return yearly / mean if mean > 0 else None
