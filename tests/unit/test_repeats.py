from __future__ import annotations

import math
from itertools import chain

import pytest

from collectors import repeats as module
from collectors.repeats import Repeats


def seen(repeats: Repeats, at: int, value: float = 1.0, row: int = 0) -> bool:
    return repeats.seen(row, at, value, 0)


def took(repeats: Repeats, *readings: tuple[int, int]) -> tuple[bytes, bytes]:
    """(row, time) each, all of them new; what is kept of them."""
    assert not any(seen(repeats, at, row=row) for row, at in readings)
    kept = repeats.new, repeats.standing
    repeats.taken()
    return kept


def next_life(*kept: tuple[bytes, bytes]) -> Repeats:
    then = Repeats(["a", "b", "c"])
    standing = [s for _, s in kept if s]
    then.recall(standing[-1] if standing else b"", b"".join(chain(new for new, _ in kept)))
    return then


def test_what_was_taken_is_known_on_the_next_connection_in_any_order() -> None:
    repeats = Repeats(["a"])
    took(repeats, (0, 1), (0, 2), (0, 3))
    repeats.resumed()
    assert [seen(repeats, at) for at in (1, 2, 3, 4)] == [True, True, True, False]


def test_what_the_house_refused_is_taken_when_it_comes_again() -> None:
    repeats = Repeats(["a"])
    assert not seen(repeats, 1)
    assert not seen(repeats.resumed(), 1)


def test_twice_in_one_batch_is_once() -> None:
    repeats = Repeats(["a"])
    assert [seen(repeats, 1), seen(repeats, 1), seen(repeats, 1, 2.0)] == [False, True, False]


def test_no_value_is_a_value_here_and_there_is_one_zero() -> None:
    repeats = Repeats(["a"])
    assert [seen(repeats, 1, math.nan), seen(repeats, 1, -math.nan)] == [False, True]
    assert [seen(repeats, 1, 0.0), seen(repeats, 1, -0.0)] == [False, True]


def test_another_tag_another_time_another_status_is_another_reading() -> None:
    repeats = Repeats(["a", "b"])
    told = [(0, 1, 1.0, 0), (1, 1, 1.0, 0), (0, 2, 1.0, 0), (0, 1, 1.0, 1)]
    assert not any(repeats.seen(*one) for one in told)
    repeats.taken()
    assert all(repeats.seen(*one) for one in told)


def test_only_so_many_are_remembered_and_the_last_of_each_tag_however_old() -> None:
    repeats = Repeats(["a", "b"], 2)
    took(repeats, (1, 7), (1, 8))
    took(repeats, (0, 1), (0, 2), (0, 3))
    assert [seen(repeats, at) for at in (2, 3, 1)] == [True, True, False]
    assert [seen(repeats, at, row=1) for at in (8, 7)] == [True, False]


def test_the_next_process_knows_what_was_taken_by_the_name_of_its_tag() -> None:
    kept = took(Repeats(["b", "gone"]), (0, 5), (1, 5))
    after = next_life(kept)
    assert [seen(after, 5, row=row) for row in (0, 1, 2)] == [False, True, False]


def test_what_is_half_kept_is_left_out() -> None:
    new, _ = took(Repeats(["a"]), (0, 1))
    assert seen(next_life((new + b"xyz", b"xyz")), 1)


def test_now_and_then_the_last_of_each_tag_is_kept_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STANDING_EVERY", (3, 100))
    repeats = Repeats(["a", "b", "c"])
    took(repeats, (1, 1), (1, 2))
    lives = [took(repeats, (0, n)) for n in range(20)]
    assert sum(bool(standing) for _, standing in lives) == 7
    after = next_life(*lives[-4:])  # older ones are gone from the disk
    assert [seen(after, at, row=1) for at in (2, 1)] == [True, False]


def test_where_little_is_said_it_is_kept_again_after_so_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STANDING_EVERY", (1000, 4))
    repeats = Repeats(["a"])
    lives = [took(repeats, (0, n)) for n in range(11)]
    assert [bool(standing) for _, standing in lives] == [False] * 4 + [True] + [False] * 3 + [True] + [
        False
    ] * 2


# ---------------------------------------------------------------- a line that was lost
def test_what_came_before_says_after_a_loss_that_it_still_holds_once() -> None:
    repeats = Repeats(["a", "b"])
    took(repeats, (0, 1), (1, 1))
    assert not repeats.stands(0, 1, 1.0, 0), "nothing was lost"
    repeats.lost()
    repeats.heard(1)
    assert [repeats.stands(row, 1, 1.0, 0) for row in (0, 1)] == [True, False]
    repeats.heard(0)
    assert not repeats.stands(0, 1, 1.0, 0)


def test_the_next_process_knows_which_tags_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    repeats = Repeats(["a", "b", "c"])
    lives = [took(repeats, (0, 1), (1, 1)), (repeats.lost(), b""), took(repeats, (1, 2))]
    repeats.heard(1)
    monkeypatch.setattr(module, "STANDING_EVERY", (0, 0))
    whole = [took(repeats, (1, 3)), took(repeats, (1, 4))][1:]
    for kept in (lives, whole):
        after = next_life(*kept)
        assert [after.stands(row, 1, 1.0, 0) for row in (0, 1)] == [True, False]


def test_one_that_stands_is_heard_for_the_next_process_too() -> None:
    repeats = Repeats(["a", "b", "c"])
    lives = [took(repeats, (0, 1)), (repeats.lost(), b"")]
    assert seen(repeats, 1) and repeats.stands(0, 1, 1.0, 0)
    lives.append((repeats.new, b""))
    after = next_life(*lives)
    assert seen(after, 1) and not after.stands(0, 1, 1.0, 0)
