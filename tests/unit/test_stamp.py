"""Repeats and losses are seen by the sender's own count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.model.stamp import Stamp, Tally


def test_the_next_one_is_new_the_same_one_is_a_repeat_a_leap_is_a_loss() -> None:
    tally = Tally()
    assert [tally.take(Stamp("a", n)) for n in (1, 2, 2, 1, 5, 6)] == [0, 0, None, None, 2, 0]


def test_each_origin_has_a_count_of_its_own() -> None:
    tally = Tally({"a": 7})
    assert tally.take(Stamp("a", 8)) == 0
    assert tally.take(Stamp("b", 1)) == 0
    assert tally.take(Stamp("a", 7)) is None


def test_an_origin_met_half_way_has_lost_its_beginning_only_for_who_had_to_have_it() -> None:
    assert Tally().take(Stamp("a", 4)) == 3
    assert Tally().take(Stamp("a+3.x", 4)) == 0, "it says where it begins"
    assert Tally().take(Stamp("a+3.x", 6)) == 2
    late = Tally(from_the_first=False)
    assert late.take(Stamp("a", 4)) == 0
    assert late.take(Stamp("a", 6)) == 1


@given(st.lists(st.integers(1, 30), max_size=60))
def test_what_is_taken_and_what_is_missing_is_everything_up_to_the_last(numbers: list[int]) -> None:
    tally = Tally()
    found = [tally.take(Stamp("a", n)) for n in numbers]
    taken = [f for f in found if f is not None]
    assert len(taken) + sum(taken) == max(numbers, default=0)
