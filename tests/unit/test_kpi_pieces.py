"""Counted pieces, taken in once; percentiles over the newest measurements; the shift's figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kpi.latency import Ring
from hub.kpi.pieces import Pieces
from hub.model.equipment import Count, Equipment, EquipmentLevel, EquipmentState, StateSpan
from hub.model.people import Break, Shift
from hub.model.words import Words
from hub.ports import Plant
from screens.figures import ShiftRecord, line_figures, window

SIX = datetime(2026, 1, 5, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
L, M, N = "p1/a/l", "p1/a/l/m", "p1/a/l/n"


def at(minutes: float) -> datetime:
    return SIX + minutes * MINUTE


def count(minutes: float, delta: int = 1, good: bool = True, machine: str = M) -> Count:
    return Count(machine, at(minutes), good, delta, 0)


# ------------------------------------------------------------------ pieces
def test_a_count_told_twice_counts_once_and_of_two_tellings_the_larger() -> None:
    pieces = Pieces().with_([count(1), count(1), count(2, 3), count(2, 5)]).with_([count(1), count(2, 4)])
    assert pieces.made([(at(0), at(10))]) == (6, 0)


def test_pieces_are_counted_in_half_open_intervals() -> None:
    pieces = Pieces().with_([count(1), count(2), count(3), count(2, good=False)])
    assert pieces.made([(at(1), at(2))]) == (1, 0)
    assert pieces.made([(at(0), at(1.5)), (at(2), at(3))]) == (2, 1)
    assert pieces.made([]) == (0, 0)
    assert Pieces().made([(at(0), at(9))]) == (0, 0)


told = st.lists(st.builds(count, st.integers(0, 20), st.integers(1, 3), st.booleans()), max_size=30)


@given(told, told, st.integers(0, 20), st.integers(0, 20))
def test_counts_may_come_in_any_order_and_in_any_portions(
    a: list[Count], b: list[Count], start: int, length: int
) -> None:
    asked = [(at(start), at(start + length))]
    assert Pieces().with_(a).with_(b).made(asked) == Pieces().with_([*b, *a, *b]).made(asked)


# ------------------------------------------------------------------ percentiles
def test_percentiles_are_values_that_were_measured() -> None:
    ring = Ring()
    assert ring.percentile(50) is None
    ring.add([n / 100 for n in range(1, 101)])
    assert ring.percentile(50) == pytest.approx(0.5)
    assert ring.percentile(99) == pytest.approx(0.99)


def test_the_ring_forgets_the_oldest() -> None:
    ring = Ring(4)
    ring.add([9.0, 9.0, 9.0])
    ring.add([1.0, 2.0, 3.0])
    ring.add(4.0)
    assert ring.percentile(100) == 4.0
    ring.add(range(100))
    assert ring.percentile(1) == 96.0


# ------------------------------------------------------------------ the shift's figures
def plant(*shifts: Shift, target: int = 60) -> Plant:
    nodes = [
        Equipment("p1", EquipmentLevel.SITE, Words("厂", "plant")),
        Equipment("p1/a", EquipmentLevel.AREA, Words("间", "area")),
        Equipment(L, EquipmentLevel.WORK_CENTER, Words("线", "line")),
        Equipment(M, EquipmentLevel.WORK_UNIT, Words("机", "m"), ideal_cycle=MINUTE, good_tag=f"{M}/good"),
        Equipment(N, EquipmentLevel.WORK_UNIT, Words("机", "n")),
    ]
    return Plant(nodes[0], {n.path: n for n in nodes}, {}, "UTC", shifts, {}, {L: target})


DAY = Shift(Words("白班", "Day"), time(6), time(14), breaks=(Break(time(8), time(8, 30)),))


def record(*counts: Count, spans: tuple[StateSpan, ...] = ()) -> ShiftRecord:
    return ShiftRecord(at(0), at(480)).with_counts(counts).with_spans(spans)


def test_a_line_shows_its_pieces_against_the_target_so_far_without_breaks() -> None:
    found = line_figures(
        plant(DAY),
        plant().equipment[L],
        record(count(10, 40), count(130, 7), count(20, 2, good=False)),
        at(165),
    )
    assert (found["good"], found["scrap"]) == (47, 2)
    assert found["target"] == 135  # 165 min less a break of 30
    assert (found["hour_good"], found["hour_target"]) == (7, 15)
    assert found["hours"] == [
        {"hour": "2026-01-05T06:00:00Z", "good": 40, "target": 60},
        {"hour": "2026-01-05T07:00:00Z", "good": 0, "target": 60},
        {"hour": "2026-01-05T08:00:00Z", "good": 7, "target": 30},
    ]


def test_nobody_is_behind_for_hours_before_the_line_was_connected() -> None:
    running = StateSpan(M, EquipmentState.EXECUTING, at(60))
    found = line_figures(plant(DAY), plant().equipment[L], record(count(70, 9), spans=(running,)), at(90))
    assert (found["target"], found["hour_target"]) == (30, 30)


def test_a_line_is_the_sum_of_its_machines() -> None:
    found = line_figures(
        plant(DAY), plant().equipment[L], record(count(1, 3), count(2, 4, machine=N)), at(10)
    )
    assert found["good"] == 7


def test_oee_is_there_when_it_can_be_known_and_coverage_always() -> None:
    running = StateSpan(M, EquipmentState.EXECUTING, at(0))
    found = line_figures(plant(DAY), plant().equipment[L], record(count(5, 50), spans=(running,)), at(100))
    assert found["oee"] == {
        "oee": 0.5,
        "availability": 1.0,
        "performance": 0.5,
        "quality": 1.0,
        "coverage": 0.5,  # nothing is known of the other machine
    }
    assert line_figures(plant(DAY), plant().equipment[L], record(), at(100))["oee"] == {"coverage": 0.0}


def test_between_shifts_the_last_one_is_shown_and_its_target_stands() -> None:
    night = at(700)
    assert window(plant(DAY), night) == (at(0), at(480))
    found = line_figures(plant(DAY), plant().equipment[L], record(count(1, 9)), night)
    assert (found["good"], found["target"]) == (9, 450)


def test_a_record_of_the_last_shift_is_not_mixed_with_the_next_one() -> None:
    late = Shift(Words("中班", "Late"), time(14), time(22))
    spans = (StateSpan(M, EquipmentState.EXECUTING, at(0)), StateSpan(M, EquipmentState.FAULT, at(480)))
    found = line_figures(plant(DAY, late), plant().equipment[L], record(spans=spans), at(500))
    assert found["oee"]["availability"] == 1.0


def test_without_a_calendar_the_day_is_the_shift() -> None:
    assert window(plant(), at(10)) == (at(-360), at(1080))


def test_counts_from_before_the_shift_are_not_taken_in() -> None:
    assert record(count(-1)).made(M, at(-10), at(10)) == (0, 0)


def test_a_line_in_series_makes_what_leaves_its_last_machine() -> None:
    here = replace(plant(DAY), outlets={L: (N,)})
    found = line_figures(here, here.equipment[L], record(count(1, 3), count(2, 4, machine=N)), at(10))
    assert (found["good"], found["hour_good"]) == (4, 4)
