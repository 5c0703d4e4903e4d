"""How far orders are and how late they will be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from hub.kpi.progress import finishes
from hub.model.people import Person, Shift
from hub.model.production import JobOrder, JobProgress, JobState, WorkOrder
from hub.model.words import Words

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
L1, L2 = "p1/a/l1", "p1/a/l2"


@dataclass(frozen=True)
class Calendar:
    time_zone: str = "UTC"
    shifts: tuple[Shift, ...] = ()
    people: dict[str, Person] = field(default_factory=dict)


def job(operation: str = "10", line: str = L1, quantity: int = 100, order: str = "MO1") -> JobOrder:
    return JobOrder(order, operation, Words("工序", "step"), line, quantity)


def order(
    *jobs: JobOrder, due: datetime = NOON + 2 * HOUR, rush: bool = False, priority: int = 5
) -> WorkOrder:
    return WorkOrder(
        jobs[0].order, "A", Words("甲", "A"), 100, due, priority=priority, rush=rush, jobs=tuple(jobs)
    )


def running(of: JobOrder, good: int, hours: float) -> JobProgress:
    """So many good pieces over so many hours up to noon."""
    return JobProgress(of, good, 0, JobState.RUNNING, NOON - hours * HOUR, NOON)


def test_the_pace_so_far_says_when_an_order_will_be_finished() -> None:
    one = order(job())
    outlook = finishes([one], [running(job(), 60, 2)], Calendar(), {}, NOON)["MO1"]
    assert outlook.finish == NOON + 80 * MINUTE
    assert outlook.late_by is None


def test_it_is_late_by_what_the_finish_lies_behind_the_due_date() -> None:
    one = order(job(), due=NOON + HOUR)
    assert finishes([one], [running(job(), 60, 2)], Calendar(), {}, NOON)["MO1"].late_by == 20 * MINUTE


def test_without_a_pace_yet_the_target_of_the_line_stands_in() -> None:
    outlook = finishes([order(job())], [running(job(), 3, 0.1)], Calendar(), {L1: 97}, NOON)["MO1"]
    assert outlook.finish == NOON + HOUR


def test_without_pace_and_target_nothing_is_predicted_but_overdue_is_overdue() -> None:
    in_time, over = order(job()), order(job(order="MO2"), due=NOON - HOUR)
    found = finishes([in_time, over], [], Calendar(), {}, NOON)
    assert (found["MO1"].finish, found["MO1"].late_by) == (None, None)
    assert (found["MO2"].finish, found["MO2"].late_by) == (None, HOUR)


def test_breaks_and_nights_delay_the_finish_and_do_not_slow_the_pace() -> None:
    day = Calendar(shifts=(Shift(Words("白班", "Day"), time(6), time(13)),))
    one = order(job(), due=NOON + 48 * HOUR)
    outlook = finishes([one], [running(job(), 60, 2)], day, {}, NOON)["MO1"]  # 80 min of work, 60 today
    assert outlook.finish == NOON + 18 * HOUR + 20 * MINUTE


def test_a_second_operation_that_waits_begins_when_the_first_is_finished() -> None:
    jobs = (job("10"), job("20", L2))
    outlook = finishes([order(*jobs)], [running(jobs[0], 50, 1)], Calendar(), {L2: 100}, NOON)["MO1"]
    assert outlook.finish == NOON + 2 * HOUR


def test_an_order_that_waits_for_its_line_begins_when_the_line_is_free_and_rush_goes_first() -> None:
    on_it = order(job(), due=NOON + 9 * HOUR, priority=9)
    waiting = order(job(order="MO2"), due=NOON + 9 * HOUR)
    rush = order(job(order="MO3"), due=NOON + 9 * HOUR, rush=True)
    found = finishes([waiting, on_it, rush], [running(job(), 50, 1)], Calendar(), {L1: 100}, NOON)
    assert found["MO1"].finish == NOON + HOUR
    assert found["MO3"].finish == NOON + 2 * HOUR
    assert found["MO2"].finish == NOON + 3 * HOUR


def test_an_order_that_is_done_has_no_outlook() -> None:
    done = JobProgress(job(), 100, 0, JobState.DONE, NOON, NOON)
    assert finishes([order(job())], [done], Calendar(), {}, NOON) == {}
