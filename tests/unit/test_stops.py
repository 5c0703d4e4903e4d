"""Stops drawn from states, and reasons that are given, split, merged, and carried along by late data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.kpi.stops import (
    Stop,
    change,
    explain,
    laid_out,
    merge,
    pareto,
    settled,
    split,
    stops_of,
    unexplained,
    version,
    waits,
)
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan
from hub.model.people import Break, Person, Shift
from hub.model.stop import StopPart
from hub.model.words import Words

EIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
M = "p1/a/l/m"
DAY = Shift(Words("白班", "Day"), time(8), time(16), breaks=(Break(time(12), time(12, 30)),))


@dataclass(frozen=True)
class Calendar:
    time_zone: str = "UTC"
    shifts: tuple[Shift, ...] = (DAY,)
    people: dict[str, Person] = field(default_factory=dict)


def at(minutes: float) -> datetime:
    return EIGHT + minutes * MINUTE


def history(*changes: tuple[float, S]) -> list[StateSpan]:
    ends = [at(m) for m, _ in changes[1:]]
    return [StateSpan(M, s, at(m), e) for (m, s), e in zip(changes, [*ends, None], strict=True)]


def stops(*changes: tuple[float, S], until: float = 480, plan: Calendar | None = None) -> list[Stop]:
    return stops_of(plan or Calendar(), M, history(*changes), at(until))


def one(start: float, end: float) -> Stop:
    [found] = stops((0, S.EXECUTING), (start, S.FAULT), (end, S.EXECUTING))
    return found


class Book:
    """The record as the database keeps it: what holds, by id."""

    def __init__(self) -> None:
        self.parts: list[StopPart] = []
        self._last = 0

    def take(self, stop: Stop, wanted: list[StopPart] | None) -> None:
        if wanted is None:
            raise LookupError
        done = change(stop, self.parts, wanted)
        self.parts = [p for p in self.parts if p not in done.gone]
        for part in done.new:
            self._last += 1
            self.parts.append(replace(part, id=self._last))
        kept = sorted(self.parts, key=lambda p: p.since)
        assert all(a.until <= b.since for a, b in pairwise(kept)), "no two parts overlap"
        assert all(p.since < p.until for p in kept)

    def explain(self, stop: Stop, reason: str, moment: float | None = None) -> None:
        where = None if moment is None else at(moment)
        self.take(stop, explain(stop, self.parts, where, reason, "", "op", stop.end))

    def split(self, stop: Stop, moment: float) -> None:
        self.take(stop, split(stop, self.parts, at(moment), "op", stop.end))

    def merge(self, stop: Stop, moment: float, *, keep_later: bool = False) -> None:
        self.take(stop, merge(stop, self.parts, at(moment), keep_later=keep_later, by="op", now=stop.end))

    def told(self, stop: Stop) -> list[tuple[float, float, str]]:
        return [
            ((p.start - EIGHT) / MINUTE, (p.end - EIGHT) / MINUTE, p.reason)
            for p in laid_out(stop, self.parts)
        ]


# ------------------------------------------------------------------ what a stop is
def test_states_without_production_that_follow_one_another_are_one_stop() -> None:
    [stop] = stops((0, S.EXECUTING), (10, S.IDLE), (12, S.FAULT), (30, S.SETUP), (35, S.EXECUTING))
    assert (stop.start, stop.end, stop.state, stop.lasts) == (at(10), at(35), S.FAULT, False)


def test_a_machine_that_is_off_or_unheard_has_no_stop() -> None:
    assert stops((0, S.EXECUTING), (10, S.OFF), (30, S.UNKNOWN), (40, S.EXECUTING)) == []


def test_a_break_does_not_end_a_stop_and_is_not_counted() -> None:
    [stop] = stops((0, S.EXECUTING), (230, S.IDLE), (280, S.EXECUTING))  # 11:50 to 12:40
    assert (stop.start, stop.end, stop.total) == (at(230), at(280), 20 * MINUTE)


def test_who_stands_only_in_the_break_has_not_stopped() -> None:
    assert stops((0, S.EXECUTING), (240, S.IDLE), (270, S.EXECUTING)) == []


def test_the_end_of_the_shifts_ends_a_stop() -> None:
    [first, second] = stops((0, S.EXECUTING), (470, S.IDLE), (1450, S.EXECUTING), until=1500)
    assert (first.start, first.end, second.start, second.end) == (at(470), at(480), at(1440), at(1450))


def test_without_shifts_the_plant_is_planned_round_the_clock() -> None:
    [stop] = stops((0, S.EXECUTING), (470, S.IDLE), (1450, S.EXECUTING), until=1500, plan=Calendar(shifts=()))
    assert stop.total == 980 * MINUTE


def test_a_stop_that_lasts_grows_with_the_clock() -> None:
    [early] = stops((0, S.EXECUTING), (10, S.FAULT), until=12)
    [late] = stops((0, S.EXECUTING), (10, S.FAULT), until=40)
    assert early.lasts
    assert (early.total, late.total) == (2 * MINUTE, 30 * MINUTE)


# ------------------------------------------------------------------ reasons
def test_a_reason_covers_the_stop_until_it_ends() -> None:
    book = Book()
    [early] = stops((0, S.EXECUTING), (10, S.FAULT), until=12)
    book.explain(early, "jam")
    assert book.told(one(10, 40)) == [(10, 40, "jam")]


def test_a_stop_waits_for_a_reason_once_it_has_lasted_so_long() -> None:
    book, stop = Book(), one(10, 16)
    assert not waits(one(10, 14), [], 5 * MINUTE)
    assert waits(stop, book.parts, 5 * MINUTE)
    book.explain(stop, "jam")
    assert not waits(stop, book.parts, 5 * MINUTE)


def test_a_split_keeps_the_reason_on_both_sides_until_one_is_changed() -> None:
    book, stop = Book(), one(10, 40)
    book.explain(stop, "jam")
    book.split(stop, 25)
    assert book.told(stop) == [(10, 25, "jam"), (25, 40, "jam")]
    book.explain(stop, "tooling", 30)
    assert book.told(stop) == [(10, 25, "jam"), (25, 40, "tooling")]


def test_a_stop_nobody_explained_can_be_split_and_half_of_it_waits_on() -> None:
    book, stop = Book(), one(10, 40)
    book.split(stop, 25)
    book.explain(stop, "jam", 10)
    assert book.told(stop) == [(10, 25, "jam"), (25, 40, "")]
    assert unexplained(stop, book.parts) == 15 * MINUTE


@pytest.mark.parametrize(("keep_later", "reason"), [(False, "jam"), (True, "tooling")])
def test_a_merge_keeps_the_reason_that_is_asked_for(keep_later: bool, reason: str) -> None:
    book, stop = Book(), one(10, 40)
    book.split(stop, 25)
    book.explain(stop, "jam", 10)
    book.explain(stop, "tooling", 25)
    book.merge(stop, 25, keep_later=keep_later)
    assert book.told(stop) == [(10, 40, reason)]


@pytest.mark.parametrize("moment", [10, 40, 5, 90])
def test_a_cut_at_the_edge_or_outside_is_refused(moment: float) -> None:
    with pytest.raises(LookupError):
        Book().split(one(10, 40), moment)


def test_a_merge_where_nothing_was_cut_is_refused() -> None:
    with pytest.raises(LookupError):
        Book().merge(one(10, 40), 20)


def test_a_reason_for_a_part_that_is_gone_is_refused() -> None:
    with pytest.raises(LookupError):
        Book().explain(one(10, 40), "jam", 50)


def test_every_change_raises_the_version_and_a_look_does_not() -> None:
    book, stop = Book(), one(10, 40)
    seen = [version(stop, book.parts)]
    for act in (
        lambda: book.explain(stop, "jam"), lambda: book.split(stop, 20), lambda: book.merge(stop, 20),
        lambda: book.explain(stop, ""),
    ):  # fmt: skip
        act()
        seen.append(version(stop, book.parts))
    assert seen == sorted(set(seen))


# ------------------------------------------------------------------ late data
def test_a_stop_that_began_earlier_than_was_known_keeps_its_reasons() -> None:
    book, stop = Book(), one(10, 40)
    book.split(stop, 25)
    book.explain(stop, "jam", 10)
    book.explain(stop, "tooling", 25)
    assert book.told(one(6, 44)) == [(6, 25, "jam"), (25, 44, "tooling")]
    assert book.told(one(12, 38)) == [(12, 25, "jam"), (25, 38, "tooling")]


def test_a_cut_off_end_without_a_reason_does_not_take_its_neighbours() -> None:
    book, stop = Book(), one(10, 40)
    book.split(stop, 25)
    book.explain(stop, "jam", 10)
    assert book.told(one(6, 60)) == [(6, 25, "jam"), (25, 60, "")]


def test_late_data_that_parts_a_stop_leaves_the_reason_on_both() -> None:
    book = Book()
    book.explain(one(10, 40), "jam")
    first, second = stops(
        (0, S.EXECUTING), (10, S.FAULT), (20, S.EXECUTING), (25, S.FAULT), (40, S.EXECUTING)
    )
    assert book.told(first) == [(10, 20, "jam")]
    assert book.told(second) == [(25, 40, "jam")]
    book.explain(second, "tooling")
    assert (book.told(first), book.told(second)) == ([(10, 20, "jam")], [(25, 40, "tooling")])
    assert book.told(one(10, 40)) == [(10, 25, "jam"), (25, 40, "tooling")]


def test_who_explains_the_first_of_two_that_were_one_leaves_the_second_as_it_was() -> None:
    book = Book()
    book.explain(one(10, 40), "jam")
    first, second = stops(
        (0, S.EXECUTING), (10, S.FAULT), (20, S.EXECUTING), (25, S.FAULT), (40, S.EXECUTING)
    )
    book.explain(first, "tooling")
    assert (book.told(first), book.told(second)) == ([(10, 20, "tooling")], [(25, 40, "jam")])


def test_a_cut_that_late_data_has_put_outside_of_both_stops_leaves_each_its_reason() -> None:
    book = Book()
    book.split(one(10, 40), 25)
    book.explain(one(10, 40), "jam", 10)
    book.explain(one(10, 40), "tooling", 25)
    first, second = stops(
        (0, S.EXECUTING), (10, S.FAULT), (20, S.EXECUTING), (30, S.FAULT), (40, S.EXECUTING)
    )
    assert (book.told(first), book.told(second)) == ([(10, 20, "jam")], [(30, 40, "tooling")])


def test_two_stops_that_turn_out_to_be_one_keep_both_reasons() -> None:
    book = Book()
    book.explain(one(10, 20), "jam")
    book.explain(one(30, 40), "tooling")
    assert book.told(one(10, 40)) == [(10, 30, "jam"), (30, 40, "tooling")]


def test_a_reason_given_early_survives_late_data_on_the_stops_beginning() -> None:
    book = Book()
    [early] = stops((0, S.EXECUTING), (10, S.FAULT), until=11)
    book.explain(early, "jam")
    [known] = stops((0, S.EXECUTING), (10, S.FAULT), until=30)
    grown = {p.id: p for p in settled(known, book.parts)}
    book.parts = [grown.get(p.id, p) for p in book.parts]
    assert book.told(one(15, 40)) == [(15, 40, "jam")]
    assert version(known, book.parts) == 1, "nobody has changed anything"


# ------------------------------------------------------------------ what always holds
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["explain", "split", "merge", "whole", "late", "settle"]),
        st.integers(0, 60),
        st.booleans(),
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(MOVES, st.integers(0, 20), st.integers(25, 60))
def test_the_parts_of_a_stop_are_the_stop_whatever_is_done_to_it(
    moves: list[tuple[str, int, bool]], start: int, end: int
) -> None:
    book = Book()
    changes = [(-1.0, S.EXECUTING), (float(start), S.FAULT), (float(end), S.EXECUTING)]
    for n, (what, moment, flag) in enumerate(moves):
        if what == "late":  # a state that nobody knew of
            known = dict(changes) | {float(moment): S.IDLE if flag else S.EXECUTING}
            changes = sorted(known.items())
        for stop in stops_of(Calendar(shifts=()), M, history(*changes), at(70)):
            try:
                match what:
                    case "explain":
                        book.explain(stop, f"r{n}", moment)
                    case "whole":
                        book.explain(stop, f"r{n}")
                    case "split":
                        book.split(stop, moment)
                    case "merge":
                        cuts = [p.start for p in laid_out(stop, book.parts)][1:]
                        if cuts:
                            book.merge(stop, (cuts[moment % len(cuts)] - EIGHT) / MINUTE, keep_later=flag)
                    case "settle":
                        grown = {p.id: p for p in settled(stop, book.parts)}
                        book.parts = [grown.get(p.id, p) for p in book.parts]
            except LookupError:
                pass
        for stop in stops_of(Calendar(shifts=()), M, history(*changes), at(70)):
            pieces = laid_out(stop, book.parts)
            assert (pieces[0].start, pieces[-1].end) == (stop.start, stop.end)
            assert all(a.end == b.start for a, b in pairwise(pieces)), "no gap and no overlap"
            assert sum((p.end - p.start for p in pieces), timedelta()) == stop.end - stop.start
        kept = sorted(book.parts, key=lambda p: p.since)
        assert all(a.until <= b.since for a, b in pairwise(kept))


# ------------------------------------------------------------------ the Pareto
def test_the_pareto_counts_planned_minutes_of_the_window_and_names_what_is_not_explained() -> None:
    book = Book()
    first, second, third = stops(
        (0, S.EXECUTING), (10, S.FAULT), (40, S.EXECUTING), (50, S.IDLE), (55, S.EXECUTING),
        (230, S.IDLE), (280, S.EXECUTING),
    )  # fmt: skip
    book.explain(first, "jam")
    book.explain(third, "jam")
    found = pareto([(s, book.parts) for s in (first, second, third)], at(20), at(480))
    assert [(x.reason, x.lost / MINUTE, x.count) for x in found] == [("jam", 40, 2), ("", 5, 1)]
