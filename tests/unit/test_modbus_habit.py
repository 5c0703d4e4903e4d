"""When the end of a connection is a device's habit, and when a line that breaks."""

from __future__ import annotations

import pytest

from collectors.modbus_habit import Habit


def told(*ends: tuple[int, float]) -> list[bool]:
    habit = Habit()
    return [habit.ended(answers, after) for answers, after in ends]


@pytest.mark.parametrize("after", [0.0, 0.004, 5.0, 30.0])
def test_three_ends_alike_are_a_habit(after: float) -> None:
    assert told((1, after), (1, after), (1, after), (1, after)) == [False, False, True, True]


def test_a_device_that_hangs_up_at_once_need_not_be_punctual() -> None:
    assert told((5, 0.001), (5, 0.039), (5, 0.02))[-1]


def test_one_that_hangs_up_when_it_is_bored_may_take_its_time() -> None:
    assert told((3, 30.0), (3, 33.0), (3, 29.0))[-1]


def test_a_line_that_breaks_now_and_then_has_no_habit() -> None:
    assert not any(told((3, 0.4), (1, 0.9), (3, 0.1), (3, 0.5), (3, 0.5), (3, 0.5), (2, 0.01), (2, 0.3)))


def test_an_end_before_any_answer_is_no_habit_and_ends_one() -> None:
    assert told((1, 0), (1, 0), (1, 0), (0, 0), (1, 0)) == [False, False, True, False, False]


def test_a_habit_once_known_is_kept_after_more_answers_and_not_at_other_times() -> None:
    assert told((3, 0.0), (3, 0.0), (3, 0.0), (4, 0.01), (3, 0.9)) == [False, False, True, True, False]


def test_a_look_takes_every_end_after_an_answer_for_one() -> None:
    habit = Habit(assumed=True)
    assert [habit.ended(1, 0.3), habit.ended(0, 0.3)] == [True, False]
