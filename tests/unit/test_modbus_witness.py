"""Which points are asked for where a unit kept silent: few of them, and none for good."""

from __future__ import annotations

import pytest

from collectors.blocks import Block, Point, Table, block
from collectors.modbus_witness import spread, witnesses


def registers(*addresses: int, table: Table = "holding") -> Block:
    return block([Point(a, a, table=table) for a in addresses])


def asked_for(silent: Block, *others: Block, new: bool = True) -> list[int]:
    asked = witnesses(silent, others, new=new)
    assert all(len(one.points) == 1 for one in asked)
    return [one.start for one in asked]


@pytest.mark.parametrize("many", [2, 3, 9, 99])
def test_two_addresses_that_are_never_answered_do_not_take_all_the_witnesses(many: int) -> None:
    whole = registers(*range(many))
    for _ in range(20):
        asked = asked_for(whole)
        assert len(set(asked)) == min(many, 3)
        assert len({a * 3 // many for a in asked}) == len(asked) or many < 3


def test_a_point_that_is_alone_has_no_witness() -> None:
    assert spread(registers(7)) == [] == witnesses(registers(7), [], new=True)


def test_a_unit_that_was_read_through_is_asked_once_and_only_elsewhere() -> None:
    silent = registers(1, 2, 3)
    assert asked_for(silent, new=False) == []
    assert asked_for(silent, registers(50), registers(60, table="input"), new=False) == [60]


def test_another_table_comes_first_and_two_are_enough() -> None:
    others = [registers(50), registers(60), registers(70, table="coil")]
    asked = asked_for(registers(1, 2, 3), *others)
    assert asked[0] == 70 and len(asked) == 2 and asked[1] in {50, 60}


def test_a_unit_with_one_other_block_is_asked_for_the_silent_one_again() -> None:
    """The other one may be an address that is never answered."""
    [first, second] = asked_for(registers(1, 2, 3), registers(50))
    assert first == 50 and second in {1, 2, 3}


def test_each_attempt_asks_for_other_points() -> None:
    assert len({tuple(asked_for(registers(*range(100)))) for _ in range(5)}) > 1
