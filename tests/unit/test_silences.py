"""No-data rules: when a machine is missed, and when it is back."""

from __future__ import annotations

from alert_rules.evaluator import Evaluator
from alert_rules.lifecycle import Cleared, Event, Raised
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.words import Words
from tests.unit.test_evaluator import LOST, PRESS, TEMP, at, evaluator, feed, until

BACK = {**LOST, "off_delay": "20s"}


def heard_each_second(what: Evaluator, since: int, to: int) -> list[Event]:
    """What is told meanwhile, looks included."""
    told: list[Event] = []
    for second in range(since, to):
        told += [e for _, e in feed(what, second, TEMP, 50).alarms]
        told += [e for _, e in until(what, second + 0.9).alarms]
    return told


def test_a_machine_is_back_once_it_was_heard_for_the_off_delay() -> None:
    what = evaluator(BACK)
    assert not heard_each_second(what, 0, 5)
    [(_, raised)] = until(what, 60).alarms
    assert raised == Raised(at(14))
    [cleared] = heard_each_second(what, 61, 100)
    assert isinstance(cleared, Cleared)
    assert at(81) <= cleared.at < at(82)


def test_it_is_not_back_where_it_falls_silent_again() -> None:
    what = evaluator(BACK)
    until(what, 60)
    assert not heard_each_second(what, 61, 70)
    assert not until(what, 90).alarms, "silent once more: missed as before"
    [cleared] = heard_each_second(what, 91, 120)
    assert at(111) <= cleared.at < at(112), "the delay begins anew"


def test_time_in_which_nobody_listened_is_no_part_of_the_off_delay() -> None:
    what = evaluator(BACK)
    until(what, 60)
    assert not heard_each_second(what, 61, 70)
    assert not what.tick(at(600)).alarms, "530 s in which the hub stood still"
    [cleared] = heard_each_second(what, 600, 630)
    assert at(610) <= cleared.at < at(612)


def test_who_was_missed_before_a_restart_is_missed_after_it() -> None:
    what = evaluator(LOST)
    missed = Alarm(
        "lost", PRESS, PRESS, Priority.HIGH, Words("", ""), AlarmState.UNACKED, 7, condition_at=at(-300),
        condition=True,
    )  # fmt: skip
    assert not what.seed([missed], {}, {})
    assert not until(what, 30).alarms, "not heard yet, so not back"
    [cleared] = heard_each_second(what, 31, 35)
    assert isinstance(cleared, Cleared)
