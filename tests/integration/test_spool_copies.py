"""A spool that is a copy: put back from a backup, rolled back with its disk, or run on two machines at once.

What was taken is on record once each, whatever was copied when. The database is real.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from hub.bus.spool import Spool
from hub.model.batch import SampleBatch
from hub.testing.clock import NOON
from tests.integration.test_store_and_forward import chain, found

pytestmark = pytest.mark.anyio


def put_back(copy: Path, folder: Path) -> None:
    """From a backup: other files."""
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


def roll_back(copy: Path, folder: Path) -> None:
    """With the whole disk: the files are the same ones, as they were."""
    with (folder / "spool.db").open("r+b") as file:
        file.write((copy / "spool.db").read_bytes())
        file.truncate()


def taken_alone(folder: Path, *seconds: int) -> None:
    """While the hub is away."""
    spool = Spool(folder, 1 << 20)
    for second in seconds:
        at = NOON + timedelta(seconds=second)
        spool.append(SampleBatch.at(range(1, 11), at, [1.0] * 10).to_bytes(), at)
    spool.close()


async def tell(dsn: str, folder: Path, *seconds: int) -> None:
    async with chain(dsn, folder) as here:
        for second in seconds:
            await here.say(second)
        await here.until(here.drained)


async def lost(dsn: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        row = await (
            await connection.execute("select count(*) from audit where what = 'samples-lost'")
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("restore", [put_back, roll_back])
async def test_an_older_copy_that_is_put_back_loses_nothing_of_what_it_takes(
    tmp_path: Path, dsn: str, restore: Callable[[Path, Path], None]
) -> None:
    folder, copy = tmp_path / "spool", tmp_path / "copy"
    taken_alone(folder, *range(5))
    shutil.copytree(folder, copy)
    await tell(dsn, folder, *range(5, 15))
    restore(copy, folder)
    taken_alone(folder, *range(20, 23))
    await tell(dsn, folder, *range(23, 26))
    assert await found(dsn) == (210, 210)
    assert await lost(dsn) == 0


async def test_two_edges_that_begin_with_one_spool_lose_nothing(tmp_path: Path, dsn: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    taken_alone(one, *range(5))
    shutil.copytree(one, two)
    async with chain(dsn, one) as first, chain(dsn, two) as second:
        for n in range(10, 16):
            await first.say(n)
            await second.say(n + 50)
        await first.until(first.drained)
        await second.until(second.drained)
    assert await found(dsn) == (170, 170)
    assert await lost(dsn) == 0


async def test_a_sender_that_the_record_has_forgotten_has_lost_nothing(tmp_path: Path, dsn: str) -> None:
    """It was switched off for longer than anybody is remembered, and something waits."""
    folder = tmp_path / "spool"
    async with chain(dsn, folder) as here:
        await here.say(0)
        await here.until(here.drained)
    spool = Spool(folder, 1 << 20)
    for second in (1, 2, 3):
        at = NOON + timedelta(seconds=second)
        spool.append(SampleBatch.at([1], at, [1.0]).to_bytes(), at)
    spool.trim(1)
    spool.close()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("delete from stream_origins")
    await tell(dsn, folder)
    assert await found(dsn) == (12, 12)
    assert await lost(dsn) == 0
