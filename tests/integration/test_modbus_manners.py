"""The Modbus collector and devices with manners of their own: they hang up, answer in other names, refuse."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import pytest

from collectors.modbus_faults import BAD_TIMEOUT
from hub.testing.clock import NOON, HandClock
from tests.integration.test_collector_modbus import asleep, collector, lost, point, running, ticks
from tests.simulators.devices import Heard, ModbusDevice, RawServer

pytestmark = pytest.mark.anyio

PATIENT = "5s"  # nothing is silent: a busy machine is not to look like it


def answer(asked: bytes, *, unit: int | None = None, function: int = 3, plus: int = 0) -> bytes:
    """Each register holds its address."""
    start, count = struct.unpack_from(">HH", asked, 8)
    data = struct.pack(f">{count}H", *(a + plus for a in range(start, start + count)))
    body = bytes([asked[6] if unit is None else unit, function, len(data)]) + data
    return asked[:4] + len(body).to_bytes(2, "big") + body


def refusal(asked: bytes, code: int) -> bytes:
    return asked[:4] + bytes([0, 3, asked[6], 0x80 | asked[7], code])


class ShortTempered:
    """Hangs up after each answer."""

    def __init__(self, answers: int = 1) -> None:
        self.port, self.plus, self._answers = 0, 0, answers
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> ShortTempered:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(self._answers):
                writer.write(answer(await reader.readexactly(12), plus=self.plus))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("answers", [1, 2])
async def test_a_device_that_hangs_up_after_its_answers_is_known_after_three_and_then_costs_no_sample(
    answers: int,
) -> None:
    clock, sink = HandClock(), Heard()
    points = (point(1, 5), point(2, 105), point(3, 205))
    async with ShortTempered(answers) as device:
        lives = [collector(clock, device.port, *points, every="25ms", timeout=PATIENT) for _ in range(3)]
        for one, before in zip(lives, [None, *lives], strict=False):
            if before is not None:
                one.follow(before, NOON)
            if one is not lives[-1]:
                assert "closed" in await lost(asyncio.create_task(one.run(Heard())))
        async with running(lives[-1], sink):
            await sink.until(lambda: len(sink.batches) == 1)
            for device.plus in range(1, 5):
                await ticks(clock, sink, 0.025)
    told = [[5, 6, 7, 8, 9], [105, 106, 107, 108, 109], [205, 206, 207, 208, 209]]
    assert [[s.value for s in sink.of(n)] for n in (1, 2, 3)] == told


async def test_a_look_at_a_device_that_hangs_up_after_each_answer_sees_all_of_it() -> None:
    points = (point(1, 5), point(2, 105), point(3, 300))
    async with ShortTempered() as device:
        one = collector(HandClock(), device.port, *points, timeout=PATIENT)
        found = await one.probe()
    assert ["3 of 3 points answer" in text for text in found.values()] == [True]


@pytest.mark.parametrize(
    "foreign",
    [
        lambda asked: answer(asked, unit=9, plus=1),
        lambda asked: answer(asked, function=4, plus=1),
        lambda asked: refusal(asked[:7] + b"\4" + asked[8:], 2),
    ],
    ids=["unit", "function", "exception of another function"],
)
async def test_the_right_answer_behind_somebody_elses_is_taken(foreign: Callable[[bytes], bytes]) -> None:
    sink = Heard()
    async with (
        RawServer(lambda asked: foreign(asked) + answer(asked)) as server,
        running(collector(HandClock(), server.port, point(1, 5), timeout=PATIENT), sink),
    ):
        await sink.said(1, 5)
    assert [s.value for s in sink.of(1)] == [5]


async def test_one_answer_in_another_name_costs_a_second_question_and_no_sample() -> None:
    clock, sink = HandClock(), Heard()
    wrong = [True]
    points = (point(1, 5), point(2, 105))

    def talk(asked: bytes) -> bytes:
        return answer(asked, unit=9, plus=1) if wrong and wrong.pop() else answer(asked)

    async with (
        RawServer(talk) as server,
        running(collector(clock, server.port, *points, timeout=PATIENT), sink),
    ):
        await sink.said(1, 5)
        wrong.append(True)
        await ticks(clock, sink, 1)
    assert [[s.value for s in sink.of(n)] for n in (1, 2)] == [[5] * 2, [105] * 2]


@pytest.mark.parametrize("code", [6, 7, 10, 11, 99])
async def test_an_exception_of_any_kind_for_one_address_costs_that_point_alone(code: int) -> None:
    sink = Heard()

    def one(asked: bytes) -> bytes:
        start, count = struct.unpack_from(">HH", asked, 8)
        return refusal(asked, code) if start <= 7 < start + count else answer(asked)

    def talk(asked: bytes) -> bytes:  # two questions in one piece, where the machine has no time for us
        return b"".join(one(asked[n : n + 12]) for n in range(0, len(asked), 12))

    points = [point(n, a) for n, a in enumerate([5, 6, 7, 8, 105], 1)]
    async with (
        RawServer(talk) as server,
        running(collector(HandClock(), server.port, *points, timeout="300ms"), sink),
    ):
        await sink.until(lambda: bool(sink.batches))
    assert [sink.last(n).value for n in range(1, 6)] == [5, 6, None, 8, 105]
    assert sink.last(3).status == BAD_TIMEOUT


async def test_the_end_of_a_line_is_told_at_once_however_seldom_the_device_is_read() -> None:
    clock, sink = HandClock(), Heard()
    async with (
        ModbusDevice({"holding": {0: 7}}) as device,
        running(collector(clock, device.port, point(1, 0), every="60s", timeout=PATIENT), sink) as task,
    ):
        await sink.said(1, 7)
        await asleep(clock)
        await device.stop()
        assert "closed" in await lost(task)


async def test_a_line_that_is_dead_is_noticed_long_before_its_next_round() -> None:
    """Held, not ended: nobody tells."""
    clock, sink = HandClock(), Heard()
    alive = [True]

    def talk(asked: bytes) -> bytes | None:
        return answer(asked) if alive else None

    async with RawServer(talk) as server:
        one = collector(clock, server.port, point(1, 5), every="60s", timeout="300ms")
        async with running(one, sink) as task:
            await sink.said(1, 5)
            alive.clear()
            await asleep(clock)
            clock.turn(5)
            assert "No response" in await lost(task)
    assert len(sink.batches) == 1
