"""How one customer's order stands, in the words a seller needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.kpi.order_status import LineStatus, OrderStatus, Stage, line_statuses, order_status
from hub.kpi.progress import Outlook
from hub.model.erp import SalesOrder
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder, WorkOrderState
from hub.model.words import Words

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PUMP = Words("油泵", "Pump")
S = JobState


def order(
    number: str = "MO-1", product: str = "A", state: WorkOrderState = WorkOrderState.RELEASED
) -> WorkOrder:
    jobs = tuple(JobOrder(number, op, Words(op, op), "p1/a/l", 100) for op in ("10", "20"))
    return WorkOrder(number, product, PUMP, 100, NOON + HOUR * 5, jobs=jobs, state=state)


def status(
    first: tuple[JobState, int], last: tuple[JobState, int], made: WorkOrder | None = None
) -> OrderStatus:
    it = made or order()
    told = {
        (it.number, job.operation): JobProgress(job, good, 0, state, NOON, NOON + HOUR if good else None)
        for job, (state, good) in zip(it.jobs, (first, last), strict=True)
    }
    return order_status(it, told, Outlook(NOON + HOUR * 3, None))


def line(*orders: OrderStatus, sold: tuple[SalesOrder, ...] = ()) -> LineStatus:
    (found,) = line_statuses(sold, orders)
    return found


@pytest.mark.parametrize(
    ("first", "last", "stage", "operation", "made"),
    [
        ((S.WAITING, 0), (S.WAITING, 0), Stage.WAITING, None, 0),
        ((S.RUNNING, 40), (S.WAITING, 0), Stage.RUNNING, "10", 0),
        ((S.RUNNING, 80), (S.RUNNING, 30), Stage.RUNNING, "20", 30),
        ((S.DONE, 100), (S.WAITING, 0), Stage.RUNNING, "20", 0),
        ((S.DONE, 100), (S.INSPECTION, 100), Stage.RUNNING, "20", 100),
        ((S.DONE, 100), (S.DONE, 98), Stage.DONE, None, 98),
    ],
)
def test_an_order_is_in_the_farthest_operation_that_is_under_way(
    first: tuple[JobState, int], last: tuple[JobState, int], stage: Stage, operation: str | None, made: int
) -> None:
    found = status(first, last)
    assert (found.stage, found.made) == (stage, made)
    assert (found.operation.job.operation if found.operation else None) == operation


def test_the_erps_word_comes_before_the_floors() -> None:
    for state, stage in ((WorkOrderState.HELD, Stage.HELD), (WorkOrderState.CANCELLED, Stage.CANCELLED)):
        found = status((S.RUNNING, 40), (S.WAITING, 0), order(state=state))
        assert (found.stage, found.finish) == (stage, None)  # nobody promises an end


def test_a_line_is_ready_when_the_last_of_its_orders_is() -> None:
    one = status((S.RUNNING, 40), (S.RUNNING, 20))
    two = replace(one, number="MO-2", finish=NOON + HOUR * 9)
    sold = SalesOrder("SO-1", "1", "甲", "A", 150.0, NOON + HOUR * 8)
    found = line(one, two, sold=(sold,))
    assert (found.ordered, found.made) == (150.0, 40)
    assert (found.finish, found.late_by) == (NOON + HOUR * 9, HOUR)
    assert line(one, replace(two, finish=None), sold=(sold,)).finish is None  # half a guess is none


def test_what_is_done_does_not_hold_up_what_is_left() -> None:
    left = status((S.RUNNING, 40), (S.WAITING, 0))
    done = status((S.DONE, 100), (S.DONE, 100), order("MO-2"))
    found = line(left, done)
    assert (found.stage, found.finish, found.made) == (Stage.RUNNING, left.finish, 100)
    assert line(done, replace(left, stage=Stage.CANCELLED)).stage is Stage.DONE


def test_what_is_sold_and_not_planned_is_said_so() -> None:
    sold = SalesOrder("SO-1", "1", "甲", "B", 5.0, NOON)
    planned, unplanned = line_statuses(
        [replace(sold, product="A"), sold], [status((S.DONE, 100), (S.DONE, 100))]
    )
    assert (planned.stage, unplanned.stage) == (Stage.DONE, Stage.UNPLANNED)
    assert (unplanned.late_by, unplanned.changed_at) == (None, None)


def test_two_lines_of_one_product_are_told_as_one() -> None:
    sold = SalesOrder("SO-1", "1", "甲", "A", 60.0, NOON + HOUR * 4)
    found = line(status((S.WAITING, 0), (S.WAITING, 0)), sold=(sold, replace(sold, line="2", due_at=NOON)))
    assert (found.ordered, found.due_at) == (120.0, NOON)
