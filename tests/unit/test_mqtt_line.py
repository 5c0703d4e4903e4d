"""What a broker may send: thousands of spoiled talks, none of which ends in anything but an error of ours."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from collectors.mqtt_broker import BrokerBlock
from collectors.mqtt_line import Line, Message
from hub.errors import AndonError, SourceUnavailable

pytestmark = pytest.mark.anyio

GREETING = {"3.1.1": b"\x20\x02\x00\x00", "5": b"\x20\x03\x00\x00\x00"}
TALK = {
    "3.1.1": b"\x90\x03\x00\x01\x01" b"\x32\x08\x00\x03a/b\x00\x075" b"\xd0\x00"
    b"\x34\x08\x00\x03a/b\x00\x085" b"\x62\x02\x00\x08",
    "5": b"\x90\x04\x00\x01\x00\x01" b"\x32\x0e\x00\x03a/b\x00\x07\x05\x02\x00\x00\x00\x095" b"\xd0\x00"
    b"\x34\x09\x00\x03a/b\x00\x08\x005" b"\x62\x02\x00\x08" b"\xe0\x02\x8b\x00",
}  # fmt: skip

TWICE = b"\x34\x08\x00\x03a/b\x00\x085"
PING, PONG = b"\xc0\x00", b"\xd0\x00"


class Wire(asyncio.Transport):
    """Takes what is sent, and says whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0


def up(version: str, largest: int = 4096) -> tuple[Line, Any, Wire]:
    settings = {"broker": "mqtt://h", "security": "none", "version": version, "largest": largest}
    line, wire = Line(BrokerBlock.model_validate(settings), "me"), Wire()
    line._greeted = asyncio.get_running_loop().create_future()
    pipe = line._pipe
    pipe.connection_made(wire)
    line._connect("h", 1883)
    pipe.data_received(GREETING[version])
    assert line._greeted.done()
    return line, pipe, wire


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_talk_cut_anywhere_into_pieces_says_the_same(version: str) -> None:
    for at in range(1, len(TALK[version])):
        line, pipe, _ = up(version)
        pipe.data_received(TALK[version][:at])
        pipe.data_received(TALK[version][at:])
        heard = await line.next(0)
        assert [(m.topic, m.payload, m.qos) for m in heard] == [("a/b", b"5", 1), ("a/b", b"5", 2)]


async def test_nothing_is_acknowledged_before_the_house_has_it() -> None:
    line, pipe, wire = up("3.1.1")
    wire.sent = b""
    pipe.data_received(b"\x32\x08\x00\x03a/b\x00\x075" + TWICE)
    heard = await line.next(0)
    assert wire.sent == b""
    line.done(heard)
    assert wire.sent == b"\x40\x02\x00\x07\x50\x02\x00\x08"
    wire.sent = b""
    pipe.data_received(b"\x62\x02\x00\x08")  # the broker lets go of the second
    assert wire.sent == b"\x70\x02\x00\x08"


async def test_a_message_of_quality_2_is_heard_once_until_the_broker_ends_it() -> None:
    line, pipe, wire = up("3.1.1")
    pipe.data_received(TWICE)
    line.done(await line.next(0))
    wire.sent = b""
    pipe.data_received(TWICE)
    assert (await line.next(0), wire.sent) == ([], b"\x50\x02\x00\x08")
    pipe.data_received(b"\x62\x02\x00\x08\x62\x02\x00\x09")  # 9: from a connection before this one
    assert wire.sent.endswith(b"\x70\x02\x00\x08\x70\x02\x00\x09")
    pipe.data_received(TWICE)
    assert len(await line.next(0)) == 1, "its number is free again"


async def test_messages_that_a_broker_begins_and_never_ends_cost_no_more_than_their_numbers() -> None:
    line, pipe, _ = up("3.1.1")
    for number in range(1, 2000):
        whole = b"\x00\x01a" + number.to_bytes(2, "big") + b"9" * 3000
        pipe.data_received(b"\x34" + bytes((len(whole) & 0x7F | 0x80, len(whole) >> 7)) + whole)
        [heard] = await line.next(0)
        line.done([heard])
    assert not line._packets._in_messages
    assert len(line._packets._unended) == 1999


async def test_one_ping_at_a_time_tells_how_far_the_broker_has_heard_us() -> None:
    line, pipe, wire = up("3.1.1")
    line._lasting = 60
    for number in (1, 2, 3):
        pipe.data_received(b"\x32\x08\x00\x03a/b\x00" + bytes((number,)) + b"5")
        assert line.done(await line.next(0)) == number
    assert (wire.sent.count(PING), line.confirmed) == (1, 0)
    pipe.data_received(PONG)
    assert (wire.sent.count(PING), line.confirmed) == (2, 1)
    pipe.data_received(PONG)
    assert (wire.sent.count(PING), line.confirmed) == (2, 3)
    pipe.data_received(PONG)  # of nobody's asking
    assert line.done([]) == 0


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_spoiled_talks_end_the_line_or_are_told_as_they_came(version: str) -> None:
    chance = random.Random(20)
    outcomes = {"ended": 0, "heard": 0}
    for _ in range(1500):
        line, pipe, wire = up(version)
        said = bytearray(TALK[version])
        for _ in range(chance.randint(1, 4)):
            where = chance.randrange(len(said))
            match chance.randrange(4):
                case 0:
                    said[where] ^= 1 << chance.randrange(8)
                case 1:
                    del said[where:]
                    said += b"\x00"
                case 2:
                    said[where] = chance.choice((0, 0x7F, 0x80, 0xFF))
                case _:
                    said.insert(where, chance.randrange(256))
        pipe.data_received(bytes(said))
        try:
            heard = await line.next(0)
        except AndonError:
            outcomes["ended"] += 1
            assert wire.closed
            continue
        outcomes["heard"] += 1
        assert all(isinstance(m, Message) for m in heard)
    assert min(outcomes.values()) > 50, outcomes


def large(first: bytes, head: bytes, size: int) -> bytes:
    """A packet of a length that is told in three bytes."""
    told = bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14))
    return first + told + head + b"9" * (size - len(head))


@pytest.mark.parametrize(("version", "none"), [("3.1.1", b""), ("5", b"\x00")])
@pytest.mark.parametrize("size", [16_384, 65_539, 65_540, 65_541, 200_000, 2_000_000])
async def test_a_message_that_is_too_large_is_thrown_away_as_it_comes(
    version: str, none: bytes, size: int
) -> None:
    after = b"\x32" + bytes((8 + len(none),)) + b"\x00\x03a/b\x00\x09" + none + b"5"
    whole = large(b"\x34", b"\x00\x03a/b\x00\x08" + none, size)
    for piece in (len(whole) + len(after), 65_536, 60_001):
        line, pipe, wire = up(version)
        wire.sent, told, held = b"", whole + after, 0
        for at in range(0, len(told), piece):
            pipe.data_received(told[at : at + piece])
            held = max(held, pipe.waiting + len(line._packets._in_packet["packet"]))
        left_out, heard = await line.next(0)
        assert held < 66_000
        assert left_out == Message("a/b", b"", 2, False, False, 8, left_out=size)
        assert (heard.payload, heard.left_out, wire.sent) == (b"5", 0, b"")
        line.done([left_out])
        assert wire.sent == b"\x50\x02\x00\x08"


async def test_a_topic_as_long_as_they_may_be_is_told_of_a_message_that_is_too_large() -> None:
    line, pipe, _ = up("3.1.1")
    pipe.data_received(large(b"\x32", b"\xff\xff" + b"t" * 65_535 + b"\x00\x08", 70_000))
    [heard] = await line.next(0)
    assert (len(heard.topic), heard.number, heard.left_out) == (65_535, 8, 70_000)


@pytest.mark.parametrize(
    "said",
    [
        b"\x30\xff\xff\xff\x7f",  # 256 MB to come
        large(b"\x90", b"\x00\x01", 20_000),  # no message
        b"\x30\x81\x80\x80\x20",  # one byte more than 64 MB
    ],
)
async def test_what_is_beyond_all_measure_ends_the_line_at_its_first_bytes(said: bytes) -> None:
    line, pipe, wire = up("3.1.1")
    pipe.data_received(said)
    with pytest.raises(SourceUnavailable, match="more than 4096 bytes"):
        await line.next(0)
    assert wire.closed


async def test_another_client_of_our_name_is_told_as_such() -> None:
    line, pipe, _ = up("5")
    pipe.data_received(b"\xe0\x02\x8e\x00")
    with pytest.raises(SourceUnavailable, match="give each hub its own"):
        await line.next(0)
