"""Compressed chunks at size: bytes a row, the same questions before and after, late rows into them.

The community edition runs here as a stand-in inside Node (tests/community.py): one connection, no COPY, no
parallel workers, so its times say what compression changes and nothing of a server's speed. The record is
that of `queries`; the product's own upkeep rolls it up, compresses it and compresses again what came late.
Every answer is compared with the one before, row by row.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from hub.model.batch import SampleBatch, micros
from hub.store.ledger import PgLedger
from hub.store.migrate import migrate
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import HandClock
from tests import community
from tests.bench.figures import machine, say
from tests.bench.queries import DAY, END, STATES, WHOLE, record

Answer = Any
LATER = timedelta(days=4)  # when all chunks of the record are old enough


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=compressed ARGS=...", description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--tags", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--changes", type=int, default=240, help="state changes of a machine a day")
    parser.add_argument("--late", type=int, default=200_000, help="rows that come when all is compressed")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args(given)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name, community.server(Path(name)) as dsn:
        await migrate(dsn)
        pool = await open_pool(dsn, max_size=1, timeout=120)
        try:
            return {"machine": machine(), **await _story(pool, options)}
        finally:
            await pool.close()


async def _story(pool: Pool, options: argparse.Namespace) -> dict[str, Any]:
    samples = PgSampleStore(pool, copy=False)
    keeper = Upkeep(pool, HandClock(END), Keep(raw=400 * DAY))
    rows, seconds = await _fill(pool, samples, options)
    figures: dict[str, Any] = {"rows": rows, "insert_rows_per_second": round(rows / seconds)}
    figures["rollup_seconds"], _ = await _took(lambda: keeper.round(END + timedelta(hours=1)))
    before = await _bytes(pool)
    answers, times = await _ask(pool, options)
    figures["compress_seconds"], done = await _took(lambda: keeper.round(END + LATER))
    after = await _bytes(pool)
    squeezed, times_squeezed = await _ask(pool, options)
    figures |= {
        "edition": done["edition"],
        "chunks_compressed": done["compressed"],
        "bytes_a_row": round(before / rows, 1),
        "bytes_a_row_compressed": round(after / rows, 2),
        "smaller_by": round(before / after, 1),
        "ms": times,
        "ms_compressed": times_squeezed,
        "answers_equal": _equal(answers, squeezed),
    }
    return figures | await _backfill(pool, samples, keeper, options)


async def _fill(pool: Pool, samples: PgSampleStore, options: argparse.Namespace) -> tuple[int, float]:
    began, rows = time.monotonic(), 0
    for n, batch in enumerate(record(options)):
        rows += await samples.write([batch])
        if n % 10 == 0:
            say(f"{rows:,} rows in {time.monotonic() - began:.0f} s")
    took = time.monotonic() - began
    async with pool.connection() as connection:
        await connection.execute(STATES, {"n": options.machines, "changes": options.changes, "end": END})
    return rows, took


async def _backfill(
    pool: Pool, samples: PgSampleStore, keeper: Upkeep, options: argparse.Namespace
) -> dict[str, Any]:
    """Rows into compressed chunks, then the product's recompression: same answers with and without it."""
    was = await _count(pool)
    late = _late(options)
    wrote, _ = await _took(lambda: samples.write([late]))
    async with pool.connection() as connection:  # the backfill has ended: nothing came for a while
        await connection.execute("update backfills set last_at = now() - interval '1 hour'")
    beside, _ = await _ask(pool, options, raw_only=True)
    again, done = await _took(lambda: keeper.round(END + LATER + timedelta(minutes=1)))
    within, _ = await _ask(pool, options, raw_only=True)
    now = await _count(pool)
    return {
        "late_rows": len(late),
        "late_rows_per_second": round(len(late) / wrote),
        "late_rows_on_record": now - was,
        "recompress_seconds": again,
        "chunks_recompressed": done["compressed"],
        "bytes_a_row_recompressed": round(await _bytes(pool) / now, 2),
        "late_answers_equal": _equal(beside, within),
        "rollups_equal_raw": await _rolled_as_raw(pool),
    }


def _late(options: argparse.Namespace) -> SampleBatch:
    """Spread over the whole record and over all its tags, beside the times that are there."""
    n = np.arange(options.late)
    span = (options.days * DAY).total_seconds() - 3600
    seconds = (n * (span / options.late)).astype(np.int64)
    late = SampleBatch(
        (n % options.tags + 1).astype(np.int32),
        micros(END - options.days * DAY) + seconds * 1_000_000 + 123_457,
        np.round(10 + (n % 700) / 10, 1),
        np.zeros(len(n), np.uint32),
    )
    return replace(late, historical=True)


async def _ask(
    pool: Pool, options: argparse.Namespace, raw_only: bool = False
) -> tuple[dict[str, Answer], dict[str, float]]:
    samples, ledger = PgSampleStore(pool, copy=False), PgLedger(pool, "Asia/Shanghai")
    tags = list(range(1, options.tags + 1))
    questions: dict[str, Callable[[], Awaitable[Answer]]] = {
        "last_of_all_tags": lambda: samples.newest(tags),
        "hour_of_a_tag_raw_1s": lambda: samples.trend(7, END - timedelta(hours=1), END, 3600),
        "day_of_a_tag_raw": lambda: samples.since([7], END - DAY),
        "day_of_a_rare_tag_raw": lambda: samples.since([WHOLE + 7], END - DAY),
    }
    if not raw_only:
        questions |= {
            "day_of_a_tag_1min": lambda: samples.trend(7, END - DAY, END, 1440),
            "shift_of_200_machines": lambda: ledger.states(END - timedelta(hours=8), END),
        }
    answers, times = {}, {}
    for name, question in questions.items():
        taken = [await _took(question, 5) for _ in range(options.rounds)]
        times[name] = round(1000 * statistics.median(seconds for seconds, _ in taken), 1)
        answers[name] = _plain(taken[-1][1])
    async with pool.connection() as connection:
        answers["sums"] = await (await connection.execute(SUMS)).fetchall()
    say(f"{times}")
    return answers, times


def _plain(answer: Answer) -> Answer:
    """Something that can be compared."""
    if not isinstance(answer, SampleBatch):
        return answer
    order = np.lexsort((answer.source_times, answer.tags))
    return [c[order].tolist() for c in (answer.tags, answer.source_times, answer.values, answer.statuses)]


def _equal(one: dict[str, Answer], other: dict[str, Answer]) -> bool:
    different = [name for name in one if one[name] != other[name]]
    for name in different:
        say(f"{name}: another answer")
    return not different


async def _took(work: Callable[[], Awaitable[Any]], digits: int = 1) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = await work()
    return round(time.perf_counter() - began, digits), answer


async def _bytes(pool: Pool) -> int:
    return await _number(pool, SIZE)


async def _count(pool: Pool) -> int:
    return await _number(pool, "select count(*) from samples")


async def _rolled_as_raw(pool: Pool) -> bool:
    return await _number(pool, DIFFERENT) == 0


async def _number(pool: Pool, query: str) -> int:
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=psycopg.rows.tuple_row)
        row = await (await cursor.execute(query.encode())).fetchone()
    return int(row[0]) if row else -1


SIZE = "select coalesce(sum(total_bytes), 0)::bigint from hypertable_detailed_size('samples')"
# Whole numbers of tenths: a sum that does not depend on the order.
SUMS = """
select tag, count(*) as n, sum(round(value * 10)::bigint) as tenths, min(ts) as first, max(ts) as last
from samples group by tag order by tag
"""
# Minutes as raw rows make them against minutes as they are on record; one row too many or few counts, too.
DIFFERENT = """
select count(*) from (
    select time_bucket('1 minute', ts) as bucket, tag, count(*) as n,
           sum(round(value * 10)::bigint) as tenths, min(value) as min, max(value) as max
    from samples where status < 2147483648 and value <> 'NaN' group by 1, 2
) raw
full join (
    select bucket, tag, n, round(sum * 10)::bigint as tenths, min, max from samples_1m
) rolled using (bucket, tag)
where (raw.n, raw.tenths, raw.min, raw.max) is distinct from (rolled.n, rolled.tenths, rolled.min, rolled.max)
"""
