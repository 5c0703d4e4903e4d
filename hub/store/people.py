"""Logins, wall screens and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

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

    async def set_password(self, person_id: str, hashed: str) -> None:
        await self._run(SAVE_HASH, {"person": person_id, "hashed": hashed})

    async def password(self, person_id: str) -> str | None:
        rows = await self._run(PASSWORD, {"person": person_id})
        return rows[0]["hashed"] if rows else None

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

    async def add_device(self, token_hash: str, name: str, scope: str, now: datetime) -> None:
        await self._run(ADD_DEVICE, {"token": token_hash, "name": name, "scope": scope, "now": now})

    async def device(self, token_hash: str) -> tuple[str, str] | None:
        rows = await self._run(DEVICE, {"token": token_hash})
        return (rows[0]["name"], rows[0]["scope"]) if rows else None

    async def note_failure(self, key: str, now: datetime) -> int:
        rows = await self._run(NOTE_FAILURE, {"key": key, "now": now, "since": now - FAILURE_WINDOW})
        return int(rows[0]["n"])

    async def failures(self, key: str, now: datetime) -> int:
        rows = await self._run(FAILURES, {"key": key, "since": now - FAILURE_WINDOW})
        return int(rows[0]["n"])

    async def clear_failures(self, key: str) -> None:
        await self._run(CLEAR_FAILURES, {"key": key})

    async def audit(self, at: datetime, who: str, what: str, about: str, detail: Mapping[str, Any]) -> None:
        values = {"at": at, "who": who, "what": what, "about": about, "detail": Jsonb(dict(detail))}
        await self._run(AUDIT, values)


SAVE_HASH = """
insert into passwords (person_id, hashed) values (%(person)s, %(hashed)s)
on conflict (person_id) do update set hashed = excluded.hashed
"""
PASSWORD = "select hashed from passwords where person_id = %(person)s"  # noqa: S105
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
ADD_DEVICE = """
insert into devices (token_hash, name, scope, made_at) values (%(token)s, %(name)s, %(scope)s, %(now)s)
"""
DEVICE = "select name, scope from devices where token_hash = %(token)s"
NOTE_FAILURE = """
with noted as (insert into login_failures (key, at) values (%(key)s, %(now)s))
select count(*) + 1 as n from login_failures where key = %(key)s and at > %(since)s
"""
FAILURES = "select count(*) as n from login_failures where key = %(key)s and at > %(since)s"
CLEAR_FAILURES = "delete from login_failures where key = %(key)s"
AUDIT = """
insert into audit (at, who, what, about, detail)
values (%(at)s, %(who)s, %(what)s, %(about)s, %(detail)s)
"""
