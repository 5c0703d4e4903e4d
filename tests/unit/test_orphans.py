"""Orders that only one of two books knows: one alarm for all, that sounds again for another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alert_rules.evaluator import Evaluator
from alert_rules.lifecycle import Acked, Cleared, Raised, Reannunciated, after
from alert_rules.orphans import DEFAULT, OrderOrphans, event
from alert_rules.rule import Told
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.discrepancy import DiscrepancyKind
from hub.model.words import Words
from hub.testing.clock import NOON
from tests.api_house import plant

LATER = NOON + timedelta(hours=1)
ALARM = Alarm("erp-order-orphans", "p1#order-not-in-erp", "p1", Priority.MEDIUM, Words("a", "b"))
RAISED = after(ALARM, event(None, {"MO-1": NOON, "MO-2": NOON}, NOON))


def test_each_sort_of_orphans_is_one_alarm_of_the_site_with_what_to_do_first() -> None:
    rules = OrderOrphans.model_validate(DEFAULT).expand(plant(), "rules[0]")
    assert {r.condition for r in rules} == {
        Told(DiscrepancyKind.ORDER_NOT_IN_ERP.value), Told(DiscrepancyKind.ORDER_NOT_HERE.value),
    }  # fmt: skip
    for rule in rules:
        assert rule.equipment == plant().site.path
        assert rule.instruction is not None and rule.instruction.zh and rule.instruction.en
        assert rule.title.zh and rule.title.en


def test_samples_and_time_move_no_such_alarm_and_a_restart_keeps_it() -> None:
    rules = OrderOrphans.model_validate(DEFAULT).expand(plant(), "rules[0]")
    evaluator = Evaluator(plant(), rules, NOON)
    standing = replace(RAISED, id=1, subject=rules[0].subject)
    assert evaluator.seed([standing], {}, {}) == []
    assert not evaluator.tick(LATER).alarms


def test_many_orders_are_one_alarm_and_the_same_ones_again_change_nothing() -> None:
    assert (RAISED.state, RAISED.value) == (AlarmState.UNACKED, 2.0)
    assert after(RAISED, event(RAISED, {"MO-1": NOON}, LATER)) is RAISED


def test_another_order_after_the_acknowledgement_sounds_again_and_known_ones_do_not() -> None:
    acked = after(RAISED, Acked(LATER, "planner"))
    still = event(acked, {"MO-1": NOON}, LATER + timedelta(hours=1))
    assert after(acked, still) is acked
    assert isinstance(still, Raised)
    other = event(acked, {"MO-1": NOON, "MO-3": LATER + timedelta(minutes=5)}, LATER + timedelta(hours=1))
    assert isinstance(other, Reannunciated)
    assert after(acked, other).state is AlarmState.UNACKED


def test_it_is_normal_again_when_no_order_is_left() -> None:
    acked = after(RAISED, Acked(LATER, "planner"))
    over = event(acked, {}, LATER)
    assert isinstance(over, Cleared)
    assert after(acked, over).state is AlarmState.NORMAL
