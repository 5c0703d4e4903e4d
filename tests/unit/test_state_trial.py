"""A table of states, tried on samples of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alert_rules.evaluator import Evaluator
from alert_rules.rule import Codes
from alert_rules.rulebook import rulebook
from alert_rules.state import StateRule
from alert_rules.state_trial import changed_share, changes, codes_seen, seconds_of, thinned, within
from hub.model.batch import SampleBatch, join, micros
from hub.model.equipment import Equipment, EquipmentLevel, StateSpan
from hub.model.equipment import EquipmentState as S
from hub.model.sample import Tag
from hub.model.state_table import StateTable
from hub.model.words import Words
from hub.ports import Plant
from hub.testing.clock import NOON

PRESS = "p1/a/l/press"
TAG = Tag(3, f"{PRESS}/state", Words("状态", "State"), stale_after=timedelta(seconds=5))
NOW = StateTable("own", {1: S.EXECUTING, 7: S.FAULT})
THEN = StateTable("own", {1: S.EXECUTING, 3: S.SETUP, 7: S.HELD})
MACHINE = Equipment(
    PRESS, EquipmentLevel.WORK_UNIT, Words("压", "Press"), state_tag=TAG.path, state_map=dict(NOW.map)
)
SITE = Equipment("p1", EquipmentLevel.SITE, Words("厂", "Plant"))
PLANT = Plant(SITE, {"p1": SITE, PRESS: MACHINE}, {TAG.path: TAG})
Row = tuple[float, float, bool]  # seconds, code, bad


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def raw(*rows: Row) -> SampleBatch:
    """As the record has them, in order."""
    return join([one(*row) for row in rows]) if rows else SampleBatch.at([], NOON, [])


def one(seconds: float, code: float, bad: bool = False) -> SampleBatch:
    return SampleBatch.at([3], at(seconds), [code], status=0x80310000 if bad else 0)


def live(rows: list[Row], end: float, *, late: float) -> list[StateSpan]:
    """What the rules put on record while these arrived, with a look five times a second."""
    evaluator, found, now = Evaluator(PLANT, [], NOON), [], 0.0
    for seconds, code, bad in [*rows, (end - late, 0.0, False)]:
        while now + 0.2 <= seconds + late:
            now += 0.2
            found += evaluator.tick(at(now)).states
        if seconds < end - late:
            found += evaluator.take(one(seconds, code, bad), at(seconds + late)).states
    found += evaluator.tick(at(end)).states
    # as the record tells them: what came late stands in its place
    return sorted(found, key=lambda span: span.since)


steps = st.lists(
    st.tuples(
        # no two that add up to five seconds: what comes in just when silence is judged may be counted on
        # either side of it
        st.sampled_from((0.01, 0.7, 1.7, 3.4, 6.1, 9.0, 30.0)),
        st.sampled_from((1.0, 3.0, 7.0, 7.9, float("nan"))),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from((0.0, 0.3)), st.sampled_from((0.5, 4.0, 20.0)))
@example([(0.7, 1.0, True), (3.4, 1.0, True), (0.7, 1.0, False), (0.01, 1.0, False)], 0.3, 0.5)
def test_a_trial_of_the_table_in_use_is_what_the_rules_have_recorded(
    gaps: list[Row], late: float, rest: float
) -> None:
    rows, seconds = [], 0.0
    for gap, code, bad in gaps:
        seconds += gap
        rows.append((seconds, code, bad))
    end = seconds + late + rest
    told = within(live(rows, end, late=late), PRESS, NOON, at(end))
    tried = within(changes(MACHINE, TAG, NOW, raw(*rows), at(end - late)), PRESS, NOON, at(end))
    cut = at(seconds)  # what silence means is known a moment later where samples travel
    assert within(told, PRESS, NOON, cut) == within(tried, PRESS, NOON, cut)
    if not late:
        assert told == tried


dense = st.lists(
    st.tuples(st.sampled_from((0.1, 0.9, 2.4, 2.6, 4.9, 5.1, 11.0)), st.sampled_from((1.0, 1.0, 1.4, 7.0))),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(dense)
def test_repeats_are_left_out_and_no_silence_with_them(told: list[tuple[float, float]]) -> None:
    seconds = np.cumsum([gap for gap, _ in told])
    rows = raw(*((float(s), code, False) for s, (_, code) in zip(seconds, told, strict=True)))
    end = at(float(seconds[-1]) + 9)
    evaluator = Evaluator(PLANT, [], at(float(seconds[0])))
    whole = evaluator.take(rows, at(float(seconds[-1]))).states + evaluator.quiet_until(end).states
    assert changes(MACHINE, TAG, NOW, rows, end) == whole


def test_of_a_state_that_lasts_one_sample_in_half_the_patience_is_thought_about() -> None:
    n = 1_000
    times = micros(NOON) + np.arange(n, dtype=np.int64) * 100_000
    rows = SampleBatch(np.full(n, 3, np.int32), times, np.full(n, 1.0), np.zeros(n, np.uint32))
    assert len(thinned(rows, TAG.stale_after)) == 41
    assert len(thinned(rows.take(np.empty(0, np.intp)), TAG.stale_after)) == 0


def test_a_table_shows_what_the_record_would_have_been() -> None:
    rows = raw((0, 1, False), (4, 3, False), (8, 7, False), (12, 1, False))
    now = within(changes(MACHINE, TAG, NOW, rows, at(16)), PRESS, NOON, at(16))
    then = within(changes(MACHINE, TAG, THEN, rows, at(16)), PRESS, NOON, at(16))
    assert [s.state for s in now] == [S.EXECUTING, S.UNKNOWN, S.FAULT, S.EXECUTING]
    assert [s.state for s in then] == [S.EXECUTING, S.SETUP, S.HELD, S.EXECUTING]
    assert seconds_of(then) == {S.EXECUTING: 8.0, S.SETUP: 4.0, S.HELD: 4.0}
    assert changed_share(now, then) == changed_share(then, now) == 0.5


def test_before_the_first_sample_and_in_a_silence_nobody_knows() -> None:
    rows = raw((10, 1, False), (12, 1, False), (40, 7, False))
    spans = within(changes(MACHINE, TAG, NOW, rows, at(60)), PRESS, NOON, at(60))
    assert [(s.state, (s.since - NOON).total_seconds()) for s in spans] == [
        (S.UNKNOWN, 0), (S.EXECUTING, 10), (S.UNKNOWN, 17), (S.FAULT, 40), (S.UNKNOWN, 45),
    ]  # fmt: skip
    assert within([], PRESS, NOON, at(5)) == [StateSpan(PRESS, S.UNKNOWN, NOON, at(5))]


def test_codes_are_counted_with_the_time_for_which_they_stood() -> None:
    rows = raw((-2, 1, False), (1, 1, False), (4, 9, False), (5, 9, True), (30, 1, False))
    one_, nine = codes_seen(rows, TAG, NOON, at(32))
    assert (one_.code, one_.count, one_.seconds, one_.first_at, one_.last_at) == (1, 2, 6.0, at(1), at(30))
    assert (nine.code, nine.count, nine.seconds) == (9, 1, 5.0)
    assert codes_seen(raw(), TAG, NOON, at(1)) == []


def test_hours_of_samples_are_tried_as_a_whole() -> None:
    n = 20_000
    times = micros(NOON) + np.arange(n, dtype=np.int64) * 1_000_000
    rows = SampleBatch(
        np.full(n, 3, np.int32), times, np.where(np.arange(n) % 600 < 300, 1.0, 7.0), np.zeros(n, np.uint32)
    )
    spans = within(changes(MACHINE, TAG, NOW, rows, at(n)), PRESS, NOON, at(n))
    assert len(spans) == 67 and seconds_of(spans)[S.EXECUTING] == 10_100


# ------------------------------------------------------------------ activated while machines run
HELD = {"name": "held", "kind": "state", "equipment": PRESS, "states": ["fault"]}


def running(*blocks: dict[str, object]) -> Evaluator:
    return Evaluator(PLANT, rulebook(blocks, PLANT, {"state": StateRule}, []), NOON)


def test_another_table_holds_from_the_moment_it_is_activated() -> None:
    what = running()
    assert [s.state for s in what.take(one(1, 7), at(1)).states] == [S.FAULT]
    what.tick(at(1.9))
    other = replace(MACHINE, state_map=dict(THEN.map))
    assert what.recode([other], {}, at(2)).states == [StateSpan(PRESS, S.HELD, at(2))]
    assert what.recode([other], {}, at(2.5)).states == []
    assert what.take(one(2.6, 7), at(2.6)).states == []
    assert [s.state for s in what.take(one(3, 3), at(3)).states] == [S.SETUP]


def test_a_machine_that_is_not_heard_stays_unknown_whatever_its_codes_mean() -> None:
    what = running()
    what.take(one(1, 7), at(1))
    what.quiet_until(at(10))
    assert what.recode([replace(MACHINE, state_map=dict(THEN.map))], {}, at(11)).states == []
    assert [s.state for s in what.take(one(12, 7), at(12)).states] == [S.HELD]


def test_a_rule_on_a_state_follows_the_table() -> None:
    what = running(HELD)
    what.take(one(1, 3), at(1))
    key = ("held", PRESS)
    [(_, raised)] = what.recode([MACHINE], {key: Codes(frozenset({3, 7}))}, at(2)).alarms
    assert raised.at == at(2)
    [(_, cleared)] = what.recode([MACHINE], {key: Codes(frozenset({7}))}, at(3)).alarms
    assert cleared.at == at(3)
    assert not what.take(one(4, 3), at(4)).alarms
    assert what.take(one(5, 7), at(5)).alarms
