"""What the floor must confirm of what the office has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from erp_bridge.changes import differences, for_the_floor
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words
from hub.store.erp_book import merged

DUE = datetime(2026, 1, 9, 8, tzinfo=UTC)
NAME = Words("泵", "Pump")
ORDER = WorkOrder("MO1", "P-1", NAME, 100, DUE, jobs=(JobOrder("MO1", "10", NAME, "p1/a/l1", 100),))


def test_an_order_that_is_new_needs_no_confirmation_but_is_told_whole() -> None:
    assert for_the_floor(None, ORDER) == {}
    assert differences(None, ORDER)["quantity"] == (None, 100)


def test_quantity_due_and_state_have_to_be_confirmed_the_customers_name_not() -> None:
    later = replace(ORDER, quantity=80, due_at=DUE + timedelta(days=1), customer="新客户")
    assert for_the_floor(ORDER, later) == {
        "quantity": (100, 80),
        "due_at": ("2026-01-09T08:00:00+00:00", "2026-01-10T08:00:00+00:00"),
    }
    assert for_the_floor(ORDER, replace(ORDER, state=WorkOrderState.CANCELLED)) == {
        "state": ("released", "cancelled")
    }


def test_an_operation_more_or_less_has_to_be_confirmed() -> None:
    more = replace(ORDER, jobs=(*ORDER.jobs, JobOrder("MO1", "20", NAME, "p1/a/l1", 100)))
    assert for_the_floor(ORDER, more) == {"operations": (["10×100"], ["10×100", "20×100"])}


def test_what_is_not_on_the_floor_needs_no_confirmation() -> None:
    held = replace(ORDER, state=WorkOrderState.HELD)
    assert for_the_floor(held, replace(held, quantity=5)) == {}
    assert for_the_floor(ORDER, replace(ORDER, state=WorkOrderState.COMPLETED)) == {}
    ended = replace(ORDER, state=WorkOrderState.CANCELLED)
    assert for_the_floor(ended, replace(ended, quantity=5)) == {}


def test_an_order_that_is_released_from_hold_is_told() -> None:
    assert for_the_floor(replace(ORDER, state=WorkOrderState.HELD), ORDER) == {"state": ("held", "released")}


def test_two_changes_are_one_from_the_first_to_the_last() -> None:
    assert merged({"quantity": [100, 80]}, {"quantity": (80, 60), "rush": (False, True)}) == {
        "quantity": [100, 60],
        "rush": [False, True],
    }


def test_a_change_that_is_taken_back_is_none() -> None:
    assert merged({"quantity": [100, 80]}, {"quantity": (80, 100)}) == {}
