"""A hostile Modbus device: answers of a real one, spoilt, towards our collector."""

from __future__ import annotations

import asyncio
import random
from functools import partial

from collectors.modbus import ModbusCollector
from hub.clock import SystemClock
from hub.model.sample import Tag
from hub.model.words import Words
from tests.fuzz.mutations import mutated, other_than
from tests.fuzz.stand import Answer, Outcome, Recorder, Shelf, luck, many, messages, playing
from tests.simulators.devices import Heard, ModbusDevice

TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, 12)}
RIGHT, POISON = 1000, 0xDEAD
_FIELDS = {"transaction": (0, 2), "protocol": (2, 2), "length": (4, 2), "unit": (6, 1), "function": (7, 1),
           "bytes": (8, 1)}  # fmt: skip
_ANSWERS = 8  # of a connection, before it ends


def cut(held: bytes) -> int:
    """Length of the first message, 0 while it is not whole."""
    size = 6 + int.from_bytes(held[4:6], "big") if len(held) >= 6 else 0
    return size if size and len(held) >= size else 0


def _collector(port: int) -> ModbusCollector:
    points = [{"tag": f"m/t{n}", "address": n} for n in range(1, 11)]
    block = {"host": "127.0.0.1", "port": port, "points": points, "timeout": "50ms", "every": "10ms"}
    return ModbusCollector(ModbusCollector.Config.model_validate(block), SystemClock(), TAGS, "press")


async def recorded() -> bytes:
    """The answer of a real server to our question for ten registers."""
    memory = {"holding": dict.fromkeys(range(1, 11), RIGHT)}
    async with ModbusDevice(memory) as device, Recorder(device.port) as between:
        sink = Heard()
        task = asyncio.create_task(_collector(between.port).run(sink))
        await sink.said(1, RIGHT)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return messages(between.talks[0], "server", cut)[0]


def _spoilt(rng: random.Random, right: bytes, earlier: bytes) -> bytes:
    """Mostly a wrong head with values that nobody has; those must never count."""
    poison = right[:9] + POISON.to_bytes(2, "big") * 10
    match rng.choice(("field", "field", "field", "late", "before", "bytes")):
        case "field":
            at, size = _FIELDS[rng.choice(list(_FIELDS))]
            worth = other_than(rng, int.from_bytes(right[at : at + size], "big"), size)
            return poison[:at] + worth.to_bytes(size, "big") + poison[at + size :]
        case "late":  # to a question before this one, and nothing to this one
            return earlier + poison[2:]
        case "before":  # the same, and then ours
            return earlier + poison[2:] + right
        case _:
            return mutated(rng, right)


def answers(number: int, seed: int, answer: bytes) -> Answer:
    rng = luck(seed, number)
    wrong_one = rng.randrange(3)
    asked = 0

    def reply(question: bytes) -> bytes | None:
        nonlocal asked
        asked += 1
        if asked > _ANSWERS:
            return None
        right = question[:2] + answer[2:]
        if asked - 1 != wrong_one:
            return right
        earlier = ((int.from_bytes(question[:2], "big") - 1) % 0x10000).to_bytes(2, "big")
        return _spoilt(rng, right, earlier)

    return reply


async def fuzz(count: int, seed: int = 1) -> Outcome:
    answer, out, known = await recorded(), Outcome(), {t.number for t in TAGS.values()}

    async def one(number: int) -> str:
        shelf = Shelf(out, number, known, POISON)
        async with playing(cut, partial(answers, number, seed, answer)) as port:
            await _collector(port).run(shelf)
        return "ended"

    return await many(count, one, out)
