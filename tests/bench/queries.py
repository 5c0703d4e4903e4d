"""What screens and phones ask of a long record: last values, a day of one tag, a shift of 200 machines; ms.

A record of `--rows` samples (1 Hz, the last day of few tags whole, the rest spread over many), rolled up by
the hub's own upkeep, is asked through the product's stores. Rows are made by the server.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from hub.store.ledger import PgLedger
from hub.store.migrate import migrate
from hub.store.partitions import make_ahead
from hub.store.pool import open_pool
from hub.store.samples import PgSampleStore
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import HandClock
from tests.bench.database import server
from tests.bench.figures import machine, say

END = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
WHOLE = 20  # tags with a whole day at 1 Hz


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=queries ARGS=...", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--tags", type=int, default=5_000)
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--changes", type=int, default=240, help="state changes of a machine a day")
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args(given)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as name:
        Path(name).chmod(0o711)
        async with server(Path(name)) as database:
            dsn = database.fresh()
            await migrate(dsn)
            rows = await _fill(dsn, options)
            figures = await _ask(dsn, options)
    return {"machine": machine(), **database.about, "rows": rows, **figures}


async def _fill(dsn: str, options: argparse.Namespace) -> int:
    began = time.monotonic()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        if await _is_partitioned(connection):
            for hours in range(0, 49, 24):
                await make_ahead(connection, DAY, END - timedelta(hours=48 - hours))
        each = max((options.rows - WHOLE * 86_400) // (options.tags - WHOLE), 1)
        for statement, tags, seconds in (
            (SAMPLES, (1, WHOLE), 86_400),
            (SAMPLES, (WHOLE + 1, options.tags), each),
        ):
            span = {"first": tags[0], "last": tags[1], "n": seconds, "end": END, "step": 86_400 / seconds}
            await connection.execute(statement, span)
        await connection.execute(STATES, {"n": options.machines, "changes": options.changes, "end": END})
        await connection.execute("vacuum analyze")
        row = await (await connection.execute("select count(*) from samples")).fetchone()
    pool = await open_pool(dsn, max_size=2)
    await Upkeep(pool, HandClock(END), Keep(raw=timedelta(days=400))).round(END)
    await pool.close()
    rows = int(row[0]) if row else 0
    say(f"{rows:,} rows, rolled up, after {time.monotonic() - began:.0f} s")
    return rows


async def _is_partitioned(connection: psycopg.AsyncConnection[Any]) -> bool:
    row = await (await connection.execute("select to_regclass('samples_strays') is not null")).fetchone()
    return bool(row and row[0])


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
        figures[f"{name}_first_ms"] = round((await _timed(question))[0], 2)
        taken = [await _timed(question) for _ in range(options.rounds)]
        figures[f"{name}_ms"] = round(statistics.median(ms for ms, _ in taken), 2)
        figures[f"{name}_answers"] = taken[-1][1]
    await pool.close()
    return figures


async def _timed(question: Callable[[], Awaitable[Any]]) -> tuple[float, int]:
    began = time.perf_counter()
    answer = await question()
    return (time.perf_counter() - began) * 1000, len(answer)


SAMPLES = """
insert into samples (ts, tag, value, status)
select %(end)s::timestamptz - make_interval(secs => (%(n)s::int - k) * %(step)s::float8), tag,
       round((50 + 20 * sin(k / 300.0 + tag))::numeric, 1)::float8, 0
from generate_series(1, %(n)s::int) k cross join generate_series(%(first)s::int, %(last)s::int) tag
"""
STATES = """
insert into equipment_states (equipment, since, state)
select 'p1/a/l/m' || m, %(end)s::timestamptz - make_interval(secs => k * 86400.0 / %(changes)s::int + m),
       (array['executing', 'idle', 'fault', 'setup'])[1 + (k + m) %% 4]
from generate_series(1, %(n)s::int) m cross join generate_series(0, %(changes)s::int) k
"""
