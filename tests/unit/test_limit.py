"""High and low limits: what counts, what does not, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_rules.limit import elapse, observe
from alert_rules.prefilter import RuleTable, suspects
from alert_rules.rule import Codes, Limits, Rule, Watch
from hub.model.alarm import Priority
from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_NO_COMMUNICATION, GOOD, Sample, StatusCode, Tag
from hub.model.words import Words
from hub.testing.clock import NOON

OIL = Tag(1, "p1/a/l/press/oil_temp", Words("油温", "Oil temperature"), "℃")
HOT = Rule(
    "hot", OIL.path, OIL.equipment, Limits(80.0, 75.0, above=True), Priority.HIGH, Words("高", "High"), OIL,
    timedelta(seconds=10), timedelta(seconds=5),
)  # fmt: skip
COLD = replace(HOT, name="oil-cold", condition=Limits(10.0, 12.0, above=False))


def at(seconds: float, value: float | None, bad: bool = False) -> Sample:
    status = StatusCode(BAD_NO_COMMUNICATION if bad else GOOD)
    return Sample(NOON + timedelta(seconds=seconds), value, status)


def fold(*samples: Sample, rule: Rule = HOT, start: Watch | None = None) -> Watch:
    watch = start or Watch()
    for sample in samples:
        watch = observe(rule, watch, sample)
    return watch


def test_a_value_above_the_limit_for_the_delay_is_an_alarm() -> None:
    assert fold(at(0, 81), at(5, 82), at(10, 82)).active


def test_a_short_peak_is_not_an_alarm() -> None:
    assert not fold(at(0, 81), at(5, 79), at(6, 81), at(15, 81)).active


def test_the_limit_itself_is_still_fine() -> None:
    assert fold(at(0, 80), at(20, 80)) == Watch()


def test_silence_while_high_still_becomes_an_alarm() -> None:
    assert elapse(HOT, fold(at(0, 90)), NOON + timedelta(seconds=10)).active


def test_losing_the_device_while_high_is_not_an_over_limit_alarm() -> None:
    watch = fold(at(0, 90), at(2, None, bad=True))
    assert not elapse(HOT, watch, NOON + timedelta(minutes=5)).active


def test_inside_the_deadband_an_alarm_stays() -> None:
    assert fold(at(0, 76), at(60, 75.1), at(90, 75.1), start=Watch(active=True)).active


def test_below_the_deadband_for_the_off_delay_it_ends() -> None:
    assert not fold(at(0, 74), at(5, 74), start=Watch(active=True)).active


@pytest.mark.parametrize(
    "condition", [Limits(0.0, 0.0, above=True), Limits(0.0, 0.0, above=False), Limits(5.0, 0.0, above=True)]
)
def test_what_comes_to_rest_where_the_deadband_ends_is_no_alarm_any_more(condition: Limits) -> None:
    """A condition of an OPC UA server says 0 when it is over, and nothing else until the next time."""
    rule = replace(HOT, condition=condition)
    assert not fold(at(0, 0.0), at(5, 0.0), rule=rule, start=Watch(active=True)).active


def test_an_active_alarm_whose_device_is_lost_stays_and_is_blind() -> None:
    watch = fold(at(0, None, bad=True), start=Watch(active=True))
    assert watch.active and watch.blind
    assert elapse(HOT, watch, NOON + timedelta(days=1)).active


def test_sight_comes_back_with_the_first_good_sample() -> None:
    assert not fold(at(0, None, bad=True), at(1, 90), start=Watch(active=True)).blind


def test_a_low_limit_is_the_mirror_image() -> None:
    assert fold(at(0, 9), at(10, 9), rule=COLD).active
    assert fold(at(0, 11), at(60, 11.9), at(90, 11.9), rule=COLD, start=Watch(active=True)).active
    assert not fold(at(0, 12.5), at(5, 13), rule=COLD, start=Watch(active=True)).active


@pytest.mark.parametrize(("code", "active"), [(301, True), (302, False), (0, False)])
def test_a_code_rule_knows_its_codes(code: int, active: bool) -> None:
    rule = replace(HOT, condition=Codes(frozenset({301})), on_delay=timedelta(0))
    assert fold(at(0, code), rule=rule).active is active


def test_an_unknown_code_is_caught_by_the_inverted_rule() -> None:
    rule = replace(HOT, condition=Codes(frozenset({0, 301}), inverted=True), on_delay=timedelta(0))
    assert fold(at(0, 999), rule=rule).active
    assert not fold(at(0, 301), rule=rule).active
    assert not fold(at(0, 999), at(1, 0), at(6, 0), rule=rule).active


# ------------------------------------------------------------------ the sieve is only a sieve
conditions = st.sampled_from(
    [Limits(80, 75, True), Limits(10, 12, False), Limits(50, 50, True), Codes(frozenset({3, 7})),
     Codes(frozenset({0, 3}), inverted=True)]
)  # fmt: skip
delays = st.sampled_from([timedelta(0), timedelta(seconds=2), timedelta(seconds=30)])
readings = st.tuples(
    st.integers(1, 4),
    st.one_of(
        st.sampled_from([0.0, 3.0, 7.0, 10.0, 12.0, 50.0, 75.0, 80.0, float("nan")]), st.floats(0, 100)
    ),
    st.sampled_from([GOOD, GOOD, GOOD, BAD_NO_COMMUNICATION]),
)


@given(
    rules=st.lists(st.tuples(st.integers(1, 4), conditions, delays, delays), min_size=1, max_size=8),
    batches=st.lists(st.lists(readings, max_size=12), max_size=8),
)
def test_what_the_sieve_leaves_out_would_have_changed_nothing(
    rules: list[tuple[int, Limits | Codes, timedelta, timedelta]],
    batches: list[list[tuple[int, float, int]]],
) -> None:
    """The table's rules fed through the sieve end as rules that see every sample."""
    made = [
        replace(HOT, name=f"r{i}", tag=replace(OIL, number=t), condition=c, on_delay=on, off_delay=off)
        for i, (t, c, on, off) in enumerate(rules)
    ]
    table = RuleTable(made, 4)
    plain = [Watch() for _ in made]
    time = NOON
    for rows in batches:
        time += timedelta(seconds=3)
        batch = _batch(rows, time)
        for row, slot in suspects(table, batch):
            sample = batch.sample(row)
            rule = table.rules[slot]
            assert rule is not None
            table.keep(slot, observe(rule, table.watch(slot), sample), sample.value)
        for row in range(len(batch)):
            for i, rule in enumerate(made):
                assert rule.tag is not None
                if rule.tag.number == batch.tags[row]:
                    plain[i] = observe(rule, plain[i], batch.sample(row))
        assert [table.watch(i) for i in range(1, len(made) + 1)] == plain


def _batch(rows: list[tuple[int, float, int]], time: datetime) -> SampleBatch:
    import numpy as np

    return SampleBatch(
        np.array([r[0] for r in rows], np.int32),
        np.array([micros(time) + i for i in range(len(rows))], np.int64),
        np.array([r[1] for r in rows], np.float64),
        np.array([r[2] for r in rows], np.uint32),
    )


def test_rows_of_a_steady_plant_are_not_looked_at() -> None:
    table = RuleTable([HOT, COLD], 1)
    assert suspects(table, SampleBatch.at([1] * 1000, NOON, [50.0] * 1000)) == []
