"""Facts that are told late: on record with their own time, and nobody is called because of them."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.evaluator import Evaluator, Happenings
from alert_rules.lifecycle import Cleared, Raised
from hub.model.batch import SampleBatch
from hub.model.equipment import EquipmentState
from tests.unit.test_evaluator import GOOD, HOT, LOST, STATE, TEMP, at, evaluator, feed, until

EDGE = "spool-of-line-1"
LATER = 600.0
SLOW = {**HOT, "on_delay": "60s", "off_delay": "60s"}


def told_late(what: Evaluator, then: float, tag: int, value: float, now: float = LATER) -> Happenings:
    batch = replace(SampleBatch.at([tag], at(then), [value]), historical=True)
    return what.take(batch, at(now), origin=EDGE)


def present(what: Evaluator, seconds: float = LATER) -> Happenings:
    """The edge has told everything: its next batch is of now."""
    return what.take(SampleBatch.at([], at(0), []), at(seconds), origin=EDGE)


def test_a_limit_that_was_crossed_and_left_in_the_past_calls_nobody() -> None:
    what = evaluator(HOT)
    assert not told_late(what, 10, TEMP, 92).alarms
    assert not until(what, LATER + 1).alarms
    assert not told_late(what, 20, TEMP, 60, LATER + 1).alarms
    assert not present(what, LATER + 1).alarms
    assert not until(what, LATER + 60).alarms


def test_what_is_still_true_when_the_past_is_told_raises_once_and_now() -> None:
    what = evaluator(HOT)
    told_late(what, 10, TEMP, 92)
    present(what)
    [(_, event)] = until(what, LATER + 1).alarms
    assert isinstance(event, Raised)
    assert at(LATER) <= event.at <= at(LATER + 1)
    assert not until(what, LATER + 60).alarms


def test_a_sample_of_now_decides_against_the_past() -> None:
    what = evaluator(HOT)
    told_late(what, 10, TEMP, 92)
    batch = SampleBatch.at([TEMP], at(LATER), [60.0])
    assert not what.take(batch, at(LATER), origin=EDGE).alarms
    assert not until(what, LATER + 60).alarms


def test_a_delay_of_now_is_not_served_by_the_past() -> None:
    """It leant before the line was cut, was good in between, and leans again: its stopwatch begins again."""
    what = evaluator(SLOW)
    feed(what, 1, TEMP, 92)
    told_late(what, 20, TEMP, 60)
    batch = SampleBatch.at([TEMP], at(LATER), [92.0])
    assert not what.take(batch, at(LATER), origin=EDGE).alarms
    assert not until(what, LATER + 55).alarms
    assert len(until(what, LATER + 70).alarms) == 1


def test_an_alarm_that_rings_is_cleared_by_the_present_only() -> None:
    what = evaluator(HOT)
    assert len(feed(what, 1, TEMP, 92).alarms) == 1
    assert not told_late(what, 20, TEMP, 60).alarms
    assert not told_late(what, 30, TEMP, 93).alarms
    present(what)
    assert not until(what, LATER + 5).alarms
    [(_, event)] = what.take(SampleBatch.at([TEMP], at(LATER + 6), [60.0]), at(LATER + 6), origin=EDGE).alarms
    assert isinstance(event, Cleared)


def test_two_edges_tell_each_their_own_past() -> None:
    what = evaluator(HOT)
    told_late(what, 10, TEMP, 92)
    what.take(SampleBatch.at([STATE], at(LATER), [1.0]), at(LATER), origin="another")
    assert not until(what, LATER + 5).alarms


def test_an_edge_that_dies_while_it_tells_the_past_raises_nothing() -> None:
    what = evaluator(HOT)
    told_late(what, 10, TEMP, 92)
    assert not until(what, LATER + 600).alarms


def test_states_and_pieces_of_the_past_stand_at_their_own_time() -> None:
    what = evaluator()
    spans = [s for n, code in ((10, 1), (14, 7), (18, 1)) for s in told_late(what, n, STATE, code).states]
    assert [(s.state, s.since) for s in spans] == [
        (EquipmentState.EXECUTING, at(10)),
        (EquipmentState.FAULT, at(14)),
        (EquipmentState.EXECUTING, at(18)),
    ]
    told_late(what, 10, GOOD, 100)
    [count] = told_late(what, 14, GOOD, 104).counts
    assert (count.at, count.delta) == (at(14), 4)


def test_a_machine_does_not_flicker_between_the_past_and_unknown() -> None:
    what = evaluator()
    feed(what, 1, STATE, 7)
    until(what, LATER)  # unknown meanwhile
    told_late(what, 10, STATE, 1)
    assert not until(what, LATER + 5).states
    [span] = until(what, LATER + 15).states  # the edge has fallen silent half-way
    assert span.state is EquipmentState.UNKNOWN
    assert at(10) < span.since < at(LATER)


def test_what_is_told_late_takes_back_that_nobody_knew() -> None:
    """Heard until 1 s, unknown from 6 s on; then the edge tells what it saw between 2 and 9 s."""
    what = evaluator()
    feed(what, 1, STATE, 1)
    [unknown] = until(what, LATER).states
    assert (unknown.state, unknown.since) == (EquipmentState.UNKNOWN, at(6))
    spans = [
        s for n, code in ((2, 1), (4, 7), (8, 7), (9, 1)) for s in told_late(what, n, STATE, code).states
    ]
    assert [(s.state, s.since) for s in spans] == [
        (EquipmentState.EXECUTING, at(2)),
        (EquipmentState.FAULT, at(4)),
        (EquipmentState.FAULT, at(6)),
        (EquipmentState.EXECUTING, at(9)),
    ]


def test_what_the_edge_did_not_see_either_stays_unknown_from_its_last_word_on() -> None:
    what = evaluator()
    feed(what, 1, STATE, 1)
    until(what, LATER)
    told_late(what, 2, STATE, 1)
    batch = SampleBatch.at([STATE], at(LATER), [1.0])
    spans = what.take(batch, at(LATER), origin=EDGE).states
    assert [(s.state, s.since) for s in spans] == [
        (EquipmentState.EXECUTING, at(6)),
        (EquipmentState.UNKNOWN, at(7)),
        (EquipmentState.EXECUTING, at(LATER)),
    ]


def test_a_sample_that_was_slow_on_its_way_makes_no_flash_of_the_unknown() -> None:
    what = evaluator()
    feed(what, 1, STATE, 1)
    until(what, 7)  # unknown from 6 s on
    assert [(s.state, s.since) for s in feed(what, 2, STATE, 1, late=6).states] == [
        (EquipmentState.EXECUTING, at(2))
    ]
    assert [(s.state, s.since) for s in feed(what, 7, STATE, 1, late=1).states] == [
        (EquipmentState.EXECUTING, at(6))
    ]


def test_old_samples_are_no_sign_of_life() -> None:
    what = evaluator(LOST)
    feed(what, 1, TEMP, 60)
    [(_, event)] = until(what, 100).alarms
    assert isinstance(event, Raised)
    for n in range(20):
        assert not told_late(what, 20 + n, TEMP, 60, 100 + n * 0.01).alarms
    assert not until(what, 105).alarms
    feed(what, 106, TEMP, 60)
    assert any(isinstance(event, Cleared) for _, event in until(what, 200).alarms[:1])


def test_old_samples_do_not_bury_what_is_newer() -> None:
    what = evaluator(HOT)
    feed(what, LATER, TEMP, 60, late=0)
    told_late(what, 10, TEMP, 92, LATER + 1)
    assert not until(what, LATER + 5).alarms
