"""What is to be done in the world: written with its cause, taken by one worker at a time, never forgotten.

`waiting` -> `claimed` -> `done` or `dead`; back to `waiting` when put back. A claim is committed before
anybody acts on it, so that after a crash it is known which intents may have been carried out (`in_doubt`).
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from hub.model.alarm import Priority
from hub.model.intent import Errand, Intent, IntentKind
from hub.ports import Clock
from hub.store.pool import Connection, Pool, borrowed

log = logging.getLogger(__name__)

# The channel `andon_outbox` says at commit that there may be something to claim.


async def write(connection: Connection, intent: Intent, now: datetime | None) -> None:
    """Part of the caller's transaction. Writers of one lane take turns: ids follow commits."""
    await connection.execute(
        WRITE,
        {
            "key": intent.key,
            "kind": intent.kind.value,
            "lane": intent.lane,
            "payload": Jsonb(intent.payload),
            "due_at": intent.not_before,
            "priority": int(intent.priority),
            "now": now,
        },
    )


class PgOutbox:
    """hub.ports.Outbox. Without a `clock` all times are the database's: one clock for all workers. `erp`:
    whether there is one; what lies here for one that there is not is not waiting for anything."""

    def __init__(self, pool: Pool, dsn: str, clock: Clock | None = None, *, erp: bool = True) -> None:
        self._pool = pool
        self._erp = erp
        self._clock = clock
        self._ear = _Ear(dsn)

    async def claim(self, kinds: Sequence[IntentKind], worker: str, lease: timedelta) -> Errand | None:
        self._ear.looked()
        values = {"kinds": [k.value for k in kinds], "worker": worker, "lease": lease, "now": self._now()}
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(CLAIM, values)).fetchone()
        return _errand(row) if row else None

    async def done(self, errand: Errand, receipt: Mapping[str, Any]) -> bool:
        return await self._finish(errand, "done", "", receipt)

    async def give_up(self, errand: Errand, reason: str) -> bool:
        return await self._finish(errand, "dead", reason, {})

    async def _finish(self, errand: Errand, state: str, reason: str, receipt: Mapping[str, Any]) -> bool:
        values = {"state": state, "reason": reason, "receipt": Jsonb(dict(receipt)), "now": self._now()}
        return await self._settle(FINISH, errand, values)

    async def renew(self, errands: Sequence[Errand], lease: timedelta) -> frozenset[int]:
        held = {"ids": [e.id for e in errands], "fences": [e.fence for e in errands]}
        async with borrowed(self._pool) as connection:
            rows = await connection.execute(RENEW, held | {"lease": lease, "now": self._now()})
            return frozenset(row["id"] for row in await rows.fetchall())

    async def put_back(
        self, errand: Errand, reason: str, retry_at: datetime, *, counted: bool, in_doubt: bool = False
    ) -> bool:
        """What was in doubt before this try stays so, whatever came of this one."""
        values = {"reason": reason, "retry_at": retry_at, "uncounted": 0 if counted else 1}
        values |= {"in_doubt": in_doubt}
        return await self._settle(PUT_BACK, errand, values)

    async def _settle(self, statement: str, errand: Errand, values: dict[str, Any]) -> bool:
        values |= {"id": errand.id, "fence": errand.fence}
        async with borrowed(self._pool) as connection:
            return (await connection.execute(statement, values)).rowcount > 0

    async def release(self, worker: str) -> int:
        async with borrowed(self._pool) as connection:
            return (await connection.execute(RELEASE, [worker])).rowcount

    async def wait(self, seconds: float) -> None:
        await self._ear.wait(seconds)

    async def stats(self) -> Mapping[str, Any]:
        async with borrowed(self._pool) as connection:
            rows = await (
                await connection.execute(WAITING, {"now": self._now(), "erp": self._erp})
            ).fetchall()
            dead = await (await connection.execute(DEAD, {"erp": self._erp})).fetchone()
        return {
            "waiting": {row["kind"]: row["n"] for row in rows},
            "oldest_seconds": {row["kind"]: float(row["oldest"]) for row in rows},
            "dead": dead["n"] if dead else 0,
        }

    async def close(self) -> None:
        """Ends the listening connection; the pool is the caller's."""
        await self._ear.close()

    def _now(self) -> datetime | None:
        return self._clock.now() if self._clock else None


class _Ear:
    """Hears the database say that something was written. Deaf while it is away: then waits time out."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._heard = 0
        self._looked: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    def looked(self) -> None:
        """The calling task is about to look: what is heard from now on is news to it."""
        task = asyncio.current_task()
        if task is not None:
            self._looked[task] = self._heard

    async def wait(self, seconds: float) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen(), name="outbox-ear")
        task = asyncio.current_task()
        if task is not None and self._looked.get(task, self._heard) != self._heard:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _listen(self) -> None:
        try:
            async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                await connection.execute("listen andon_outbox")
                self._ready.set()
                self._tell()  # of what was written before we listened
                async for _ in connection.notifies():
                    self._tell()
        except psycopg.OperationalError:
            log.info("cannot hear the database; looking into the outbox from time to time until it is back")
        finally:
            self._ready.clear()

    def _tell(self) -> None:
        self._heard += 1
        self._news.set()
        self._news = asyncio.Event()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None


def _errand(row: dict[str, Any]) -> Errand:
    intent = Intent(
        IntentKind(row["kind"]), row["key"], row["lane"], row["payload"], row["due_at"],
        Priority(row["priority"]),
    )  # fmt: skip
    return Errand(row["id"], intent, row["attempts"], row["in_doubt"], row["written_at"], row["fence"])


WRITE = """
with turn as (select pg_advisory_xact_lock(hashtextextended(%(lane)s, 0))),
written as (
    insert into outbox (key, kind, lane, payload, written_at, due_at, priority)
    select %(key)s, %(kind)s, %(lane)s, %(payload)s, coalesce(%(now)s::timestamptz, clock_timestamp()),
        %(due_at)s, %(priority)s
    from turn
    on conflict (key) do nothing returning id
),
hurried as (  -- what stands before it in its lane must not hold it up
    update outbox o set priority = %(priority)s from written
    where o.lane = %(lane)s and o.state = 'waiting' and o.id < written.id and o.priority < %(priority)s
)
select pg_notify('andon_outbox', '') from written
"""
CLAIM = """
with moment as (select coalesce(%(now)s::timestamptz, clock_timestamp()) as now),
next as (
    select o.id from outbox o, moment
    where o.kind = any (%(kinds)s)
      and ((o.state = 'waiting' and (o.due_at is null or o.due_at <= moment.now))
           or (o.state = 'claimed' and o.leased_until <= moment.now))
      and not exists (
          select from outbox older
          where older.lane = o.lane and older.id < o.id and older.state in ('waiting', 'claimed'))
      and not exists (select from outbox_held held where held.id = o.id)
    order by o.priority desc, o.id limit 1
    for update of o skip locked
)
update outbox o
set in_doubt = o.in_doubt or o.state = 'claimed', state = 'claimed', attempts = o.attempts + 1,
    fence = o.fence + 1, worker = %(worker)s, leased_until = moment.now + %(lease)s
from next, moment where o.id = next.id
returning o.*
"""
# A lease that has run out is still ours while nobody else has taken the errand.
RENEW = """
update outbox o set leased_until = coalesce(%(now)s::timestamptz, clock_timestamp()) + %(lease)s
from unnest(%(ids)s::bigint[], %(fences)s::bigint[]) held (id, fence)
where o.id = held.id and o.fence = held.fence and o.state = 'claimed'
returning o.id
"""
FINISH = """
with finished as (
    update outbox set state = %(state)s, reason = %(reason)s, receipt = %(receipt)s, leased_until = null,
        finished_at = coalesce(%(now)s::timestamptz, clock_timestamp())
    where id = %(id)s and fence = %(fence)s and state = 'claimed' returning id
)
select pg_notify('andon_outbox', '') from finished
"""
PUT_BACK = """
update outbox set state = 'waiting', reason = %(reason)s, due_at = %(retry_at)s, leased_until = null,
    attempts = attempts - %(uncounted)s, in_doubt = in_doubt or %(in_doubt)s
where id = %(id)s and fence = %(fence)s and state = 'claimed'
"""
RELEASE = """
update outbox set state = 'waiting', in_doubt = true, due_at = null, leased_until = null
where state = 'claimed' and worker = %s
"""
WAITING = """
select kind, count(*) as n,
       greatest(0, extract(epoch from
           coalesce(%(now)s::timestamptz, clock_timestamp()) - min(written_at))) as oldest
from outbox o
where state in ('waiting', 'claimed') and not exists (select from outbox_held held where held.id = o.id)
  and (%(erp)s or kind = 'tell')
group by kind
"""
DEAD = "select count(*) as n from outbox where state = 'dead' and (%(erp)s or kind = 'tell')"
