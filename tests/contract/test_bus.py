"""One suite of promises for both buses: in process, and a real Valkey server from a wheel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from hub import metrics
from hub.bus.memory import MemoryBus
from hub.bus.redis_streams import LOOK_EVERY, BusUnavailable, RedisBus
from hub.bus.standing import Standing
from hub.model.stamp import Stamp
from hub.ports import Bus
from hub.testing.clock import NOON, HandClock
from tests.buses import MakeBus
from tests.integration.rule_house import StillClock

pytestmark = pytest.mark.anyio
GROUPS = {"samples": ("store", "rules")}
PATIENCE = 20.0


@pytest.fixture
def bus(make_bus: MakeBus) -> Bus:
    return make_bus(GROUPS, limit=5)


async def take(source: AsyncIterator[Any], n: int) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(source) for _ in range(n)]


async def test_every_group_gets_everything_in_order_even_what_was_said_before_it_came(bus: Bus) -> None:
    for i in range(4):
        await bus.publish("samples", b"%d" % i)
    for group in ("store", "rules"):
        got = await take(bus.consume("samples", group), 4)
        assert [d.body for d in got] == [b"0", b"1", b"2", b"3"]


async def test_what_was_not_acknowledged_comes_again_to_the_next_consumer(bus: Bus) -> None:
    for i in range(3):
        await bus.publish("samples", b"%d" % i)
    first = bus.consume("samples", "store")
    taken = await take(first, 2)
    await taken[0].ack()
    await first.aclose()  # type: ignore[attr-defined]
    again = await take(bus.consume("samples", "store"), 2)
    assert [d.body for d in again] == [b"1", b"2"]


async def test_an_entry_published_while_a_consumer_waits_arrives(bus: Bus) -> None:
    source = bus.consume("samples", "store")
    waiting = asyncio.create_task(take(source, 1))
    await asyncio.sleep(0)
    await bus.publish("samples", b"now")
    assert (await waiting)[0].body == b"now"


async def test_publishers_wait_while_a_group_is_too_far_behind(bus: Bus) -> None:
    if isinstance(bus, RedisBus):
        bus._published = 58  # the belt's length is looked at every 64th time: at the sixth from here
    for i in range(5):
        await bus.publish("samples", b"%d" % i)
    blocked = asyncio.create_task(bus.publish("samples", b"late"))
    done, _ = await asyncio.wait({blocked}, timeout=0.3)
    assert not done, "a publisher must wait while the belt is full"
    for group in ("store", "rules"):
        for delivery in await take(bus.consume("samples", group), 5):
            await delivery.ack()
    async with asyncio.timeout(PATIENCE):
        await blocked


async def test_nothing_waits_for_a_group_that_has_had_the_last_entry(redis_server: str) -> None:
    """Some servers count what was trimmed before it came as waiting, for ever."""
    bus = RedisBus(redis_server, GROUPS, prefix="trimmed:")
    try:
        for i in range(4):
            await bus.publish("samples", b"%d" % i)
        [(last, _)] = await bus._redis.xrevrange("trimmed:samples", count=1)
        await bus._redis.xgroup_setid("trimmed:samples", "rules", last, entries_read=1)
        [group] = [g for g in await bus._redis.xinfo_groups("trimmed:samples") if g["name"] == b"rules"]
        assert group["lag"] == 3
        assert await bus.behind("samples") == {"store": 4, "rules": 0}
    finally:
        await bus.close()


async def publish_all(bus: Bus, clock: StillClock, bodies: int) -> None:
    """Where a publisher waits, time passes: more of it than anybody is waited for."""
    if isinstance(bus, RedisBus):
        bus._published = LOOK_EVERY - 3  # the belt's length is looked at with the third
    for n in range(1, bodies + 1):
        said = asyncio.create_task(bus.publish("samples", b"%d" % n, Stamp("a", n)))
        async with asyncio.timeout(PATIENCE):
            while not said.done():
                await asyncio.wait({said}, timeout=0.005)
                if clock.asleep:
                    clock.turn(5)
        said.result()
        if isinstance(bus, RedisBus):
            bus._published = LOOK_EVERY - 1  # and with each from here on


async def test_what_is_on_record_is_not_kept_for_a_group_that_stands_still(
    make_bus: MakeBus, caplog: pytest.LogCaptureFixture
) -> None:
    """One consumer hangs with an entry in hand; the first group gets everything, and it is told later."""
    before = metrics.value("andon_let_go_batches_total", taker="rules") or 0
    clock = StillClock()
    bus = make_bus(GROUPS, limit=5, clock=clock)
    if isinstance(bus, RedisBus):
        bus._standing = Standing(0.0)
    stored: list[bytes] = []

    async def store() -> None:
        async for delivery in bus.consume("samples", "store"):
            stored.append(delivery.body)
            await delivery.ack()

    await bus.publish("samples", b"0", Stamp("b", 1))
    rules = bus.consume("samples", "rules")
    [in_hand] = await take(rules, 1)
    writing = asyncio.create_task(store())
    await publish_all(bus, clock, 23)
    async with asyncio.timeout(PATIENCE):
        while len(stored) < 24:
            await asyncio.sleep(0.001)
    assert stored == [b"%d" % n for n in range(24)]
    left = (metrics.value("andon_let_go_batches_total", taker="rules") or 0) - before
    assert left >= 15
    assert [r.levelname for r in caplog.records if "takes nothing" in r.message] == ["ERROR"]
    assert (await bus.behind("samples"))["rules"] > 0
    await in_hand.ack()
    assert (await bus.behind("samples"))["rules"] > 0, "it does not know yet what it missed"
    if isinstance(bus, RedisBus):
        await rules.aclose()  # type: ignore[attr-defined]
        rules = bus.consume("samples", "rules")
    seen, flags = [], []
    while not seen or seen[-1] < 23:
        [delivery] = await take(rules, 1)
        assert delivery.stamp is not None
        seen.append(delivery.stamp.number)
        flags.append(delivery.passed_over)
        await delivery.ack()
    assert flags == [True] + [False] * (len(flags) - 1)
    assert seen == list(range(seen[0], 24)) and len(seen) <= 6, "in order, and no more than may wait"
    assert await bus.behind("samples") == {"store": 0, "rules": 0}
    writing.cancel()


async def test_a_group_that_gets_on_however_slowly_is_waited_for() -> None:
    clock = StillClock()
    bus = MemoryBus(GROUPS, 5, clock)
    store, rules = bus.consume("samples", "store"), bus.consume("samples", "rules")
    for n in range(20):
        said = asyncio.create_task(bus.publish("samples", b"%d" % n))
        await (await take(store, 1))[0].ack()
        if n >= 5:
            async with asyncio.timeout(PATIENCE):
                while not clock.asleep:
                    await asyncio.sleep(0)
            assert not said.done()
            clock.turn(20)
            await asyncio.sleep(0)
            [delivery] = await take(rules, 1)
            assert (delivery.body, delivery.passed_over) == (b"%d" % (n - 5), False)
            await delivery.ack()
        await said


async def test_nobody_is_passed_over_while_the_first_group_is_behind_as_well(make_bus: MakeBus) -> None:
    """As when the database is away."""
    clock = StillClock()
    bus = make_bus(GROUPS, limit=5, clock=clock)
    if isinstance(bus, RedisBus):
        bus._standing = Standing(0.0)
        bus._published = LOOK_EVERY - 6
    for n in range(5):
        await bus.publish("samples", b"%d" % n)
    for delivery in await take(bus.consume("samples", "store"), 2):
        await delivery.ack()
    waits = asyncio.create_task(bus.publish("samples", b"5"))
    for _ in range(3):
        await asyncio.wait({waits}, timeout=0.02)
        clock.turn(20)
    assert not waits.done()
    rules = await take(bus.consume("samples", "rules"), 5)
    assert [(d.body, d.passed_over) for d in rules] == [(b"%d" % n, False) for n in range(5)]
    for delivery in rules:
        await delivery.ack()
    async with asyncio.timeout(PATIENCE):
        await waits


async def test_who_is_cancelled_ends_whenever_it_happens(bus: Bus) -> None:
    async def look() -> None:
        while True:
            await bus.behind("samples")
            await asyncio.sleep(0)

    async def read() -> None:
        async for delivery in bus.consume("samples", "store"):
            await delivery.ack()

    for turns in range(0, 50, 2):
        tasks = [asyncio.create_task(look()), asyncio.create_task(read())]
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        for task in tasks:
            task.cancel()
        done, _ = await asyncio.wait(tasks, timeout=PATIENCE)
        assert done == set(tasks), f"still there after being cancelled at {turns}"


async def test_a_hint_reaches_everybody_who_listens_now(bus: Bus) -> None:
    ears = [bus.listen("events"), bus.listen("events")]
    heard = [asyncio.create_task(take(e, 1)) for e in ears]
    while not all(t.done() for t in heard):
        await bus.shout("events", b"look")
        await asyncio.wait(heard, timeout=0.05)
    assert [t.result() for t in heard] == [[b"look"], [b"look"]]


async def test_a_hint_nobody_listens_to_is_no_error(bus: Bus) -> None:
    await bus.shout("events", b"into the void")
    assert await bus.healthy()


async def test_a_stamp_travels_with_its_entry_and_so_does_the_time(bus: Bus) -> None:
    await bus.publish("samples", b"0", Stamp("a", 1))
    await bus.publish("samples", b"1")
    first, second = await take(bus.consume("samples", "store"), 2)
    assert (first.stamp, second.stamp) == (Stamp("a", 1), None)
    assert first.at is not None and first.at.tzinfo is not None
    assert first.at <= second.at


async def test_how_long_an_entry_has_waited_is_told_by_clocks_that_nobody_sets(make_bus: MakeBus) -> None:
    clock = HandClock()
    bus = make_bus(GROUPS, clock=clock)
    await bus.publish("samples", b"0", Stamp("a", 1, None, 7.0))
    if isinstance(bus, RedisBus):
        [(_, told)] = await bus._redis.xrange(f"{bus._prefix}samples")
        server, _ = await bus._redis.time()
        await bus._redis.delete(f"{bus._prefix}samples")
        await bus._redis.xadd(f"{bus._prefix}samples", told, id=f"{(server - 240) * 1000}-0")
    else:
        clock.turn(240)
        clock.set(NOON - timedelta(days=1))
    await bus.publish("samples", b"1")
    old, new = await take(bus.consume("samples", "rules"), 2)
    assert 246 < old.age < 270 and old.is_history and old.stamp[:2] == ("a", 1)
    assert new.age < 9 and not new.is_history


async def test_it_is_known_what_one_group_has_taken_before_another(bus: Bus) -> None:
    for i in range(5):
        await bus.publish("samples", b"%d" % i)
    assert await bus.ahead("samples", "rules", "store") == []
    for group, acked in (("rules", 3), ("store", 1)):
        source = bus.consume("samples", group)
        for delivery in (await take(source, 4))[:acked]:
            await delivery.ack()
        await source.aclose()  # type: ignore[attr-defined]
    assert await bus.ahead("samples", "rules", "store") == [b"1", b"2"]
    assert await bus.ahead("samples", "store", "rules") == []
    assert await bus.ahead("samples", "rules", "nobody") == []
    assert await bus.behind("samples") == {"rules": 2, "store": 4}


async def test_positions_grow_where_the_bus_has_them(bus: Bus) -> None:
    for i in range(3):
        await bus.publish("samples", b"%d" % i)
    positions = [d.position for d in await take(bus.consume("samples", "store"), 3)]
    if isinstance(bus, MemoryBus):
        assert positions == ["", "", ""]
    else:
        assert positions == sorted(set(positions)) and len(positions) == 3


async def test_a_server_that_lost_what_a_batch_follows_refuses_it_until_the_sender_begins_again(
    make_bus: MakeBus,
) -> None:
    """A crash of Redis takes the last second of its log: the entries, and the mark that they were there."""
    bus = make_bus(GROUPS)
    if not isinstance(bus, RedisBus):  # a bus in our own process loses nothing while we live
        assert isinstance(bus, MemoryBus)
        return
    await bus.publish("samples", b"1", Stamp("edge", 1, 0))
    await bus.publish("samples", b"2", Stamp("edge", 2, 1))
    await bus._redis.set(f"{bus._prefix}samples:given:edge", 1)  # as it stood a moment before
    with pytest.raises(BusUnavailable, match="lost"):
        await bus.publish("samples", b"3", Stamp("edge", 3, 2))
    await bus.publish("samples", b"2", Stamp("edge", 2, 0))
    await bus.publish("samples", b"3", Stamp("edge", 3, 2))
    got = await take(bus.consume("samples", "store"), 4)
    assert [(d.body, d.stamp) for d in got[2:]] == [(b"2", Stamp("edge", 2)), (b"3", Stamp("edge", 3))]
