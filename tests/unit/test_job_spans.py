"""What a machine ran when, from reports that come in any order."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from hub.kpi.job_spans import job_spans
from hub.model.erp import PostingKind
from hub.model.parameter import JobSpan, Lot
from hub.model.production import JobResponse, JobState, Posting
from hub.testing.clock import NOON

PRESS = "p1/stamping/l1/press-01"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def said(
    minutes: float, order: str, state: JobState = JobState.RUNNING, operation: str = "10"
) -> JobResponse:
    return JobResponse(f"{order}-{minutes}", order, operation, at(minutes), state=state, equipment=PRESS)


def counted(minutes: float, order: str) -> JobResponse:
    return JobResponse(f"{order}-{minutes}", order, "10", at(minutes), 3, equipment=PRESS, stated=False)


def issued(minutes: float, order: str, lot: str, item: str = "STEEL", equipment: str = "") -> Posting:
    return Posting(
        f"{order}-{lot}", PostingKind.ISSUE, order, "10", at(minutes), item, lot=lot, equipment=equipment
    )


def spans(*reports: JobResponse, issues: tuple[Posting, ...] = ()) -> list[tuple[float, str, list[str]]]:
    found = job_spans(PRESS, None, at(-1000), reports, issues)
    return [((s.since - NOON).total_seconds() / 60, s.order, [x.lot for x in s.lots]) for s in found]


def test_an_order_runs_from_its_first_report_until_it_is_done() -> None:
    assert spans(said(0, "A"), said(5, "A"), said(9, "A", JobState.DONE)) == [(0, "A", []), (9, "", [])]


def test_the_next_order_ends_the_one_before_and_a_late_done_of_that_changes_nothing() -> None:
    assert spans(said(0, "A"), said(5, "B"), said(6, "A", JobState.DONE)) == [(0, "A", []), (5, "B", [])]


def test_a_count_opens_nothing_that_is_done_and_takes_no_machine_from_what_was_begun() -> None:
    told = (said(0, "A"), counted(2, "B"), said(5, "A", JobState.DONE), counted(6, "A"))
    assert spans(*told) == [(0, "A", []), (5, "", [])]
    earlier = job_spans(PRESS, None, at(5.5), [counted(6, "A")], (), [("A", "10")])
    assert earlier == []


def test_an_mes_that_only_counts_runs_what_it_counts() -> None:
    assert spans(counted(0, "A"), counted(2, "A"), counted(4, "B")) == [(0, "A", []), (4, "B", [])]


def test_what_never_ran_ends_nothing() -> None:
    assert spans(said(3, "A", JobState.WAITING)) == []


def test_the_newest_lot_of_each_item_counts_and_material_is_made_ready_beforehand() -> None:
    issues = (
        issued(-30, "A", "S1"),
        issued(4, "A", "S2"),
        issued(6, "A", "P1", "PAINT"),
        issued(-5, "B", "X"),
    )
    told = spans(said(0, "A"), said(9, "A", JobState.INSPECTION), issues=issues)
    assert told == [(0, "A", ["S1"]), (4, "A", ["S2"]), (6, "A", ["P1", "S2"]), (9, "", [])]


def test_a_lot_for_another_machine_is_not_ours_and_one_for_the_line_is() -> None:
    other = issued(1, "A", "S1", equipment="p1/stamping/l1/press-02")
    line = issued(2, "A", "S2", equipment="p1/stamping/l1")
    assert spans(said(0, "A"), issues=(other, line)) == [(0, "A", []), (2, "A", ["S2"])]


def test_the_order_in_which_the_facts_come_does_not_matter() -> None:
    facts = [
        said(0, "A"),
        said(4, "B"),
        said(4.5, "A", JobState.DONE),
        counted(5, "C"),
        said(8, "B", JobState.DONE),
    ]
    assert {tuple(map(str, spans(*some))) for some in itertools.permutations(facts)} == {
        tuple(map(str, spans(*facts)))
    }


def test_going_on_from_a_known_span_tells_only_what_changes() -> None:
    before = JobSpan(PRESS, at(0), "A", "10", (Lot("STEEL", "S1"),))
    again = job_spans(PRESS, before, at(5), [said(5, "A")], [issued(-30, "A", "S1")])
    assert again == []
    ended = job_spans(PRESS, before, at(5), [said(7, "A", JobState.DONE)], [issued(-30, "A", "S1")])
    assert [(s.since, s.order) for s in ended] == [(at(7), "")]
