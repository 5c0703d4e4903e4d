"""Batches and time in, happenings out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from alert_rules.evaluator import Evaluator
from alert_rules.happenings import Happenings
from alert_rules.lifecycle import Cleared, Raised, Sight
from alert_rules.limit import HighLimit
from alert_rules.rulebook import rulebook
from alert_rules.stale import NoDataRule
from alert_rules.state import FaultCodeRule, StateRule
from hub.errors import ConfigError
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.batch import SampleBatch, from_micros, join, micros
from hub.model.equipment import Count, Equipment, EquipmentLevel, EquipmentState, StateSpan
from hub.model.sample import Tag
from hub.model.words import Words
from hub.ports import Plant
from hub.testing.clock import NOON

PRESS = "p1/a/l/press"
TEMP, STATE, FAULT, GOOD, SCRAP = range(1, 6)
KINDS = {
    "high-limit": HighLimit, "state": StateRule, "fault-code": FaultCodeRule, "no-data": NoDataRule,
}  # fmt: skip


def plant() -> Plant:
    names = ("oil_temp", "state", "fault", "good", "scrap")
    tags = {f"{PRESS}/{n}": Tag(i, f"{PRESS}/{n}", Words(n, n)) for i, n in enumerate(names, 1)}
    press = Equipment(
        PRESS, EquipmentLevel.WORK_UNIT, Words("压", "Press"), state_tag=f"{PRESS}/state",
        state_map={1: EquipmentState.EXECUTING, 7: EquipmentState.FAULT}, fault_tag=f"{PRESS}/fault",
        fault_texts={301: Words("过热", "Overheated")}, good_tag=f"{PRESS}/good", scrap_tag=f"{PRESS}/scrap",
    )  # fmt: skip
    site = Equipment("p1", EquipmentLevel.SITE, Words("厂", "Plant"))
    return Plant(site, {"p1": site, PRESS: press}, tags)


def evaluator(*blocks: Mapping[str, object]) -> Evaluator:
    here = plant()
    return Evaluator(here, rulebook(blocks, here, KINDS, []), NOON)


HOT = {"name": "hot", "kind": "high-limit", "tag": "p1/+/+/+/oil_temp", "limit": 80, "deadband": 5}
LOST = {"name": "lost", "kind": "no-data", "equipment": "p1/+/+/+", "after": "10s"}
FAULTS = {"name": "faults", "kind": "fault-code", "equipment": PRESS}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def feed(
    what: Evaluator, seconds: float, tag: int, value: float, *, late: float = 0, bad: bool = False
) -> Happenings:
    batch = SampleBatch.at([tag], at(seconds), [value], status=0x80310000 if bad else 0)
    return what.take(batch, at(seconds + late))


def until(what: Evaluator, seconds: float) -> Happenings:
    """Time passes, with a look twice a second, as it does in the runner."""
    out = Happenings()
    now = from_micros(what._ticked)
    while now < at(seconds):
        now = min(now + timedelta(seconds=0.5), at(seconds))
        happened = what.tick(now)
        out.alarms += happened.alarms
        out.states += happened.states
    return out


def test_a_limit_without_delay_raises_with_the_sample_that_crossed_it() -> None:
    [(rule, event)] = feed(evaluator(HOT), 1, TEMP, 92.4).alarms
    assert (rule.subject, event) == (f"{PRESS}/oil_temp", Raised(at(1), 92.4))


def test_a_running_delay_ends_by_the_clock_alone() -> None:
    what = evaluator({**HOT, "on_delay": "5s"})
    assert not feed(what, 1, TEMP, 92).alarms
    assert not until(what, 5.9).alarms
    [(_, event)] = until(what, 6.1).alarms
    assert event == Raised(at(6), 92.0)


def test_a_source_with_a_slow_clock_waits_no_longer_and_no_shorter() -> None:
    what = evaluator({**HOT, "on_delay": "5s"})
    feed(what, 1, TEMP, 92, late=30)  # its clock is half a minute behind ours
    assert not until(what, 31 + 4.9).alarms
    assert until(what, 31 + 5.1).alarms


def test_old_samples_are_history_and_change_no_alarm() -> None:
    what = evaluator(HOT)
    feed(what, 10, TEMP, 92)
    assert not feed(what, 9, TEMP, 20)
    assert not feed(what, 10, TEMP, 20)


def test_a_clock_in_the_future_does_not_silence_what_comes_after() -> None:
    what = evaluator(HOT)
    what.take(SampleBatch.at([TEMP], at(86_400), [20.0]), at(0))
    assert what.take(SampleBatch.at([TEMP], at(4), [92.0]), at(4)).alarms


def test_a_lost_device_blinds_an_active_alarm_and_clears_nothing() -> None:
    what = evaluator(HOT)
    feed(what, 1, TEMP, 92)
    lost = feed(what, 2, TEMP, float("nan"), bad=True)
    assert [e for _, e in lost.alarms] == [Sight(at(2), True)]
    assert [e for _, e in feed(what, 3, TEMP, 70).alarms] == [Cleared(at(3), 70.0)]


def test_two_fault_codes_are_two_alarms() -> None:
    what = evaluator(FAULTS)
    feed(what, 1, FAULT, 0)
    assert [r.subject[-4:] for r, _ in feed(what, 2, FAULT, 301).alarms] == ["#301"]
    changed = feed(what, 3, FAULT, 555).alarms
    assert {(r.subject.rpartition("#")[2], type(e)) for r, e in changed} == {
        ("301", Cleared),
        ("other", Raised),
    }


def test_a_silent_device_is_one_alarm_and_comes_back_by_itself() -> None:
    what = evaluator(LOST)
    feed(what, 1, TEMP, 50)
    assert not until(what, 10.9).alarms
    assert [e for _, e in until(what, 11).alarms] == [Raised(at(11))]
    assert not until(what, 60).alarms
    feed(what, 61, GOOD, 5)
    assert [e for _, e in until(what, 61.1).alarms] == [Cleared(at(61.1))]


def test_bad_samples_do_not_count_as_being_heard() -> None:
    what = evaluator(LOST)
    until(what, 9)
    feed(what, 9, TEMP, float("nan"), bad=True)
    assert until(what, 10).alarms


def test_state_codes_become_spans_and_an_unmapped_code_is_unknown() -> None:
    what = evaluator()
    assert feed(what, 1, STATE, 1).states == [StateSpan(PRESS, EquipmentState.EXECUTING, at(1))]
    assert not feed(what, 2, STATE, 1).states
    assert feed(what, 3, STATE, 42).states == [StateSpan(PRESS, EquipmentState.UNKNOWN, at(3))]


def test_a_machine_not_heard_within_its_limit_is_unknown_from_that_limit_on() -> None:
    what = evaluator()
    feed(what, 1, STATE, 1)
    assert not until(what, 5.9).states
    assert until(what, 6.2).states == [StateSpan(PRESS, EquipmentState.UNKNOWN, at(6))]
    assert feed(what, 8, STATE, 1).states == [StateSpan(PRESS, EquipmentState.EXECUTING, at(8))]


def test_counters_give_differences_and_survive_a_reset() -> None:
    what = evaluator()
    got = [feed(what, i, GOOD, v).counts for i, v in enumerate([100, 100, 103, 2, 4], 1)]
    assert [[c.delta for c in counts] for counts in got] == [[0], [], [3], [2], [2]]


def test_a_warm_start_goes_on_where_the_record_ends() -> None:
    what = evaluator(HOT)
    subject = f"{PRESS}/oil_temp"
    known = Alarm("hot", subject, PRESS, Priority.HIGH, Words("", ""), AlarmState.ACKED, 7, condition=True)
    gone = Alarm("old", subject, PRESS, Priority.HIGH, Words("", ""), AlarmState.UNACKED, 8, condition=True)
    span = StateSpan(PRESS, EquipmentState.EXECUTING, at(-60))
    counted = Count(PRESS, at(-1), True, 1, 50)
    assert what.seed([known, gone], {PRESS: span}, {(PRESS, True): counted}) == [gone]
    assert not feed(what, 1, TEMP, 92).alarms, "already raised before the crash"
    assert [e for _, e in feed(what, 2, TEMP, 60).alarms] == [Cleared(at(2), 60.0)]
    assert not feed(what, 3, STATE, 1).states
    assert [c.delta for c in feed(what, 4, GOOD, 52).counts] == [2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tag": "p1/+/+/+/oil_tmp"}, "fits nothing"),
        ({"limt": 3}, "did you mean 'limit'"),
        ({"kind": "high-limt"}, "did you mean 'high-limit'"),
        ({"tell": ["nobody"]}, "no notifier 'nobody'"),
        ({"on_delay": "10"}, "write 500ms, 10s"),
        ({"deadband": -1}, "deadband"),
    ],
)
def test_a_wrong_rule_is_told_by_its_place_and_the_remedy(change: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        evaluator({**HOT, **change})
    assert told in str(wrong.value) and "rules[0] hot" in str(wrong.value)


def test_a_wall_clock_set_back_silences_nothing() -> None:
    what = evaluator(HOT)
    feed(what, 3600, TEMP, 20)
    assert feed(what, 5, TEMP, 120).alarms, "an hour back, and hot all the same"


def test_rows_of_one_tag_out_of_order_in_a_batch_are_taken_in_the_order_of_time() -> None:
    what = evaluator()
    late = SampleBatch.at([STATE], at(2), [7.0])
    early = SampleBatch.at([STATE], at(1), [1.0])
    spans = what.take(join([late, early]), at(2)).states
    assert [s.state for s in spans] == [EquipmentState.EXECUTING, EquipmentState.FAULT]


@pytest.mark.parametrize("glitch", [4_294_967_295.0, -32_768.0, 1e7, 3.4e38, 2.0**64, -1e30])
def test_a_counter_gone_mad_makes_no_pieces_and_goes_on_from_where_it_was(glitch: float) -> None:
    what = evaluator()
    shown = (
        [glitch, 100, 103, glitch, 110, 110, glitch, glitch + 1e6, 111]
        if glitch > 1e9
        else [100, 103, glitch, 110, 111]
    )
    got = [c for i, v in enumerate(shown, 1) for c in feed(what, i, GOOD, v).counts]
    assert sum(c.delta for c in got) == 11
    assert all(c.reading <= 111 for c in got)


@pytest.mark.parametrize(
    ("shown", "pieces"),
    [
        ([50_000, 65_535, 50_003, 50_004], 4),  # the device was lost, and came back
        ([50_000, 65_535, 65_535, 2], 2),  # it came back from a reset
        ([65_535, 40, 45], 5),  # nothing was known of it before
        ([200_000, 65_535, 200_002], 2),
        ([50_000, 500_000, 65_535, 500_003], 3),  # it was set by hand meanwhile
        ([60_000, 65_535, 65_540], 5540),  # a count of 32 bits after a silence, which happened to stand there
        ([65_533, 65_534, 65_535, 0, 1, 2], 4),  # a count of 16 bits goes on from 0
        ([64_600, 65_535, 65_600], 1000),
        ([65_533, 65_535, 65_535, 65_536], 3),
    ],
)  # fmt: skip
def test_a_register_of_all_ones_is_a_count_only_where_the_counter_came_to_it(
    shown: list[int], pieces: int
) -> None:
    what = evaluator()
    got = [c for i, v in enumerate(shown, 1) for c in feed(what, i, GOOD, v).counts]
    assert sum(c.delta for c in got) == pieces


def test_a_counter_that_was_set_by_hand_goes_on_from_there() -> None:
    what = evaluator()
    got = [feed(what, i, GOOD, v).counts for i, v in enumerate([100, 103, 500_000, 500_002, 500_003], 1)]
    assert [[c.delta for c in counts] for counts in got] == [[0], [3], [], [2], [1]]


def test_the_hubs_own_outage_is_unknown_time_and_pieces_belong_into_it() -> None:
    what = evaluator()
    span = StateSpan(PRESS, EquipmentState.EXECUTING, at(-600))
    counted = Count(PRESS, at(-61), True, 1, 50)
    what.seed([], {PRESS: span}, {(PRESS, True): counted}, evaluated=at(-60))
    states = feed(what, 3600, STATE, 1).states
    assert [(s.state, s.since) for s in states] == [
        (EquipmentState.UNKNOWN, at(-55)),
        (EquipmentState.EXECUTING, at(3600)),
    ]
    [count] = feed(what, 3600, GOOD, 650).counts
    assert (count.delta, count.at) == (600, at(-55))


def test_what_led_to_an_ended_alarm_is_not_taken_for_a_new_one() -> None:
    what = evaluator(HOT)
    subject = f"{PRESS}/oil_temp"
    ended = Alarm(
        "hot", subject, PRESS, Priority.HIGH, Words("", ""), AlarmState.NORMAL, 7, condition_at=at(5)
    )
    what.seed([], {}, {}, closed=[ended])
    replayed = SampleBatch.at([TEMP], at(4), [95.0])
    assert not what.take(replayed, at(6), recalled=True)
    assert [e for _, e in feed(what, 7, TEMP, 95).alarms] == [Raised(at(7), 95.0)]


def test_unknown_time_begins_in_the_sources_own_time() -> None:
    what = evaluator()
    what._ticked = micros(at(3600))
    feed(what, 1, STATE, 1, late=3600)  # its clock is an hour behind
    [unknown] = until(what, 3601 + 6).states
    assert unknown.since == at(6)


def test_our_own_deafness_is_no_devices_silence() -> None:
    what = evaluator(LOST)
    for second in range(1, 20, 1):
        feed(what, second, TEMP, 50)
        assert not until(what, second).alarms
    assert not what.tick(at(60)).alarms, "forty seconds in which nobody listened"
    feed(what, 60.1, TEMP, 50)
    assert not until(what, 60.2).alarms


def test_a_small_step_back_of_a_counter_is_no_reset() -> None:
    what = evaluator()
    got = [feed(what, i, GOOD, v).counts for i, v in enumerate([600, 605, 602, 604], 1)]
    assert [c.delta for counts in got for c in counts] == [0, 5, 0, 2]


# ------------------------------------------------------------------ clocks that leap, hubs that sleep
JUMP = 3600.0  # an NTP step; a virtual machine that was resumed


def leaning(delay: str = "on_delay") -> Evaluator:
    """Three of ten seconds of the delay have passed, at three seconds."""
    what = evaluator({**HOT, delay: "10s"})
    if delay == "off_delay":
        feed(what, -1, TEMP, 92)
    feed(what, 0, TEMP, 92 if delay == "on_delay" else 60)
    assert not until(what, 3).alarms
    return what


@pytest.mark.parametrize("delay", ["on_delay", "off_delay"])
def test_a_clock_that_leaps_forward_ends_no_delay(delay: str) -> None:
    what = leaning(delay)
    assert not what.tick(at(3 + JUMP)).alarms
    assert not until(what, JUMP + 8.5).alarms
    assert len(until(what, JUMP + 11.1).alarms) == 1, "the other seconds had to pass"


@pytest.mark.parametrize("first", ["tick", "sample"])
def test_nor_does_the_first_sample_behind_the_leap_whose_clock_leapt_as_well(first: str) -> None:
    what = leaning()
    if first == "tick":
        assert not what.tick(at(3 + JUMP)).alarms
    for second in (3.2, 4, 5, 6, 7, 8):
        assert not feed(what, JUMP + second, TEMP, 92).alarms
        assert not until(what, JUMP + second).alarms
    assert len(until(what, JUMP + 11.1).alarms) == 1


def test_a_device_whose_own_clock_did_not_leap_goes_on_with_its_delay() -> None:
    """Only the hub's clock was set: the device says that it was too hot for ten of its own seconds."""
    what = leaning()
    what.tick(at(3 + JUMP))
    for second in range(4, 10):
        assert not feed(what, second, TEMP, 92, late=JUMP).alarms
    assert [e for _, e in feed(what, 10, TEMP, 92, late=JUMP).alarms] == [Raised(at(10), 92.0)]


def test_what_was_kept_for_us_while_we_slept_tells_what_happened_meanwhile() -> None:
    """The hub was stopped for a minute, the collector elsewhere was not: its samples were waiting."""
    what = leaning()
    what.tick(at(63))
    raised = [e for s in range(4, 64) for _, e in feed(what, s, TEMP, 92, late=63 - s).alarms]
    assert raised == [Raised(at(10), 92.0)]


def test_a_clock_that_leaps_back_holds_no_alarm_up_for_as_long() -> None:
    what = leaning()
    assert not what.tick(at(3 - JUMP)).alarms
    for second in range(4, 15):
        if feed(what, second - JUMP, TEMP, 92).alarms:
            break
    else:
        raise AssertionError("ten seconds have passed")


def test_an_ordinary_pause_between_two_looks_counts() -> None:
    what = evaluator({**HOT, "on_delay": "2s"})
    feed(what, 0, TEMP, 92)
    alarms = [e for s in (0.9, 1.8, 2.7) for _, e in what.tick(at(s)).alarms]
    assert alarms == [Raised(at(2), 92.0)]
