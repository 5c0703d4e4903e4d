"""How one customer's order stands, in the few words that a seller needs (pure).

Made pieces are the good ones of the last operation, by the sum of its reports; the expected finish is the
outlook that the board has (hub.kpi.progress). What nobody can say is None, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.kpi.progress import Outlook
from hub.model.erp import SalesOrder
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder, WorkOrderState
from hub.model.words import Words


class Stage(StrEnum):
    """Of a production order, and of all that is made for one line of a sales order."""

    UNPLANNED = "unplanned"  # sold, and no production order yet
    WAITING = "waiting"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """Of one production order. `operation`: the one it is in, None before the first and after the last."""

    number: str
    product: str
    product_name: Words
    stage: Stage
    quantity: int
    made: int
    due_at: datetime
    finish: datetime | None
    operation: JobProgress | None
    changed_at: datetime | None  # of the last report


@dataclass(frozen=True, slots=True)
class LineStatus:
    """What is sold of one product in one sales order, with what is made for it."""

    product: str
    product_name: Words
    stage: Stage
    ordered: float
    made: int
    due_at: datetime
    finish: datetime | None  # expected; None when nobody can say, or nothing is left to do
    orders: tuple[OrderStatus, ...] = ()

    @property
    def late_by(self) -> timedelta | None:
        """None when in time, or not known."""
        late = self.finish - self.due_at if self.finish else timedelta()
        return late if late > timedelta() else None

    @property
    def changed_at(self) -> datetime | None:
        return max((o.changed_at for o in self.orders if o.changed_at), default=None)


def order_status(
    order: WorkOrder, progress: Mapping[tuple[str, str], JobProgress], outlook: Outlook | None
) -> OrderStatus:
    parts = [progress.get((j.order, j.operation)) or _untouched(j) for j in order.jobs]
    stage = _stage(order, parts)
    return OrderStatus(
        order.number, order.product, order.product_name, stage, order.quantity,
        parts[-1].good if parts else 0, order.due_at,
        outlook.finish if outlook and stage in (Stage.WAITING, Stage.RUNNING) else None,
        _at_work(parts) if stage in (Stage.RUNNING, Stage.HELD) else None,
        max((p.last_at for p in parts if p.last_at), default=None),
    )  # fmt: skip


def line_statuses(sales: Sequence[SalesOrder], orders: Sequence[OrderStatus]) -> list[LineStatus]:
    """Several lines of one product are told as one: who makes the pieces does not know which is whose."""
    products = dict.fromkeys([*(s.product for s in sales), *(o.product for o in orders)])
    return [
        _line(
            product, [s for s in sales if s.product == product], [o for o in orders if o.product == product]
        )
        for product in products
    ]


def _line(product: str, sales: Sequence[SalesOrder], orders: Sequence[OrderStatus]) -> LineStatus:
    live = [o for o in orders if o.stage is not Stage.CANCELLED]
    left = [o for o in live if o.stage is not Stage.DONE]
    known = all(o.finish for o in left)
    name = next((o.product_name for o in orders), Words(product, product))
    return LineStatus(
        product, name, _together(orders),
        sum(s.quantity for s in sales) if sales else sum(o.quantity for o in live),
        sum(o.made for o in live),
        min((s.due_at for s in sales), default=None) or min(o.due_at for o in orders),
        max((o.finish for o in left if o.finish), default=None) if known else None,
        tuple(orders),
    )  # fmt: skip


def _together(orders: Sequence[OrderStatus]) -> Stage:
    """The one that a customer has to know of first."""
    stages = {o.stage for o in orders}
    if not stages:
        return Stage.UNPLANNED
    if len(stages) > 1:
        stages.discard(Stage.CANCELLED)
    if len(stages) > 1 and Stage.DONE in stages:  # part of it is made
        stages = {Stage.RUNNING if s in (Stage.DONE, Stage.WAITING) else s for s in stages}
    return next(
        s for s in (Stage.HELD, Stage.RUNNING, Stage.WAITING, Stage.DONE, Stage.CANCELLED) if s in stages
    )


def _stage(order: WorkOrder, parts: Sequence[JobProgress]) -> Stage:
    match order.state:
        case WorkOrderState.CANCELLED:
            return Stage.CANCELLED
        case WorkOrderState.COMPLETED:
            return Stage.DONE
        case WorkOrderState.HELD:
            return Stage.HELD
    if parts and all(p.state is JobState.DONE for p in parts):
        return Stage.DONE
    begun = any(p.state is not JobState.WAITING or p.good for p in parts)
    return Stage.RUNNING if begun else Stage.WAITING


def _at_work(parts: Iterable[JobProgress]) -> JobProgress | None:
    """The farthest one that is under way, else the first that is not done."""
    left = [p for p in parts if p.state is not JobState.DONE]
    under_way = [p for p in left if p.state is not JobState.WAITING]
    return under_way[-1] if under_way else left[0] if left else None


def _untouched(job: JobOrder) -> JobProgress:
    return JobProgress(job, 0, 0, JobState.WAITING, None, None)
