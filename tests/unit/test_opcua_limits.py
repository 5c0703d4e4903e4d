"""What an OPC UA server may make us keep: a message that never ends is given up long before it fills us."""

from __future__ import annotations

import asyncio
import struct
import tracemalloc
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.client import ua_client
from asyncua.common.connection import MessageChunk
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import CryptographyNone, SecurityPolicyNone
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, variant_from_binary
from asyncua.ua.uaerrors import BadResponseTooLarge, BadTcpMessageTooLarge, BadTooManyOperations, UaError

from collectors.opcua_channel import CHUNK, MESSAGE, Channel, Limits, Protocol, Unanswered
from collectors.opcua_limits import MOST_ENTRIES
from collectors.opcua_line import Line
from collectors.opcua_portions import Portions
from collectors.opcua_structures import Structures
from hub.errors import SourceUnavailable

GIGABYTE = 1 << 30


def chunk(number: int, body: bytes, kind: int = ua.ChunkType.Intermediate, request: int = 1) -> Buffer:
    made = MessageChunk(CryptographyNone(), body, ua.MessageType.SecureMessage, kind)
    made.SequenceHeader.SequenceNumber, made.SequenceHeader.RequestId = number, request
    return Buffer(made.to_binary())


def heard(channel: Channel, data: Buffer) -> Any:
    return channel.receive_from_header_and_body(header_from_binary(data), data)


def test_a_gigabyte_of_chunks_without_the_last_one_costs_no_more_than_one_message() -> None:
    channel = Channel(SecurityPolicyNone(), Limits(MESSAGE))
    body, kept = b"\0" * (CHUNK - 200), 0
    tracemalloc.start()
    try:
        with pytest.raises(BadTcpMessageTooLarge):
            for number in range(1, GIGABYTE // CHUNK):
                assert heard(channel, chunk(number, body)) is None
                kept = number
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert kept * len(body) < 18 * MESSAGE, "it is not waited for any more"


def test_an_answer_that_is_too_large_is_thrown_away_and_the_next_one_is_read() -> None:
    channel = Channel(SecurityPolicyNone(), Limits(MESSAGE))
    body = b"\0" * (CHUNK - 200)
    for number in range(1, 40):
        assert heard(channel, chunk(number, body)) is None
    assert heard(channel, chunk(40, body, ua.ChunkType.Single)) == Unanswered(1, 0x80B90000)
    assert heard(channel, chunk(41, b"1234", ua.ChunkType.Single, request=2)).body().read(4) == b"1234"


@pytest.mark.parametrize("begun", [0, 3, 30])
def test_an_answer_that_the_server_gives_up_tells_why_to_the_one_who_asked(begun: int) -> None:
    """Part 6, clause 6.7.3; asyncua waited for it until the time was over."""
    channel = Channel(SecurityPolicyNone(), Limits(MESSAGE))
    for number in range(1, begun + 1):
        heard(channel, chunk(number, b"\0" * (CHUNK - 200)))
    why = struct.pack("<Ii", 0x80B80000, -1)
    told = heard(channel, chunk(begun + 1, why, ua.ChunkType.Abort))
    assert told == Unanswered(1, 0x80B90000 if begun == 30 else 0x80B80000)


def test_two_answers_at_once_that_are_too_large_end_the_line() -> None:
    channel = Channel(SecurityPolicyNone(), Limits(1 << 16))
    heard(channel, chunk(1, b"\0" * (CHUNK - 200)))
    heard(channel, chunk(2, b"\0" * (CHUNK - 200)))
    with pytest.raises(UaError, match="two messages at once"):
        heard(channel, chunk(3, b"", request=2))


@pytest.mark.parametrize("kind", [k for k in ua.VariantType if k.value not in range(1, 12)])
def test_a_list_that_says_it_is_long_is_not_begun(kind: ua.VariantType) -> None:
    """An array of Null takes no bytes at all: asyncua made one of two thousand million from these five."""
    bytes_of_it = struct.pack("<Bi", 0x80 | kind.value, 0x7FFFFFFF)
    with pytest.raises(UaError, match="can be read"):
        variant_from_binary(Buffer(bytes_of_it + b"\0" * 100))
    answer = ua.ReadResponse()
    empty = ua.ua_binary.struct_to_binary(answer)[:-8]  # without its two empty lists
    with pytest.raises(UaError, match="can be read"):
        struct_from_binary(ua.ReadResponse, Buffer(empty + struct.pack("<i", MOST_ENTRIES + 1) + b"\0" * 99))


def test_lists_in_lists_count_together() -> None:
    """An array of 20,000 arrays of 20,000 times nothing takes 100 KB, and gigabytes once it is read."""
    nothing = struct.pack("<Bi", 0x80, MOST_ENTRIES)
    bomb = struct.pack("<Bi", 0x80 | ua.VariantType.Variant.value, MOST_ENTRIES) + nothing * MOST_ENTRIES
    tracemalloc.start()
    try:
        for _ in range(2):  # each message begins anew
            with pytest.raises(UaError, match=r"lists of 120000 entries in one message"):
                variant_from_binary(Buffer(bytes(bytearray(bomb))))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [2, 60_000, 2_000_000])
def test_elements_of_a_structure_that_take_no_room_are_not_made(count: int) -> None:
    """The server tells what its types are made of: 60,000 times nothing takes four bytes."""
    outer, inner = ua.NodeId(1, 2), ua.NodeId(2, 2)
    kids = ua.StructureField(Name="kids", DataType=inner, ValueRank=ua.Int32(1))
    known = Structures(
        {outer: ua.StructureDefinition(Fields=[kids]), inner: ua.StructureDefinition()},
        _by_encoding={ua.NodeId(3, 2): outer},
    )
    told = ua.ExtensionObject(ua.NodeId(3, 2), struct.pack("<i", count) + b"\0" * 100_000)
    assert known.decoded(told) is told


def test_lists_of_a_length_that_servers_have_are_read_as_before() -> None:
    for value in ([1.5] * 50_000, ["a"] * MOST_ENTRIES, [None] * 3, []):
        kind = ua.VariantType.Double if value[:1] == [1.5] else ua.VariantType.String
        whole = ua.Variant(value, kind)
        assert variant_from_binary(Buffer(ua.ua_binary.variant_to_binary(whole))).Value == value


@pytest.mark.anyio
@pytest.mark.parametrize("given", [[], [1, 2, 3]], ids=["none", "more"])
async def test_a_server_that_answers_other_than_as_many_as_were_asked_is_asked_no_more(
    given: list[int],
) -> None:
    asked = 0

    async def ask(some: Sequence[str]) -> list[int]:
        nonlocal asked
        asked += 1
        return given

    with pytest.raises(SourceUnavailable, match=r"2 things were asked for and \d answered"):
        await Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1)).in_parts(["a", "b"], 10, ask)
    assert asked == 1


@pytest.mark.anyio
async def test_the_server_is_told_how_much_we_take_at_once() -> None:
    """node-opcua fills chunks as large as it is allowed; one larger than we take ends the line, for ever."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readexactly(28))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        line = Line(f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timedelta(seconds=4))
        with pytest.raises((OSError, UaError)):
            await line.open()
        await line.close()
    kind, _, _, receive, send, message, chunks = struct.unpack("<4s6I", await heard)
    assert (kind, receive, send, message, chunks) == (b"HELF", CHUNK, CHUNK, 1 << 20, 128)


class Server:
    """Answers so many at once, and refuses more; `alone` cannot be answered at all."""

    def __init__(self, most: int, alone: int = -1, error: type[UaError] = BadResponseTooLarge) -> None:
        self.most, self.alone, self.error, self.asked = most, alone, error, list[int]()

    async def ask(self, some: Sequence[int]) -> list[int]:
        self.asked.append(len(some))
        if len(some) > self.most or self.alone in some:
            raise self.error()
        return [10 * n for n in some]


@pytest.mark.anyio
async def test_what_was_too_large_is_asked_for_in_halves_and_remembered() -> None:
    line, server = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1)), Server(most=130)
    assert await line.in_parts(range(1000), 500, server.ask) == [10 * n for n in range(1000)]
    assert server.asked[:3] == [500, 250, 125]
    server.asked.clear()
    again = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1), line.portions)
    await again.in_parts(range(100), 500, server.ask)
    assert server.asked == [100]
    await again.in_parts(range(900), 500, server.ask, "monitor")
    assert server.asked[1:2] == [500], "another kind of question has answers of another size"


@pytest.mark.anyio
async def test_one_value_that_is_too_large_by_itself_does_not_make_all_questions_small() -> None:
    line, server = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1)), Server(most=500, alone=700)
    found = await line.in_parts(range(5000), 500, server.ask, alone=lambda n: -n)
    assert found == [-700 if n == 700 else 10 * n for n in range(5000)]
    assert server.asked[-1] > 200
    assert len(server.asked) < 120


@pytest.mark.anyio
async def test_what_a_server_never_takes_at_once_is_not_tried_again() -> None:
    line = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1))
    server = Server(most=100, error=BadTooManyOperations)
    await line.in_parts(range(5000), 500, server.ask)
    assert max(server.asked[3:]) == 62


@pytest.mark.anyio
async def test_what_cost_the_line_is_never_asked_for_again() -> None:
    """A controller that takes 8 KB hangs up on a longer request, each time anew."""
    line = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1))
    line._protocol = Protocol(1.0, SecurityPolicyNone(), MESSAGE)
    server = Server(most=300, error=BadTcpMessageTooLarge)
    with pytest.raises(SourceUnavailable, match=r"too large \(BadTcpMessageTooLarge\); asked for less"):
        await line.in_parts(range(5000), 500, server.ask, "monitor")
    again = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1), line.portions)
    await again.in_parts(range(5000), 500, server.ask, "monitor")
    assert server.asked == [500] + 20 * [250]


def test_portions_grow_no_further_than_at_first() -> None:
    portions = Portions()
    assert portions.too_large("read", 2) and portions.of("read", 4) == 1
    assert not portions.too_large("read", 1), "there is nothing smaller"
    for _ in range(100):
        portions.well("read", portions.of("read", 4), 4)
    assert portions.of("read", 4) == 4


@pytest.mark.anyio
async def test_a_channel_that_is_no_longer_renewed_ends_the_line() -> None:
    """asyncua's task ends without a word, and the line would stand until the server forgets it."""

    async def renew() -> None:
        raise AssertionError

    line = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1))
    line.client._renew_channel_task = asyncio.create_task(renew())
    await asyncio.wait({line.client._renew_channel_task})
    with pytest.raises(SourceUnavailable, match=r"could not be renewed \(AssertionError\)"):
        await line.next()


@pytest.mark.anyio
@pytest.mark.parametrize("told", [None, [None], [b"urn:x"], "urn:x"])
async def test_namespaces_that_are_none_end_the_line_with_an_error_of_ours(told: Any) -> None:
    line = Line("opc.tcp://127.0.0.1:1", timedelta(seconds=1))

    async def ask() -> Any:
        return told

    line.client.get_namespace_array = ask  # type: ignore[method-assign]
    with pytest.raises(SourceUnavailable, match="does not tell its namespaces"):
        await line.namespaces()


@pytest.mark.anyio
async def test_a_timeout_that_meets_a_lost_connection_is_no_cancellation() -> None:
    """With what asyncua brings along it was one, of nobody's, and ended the collector for good."""
    loop = asyncio.get_running_loop()
    lost: asyncio.Future[None] = loop.create_future()

    async def goodbye() -> None:
        async with asyncio.timeout(None) as patience:

            def both_at_once() -> None:
                lost.set_exception(ConnectionError("connection lost"))
                patience.reschedule(loop.time())

            loop.call_soon(both_at_once)
            await vars(ua_client)["wait_for"](lost, 4)

    with pytest.raises((TimeoutError, ConnectionError)):
        await goodbye()
