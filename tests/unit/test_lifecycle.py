"""Alarm states after ISA-18.2: the table of definitions.md, row by row, and what must never happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_rules.lifecycle import (
    Acked,
    Cleared,
    Event,
    Raised,
    Reannunciated,
    Reset,
    Retired,
    ServiceTaken,
    Shelved,
    Sight,
    Suppressed,
    Unshelved,
    after,
)
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.words import Words
from hub.testing.clock import NOON

S = AlarmState


def alarm(state: S, condition: bool, **more: Any) -> Alarm:
    base = Alarm("r", "s", "p1/a/l/m", Priority.MEDIUM, Words("", ""), state, 1, condition, condition_at=NOON)
    return replace(base, **more)


def later(seconds: float = 1) -> datetime:
    return NOON + timedelta(seconds=seconds)


TABLE: list[tuple[S, bool, Event, S]] = [
    (S.NORMAL, False, Raised(later()), S.UNACKED),
    (S.UNACKED, True, Acked(later(), "li"), S.ACKED),
    (S.UNACKED, True, Cleared(later()), S.RTN_UNACKED),
    (S.ACKED, True, Cleared(later()), S.NORMAL),
    (S.ACKED, True, Reannunciated(later(), Priority.HIGH), S.UNACKED),
    (S.ACKED, True, Reannunciated(later()), S.UNACKED),
    (S.RTN_UNACKED, False, Acked(later(), "li"), S.NORMAL),
    (S.RTN_UNACKED, False, Raised(later()), S.UNACKED),
    *[(s, c, Shelved(later(), "li", later(60), "why"), S.SHELVED)
      for s, c in [(S.NORMAL, False), (S.UNACKED, True), (S.ACKED, True), (S.RTN_UNACKED, False)]],
    *[(s, c, Suppressed(later(), True), S.SUPPRESSED)
      for s, c in [(S.NORMAL, False), (S.UNACKED, True), (S.ACKED, True), (S.RTN_UNACKED, False)]],
    *[(s, c, ServiceTaken(later(), "li", True), S.OUT_OF_SERVICE)
      for s, c in [(S.NORMAL, False), (S.UNACKED, True), (S.ACKED, True), (S.RTN_UNACKED, False)]],
    (S.SHELVED, True, Unshelved(later()), S.UNACKED),
    (S.SHELVED, False, Unshelved(later()), S.NORMAL),
    (S.SUPPRESSED, True, Suppressed(later(), False), S.UNACKED),
    (S.SUPPRESSED, False, Suppressed(later(), False), S.NORMAL),
    (S.OUT_OF_SERVICE, True, ServiceTaken(later(), "li", False), S.UNACKED),
    (S.OUT_OF_SERVICE, False, ServiceTaken(later(), "li", False), S.NORMAL),
]  # fmt: skip


@pytest.mark.parametrize(("state", "condition", "event", "then"), TABLE)
def test_the_transition_table_is_followed(state: S, condition: bool, event: Event, then: S) -> None:
    assert after(alarm(state, condition), event).state is then


def test_acknowledging_twice_changes_nothing_and_keeps_who_was_first() -> None:
    once = after(alarm(S.UNACKED, True), Acked(later(), "li"))
    assert after(once, Acked(later(2), "wang")) is once
    assert once.acked_by == "li"


def test_a_replayed_condition_changes_nothing() -> None:
    raised = after(alarm(S.NORMAL, False), Raised(later(5)))
    assert after(raised, Raised(later(5))) is raised
    assert after(raised, Cleared(later(5))) is raised
    assert after(raised, Cleared(later(4))) is raised


def test_returning_while_unacknowledged_keeps_the_episode_and_counts() -> None:
    first = after(alarm(S.NORMAL, False), Raised(later(1)))
    again = after(after(first, Cleared(later(2))), Raised(later(3)))
    assert (again.id, again.count, again.state) == (1, 2, S.UNACKED)


def test_evaluation_goes_on_while_shelved() -> None:
    shelved = after(alarm(S.NORMAL, False), Shelved(NOON, "li", later(60), "why"))
    raised = after(shelved, Raised(later(1), 92.0))
    assert raised.state is S.SHELVED and raised.condition and raised.value == 92.0


def test_out_of_the_shelf_never_back_to_acknowledged() -> None:
    shelved = after(alarm(S.ACKED, True, acked_by="li"), Shelved(NOON, "li", later(60), "why"))
    back = after(shelved, Unshelved(later(60)))
    assert back.state is S.UNACKED and back.acked_by == ""


def test_a_latched_alarm_stays_until_it_is_reset() -> None:
    held = after(alarm(S.ACKED, True, latched=True), Cleared(later()))
    assert held.state is S.ACKED
    assert after(held, Reset(later(2), "li")).state is S.NORMAL


def test_a_latched_alarm_is_not_reset_while_the_condition_holds() -> None:
    held = alarm(S.ACKED, True, latched=True)
    assert after(held, Reset(later(), "li")) is held


WHY = Words("停机", "off")


@pytest.mark.parametrize(
    "away", [Shelved(later(), "li", later(60), "x"), ServiceTaken(later(), "li", True, "x")]
)
def test_what_the_design_logic_says_of_an_alarm_that_is_put_aside_takes_effect_when_it_is_back(
    away: Event,
) -> None:
    aside = after(alarm(S.UNACKED, True), away)
    silenced = after(aside, Suppressed(later(2), True, WHY))
    assert (silenced.state, silenced.suppressed) == (aside.state, WHY)
    for back in (Unshelved(later(3)), ServiceTaken(later(3), "li", False)):
        silenced = after(silenced, back)
    assert silenced.state is S.SUPPRESSED
    assert after(silenced, Suppressed(later(4), False)).state is S.UNACKED


@pytest.mark.parametrize("state", [S.SHELVED, S.SUPPRESSED])
def test_out_of_service_is_above_shelf_and_suppression(state: S) -> None:
    """E or F ends and G begins, without a sound in between."""
    out = after(alarm(state, True, shelved_until=later(60)), ServiceTaken(later(), "li", True, "overhaul"))
    assert (out.state, out.shelved_until, out.aside_by, out.aside_reason) == (
        S.OUT_OF_SERVICE, None, "li", "overhaul",
    )  # fmt: skip


def test_who_put_it_aside_and_why_is_known_only_while_it_is() -> None:
    shelved = after(alarm(S.UNACKED, True), Shelved(later(), "li", later(60), "sensor"))
    assert (shelved.aside_by, shelved.aside_at, shelved.aside_reason) == ("li", later(), "sensor")
    back = after(shelved, Unshelved(later(2)))
    assert (back.aside_by, back.aside_at, back.aside_reason, back.shelved_until) == ("", None, "", None)


def test_a_latched_alarm_that_no_longer_holds_is_not_sounded_again() -> None:
    held = alarm(S.ACKED, False, latched=True, acked_by="li")
    assert after(held, Reannunciated(later())) is held


def test_sounded_again_it_has_not_been_seen() -> None:
    again = after(alarm(S.ACKED, True, acked_by="li", acked_at=NOON), Reannunciated(later()))
    assert (again.acked_by, again.acked_at) == ("", None)


@pytest.mark.parametrize("state", [s for s in S if s not in (S.ACKED, S.NORMAL)])
def test_a_rule_that_became_more_urgent_raises_the_priority_in_every_state(state: S) -> None:
    risen = after(alarm(state, state is not S.RTN_UNACKED), Reannunciated(later(), Priority.HIGH))
    assert (risen.state, risen.priority) == (state, Priority.HIGH)


def test_losing_sight_marks_and_does_not_clear() -> None:
    blind = after(alarm(S.UNACKED, True), Sight(later(), True))
    assert blind.blind and blind.condition and blind.state is S.UNACKED
    assert after(blind, Sight(later(2), True)) is blind


def test_a_retired_rule_ends_its_alarm() -> None:
    assert after(alarm(S.SHELVED, True), Retired(later())).state is S.NORMAL


events = st.one_of(
    st.builds(Raised, st.integers(1, 100).map(later)),
    st.builds(Cleared, st.integers(1, 100).map(later)),
    st.builds(Acked, st.just(NOON), st.sampled_from(["li", "wang"])),
    st.builds(Shelved, st.just(NOON), st.just("li"), st.just(later(60)), st.just("why")),
    st.builds(Unshelved, st.just(NOON)),
    st.builds(Suppressed, st.just(NOON), st.booleans()),
    st.builds(ServiceTaken, st.just(NOON), st.just("li"), st.booleans()),
    st.builds(Sight, st.just(NOON), st.booleans()),
    st.builds(Reannunciated, st.just(NOON), st.sampled_from([None, *Priority])),
    st.builds(Reset, st.just(NOON), st.just("li")),
)


@given(st.lists(events, max_size=40), st.booleans())
def test_whatever_happens_the_alarm_makes_sense(happened: list[Event], latched: bool) -> None:
    now = replace(alarm(S.NORMAL, False), condition_at=None, latched=latched)
    for event in happened:
        then = after(now, event)
        assert after(then, event) is then or isinstance(
            event, Acked | Unshelved | Suppressed | ServiceTaken | Shelved | Reannunciated | Reset
        )
        if then.state is S.UNACKED or (then.state is S.ACKED and not latched):
            assert then.condition, "annunciated without its condition"
        if then.state in (S.NORMAL, S.RTN_UNACKED):
            assert not then.condition, "normal while the condition holds"
        if then.state is S.ACKED:
            assert then.acked_by
        by_hand = isinstance(event, Acked) and now.state in (S.UNACKED, S.RTN_UNACKED)
        assert then.state is not S.ACKED or now.state is S.ACKED or by_hand, "acknowledged by nobody"
        if then.state in (S.UNACKED, S.ACKED, S.RTN_UNACKED):
            assert then.suppressed is None, "in service while the design logic holds"
        now = then
