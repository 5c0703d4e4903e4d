"""A lost device is one alarm: not one for each tag, none for a blip, no flood when it comes and goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alert_rules.device_rules import DEVICE_LOST, DeviceLost, with_devices
from alert_rules.evaluator import Evaluator
from alert_rules.lifecycle import Raised
from alert_rules.rule import Loss, Rule, Silence
from hub.errors import ConfigError
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.batch import SampleBatch
from hub.model.device import Device, devices_of
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.model.words import Words
from hub.ports import Plant
from hub.testing.clock import NOON

W = Words("", "")
LINE = "p1/a/l1"
MACHINES = ("m1", "m2", "m3")
TAGS = {
    f"{LINE}/{m}/{t}": Tag(1 + 2 * i + j, f"{LINE}/{m}/{t}", W, stale_after=timedelta(seconds=5))
    for i, m in enumerate(MACHINES)
    for j, t in enumerate(("oil", "force"))
}
BY_NUMBER = {t.number: t for t in TAGS.values()}
ALL = tuple(BY_NUMBER)
NODES = [
    Equipment("p1", EquipmentLevel.SITE, W), Equipment("p1/a", EquipmentLevel.AREA, W),
    Equipment(LINE, EquipmentLevel.WORK_CENTER, W),
    *(Equipment(f"{LINE}/{m}", EquipmentLevel.WORK_UNIT, W) for m in MACHINES),
]  # fmt: skip
PLANT = Plant(NODES[0], {n.path: n for n in NODES}, TAGS)
UNITS = {f"unit {n}": (2 * n - 1, 2 * n) for n in (1, 2, 3)}
GATEWAY = devices_of("gw", ALL, UNITS, BY_NUMBER)


class House:
    """One evaluator; `said` are its changes of device alarms, in seconds since it began."""

    def __init__(self, *devices: Device, rules: tuple[Rule, ...] = (), **told: Any) -> None:
        self.rules = with_devices(rules, devices or GATEWAY, DeviceLost(**told), ["robot"])
        self.evaluator = Evaluator(PLANT, self.rules, NOON)
        self.now = 0.0
        self.said: list[tuple[float, str, bool]] = []

    def _note(self, happened: Any) -> None:
        for rule, event in happened.alarms:
            at = round((event.at - NOON).total_seconds(), 1)
            self.said.append((at, rule.subject, isinstance(event, Raised)))

    def wait(self, seconds: float, *heard: int, every: float = 0.5) -> None:
        """Time passes while these tags are heard."""
        for _ in range(round(seconds / every)):
            self.now += every
            if heard:
                self.hear(*heard)
            self._note(self.evaluator.tick(self._at()))

    def hear(self, *tags: int, status: int = 0) -> None:
        value = float("nan") if status else self.now
        batch = SampleBatch.at(list(tags), self._at(), [value] * len(tags), "gw", status)
        self._note(self.evaluator.take(batch, self._at()))

    def lose(self, *tags: int) -> None:
        """As the collector's runner says it, at once and once."""
        self.now += 0.001
        self._note(self.evaluator.take(SampleBatch.lost(tags, self._at(), "gw"), self._at()))

    def _at(self) -> Any:
        return NOON + timedelta(seconds=self.now)


# ------------------------------------------------------------------ what a device is
def test_a_gateway_is_a_device_and_so_is_each_unit_behind_it() -> None:
    assert [(d.name, d.part_of, d.equipment) for d in GATEWAY] == [
        ("gw", "", LINE), ("gw/unit 1", "gw", f"{LINE}/m1"), ("gw/unit 2", "gw", f"{LINE}/m2"),
        ("gw/unit 3", "gw", f"{LINE}/m3"),
    ]  # fmt: skip


def test_a_source_of_one_machine_is_one_device_and_one_of_several_has_a_part_for_each() -> None:
    assert [d.name for d in devices_of("press", (1, 2), {}, BY_NUMBER)] == ["press"]
    assert [d.name for d in devices_of("line", (1, 2, 3), {}, BY_NUMBER)] == ["line", "line/m1", "line/m2"]
    assert devices_of("empty", (99,), {}, BY_NUMBER) == []


# ------------------------------------------------------------------ one alarm
def test_a_gateway_that_is_lost_raises_one_alarm_and_ends_it_when_it_is_heard_again() -> None:
    it = House()
    it.wait(3, *ALL)
    it.lose(*ALL)
    it.wait(60)
    it.wait(30, *ALL)
    assert [(subject, raised) for _, subject, raised in it.said] == [("gw", True), ("gw", False)]
    assert 8 <= it.said[0][0] <= 9, "debounced by five seconds"
    assert 68 <= it.said[1][0] <= 70, "heard for five seconds"


def test_a_blip_is_no_alarm() -> None:
    it = House()
    it.wait(3, *ALL)
    it.lose(*ALL)
    it.wait(4)
    it.wait(60, *ALL)
    assert it.said == []


def test_a_unit_that_is_lost_alone_raises_its_own_alarm_and_not_the_gateways() -> None:
    it = House()
    it.wait(3, *ALL)
    it.lose(3, 4)
    it.wait(20, 1, 2, 5, 6)
    it.wait(20, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("gw/unit 2", True), ("gw/unit 2", False)]


def test_units_that_time_out_one_after_the_other_because_their_gateway_is_gone_are_one_alarm() -> None:
    """Each timeout takes seconds: the first unit is away for longer than the debounce before the last is."""
    it = House()
    it.wait(3, *ALL)
    for unit in UNITS.values():
        it.lose(*unit)
        it.wait(4)
    it.wait(60)
    assert [(s, r) for _, s, r in it.said] == [("gw", True)]


def test_a_unit_that_does_not_come_back_with_its_gateway_is_told_then() -> None:
    it = House()
    it.wait(3, *ALL)
    it.lose(*ALL)
    it.wait(20)
    it.wait(40, 1, 2, 5, 6)
    assert [(s, r) for _, s, r in it.said] == [("gw", True), ("gw", False), ("gw/unit 2", True)]


def test_one_tag_that_is_bad_or_not_heard_is_no_lost_device() -> None:
    it = House()
    it.wait(3, *ALL)
    it.lose(1)
    it.hear(3, 4, status=BAD_OUT_OF_RANGE)
    for _ in range(20):
        it.hear(3, 4, status=BAD_OUT_OF_RANGE)
        it.wait(1, 2, 5, 6)
    assert it.said == []


def test_a_device_that_answers_nothing_but_bad_values_is_not_lost() -> None:
    it = House(*devices_of("press", (1, 2), {}, BY_NUMBER))
    for _ in range(60):
        it.wait(1)
        it.hear(1, 2, status=BAD_OUT_OF_RANGE)
    assert it.said == []


# ------------------------------------------------------------------ the collector itself is gone
def test_a_source_of_which_nobody_says_anything_any_more_is_lost_after_a_while() -> None:
    it = House()
    it.wait(3, *ALL)
    it.wait(60)
    assert it.said == [(43.0, "gw", True)], "stale after 5 s, 30 s of patience, 5 s of debounce"


def test_silence_of_what_speaks_only_of_changes_tells_nothing_where_that_is_wanted() -> None:
    it = House(*devices_of("broker", ALL, {}, BY_NUMBER, regular=False), quiet=timedelta(0))
    it.wait(3, *ALL)
    it.wait(900)
    assert it.said == []
    it.lose(*ALL)
    it.wait(10)
    assert [(s, r) for _, s, r in it.said] == [("broker", True)]


# ------------------------------------------------------------------ no flood
def test_a_device_that_comes_and_goes_faster_than_it_is_debounced_is_one_alarm() -> None:
    it = House()
    it.wait(3, *ALL)
    for _ in range(40):
        it.lose(*ALL)
        it.wait(3)
        it.wait(3, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("gw", True)]


def test_a_device_that_comes_and_goes_slowly_has_to_stay_longer_each_time() -> None:
    it = House()
    it.wait(3, *ALL)
    for _ in range(60):  # half an hour of it
        it.lose(*ALL)
        it.wait(15)
        it.wait(15, *ALL)
    raised = [at for at, _, r in it.said if r]
    assert len(raised) <= 4
    it.wait(300, *ALL)
    assert not it.said[-1][2], "and is over in the end"


def test_time_in_which_we_were_deaf_is_nobodys_absence() -> None:
    it = House()
    it.wait(3, *ALL)
    it.now += 600  # the hub was stopped
    it.wait(20, *ALL)
    assert it.said == []


# ------------------------------------------------------------------ after a restart of the rules
def stood(subject: str) -> Alarm:
    return Alarm(
        DEVICE_LOST,
        subject,
        LINE,
        Priority.HIGH,
        W,
        AlarmState.UNACKED,
        1,
        True,
        condition_at=NOON,
        opened_at=NOON,
    )


def test_an_alarm_that_stood_before_a_restart_stands_and_ends_with_the_device() -> None:
    it = House()
    assert it.evaluator.seed([stood("gw")], {}, {}) == []
    it.evaluator.know_devices(SampleBatch.lost(ALL, NOON - timedelta(minutes=1)))
    it.wait(60)
    assert it.said == []
    it.wait(10, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("gw", False)]


def test_a_device_that_was_lost_while_the_rules_were_away_is_told() -> None:
    it = House()
    it.evaluator.know_devices(SampleBatch.lost(ALL, NOON - timedelta(minutes=1)))
    it.wait(10)
    assert [(s, r) for _, s, r in it.said] == [("gw", True)]


# ------------------------------------------------------------------ beside rules that people wrote
def no_data(machine: str, *tags: int, tell: tuple[str, ...] = ("robot",)) -> Rule:
    path = f"{LINE}/{machine}"
    silence = Silence(tags, timedelta(seconds=3))
    return Rule("not-heard", path, path, silence, Priority.CRITICAL, W, tell=tell)


def test_a_written_rule_about_a_whole_device_is_its_alarm() -> None:
    rules = with_devices([no_data("m1", 1, 2)], GATEWAY, DeviceLost(), ["robot"])
    assert [(r.name, r.subject) for r in rules] == [
        ("not-heard", f"{LINE}/m1"), (DEVICE_LOST, "gw"),
        (DEVICE_LOST, "gw/unit 2"), (DEVICE_LOST, "gw/unit 3"),
    ]  # fmt: skip


def test_what_is_written_about_a_part_keeps_quiet_while_the_whole_is_away_and_its_people_hear_of_that() -> (
    None
):
    it = House(rules=(no_data("m1", 1, 2),))
    mine, gateway = it.rules[0], it.rules[1]
    assert (gateway.tell, gateway.priority) == (("robot",), Priority.CRITICAL)
    it.wait(3, *ALL)
    assert it.evaluator.suppressed(mine) is False
    it.lose(*ALL)
    it.wait(60)
    assert it.evaluator.suppressed(mine) == gateway.title
    it.wait(60, *ALL)
    assert it.evaluator.suppressed(mine) is False


def test_a_notifier_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"hub.device_lost.tell: no notifier 'robto'; did you mean 'robot'"):
        with_devices([], GATEWAY, DeviceLost(tell=("robto",)), ["robot"])


def test_every_rule_of_a_device_has_its_tags() -> None:
    losses = [r.condition for r in House().rules if isinstance(r.condition, Loss)]
    assert [loss.tags for loss in losses] == [ALL, (1, 2), (3, 4), (5, 6)]


# ------------------------------------------------------------------ edge nodes; what speaks of changes only
CELL = {"G/E": (1, 2, 3, 4), "G/E/d1": (1, 2), "G/E/d2": (3, 4), "G/F": (5, 6), "G/F/d3": (5, 6)}
CELLS = devices_of("cells", ALL, CELL, BY_NUMBER, told=True)


def test_devices_are_behind_their_edge_node_and_a_nodes_only_device_is_the_node() -> None:
    assert [(d.name, d.part_of) for d in CELLS] == [
        ("cells", ""), ("cells/G/E", "cells"), ("cells/G/F", "cells"),
        ("cells/G/E/d1", "cells/G/E"), ("cells/G/E/d2", "cells/G/E"),
    ]  # fmt: skip


def test_a_device_that_says_it_dies_is_one_alarm_though_nothing_else_is_heard_of_its_node() -> None:
    it = House(*CELLS)
    it.wait(3, *ALL)
    it.lose(1, 2)
    it.wait(20)  # nothing else changes
    it.wait(0.5, *ALL)
    it.wait(10, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("cells/G/E/d1", True), ("cells/G/E/d1", False)]


def test_the_death_of_a_node_is_one_alarm_and_that_of_the_broker_another() -> None:
    it = House(*CELLS)
    it.wait(3, *ALL)
    it.lose(1, 2, 3, 4)
    it.wait(10, 5, 6)
    it.wait(10, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("cells/G/E", True), ("cells/G/E", False)]
    it.said.clear()
    it.lose(*ALL)
    it.wait(20)
    it.wait(20, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("cells", True), ("cells", False)]


def test_a_node_that_does_not_come_back_with_the_broker_is_told_then() -> None:
    it = House(*CELLS)
    it.lose(*ALL)
    it.wait(10)
    it.wait(20, 5, 6)
    assert [(s, r) for _, s, r in it.said] == [("cells", True), ("cells", False), ("cells/G/E", True)]


def test_a_machine_on_mqtt_that_falls_silent_is_one_alarm_and_over_with_its_next_word() -> None:
    it = House(*devices_of("mqtt", ALL, {}, BY_NUMBER, regular=False), quiet=timedelta(minutes=2))
    it.wait(10, *ALL)
    it.wait(124, 3, 4, 5, 6)
    assert it.said == []
    it.wait(60, 3, 4, 5, 6)
    assert [(s, r) for _, s, r in it.said] == [("mqtt/m1", True)]
    it.wait(10, *ALL)
    assert [(s, r) for _, s, r in it.said] == [("mqtt/m1", True), ("mqtt/m1", False)]
