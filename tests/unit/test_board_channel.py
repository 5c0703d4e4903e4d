"""One reader's queue: when it is behind, when it is stuck, and when it only had nothing to read."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from hub.testing.clock import HandClock
from screens.channel import PATIENCE, QUEUE, Channel, Subscription

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def channel(clock: HandClock) -> Channel:
    channel = Channel(None, clock)
    channel.show({"machines": {"m": {"good": 0}}}, {}, {})
    return channel


async def taken(reader: Subscription) -> tuple[str, int]:
    async with asyncio.timeout(5):
        text = await reader.take()
    assert text is not None
    frame = orjson.loads(text)
    return frame["type"], frame["seq"]


def show(channel: Channel, good: int) -> None:
    channel.show({"machines": {"m": {"good": good}}}, {}, {})


async def test_a_newcomer_gets_the_snapshot_and_then_the_next_number(channel: Channel) -> None:
    reader = channel.join()
    show(channel, 1)
    assert await taken(reader) == ("snapshot", 2)
    show(channel, 2)
    channel.beat()
    assert [await taken(reader), await taken(reader)] == [("patch", 3), ("heartbeat", 3)]


async def test_nothing_new_has_no_number(channel: Channel) -> None:
    reader = channel.join()
    await taken(reader)
    show(channel, 0)
    channel.show(None, {}, {})
    assert not reader.waiting


async def test_a_queue_that_overflows_is_replaced_by_a_snapshot(channel: Channel) -> None:
    reader = channel.join()
    await taken(reader)
    for n in range(1, QUEUE + 1):
        show(channel, n)
    assert await taken(reader) == ("patch", 2)
    show(channel, 100)
    show(channel, 101)
    assert await taken(reader) == ("snapshot", QUEUE + 3)
    assert not reader.waiting


async def test_who_had_nothing_to_read_for_a_minute_is_not_stuck(channel: Channel, clock: HandClock) -> None:
    reader = channel.join()
    await taken(reader)
    clock.turn(60)
    assert not reader.is_stuck()
    channel.beat()
    assert not reader.is_stuck()
    clock.turn(PATIENCE - 1)
    channel.beat()
    assert not reader.is_stuck()
    clock.turn(1)
    assert reader.is_stuck()


async def test_who_is_waiting_for_a_frame_is_woken_when_let_go(channel: Channel) -> None:
    reader = channel.join()
    await taken(reader)
    waiting = asyncio.create_task(reader.take())
    await asyncio.sleep(0)
    reader.close()
    async with asyncio.timeout(5):
        assert await waiting is None
    assert not channel.readers
