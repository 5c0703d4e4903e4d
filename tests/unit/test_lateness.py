"""What waited on the bus until it was history."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.lateness import Lateness
from hub.model.batch import SampleBatch
from hub.testing.clock import NOON

BATCH = SampleBatch.at([1], NOON, [92.0])


def test_what_waited_is_history_and_the_present_is_news_once() -> None:
    late = Lateness()
    assert late.judge(BATCH, "edge", 240, 0, late=True).historical
    assert not late.judge(BATCH, "other", 2, 0, late=False).historical
    assert (late.over(), late.over()) == (["edge"], [])


def test_who_tells_history_itself_ends_it_itself() -> None:
    late = Lateness()
    late.judge(BATCH, "edge", 240, 0, late=True)
    late.judge(replace(BATCH, historical=True), "edge", 240, 1, late=True)
    assert late.over() == []


def test_a_bus_that_never_catches_up_does_not_keep_alarms_waiting() -> None:
    late = Lateness()

    def stuck(age: float, elapsed: float) -> bool:
        late.judge(BATCH, "edge", age, elapsed, late=True)
        return late.has_stuck(age, elapsed)

    assert [stuck(240 - s, s) for s in (0, 20, 40, 60, 80)] == [False] * 5, "it becomes less"
    assert [stuck(60, s) for s in (100, 120, 160, 180)] == [False, False, True, False]
