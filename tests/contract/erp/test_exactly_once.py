"""Tickets = incidents, reports = reports, on twenty bad days for every ERP (`make bench BENCH=exactly_once`
has the hundreds)."""

from __future__ import annotations

import pytest

from tests.contract.erp.campaign import Outcome, run, stage
from tests.contract.erp.world import World, known_worlds

pytestmark = pytest.mark.anyio

RUNS = 20
WORLDS = {world.name: world for world in known_worlds()}


@pytest.mark.parametrize(
    "world", [pytest.param(w, id=n, marks=getattr(w, "marks", ())) for n, w in WORLDS.items()]
)
async def test_whatever_dies_on_the_way_the_books_say_it_once(world: World, dsn: str) -> None:
    runs = getattr(world, "runs_in_tests", RUNS)
    async with stage(world, dsn, runs) as (books, house):
        for seed in range(runs):
            assert await run(world, books, house, seed, seed) == Outcome((), ()), f"seed {seed}"
        assert [letter.reason for letter in await house.book.letters()] == []
