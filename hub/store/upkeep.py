"""The one scheduler of the record, in every edition: roll up, make room ahead, compress, let go.

No policy of TimescaleDB is used: the hub decides when, and says in its status whether it worked.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.errors import LockNotAvailable

from hub.ports import Clock
from hub.store import late, partitions, standing_rows, unbound
from hub.store.edition import Edition
from hub.store.leaps import Leaps
from hub.store.minutes import Minutes
from hub.store.pool import Connection, Pool, borrowed
from hub.store.rollup import floor, roll
from hub.store.tag_classes import TagClass, let_go, shorter

log = logging.getLogger(__name__)

LOCK = 0x616E646F6E03
LAG = timedelta(seconds=20)  # what is older than this is seldom written any more
QUIET = timedelta(minutes=10)  # a backfill that said nothing for so long has ended
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
SPELL = 5.0  # seconds of a round in which old process parameters are deleted ...
MANY = 20_000  # ... about so many with each statement


@dataclass(frozen=True, slots=True)
class Keep:
    """How long: raw samples (but those of `classes`), minutes, intents that were carried out, ids of what an
    MES told, samples of process parameters. Hours and days are kept for ever."""

    raw: timedelta = timedelta(days=7)
    minutes: timedelta = timedelta(days=90)
    intents: timedelta = timedelta(days=30)
    exchanges: timedelta = timedelta(days=400)  # with the ERP: an audit looks back over a whole year
    events: timedelta = timedelta(days=400)
    parameters: timedelta = timedelta(days=730)  # of process parameters: a customer asks about a lot late
    classes: tuple[TagClass, ...] = ()

    @property
    def longest_raw(self) -> timedelta:
        return max(self.raw, *(one.raw for one in self.classes), timedelta())


class Upkeep:
    """One round a minute. Several hubs on one database take turns: who does not get the lock does nothing."""

    def __init__(
        self, pool: Pool, clock: Clock, keep: Keep | None = None, minutes: Minutes | None = None
    ) -> None:
        """`minutes`: what the writer of this process has stored lately, added up already."""
        self._pool = pool
        self._clock = clock
        self._keep = keep or Keep()
        self._minutes = minutes
        self._last: Mapping[str, Any] = {}
        self._rate = 0.0  # rows a second
        self._rated: datetime | None = None
        self._leaps = Leaps()

    def detail(self) -> Mapping[str, Any]:
        """What the last round did."""
        return self._last

    async def run(self) -> None:
        """Until cancelled; raises Transient when the database is away."""
        while True:
            await self.round(self._clock.now(), doubting=True)
            now = self._clock.now()
            await self._clock.sleep((floor(now, MINUTE) + MINUTE + LAG - now).total_seconds())

    async def round(self, now: datetime, *, doubting: bool = False) -> Mapping[str, Any]:
        """`doubting`: nothing is let go while the clock has leapt ahead."""
        async with borrowed(self._pool) as connection:
            got = await (
                await connection.execute("select pg_try_advisory_lock(%s) as got", [LOCK])
            ).fetchone()
            if got is None or not got["got"]:
                return {}
            try:
                self._last = await self._work(connection, now, doubting)
            finally:
                await connection.execute("select pg_advisory_unlock(%s)", [LOCK])
        return self._last

    async def _work(self, connection: Connection, now: datetime, doubting: bool) -> Mapping[str, Any]:
        edition = await edition_of(connection)
        sure = not doubting or await self._leaps.look(connection, now, self._clock.monotonic())
        rolled = await roll(connection, edition, now - LAG, self._minutes)
        if self._rated is None or abs(now - self._rated) >= QUIET:
            self._rate, self._rated = await _rows_per_second(connection, now), now
        interval = partitions.interval_for(self._rate)
        too_late = await late.told_now(connection)
        ahead: list[str] = []
        async with briefly(connection, "making room ahead"):
            ahead = await make_room(connection, edition, interval, now)
        return {
            "edition": edition.value,
            "rolled": rolled,
            "ahead": ahead,
            "compressed": await compress(connection, edition, now - 2 * max(interval, DAY)),
            "dropped": await retain(connection, edition, now, self._keep, self._clock) if sure else 0,
            **({"too_late": too_late} if too_late else {}),
            **({"clock_leapt": self._leaps.since.isoformat()} if self._leaps.since else {}),
        }


@asynccontextmanager
async def briefly(connection: Connection, what: str) -> AsyncIterator[None]:
    """Whoever waits for a table's strongest lock keeps all from it that come after: writers and readers. A
    backup, or somebody's open transaction, may hold it for hours: this is left for a later round then."""
    await connection.execute("set lock_timeout = '1s'")
    try:
        yield
    except LockNotAvailable:
        log.warning("%s is left for later: a long transaction (a backup?) reads the samples", what)
    finally:
        await connection.execute("reset lock_timeout")


async def edition_of(connection: Connection) -> Edition:
    """As it was settled when the database was made."""
    row = await (await connection.execute("select edition from schema_edition")).fetchone()
    assert row is not None
    return Edition(row["edition"])


async def _rows_per_second(connection: Connection, now: datetime) -> float:
    """Over the last rolled quarter of an hour."""
    start, end = floor(now, MINUTE) - timedelta(minutes=16), floor(now, MINUTE) - MINUTE
    row = await (await connection.execute(RATE, [start, end])).fetchone()
    return float(row["n"]) / (end - start).total_seconds() if row else 0.0


async def make_room(
    connection: Connection, edition: Edition, interval: timedelta, now: datetime
) -> list[str]:
    """Partitions ahead of time; a hypertable makes its own chunks and is told how wide."""
    if edition is Edition.PLAIN:
        return await partitions.make_ahead(connection, interval, now)
    row = await (await connection.execute(CHUNK_INTERVAL)).fetchone()
    if row is None or row["time_interval"] == interval:
        return []
    await connection.execute("select set_chunk_time_interval('samples', %s::interval)", [interval])
    return [f"chunks of {interval} from now on"]


async def compress(connection: Connection, edition: Edition, older_than: datetime) -> int:
    """Chunks that are not, and those into which something came late once nothing has come for a while; each
    by itself, so that a writer waits for one at most."""
    if edition is not Edition.COMMUNITY:
        return 0
    chunks = [row["chunk"] async for row in await connection.execute(TO_COMPRESS, [older_than, QUIET])]
    done = 0
    for chunk in chunks:
        async with briefly(connection, "compressing a chunk"):
            await connection.execute("select compress_chunk(%s::regclass)", [chunk])
            done += 1
    return done


async def retain(connection: Connection, edition: Edition, now: datetime, keep: Keep, clock: Clock) -> int:
    """Let go what is older than it is kept, never raw samples that were not rolled. Roll-ups stay."""
    dropped = await _drop_raw(connection, edition, now - keep.longest_raw)
    await _let_classes_go(connection, edition, now, keep)
    dropped += await _drop_minutes(connection, edition, now - keep.minutes)
    dropped += await _drop_parameters(connection, edition, now - keep.parameters, clock)
    for statement, before in (
        (OLD_INTENTS, now - keep.intents),
        (OLD_EXCHANGES, now - keep.exchanges),
        (OLD_CHANGES, now - keep.exchanges),
        (OLD_FAILURES, now - DAY),
        (OLD_SESSIONS, now - DAY),
        (OLD_EVENTS, now - keep.events),
        (OLD_REJECTS, now - keep.events),
        (unbound.DONE, now),
    ):
        await connection.execute(statement, [before])
    return dropped


async def _drop_raw(connection: Connection, edition: Edition, before: datetime) -> int:
    horizon = floor(min(before, await _rolled(connection, "1m")), timedelta(hours=1))
    await late.move_horizon(connection, "raw", horizon, timedelta(hours=1))
    upto = await _let_go_upto(connection, "raw", horizon)
    async with briefly(connection, "letting old samples go"):
        if not await _anything_before(connection, edition, upto):
            return 0
        await standing_rows.remember(connection, upto)
        if edition is Edition.PLAIN:
            return len(await partitions.drop_before(connection, upto))
        return len(await (await connection.execute(OLD_CHUNKS, [upto])).fetchall())
    return 0


async def _anything_before(connection: Connection, edition: Edition, upto: datetime) -> bool:
    if edition is Edition.PLAIN:
        return await partitions.any_before(connection, upto)
    return await (await connection.execute(ANY_CHUNKS, [upto])).fetchone() is not None


async def _let_go_upto(connection: Connection, source: str, horizon: datetime) -> datetime:
    """In every round, whether the horizon has moved or not: what somebody's long transaction has kept in the
    last one is tried again. No further than the horizon on record, and than this one where that lies beyond,
    as after a clock that was ahead."""
    row = await (await connection.execute(SINCE, [source])).fetchone()
    assert row is not None
    since: datetime = row["since"]
    return min(horizon, since)


async def _let_classes_go(connection: Connection, edition: Edition, now: datetime, keep: Keep) -> None:
    if not keep.classes:
        return
    rolled = await _rolled(connection, "1m")
    known = [row["number"] async for row in await connection.execute(NUMBERS)]
    for one in shorter(keep.classes, keep.raw, keep.longest_raw, known):
        async with briefly(connection, "letting a class of tags go"):
            await let_go(connection, edition, now, one, rolled)


async def _drop_minutes(connection: Connection, edition: Edition, before: datetime) -> int:
    horizon = floor(min(before, await _rolled(connection, "1h")), DAY)
    moved = await late.move_horizon(connection, "1m", horizon, DAY)
    if edition is Edition.COMMUNITY:
        upto = await _let_go_upto(connection, "1m", horizon)
        async with briefly(connection, "letting old minutes go"):
            return len(await (await connection.execute(OLD_MINUTES, [upto])).fetchall())
        return 0
    moved = moved or await late.beyond(connection, "1m", horizon)
    if moved is None:
        return 0
    return (await connection.execute("delete from samples_1m_data where bucket < %s", [moved])).rowcount


async def _drop_parameters(connection: Connection, edition: Edition, before: datetime, clock: Clock) -> int:
    if edition is Edition.PLAIN:
        return await _delete_parameters(connection, before, clock)
    async with briefly(connection, "letting old parameters go"):
        rows = await connection.execute("select drop_chunks('parameter_samples', older_than => %s)", [before])
        return len(await rows.fetchall())
    return 0


async def _delete_parameters(connection: Connection, before: datetime, clock: Clock) -> int:
    """The oldest first, a stretch of time with each statement, so that none looks through what those before
    it have left; what SPELL is too short for is left for the next round."""
    began, width, rows = clock.monotonic(), MINUTE, 0
    start = await _oldest_parameter(connection)
    while start is not None and start < before and clock.monotonic() - began < SPELL:
        end = min(start + width, before)
        gone = (await connection.execute(OLD_PARAMETERS, [start, end])).rowcount
        rows += gone
        if gone > MANY:
            width = max(width / 2, SECOND)
        elif gone < MANY / 2:
            width = min(2 * width, DAY)
        start = end if gone else await _oldest_parameter(connection)
    return rows


async def _oldest_parameter(connection: Connection) -> datetime | None:
    row = await (await connection.execute(FIRST_PARAMETER)).fetchone()
    return row["ts"] if row else None


async def _rolled(connection: Connection, level: str) -> datetime:
    row = await (
        await connection.execute("select rolled from rollup_state where level = %s", [level])
    ).fetchone()
    assert row is not None
    rolled: datetime = row["rolled"]
    return rolled


RATE = "select coalesce(sum(n), 0) as n from samples_1m where bucket >= %s and bucket < %s"
CHUNK_INTERVAL = """
select time_interval from timescaledb_information.dimensions
where hypertable_name = 'samples' and hypertable_schema = current_schema() and dimension_number = 1
"""
# 8: a compressed chunk that holds rows beside what is compressed.
TO_COMPRESS = """
select chunk from (
    select format('%%I.%%I', chunk_schema, chunk_name) as chunk, is_compressed, range_start, range_end
    from timescaledb_information.chunks
    where hypertable_name = 'samples' and hypertable_schema = current_schema() and range_end <= %s
) old
where (not is_compressed or _timescaledb_functions.chunk_status(chunk::regclass) & 8 <> 0)
  and not exists (
    select from backfills
    where hour >= range_start - interval '1 hour' and hour < range_end and last_at > now() - %s::interval
)
order by range_start
"""
ANY_CHUNKS = "select from show_chunks('samples', older_than => %s::timestamptz) limit 1"
OLD_CHUNKS = "select drop_chunks('samples', older_than => %s::timestamptz)"
OLD_MINUTES = "select drop_chunks('samples_1m', older_than => %s::timestamptz)"
SINCE = "select since from horizons where source = %s"
NUMBERS = "select number from tags"
OLD_INTENTS = "delete from outbox where state = 'done' and finished_at < %s"
OLD_EXCHANGES = "delete from erp_exchanges where at < %s"
OLD_CHANGES = "delete from order_changes where confirmed_at < %s"
OLD_FAILURES = "delete from login_failures where at < %s"
OLD_EVENTS = "delete from mes_events where at < %s"
OLD_PARAMETERS = "delete from parameter_samples where ts >= %s and ts < %s"
FIRST_PARAMETER = """
select min(first.ts) as ts from process_parameters m
cross join lateral (select ts from parameter_samples where tag = m.tag order by ts limit 1) first
"""
OLD_REJECTS = "delete from mes_rejects where state <> 'waiting' and last_at < %s"
OLD_SESSIONS = "delete from sessions where made_at < %s"
