"""What could not be read is known to whoever asked."""

from __future__ import annotations

import asyncio
import logging

import pytest

from erp_bridge import left_out
from erp_bridge.left_out import LeftOut

LOST = LeftOut("order", "MO-1", "documents.order.in.due_at: no date")


def test_what_is_left_out_is_gathered_once() -> None:
    with left_out.gathered() as lost:
        for _ in range(2):
            left_out.note("order", "MO-1", "documents.order.in.due_at: no date")
    assert lost == [LOST]


def test_outside_of_a_reading_it_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        left_out.note("order", "MO-1", "no date")
    with left_out.gathered() as lost:
        pass
    assert "order MO-1: no date" in caplog.text
    assert lost == []


def test_an_inner_reading_hands_on_what_it_lost_also_when_it_fails() -> None:
    with left_out.gathered() as outer:
        with pytest.raises(LookupError), left_out.gathered() as inner:
            left_out.note("order", "MO-1", "documents.order.in.due_at: no date")
            raise LookupError
        assert inner == [LOST]
    assert outer == [LOST]


@pytest.mark.anyio
async def test_tasks_begun_within_are_heard_and_neighbours_are_not() -> None:
    async def lose(record: str) -> None:
        left_out.note("order", record, "no date")

    async def read(record: str) -> list[LeftOut]:
        with left_out.gathered() as lost:
            await asyncio.gather(lose(record))
        return lost

    one, two = await asyncio.gather(read("MO-1"), read("MO-2"))
    assert [x.record for x in one] == ["MO-1"]
    assert [x.record for x in two] == ["MO-2"]
