"""Suppression by design: what people write, what it means, what is remembered of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import pytest

from alert_rules.due import due
from alert_rules.lifecycle import Event, Reannunciated, Suppressed, Unshelved
from alert_rules.suppression import Key, RuleHolds, Sights, StateIs, Suppression, Suppressor, ValueIs
from hub.errors import ConfigError
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.equipment import EquipmentState, StateSpan
from hub.model.words import Words
from hub.testing.clock import NOON
from tests.unit.test_evaluator import FAULT, FAULTS, HOT, LOST, PRESS, TEMP, at, evaluator, feed, until

WHY = Words("停机", "off")
HOTTER: Mapping[str, Any] = {**HOT, "name": "hotter", "limit": 90}
S = AlarmState


# ------------------------------------------------------------------ as people write it
@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({}, "suppressed_when[0]: name one of state, rule and tag"),
        ({"state": ["executing"], "rule": "lost"}, "name one of state, rule and tag"),
        ({"state": ["exekuting"]}, "suppressed_when[0].state[0]"),
        ({"state": ["setup"]}, f"suppressed_when.state: no code of {PRESS} means setup; add it"),
        ({"state": ["fault"], "equipment": "p1/a/l/pres"}, f"did you mean '{PRESS}'"),
        ({"rule": "lsot"}, "suppressed_when.rule: no enabled rule 'lsot'; did you mean 'lost'"),
        ({"rule": "hot"}, "'hot' watches nothing else on p1/a/l/press"),
        ({"tag": "oil_tmp", "above": 3}, f"no tag '{PRESS}/oil_tmp' in the plant; did you mean"),
        ({"tag": "fault"}, "tag: say when with one of above, below and is"),
        ({"tag": "fault", "is": [1], "above": 2}, "one of above, below and is"),
        ({"state": ["fault"], "above": 3}, "above, below and is compare a tag's value"),
        ({"stat": ["fault"]}, "unknown key; did you mean 'state'"),
        ({"state": ["fault"], "off_delay": "10"}, "write 500ms, 10s"),
    ],
)  # fmt: skip
def test_a_wrong_wish_is_told_by_its_place_and_the_remedy(wish: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        evaluator({**HOT, "suppressed_when": wish}, LOST)
    assert told in str(wrong.value) and "rules[0] hot" in str(wrong.value)


def test_rules_that_suppress_one_another_would_never_speak() -> None:
    with pytest.raises(ConfigError) as wrong:
        evaluator(
            {**HOT, "suppressed_when": {"rule": "hotter"}}, {**HOTTER, "suppressed_when": {"rule": "hot"}}
        )
    assert "hot -> hotter -> hot suppress one another" in str(wrong.value)


@pytest.mark.parametrize("wish", ["0s", "10", "-5min"])
def test_a_re_alarm_needs_a_time(wish: str) -> None:
    with pytest.raises(ConfigError, match="realarm_after"):
        evaluator({**HOT, "realarm_after": wish})


def test_the_word_off_survives_yaml() -> None:
    """An unquoted `off` is false in YAML 1.1; so it is not the state that is wrong here but its code."""
    with pytest.raises(ConfigError, match="no code of p1/a/l/press means off"):
        evaluator({**HOT, "suppressed_when": {"state": [False]}})


def test_latch_re_alarm_and_suppression_reach_every_kind_of_rule() -> None:
    common = {"latched": True, "realarm_after": "5min", "suppressed_when": {"state": ["fault"]}}
    what = evaluator({**HOT, **common}, {**LOST, **common}, {**FAULTS, **common})
    assert all(r.latched and r.realarm_after and r.suppressors for r in what.rules.values())


# ------------------------------------------------------------------ what it means
def test_several_reasons_are_told_by_the_one_that_holds() -> None:
    what = evaluator({**HOT, "suppressed_when": [{"rule": "hotter"}, {"tag": "fault", "is": [301]}]}, HOTTER)
    hot = what.rules["hot", f"{PRESS}/oil_temp"]
    assert what.suppressed(hot) is None, "nobody has said anything yet"
    feed(what, 1, FAULT, 0)
    until(what, 2)
    assert what.suppressed(hot) is False
    feed(what, 3, TEMP, 95)
    assert what.suppressed(hot) == Words("已有报警“oil_temp过高”", "“oil_temp high” is the cause")
    feed(what, 4, TEMP, 84)
    feed(what, 5, FAULT, 301)
    until(what, 6)
    assert what.suppressed(hot) == Words("fault = 301", "fault = 301")


def test_cause_and_consequence_in_one_sample_are_one_alarm() -> None:
    what = evaluator({**HOT, "suppressed_when": {"rule": "hotter"}}, HOTTER)
    assert len(feed(what, 1, TEMP, 95).alarms) == 2
    assert what.suppressed(what.rules["hot", f"{PRESS}/oil_temp"])


def test_a_cause_that_was_put_aside_silences_nothing() -> None:
    what = evaluator({**HOT, "suppressed_when": {"rule": "hotter"}}, HOTTER)
    feed(what, 1, TEMP, 95)
    what.put_aside([("hotter", f"{PRESS}/oil_temp")])
    until(what, 2)
    assert what.suppressed(what.rules["hot", f"{PRESS}/oil_temp"]) is False


KEY: Key = ("hot", "s")
OFF = Suppressor(StateIs(PRESS, frozenset({EquipmentState.OFF})), WHY, timedelta(seconds=30))


def looked(
    state: EquipmentState | None, seconds: float, memory: Suppression
) -> Words | Literal[False] | None:
    memory.look(Sights(lambda _: state, lambda _: None, lambda _: False), at(seconds))
    return memory.holds(KEY)


def test_an_end_takes_its_time_and_a_machine_not_heard_stays_as_it_was() -> None:
    memory = Suppression({KEY: [OFF]})
    assert looked(None, 0, memory) is None
    assert looked(EquipmentState.OFF, 1, memory) == WHY
    assert looked(EquipmentState.UNKNOWN, 500, memory) == WHY
    assert looked(EquipmentState.EXECUTING, 501, memory) == WHY
    assert looked(EquipmentState.UNKNOWN, 530, memory) == WHY
    assert looked(EquipmentState.OFF, 531, memory) == WHY, "it was off again: the end begins anew"
    assert looked(EquipmentState.EXECUTING, 532, memory) == WHY
    assert looked(EquipmentState.UNKNOWN, 562, memory) is False


def test_what_the_record_says_stands_until_more_is_known() -> None:
    memory = Suppression({KEY: [OFF]})
    memory.presume(KEY)
    assert looked(EquipmentState.UNKNOWN, 1, memory) == WHY


def test_a_restart_while_the_machine_starts_up_does_not_end_its_silence() -> None:
    what = evaluator({**HOT, "suppressed_when": {"state": ["fault"], "off_delay": "30s"}})
    [rule] = what.rules.values()
    known = Alarm("hot", rule.subject, PRESS, Priority.HIGH, WHY, S.SUPPRESSED, 7, True, suppressed=WHY)
    what.seed([known], {PRESS: StateSpan(PRESS, EquipmentState.EXECUTING, at(-1))}, {})
    until(what, 20)
    assert what.suppressed(rule) == Words("设备处于故障", "the machine is faulted")


@pytest.mark.parametrize(
    ("when", "value", "holds"),
    [
        (ValueIs(1, above=5), 6, True), (ValueIs(1, above=5), 5, False), (ValueIs(1, below=5), 4, True),
        (ValueIs(1, below=5), 5, False), (ValueIs(1, codes=frozenset({0, 8})), 8, True),
        (ValueIs(1, codes=frozenset({0, 8})), 7, False),
    ],
)  # fmt: skip
def test_values_are_compared(when: ValueIs, value: float, holds: bool) -> None:
    assert when.holds(value) is holds


def test_a_rule_without_reasons_is_not_suppressed() -> None:
    assert Suppression({KEY: []}).holds(KEY) is False
    assert Suppression({KEY: [Suppressor(RuleHolds(frozenset()), WHY)]}).holds(KEY) is None


# ------------------------------------------------------------------ what is due
@pytest.mark.parametrize(
    ("alarm", "suppressed", "event"),
    [
        ({"state": S.UNACKED}, False, None),
        ({"state": S.UNACKED}, WHY, Suppressed(NOON, True, WHY)),
        ({"state": S.UNACKED}, None, None),
        ({"state": S.SUPPRESSED, "suppressed": WHY}, None, None),
        ({"state": S.SUPPRESSED, "suppressed": WHY}, WHY, None),
        ({"state": S.SUPPRESSED, "suppressed": WHY}, False, Suppressed(NOON, False)),
        ({"state": S.SHELVED, "shelved_until": at(1)}, False, None),
        ({"state": S.SHELVED, "shelved_until": at(0)}, False, Unshelved(NOON)),
        ({"state": S.SHELVED, "shelved_until": at(0)}, WHY, Suppressed(NOON, True, WHY)),
        ({"state": S.OUT_OF_SERVICE, "acked_at": at(-900)}, False, None),
        ({"state": S.ACKED, "acked_at": at(-599)}, False, None),
        ({"state": S.ACKED, "acked_at": at(-600)}, False, Reannunciated(NOON)),
        ({"state": S.ACKED, "acked_at": at(-600), "condition": False, "latched": True}, False, None),
        ({"state": S.ACKED, "priority": Priority.LOW}, False, Reannunciated(NOON, Priority.MEDIUM)),
    ],
)  # fmt: skip
def test_what_is_due_follows_from_the_record(
    alarm: dict[str, Any], suppressed: Words | Literal[False] | None, event: Event | None
) -> None:
    what = evaluator({**HOT, "realarm_after": "10min"})
    [rule] = what.rules.values()
    given = {"priority": Priority.MEDIUM, "condition": True, **alarm}
    known = Alarm("hot", rule.subject, PRESS, title=Words("", ""), **given)
    assert due(known, rule, suppressed, NOON) == event
