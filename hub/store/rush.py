"""Taps that made an order a rush order, and what has come of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from hub.model.intent import Intent
from hub.model.production import JobProgress, WorkOrder
from hub.model.rush import Fate, Rush, Sight, Terms
from hub.ports import Clock
from hub.store import orders, outbox
from hub.store.people import AUDIT
from hub.store.pool import Connection, Pool, borrowed
from hub.store.statements import insert

_PLAIN = ("by", "at", "until", "reason", "tap", "told_erp")
COLUMNS = (
    "work_order", *_PLAIN, "before_priority", "before_rush", "before_due_at", "priority", "rush", "due_at",
    "foreseen", "audience",
)  # fmt: skip


class PgRushTx:
    """hub.ports.RushTx."""

    def __init__(self, connection: Connection, clock: Clock | None) -> None:
        self._connection = connection
        self._clock = clock

    async def orders(self) -> list[WorkOrder]:
        return await orders.present(self._connection)

    async def progress(self) -> list[JobProgress]:
        return await orders.progress(self._connection)

    async def newest(self, order: str) -> Rush | None:
        return _rush(await (await self._connection.execute(NEWEST, [order])).fetchone())

    async def add(self, rush: Rush) -> Rush:
        found = _rush(await (await self._connection.execute(ADD, _row(rush))).fetchone())
        assert found is not None
        return found

    async def undo(self, rush: Rush, at: datetime, by: str) -> Rush:
        values = {"id": rush.id, "at": at, "by": by}
        found = _rush(await (await self._connection.execute(UNDO, values)).fetchone())
        assert found is not None
        return found

    async def refusal_told(self, rush: Rush, at: datetime) -> None:
        await self._connection.execute(REFUSAL_TOLD, {"id": rush.id, "at": at})

    async def fates(self, keys: Sequence[str]) -> dict[str, Fate]:
        return await fates(self._connection, keys)

    async def intend(self, intent: Intent) -> None:
        await outbox.write(self._connection, intent, self._clock.now() if self._clock else None)

    async def audit(self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]) -> None:
        values = {"at": at, "who": who, "what": what, "about": about, "detail": Jsonb(dict(detail))}
        await self._connection.execute(AUDIT, values)


class PgRushes:
    """hub.ports.Rushes."""

    def __init__(self, pool: Pool, clock: Clock | None = None) -> None:
        self._pool = pool
        self._clock = clock

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PgRushTx]:
        """One at a time in the whole plant: what one tap foresees, no other one has changed meanwhile."""
        async with borrowed(self._pool) as connection, connection.transaction():
            await connection.execute(TURN)
            yield PgRushTx(connection, self._clock)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[PgRushTx]:
        """Nobody waits for who only looks; what is read is of one moment."""
        async with borrowed(self._pool) as connection, connection.transaction():
            await connection.execute("set transaction isolation level repeatable read, read only")
            yield PgRushTx(connection, self._clock)

    async def newest(self, order: str) -> Rush | None:
        async with borrowed(self._pool) as connection:
            return await PgRushTx(connection, self._clock).newest(order)

    async def recent(self, limit: int) -> list[Rush]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(RECENT, [limit])).fetchall()
        return [found for row in rows if (found := _rush(row))]

    async def fates(self, keys: Sequence[str]) -> dict[str, Fate]:
        async with borrowed(self._pool) as connection:
            return await fates(connection, keys)

    async def saw(self, sight: Sight) -> bool:
        async with borrowed(self._pool) as connection:
            return (await connection.execute(SAW, asdict(sight))).rowcount > 0

    async def sights(self, rushes: Sequence[int]) -> list[Sight]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(SIGHTS, [list(rushes)])).fetchall()
        return [Sight(**row) for row in rows]

    async def refused(self) -> list[Rush]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(REFUSED)).fetchall()
        return [found for row in rows if (found := _rush(row))]


async def fates(connection: Connection, keys: Sequence[str]) -> dict[str, Fate]:
    """What has become of these intents; those that are no longer on record are left out."""
    rows = await (await connection.execute(FATES, [list(keys)])).fetchall()
    return {row["key"]: _fate(row) for row in rows}


def _fate(row: dict[str, Any]) -> Fate:
    """A letter that somebody has put aside stays what it was: given up."""
    receipt = row["receipt"] or {}
    state = "dead" if receipt.get("set_aside") else row["state"]
    notifier = str(row["payload"].get("notifier") or "")
    return Fate(row["key"], state, row["finished_at"], row["reason"], receipt, notifier)


def _row(rush: Rush) -> dict[str, Any]:
    return {name: getattr(rush, name) for name in _PLAIN} | {
        "work_order": rush.order,
        "before_priority": rush.before.priority,
        "before_rush": rush.before.rush,
        "before_due_at": rush.before.due_at,
        "priority": rush.after.priority,
        "rush": rush.after.rush,
        "due_at": rush.after.due_at,
        "foreseen": Jsonb(dict(rush.foreseen)),
        "audience": Jsonb(dict(rush.audience)),
    }


def _rush(row: dict[str, Any] | None) -> Rush | None:
    if row is None:
        return None
    return Rush(
        order=row["work_order"],
        before=Terms(row["before_priority"], row["before_rush"], row["before_due_at"]),
        after=Terms(row["priority"], row["rush"], row["due_at"]),
        foreseen=row["foreseen"],
        audience=row["audience"],
        undone_at=row["undone_at"],
        undone_by=row["undone_by"],
        refusal_told_at=row["refusal_told_at"],
        id=row["id"],
        **{name: row[name] for name in _PLAIN},
    )


TURN = "select pg_advisory_xact_lock(hashtextextended('andon:rush', 0))"
ADD = insert("rushes", COLUMNS, "returning *")
NEWEST = "select * from rushes where work_order = %s order by id desc limit 1"
RECENT = "select * from rushes order by id desc limit %s"
# What the tap said held until now; from now on the opposite does, until the ERP says the same again.
UNDO = """
update rushes set undone_at = %(at)s, undone_by = %(by)s, refusal_told_at = null, seen_at = null,
    settled_at = null
where id = %(id)s returning *
"""
# From now on the order is what the ERP says, whatever becomes of the letter.
REFUSAL_TOLD = "update rushes set refusal_told_at = %(at)s, settled_at = %(at)s where id = %(id)s"
FATES = "select key, state, finished_at, reason, receipt, payload from outbox where key = any (%s)"
SAW = insert("rush_seen", ("rush", "event", "person", "at"), "on conflict do nothing")
SIGHTS = "select rush, event, person, at from rush_seen where rush = any (%s) order by at, person"
REFUSED = """
select r.* from rushes r join outbox o on o.state = 'dead'
    and o.key = 'rush:' || r.id || case when r.undone_at is null then '' else ':undo' end
where r.refusal_told_at is null
order by r.id
"""
