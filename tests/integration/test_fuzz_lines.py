"""Exchanges recorded from real servers, spoilt a few hundred times: nothing falls, hangs, grows or lies.

ANDON_FUZZ=20000 plays so many inputs of each kind; `make bench BENCH=fuzz` does, and tells the figures.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import pytest

from hub.errors import SourceUnavailable
from tests.fuzz import mes, modbus, mqtt, opcua, web
from tests.fuzz.stand import Outcome, playing
from tests.simulators.devices import Heard

pytestmark = pytest.mark.anyio
COUNT = int(os.environ.get("ANDON_FUZZ", "300"))
Fuzz = Callable[[int, int], Awaitable[Outcome]]


def assert_nothing_fell(out: Outcome, count: int) -> None:
    assert out.faults == []
    assert out.inputs == count
    assert out.tasks_left == 0
    assert out.megabytes <= 20


@pytest.mark.parametrize(
    "fuzz", [modbus.fuzz, opcua.fuzz, mqtt.fuzz, mes.fuzz], ids=["modbus", "opcua", "mqtt", "mes-http"]
)
async def test_a_hostile_device_ends_its_line_and_nothing_else_and_no_value_of_it_is_a_lie(
    fuzz: Fuzz,
) -> None:
    out = await fuzz(COUNT, 1)
    assert_nothing_fell(out, COUNT)
    assert out.samples > COUNT, "nothing was stored: the recording is of no use"


@pytest.mark.parametrize("fuzz", [web.http, web.websocket], ids=["http", "websocket"])
async def test_a_hostile_client_gets_an_answer_or_is_cut_off_and_the_next_one_is_served(fuzz: Fuzz) -> None:
    out = await fuzz(COUNT, 1)
    assert_nothing_fell(out, COUNT)


async def test_an_opc_ua_server_whose_numbers_jump_is_left_and_not_asked_for_thousands_of_millions() -> None:
    replies = await opcua.recorded()
    told = [n for n, m in enumerate(replies) if m[24:28] == opcua.PUBLISHED and len(m) > 100]
    jumped = bytearray(replies[told[1]])
    at = 60 + 4 * max(int.from_bytes(jumped[56:60], "little", signed=True), 0) + 1
    jumped[at : at + 4] = (4_000_000_000).to_bytes(4, "little")
    replies[told[1]] = bytes(jumped)
    asked = 0

    def answer(question: bytes) -> bytes | None:
        nonlocal asked
        asked += 1
        right = bytearray(replies[asked - 1]) if asked <= len(replies) else None
        if right and (place := opcua.request_of(bytes(right))):
            right[place : place + 4] = opcua.number_of(question).to_bytes(4, "little")
        return bytes(right) if right is not None else b""

    async with playing(opcua.cut, lambda: answer) as port:
        with pytest.raises(SourceUnavailable, match=r"jumped from number \d to 4000000000"):
            await opcua.collector(f"opc.tcp://127.0.0.1:{port}").run(Heard())
    assert asked < len(replies) + 10
