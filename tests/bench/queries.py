"""What screens and phones ask of a long record: last values, a day of one tag, a shift of 200 machines; ms.

A record of `--rows` samples over `--days` (few tags at 1 Hz for the last day, the rest by exception, some of
them silent for days), written by binary COPY in the order of time as the hub does and rolled up by its own
upkeep, is asked through the product's stores. `--edition plain` makes partitions on whatever server there is.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from hub.model.batch import SampleBatch, micros
from hub.store.copying import to_copy
from hub.store.ledger import PgLedger
from hub.store.migrate import migrate
from hub.store.partitions import make_ahead
from hub.store.pool import open_pool
from hub.store.samples import COPY_IN, PgSampleStore
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import HandClock
from tests.bench.database import server
from tests.bench.figures import machine, say

END = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
WHOLE = 20  # tags with a whole day at 1 Hz
SILENT = 50  # tags that said nothing in the second half of the record
ROWS = 200_000  # to a commit
Tags = np.ndarray[Any, np.dtype[np.int64]]


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=queries ARGS=...", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--tags", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--changes", type=int, default=240, help="state changes of a machine a day")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--edition", choices=("best", "plain"), default="best")
    return parser.parse_args(given)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        Path(name).chmod(0o711)
        async with server(Path(name)) as database:
            dsn = database.fresh()
            if options.edition == "plain":
                _stays_plain(dsn)
            await migrate(dsn)
            about = await _fill(dsn, options)
            figures = await _ask(dsn, options)
    return {"machine": machine(), **database.about, **about, **figures}


def _stays_plain(dsn: str) -> None:
    """A database that was begun on PostgreSQL alone stays so when the extension comes later."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table schema_edition (one boolean primary key default true, edition text)")
        connection.execute("insert into schema_edition (edition) values ('plain')")


async def _fill(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    rows = 0
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        edition = await (await connection.execute("select edition from schema_edition")).fetchone()
        if edition == ("plain",):
            for back in range(options.days, -1, -1):
                await make_ahead(connection, DAY, END - back * DAY)
        for batch in record(options):
            async with connection.cursor().copy(COPY_IN) as copy:
                await copy.write(to_copy(batch))
            rows += len(batch)
        copied = time.monotonic() - began
        await connection.execute(STATES, {"n": options.machines, "changes": options.changes, "end": END})
        say(f"{rows:,} rows in {copied:.0f} s")
    began = time.monotonic()
    pool = await open_pool(dsn, max_size=2)
    await Upkeep(pool, HandClock(END), Keep(raw=timedelta(days=400))).round(END)
    rolled = time.monotonic() - began
    async with pool.connection() as connection:
        await connection.execute("vacuum analyze")
    await pool.close()
    say(f"rolled up in {rolled:.0f} s")
    return {
        "rows": rows,
        "edition": edition[0] if edition else "",
        "copy_rows_per_second": round(rows / copied),
        "rollup_seconds": round(rolled, 1),
    }


def record(options: argparse.Namespace) -> Iterator[SampleBatch]:
    tags = np.arange(WHOLE + 1, options.tags + 1)
    each = max((options.rows - WHOLE * 86_400) // len(tags), 2)
    step = options.days * DAY / each
    yield from _series(tags, range(each // 2), each, step)
    yield from _series(tags[:-SILENT], range(each // 2, each), each, step)
    yield from _series(np.arange(1, WHOLE + 1), range(86_400), 86_400, timedelta(seconds=1))


def _series(tags: Tags, kept: range, each: int, step: timedelta) -> Iterator[SampleBatch]:
    """Of `each` samples of every tag, one a `step` and the last just before END, those that are kept."""
    at_once = max(ROWS // len(tags), 1)
    for first in range(kept.start, kept.stop, at_once):
        k = np.repeat(np.arange(first, min(first + at_once, kept.stop)), len(tags))
        tag = np.tile(tags, len(k) // len(tags))
        yield SampleBatch(
            tag.astype(np.int32),
            micros(END) - ((each - k) * (step / timedelta(microseconds=1))).astype(np.int64),
            np.round(50 + 20 * np.sin(k / 300.0 + tag), 1),
            np.zeros(len(k), np.uint32),
        )


async def _ask(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    pool = await open_pool(dsn, max_size=2)
    samples, ledger = PgSampleStore(pool), PgLedger(pool, "Asia/Shanghai")
    tags = list(range(1, options.tags + 1))
    shift = END - timedelta(hours=8)
    questions: dict[str, Callable[[], Awaitable[Any]]] = {
        "last_5000": lambda: samples.newest(tags),
        "day_1min": lambda: samples.trend(7, END - DAY, END, 1440),
        "shift_200": lambda: ledger.states(shift, END),
    }
    figures: dict[str, Any] = {}
    for name, question in questions.items():
        figures[f"{name}_first_ms"] = round((await timed(question))[0], 2)
        taken = [await timed(question) for _ in range(options.rounds)]
        figures[f"{name}_ms"] = round(statistics.median(ms for ms, _ in taken), 2)
        figures[f"{name}_answers"] = taken[-1][1]
    await pool.close()
    return figures


async def timed(question: Callable[[], Awaitable[Any]]) -> tuple[float, int]:
    began = time.perf_counter()
    answer = await question()
    return (time.perf_counter() - began) * 1000, len(answer)


STATES = """
insert into equipment_states (equipment, since, state)
select 'p1/a/l/m' || m, %(end)s::timestamptz - make_interval(secs => k * 86400.0 / %(changes)s::int + m),
       (array['executing', 'idle', 'fault', 'setup'])[1 + (k + m) %% 4]
from generate_series(1, %(n)s::int) m cross join generate_series(0, %(changes)s::int) k
"""
