"""OEE by hand, and what must hold for any history of a machine."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kpi.calendar import Interval
from hub.kpi.oee import Bucket, Sums, figures, machine_sums, timeline, total
from hub.kpi.pieces import Pieces
from hub.model.equipment import Count, StateSpan
from hub.model.equipment import EquipmentState as S

EIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
M = "p1/a/l/m"
SHIFT = [(EIGHT, EIGHT + 8 * HOUR)]


def at(minutes: float) -> datetime:
    return EIGHT + minutes * MINUTE


def history(*changes: tuple[float, S]) -> list[StateSpan]:
    """State changes, minutes after eight; each lasts until the next."""
    ends = [at(m) for m, _ in changes[1:]]
    return [StateSpan(M, s, at(m), e) for (m, s), e in zip(changes, [*ends, None], strict=True)]


def counted(good: int, scrap: int = 0, moment: float = 1) -> Pieces:
    told = [Count(M, at(moment), True, good, good), Count(M, at(moment), False, scrap, scrap)]
    return Pieces().with_(told)


def sums(
    spans: list[StateSpan],
    pieces: Pieces | None = None,
    planned: list[Interval] | None = None,
    cycle: timedelta | None = MINUTE,
    until: datetime = SHIFT[0][1],
    maintenance: list[Interval] | None = None,
) -> Sums:
    return machine_sums(
        spans, pieces or Pieces(), planned or SHIFT, cycle, until=until, maintenance=maintenance
    )


# ------------------------------------------------------------------ by hand
def test_a_textbook_shift() -> None:
    """480 min planned, 60 fault, 20 setup; 400 min running at 1 min a piece made 360, of which 342 good."""
    spans = history((0, S.EXECUTING), (200, S.FAULT), (260, S.SETUP), (280, S.EXECUTING))
    found = figures(sums(spans, counted(342, 18)))
    assert found.availability == pytest.approx(400 / 480)
    assert found.performance == pytest.approx(360 / 400)
    assert found.quality == pytest.approx(342 / 360)
    assert found.oee == pytest.approx(342 / 480)
    assert found.coverage == 1.0


def test_faster_than_planned_is_shown_and_not_capped() -> None:
    found = figures(sums(history((0, S.EXECUTING)), counted(600)))
    assert found.performance == pytest.approx(1.25)
    assert found.oee == pytest.approx(1.25)


def test_what_is_not_known_is_no_loss_but_lowers_the_coverage() -> None:
    spans = history((0, S.EXECUTING), (120, S.UNKNOWN), (360, S.EXECUTING))
    found = figures(sums(spans, counted(240)))
    assert (found.availability, found.coverage) == (1.0, 0.5)
    assert found.oee == pytest.approx(1.0)


def test_time_before_the_first_word_of_a_machine_is_not_known_either() -> None:
    assert figures(sums(history((360, S.EXECUTING)), counted(0, moment=400))).coverage == 0.25


def test_off_and_planned_maintenance_lie_outside_the_planned_busy_time() -> None:
    spans = history((0, S.OFF), (60, S.MAINTENANCE), (120, S.EXECUTING))
    found = sums(spans, counted(100, moment=130))
    assert found.pbt == 6 * HOUR
    assert found.lost(Bucket.NOT_SCHEDULED) == HOUR
    assert found.lost(Bucket.PLANNED_STOP) == HOUR
    assert figures(found).availability == 1.0


def test_maintenance_that_was_not_planned_is_a_loss() -> None:
    spans = history((0, S.MAINTENANCE), (120, S.EXECUTING))
    found = sums(spans, maintenance=[(at(0), at(60))])
    assert (found.lost(Bucket.PLANNED_STOP), found.lost(Bucket.REPAIR)) == (HOUR, HOUR)
    assert figures(found).availability == pytest.approx(360 / 420)


def test_breaks_and_what_is_made_in_them_do_not_count() -> None:
    planned = [(at(0), at(120)), (at(150), at(480))]
    in_break = Pieces().with_([Count(M, at(130), True, 30, 30), Count(M, at(200), True, 45, 75)])
    found = sums(history((0, S.EXECUTING)), in_break, planned)
    assert found.planned == timedelta(minutes=450)
    assert figures(found).performance == pytest.approx(45 / 450)


def test_pieces_of_a_time_that_is_not_known_are_left_out_with_it() -> None:
    pieces = Pieces().with_([Count(M, at(100), True, 60, 60), Count(M, at(300), True, 200, 260)])
    found = sums(history((0, S.EXECUTING), (240, S.UNKNOWN)), pieces)
    assert (found.good, figures(found).performance) == (60, pytest.approx(60 / 240))


def test_a_piece_counted_at_the_first_instant_of_the_shift_is_in_and_at_its_end_is_out() -> None:
    pieces = Pieces().with_([Count(M, at(0), True, 1, 1), Count(M, at(480), True, 1, 2)])
    assert sums(history((0, S.EXECUTING)), pieces).good == 1


def test_stops_under_five_minutes_are_minor_unless_they_still_last() -> None:
    spans = history((0, S.EXECUTING), (10, S.IDLE), (14, S.EXECUTING), (20, S.IDLE), (25, S.EXECUTING))
    found = sums(spans, counted(0))
    assert found.lost(Bucket.MINOR_STOP) == 4 * MINUTE
    assert found.lost(Bucket.IDLE) == 5 * MINUTE
    running = sums(history((0, S.EXECUTING), (478, S.HELD)), counted(0))
    assert running.lost(Bucket.HELD) == 2 * MINUTE


def test_a_break_within_a_long_stop_does_not_make_it_minor() -> None:
    spans = history((0, S.EXECUTING), (118, S.FAULT), (160, S.EXECUTING))
    found = sums(spans, counted(0), [(at(0), at(120)), (at(158), at(480))])
    assert found.lost(Bucket.FAULT) == 4 * MINUTE


def test_a_stop_belongs_to_the_shift_in_which_each_of_its_seconds_lies() -> None:
    spans = history((0, S.EXECUTING), (450, S.FAULT), (520, S.EXECUTING))
    first = sums(spans, until=at(960))
    second = sums(spans, planned=[(at(480), at(960))], until=at(960))
    assert (first.lost(Bucket.FAULT), second.lost(Bucket.FAULT)) == (30 * MINUTE, 40 * MINUTE)


def test_without_a_planned_run_time_there_is_no_performance_and_no_oee() -> None:
    found = figures(sums(history((0, S.EXECUTING)), counted(90, 10), cycle=None))
    assert (found.availability, found.performance, found.quality, found.oee) == (1.0, None, 0.9, None)


def test_a_machine_that_nobody_planned_has_no_oee() -> None:
    found = figures(machine_sums([], Pieces(), [], MINUTE, until=at(0)))
    assert (found.availability, found.oee, found.coverage) == (None, None, 1.0)


def test_a_line_weighs_pieces_with_their_planned_run_time() -> None:
    """A: 100 pieces of 1 min, all good. B: 10 pieces of 10 min, half good. Each ran 200 of 480 min."""
    spans = history((0, S.EXECUTING), (200, S.IDLE))
    line = total([sums(spans, counted(100)), sums(spans, counted(5, 5), cycle=10 * MINUTE)])
    found = figures(line)
    assert found.availability == pytest.approx(400 / 960)
    assert found.performance == pytest.approx(200 / 400)
    assert found.quality == pytest.approx(150 / 200)
    assert found.oee == pytest.approx(150 / 960)
    assert (line.good, line.scrap) == (105, 5)


def test_of_two_states_at_one_instant_and_of_a_span_told_twice_the_choice_is_always_the_same() -> None:
    spans = [
        StateSpan(M, S.IDLE, at(0), None),
        StateSpan(M, S.IDLE, at(0), at(30)),
        StateSpan(M, S.EXECUTING, at(0), at(20)),
        StateSpan(M, S.FAULT, at(40), None),
    ]
    expected = [(at(0), at(30), S.IDLE), (at(40), at(60), S.FAULT)]
    assert timeline(spans, at(60)) == expected
    assert timeline(spans[::-1], at(60)) == expected


# ------------------------------------------------------------------ for any history
minutes = st.integers(0, 600)
changes = st.lists(st.tuples(minutes, st.sampled_from(S)), max_size=25, unique_by=lambda c: c[0])
spans_of_any_kind = st.lists(
    st.builds(
        lambda m, s, n: StateSpan(M, s, at(m), None if n is None else at(m + n)),
        minutes,
        st.sampled_from(S),
        st.none() | st.integers(0, 90),
    ),
    max_size=20,
)
counts = st.lists(
    st.builds(lambda m, g, d: Count(M, at(m), g, d, d), minutes, st.booleans(), st.integers(0, 9)),
    max_size=30,
)
plans = st.lists(st.tuples(minutes, minutes), max_size=5).map(
    lambda ps: [(at(min(p)), at(max(p))) for p in ps]
)
cycles = st.none() | st.integers(1, 900_000_001).map(lambda us: timedelta(microseconds=us))


@given(spans_of_any_kind, counts, plans, cycles, minutes, st.none() | plans)
def test_losses_add_up_to_planned_time_to_the_microsecond(
    spans: list[StateSpan],
    told: list[Count],
    planned: list[Interval],
    cycle: timedelta | None,
    until: int,
    maintenance: list[Interval] | None,
) -> None:
    found = machine_sums(
        spans, Pieces().with_(told), planned, cycle, until=at(until), maintenance=maintenance
    )
    assert sum(found.buckets.values()) * timedelta(microseconds=1) == found.planned
    producing = (Bucket.GOOD, Bucket.REJECTS, Bucket.SPEED, Bucket.PRODUCING)
    assert sum((found.lost(b) for b in producing), timedelta()) == found.apt
    assert timedelta() <= found.apt <= found.pbt <= found.planned


@given(spans_of_any_kind, counts, plans, cycles, st.randoms(use_true_random=False))
def test_order_repetition_and_delay_of_the_facts_change_nothing(
    spans: list[StateSpan],
    told: list[Count],
    planned: list[Interval],
    cycle: timedelta | None,
    rng: random.Random,
) -> None:
    def shuffled(items: list[StateSpan] | list[Count]) -> list[object]:
        twice = [*items, *rng.choices(items, k=len(items))] if items else []
        rng.shuffle(twice)
        return list(twice)

    once = machine_sums(spans, Pieces().with_(told), planned, cycle, until=at(500))
    late = Pieces()
    for count in shuffled(told):
        late = late.with_([count])  # type: ignore[list-item]
    again = machine_sums(shuffled(spans), late, planned, cycle, until=at(500))  # type: ignore[arg-type]
    assert again == once
    assert figures(again) == figures(once)


@given(changes, counts, cycles)
def test_two_halves_of_a_shift_add_up_to_the_whole(
    told: list[tuple[int, S]], pieces: list[Count], cycle: timedelta | None
) -> None:
    spans = history(*sorted(told)) if told else []
    made = Pieces().with_(pieces)
    whole = machine_sums(spans, made, [(at(0), at(480))], cycle, until=at(600))
    halves = [
        machine_sums(spans, made, [(at(a), at(b))], cycle, until=at(600)) for a, b in ((0, 217), (217, 480))
    ]
    assert total(halves) == whole


@given(spans_of_any_kind, minutes)
def test_a_machine_is_in_one_state_at_each_instant(spans: list[StateSpan], until: int) -> None:
    states = timeline(spans, at(until))
    assert all(a[1] <= b[0] for a, b in pairwise(states))
    assert all(start < end <= at(until) for start, end, _ in states)
