"""Records of the ERP that cannot be read: which, why, since when, and whom that was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.model.intent import Intent
from hub.model.left_out import Omission
from hub.store import outbox
from hub.store.pool import Connection, Pool, borrowed

KEPT = timedelta(days=90)  # one that is over
NAME, TEXT = 200, 500  # characters that are kept of a name, and of a reason


@dataclass(frozen=True, slots=True)
class PgLeftOut:
    """erp_bridge.omissions.Shelf, and what the API reads of it."""

    pool: Pool

    async def heard(
        self, source: str, lost: Mapping[tuple[str, str], str], at: datetime, *, whole: bool
    ) -> None:
        """`lost`: (document, record) -> reason. After a `whole` reading what it did not pass over is over."""
        rows = {(_plain(d, NAME), _plain(r, NAME)): _plain(why, TEXT) for (d, r), why in lost.items()}
        values = {
            "source": source, "at": at, "documents": [d for d, _ in rows], "records": [r for _, r in rows],
            "reasons": list(rows.values()),
        }  # fmt: skip
        async with borrowed(self.pool) as connection, connection.transaction():
            if rows:
                await connection.execute(SEEN, values)
            if whole:
                await connection.execute(GONE, values)
                await connection.execute(OLD, [at - KEPT])

    async def open_ones(self) -> list[Omission]:
        """Each record once, whichever readings pass it over; the newest first."""
        async with borrowed(self.pool) as connection:
            return await open_ones(connection)

    async def over_untold(self) -> list[int]:
        """Those that are over, of which the owner has heard that they were there."""
        async with borrowed(self.pool) as connection:
            rows = await (await connection.execute(OVER)).fetchall()
        return [row["id"] for row in rows]

    async def tell(self, at: datetime, intents: Sequence[Intent]) -> None:
        """What is open now was told, and so was the end of what is over."""
        async with borrowed(self.pool) as connection, connection.transaction():
            await connection.execute(TOLD, [at])
            await connection.execute(OVER_TOLD, [at])
            for intent in intents:
                await outbox.write(connection, intent, None)

    async def counts(self) -> dict[str, int]:
        """By document."""
        async with borrowed(self.pool) as connection:
            rows = await (await connection.execute(COUNTS)).fetchall()
        return {row["document"]: row["n"] for row in rows}


async def open_ones(connection: Connection) -> list[Omission]:
    rows = await (await connection.execute(OPEN)).fetchall()
    return [
        Omission(r["id"], r["document"], r["record"], r["reason"], r["since"], r["told_at"]) for r in rows
    ]


def _plain(text: str, most: int) -> str:
    """As a database can hold it: an ERP may say anything."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:most]


SEEN = """
insert into erp_left_out as old (source, document, record, reason, first_seen, last_seen)
select %(source)s, document, record, reason, %(at)s, %(at)s
from unnest(%(documents)s::text[], %(records)s::text[], %(reasons)s::text[])
    as lost (document, record, reason)
on conflict (source, document, record) where ended_at is null
do update set reason = excluded.reason, last_seen = excluded.last_seen
"""
GONE = """
update erp_left_out set ended_at = %(at)s
where ended_at is null and source = %(source)s and (document, record) not in (
    select * from unnest(%(documents)s::text[], %(records)s::text[])
)
"""
OLD = "delete from erp_left_out where ended_at < %s"
OPEN = """
select max(id) as id, document, record, max(reason) as reason, min(first_seen) as since,
    max(told_at) as told_at
from erp_left_out where ended_at is null group by document, record order by min(first_seen) desc, max(id) desc
"""
OVER = """
select id from erp_left_out where ended_at is not null and told_at is not null and over_told_at is null
order by id
"""
TOLD = "update erp_left_out set told_at = %s where ended_at is null"
OVER_TOLD = """
update erp_left_out set over_told_at = %s
where ended_at is not null and told_at is not null and over_told_at is null
"""
COUNTS = """
select document, count(distinct record) as n from erp_left_out where ended_at is null
group by document order by document
"""
