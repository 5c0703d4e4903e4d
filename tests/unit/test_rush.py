"""What a rush order displaces, held against a plant that is played minute by minute."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

import pytest

from erp_bridge.rush import Preview, preview
from hub.errors import Conflict, NotFound
from hub.model.people import Person, Shift
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder, WorkOrderState
from hub.model.words import Words

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LINES = ("p1/a/l1", "p1/a/l2", "p1/a/l3")
TARGETS = dict.fromkeys(LINES, 60)  # a piece a minute
DAY_SHIFT = (Shift(Words("白班", "Day"), time(6), time(18)),)


@dataclass(frozen=True)
class Calendar:
    time_zone: str = "UTC"
    shifts: tuple[Shift, ...] = ()
    people: dict[str, Person] = field(default_factory=dict)


def order(number: str, *work: tuple[str, int], due: float = 4, **more: object) -> WorkOrder:
    """`work`: (line, minutes) of each operation; `due` in hours from noon."""
    jobs = tuple(
        JobOrder(number, str(10 * (i + 1)), Words("工序", "step"), line, minutes)
        for i, (line, minutes) in enumerate(work)
    )
    made = WorkOrder(
        number, "A", Words("甲", "A"), work[0][1], NOON + due * HOUR, customer=f"C-{number}", jobs=jobs
    )
    return replace(made, **more)  # type: ignore[arg-type]


def rushed(number: str, orders: list[WorkOrder], progress: tuple[JobProgress, ...] = ()) -> Preview:
    return preview(number, orders, progress, Calendar(), TARGETS, NOON)


def test_who_waits_behind_the_rush_order_is_told_by_how_long() -> None:
    found = rushed("B", [order("A", (LINES[0], 60), due=2), order("B", (LINES[0], 30), due=3)])
    assert found.winner.by == -HOUR
    assert [(m.order.number, m.by, m.order.customer) for m in found.losers] == [("A", 30 * MINUTE, "C-A")]
    assert found.newly_late == ()


def test_an_order_that_becomes_late_stands_first() -> None:
    orders = [
        order("A", (LINES[0], 60), due=1), order("B", (LINES[0], 60), due=9),
        order("C", (LINES[0], 90), due=10),
    ]  # fmt: skip
    found = rushed("C", orders)
    assert [m.order.number for m in found.losers] == ["A", "B"]
    assert [m.order.number for m in found.newly_late] == ["A"]
    assert found.losers[0].late_after == 90 * MINUTE


def test_what_runs_goes_on_running() -> None:
    one = order("A", (LINES[0], 60), due=2)
    running = JobProgress(one.jobs[0], 0, 0, JobState.RUNNING, NOON, NOON)
    found = rushed("B", [one, order("B", (LINES[0], 30), due=3)], (running,))
    assert found.losers == ()
    assert found.winner.by == timedelta()


def test_an_earlier_date_moves_the_order_among_its_like() -> None:
    orders = [order("A", (LINES[0], 60), due=2, rush=True, priority=1), order("B", (LINES[0], 30), due=3)]
    found = preview("B", orders, (), Calendar(), TARGETS, NOON, due_at=NOON + HOUR)
    assert [(m.order.number, m.by) for m in found.losers] == [("A", 30 * MINUTE)]
    assert found.winner.order.due_at == NOON + HOUR


def test_what_cannot_be_rushed_says_why() -> None:
    done = order("D", (LINES[0], 10))
    orders = [
        order("A", (LINES[0], 60), rush=True, priority=1),
        order("H", (LINES[0], 10), state=WorkOrderState.HELD), done,
    ]  # fmt: skip
    finished = (JobProgress(done.jobs[0], 10, 0, JobState.DONE, NOON, NOON),)
    with pytest.raises(NotFound, match="there is no order Z"):
        rushed("Z", orders)
    with pytest.raises(Conflict, match="a rush order already"):
        rushed("A", orders)
    with pytest.raises(Conflict, match="held"):
        rushed("H", orders)
    with pytest.raises(Conflict, match="done"):
        rushed("D", orders, finished)


def test_an_order_without_a_pace_is_no_loser_and_no_error() -> None:
    found = rushed("B", [order("A", ("p1/x", 60)), order("B", (LINES[0], 30))])
    assert found.losers == ()


def test_an_order_pushed_beyond_what_can_be_predicted_loses_most() -> None:
    far = 60 * 24 * 59
    orders = [
        order("A", (LINES[0], 60), due=2), order("B", (LINES[0], far), due=3),
        order("C", (LINES[0], 60 * 24), due=4),
    ]  # fmt: skip
    found = rushed("C", orders)
    assert [(m.order.number, m.after is None) for m in found.losers] == [("A", False), ("B", True)]
    assert found.losers[1].by is None


# ------------------------------------------------------------------ the oracle
def played(orders: list[WorkOrder], shifts: bool) -> dict[str, int]:
    """Minute by minute: each line takes its orders in the order of urgency and waits for nobody else's.

    Order number -> the minute after noon in which its last piece is made.
    """
    queue = sorted(orders, key=lambda o: (not o.rush, o.priority, o.due_at, o.number))
    waiting = {line: [j for o in queue for j in o.jobs if j.work_center == line] for line in LINES}
    left = {(j.order, j.operation): j.quantity for o in orders for j in o.jobs}
    ended: dict[str, int] = {}
    for minute in range(60 * 24 * 20):
        hour = (NOON + minute * MINUTE).hour
        if shifts and not 6 <= hour < 18:
            continue
        working = []
        for jobs in waiting.values():
            while jobs and left[jobs[0].order, jobs[0].operation] == 0:
                jobs.pop(0)
            if jobs:
                before = [left[jobs[0].order, str(n)] for n in range(10, int(jobs[0].operation), 10)]
                working += [jobs[0]] if not any(before) else []
        for job in working:
            left[job.order, job.operation] -= 1
        for one in orders:
            if one.number not in ended and not any(left[one.number, j.operation] for j in one.jobs):
                ended[one.number] = minute + 1
        if len(ended) == len(orders):
            return ended
    raise AssertionError("the oracle's horizon is too short")


def invented(dice: random.Random) -> list[WorkOrder]:
    return [
        order(
            f"MO{n}",
            *((line, dice.randrange(1, 200)) for line in dice.sample(LINES, dice.randrange(1, 4))),
            due=dice.randrange(1, 90), priority=dice.randrange(1, 6), rush=dice.random() < 0.2,
        )
        for n in range(dice.randrange(2, 9))
    ] + [order("MO9", (dice.choice(LINES), 45), due=50)]  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_the_same_orders_slip_as_in_a_plant_that_is_played(seed: int) -> None:
    dice = random.Random(seed)
    orders, shifts = invented(dice), dice.random() < 0.5
    chosen = dice.choice([o for o in orders if not o.rush])
    calendar = Calendar(shifts=DAY_SHIFT if shifts else ())
    found = preview(chosen.number, orders, (), calendar, TARGETS, NOON)
    now_rush = [replace(o, rush=True, priority=1) if o is chosen else o for o in orders]
    before, after = played(orders, shifts), played(now_rush, shifts)
    slips = {n: (after[n] - before[n]) * MINUTE for n in before}
    assert {m.order.number: m.by for m in found.losers} == {
        n: by for n, by in slips.items() if by > timedelta() and n != chosen.number
    }
    assert {m.order.number: m.by for m in found.others} == {
        n: by for n, by in slips.items() if by < timedelta() and n != chosen.number
    }
    assert found.winner.by == slips[chosen.number]
    late = {
        o.number
        for o in orders
        if NOON + after[o.number] * MINUTE > o.due_at >= NOON + before[o.number] * MINUTE
    }
    assert {m.order.number for m in found.newly_late} == late - {chosen.number}
