"""A Modbus line whose own process was held up."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from collectors.modbus_habit import Habit
from collectors.modbus_line import ModbusLine, Silent, _Turn

pytestmark = pytest.mark.anyio


class Loop:
    """Time by hand, and the timers that were set."""

    def __init__(self) -> None:
        self.now, self.timers = 0.0, list[tuple[float, Any]]()

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[bytes]:
        return asyncio.get_running_loop().create_future()

    def call_later(self, seconds: float, what: Any) -> Mock:
        due = self.now + seconds
        self.timers.append((due, what))
        return Mock(when=lambda: due)

    def turn(self, to: float) -> None:
        """As libuv does it: what is due comes before what there is to be read."""
        self.now = to
        due, self.timers = [w for t, w in self.timers if t <= to], [(t, w) for t, w in self.timers if t > to]
        for what in due:
            what()


@pytest.fixture
async def line() -> ModbusLine:
    made = ModbusLine(("127.0.0.1", 502), 1, 1.0, _Turn(), Habit(), lambda: 0.0)
    made._loop, made._transport = Loop(), Mock(is_closing=lambda: False)  # type: ignore[assignment]
    return made


def answer(line: ModbusLine) -> bytes:
    return line._transaction.to_bytes(2, "big") + b"\x00\x00\x00\x05\x01\x03\x02\x00\x2a"


async def test_what_lay_in_the_socket_while_we_stood_still_is_an_answer_in_time(line: ModbusLine) -> None:
    asked = line._ask(3, 0, 1, None)
    line._loop.turn(2.5)  # type: ignore[attr-defined]
    assert not asked.done()
    line.data_received(answer(line))
    assert await asked == b"\x00\x2a"


async def test_a_device_that_has_said_nothing_meanwhile_is_silent(line: ModbusLine) -> None:
    asked = line._ask(3, 0, 1, None)
    line._loop.turn(2.5)  # type: ignore[attr-defined]
    line._loop.turn(2.503)  # type: ignore[attr-defined]
    with pytest.raises(Silent):
        await asked


async def test_one_that_is_late_by_itself_is_silent_at_once(line: ModbusLine) -> None:
    asked = line._ask(3, 0, 1, None)
    line._loop.turn(1.001)  # type: ignore[attr-defined]
    with pytest.raises(Silent):
        await asked
