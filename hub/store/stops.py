"""What people said of the time that machines stood; states are read as far back as a stop reaches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from hub.errors import Conflict
from hub.kpi.stops import Change
from hub.model.equipment import StateSpan
from hub.model.intent import Intent
from hub.model.stop import OldPart, StopPart
from hub.store import outbox
from hub.store.machines import STATES, spans_of
from hub.store.pool import Connection, Pool, borrowed
from hub.store.statements import insert

Asked = tuple[str, datetime, datetime]  # machine, and what was then known of its stop
_COLUMNS = tuple(f.name for f in fields(StopPart) if f.name != "id")


class PgStopTx:
    """hub.ports.StopTx."""

    def __init__(self, connection: Connection, equipment: str) -> None:
        self._connection = connection
        self._equipment = equipment

    async def spans(self, since: datetime, until: datetime, now: datetime) -> list[StateSpan]:
        return await _spans(self._connection, [self._equipment], since, until, now)

    async def parts(self, since: datetime, until: datetime) -> list[StopPart]:
        return await _parts(self._connection, [self._equipment], since, until)

    async def apply(self, change: Change, by: str, at: datetime) -> None:
        gone = {"ids": [p.id for p in change.gone], "by": by, "at": at}
        done = await self._connection.execute(REPLACE, gone)
        if done.rowcount != len(change.gone):
            raise Conflict("stop-changed", "somebody else")
        await self._connection.cursor().executemany(ADD, [_row(p) for p in change.new])

    async def stretch(self, parts: Sequence[StopPart]) -> None:
        rows = [(p.since, p.until, p.id) for p in parts]
        await self._connection.cursor().executemany(STRETCH, rows)


class PgStops:
    """hub.ports.Stops."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def begin(self, equipment: str) -> AsyncIterator[PgStopTx]:
        try:
            async with borrowed(self._pool) as connection, connection.transaction():
                await connection.execute(TURN, [equipment])
                yield PgStopTx(connection, equipment)
        except psycopg.errors.ExclusionViolation:
            raise Conflict("stop-changed", "somebody else") from None

    async def spans(
        self, machines: Collection[str], since: datetime, until: datetime, now: datetime
    ) -> list[StateSpan]:
        async with borrowed(self._pool) as connection:
            return await _spans(connection, machines, since, until, now)

    async def parts(self, machines: Collection[str], since: datetime, until: datetime) -> list[StopPart]:
        async with borrowed(self._pool) as connection:
            return await _parts(connection, machines, since, until)

    async def history(self, equipment: str, since: datetime, until: datetime) -> list[OldPart]:
        values = {"machines": [equipment], "since": since, "until": until}
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(HISTORY, values)).fetchall()
        return [OldPart(_part(r), _utc(r["replaced_at"]), r["replaced_by"]) for r in rows]

    async def used(self, machines: Collection[str], since: datetime) -> dict[str, dict[str, int]]:
        values = {"machines": list(machines), "since": since}
        found: dict[str, dict[str, int]] = {}
        async with borrowed(self._pool) as connection:
            async for row in await connection.execute(USED, values):
                found.setdefault(row["equipment"], {})[row["reason"]] = row["n"]
        return found

    async def asked(self, since: datetime) -> list[Asked]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(ASKED, [since])).fetchall()
        return [(r["equipment"], r["since"], r["until"]) for r in rows]

    async def ask(self, asked: Asked, at: datetime, intents: Sequence[Intent]) -> bool:
        async with borrowed(self._pool) as connection, connection.transaction():
            if (await connection.execute(ASK, [*asked, at])).rowcount == 0:
                return False
            for intent in intents:
                await outbox.write(connection, intent, at)
        return True


async def _spans(
    connection: Connection, machines: Collection[str], since: datetime, until: datetime, now: datetime
) -> list[StateSpan]:
    cursor = connection.cursor(row_factory=tuple_row)
    values = {"machines": sorted(machines), "since": since, "until": until}
    await cursor.execute(CHANGES, values, binary=True)
    rows = await cursor.fetchall()
    return spans_of((StateSpan(e, STATES[state], at) for e, state, at in rows if at < now), now)


async def _parts(
    connection: Connection, machines: Collection[str], since: datetime, until: datetime
) -> list[StopPart]:
    values = {"machines": list(machines), "since": since, "until": until}
    return [_part(row) async for row in await connection.execute(PARTS, values)]


def _part(row: dict[str, Any]) -> StopPart:
    return StopPart(
        row["equipment"], row["since"].astimezone(UTC), row["until"].astimezone(UTC), row["reason"],
        row["note"], row["by"], row["at"].astimezone(UTC), row["opens"], row["closes"], row["id"],
    )  # fmt: skip


def _row(part: StopPart) -> dict[str, Any]:
    return {name: getattr(part, name) for name in _COLUMNS}


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at else None


TURN = "select pg_advisory_xact_lock(hashtextextended('andon:stop:' || %s, 0))"
ADD = insert("stop_parts", _COLUMNS)
REPLACE = """
update stop_parts set replaced_at = %(at)s, replaced_by = %(by)s
where id = any (%(ids)s::bigint[]) and replaced_at is null
"""
STRETCH = "update stop_parts set since = %s, until = %s where id = %s and replaced_at is null"
PARTS = """
select * from stop_parts
where equipment = any (%(machines)s::text[]) and until > %(since)s and since < %(until)s
    and replaced_at is null
order by equipment, since
"""
HISTORY = """
select * from stop_parts
where equipment = any (%(machines)s::text[]) and until > %(since)s and since < %(until)s
order by id
"""
USED = """
select equipment, reason, count(*) as n from stop_parts
where equipment = any (%(machines)s::text[]) and until > %(since)s and reason <> '' and replaced_at is null
group by equipment, reason order by equipment, n desc, reason
"""
ASKED = "select equipment, since, until from stop_asked where until > %s"
ASK = "insert into stop_asked (equipment, since, until, at) values (%s, %s, %s, %s) on conflict do nothing"
# From the last state before `since` that ends a stop to the first after `until` that does.
CHANGES = """
select m.equipment, c.state, c.since from unnest(%(machines)s::text[]) as m (equipment)
cross join lateral (
    select coalesce((
        select s.since from equipment_states s
        where s.equipment = m.equipment and s.since <= %(since)s
            and s.state in ('executing', 'off', 'unknown')
        order by s.since desc limit 1
    ), '-infinity') as first, coalesce((
        select s.since from equipment_states s
        where s.equipment = m.equipment and s.since >= %(until)s
            and s.state in ('executing', 'off', 'unknown')
        order by s.since limit 1
    ), 'infinity') as last
) reach
cross join lateral (
    select s.state, s.since from equipment_states s
    where s.equipment = m.equipment and s.since >= reach.first and s.since <= reach.last
) c
order by m.equipment, c.since
"""
