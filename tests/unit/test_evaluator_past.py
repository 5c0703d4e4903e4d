"""Facts that are told late: on record with their own time, and nobody is called because of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from alert_rules.evaluator import Evaluator
from alert_rules.happenings import Happenings
from alert_rules.lifecycle import Cleared, Raised, Sight
from hub.model.batch import SampleBatch, join
from hub.model.equipment import EquipmentState, StateSpan
from tests.unit.test_evaluator import GOOD, HOT, LOST, PRESS, STATE, TEMP, at, evaluator, feed, until

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


def after_a_silent_bus(*codes: tuple[float, float]) -> list[tuple[EquipmentState, datetime]]:
    """The life before heard the machine at 1 s, took it for unknown at 6 s and ended; these are on record."""
    what = evaluator()
    unknown = StateSpan(PRESS, EquipmentState.UNKNOWN, at(6))
    what.seed([], {PRESS: unknown}, {}, evaluated=at(1.2))
    spans: list[StateSpan] = []
    for seconds, code in codes:
        batch = SampleBatch.at([STATE], at(seconds), [code])
        spans += what.take(batch, at(8), recalled=seconds < 6).states
    return [(s.state, s.since) for s in spans]


def test_what_a_life_before_could_not_hear_is_told_by_the_next_one() -> None:
    assert after_a_silent_bus((1, 1), (3, 1), (5.5, 1), (6.1, 1)) == [
        (EquipmentState.EXECUTING, at(3)),
        (EquipmentState.EXECUTING, at(6)),
    ]


def test_but_a_machine_that_was_silent_then_stays_unknown() -> None:
    assert after_a_silent_bus((1, 1), (6.1, 1)) == [(EquipmentState.EXECUTING, at(6.1))]
    assert after_a_silent_bus((1, 1), (2, 1), (7.5, 1)) == [
        (EquipmentState.EXECUTING, at(2)),
        (EquipmentState.EXECUTING, at(6)),
        (EquipmentState.UNKNOWN, at(7)),
        (EquipmentState.EXECUTING, at(7.5)),
    ]


def test_after_a_start_that_took_long_a_machine_is_unknown_from_its_last_word_on() -> None:
    """The evaluator was made at 0 s; its turn, and the record, came at 3 s."""
    what = evaluator()
    executing = StateSpan(PRESS, EquipmentState.EXECUTING, at(-3))
    what.seed([], {PRESS: executing}, {}, evaluated=at(-2))
    assert not what.take(SampleBatch.at([STATE], at(-1), [1.0]), at(3), recalled=True)
    what.tick(at(3))
    [unknown] = until(what, 20).states
    assert (unknown.state, unknown.since) == (EquipmentState.UNKNOWN, at(4))


def test_a_state_that_is_newer_than_the_mark_was_told_all_the_same() -> None:
    what = evaluator()
    executing = StateSpan(PRESS, EquipmentState.EXECUTING, at(-1))
    what.seed([], {PRESS: executing}, {}, evaluated=at(-7))
    [unknown] = until(what, 20).states
    assert (unknown.state, unknown.since) == (EquipmentState.UNKNOWN, at(4))


def lost(what: Evaluator, seconds: float) -> None:
    what.take(SampleBatch.lost([TEMP, STATE], at(seconds)), at(seconds))


def test_what_a_server_kept_for_its_collector_is_news_behind_the_mark_that_it_was_lost() -> None:
    what = evaluator(HOT)
    feed(what, 1, STATE, 1)
    feed(what, 1, TEMP, 60)
    lost(what, 5)
    spans = [s for n, code in ((2, 7), (4, 1), (6, 1)) for s in feed(what, n, STATE, code, late=8 - n).states]
    assert [(s.state, s.since) for s in spans] == [
        (EquipmentState.FAULT, at(2)),
        (EquipmentState.EXECUTING, at(4)),
    ]
    told = [e for n, value in ((3, 92), (4, 60)) for _, e in feed(what, n, TEMP, value, late=8 - n).alarms]
    assert [e for e in told if not isinstance(e, Sight)] == [Raised(at(3), 92.0), Cleared(at(4), 60.0)]


def test_what_is_older_than_a_sources_own_last_word_is_history_behind_such_a_mark_too() -> None:
    what = evaluator(HOT)
    feed(what, 2, TEMP, 60)
    lost(what, 5)
    lost(what, 6)
    assert not feed(what, 1, TEMP, 92, late=6).alarms
    assert feed(what, 3, TEMP, 92, late=4).alarms, "that it is still lost changes nothing"
    feed(what, 8, TEMP, 60)
    assert not feed(what, 7, TEMP, 92, late=2).alarms, "heard again: in order as ever"


def test_a_word_and_the_mark_behind_it_may_come_in_one_batch() -> None:
    what = evaluator(HOT)
    mark = SampleBatch.lost([TEMP], at(5))
    what.take(join([SampleBatch.at([TEMP], at(3), [60.0]), mark]), at(5))
    assert not feed(what, 2, TEMP, 92, late=4).alarms


def test_a_bad_value_is_a_sources_own_word() -> None:
    what = evaluator(HOT)
    feed(what, 1, TEMP, 60)
    what.take(SampleBatch.at([TEMP], at(5), [float("nan")], status=0x808C0000), at(5))  # BadSensorFailure
    assert not feed(what, 3, TEMP, 92, late=3).alarms


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
