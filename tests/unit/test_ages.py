"""How old a batch of the spool is, whatever is done to the wall clock."""

from __future__ import annotations

from datetime import timedelta

from hub.bus.ages import UNKNOWN, Ages
from hub.testing.clock import NOON

KEEP = timedelta(seconds=10)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def test_of_this_life_the_wall_clock_is_not_asked() -> None:
    ages = Ages(KEEP, NOON, 0.0, 0, None)
    ages.took(1, 0.0)
    ages.took(2, 8.0)
    assert ages.of(1, NOON, NOON - minutes(60), 9.0) == 9
    assert ages.of(2, NOON, NOON + minutes(60), 9.0) == 1
    ages.took(3, 11.0)
    assert ages.of(1, NOON, NOON - minutes(60), 11.0) == UNKNOWN, "longer ago than anybody asks"


def test_of_the_life_before_it_is_asked_once_and_then_time_passes() -> None:
    ages = Ages(KEEP, NOON, 100.0, 9, NOON - timedelta(seconds=3))
    assert ages.of(9, NOON - timedelta(seconds=3), NOON - minutes(60), 105.0) == 8
    assert ages.of(1, NOON - minutes(30), NOON, 100.0) == 1800


def test_a_clock_that_was_set_back_makes_no_present_of_a_whole_spool() -> None:
    """The last of them lies in the future: of the others, too, nobody knows how old they are."""
    ages = Ages(KEEP, NOON, 0.0, 9, NOON + minutes(10))
    assert ages.of(5, NOON - timedelta(seconds=2), NOON, 0.0) == UNKNOWN


def test_a_clock_that_is_set_right_after_the_start_is_believed() -> None:
    ages = Ages(KEEP, NOON, 0.0, 9, NOON)
    assert ages.of(9, NOON, NOON + minutes(120), 2.0) == 7200
