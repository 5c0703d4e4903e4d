"""What is learnt of a metric whose words are always on their way for a while, however they come together."""

from __future__ import annotations

import pytest

from collectors.sparkplug_edge import Value
from collectors.sparkplug_payload import Metric
from collectors.sparkplug_rows import Row, Rows

SECOND = 1_000_000
NOW = 1_767_600_000 * SECOND
PATIENCE = 20  # seconds; half of it is what a word may be on its way


def value(at: float, number: float = 1.0, birth: bool = False) -> Value:
    metric = Metric("m", None, 0, 10, "double_value", number, False, False, None)
    return Value(0, metric, 10, NOW + round(at * SECOND), birth=birth)


class Node:
    def __init__(self) -> None:
        self.rows = Rows([Row(0, 1.0, 0.0, {}, PATIENCE * SECOND, 0)], 1, "s")

    def says(self, at: float, *told: Value) -> None:
        arrived, now = NOW + round(at * SECOND), float(at)
        self.rows.heard(0, arrived, arrived, now)
        self.rows.put(told, 0, arrived, now)

    def times(self, at: float) -> list[float]:
        return [float(t - NOW) / SECOND for batch in self.rows.take(float(at)) for t in batch.source_times]


@pytest.mark.parametrize("together", [True, False], ids=["taken together", "taken one by one"])
def test_two_slow_words_make_a_slow_metric(together: bool) -> None:
    node = Node()
    for at in (30, 31):
        node.says(at, value(at - 14.0))
        if not together:
            node.times(at)
    node.times(31)
    node.says(60)
    assert node.times(60) == [60.0 - 14.0], "said again as of its own present"


def test_a_birth_with_an_old_time_is_of_the_present_that_the_words_before_it_had() -> None:
    node = Node()
    node.says(30, value(26.0))
    node.says(31, value(20.0, birth=True))
    assert node.times(31) == [26.0, 31.0 - 4.0]
