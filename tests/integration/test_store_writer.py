"""From the bus into the record: nothing lost, nothing twice, many batches to a commit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from hub import metrics
from hub.errors import Transient
from hub.model.batch import SampleBatch
from hub.model.stamp import Stamp
from hub.ports import Delivery
from hub.store.pool import open_pool
from hub.store.samples import PgSampleStore
from hub.store.writer import Writer
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio


def batch(n: int, rows: int = 1) -> SampleBatch:
    """Rows of one tag, a microsecond apart."""
    together = SampleBatch.at([n] * rows, NOON + timedelta(seconds=n), [float(n)] * rows)
    return replace(together, source_times=together.source_times + np.arange(rows))


class Belt:
    """A durable topic with positions, as Redis gives them, and one consumer group."""

    def __init__(self, positions: bool = True) -> None:
        self.entries: list[tuple[str, bytes, Stamp | None]] = []
        self.acked: list[str] = []
        self._positions = positions
        self._grown = asyncio.Condition()

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None:
        async with self._grown:
            self.entries.append((f"1700-{len(self.entries)}", body, stamp))
            self._grown.notify_all()

    async def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        for given in itertools.count():
            async with self._grown:
                while len(self.entries) <= given:
                    await self._grown.wait()
            position, body, stamp = self.entries[given]
            if position not in self.acked:
                yield self._delivery(position, body, stamp)

    def _delivery(self, position: str, body: bytes, stamp: Stamp | None) -> Delivery:
        return Delivery(body, position if self._positions else "", lambda: self._ack(position), stamp)

    async def _ack(self, position: str) -> None:
        self.acked.append(position)

    async def ahead(self, topic: str, group: str, of: str) -> list[bytes]:
        return []

    async def behind(self, topic: str) -> dict[str, int]:
        return {}

    async def shout(self, topic: str, body: bytes) -> None: ...

    def listen(self, topic: str) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def healthy(self) -> bool:
        return True

    async def close(self) -> None: ...


class Shelf:
    """A sample store in memory that remembers each commit and can be told to fail."""

    def __init__(self) -> None:
        self.commits: list[tuple[int, str]] = []
        self.recorded = ""
        self.taken: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self.away = False

    async def origins(self) -> Mapping[str, int]:
        return dict(self.taken)

    async def write(
        self,
        batches: Sequence[SampleBatch],
        position: str = "",
        taken: Mapping[str, int] | None = None,
        lost: Mapping[str, int] | None = None,
    ) -> int:
        if self.away:
            raise Transient("the database is away")
        self.taken |= taken or {}
        self.lost |= lost or {}
        rows = sum(map(len, batches))
        self.commits.append((rows, position))
        self.recorded = position or self.recorded
        return rows

    async def position(self) -> str:
        return self.recorded

    async def newest(self, tags: Sequence[int]) -> SampleBatch:
        raise NotImplementedError

    async def since(self, tags: Sequence[int], start: object, end: object = None) -> SampleBatch:
        raise NotImplementedError

    async def trend(self, *_: object) -> list[tuple[object, float, float, float]]:
        raise NotImplementedError


@asynccontextmanager
async def running(writer: Writer) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(writer.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Transient):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_what_comes_within_the_wait_is_one_commit_and_is_acknowledged_after_it() -> None:
    belt, shelf, clock = Belt(), Shelf(), HandClock()
    writer = Writer(belt, shelf, clock, max_wait=0.1)  # type: ignore[arg-type]
    async with running(writer):
        for n in range(3):
            await belt.publish("samples", batch(n).to_bytes())
        await until(lambda: writer.detail()["waiting_rows"] == 3 and bool(clock._sleepers))
        assert (shelf.commits, belt.acked) == ([], [])
        clock.turn(0.1)
        await until(lambda: len(belt.acked) == 3)
    assert shelf.commits == [(3, "1700-2")]
    assert (writer.rows, writer.commits) == (3, 1)


async def test_a_full_pile_does_not_wait() -> None:
    belt, shelf = Belt(), Shelf()
    writer = Writer(belt, shelf, HandClock(), max_rows=10)  # type: ignore[arg-type]
    async with running(writer):
        for n in range(4):
            await belt.publish("samples", batch(n, 5).to_bytes())
        await until(lambda: len(belt.acked) == 4)
    assert shelf.commits == [(10, "1700-1"), (10, "1700-3")]


async def test_a_database_that_is_away_loses_nothing() -> None:
    belt, shelf = Belt(), Shelf()
    writer = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
    shelf.away = True
    async with running(writer) as task:
        await belt.publish("samples", batch(1).to_bytes())
        with pytest.raises(Transient):
            async with asyncio.timeout(10):
                await asyncio.shield(task)
    assert belt.acked == []
    shelf.away = False
    async with running(writer):
        await until(lambda: belt.acked == ["1700-0"])
    assert shelf.commits == [(1, "1700-0")]


async def test_what_was_committed_but_not_acknowledged_is_not_written_again() -> None:
    belt, shelf = Belt(), Shelf()
    for n in range(3):
        await belt.publish("samples", batch(n).to_bytes())
    shelf.recorded = "1700-1"
    writer = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
    async with running(writer):
        await until(lambda: len(belt.acked) == 3)
    assert shelf.commits == [(1, "1700-2")]
    assert writer.repeats == 2


async def test_an_entry_that_is_no_batch_is_refused_and_does_not_block(
    caplog: pytest.LogCaptureFixture,
) -> None:
    belt, shelf = Belt(), Shelf()
    await belt.publish("samples", b"rubbish")
    await belt.publish("samples", batch(1).to_bytes())
    writer = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
    async with running(writer):
        await until(lambda: len(belt.acked) == 2)
    assert (writer.refused, writer.rows) == (1, 1)
    assert "1700-0" in caplog.text


async def test_a_batch_that_comes_twice_is_written_once_also_by_the_next_writer() -> None:
    belt, shelf = Belt(), Shelf()
    for n in (1, 1, 2):
        await belt.publish("samples", batch(n).to_bytes(), Stamp("a", n))
    first = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
    async with running(first):
        await until(lambda: len(belt.acked) == 3)
    await belt.publish("samples", batch(2).to_bytes(), Stamp("a", 2))
    second = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
    async with running(second):
        await until(lambda: len(belt.acked) == 4)
    assert sum(rows for rows, _ in shelf.commits) == 2
    assert (first.repeats, second.repeats, first.lost + second.lost) == (1, 1, 0)


async def test_a_stamp_counts_where_the_position_would_mislead() -> None:
    """A belt made anew by a server whose clock is behind: its positions lie before what is on record."""
    belt, shelf = Belt(), Shelf()
    shelf.recorded, shelf.taken = "9900-0", {"a": 4}
    await belt.publish("samples", batch(5).to_bytes(), Stamp("a", 5))
    async with running(Writer(belt, shelf, HandClock(), max_rows=1)):  # type: ignore[arg-type]
        await until(lambda: len(belt.acked) == 1)
    assert shelf.taken == {"a": 5} and len(shelf.commits) == 1


async def test_what_the_bus_lost_is_said_and_counted_and_the_writing_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    belt, shelf = Belt(), Shelf()
    before = metrics.value("andon_lost_batches_total", taker="store") or 0
    for n in (1, 4, 5):
        await belt.publish("samples", batch(n).to_bytes(), Stamp("a", n))
    writer = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
    async with running(writer):
        await until(lambda: len(belt.acked) == 3)
    assert (writer.rows, writer.detail()["lost_batches"], shelf.lost) == (3, 2, {"a": 2})
    assert metrics.value("andon_lost_batches_total", taker="store") == before + 2
    assert "lost 2 batches of samples from a" in caplog.text


async def test_a_refused_entry_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    belt, shelf = Belt(), Shelf()
    for n, body in enumerate([batch(1).to_bytes(), b"rubbish", batch(3).to_bytes()], 1):
        await belt.publish("samples", body, Stamp("a", n))
    for _ in range(2):
        writer = Writer(belt, shelf, HandClock(), max_rows=1)  # type: ignore[arg-type]
        async with running(writer):
            await until(lambda: len(belt.acked) >= 3)
    assert shelf.lost == {} and shelf.taken == {"a": 3}
    assert caplog.text.count("refused an entry") == 1


async def test_two_writers_at_once_write_nothing_twice_and_one_begins_anew(dsn: str) -> None:
    pool = await open_pool(dsn)
    samples = PgSampleStore(pool)
    assert await samples.write([batch(1)], "1-0", {"a": 1}) == 1
    for taken in ({"a": 1}, {"a": 1, "b": 1}):
        with pytest.raises(Transient, match="another writer"):
            await samples.write([batch(2)], "2-0", taken)
    assert (await samples.origins(), await samples.position()) == ({"a": 1}, "1-0")
    assert await samples.write([batch(2)], "0-5", {"a": 3}, {"a": 1}) == 1
    assert len(await samples.since([1, 2], NOON)) == 2
    async with pool.connection() as connection:
        row = await (await connection.execute("select what, about, detail from audit")).fetchone()
    assert row == {"what": "samples-lost", "about": "a", "detail": {"batches": 1}}
    await pool.close()


async def test_killed_between_commit_and_acknowledgement_the_record_has_each_sample_once(
    any_dsn: str,
) -> None:
    pool = await open_pool(any_dsn)
    samples = PgSampleStore(pool)
    belt = Belt()
    for n in range(5):
        await belt.publish("samples", batch(n, 3).to_bytes())
    first = Writer(belt, samples, HandClock(), max_rows=6)
    async with running(first):
        await until(lambda: len(belt.acked) >= 2)
    belt.acked.clear()
    second = Writer(belt, samples, HandClock(), max_rows=6)
    async with running(second):
        await belt.publish("samples", batch(5, 6).to_bytes())
        async with asyncio.timeout(10):
            while len(belt.acked) < 6:
                await asyncio.sleep(0.01)
    stored = await samples.since(list(range(6)), NOON)
    assert sorted(stored.tags.tolist()) == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3 + [5] * 6
    await pool.close()
