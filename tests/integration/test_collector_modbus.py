"""The Modbus collector against real servers, and against devices that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from collectors.modbus import ModbusCollector
from collectors.modbus_faults import BAD_DEVICE_FAILURE, BAD_TIMEOUT
from hub.errors import SourceUnavailable
from hub.model.sample import BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, Tag
from hub.model.words import Words
from hub.testing.clock import NOON, HandClock
from tests.ports import free_port
from tests.simulators.devices import Heard, ModbusDevice, RawServer

pytestmark = pytest.mark.anyio

TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, 41)}


def point(number: int, address: int, **more: Any) -> dict[str, Any]:
    return {"tag": f"m/t{number}", "address": address, **more}


def collector(clock: HandClock, port: int, *points: dict[str, Any], **more: Any) -> ModbusCollector:
    settings = {"host": "127.0.0.1", "port": port, "points": list(points), "timeout": "300ms", **more}
    return ModbusCollector(ModbusCollector.Config.model_validate(settings), clock, TAGS, "press")


@asynccontextmanager
async def running(one: ModbusCollector, sink: Heard) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(one.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def lost(task: asyncio.Task[None]) -> str:
    with pytest.raises(SourceUnavailable) as caught:
        async with asyncio.timeout(10):
            await task
    return str(caught.value)


async def ticks(clock: HandClock, sink: Heard, seconds: float) -> None:
    """Turn the clock and wait for the round that this brings."""
    before = len(sink.batches)
    await asleep(clock)
    clock.turn(seconds)
    await sink.until(lambda: len(sink.batches) > before)


async def asleep(clock: HandClock) -> None:
    async with asyncio.timeout(10):
        while not clock._sleepers:
            await asyncio.sleep(0.001)


@dataclass
class Scene:
    device: ModbusDevice
    clock: HandClock
    sink: Heard
    task: asyncio.Task[None]


@asynccontextmanager
async def polling(
    memory: dict[str, dict[int, int]], *points: dict[str, Any], failing: tuple[int, ...] = (), **more: Any
) -> AsyncIterator[Scene]:
    """A device with this memory, and a collector that reads these points of it."""
    clock, sink = HandClock(), Heard()
    async with ModbusDevice(memory) as device:
        device.failing = set(failing)
        async with running(collector(clock, device.port, *points, **more), sink) as task:
            yield Scene(device, clock, sink, task)


async def test_values_of_all_tables_arrive_with_scale_order_and_the_time_of_the_poll() -> None:
    low, high = struct.unpack(">HH", struct.pack(">f", 81.5))[::-1]
    memory = {"holding": {0: 815, 1: low, 2: high}, "input": {7: 65535}, "coil": {3: 1}, "discrete": {4: 0}}
    points = (
        point(1, 0, scale=0.1), point(2, 1, type="float32", word_order="little"),
        point(3, 7, table="input", type="int16"), point(4, 3, table="coil"), point(5, 4, table="discrete"),
    )  # fmt: skip
    async with polling(memory, *points) as scene:
        sink = scene.sink
        await sink.until(lambda: len(sink.batches) == 1)
        assert [sink.last(n).value for n in range(1, 6)] == [pytest.approx(81.5), 81.5, -1, 1, 0]
        assert all(s.source_time == NOON and s.status.is_good for n in range(1, 6) for s in sink.of(n))
        assert sink.batches[0].source == "press"
        assert scene.device.writes == 0


async def test_polls_lie_on_a_grid_and_missed_ones_stay_missed() -> None:
    async with polling({"holding": {0: 1}}, point(1, 0)) as scene:
        await scene.sink.said(1, 1)
        await ticks(scene.clock, scene.sink, 3.4)
        await ticks(scene.clock, scene.sink, 0.6)
    at = [(s.source_time - NOON).total_seconds() for s in scene.sink.of(1)]
    assert at == [0, 3.4, 4.0]


async def test_fast_points_are_polled_in_reads_of_their_own() -> None:
    points = (point(1, 0, fast=True), point(2, 1))
    async with polling({"holding": {0: 1, 1: 2}}, *points, fast="100ms") as scene:
        await scene.sink.until(lambda: len(scene.sink.batches) == 2)
        for value in range(10, 15):
            scene.device.memory["holding"][0] = value
            await ticks(scene.clock, scene.sink, 0.1)
    assert [s.value for s in scene.sink.of(1)] == [1, 10, 11, 12, 13, 14]
    assert len(scene.sink.of(2)) == 1
    assert scene.device.requests[-1] == ("holding", 0, 1)


@pytest.mark.parametrize("every", ["1s", "2s"])
async def test_a_fast_point_that_stands_still_is_read_often_and_told_once_a_second(every: str) -> None:
    points = (point(1, 0, fast=True), point(2, 1, fast=True), point(3, 2))
    async with polling({"holding": {0: 1, 1: 2, 2: 3}}, *points, fast="125ms", every=every) as scene:
        for eighth in range(16):
            await asleep(scene.clock)
            scene.device.memory["holding"][1] = 7 if eighth >= 11 else 2
            scene.clock.turn(0.125)
        await scene.sink.until(lambda: scene.sink.of(3)[-1].source_time == scene.clock.now())
    times = [(s.source_time - NOON).total_seconds() for s in scene.sink.of(1)]
    assert times == [0, 1, 2]
    assert [s.value for s in scene.sink.of(2)] == [2, 2, 7, 7]
    assert scene.device.requests.count(("holding", 0, 2)) == 17


async def test_a_slow_round_of_many_reads_does_not_hold_up_the_fast_points() -> None:
    """Each answer takes 50 ms of the clock: between the slow reads the fast one gets its turn."""
    points = (point(1, 0, fast=True), point(2, 200), point(3, 400), point(4, 600), point(5, 800))
    memory = {"holding": {0: 1, 200: 1, 400: 1, 600: 1, 800: 1}}
    async with polling(memory, *points, fast="100ms") as scene:
        await scene.sink.until(lambda: len(scene.sink.batches) == 2)
        scene.device.requests.clear()
        scene.device.before_answer = lambda: scene.clock.turn(0.05)
        await ticks(scene.clock, scene.sink, 1.0)
        await scene.sink.until(lambda: len(scene.sink.of(5)) == 2)
    asked = [address for _, address, _ in scene.device.requests]
    assert asked[: asked.index(800) + 1] == [0, 200, 0, 400, 0, 600, 0, 800]


async def test_an_illegal_address_spoils_only_its_own_point() -> None:
    memory = {"holding": {a: a for a in range(40) if a != 17}}
    async with polling(memory, *(point(n + 1, n) for n in range(40))) as scene:
        sink = scene.sink
        await sink.until(lambda: len(sink.batches) == 1)
        assert sink.last(18)[1:] == (None, BAD_OUT_OF_RANGE)
        assert all(sink.last(n + 1).value == n for n in range(40) if n != 17)
        scene.device.requests.clear()
        await ticks(scene.clock, sink, 1)
        assert sorted(scene.device.requests) == [("holding", 0, 17), ("holding", 18, 22)]  # remembered
        scene.device.memory["holding"][17] = 99
        await ticks(scene.clock, sink, 30)
        await ticks(scene.clock, sink, 1)
        assert sink.last(18).value == 99


async def test_a_hole_the_device_does_not_know_costs_one_more_read_and_no_point() -> None:
    async with polling({"holding": {0: 1, 5: 2}}, point(1, 0), point(2, 5)) as scene:
        await scene.sink.said(2, 2)
        assert scene.sink.last(1).value == 1


async def test_a_register_that_fails_for_a_while_comes_back() -> None:
    async with polling({"holding": {0: 1, 1: 2}}, point(1, 0), point(2, 1)) as scene:
        sink = scene.sink
        await sink.said(2, 2)
        scene.device.failing = {1}
        await ticks(scene.clock, sink, 1)
        assert sink.last(2)[1:] == (None, BAD_DEVICE_FAILURE)
        assert sink.last(1).value == 1
        scene.device.failing = set()
        await ticks(scene.clock, sink, 5)
        await ticks(scene.clock, sink, 1)
        assert sink.last(2).value == 2


async def test_a_device_that_cannot_read_anything_is_a_lost_source() -> None:
    async with polling({"holding": {0: 1, 1: 2}}, point(1, 0), point(2, 1), failing=(0, 1)) as scene:
        assert "cannot read any" in await lost(scene.task)
    assert scene.sink.batches == []


async def test_a_float_that_is_no_number_is_bad_and_has_no_value() -> None:
    high, low = struct.unpack(">HH", struct.pack(">f", float("inf")))
    async with polling({"holding": {0: high, 1: low}}, point(1, 0, type="float32")) as scene:
        await scene.sink.until(lambda: len(scene.sink.batches) == 1)
    assert scene.sink.last(1)[1:] == (None, BAD_OUT_OF_RANGE)


async def test_nobody_there_is_said_with_the_address() -> None:
    port = free_port()
    async with running(collector(HandClock(), port, point(1, 0)), Heard()) as task:
        assert f"127.0.0.1:{port}" in await lost(task)


async def test_a_device_that_hangs_up_at_once_is_a_lost_source() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert f"127.0.0.1:{port}: the device closed" in await lost(
            asyncio.create_task(collector(HandClock(), port, point(1, 0)).run(Heard()))
        )


async def test_a_device_that_hangs_up_between_two_polls_is_a_lost_source() -> None:
    clock, sink = HandClock(), Heard()
    async with RawServer(reply) as server, running(collector(clock, server.port, point(1, 0)), sink) as task:
        await sink.said(1, 42)
        await asleep(clock)
        server.hang_up()
        clock.turn(1)
        assert "closed" in await lost(task)


def reply(
    asked: bytes, *, tid: int | None = None, unit: int | None = None, pdu: bytes = b"\x03\x02\x00\x2a"
) -> bytes:
    number = int.from_bytes(asked[:2], "big") if tid is None else tid
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, asked[6] if unit is None else unit) + pdu


@pytest.mark.parametrize(
    "wrong",
    [
        lambda asked: reply(asked, tid=999),
        lambda asked: reply(asked, tid=0),
        lambda asked: reply(asked, unit=9),
        lambda asked: reply(asked, pdu=b"\x04\x02\x00\x2a"),
        lambda asked: reply(asked, pdu=b"\x03\x04\x00\x2a\x00\x2a"),
        lambda asked: reply(asked, pdu=b"\x03\x09\x00\x2a"),
        lambda asked: reply(asked, pdu=b"\x03"),
        lambda asked: reply(asked, pdu=b"\x63\x02"),
        lambda asked: reply(asked, pdu=b"\x83\x06"),
        lambda asked: b"\x00" * 4000,
        lambda asked: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda asked: None,
        lambda asked: b"",
    ],
    ids=[
        "other transaction", "transaction 0", "other unit", "other function", "too long", "wrong count",
        "cut", "unknown function", "busy", "zeros", "not Modbus", "silent", "hangs up",
    ],
)  # fmt: skip
async def test_a_reply_that_is_not_ours_is_never_taken(wrong: Any) -> None:
    async with RawServer(wrong) as server:
        sink, one = Heard(), collector(HandClock(), server.port, point(1, 0))
        with pytest.raises(SourceUnavailable):
            await one.run(sink)
    assert sink.batches == []


async def test_bits_that_a_device_fills_up_to_whole_words_are_read() -> None:
    def padded(asked: bytes) -> bytes:
        return reply(asked, pdu=b"\x01\x02\x05\x00") if asked[7] == 1 else reply(asked)

    sink, bits = Heard(), [{**point(n, n - 1), "table": "coil", "type": "bool"} for n in (1, 2, 3)]
    async with (
        RawServer(padded) as server,
        running(collector(HandClock(), server.port, *bits, point(4, 9)), sink),
    ):
        await sink.said(4, 42)
        await sink.said(3, 1)
    assert [sink.last(n).value for n in (1, 2)] == [1, 0]


async def test_the_right_reply_of_the_same_server_is_taken() -> None:
    sink = Heard()
    async with RawServer(reply) as server, running(collector(HandClock(), server.port, point(1, 0)), sink):
        await sink.said(1, 42)


async def test_a_reply_that_comes_after_the_timeout_is_never_taken_for_the_next_one() -> None:
    """The first answers are kept back until the next connection asks: a gateway that muddles its callers."""
    kept: list[bytes] = []

    def late(asked: bytes) -> bytes | None:
        kept.append(reply(asked, pdu=b"\x03\x02\x00\x07"))
        return None if len(kept) <= 2 else b"".join(kept[:2]) + reply(asked)

    async with RawServer(late) as server:
        sink = Heard()
        async with running(collector(HandClock(), server.port, point(1, 0), timeout="50ms"), sink) as task:
            assert "No response" in await lost(task)
        async with running(collector(HandClock(), server.port, point(1, 0)), sink):
            await sink.until(lambda: len(sink.batches) == 1)
    assert [s.value for s in sink.of(1)] == [42]


# ------------------------------------------------------------------ several devices
class Gateway:
    """Units behind one address; `away` keep silent, or say `why` as an exception. Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.away: set[int] = set()
        self.why: int | None = None

    def __call__(self, asked: bytes) -> bytes | None:
        unit = asked[6]
        self.asked.append(unit)
        assert len(asked) == 12, "a question before the last one was answered"
        if unit not in self.away:
            return reply(asked, pdu=b"\x03\x02\x00" + bytes([unit]))
        return None if self.why is None else reply(asked, pdu=bytes([0x83, self.why]))


UNITS = (point(1, 0, unit=11), point(2, 0, unit=12), point(3, 0))


@pytest.mark.parametrize("why", [None, 6, 10, 11], ids=["silent", "busy", "no path", "no answer"])
async def test_a_dead_unit_behind_a_gateway_is_lost_alone_and_asked_seldom(why: int | None) -> None:
    gateway, clock, sink = Gateway(), HandClock(), Heard()
    gateway.away, gateway.why = {12}, why
    async with RawServer(gateway) as server, running(collector(clock, server.port, *UNITS), sink):
        await sink.said(3, 1)
        await sink.until(lambda: bool(sink.of(2)))
        assert sink.last(2)[1:] == (None, BAD_NO_COMMUNICATION)
        assert sink.last(1).value == 11
        gateway.asked.clear()
        await ticks(clock, sink, 1)
        assert gateway.asked == [1, 11]
        gateway.away = set()
        await ticks(clock, sink, 1)
        await asleep(clock)
        await ticks(clock, sink, 1)
        await sink.said(2, 12)
        assert len(sink.of(2)) == 2  # lost once, then well


async def test_a_gateway_whose_units_are_all_silent_is_a_lost_source() -> None:
    gateway = Gateway()
    gateway.away = {1, 11, 12}
    async with RawServer(gateway) as server:
        one = collector(HandClock(), server.port, *UNITS, timeout="50ms")
        async with running(one, Heard()) as task:
            assert "no unit answers" in await lost(task)


async def test_an_answer_that_comes_after_its_unit_was_given_up_is_not_taken() -> None:
    """It arrives together with the next unit's answer."""
    kept: list[bytes] = []

    def muddled(asked: bytes) -> bytes | None:
        if asked[6] == 11:
            kept.append(reply(asked, pdu=b"\x03\x02\x00\x07"))
            return None
        return b"".join(kept) + reply(asked)

    clock, sink = HandClock(), Heard()
    async with RawServer(muddled) as server, running(collector(clock, server.port, *UNITS), sink):
        await sink.said(2, 42)
        await sink.said(3, 42)
        await sink.until(lambda: bool(sink.of(1)))
    assert [s.value for s in sink.of(1)] == [None]


async def test_units_that_die_together_hold_up_the_others_for_one_silence_each() -> None:
    """Each silence takes a second of the clock: the second questions stand back behind the others' rounds."""
    gateway, clock, sink = Gateway(), HandClock(), Heard()
    units = (1, 11, 12, 13, 14)
    points = [point(n, 0, unit=unit) for n, unit in enumerate(units, 1)]

    def silence(asked: bytes) -> bytes | None:
        if (answer := gateway(asked)) is None:
            clock.turn(1)
        return answer

    async with (
        RawServer(silence) as server,
        running(collector(clock, server.port, *points, timeout="30ms"), sink),
    ):
        await sink.said(5, 14)
        gateway.asked.clear()
        gateway.away = {11, 12, 13}
        await ticks(clock, sink, 1)
        await sink.until(lambda: len(sink.of(4)) == 2)
    assert gateway.asked[:12] == [*units, 11, 1, 14, 12, 1, 14, 13]
    assert [len(sink.of(n)) for n in (2, 3, 4)] == [2, 2, 2]  # well, then lost once
    assert all(sink.last(n)[1:] == (None, BAD_NO_COMMUNICATION) for n in (2, 3, 4))


@pytest.mark.parametrize("at_first", [(2, 3, 4), ()], ids=["off", "answered it before"])
async def test_a_unit_that_never_answers_for_one_address_comes_back_all_the_same(
    at_first: tuple[int, ...],
) -> None:
    device, clock, sink = Picky(), HandClock(), Heard()
    device.mute = {(12, n) for n in at_first}
    points = [point(1, 5, unit=11), *(point(n, n, unit=12) for n in (2, 3, 4))]
    one = partial(collector, clock, timeout="30ms")
    async with RawServer(device) as server, running(one(server.port, *points), sink):
        await sink.until(lambda: bool(sink.of(4)))
        device.mute = {(12, 3)}
        await ticks(clock, sink, 1)
        await sink.until(lambda: sink.of(4)[-1][1:] == (None, BAD_NO_COMMUNICATION))
        for _ in range(200):
            if sink.last(4).value == 4:
                break
            await ticks(clock, sink, 1)
    assert [sink.last(n).value for n in (2, 4)] == [2, 4]
    assert sink.last(3)[1:] == (None, BAD_TIMEOUT)


async def test_a_register_that_answers_again_loses_no_device_that_keeps_silent_for_another() -> None:
    device, clock, sink = Picky(), HandClock(), Heard()
    device.mute, device.failing, device.code = {(1, 3)}, {(1, 6)}, 2
    points = [point(n, n) for n in range(2, 8)]
    async with (
        RawServer(device) as server,
        running(collector(clock, server.port, *points, timeout="30ms"), sink) as task,
    ):
        await sink.until(lambda: bool(sink.of(6)))
        assert (sink.last(3).status, sink.last(6).status) == (BAD_TIMEOUT, BAD_OUT_OF_RANGE)
        device.failing = set()
        for seconds in (30, 30, 1):  # the first go comes to the silent one, and no further
            await ticks(clock, sink, seconds)
        assert not task.done()
        assert [sink.last(n).value for n in (2, 3, 6)] == [2, None, 6]


def _heard(sink: Heard, times: int) -> bool:
    return len(sink.of(1)) == times


async def test_one_dead_device_among_a_hundred_holds_nobody_up() -> None:
    """Its question stays unanswered for as long as the test lasts; the others go from round to round."""
    async with RawServer(reply) as good, RawServer(lambda _: None) as dead:
        clock, sinks = HandClock(), [Heard() for _ in range(100)]
        ports = [dead.port, *[good.port] * 99]
        devices = [collector(clock, port, point(1, 0), timeout="1h") for port in ports]
        tasks = [asyncio.create_task(d.run(s)) for d, s in zip(devices, sinks, strict=True)]
        for rounds in range(1, 4):
            for sink in sinks[1:]:
                await sink.until(partial(_heard, sink, rounds), 60)
            async with asyncio.timeout(60):
                while len(clock._sleepers) < 99:
                    await asyncio.sleep(0.001)
            clock.turn(1)
        assert sinks[0].batches == []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ------------------------------------------------------------------ what a device allows
async def test_a_device_that_gives_fewer_registers_at_once_is_asked_as_it_wants_from_then_on() -> None:
    def at_most_10(asked: bytes) -> bytes:
        count = int.from_bytes(asked[10:12], "big")
        counts.append(count)
        return reply(asked, pdu=b"\x83\x02" if count > 10 else bytes([3, 2 * count]) + bytes(2 * count))

    counts: list[int] = []
    clock, sink = HandClock(), Heard()
    points = [point(n, n) for n in range(1, 41)]
    async with RawServer(at_most_10) as server, running(collector(clock, server.port, *points), sink):
        await sink.said(40, 0)
        counts.clear()
        await ticks(clock, sink, 1)
    assert counts == [10, 10, 10, 10]


def cut_off_at(memory: int) -> Any:
    """Like jsmodbus: past its memory it answers with what there is, where exception 2 is meant."""

    def answer(asked: bytes) -> bytes:
        start, count = struct.unpack(">HH", asked[8:12])
        there = max(min(count, memory - start), 0)
        data = b"".join(struct.pack(">H", n) for n in range(start, start + there))
        return reply(asked, pdu=bytes([3, len(data)]) + data)

    return answer


async def test_a_device_that_cuts_off_at_its_memorys_end_loses_only_the_points_behind_it() -> None:
    clock, sink = HandClock(), Heard()
    points = [point(1, 7), point(2, 9), point(3, 10), point(4, 12, type="float32")]
    async with RawServer(cut_off_at(10)) as server:
        one = collector(clock, server.port, *points)
        async with running(one, sink):
            assert (await sink.said(1, 7)).status.is_good
            await ticks(clock, sink, 1)
        found = await one.probe()
    assert [s.value for s in sink.of(2)] == [9, 9]
    assert [sink.last(n).status for n in (3, 4)] == [BAD_OUT_OF_RANGE] * 2
    assert sum("fewer registers" in text for text in found.values()) == 2


async def test_a_short_answer_that_does_not_come_again_ends_the_line() -> None:
    """It may be the answer to somebody else's question: then nothing on this line can be trusted."""
    short = iter([True])
    one_register = b"\x03\x02\x00\x07"

    async with RawServer(
        lambda asked: reply(asked, pdu=one_register if next(short, False) else b"\x03\x04\x00\x01\x00\x02")
    ) as server:
        sink = Heard()
        async with running(collector(HandClock(), server.port, point(1, 0), point(2, 1)), sink) as task:
            assert "got 2" in await lost(task)
    assert sink.batches == []


@pytest.mark.parametrize("code", [5, 6], ids=["acknowledge", "busy"])
async def test_a_device_that_is_busy_now_and_then_is_asked_again_and_loses_nothing(code: int) -> None:
    asked_at_all: list[bytes] = []

    def now_and_then(asked: bytes) -> bytes:
        asked_at_all.append(asked)
        return reply(asked, pdu=bytes([0x83, code])) if len(asked_at_all) % 2 else reply(asked)

    clock, sink = HandClock(), Heard()
    async with (
        RawServer(now_and_then) as server,
        running(collector(clock, server.port, point(1, 0), timeout="5s"), sink),
    ):
        await sink.said(1, 42)
        await ticks(clock, sink, 1)
    assert [s.value for s in sink.of(1)] == [42, 42]
    assert len(asked_at_all) == 4


async def test_an_answer_in_another_units_name_says_which_unit_it_is() -> None:
    async with (
        RawServer(lambda asked: reply(asked, unit=0)) as server,
        running(collector(HandClock(), server.port, point(1, 0)), Heard()) as task,
    ):
        assert "unit 1 was asked and 0 answers; correct unit:" in await lost(task)


async def test_two_collectors_at_one_gateway_ask_one_question_at_a_time() -> None:
    """A gateway has one wire behind it; many lose or mix up what is asked at once."""
    under_way, most, loop = 0, 0, asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        with contextlib.suppress(ConnectionError):
            while asked := await reader.read(4096):
                under_way += 1
                most = max(most, under_way)
                answered = loop.create_future()
                loop.call_later(0.005, answered.set_result, None)  # as long as the wire takes
                await answered
                under_way -= 1
                writer.write(reply(asked))
        writer.close()

    gateway = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = gateway.sockets[0].getsockname()[1]
    clock, sinks = HandClock(), [Heard() for _ in range(3)]
    several = [collector(clock, port, point(1, 0), point(2, 200), unit=n) for n in (1, 2, 3)]
    tasks = [asyncio.create_task(one.run(sink)) for one, sink in zip(several, sinks, strict=True)]
    for sink in sinks:
        await sink.said(2, 42)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gateway.close()
    await gateway.wait_closed()
    assert most == 1


async def test_no_question_is_longer_than_the_configuration_says() -> None:
    points = [point(n, n) for n in range(1, 41)]
    async with polling({"holding": {n: n for n in range(1, 41)}}, *points, max_registers=16) as scene:
        await scene.sink.said(40, 40)
    assert sorted(scene.device.requests) == [("holding", 1, 16), ("holding", 17, 16), ("holding", 33, 8)]


async def test_each_group_is_read_at_its_own_interval() -> None:
    points = (point(1, 0, group="quick"), point(2, 100), point(3, 200, group="slow"))
    groups = {"quick": "15.625ms", "slow": "2s"}
    async with polling({"holding": {0: 1, 100: 2, 200: 3}}, *points, groups=groups) as scene:
        await scene.sink.until(lambda: len(scene.sink.batches) == 3)
        for step in range(1, 129):
            await asleep(scene.clock)
            scene.device.memory["holding"][0] = step
            scene.clock.turn(1 / 64)
            await scene.sink.said(1, step)
        await scene.sink.until(lambda: len(scene.sink.of(3)) == 2)
    asked = [address for _, address, _ in scene.device.requests]
    assert (asked.count(0), asked.count(100), asked.count(200)) == (129, 3, 2)


# ------------------------------------------------------------------ some of a device
class Picky:
    """Answers registers with their address; `mute` ones are not answered, `failing` ones with `code`."""

    def __init__(self) -> None:
        self.mute: set[tuple[int, int]] = set()  # unit, register
        self.failing: set[tuple[int, int]] = set()
        self.code = 4
        self.asked: list[tuple[int, int, int]] = []
        self.late = 0  # questions that are not answered at all

    def __call__(self, asked: bytes) -> bytes | None:
        unit, function, start, count = struct.unpack(">BBHH", asked[6:12])
        self.asked.append((unit, start, count))
        wanted = {(unit, n) for n in range(start, start + count)}
        if self.late or wanted & self.mute:
            self.late = max(self.late - 1, 0)
            return None
        if wanted & self.failing:
            return reply(asked, pdu=bytes([function | 0x80, self.code]))
        data = b"".join(struct.pack(">H", n) for n in range(start, start + count))
        return reply(asked, pdu=bytes([function, len(data)]) + data)


@pytest.mark.parametrize("code", [4, 8], ids=["failure", "parity"])
async def test_a_unit_that_can_read_nothing_is_lost_alone_and_comes_back(code: int) -> None:
    device, clock, sink = Picky(), HandClock(), Heard()
    device.failing, device.code = {(12, 7)}, code
    points = (point(1, 5, unit=11), point(2, 7, unit=12, group="slow"))
    async with (
        RawServer(device) as server,
        running(collector(clock, server.port, *points, groups={"slow": "2s"}), sink) as task,
    ):
        await sink.until(lambda: bool(sink.of(1) and sink.of(2)))
        assert sink.last(2)[1:] == (None, BAD_NO_COMMUNICATION)
        await ticks(clock, sink, 1)
        assert sink.last(1).value == 5
        device.failing = set()
        for _ in range(4):
            await ticks(clock, sink, 1)
        await sink.said(2, 7)
        assert not task.done()
    assert len([s for s in sink.of(2) if s.value is None]) == 1


async def test_one_register_that_fails_in_a_group_of_its_own_costs_no_other() -> None:
    device, sink = Picky(), Heard()
    device.failing = {(1, 7)}
    points = (point(1, 5), point(2, 7, group="slow"))
    async with (
        RawServer(device) as server,
        running(collector(HandClock(), server.port, *points, groups={"slow": "2s"}), sink),
    ):
        await sink.until(lambda: bool(sink.of(1) and sink.of(2)))
    assert sink.last(1).value == 5
    assert sink.last(2)[1:] == (None, BAD_DEVICE_FAILURE)


async def test_of_many_refused_registers_each_has_its_turn_to_be_asked_again() -> None:
    refused = range(0, 120, 10)
    memory = {"holding": {a: a for a in range(300) if a not in refused}}
    points = [point(n + 1, n * 10) for n in range(12)]
    async with polling(memory, *points, point(13, 200)) as scene:
        await scene.sink.said(13, 200)
        scene.device.memory["holding"][110] = 7
        for _ in range(32):
            await ticks(scene.clock, scene.sink, 1)
        assert scene.sink.last(12).value == 7


async def test_a_late_answer_costs_a_second_question_and_no_sample() -> None:
    device, clock, sink = Picky(), HandClock(), Heard()
    points = (point(1, 5, unit=11), point(2, 7, unit=12), point(3, 90, unit=12))
    async with (
        RawServer(device) as server,
        running(collector(clock, server.port, *points, timeout="50ms"), sink),
    ):
        await sink.until(lambda: bool(sink.of(3)))
        for rounds in (2, 3):
            device.late = 1
            await ticks(clock, sink, 1)
            await sink.until(partial(_heard, sink, rounds))
    assert [[s.value for s in sink.of(n)] for n in (1, 2, 3)] == [[5] * 3, [7] * 3, [90] * 3]


@pytest.mark.parametrize("mute", [20, 500], ids=["in a block", "alone"])
async def test_an_address_that_is_never_answered_is_bad_alone_and_asked_again(mute: int) -> None:
    device, clock, sink = Picky(), HandClock(), Heard()
    device.mute = {(1, mute)}
    addresses = [*range(10, 26), 400, 500]
    points = [point(n, address) for n, address in enumerate(addresses, 1)]
    spoilt = addresses.index(mute) + 1
    async with RawServer(device) as server:
        one = collector(clock, server.port, *points, timeout="30ms")
        async with running(one, sink):
            await sink.until(lambda: bool(sink.batches))
            assert sink.last(spoilt)[1:] == (None, BAD_TIMEOUT)
            assert all(sink.last(n).value == a for n, a in enumerate(addresses, 1) if a != mute)
            device.asked.clear()
            await ticks(clock, sink, 1)
            assert not any(start <= mute < start + count for _, start, count in device.asked)
            device.mute = set()
            await ticks(clock, sink, 30)
            await ticks(clock, sink, 1)
        assert sink.last(spoilt).value == mute
        assert not [f for f in (await one.probe()).values() if "✗" in f]
        device.mute = {(1, mute)}
        found = await one.probe()
    assert [key for key, text in found.items() if "keeps silent" in text] == [f"holding {mute} (m/t{spoilt})"]
    assert f"{len(addresses) - 1} of {len(addresses)} points answer" in " ".join(found.values())


@pytest.mark.parametrize("mute", [{2}, {5}, {9}, {2, 9}, {4, 6}], ids=str)
async def test_addresses_that_are_never_answered_hide_no_device_with_one_block(mute: set[int]) -> None:
    device, sink = Picky(), Heard()
    device.mute = {(1, address) for address in mute}
    points = [point(n, n) for n in range(2, 10)]
    async with RawServer(device) as server:
        one = collector(HandClock(), server.port, *points, timeout="20ms")
        async with running(one, sink):
            await sink.until(lambda: bool(sink.batches), 2)
        found = await one.probe()
    assert {key for key, text in found.items() if "✗" in text} == {f"holding {n} (m/t{n})" for n in mute}
    assert all(sink.last(n)[1:] == (None, BAD_TIMEOUT) for n in mute)
    assert all(sink.last(n).value == n for n in range(2, 10) if n not in mute)


async def test_a_device_that_keeps_silent_for_each_hole_between_its_points_is_read_point_by_point() -> None:
    """None of its blocks is ever answered, nor is a half or a quarter of one."""
    device, clock, sink = Picky(), HandClock(), Heard()
    addresses = [*range(2, 34, 2), *range(134, 166, 2)]
    points = [point(n, address) for n, address in enumerate(addresses, 1)]
    device.mute = {(1, n) for n in range(1, 200, 2)}
    async with RawServer(device) as server:
        one = collector(clock, server.port, *points, timeout="10ms")
        async with running(one, sink) as task:
            await sink.until(lambda: bool(sink.batches), 2)
            for _ in range(9):
                await ticks(clock, sink, 30)
            assert not task.done()
    assert [sink.last(n).value for n in range(1, 33)] == addresses


async def test_a_device_that_says_nothing_is_given_up_after_few_questions_and_told_with_the_address() -> None:
    device = Picky()
    device.late = 99
    points = [point(n + 1, 100 * n) for n in range(8)]
    async with RawServer(device) as server:
        one = collector(HandClock(), server.port, *points, timeout="30ms")
        async with running(one, Heard()) as task:
            assert "for holding " in await lost(task)
        assert len(device.asked) == 3
        assert any("is unit: right" in text for text in (await one.probe()).values())
