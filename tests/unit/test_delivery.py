"""Plan accuracy, orders on time and stock turns, reckoned by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.kpi.delivery import Figures, delivery, month_of, turns
from hub.model.production import JobOrder, JobResponse, JobState, WorkOrder, WorkOrderState
from hub.model.words import Words

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
DUE = datetime(2026, 1, 10, 12, tzinfo=UTC)
AFTER = datetime(2026, 3, 1, tzinfo=UTC)
NAME = Words("油泵", "Pump")
CUT, TURN = "p1/a/l1", "p1/a/l2"


def order(number: str, due: datetime = DUE, state: WorkOrderState = WorkOrderState.RELEASED) -> WorkOrder:
    jobs = JobOrder(number, "10", NAME, CUT, 100), JobOrder(number, "20", NAME, TURN, 100)
    return WorkOrder(number, "A", NAME, 100, due, jobs=jobs, state=state)


def report(order: str, operation: str, good: int, hours: float = -1, **more: object) -> JobResponse:
    """`hours` after the due time."""
    made = JobResponse(f"{order}{operation}{hours}", order, operation, DUE + timedelta(hours=hours), good)
    return replace(made, **more)  # type: ignore[arg-type]


def of(line: str, figures: list[Figures]) -> Figures:
    return next(f for f in figures if f.line == line)


def test_what_was_made_by_the_due_time_counts_and_what_came_later_does_not() -> None:
    told = [report("A", "10", 100), report("A", "20", 60), report("A", "20", 40, hours=1)]
    found = delivery([order("A")], told, START, END, AFTER)
    assert of(CUT, found).plan_accuracy == 1.0
    assert of(TURN, found).plan_accuracy == 0.6
    assert of("", found).plan_accuracy == 0.8
    assert (of("", found).orders, of("", found).on_time, of("", found).open_late) == (1, 0, 0)


def test_more_than_planned_makes_up_for_nothing_elsewhere() -> None:
    told = [report("A", "20", 180), report("B", "20", 50)]
    line = of(TURN, delivery([order("A"), order("B")], told, START, END, AFTER))
    assert (line.made, line.planned) == (150, 200)


def test_an_order_is_on_time_when_its_last_operation_was_through_at_the_due_time() -> None:
    told = [report("A", "20", 100, hours=0), report("B", "20", 97, hours=-1, state=JobState.DONE)]
    total = of("", delivery([order("A"), order("B"), order("C")], told, START, END, AFTER))
    assert (total.orders, total.on_time, total.open_late, total.on_time_share) == (3, 2, 1, 2 / 3)


def test_a_correction_that_takes_pieces_back_counts() -> None:
    told = [report("A", "20", 100, hours=-3), report("A", "20", -10, hours=-2)]
    assert of(TURN, delivery([order("A")], told, START, END, AFTER)).made == 90


def test_an_order_belongs_to_the_line_it_leaves_by() -> None:
    found = delivery([order("A")], [], START, END, AFTER)
    assert (of(CUT, found).orders, of(TURN, found).orders) == (0, 1)


def test_work_without_a_place_is_of_the_whole_and_of_no_line() -> None:
    made = order("A")
    placeless = replace(made, jobs=tuple(replace(j, work_center="") for j in made.jobs))
    assert [(f.line, f.orders) for f in delivery([placeless], [], START, END, AFTER)] == [("", 1)]


def test_what_nobody_can_know_is_neither_good_nor_bad() -> None:
    ended = order("A", state=WorkOrderState.COMPLETED)
    total = of("", delivery([ended], [], START, END, AFTER))
    assert (total.orders, total.unknown, total.on_time_share) == (1, 1, None)


def test_cancelled_orders_and_those_not_due_yet_are_not_judged() -> None:
    late = order("C", due=END - timedelta(hours=1))
    orders = [order("A", state=WorkOrderState.CANCELLED), late, order("D", due=END), order("E", due=START)]
    total = of("", delivery(orders, [], START, END, DUE))
    assert total.orders == 1  # E: the period begins with its first instant
    assert of("", delivery(orders, [], START, END, AFTER)).orders == 2
    assert of("", delivery([], [], START, END, AFTER)).plan_accuracy is None


# ------------------------------------------------------------------ stock
def test_turns_are_a_years_use_over_the_mean_stock() -> None:
    found = turns({"A": 73.0, "B": 10.0}, {"A": [100.0, 300.0], "B": [50.0]}, timedelta(days=36.5))
    assert found.items == {"A": pytest.approx(3.65), "B": pytest.approx(2.0)}
    assert found.median == pytest.approx(2.825)


def test_an_item_whose_stock_the_erp_does_not_tell_is_not_known() -> None:
    found = turns({"A": 10.0, "B": 10.0, "C": 10.0}, {"A": [], "B": [0.0, 0.0]}, timedelta(days=30))
    assert found.median is None
    assert set(found.items.values()) == {None}
    assert turns({"A": 1.0}, {"A": [1.0]}, timedelta()).median is None


def test_a_month_is_the_plants_own() -> None:
    assert month_of("Asia/Shanghai", 2026, 12) == (
        datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC),
    )  # fmt: skip
