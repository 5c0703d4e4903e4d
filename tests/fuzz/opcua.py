"""A hostile OPC UA server: what a real one said to our collector, spoilt."""

from __future__ import annotations

import asyncio
import random
import struct
from functools import partial

from asyncua import ua

from collectors.opcua import OpcUaCollector
from hub.clock import SystemClock
from hub.model.sample import Tag
from hub.model.words import Words
from tests.fuzz.mutations import mutated, other_than
from tests.fuzz.stand import Answer, Outcome, Recorder, Shelf, luck, many, messages, playing
from tests.simulators.devices import Heard, OpcUaPlant

TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, 6)}
RIGHT, POISON = 1234.5, 6666.25
_HEAD = {"channel": 8, "token": 12, "request": 20}  # of a message, four bytes each
PUBLISHED = b"\x01\x00\x3d\x03"  # i=829, a publish response
_SUBSCRIPTION = 52
_AT_ONCE = 16
_SIZE, _HUGE = 65_000, 0.01  # bytes of a chunk; which part of the inputs is more than we take


def cut(held: bytes) -> int:
    size = int.from_bytes(held[4:8], "little") if len(held) >= 8 else 0
    return size if size >= 8 and len(held) >= size else 0


def request_of(message: bytes) -> int:
    """Where the number of the request stands; 0 of a hello."""
    if message[:3] != b"OPN":
        return 20 if message[:3] in (b"MSG", b"CLO") else 0
    at = 12
    for _ in range(3):
        at += 4 + max(int.from_bytes(message[at : at + 4], "little", signed=True), 0)
    return at + 4


def number_of(message: bytes) -> int:
    at = request_of(message)
    return int.from_bytes(message[at : at + 4], "little") if at else 0


def collector(endpoint: str, timeout: str = "300ms") -> OpcUaCollector:
    names = ("speed", "mode", "flag", "list", "count")
    nodes = [{"tag": f"m/t{n}", "node": f"nsu={OpcUaPlant.NAMESPACE};s={x}"} for n, x in enumerate(names, 1)]
    block = {"endpoint": endpoint, "security": "none", "interval": "50ms", "timeout": timeout,
             "keep_alive": "100ms", "nodes": nodes}  # fmt: skip
    return OpcUaCollector(OpcUaCollector.Config.model_validate(block), SystemClock(), TAGS, "cnc")


async def recorded() -> list[bytes]:
    """A real server's answers, by the place of their questions."""
    T = ua.VariantType
    shown = {
        "speed": ua.Variant(RIGHT, T.Double), "mode": ua.Variant("RUN", T.String),
        "flag": ua.Variant(True, T.Boolean), "list": ua.Variant([1.0, 2.0], T.Double),
        "count": ua.Variant(7, T.Int16),
    }  # fmt: skip
    async with OpcUaPlant(shown) as plant:
        host, _, port = plant.endpoint.removeprefix("opc.tcp://").partition(":")
        number, _, path = port.partition("/")
        async with Recorder(int(number)) as between:
            sink = Heard()
            where = f"opc.tcp://{host}:{between.port}/{path}"
            task = asyncio.create_task(collector(where, "5s").run(sink))
            await sink.said(1, RIGHT)
            for more in range(3):
                await plant.show("count", ua.Variant(8 + more, T.Int16), SystemClock().now())
                await sink.said(5, 8 + more)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            talk = between.talks[0]
    asked, told = messages(talk, "client", cut), messages(talk, "server", cut)
    by_number = {number_of(m): m for m in told}
    found = [by_number.get(number_of(m), b"") for m in asked]
    while found and not (found[-1][:3] == b"MSG" and found[-1][24:28] == PUBLISHED):
        found.pop()  # the goodbye
    return found


def _poisoned(rng: random.Random, right: bytes) -> bytes:
    """A value that nobody has, under a head or a handle that is not ours."""
    told = struct.pack("<d", RIGHT)
    where = right.find(told)
    wrong = bytearray(right.replace(told, struct.pack("<d", POISON)))
    field = rng.choice(["channel", "token", "request", "request", "subscription", "handle"])
    at = _HEAD.get(field) or (_SUBSCRIPTION if field == "subscription" else where - 6)
    if field == "request":  # not one that was asked, or one that was answered long ago
        worth = rng.choice((0, 1, 2, 3, 0xFFFFFFFF, 4_000_000))
    elif field == "handle":
        worth = rng.choice((5, 6, 100, 0x7FFFFFFF, 0xFFFFFFFF))
    else:
        worth = other_than(rng, int.from_bytes(wrong[at : at + 4], "little"), 4)
    wrong[at : at + 4] = worth.to_bytes(4, "little")
    return bytes(wrong)


def _too_large(rng: random.Random, right: bytes) -> bytes:
    """More than we take in chunks as large as may be, with an end or without."""
    if right[:3] != b"MSG":
        return mutated(rng, right)
    count, sequence = rng.choice((17, 40)), int.from_bytes(right[16:20], "little")
    chunks = [
        b"MSG%c" % kind + _SIZE.to_bytes(4, "little") + right[8:16] + (sequence + n).to_bytes(4, "little")
        + right[20:24] + bytes(_SIZE - 24) for n, kind in enumerate(b"C" * count + b"F")
    ]  # fmt: skip
    return b"".join(chunks if rng.random() < 0.5 else chunks[:-1])


def answers(number: int, seed: int, replies: list[bytes], poisonous: list[int]) -> Answer:
    rng = luck(seed, number)
    kind = rng.random()
    published = [n for n, m in enumerate(replies) if m[24:28] == PUBLISHED]
    spoilt = rng.choice(poisonous if kind < 0.3 else published if kind < 0.6 else range(len(replies)))
    asked = -1

    def reply(question: bytes) -> bytes | None:
        nonlocal asked
        asked += 1
        if asked >= len(replies) or question[:3] == b"CLO":
            return None
        right = bytearray(replies[asked])
        if (at := request_of(bytes(right))) and right:
            right[at : at + 4] = number_of(question).to_bytes(4, "little")
        if asked != spoilt:
            return bytes(right)
        if kind > 1 - _HUGE:
            return _too_large(rng, bytes(right))
        return _poisoned(rng, bytes(right)) if kind < 0.3 else mutated(rng, bytes(right))

    return reply


async def fuzz(count: int, seed: int = 1) -> Outcome:
    replies, out, known = await recorded(), Outcome(), {t.number for t in TAGS.values()}
    poisonous = [n for n, m in enumerate(replies) if struct.pack("<d", RIGHT) in m]
    assert poisonous, "the recording holds no value"

    async def one(number: int) -> str:
        shelf = Shelf(out, number, known, POISON)
        async with playing(cut, partial(answers, number, seed, replies, poisonous)) as port:
            await collector(f"opc.tcp://127.0.0.1:{port}").run(shelf)
        return "ended"

    return await many(count, one, out, _AT_ONCE)
