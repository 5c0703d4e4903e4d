"""What is numbered for another database is refused; what the bus says beside it is not."""

from __future__ import annotations

import asyncio

import pytest

from hub.bus.memory import MemoryBus
from hub.bus.of_record import OfRecord
from hub.bus.standing import PATIENCE
from hub.model.stamp import Stamp
from hub.testing.clock import HandClock

pytestmark = pytest.mark.anyio


async def test_who_was_passed_over_hears_of_it_though_the_batch_that_says_so_is_refused() -> None:
    clock = HandClock()
    inner = MemoryBus({"samples": ("store", "rules")}, 2, clock)
    bus = OfRecord(inner, "ours")
    store, rules = inner.consume("samples", "store"), bus.consume("samples", "rules")
    for number, record in enumerate(("ours", "ours", "another", "ours"), 1):
        said = asyncio.create_task(bus.publish("samples", b"", Stamp("a", number, record=record)))
        await (await anext(store)).ack()
        for _ in range(2):  # a first look at who keeps it waiting, and one when that has lasted too long
            await asyncio.sleep(0)
            clock.turn(PATIENCE)
        await said
    delivery = await anext(rules)
    assert (delivery.stamp, delivery.passed_over, bus.refused) == (Stamp("a", 4, record="ours"), True, 1)
