"""Events that an MES has told, each once; and those that could not be taken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.errors import NotFound
from hub.model.intake import ALL_WAITING, Reject, RejectState, RejectsWanted, Unbound, Uptake
from hub.model.words import Words
from hub.store import unbound
from hub.store.pool import Connection, Pool, borrowed
from hub.store.statements import insert

_SAME_NAME = (
    "source", "kind", "event", "record", "first_at", "last_at", "times", "decided_by", "decided_at", "note",
)  # fmt: skip


class PgRejects:
    """hub.ports.Rejects."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def those(
        self, wanted: RejectsWanted = ALL_WAITING, before: int = 0, limit: int = 100
    ) -> list[Reject]:
        values = _asked(wanted) | {"before": before, "limit": limit}
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(THOSE, values)).fetchall()
        return [_reject(row) for row in rows]

    async def count(self, wanted: RejectsWanted) -> int:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(COUNT, _asked(wanted))).fetchone()
        return row["n"] if row else 0

    async def one(self, reject_id: int) -> Reject:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(ONE, [reject_id])).fetchone()
        if row is None:
            raise NotFound("not-found", "there is no such record")
        return _reject(row)

    async def decide(
        self,
        reject_id: int,
        state: RejectState,
        by: str,
        at: datetime,
        note: str = "",
        correction: str = "",
    ) -> bool:
        values = {
            "id": reject_id, "state": state.value, "by": by, "at": at, "note": note, "correction": correction,
        }  # fmt: skip
        async with borrowed(self._pool) as connection:
            return (await connection.execute(DECIDE, values)).rowcount > 0

    async def waiting(self) -> Mapping[str, int]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(WAITING)).fetchall()
        return {row["source"]: row["n"] for row in rows}

    async def newest(self) -> int:
        """The id of the newest that waits; 0 when none does."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(NEWEST)).fetchone()
        return row["id"] if row else 0

    async def unbound(self, limit: int = 100) -> tuple[list[Unbound], int]:
        async with borrowed(self._pool) as connection:
            return await unbound.those(connection, limit), await unbound.count(connection)


# ------------------------------------------------------------------ parts of a transaction
async def take(
    connection: Connection, source: str, kind: str, event: str, digest: str, at: datetime
) -> Uptake:
    row = {"source": source, "kind": kind, "id": event, "digest": digest, "at": at}
    if (await connection.execute(TAKE, row)).rowcount:
        return Uptake.TAKEN
    same = await known(connection, source, kind, event) == digest
    return Uptake.REPEAT if same else Uptake.REJECTED


async def known(connection: Connection, source: str, kind: str, event: str) -> str | None:
    """The digest of what it said; None when this source has not told it."""
    row = await (await connection.execute(KNOWN, [source, kind, event])).fetchone()
    return row["digest"] if row else None


async def reject(connection: Connection, one: Reject) -> None:
    row = {name: getattr(one, name) for name in _SAME_NAME}
    digest = hashlib.sha256((one.same or one.record).encode()).hexdigest()
    row |= {
        "digest": digest,
        "state": one.state.value,
        "reason_zh": one.reason.zh,
        "reason_en": one.reason.en,
    }
    await connection.execute(REJECT, row)


def _asked(wanted: RejectsWanted) -> dict[str, Any]:
    """The record holds what is beyond ASCII escaped."""
    text = wanted.text.lower()
    escaped = json.dumps(wanted.text)[1:-1].lower()
    return {
        "state": wanted.state.value, "source": wanted.source, "kind": wanted.kind,
        "text": text, "escaped": escaped,
    }  # fmt: skip


def _reject(row: Mapping[str, Any]) -> Reject:
    values = {name: row[name] for name in _SAME_NAME}
    reason = Words(row["reason_zh"], row["reason_en"])
    return Reject(
        **values, reason=reason, state=RejectState(row["state"]), correction=row["correction"], id=row["id"]
    )


TAKE = insert("mes_events", ("source", "kind", "id", "digest", "at"), "on conflict do nothing")
KNOWN = "select digest from mes_events where source = %s and kind = %s and id = %s"
# What was taken after all and comes again unreadable waits again; what was put aside or corrected does not.
REJECT = """
insert into mes_rejects as old (
    source, digest, kind, event, record, reason_zh, reason_en, first_at, last_at, times, state, decided_by,
    decided_at, note
) values (
    %(source)s, %(digest)s, %(kind)s, %(event)s, %(record)s, %(reason_zh)s, %(reason_en)s, %(first_at)s,
    %(last_at)s, %(times)s, %(state)s, %(decided_by)s, %(decided_at)s, %(note)s
) on conflict (source, digest) do update set
    reason_zh = excluded.reason_zh, reason_en = excluded.reason_en, last_at = excluded.last_at,
    times = old.times + 1,
    state = case when old.state = 'aside' or old.correction <> '' then old.state else 'waiting' end
"""
_WANTED = """
mes_rejects where state = %(state)s and (%(source)s = '' or source = %(source)s)
    and (%(kind)s = '' or kind = %(kind)s)
    and (%(text)s = '' or strpos(lower(concat_ws(chr(10), event, reason_zh, reason_en)), %(text)s) > 0
        or strpos(lower(record), %(escaped)s) > 0)
"""
THOSE = f"""
select * from {_WANTED} and (%(before)s = 0 or id < %(before)s) order by id desc limit %(limit)s
"""  # noqa: S608 our own text
COUNT = f"select count(*) as n from {_WANTED}"  # noqa: S608
NEWEST = "select id from mes_rejects where state = 'waiting' order by id desc limit 1"
ONE = "select * from mes_rejects where id = %s"
DECIDE = """
update mes_rejects set state = %(state)s, decided_by = %(by)s, decided_at = %(at)s, note = %(note)s,
    correction = %(correction)s
where id = %(id)s and state = 'waiting'
"""
WAITING = "select source, count(*)::integer as n from mes_rejects where state = 'waiting' group by source"
