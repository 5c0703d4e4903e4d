"""A line that anybody may listen to and a certificate that ends are alarms: told once, over when mended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alert_rules.lifecycle import Acked, Cleared, Event, Raised, Reannunciated, after
from alert_rules.line_rules import LINE_OPEN, OWN_ENDS, PEER_ENDS, LineTold, event, with_lines
from alert_rules.rule import Rule
from hub.errors import ConfigError
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.device import Device
from hub.model.line import Line
from hub.testing.clock import NOON, HandClock

PRESS = Device("cnc", (1, 2), "p1/a/l1")
RULES = {r.name: r for r in with_lines([], [PRESS], LineTold(tell=("robot",)), ["robot"])}
END = NOON + timedelta(days=100)


class Told:
    """One rule's alarm while the hand turns the clock."""

    def __init__(self, kind: str) -> None:
        self.rule: Rule = RULES[kind]
        self.alarm: Alarm | None = None
        self.clock = HandClock()

    def look(self, line: Line, at: datetime | None = None) -> Event | None:
        self.clock.turn((at - self.clock.now()).total_seconds() if at else 1)
        said = event(self.rule, line, self.alarm, self.clock.now())
        fresh = Alarm(self.rule.name, "cnc", "p1/a/l1", self.rule.priority, self.rule.title)
        if said is not None:
            self.alarm = after(self.alarm or fresh, said)
        return said

    def acknowledge(self) -> None:
        assert self.alarm is not None
        self.alarm = after(self.alarm, Acked(self.clock.now(), "li"))


def test_every_source_has_one_alarm_of_each_kind_in_both_languages() -> None:
    assert {(r.name, r.subject, r.priority) for r in RULES.values()} == {
        (LINE_OPEN, "cnc", Priority.LOW), (OWN_ENDS, "cnc", Priority.HIGH), (PEER_ENDS, "cnc", Priority.HIGH),
    }  # fmt: skip
    for rule in RULES.values():
        assert rule.title.zh.endswith("：cnc") and rule.title.en.endswith(": cnc")
        assert rule.tell == ("robot",) and rule.instruction is not None and rule.instruction.zh


@pytest.mark.parametrize("opened", ["none", "Basic256", "Basic128Rsa15"])
def test_an_open_line_is_told_once_and_over_when_it_is_protected(opened: str) -> None:
    told = Told(LINE_OPEN)
    assert isinstance(told.look(Line(opened)), Raised)
    assert told.look(Line(opened)) is None, "told again by the next connection"
    assert isinstance(told.look(Line("", own_until=END)), Cleared)
    assert told.look(Line("", own_until=END)) is None


@pytest.mark.parametrize(
    ("kind", "line"), [(OWN_ENDS, Line("", own_until=END)), (PEER_ENDS, Line("", peer_until=END))]
)
def test_a_certificate_is_told_of_thirty_days_before_its_end_seven_days_before_and_on_the_day(
    kind: str, line: Line
) -> None:
    told, day = Told(kind), timedelta(days=1)
    assert told.look(line, END - 30 * day - timedelta(seconds=1)) is None
    said = told.look(line, END - 30 * day)
    assert isinstance(said, Raised) and said.value == 30
    told.acknowledge()
    assert told.look(line, END - 7 * day - timedelta(seconds=1)) is None, "acknowledged: nobody asks again"
    assert isinstance(told.look(line, END - 7 * day), Reannunciated)
    assert told.alarm is not None and told.alarm.state is AlarmState.UNACKED
    assert told.look(line, END - 6 * day) is None, "it is sounding already"
    told.acknowledge()
    assert told.look(line, END - timedelta(seconds=1)) is None
    assert isinstance(told.look(line, END), Reannunciated)
    told.acknowledge()
    assert told.look(line, END + 40 * day) is None
    renewed = Line("", END + 365 * day, END + 365 * day)
    assert isinstance(told.look(renewed), Cleared) and not told.alarm.is_open


def test_what_nobody_has_seen_changes_nothing_and_an_open_line_has_no_certificates() -> None:
    told = Told(OWN_ENDS)
    told.look(Line("", own_until=NOON + timedelta(days=3)))
    assert told.look(Line("")) is None
    assert isinstance(told.look(Line("none")), Cleared)


def test_a_line_comes_back_from_json_as_it_was() -> None:
    for line in (Line(), Line("none"), Line("", NOON, END), Line("", peer_until=NOON)):
        assert Line.of_json(line.as_json()) == line
    assert replace(Line(), opened="none").as_json() == {"opened": "none"}


def test_a_notifier_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"hub.line_alarms.tell: no notifier 'robto'; did you mean 'robot'"):
        with_lines([], [PRESS], LineTold(tell=("robto",)), ["robot"])
