"""The past of a machine derived anew: what stays, what changes, and where the two meet."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules.evaluator import Evaluator
from alert_rules.state_again import StateHistoryDesk
from alert_rules.state_past import Past, Told, meeting, reasons, spliced
from alert_rules.state_trial import changes, within
from hub.errors import Refused
from hub.kpi.stops import Hours
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan
from hub.model.state_table import Seam, StateTable, digest
from hub.model.stop import StopPart, StopRules
from hub.ports import Ledger, Stops
from hub.testing.clock import NOON, HandClock
from tests.api_past import MemoryPast, NoTickets
from tests.api_stops import MemoryStops
from tests.unit.test_state_trial import MACHINE, NOW, PLANT, PRESS, TAG, THEN, Row, at, one, raw

Gap = tuple[float, float, bool]
gaps = st.lists(
    st.tuples(
        st.sampled_from((0.01, 0.7, 1.7, 3.4, 6.1, 9.0, 30.0)),
        st.sampled_from((1.0, 3.0, 7.0, float("nan"))),
        st.booleans(),
    ),
    max_size=14,
)


class Life:
    """Rules that hear samples as they come, and what they put on record."""

    def __init__(self) -> None:
        self.evaluator, self.found, self.now = Evaluator(PLANT, [], NOON), list[StateSpan](), 0.0
        self.rows: list[Row] = []

    def wait(self, seconds: float) -> None:
        while self.now + 0.2 <= seconds:
            self.now += 0.2
            self.found += self.evaluator.tick(at(self.now)).states

    def hear(self, *told: Gap) -> None:
        seconds = self.rows[-1][0] if self.rows else 0.0
        for gap, code, bad in told:
            seconds = max(seconds + gap, self.now)
            self.wait(seconds)
            self.rows.append((seconds, code, bad))
            self.found += self.evaluator.take(one(seconds, code, bad), at(seconds)).states

    def take_up(self, table: StateTable) -> Seam:
        self.wait(self.now + 0.4)
        seam = Seam(digest(table.map), self.evaluator.told_until(PRESS) or at(self.now))
        other = replace(MACHINE, state_map=dict(table.map))
        self.found += self.evaluator.recode([other], {}, at(self.now)).states
        return seam

    def record(self) -> list[StateSpan]:
        """The first word on an instant stands, unless it was that nobody knew."""
        kept: dict[datetime, StateSpan] = {}
        for span in self.found:
            if span.since not in kept or kept[span.since].state is S.UNKNOWN:
                kept[span.since] = span
        return sorted(kept.values(), key=lambda s: s.since)


def desk_of(life: Life, seam: Seam, table: StateTable) -> tuple[StateHistoryDesk, MemoryPast]:
    past = MemoryPast(raw(*life.rows), life.record(), {PRESS: seam})
    clock = HandClock()
    clock.turn(life.now)

    async def in_use(path: str) -> tuple[StateTable, int]:
        return table, 1

    async def unheard(event: Any) -> None:
        pass

    stops, ledger = cast(Stops, MemoryStops()), cast(Ledger, NoTickets())
    return StateHistoryDesk(PLANT, in_use, past, stops, ledger, clock, unheard), past


@settings(max_examples=50, deadline=None)
@given(gaps, st.sampled_from((0.0, 2.5, 7.0, 40.0)))
def test_with_the_table_that_was_in_use_nothing_changes(told: list[Gap], since: float) -> None:
    life = Life()
    life.hear(*told, (1.0, 1.0, False))
    desk, _ = desk_of(life, Seam(digest(NOW.map), at(life.now)), NOW)
    if at(since) < at(life.now):
        assert asyncio.run(desk.preview(PRESS, at(since)))["same"]


@settings(max_examples=80, deadline=None)
@given(gaps, gaps, st.sampled_from((0.0, 2.5, 7.0, 40.0)))
def test_the_past_is_the_new_tables_the_rest_the_rules_and_they_go_on_from_it(
    before: list[Gap], after: list[Gap], since: float
) -> None:
    life = Life()
    life.hear(*before)
    seam = life.take_up(THEN)
    life.hear(*after)
    if at(since) >= seam.since:
        return
    desk, past = desk_of(life, seam, THEN)
    seen = asyncio.run(desk.preview(PRESS, at(since)))
    kept, end, meets = list(past.kept), at(life.now + 1), seen["until"]
    done = asyncio.run(desk.apply(PRESS, at(since), seen["key"], "boss"))
    assert done["done"] is not seen["same"]
    assert within(past.kept, PRESS, meets, end) == within(kept, PRESS, meets, end), "the rules' own word"
    assert within(past.kept, PRESS, NOON, at(since)) == within(kept, PRESS, NOON, at(since))
    anew = changes(MACHINE, TAG, THEN, raw(*life.rows), end)
    assert within(past.kept, PRESS, at(since), meets) == within(anew, PRESS, at(since), meets)
    assert asyncio.run(desk.preview(PRESS, at(since)))["same"], "done once is done"
    known = life.evaluator.state(PRESS)
    assert within(past.kept, PRESS, NOON, end)[-1].state is (known or S.UNKNOWN), "what they remember is true"


# ------------------------------------------------------------------ the parts
def span(state: S, since: float, until: float) -> StateSpan:
    return StateSpan(PRESS, state, at(since), at(until))


def test_two_tellings_meet_at_the_first_instant_at_which_both_say_the_same() -> None:
    one_ = [span(S.SETUP, 0, 10), span(S.IDLE, 10, 20)]
    other = [span(S.FAULT, 0, 4), span(S.IDLE, 4, 6), span(S.SETUP, 6, 20)]
    assert meeting(one_, other, at(0)) == meeting(other, one_, at(0)) == at(6)
    assert meeting(one_, other, at(8)) == at(8)
    assert meeting(one_, other, at(10)) is None


def test_what_is_spliced_in_has_no_seam_where_both_say_the_same() -> None:
    record = [span(S.IDLE, 0, 10), span(S.FAULT, 10, 20), span(S.IDLE, 20, 30)]
    past = Past(PRESS, at(5), at(20), (), (span(S.IDLE, 5, 20),), S.IDLE)
    assert spliced(record, past) == [span(S.IDLE, 0, 30)]


def test_a_machine_of_which_nothing_was_on_record_gets_no_word_before_its_first() -> None:
    past = Past(PRESS, at(0), at(9), (), (span(S.UNKNOWN, 0, 4), span(S.IDLE, 4, 9)), S.FAULT)
    rows = [(s.state, s.since) for s in past.rows(first_known=False)]
    assert rows == [(S.IDLE, at(4)), (S.FAULT, at(9))]
    assert past.rows(first_known=True)[0].state is S.UNKNOWN


def test_a_reason_that_moves_or_has_no_stop_is_told_with_where_it_was_and_is() -> None:
    hours = Hours.between(PLANT, at(0), at(100))
    then = [span(S.FAULT, 0, 30), span(S.EXECUTING, 30, 50), span(S.IDLE, 50, 60), span(S.EXECUTING, 60, 100)]
    will = [span(S.EXECUTING, 0, 10), span(S.FAULT, 10, 30), span(S.EXECUTING, 30, 100)]
    parts = [
        StopPart(PRESS, at(0), at(30), "jam", "", "li", at(40), opens=True, closes=True, id=1),
        StopPart(
            PRESS, at(50), at(60), "gone-from-the-file", "n", "li", at(70), opens=True, closes=True, id=2
        ),
        StopPart(PRESS, at(50), at(60), "", "", "li", at(70), opens=True, closes=True, id=3),
    ]
    before, after = (Told.by(PLANT, PRESS, spans, at(100), hours) for spans in (then, will))
    moved, left = reasons(before, after, parts[:2], StopRules())
    assert (moved["before"], moved["after"]) == ([(at(0), at(30))], [(at(10), at(30))])
    assert (left["reason"], left["name"], left["after"]) == ("gone-from-the-file", None, [])
    assert reasons(before, after, parts[2:], StopRules()) == []


def test_more_samples_than_one_telling_takes_are_refused_with_how_far_they_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("alert_rules.state_again.PAGE", 3)
    monkeypatch.setattr("alert_rules.state_again.MOST", 6)
    life = Life()
    life.hear(*[(1.0, 1.0, False)] * 20)
    desk, _ = desk_of(life, Seam(digest(NOW.map), at(life.now)), NOW)
    with pytest.raises(Refused) as refused:
        asyncio.run(desk.preview(PRESS, at(0)))
    assert refused.value.code == "states-too-many"
    assert asyncio.run(desk.preview(PRESS, at(18)))["same"], "in three pages as in one"


def test_a_stop_of_a_week_ago_is_not_reckoned_with_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alert_rules.state_again.COUNTED", timedelta(seconds=1))
    life = Life()
    life.hear(*[(1.0, 1.0, False)] * 9)
    desk, _ = desk_of(life, Seam(digest(NOW.map), at(life.now)), NOW)
    told = asyncio.run(desk.preview(PRESS, at(0)))["figures"]["derived"]["oee"]
    assert (told["oee"], told["availability"]) == (None, 1.0)
