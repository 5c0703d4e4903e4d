"""Who is told first, how much fits in a minute, and what becomes a digest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.alarm import Priority
from notifiers.throttle import (
    Budget,
    Bundle,
    Limits,
    Send,
    Wait,
    delay,
    next_step,
    noted,
    remembered,
    tries,
)
from tests.simulators.robots.allowance import Allowance

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LOW, MEDIUM, HIGH, CRITICAL = Priority
WECOM = Limits(18, 2)
DINGTALK = Limits(18, 0)


def spent(n: int, at: float = 0.0) -> Budget:
    return Budget().after_sending(at, n)


def test_one_alarm_is_told_at_once() -> None:
    assert next_step([LOW], Budget(), WECOM, 0.0) == Send(0)


def test_the_most_urgent_goes_first_and_the_older_one_among_equals() -> None:
    assert next_step([LOW, HIGH, MEDIUM, HIGH], Budget(), WECOM, 0.0) == Send(1)
    assert next_step([HIGH, CRITICAL, CRITICAL], Budget(), WECOM, 0.0) == Send(1)


def test_what_fits_is_told_one_by_one() -> None:
    assert next_step([LOW] * 18, Budget(), WECOM, 0.0) == Send(0)


def test_what_does_not_fit_becomes_a_digest_at_once() -> None:
    assert next_step([LOW] * 19, Budget(), WECOM, 0.0) == Bundle(tuple(range(19)))
    assert next_step([LOW] * 3, spent(16), WECOM, 1.0) == Bundle((0, 1, 2))


def test_the_nineteenth_message_of_a_minute_waits_until_the_first_one_is_a_minute_old() -> None:
    step = next_step([HIGH], spent(18, at=5.0), WECOM, 20.0)
    assert step == Wait((0,), 65.0, "over this minute's budget")
    assert isinstance(next_step([HIGH], spent(18, at=5.0), WECOM, 64.9), Wait)
    assert next_step([HIGH], spent(18, at=5.0), WECOM, 65.0) == Send(0)


def test_two_places_are_kept_for_critical_alarms_on_wecom_and_none_on_dingtalk() -> None:
    assert next_step([LOW, CRITICAL], spent(18), WECOM, 1.0) == Send(1)
    assert next_step([LOW, CRITICAL], spent(18), DINGTALK, 1.0) == Wait(
        (1,), 60.0, "over this minute's budget"
    )


def test_the_last_place_takes_all_critical_alarms_that_are_left() -> None:
    waiting = [CRITICAL, LOW, CRITICAL, CRITICAL]
    assert next_step(waiting, spent(18), WECOM, 1.0) == Send(0)
    assert next_step(waiting, spent(19), WECOM, 1.0) == Bundle((0, 2, 3))


def test_after_the_carrier_said_too_often_everything_waits() -> None:
    held = Budget().after_limit(600.0)
    assert next_step([CRITICAL, LOW], held, WECOM, 1.0) == Wait((0, 1), 600.0, "the carrier is held")
    assert next_step([CRITICAL], held, WECOM, 600.0) == Send(0)


def test_a_second_limit_never_shortens_the_first() -> None:
    assert Budget().after_limit(600.0).after_limit(60.0).held_until == 600.0


def test_a_telling_of_two_messages_takes_two_places() -> None:
    double = Limits(18, 2, cost=2)
    assert Budget().free(0.0, double, critical=False) == 9
    assert spent(17).free(0.0, double, critical=False) == 0
    assert spent(17).free_at(1.0, double, critical=False) == 60.0


def test_five_failures_in_a_row_close_the_carrier_for_a_growing_pause() -> None:
    budget = Budget()
    for _ in range(4):
        budget = budget.after_failure(0.0)
    assert next_step([LOW], budget, WECOM, 0.0) == Send(0)
    pauses = []
    for _ in range(7):
        budget = budget.after_failure(0.0)
        pauses.append(budget.held_until)
    assert pauses == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_one_success_forgives_all_failures() -> None:
    budget = Budget(failures=4).after_sending(0.0)
    assert budget.after_failure(0.0).held_until < 0


def test_a_message_without_an_answer_costs_a_place_and_forgives_nothing() -> None:
    budget = Budget(failures=3).after_sending(0.0, failed=True)
    assert (len(budget.sent), budget.failures) == (1, 3)


@given(
    st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from(list(Priority))), min_size=1, max_size=200),
    st.sampled_from([WECOM, DINGTALK]),
)
def test_whatever_comes_the_robot_never_sees_more_than_it_takes_and_everything_is_told(
    arrivals: list[tuple[float, Priority]], limits: Limits
) -> None:
    """Arrivals after these pauses; the vendor's own count may lag behind ours, never run ahead."""
    robot, budget, now, told = Allowance(), Budget(), 0.0, 0
    waiting: list[Priority] = []
    due = list(arrivals)
    while due or waiting:
        if due:
            pause, priority = due.pop(0)
            now += pause / 10
            waiting.append(priority)
        step = next_step(waiting, budget, limits, now) if waiting else None
        match step:
            case Send(i):
                chosen: tuple[int, ...] = (i,)
            case Bundle(indices):
                chosen = indices
            case Wait(_, until, _):
                assert until > now
                now = until if not due else now
                continue
            case None:
                continue
        assert robot.take(now)
        now += 0.05
        budget = budget.after_sending(now)
        told += len(chosen)
        waiting = [p for i, p in enumerate(waiting) if i not in chosen]
    assert told == len(arrivals)


# ------------------------------------------------------------------ trying again
def test_critical_alarms_are_tried_again_within_seconds_others_within_minutes() -> None:
    assert [delay(CRITICAL, n, 0.5).total_seconds() for n in (1, 2, 3, 4, 5, 30)] == [2, 4, 8, 16, 60, 60]
    assert [delay(HIGH, n, 0.5).total_seconds() for n in (1, 2, 6, 11)] == [5, 15, 600, 600]


def test_pauses_are_spread_by_a_fifth() -> None:
    assert delay(CRITICAL, 1, 0.0) == timedelta(seconds=1.6)
    assert delay(CRITICAL, 1, 0.999).total_seconds() == pytest.approx(2.4, abs=0.01)


def test_nobody_is_given_up_before_an_hour_has_passed() -> None:
    for priority in Priority:
        total = sum((delay(priority, n, 0.5) for n in range(1, tries(priority))), timedelta())
        assert total > timedelta(minutes=50)


# ------------------------------------------------------------------ across restarts
def test_what_was_sent_before_a_restart_still_counts_after_it() -> None:
    before = Budget().after_sending(100.0, 3).after_sending(130.0, 15).after_limit(400.0)
    mark = noted(before, 140.0, NOON)
    after = remembered(mark, 7.0, NOON + timedelta(seconds=10))  # ten seconds away, monotonic starts anew
    assert after.sent == (-43.0,) * 3 + (-13.0,) * 15
    assert after.held_until == 257.0


def test_without_a_mark_the_budget_is_full() -> None:
    assert remembered("", 7.0, NOON) == Budget()


def test_a_clock_that_was_set_back_cannot_hold_the_budget_longer_than_a_minute() -> None:
    mark = noted(spent(18), 0.0, NOON)
    after = remembered(mark, 0.0, NOON - timedelta(days=300))
    assert after.free_at(0.0, WECOM, critical=False) <= 60.0
