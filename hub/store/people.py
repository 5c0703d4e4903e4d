"""Logins, wall screens and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from hub.model.people import Account, AuditLine, WallScreen
from hub.store.pool import Pool, borrowed

SESSION_LENGTH = timedelta(hours=12)
SESSION_IDLE = timedelta(minutes=30)
FAILURE_WINDOW = timedelta(minutes=15)


class PgPeopleStore:
    """hub.ports.PeopleStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def _run(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with borrowed(self._pool) as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def set_password(self, person_id: str, hashed: str, once_until: datetime | None = None) -> None:
        await self._run(SAVE_HASH, {"person": person_id, "hashed": hashed, "once": once_until})

    async def password(self, person_id: str) -> str | None:
        rows = await self._run(PASSWORD, {"person": person_id})
        return rows[0]["hashed"] if rows else None

    async def once_until(self, person_id: str) -> datetime | None:
        rows = await self._run(ONCE_UNTIL, {"person": person_id})
        return rows[0]["once_until"] if rows else None

    async def accounts(self, now: datetime) -> dict[str, Account]:
        rows = await self._run(ACCOUNTS, {"now": now, "length": SESSION_LENGTH, "idle": SESSION_IDLE})
        return {row.pop("person_id"): Account(**row) for row in rows}

    async def people_with_password(self) -> set[str]:
        return {row["person_id"] for row in await self._run(WITH_PASSWORD, {})}

    async def add_session(self, token_hash: str, person_id: str, now: datetime) -> None:
        await self._run(ADD_SESSION, {"token": token_hash, "person": person_id, "now": now})

    async def session(self, token_hash: str, now: datetime) -> str | None:
        values = {"token": token_hash, "now": now, "length": SESSION_LENGTH, "idle": SESSION_IDLE}
        rows = await self._run(SESSION, values)
        return rows[0]["person_id"] if rows else None

    async def end_session(self, token_hash: str) -> None:
        await self._run(END_SESSION, {"token": token_hash})

    async def end_sessions(self, person_id: str) -> int:
        return len(await self._run(END_SESSIONS, {"person": person_id}))

    async def add_device(self, token_hash: str, name: str, scope: str, now: datetime) -> None:
        await self._run(ADD_DEVICE, {"token": token_hash, "name": name, "scope": scope, "now": now})

    async def device(self, token_hash: str, now: datetime | None = None) -> tuple[str, str] | None:
        rows = await self._run(DEVICE, {"token": token_hash, "now": now})
        return (rows[0]["name"], rows[0]["scope"]) if rows else None

    async def devices(self) -> list[WallScreen]:
        return [WallScreen(**row) for row in await self._run(DEVICES, {})]

    async def remove_device(self, device_id: int) -> str | None:
        rows = await self._run(REMOVE_DEVICE, {"id": device_id})
        return rows[0]["token_hash"] if rows else None

    async def note_failure(self, key: str, now: datetime) -> int:
        rows = await self._run(NOTE_FAILURE, {"key": key, "now": now, "since": now - FAILURE_WINDOW})
        return int(rows[0]["n"])

    async def failures(self, key: str, now: datetime) -> int:
        rows = await self._run(FAILURES, {"key": key, "since": now - FAILURE_WINDOW})
        return int(rows[0]["n"])

    async def clear_failures(self, key: str) -> None:
        await self._run(CLEAR_FAILURES, {"key": key})

    async def audit_lines(self, before: int, limit: int) -> list[AuditLine]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(TRAIL, [before, limit])).fetchall()
        return [AuditLine(**row) for row in rows]

    async def audit(self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]) -> None:
        values = {"at": at, "who": who, "what": what, "about": about, "detail": Jsonb(dict(detail))}
        await self._run(AUDIT, values)


SAVE_HASH = """
insert into passwords (person_id, hashed, once_until)
values (%(person)s, %(hashed)s, %(once)s::timestamptz)
on conflict (person_id) do update set hashed = excluded.hashed, once_until = excluded.once_until
"""
PASSWORD = "select hashed from passwords where person_id = %(person)s"  # noqa: S105
ONCE_UNTIL = "select once_until from passwords where person_id = %(person)s"
ACCOUNTS = """
with live as (
    select person_id, count(*) as sessions, max(seen_at) as seen_at from sessions
    where made_at > %(now)s::timestamptz - %(length)s::interval
      and seen_at > %(now)s::timestamptz - %(idle)s::interval
    group by person_id
)
select coalesce(p.person_id, live.person_id) as person_id, p.person_id is not null as has_password,
    p.once_until, coalesce(live.sessions, 0) as sessions, live.seen_at
from passwords p full join live on live.person_id = p.person_id
"""
WITH_PASSWORD = "select person_id from passwords"  # noqa: S105
ADD_SESSION = """
insert into sessions (token_hash, person_id, made_at, seen_at)
values (%(token)s, %(person)s, %(now)s, %(now)s)
"""
# Touched once a minute at most: a phone that asks every second does not write every second.
SESSION = """
with live as (
    select token_hash, person_id from sessions
    where token_hash = %(token)s and made_at > %(now)s::timestamptz - %(length)s::interval
      and seen_at > %(now)s::timestamptz - %(idle)s::interval
), touched as (
    update sessions s set seen_at = %(now)s from live
    where s.token_hash = live.token_hash and s.seen_at <= %(now)s::timestamptz - interval '1 minute'
)
select person_id from live
"""
END_SESSION = "delete from sessions where token_hash = %(token)s"
END_SESSIONS = "delete from sessions where person_id = %(person)s returning token_hash"
ADD_DEVICE = """
insert into devices (token_hash, name, scope, made_at) values (%(token)s, %(name)s, %(scope)s, %(now)s)
"""
DEVICE = """
with found as (select name, scope, token_hash from devices where token_hash = %(token)s), seen as (
    update devices d set seen_at = %(now)s::timestamptz from found where d.token_hash = found.token_hash
      and (d.seen_at is null or d.seen_at <= %(now)s::timestamptz - interval '1 minute')
)
select name, scope from found
"""
DEVICES = "select id, name, scope, made_at, seen_at from devices order by name, id"
REMOVE_DEVICE = "delete from devices where id = %(id)s returning token_hash"
NOTE_FAILURE = """
with noted as (insert into login_failures (key, at) values (%(key)s, %(now)s))
select count(*) + 1 as n from login_failures where key = %(key)s and at > %(since)s
"""
FAILURES = "select count(*) as n from login_failures where key = %(key)s and at > %(since)s"
CLEAR_FAILURES = "delete from login_failures where key = %(key)s"
TRAIL = "select id, at, who, what, about, detail from audit where id < %s order by id desc limit %s"
AUDIT = """
insert into audit (at, who, what, about, detail)
values (%(at)s, %(who)s, %(what)s, %(about)s, %(detail)s)
"""
