"""The demo plant as a simulation: repeatable, and true to its own books."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.simulators.plant.machines import EXECUTING, FAULT, IDLE, SETUP, UNITS
from tests.simulators.plant.plant import BREAK_LINE, Plant, on_break

MORNING = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai: no break for an hour
PRESS = "press-01"


def plant(seed: int = 7, faults: bool = True, start: datetime = MORNING) -> Plant:
    return Plant(seed, start, faults=faults).open()


def run(one: Plant, seconds: float) -> Plant:
    one.step(seconds)
    return one


def reported(one: Plant) -> Counter[tuple[str, str, bool]]:
    out: Counter[tuple[str, str, bool]] = Counter()
    for r in one.floor.reports:
        out[r.order, r.operation, True] += r.good
        out[r.order, r.operation, False] += r.scrap
    return out


@dataclass
class Hour:
    """An hour of the plant, with what was seen every second."""

    plant: Plant
    states: list[int]  # of the story's press
    spells: list[tuple[float, float]]  # beginning and end of every fault that came by itself and is over


@pytest.fixture(scope="module")
def hour() -> Hour:
    one = plant()
    states, spells = [], []
    since: dict[str, float] = {}
    for _ in range(3600):
        one.step(1.0)
        states.append(one.machines[PRESS].state)
        for name, machine in one.machines.items():
            if machine.fault:
                since.setdefault(name, one.seconds)
            elif name in since:
                spells.append((since.pop(name), one.seconds))
    return Hour(one, states, spells)


def test_the_same_seed_tells_the_same_history() -> None:
    first, second = run(plant(), 400), run(plant(), 400)
    assert first.image() == second.image()
    assert list(first.floor.reports) == list(second.floor.reports)


def test_another_seed_tells_another_one() -> None:
    assert run(plant(7), 60).image() != run(plant(8), 60).image()


def test_history_does_not_depend_on_how_time_is_cut() -> None:
    whole, pieces = run(plant(), 60), plant()
    for _ in range(600):
        pieces.step(0.1)
    assert whole.image() == pieces.image()


def test_pieces_counted_are_pieces_reported_once_all_is_told(hour: Hour) -> None:
    one = hour.plant
    one.floor.tell_tallies(one.seconds, one.now, 0.0)
    told = reported(one)
    for work in one.floor.works:
        assert (told[(*work.key, True)], told[(*work.key, False)]) == (work.good, work.scrap)
    for name, machine in one.machines.items():
        mine = [r for r in one.floor.reports if r.equipment == name]
        assert (sum(r.good for r in mine), sum(r.scrap for r in mine)) == (machine.good, machine.scrap)
    assert sum(m.scrap for m in one.machines.values()) > 0


def test_no_operation_finishes_more_than_the_one_before_gave_it(hour: Hour) -> None:
    later = [w for w in hour.plant.floor.works if w.before]
    assert later
    assert all(w.good + w.scrap <= w.before.good for w in later if w.before)


def test_orders_are_finished_and_new_ones_come(hour: Hour) -> None:
    floor = hour.plant.floor
    assert len(floor.closed) >= 2
    assert len(floor.orders) > 10
    done = {(r.order, r.operation) for r in floor.reports if r.state == "done"}
    assert done
    assert done <= {(r.order, r.operation) for r in floor.reports if r.state == "inspection"}


def test_report_numbers_grow_by_one(hour: Hour) -> None:
    floor = hour.plant.floor
    assert [r.serial for r in floor.reports] == list(range(1, floor.next_report))


def test_the_opening_book_is_in_the_counters_too() -> None:
    one = plant()
    assert sum(m.good for m in one.machines.values()) == sum(r.good for r in one.floor.reports) > 1000


def test_the_story_press_always_works_and_has_no_trouble_of_its_own(hour: Hour) -> None:
    assert FAULT not in hour.states
    assert hour.states.count(EXECUTING) > 0.9 * len(hour.states)


def test_trouble_comes_in_turn_and_ends_without_help(hour: Hour) -> None:
    begun = sorted(begin for begin, _ in hour.spells)
    assert 12 <= len(begun) <= 30
    assert min(b - a for a, b in pairwise(begun)) >= 119
    assert max(end - begin for begin, end in hour.spells) < 500


@pytest.mark.parametrize("later", [2, 5, 11, 14, 18])
def test_the_presses_work_at_any_hour(later: int) -> None:
    one = run(plant(start=MORNING + timedelta(hours=later)), 30)
    assert one.machines[PRESS].state == EXECUTING


# ------------------------------------------------------------------ the story
def test_an_overheating_press_passes_80_degrees_within_ten_seconds_and_trips_soon_after() -> None:
    one = run(plant(faults=False), 60)
    assert 58 < float(one.image()[PRESS]["oil_temp"] or 0) < 66
    one.cause(PRESS, "overheat")
    run(one, 10)
    assert float(one.image()[PRESS]["oil_temp"] or 0) > 80
    assert one.machines[PRESS].state == EXECUTING
    run(one, 6)
    assert one.image()[PRESS]["state"] == FAULT
    assert one.image()[PRESS]["fault"] == 301


def test_it_stays_hot_and_down_until_somebody_repairs_it() -> None:
    one = run(plant(faults=False), 60)
    one.cause(PRESS, "overheat")
    run(one, 20)
    made = one.machines[PRESS].good
    run(one, 300)
    assert one.image()[PRESS]["state"] == FAULT
    assert float(one.image()[PRESS]["oil_temp"] or 0) > 80
    assert one.machines[PRESS].good == made


def test_after_the_repair_it_cools_down_and_makes_good_pieces_again() -> None:
    one = run(plant(faults=False), 60)
    one.cause(PRESS, "overheat")
    run(one, 60)
    made = one.machines[PRESS].good
    assert one.repair(PRESS)
    run(one, 1)
    assert one.image()[PRESS]["state"] == SETUP
    run(one, 30)
    image = one.image()[PRESS]
    assert (image["state"], image["fault"]) == (EXECUTING, 0)
    assert float(image["oil_temp"] or 99) < 75
    assert one.machines[PRESS].good >= made + 3
    assert not one.repair(PRESS)


# ------------------------------------------------------------------ other trouble
def test_a_fault_that_a_machine_cannot_have_is_refused_with_the_ones_it_can() -> None:
    with pytest.raises(ValueError, match="overheat, jam, curtain"):
        plant().cause(PRESS, "bearing")
    with pytest.raises(KeyError):
        plant().cause("press-99", "overheat")


def test_vibration_grows_before_the_bearing_fails() -> None:
    one = run(plant(faults=False), 60)
    one.cause("cnc-01", "bearing")
    seen = []
    for _ in range(6):
        run(one, 10)
        seen.append(float(one.image()["cnc-01"]["vibration"] or 0))
    assert seen == sorted(seen)
    assert seen[-1] > 10
    run(one, 10)
    assert one.image()["cnc-01"]["fault"] == 212


def test_only_the_hand_line_takes_its_breaks() -> None:
    one = plant(start=datetime(2026, 1, 5, 1, 59, 0, tzinfo=UTC))
    run(one, 90)
    resting = {n for n, m in one.machines.items() if m.state == IDLE}
    assert resting == {u.id for u in UNITS.values() if u.line == BREAK_LINE}
    run(one, 300)
    assert not on_break(one.now)
    assert one.machines["assembly-01"].state != IDLE


def test_the_clock_of_reports_is_the_one_that_was_given() -> None:
    fast = Plant(7, MORNING, stamp=lambda at: MORNING + (at - MORNING) / 10).open()
    run(fast, 600)
    assert fast.now == MORNING + timedelta(seconds=60)
    assert fast.floor.reports[-1].at <= fast.now
