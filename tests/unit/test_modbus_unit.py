"""A unit is here, in question or away; one that is away is asked less and less often."""

from __future__ import annotations

from collectors.blocks import Point, plan
from collectors.modbus_faults import BAD_DEVICE_FAILURE
from collectors.modbus_lane import Lane
from collectors.modbus_unit import Unit
from hub.model.sample import BAD_OUT_OF_RANGE

POINTS = [Point(n, n, unit=12) for n in (2, 3, 4)]
OTHER = Point(9, 9, unit=11)


def lane_and_unit() -> tuple[Lane, Unit]:
    lane = Lane(1, 1, plan([OTHER, *POINTS]))
    return lane, Unit(12, [2, 3, 4], [lane])


def test_one_silence_brings_a_unit_into_question_a_second_one_away_an_answer_back() -> None:
    lane, unit = lane_and_unit()
    assert (unit.here, unit.away) == (True, False)
    unit.kept_silent(lane, unit.blocks[0])
    assert (unit.here, unit.away, unit.doubt) == (False, False, (lane, unit.blocks[0]))
    unit.lost(100)
    assert (unit.here, unit.away, unit.doubt) == (False, True, None)
    unit.answered()
    assert (unit.here, unit.away) == (True, False)


def test_what_a_unit_has_is_not_known_any_more_when_it_comes_back() -> None:
    lane, unit = lane_and_unit()
    unit.read_through.add(lane)
    assert unit.witnesses(lane, unit.blocks[0]) == []
    unit.lost(100)
    assert len(unit.witnesses(lane, unit.blocks[0])) == 3


def test_a_unit_that_stays_away_is_asked_less_and_less_often_and_soon_again_after_it_was_back() -> None:
    _, unit = lane_and_unit()
    unit.lost(100)
    pauses = [unit.next_try - 100]
    for _ in range(8):
        unit.still_away(0)
        pauses.append(unit.next_try)
    wanted = [2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert all(0.8 * want <= pause <= 1.2 * want for pause, want in zip(pauses, wanted, strict=True))
    unit.answered()
    unit.lost(200)
    assert unit.next_try == 202
    unit.still_away(0)
    assert unit.next_try < 5


def test_a_point_and_a_block_are_asked_for_in_turn() -> None:
    _, unit = lane_and_unit()
    unit.lost(100)
    assert [len(unit.next_question().points) for _ in range(4)] == [1, 3, 1, 3]


def test_a_unit_is_unreadable_when_nothing_is_left_of_it_and_some_of_it_might_come_back() -> None:
    lane, unit = lane_and_unit()
    [whole] = unit.blocks
    lane.remember(whole, [], [(whole, BAD_OUT_OF_RANGE)])
    assert not unit.is_unreadable  # it is there, and knows none of these addresses
    lane.refused += ((whole, BAD_DEVICE_FAILURE),)
    assert unit.is_unreadable
    unit.forget()
    assert unit.blocks == [whole]
    assert not unit.is_unreadable
    assert [b.unit for b in lane.blocks] == [11, 12]
