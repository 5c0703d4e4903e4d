"""The hub's clock is set while machines work: one state at every instant, none of them in the future."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from hub.testing.clock import NOON
from tests.integration.rule_house import EXECUTING, FAULTED, PRESS, RuleHouse, at, rule_house

pytestmark = pytest.mark.anyio
HOUR = 3600
MADE: defaultdict[Any, Iterator[int]] = defaultdict(lambda: count(1))  # what its counter shows


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[RuleHouse]:
    async with rule_house(dsn) as opened:
        yield opened


async def work(house: RuleHouse, *said: tuple[float, int]) -> None:
    """A state and a piece more at each of these seconds, and once more four seconds later."""
    for seconds, state in said:
        for second in (seconds, seconds + 4):
            await house.say(second, state, "state")
        await house.say(seconds + 4, next(MADE[house.clock]), "good")


async def recorded(house: RuleHouse) -> list[tuple[float, str]]:
    """All that is on record, wherever it lies."""
    spans = await house.ledger.states(NOON - timedelta(days=1), NOON + timedelta(days=1))
    return [(round((s.since - NOON).total_seconds(), 1), s.state.value) for s in spans]


async def pieces(house: RuleHouse) -> tuple[int, int]:
    """All that were made, and the last reading."""
    counts = await house.ledger.counts(NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert all(c.at <= house.clock.now() for c in counts)
    last = await house.ledger.last_counts()
    return sum(c.delta for c in counts), last[PRESS, True].reading


async def told(house: RuleHouse) -> list[Any]:
    async with house.pool.connection() as connection:
        query = "select detail from audit where what = 'clock-leapt' order by id"
        return [row["detail"] for row in await (await connection.execute(query)).fetchall()]


async def test_what_a_clock_told_that_was_ahead_is_on_record_when_it_was(house: RuleHouse) -> None:
    async with house.running():
        await work(house, (0, EXECUTING))
        house.clock.set(at(HOUR + 4))
        await work(house, (HOUR + 8, FAULTED), (HOUR + 13, EXECUTING))
        house.clock.set(at(17))
        await work(house, (20, FAULTED), (25, EXECUTING))
        assert await recorded(house) == [
            (0, "executing"), (8, "fault"), (13, "executing"), (20, "fault"), (25, "executing"),
        ]  # fmt: skip
        assert await pieces(house) == (4, 5)
    assert [line["changes"] for line in await told(house)] == [0, 2]


async def test_it_is_so_when_the_clock_comes_back_while_the_hub_is_down(house: RuleHouse) -> None:
    async with house.running():
        await work(house, (0, EXECUTING))
        house.clock.set(at(HOUR + 4))
        await work(house, (HOUR + 8, FAULTED))
    house.clock.set(at(14))
    async with house.running():
        await work(house, (17, EXECUTING))
        assert await recorded(house) == [(0, "executing"), (8, "fault"), (17, "executing")]
        assert await pieces(house) == (2, 3)


async def test_a_clock_that_is_set_back_goes_on_with_the_record_at_once(house: RuleHouse) -> None:
    async with house.running():
        await work(house, (0, EXECUTING), (100, FAULTED), (105, EXECUTING))
        house.clock.set(at(50))
        assert [s for _, s in await recorded(house)][-1] == "executing"
        await work(house, (51, FAULTED), (56, EXECUTING))
        now = await recorded(house)
        assert now[-2:] == [(51, "fault"), (56, "executing")], "and nothing after that"
        assert await pieces(house) == (4, 5), "pieces that were made are made"
    async with house.running():
        await work(house, (64, FAULTED))
        assert (await recorded(house))[-1] == (64, "fault")
        assert await pieces(house) == (5, 6), "and none of them twice"


async def test_a_clock_that_comes_forth_again_has_all_of_its_record(house: RuleHouse) -> None:
    async with house.running():
        await work(house, (0, EXECUTING), (100, FAULTED), (105, EXECUTING))
        house.clock.set(at(50))  # it was 109
        await work(house, (51, FAULTED), (56, EXECUTING))
        house.clock.set(at(119))
        await work(house, (120, FAULTED))
        late = (await recorded(house))[-5:]
        assert late == [
            (100, "fault"), (105, "executing"), (110, "fault"), (115, "executing"), (120, "fault"),
        ]  # fmt: skip
        assert await pieces(house) == (5, 6)
