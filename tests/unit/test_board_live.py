"""The newest value of every shown tag, and only what people would see change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.batch import SampleBatch, micros
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.sample import BAD, UNCERTAIN, Tag
from hub.model.words import Words
from hub.ports import Plant
from hub.testing.clock import NOON
from screens.live import Live, seen_by
from screens.merge import Json, apply
from screens.sources import Sources

M1, M2 = "p1/a/l/m1", "p1/a/l/m2"
TAGS = [
    Tag(3, f"{M1}/temp", Words("温度", "temp"), "℃", 1),
    Tag(7, f"{M1}/count", Words("计数", "count"), "", 0),
    Tag(9, f"{M1}/hidden", Words("x", "x"), shown=False),
    Tag(12, f"{M2}/temp", Words("温度", "temp"), "℃", 1),
]
SECOND = timedelta(seconds=1)


def at(seconds: float) -> datetime:
    return NOON + seconds * SECOND


def us(seconds: float) -> int:
    return micros(at(seconds))


def batch(seconds: float, *rows: tuple[int, float], status: int = 0) -> SampleBatch:
    return SampleBatch.at([t for t, _ in rows], at(seconds), [v for _, v in rows], "plc", status)


def take(live: Live, seconds: float, *rows: tuple[int, float], status: int = 0) -> Json:
    """Taken in at its source time; what is told of it."""
    live.take(batch(seconds, *rows, status=status), us(seconds))
    return live.changes(us(seconds))[0]


def test_a_tag_nobody_has_heard_of_is_bad_and_has_no_value() -> None:
    assert Live(TAGS).board[M1][f"{M1}/temp"] == {
        "label": {"zh": "温度", "en": "temp"},
        "unit": "℃",
        "decimals": 1,
        "status": "bad",
        "stale_after": 5.0,
    }


def test_the_first_value_is_told_with_its_time_and_status_rounded_to_what_is_shown() -> None:
    told = take(Live(TAGS), 0.25, (3, 80.04999))
    assert told == {M1: {f"{M1}/temp": {"value": 80.0, "at": "2026-01-05T12:00:00.250Z", "status": "good"}}}


def test_a_change_too_small_to_see_is_not_told_before_the_refresh() -> None:
    live = Live(TAGS)
    take(live, 0, (3, 80.0))
    assert take(live, 0.5, (3, 80.01)) == {}
    assert take(live, 1.0, (3, 80.01)) == {M1: {f"{M1}/temp": {"at": "2026-01-05T12:00:01.000Z"}}}


def test_a_change_that_is_seen_is_told_at_once() -> None:
    live = Live(TAGS)
    take(live, 0, (3, 80.0))
    assert take(live, 0.1, (3, 80.1))[M1][f"{M1}/temp"]["value"] == 80.1


def test_a_lost_source_removes_the_value_and_any_sample_ends_that() -> None:
    live = Live(TAGS)
    take(live, 0, (3, 80.0))
    live.take(SampleBatch.lost([3], at(1)), us(1))
    assert live.changes(us(1))[0][M1][f"{M1}/temp"] == {
        "value": None,
        "at": "2026-01-05T12:00:01.000Z",
        "status": "bad",
    }
    assert "value" not in live.board[M1][f"{M1}/temp"]
    back = take(live, 0.9, (3, 81.0))  # the device's clock is behind ours
    assert back[M1][f"{M1}/temp"]["value"] == 81.0


def test_late_samples_do_not_hide_newer_ones() -> None:
    live = Live(TAGS)
    take(live, 10, (3, 80.0))
    assert not live.take(batch(5, (3, 20.0)), us(11))
    assert live.changes(us(11))[0] == {}


def test_a_device_clock_that_ran_ahead_does_not_silence_what_comes_after() -> None:
    live = Live(TAGS)
    live.take(batch(86_400, (3, 80.0)), us(0))
    live.changes(us(0))
    live.take(batch(1, (3, 81.0)), us(1))
    assert live.changes(us(1))[0][M1][f"{M1}/temp"]["value"] == 81.0


def test_of_several_samples_in_one_batch_the_newest_stays() -> None:
    live = Live(TAGS)
    rows = SampleBatch(
        np.array([3, 3, 3], np.int32),
        np.array([us(2), us(3), us(1)], np.int64),
        np.array([2.0, 3.0, 1.0]),
        np.zeros(3, np.uint32),
    )
    live.take(rows, us(3))
    assert live.changes(us(3))[0][M1][f"{M1}/temp"]["value"] == 3.0


def test_hidden_and_unknown_tags_are_passed_over() -> None:
    live = Live(TAGS)
    assert not live.take(batch(0, (9, 1.0), (4, 1.0), (99, 1.0), (-1, 1.0)), us(0))
    assert live.numbers == [3, 7, 12]


@pytest.mark.parametrize(
    ("status", "word", "shown"), [(0, "good", True), (UNCERTAIN, "uncertain", True), (BAD, "bad", False)]
)
def test_a_status_is_told_as_a_word_and_only_bad_hides_the_value(status: int, word: str, shown: bool) -> None:
    live = Live(TAGS)
    take(live, 0, (3, 80.0), status=status)
    told = live.board[M1][f"{M1}/temp"]
    assert (told["status"], "value" in told) == (word, shown)


def test_infinity_is_no_value() -> None:
    live = Live(TAGS)
    take(live, 0, (3, float("inf")))
    assert "value" not in live.board[M1][f"{M1}/temp"]


def test_ages_are_those_of_what_was_heard_and_not_of_what_was_read_at_the_start() -> None:
    live = Live(TAGS)
    live.take(batch(-3600, (3, 80.0)), us(0), heard=False)
    assert len(live.changes(us(0))[1]) == 0
    live.take(batch(0, (3, 81.0), (12, 5.0)), us(0.2))
    assert live.changes(us(0.25))[1].tolist() == [0.25, 0.25]


def test_somebody_with_a_narrow_scope_gets_only_their_machines() -> None:
    values: dict[str, Json] = {M1: {"x": 1}, M2: {"y": 2}}
    assert seen_by(values, frozenset({M2})) == {M2: {"y": 2}}
    assert seen_by(values, None) == values


def test_a_plant_without_shown_tags_works() -> None:
    live = Live([])
    assert not live.take(batch(0, (0, 1.0), (1, 1.0)), us(0))
    assert live.changes(us(0))[0] == {}


samples = st.lists(
    st.tuples(
        st.sampled_from([3, 7, 12]),
        st.integers(0, 40).map(lambda n: n / 10),
        st.sampled_from([0.0, 0.04, 0.1, 5.0, float("nan")]),
        st.sampled_from([0, UNCERTAIN, BAD]),
    ),
    max_size=30,
)


@given(samples, st.integers(1, 5))
def test_fragments_add_up_to_the_board(told: list[tuple[int, float, float, int]], every: int) -> None:
    live = Live(TAGS)
    shown: dict[str, Any] = apply({}, live.board)
    for i, (tag, seconds, value, status) in enumerate(told):
        live.take(batch(seconds, (tag, value), status=status), us(seconds))
        if i % every == 0:
            shown = apply(live.changes(us(seconds))[0], shown)
    shown = apply(live.changes(us(9))[0], shown)
    assert shown == live.board


def test_which_machines_a_source_speaks_for_and_whose_state_it_tells_is_learnt() -> None:
    nodes = [
        Equipment(M1, EquipmentLevel.WORK_UNIT, Words("一", "1"), state_tag=TAGS[1].path),
        Equipment(M2, EquipmentLevel.WORK_UNIT, Words("二", "2")),
    ]
    sources = Sources(Plant(nodes[0], {n.path: n for n in nodes}, {t.path: t for t in TAGS}))
    assert sources.take(batch(0, (3, 1.0)))
    assert not sources.take(batch(1, (3, 1.0), (99, 1.0)))
    assert not sources.states["plc"]
    assert sources.take(batch(1, (7, 1.0)))
    assert not sources.take(batch(1, (3, 1.0), (7, 1.0)))
    assert sources.take(batch(2, (12, 1.0)))
    assert sources.machines == {"plc": frozenset({M1, M2})}
    assert sources.states == {"plc": frozenset({M1})}


def test_a_source_that_never_told_anything_speaks_for_what_it_is_to_read() -> None:
    nodes = [Equipment(M1, EquipmentLevel.WORK_UNIT, Words("一", "1"), state_tag=TAGS[1].path)]
    plant = Plant(nodes[0], {n.path: n for n in nodes}, {t.path: t for t in TAGS})
    sources = Sources(plant, {"plc": (TAGS[1].number, 99), "other": ()})
    assert sources.machines == {"plc": frozenset({M1}), "other": frozenset()}
    assert sources.states == {"plc": frozenset({M1}), "other": frozenset()}
