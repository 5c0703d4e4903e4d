"""Rules and their bus: what waits, what is lost, what a crash leaves between the bus and the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from alert_rules.evaluator import Evaluator
from alert_rules.runner import MARK, RuleRunner
from hub import metrics
from hub.bus.redis_streams import LOOK_EVERY, RedisBus
from hub.bus.standing import Standing
from hub.model.batch import SampleBatch
from hub.model.stamp import Stamp
from hub.ports import SAMPLES
from hub.store.duty import EVERY, Duty
from hub.testing.clock import HandClock
from tests.buses import MakeBus
from tests.integration.rule_house import (
    EXECUTING,
    FAULTED,
    HOT,
    OIL,
    PRESS,
    TICKERS,
    RuleHouse,
    at,
    rule_house,
    until,
)

pytestmark = pytest.mark.anyio

DELAYED = {**HOT, "on_delay": "5s"}


@pytest.fixture
async def house(dsn: str, make_bus: MakeBus) -> AsyncIterator[RuleHouse]:
    async with rule_house(dsn, make_bus, groups=("store", "rules")) as made:
        yield made


# ------------------------------------------------------------------ between the bus and the record
async def test_what_was_evaluated_and_not_yet_stored_is_known_after_a_crash(house: RuleHouse) -> None:
    """The device speaks by exception: it says once that it is hot, and nothing more."""
    house.furnish(DELAYED)
    async with house.running():
        await house.say(1, 60)
        await house.say(2, 92, stored=False)
    async with house.running():
        await house.turn(6)
        alarm = await house.only_alarm()
    assert (alarm.raised_at, alarm.condition) == (at(7), True)


async def test_a_house_that_was_shut_for_days_is_not_read_minute_by_minute(
    house: RuleHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.running():
        await house.say(1, 60)
    house.clock.turn(3 * 86_400)
    await house.say(3 * 86_400 - 100, 92)
    since, asked = house.samples.since, []

    async def counted(tags: Sequence[int], start: datetime, end: datetime | None = None) -> SampleBatch:
        asked.append(start)
        return await since(tags, start, end)

    monkeypatch.setattr(house.samples, "since", counted)
    async with house.running():
        assert len(asked) < 50, "pages of ten minutes would be 432"
        assert asked == sorted(asked)
        await house.turn(6)
        assert (await house.only_alarm()).condition


async def test_what_is_stored_and_still_on_the_way_is_evaluated_once(house: RuleHouse) -> None:
    async with house.running():
        for second, value in enumerate([92, 60, 93], 1):
            await house.say(second, value, stored=second == 2)
    for _ in range(2):
        async with house.running():
            pass
    alarm = await house.only_alarm()
    assert await house.events(alarm) == ["raised", "cleared", "raised"]


# ------------------------------------------------------------------ what waits
async def test_rules_that_lag_say_so_and_their_mark_stays_where_they_are(
    house: RuleHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with house.running() as runner:
        await house.say(1, 60)
        await house.turn(6)
        assert runner.health()["behind_seconds"] <= 1
        reached = house.clock.now()
        with monkeypatch.context() as slow:  # a machine that cannot keep up
            slow.setattr(runner, "_miss", lambda _: gate.wait())
            batch = SampleBatch.at([house.plant.tags[OIL].number], reached, [61.0])
            await house.bus.publish(SAMPLES, batch.to_bytes())
            for _ in range(6):
                house.clock.turn(5)
                await until(lambda: asleep(house, TICKERS), "everybody has looked")
            assert runner.health()["behind_seconds"] >= 30
            assert metrics.value("andon_rules_behind_seconds") >= 30  # type: ignore[operator]
            assert await mark(house) <= reached
        gate.set()
        await house.turn(6)
        assert runner.health()["behind_seconds"] <= 1
        assert (house.clock.now() - await mark(house)).total_seconds() <= 7


async def asleep(house: RuleHouse, tickers: int) -> bool:
    return house.clock.asleep == tickers


async def mark(house: RuleHouse) -> datetime:
    return datetime.fromisoformat(await house.ledger.mark(MARK))


async def test_a_clock_that_is_set_back_takes_the_mark_with_it(house: RuleHouse) -> None:
    async with house.running() as runner:
        await house.turn(3)
        house.clock.set(at(-3600))
        await house.turn(7)
        assert await mark(house) <= house.clock.now()
        assert runner.behind_seconds <= 1


# ------------------------------------------------------------------ what waited too long
def waited(number: int, seconds: float = 240) -> Stamp:
    return Stamp("edge", number, None, seconds)


@pytest.mark.parametrize("stored", [True, False])
async def test_what_was_over_before_the_hub_came_back_calls_nobody(house: RuleHouse, stored: bool) -> None:
    async with house.running():
        await house.say(1, 60)
    await house.say(2, 92, stored=stored, stamp=waited(1))
    await house.say(8, 60, stored=stored, stamp=waited(2))
    await house.turn(240)
    async with house.running():
        await house.turn(10)
    assert await house.alarms() == []


@pytest.mark.parametrize("stored", [True, False])
async def test_what_still_stands_when_the_hub_comes_back_is_raised_then(
    house: RuleHouse, stored: bool
) -> None:
    """The device speaks by exception: nothing comes behind it."""
    async with house.running():
        await house.say(1, 60)
    await house.say(2, 92, stored=stored, stamp=waited(1))
    await house.turn(240)
    async with house.running():
        await house.turn(3)
        alarm = await house.only_alarm()
    assert alarm.condition and alarm.raised_at is not None and alarm.raised_at >= at(240)


async def test_what_comes_behind_it_in_time_is_the_present(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 60)
        await house.say(2, 92, stamp=waited(1))
        assert await house.alarms() == []
        await house.say(3, 93, stamp=waited(2, 1.0))
        assert (await house.only_alarm()).condition


async def test_a_restart_of_seconds_loses_no_short_alarm(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 60)
    await house.say(2, 92, stamp=waited(1, 3.0))
    await house.say(4, 60, stamp=waited(2, 1.0))
    async with house.running():
        pass
    assert await house.events(await house.only_alarm()) == ["raised", "cleared"]


# ------------------------------------------------------------------ what is lost
async def test_what_the_bus_lost_is_said_and_read_from_the_record(house: RuleHouse) -> None:
    before = metrics.value("andon_lost_batches_total", taker="rules") or 0
    house.furnish(DELAYED)
    number = house.plant.tags[OIL].number
    async with house.running() as runner:
        await house.say(1, 60, stamp=Stamp("a", 7))
        for second in (2, 3):  # the writer had them; the bus dropped them before the rules did
            await house.samples.write([SampleBatch.at([number], at(second), [92.0])])
        await house.say(4, 92, stamp=Stamp("a", 10))
        await house.turn(6)
        assert runner.health()["lost_batches"] == 2
    assert metrics.value("andon_lost_batches_total", taker="rules") == before + 2
    assert (await house.only_alarm()).raised_at == at(7), "it was hot from 2 s on"


async def test_a_batch_that_comes_twice_changes_nothing(house: RuleHouse) -> None:
    async with house.running() as runner:
        for second, value in enumerate([92, 60], 1):
            for _ in range(2):
                await house.say(second, value, stamp=Stamp("a", second))
        assert runner.health()["lost_batches"] == 0
    assert await house.events(await house.only_alarm()) == ["raised", "cleared"]


@pytest.mark.parametrize(
    ("comes_back", "origin"), [("by itself", "a"), ("by itself", "silent since"), ("in another life", "a")]
)
async def test_rules_that_hung_while_the_record_went_on_read_there_what_they_missed(
    house: RuleHouse, monkeypatch: pytest.MonkeyPatch, comes_back: str, origin: str
) -> None:
    """What was over by then calls nobody; what stands is raised then; states are as they were, once."""
    monkeypatch.setattr("alert_rules.runner.PAGE", timedelta(seconds=7))
    gate = asyncio.Event()
    house.bus._limit = 5  # type: ignore[attr-defined]
    if isinstance(house.bus, RedisBus):
        house.bus._standing = Standing(0.0)
    writing = asyncio.create_task(write(house))
    async with house.running() as runner:
        await house.say(1, EXECUTING, "state", stamp=Stamp("a", 1))
        monkeypatch.setattr(runner, "_take_in_time", hangs(runner, gate))
        if isinstance(house.bus, RedisBus):  # by its clock they have come far beyond this day
            monkeypatch.setattr(runner, "_reached", lambda _: None)
        await keep_on(house, Stamp("a", 2), "good", 0)  # with this in hand
        missed: list[tuple[str, float]] = [("oil_temp", 92), ("state", FAULTED), ("oil_temp", 60)]
        missed += [("state", EXECUTING), *[("oil_temp", 61.0 + n) for n in range(16)], ("oil_temp", 93)]
        times = [await keep_on(house, Stamp(origin, n), *said) for n, said in enumerate(missed, 3)]
        house.clock.turn(60)
        after = 3 + len(missed) if origin == "a" else 3
        for n in range(3):  # the present: of the hot press nothing more is heard
            await keep_on(house, Stamp("a", after + n), "good", 0)
        if comes_back == "by itself":
            gate.set()
            await house.turn(1)
            assert runner.health()["lost_batches"] >= (10 if origin == "a" else 1)
            await house.turn(1)
    back = house.clock.now()
    if comes_back == "in another life":
        async with house.running():
            await house.turn(2)
    alarm = await house.only_alarm()
    assert alarm.condition and alarm.raised_at is not None and alarm.raised_at > back - timedelta(seconds=3)
    spans = await house.ledger.states(at(0), house.clock.now())
    assert [(s.state.name, s.since) for s in spans] == [
        ("EXECUTING", at(1)), ("FAULT", times[1]), ("EXECUTING", times[3])
    ]  # fmt: skip
    writing.cancel()


def hangs(runner: RuleRunner, gate: asyncio.Event) -> Callable[..., Awaitable[None]]:
    goes = runner._take_in_time

    async def take(*args: Any) -> None:
        await gate.wait()
        await goes(*args)

    return take


async def write(house: RuleHouse) -> None:
    """The samples are on record before they are on the bus here."""
    async for delivery in house.bus.consume(SAMPLES, "store"):
        await delivery.ack()


async def keep_on(house: RuleHouse, stamp: Stamp, tag: str, value: float) -> datetime:
    """One more batch a second, where nobody keeps it waiting; the time it is from."""
    house.clock.turn(1)
    if isinstance(house.bus, RedisBus):
        house.bus._published = LOOK_EVERY - 1
    batch = SampleBatch.at([house.plant.tags[f"{PRESS}/{tag}"].number], now := house.clock.now(), [value])
    await house.samples.write([batch])
    said = asyncio.create_task(house.bus.publish(SAMPLES, batch.to_bytes(), stamp))
    async with asyncio.timeout(20):
        while not said.done():
            await asyncio.wait({said}, timeout=0.01)
            if not said.done():
                house.clock.turn(5)
    said.result()
    return now


# ------------------------------------------------------------------ two hubs
async def test_two_hubs_at_once_raise_one_alarm_and_the_second_takes_over(house: RuleHouse, dsn: str) -> None:
    clock = HandClock()
    duties = [Duty(dsn, "rules", clock) for _ in range(2)]

    async def rules() -> None:
        evaluator = Evaluator(house.plant, house.rules, house.clock.now())
        await RuleRunner(evaluator, house.book, house.bus, house.samples).run()

    async def caught_up() -> bool:
        clock.turn(EVERY)
        return (await house.bus.behind(SAMPLES)).get("rules") == 0

    async def second_waits() -> bool:
        return duties[1].standing_by

    first = asyncio.create_task(duties[0].carry(rules))
    await until(lambda: asleep(house, TICKERS), "the first one thinks")
    second = asyncio.create_task(duties[1].carry(rules))
    try:
        await until(second_waits, "the second one stands by")
        await house.say(1, 92)
        await until(caught_up, "evaluated")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await house.say(2, 60)
        await until(caught_up, "evaluated by the second")
        assert not duties[1].standing_by
    finally:
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
    assert await house.events(await house.only_alarm()) == ["raised", "cleared"]
    assert [e for _, e in await house.intents()] == ["", "raised", "cleared"]
