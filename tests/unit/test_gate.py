"""An ERP that was away is not stormed when it is back."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from erp_bridge.gate import FIRST, MOST, TRIP, Gate

HANDS = 4


def away(failures: int, now: float = 0.0) -> Gate:
    gate = Gate.open(HANDS)
    for _ in range(failures):
        gate = gate.failed(now)
    return gate


def test_one_or_two_failures_may_be_the_documents_own_fault() -> None:
    gate = away(TRIP - 1)
    assert not gate.away
    assert gate.lets_in(HANDS - 1, 0.0)


def test_from_the_third_on_one_hand_looks_and_only_after_a_pause() -> None:
    gate = away(TRIP)
    assert gate.away
    assert not gate.lets_in(0, FIRST - 0.01)
    assert gate.lets_in(0, FIRST)
    assert not gate.lets_in(1, FIRST)


def test_the_pauses_grow_to_a_minute_and_stay_there() -> None:
    assert [away(n).shut_until for n in (TRIP, TRIP + 1, TRIP + 2, TRIP + 5, TRIP + 400)] == [
        FIRST, 2 * FIRST, 4 * FIRST, MOST, MOST,
    ]  # fmt: skip


def test_once_it_answers_each_answer_lets_one_more_hand_in() -> None:
    gate = away(TRIP)
    seen = []
    for _ in range(5):
        gate = gate.answered()
        seen.append(gate.allowed)
    assert seen == [2, 3, 4, 4, 4]
    assert not gate.away


def test_a_limit_holds_all_hands_as_long_as_the_erp_asked() -> None:
    gate = Gate.open(HANDS).limited(100.0, timedelta(seconds=30))
    assert not gate.lets_in(0, 129.9)
    assert gate.lets_in(0, 130.0)
    assert gate.allowed == HANDS // 2
    later = gate.answered()
    assert later.asked_to_wait(129.9), "an answer to somebody else ends no quota"
    assert not later.lets_in(0, 129.9)
    assert not later.asked_to_wait(130.0)


@given(st.lists(st.sampled_from(["ok", "failed", "limited"]), max_size=60))
def test_whatever_happened_it_is_looked_at_again_within_a_minute(events: list[str]) -> None:
    gate, now = Gate.open(HANDS), 0.0
    for event in events:
        now += 1.0
        match event:
            case "ok":
                gate = gate.answered()
            case "failed":
                gate = gate.failed(now)
            case _:
                gate = gate.limited(now, timedelta(seconds=5))
        assert 1 <= gate.allowed <= HANDS
    assert gate.lets_in(0, now + MOST)
