"""States of the past written anew: in one transaction, while neither the rules nor people write of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from hub.errors import Transient
from hub.model.batch import SampleBatch, micros
from hub.model.equipment import Count, StateSpan
from hub.model.state_table import Seam
from hub.store.machines import STATES
from hub.store.mappings import seam_of
from hub.store.pool import Connection, Pool, borrowed
from hub.store.raw_span import RAW_GONE
from hub.store.stops import TURN


class PgStateHistoryTx:
    """hub.ports.state_history.StateHistoryTx."""

    def __init__(self, connection: Connection, equipment: str) -> None:
        self._connection, self._equipment = connection, equipment

    async def seam(self) -> Seam | None:
        return await _seam(self._connection, self._equipment)

    async def changes(self, since: datetime, until: datetime) -> list[StateSpan]:
        return await _changes(self._connection, self._equipment, since, until)

    async def replace(self, since: datetime, until: datetime, changes: Sequence[StateSpan]) -> None:
        values = {"equipment": self._equipment, "since": since, "until": until}
        await self._connection.execute(FORGET, values)
        told = {
            "equipment": self._equipment,
            "since": [c.since for c in changes],
            "state": [c.state.value for c in changes],
        }
        await self._connection.execute(TELL, told)

    async def never_ask(self, stops: Sequence[tuple[datetime, datetime]], at: datetime) -> None:
        rows = [(self._equipment, since, until, at) for since, until in stops]
        await self._connection.cursor().executemany(NEVER_ASK, rows)

    async def note(
        self, at: datetime, by: str, since: datetime, until: datetime, report: Mapping[str, Any],
        audit: Mapping[str, Any],
    ) -> None:  # fmt: skip
        values = {
            "equipment": self._equipment, "at": at, "by": by, "since": since, "until": until,
            "report": Jsonb(dict(report)), "audit": Jsonb(dict(audit)),
        }  # fmt: skip
        await self._connection.execute(NOTE, values)
        await self._connection.execute(AUDIT_NOTE, values)


class PgStateHistory:
    """hub.ports.state_history.StateHistory."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def begin(self, equipment: str) -> AsyncIterator[PgStateHistoryTx]:
        async with borrowed(self._pool) as connection, connection.transaction():
            try:
                await connection.execute(NOT_FOR_LONG)
                await connection.execute(TURN, [equipment])  # nobody says why it stood meanwhile
                await connection.execute(ALONE)  # and the rules wait with what they have to tell
            except psycopg.errors.LockNotAvailable:
                raise Transient("others are writing states or stops", timedelta(seconds=5)) from None
            yield PgStateHistoryTx(connection, equipment)

    async def seam(self, equipment: str) -> Seam | None:
        async with borrowed(self._pool) as connection:
            return await _seam(connection, equipment)

    async def changes(self, equipment: str, since: datetime, until: datetime) -> list[StateSpan]:
        async with borrowed(self._pool) as connection:
            return await _changes(connection, equipment, since, until)

    async def counts(self, equipment: str, since: datetime, until: datetime) -> list[Count]:
        values = {"equipment": equipment, "since": since, "until": until}
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(COUNTS_OF, values)).fetchall()
        return [Count(equipment, r["at"], r["good"], r["delta"], r["reading"]) for r in rows]

    async def page(self, tag: int, start: datetime, end: datetime, most: int) -> SampleBatch:
        values = {"tag": tag, "start": start, "end": end, "most": most}
        async with borrowed(self._pool) as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            await cursor.execute(OLDEST_OF_SPAN, values, binary=True)
            rows = await cursor.fetchall()
        return SampleBatch(
            np.full(len(rows), tag, np.int32),
            np.array([micros(at) for at, _, _ in rows], np.int64),
            np.array([value for _, value, _ in rows], np.float64),
            np.array([status for _, _, status in rows], np.uint32),
        )

    async def raw_gone(self, tag: int) -> datetime | None:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(RAW_GONE, {"tag": tag})).fetchone()
        return row["since"] if row else None

    async def done(self, equipment: str, most: int) -> list[dict[str, Any]]:
        async with borrowed(self._pool) as connection:
            return await (await connection.execute(DONE, [equipment, most])).fetchall()


async def _seam(connection: Connection, equipment: str) -> Seam | None:
    row = await (await connection.execute(SEAM, [equipment])).fetchone()
    return seam_of(row) if row else None


async def _changes(
    connection: Connection, equipment: str, since: datetime, until: datetime
) -> list[StateSpan]:
    values = {"equipment": equipment, "since": since, "until": until}
    rows = await (await connection.execute(CHANGES_OF, values)).fetchall()
    return [StateSpan(equipment, STATES[r["state"]], r["since"].astimezone(UTC)) for r in rows]


NOT_FOR_LONG = "set local lock_timeout = '5s'"  # the rules' next word would wait behind us
ALONE = "lock table equipment_states in share row exclusive mode"
SEAM = "select codes, since from state_seams where equipment = %s"
CHANGES_OF = """
(select state, since from equipment_states
 where equipment = %(equipment)s and since <= %(since)s order by since desc limit 1)
union all
(select state, since from equipment_states
 where equipment = %(equipment)s and since > %(since)s and since < %(until)s)
order by since
"""
COUNTS_OF = """
select at, good, delta, reading from counts
where equipment = %(equipment)s and at >= %(since)s and at < %(until)s order by at
"""
OLDEST_OF_SPAN = """
select ts, value, status from samples
where tag = %(tag)s and ts >= %(start)s and ts < %(end)s order by ts limit %(most)s
"""
FORGET = """
delete from equipment_states
where equipment = %(equipment)s and since >= %(since)s and since < %(until)s
"""
TELL = """
insert into equipment_states (equipment, since, state)
select %(equipment)s, told.since, told.state
from unnest(%(since)s::timestamptz[], %(state)s::text[]) told (since, state)
on conflict (equipment, since) do nothing
"""
NEVER_ASK = """
insert into stop_asked (equipment, since, until, at) values (%s, %s, %s, %s)
on conflict (equipment, since) do update set until = greatest(stop_asked.until, excluded.until)
"""
NOTE = """
insert into state_histories (equipment, at, by, since, until, report)
values (%(equipment)s, %(at)s, %(by)s, %(since)s, %(until)s, %(report)s)
"""
AUDIT_NOTE = """
insert into audit (at, who, what, about, detail)
values (%(at)s, %(by)s, 'state-history.rederive', %(equipment)s, %(audit)s)
"""
DONE = """
select at, by, since, until, report from state_histories where equipment = %s order by id desc limit %s
"""
