"""The record's side of the ERP bridge: exchanges, postings, changes for the floor, letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from hub.errors import Conflict, NotFound
from hub.model.erp import PostingKind
from hub.model.exchange import Direction, Exchange, Letter, Outcome, Pile
from hub.model.production import OrderChange, Posting, WorkOrder
from hub.store import orders
from hub.store.pool import Connection, Pool, borrowed
from hub.store.statements import insert
from hub.store.told_names import Told


class PgErpBook:
    """hub.ports.ErpBook."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def note(self, exchange: Exchange) -> None:
        async with borrowed(self._pool) as connection:
            await add_exchange(connection, exchange)

    async def exchanges(self, document: str = "", before: int = 0, limit: int = 100) -> list[Exchange]:
        values: dict[str, Any] = {"document": document, "before": before, "limit": limit}
        values["keys"] = [document, *(f"{kind}:{document}" for kind in _KEYED)]
        asked = EXCHANGES_OF if document else EXCHANGES
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(asked, values)).fetchall()
        return [_exchange(row) for row in rows]

    async def sent(self, subjects: Sequence[str], most: int) -> list[Exchange]:
        async with borrowed(self._pool) as connection:
            values = {"subjects": list(subjects), "most": most}
            rows = await (await connection.execute(SENT, values)).fetchall()
        return [_exchange(row) for row in rows]

    async def last_known(self, document: str) -> Mapping[str, Any] | None:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(LAST_KNOWN, [document])).fetchone()
        return row["after"] if row else None

    async def postings(self, since: datetime) -> list[Posting]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(POSTINGS, [since])).fetchall()
        return [_posting(row) for row in rows]

    async def orders(self, numbers: Sequence[str]) -> list[WorkOrder]:
        async with borrowed(self._pool) as connection:
            return await orders.those(connection, numbers)

    # ------------------------------------------------------------------ changes for the floor
    async def confirm_change(self, change_id: int, seen: datetime, by: str, at: datetime) -> OrderChange:
        async with borrowed(self._pool) as connection, connection.transaction():
            row = await (await connection.execute(CHANGE, [change_id])).fetchone()
            if row is None:
                raise NotFound("not-found", "there is no such change")
            found = _change(row)
            if found.confirmed_at is not None:
                raise Conflict("confirmed", f"{found.confirmed_by} has confirmed it already")
            if found.at != seen:
                raise Conflict("changed-again", "the order has been changed again since: read it once more")
            await connection.execute(CONFIRM, [at, by, change_id])
        return found

    async def escalated(self, changes: Sequence[int], at: datetime) -> None:
        async with borrowed(self._pool) as connection:
            await connection.execute(ESCALATED, [at, list(changes)])

    # ------------------------------------------------------------------ letters
    async def letters(self, dead: bool = True, before: int = 0, limit: int = 100) -> list[Letter]:
        values = {"states": ["dead"] if dead else ["waiting", "claimed"], "before": before, "limit": limit}
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(LETTERS, values)).fetchall()
        return [_letter(row) for row in rows]

    async def unfinished(self, lane: str) -> list[Letter]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(UNFINISHED, {"lane": lane})).fetchall()
        return [_letter(row) for row in rows]

    async def piles(self) -> list[Pile]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(PILES)).fetchall()
        return [Pile(row["kind"], row["waiting"], row["oldest_at"], row["dead"], row["held"]) for row in rows]

    async def letter(self, letter_id: int) -> Letter:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(LETTER, [letter_id])).fetchone()
        if row is None:
            raise NotFound("not-found", "there is no such letter")
        return _letter(row)

    async def held(self, letters: Sequence[int]) -> list[Letter]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(HELD, [list(letters)])).fetchall()
        return [_letter(row) for row in rows]

    async def send_again(self, letter_id: int) -> bool:
        return await self._settle(letter_id, SEND_AGAIN, {"id": letter_id})

    async def set_aside(self, letter_id: int, reason: str) -> bool:
        note = f"set aside with its opening: {reason}"
        return await self._settle(letter_id, SET_ASIDE, {"id": letter_id, "reason": reason, "note": note})

    async def _settle(self, letter_id: int, statement: str, values: Mapping[str, Any]) -> bool:
        """Of two people who decide at once the second finds it decided, and touches nothing behind it."""
        async with borrowed(self._pool) as connection, connection.transaction():
            if (await connection.execute(LOCK_DEAD, [letter_id])).rowcount == 0:
                return False
            await connection.execute(statement, values)
        return True

    async def aside(self, key: str) -> str | None:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(ASIDE, [key])).fetchone()
        return row["reason"] if row else None

    async def machines(self, tickets: Sequence[str]) -> Mapping[str, str]:
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(MACHINES, [list(tickets)])).fetchall()
        return {row["id"]: row["equipment"] for row in rows}

    async def outcome(self, key: str) -> tuple[str, str] | None:
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(OUTCOME, [key])).fetchone()
        return (row["state"], row["reason"]) if row else None


# ------------------------------------------------------------------ parts of a transaction
async def add_exchange(connection: Connection, exchange: Exchange) -> None:
    row = {name: getattr(exchange, name) for name in EXCHANGE_COLUMNS}
    row |= {name: None if row[name] is None else Jsonb(dict(row[name])) for name in ("before", "after")}
    await connection.execute(ADD_EXCHANGE, row)


async def add_posting(
    connection: Connection, posting: Posting, source: str = "", peers: Sequence[str] | None = None
) -> Posting | None:
    """As it stands on record, under the house's name for it; None when it was there."""
    row = {name: getattr(posting, name) for name in _SAME_NAME}
    row |= {"work_order": posting.order, "name": posting.check, "kind": posting.kind.value}
    name = await FACTS.add(connection, row, source, peers)
    return None if name is None else replace(posting, id=name)


async def open_changes(connection: Connection) -> list[OrderChange]:
    return [_change(row) for row in await (await connection.execute(OPEN_CHANGES)).fetchall()]


async def add_change(connection: Connection, change: OrderChange) -> None:
    """One line to confirm per order: what was not confirmed yet is told together with what is new. A change
    that is taken back before anybody confirmed it is as if it had never been."""
    row = await (await connection.execute(OPEN_CHANGE, [change.order])).fetchone()
    changed = merged(row["changed"] if row else {}, change.changed)
    if row is None:
        await connection.execute(ADD_CHANGE, [change.order, Jsonb(changed), change.at])
    elif changed:
        await connection.execute(CHANGE_AGAIN, [Jsonb(changed), change.at, row["id"]])
    else:
        await connection.execute(DROP_CHANGE, [row["id"]])


def merged(known: Mapping[str, Sequence[Any]], new: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """From before the first change to after the last; what is as it was is left out."""
    names = {**known, **new}
    both = {n: [known.get(n, new.get(n, ()))[0], new.get(n, known.get(n, ()))[1]] for n in names}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _exchange(row: Mapping[str, Any]) -> Exchange:
    values = {name: row[name] for name in EXCHANGE_COLUMNS}
    values |= {"direction": Direction(row["direction"]), "outcome": Outcome(row["outcome"]), "id": row["id"]}
    return Exchange(**values)


def _posting(row: Mapping[str, Any]) -> Posting:
    values = {name: row[name] for name in _SAME_NAME}
    return Posting(**values, kind=PostingKind(row["kind"]), order=row["work_order"], check=row["name"])


def _change(row: Mapping[str, Any]) -> OrderChange:
    changed = {name: (pair[0], pair[1]) for name, pair in row["changed"].items()}
    return OrderChange(
        row["work_order"], changed, row["at"], row["confirmed_at"], row["confirmed_by"],
        row["escalated_at"], row["id"],
    )  # fmt: skip


def _letter(row: Mapping[str, Any]) -> Letter:
    return Letter(**{f.name: row[f.name] for f in fields(Letter)})


EXCHANGE_COLUMNS = (
    "at", "direction", "subject", "document", "erp_number", "outcome", "seconds", "before", "after", "reason",
    "errand",
)  # fmt: skip
ADD_EXCHANGE = insert("erp_exchanges", EXCHANGE_COLUMNS)
_KEYED = ("order", "report", *(kind.value for kind in PostingKind))
EXCHANGES = """
select * from erp_exchanges
where (%(before)s = 0 or id < %(before)s)
order by id desc limit %(limit)s
"""
EXCHANGES_OF = """
select * from erp_exchanges
where (
        document = any (%(keys)s)
        or erp_number = %(document)s and erp_number <> ''
        or after->>'order' = %(document)s
    )
    and (%(before)s = 0 or id < %(before)s)
order by id desc limit %(limit)s
"""
SENT = """
select sent.* from unnest(%(subjects)s::text[]) as asked (subject)
cross join lateral (
    select * from erp_exchanges
    where subject = asked.subject and direction = 'out' and after is not null
    order by id desc limit %(most)s
) sent
order by sent.id desc
"""
LAST_KNOWN = """
select after from erp_exchanges
where document = %s and outcome in ('done', 'adopted', 'taken') order by id desc limit 1
"""
_SAME_NAME = (
    "id", "operation", "at", "item", "quantity", "unit", "lot", "warehouse", "reason", "passed", "value",
    "sample_size", "labour_seconds", "machine_seconds", "equipment", "person",
)  # fmt: skip
FACTS = Told(
    "postings",
    (*_SAME_NAME, "kind", "work_order", "name"),
    ("kind",),
    ("work_order", "operation", "at", "item"),
)
POSTINGS = "select * from postings where at >= %s order by at, kind, id"
OPEN_CHANGES = "select * from order_changes where confirmed_at is null order by at, id"
OPEN_CHANGE = "select * from order_changes where work_order = %s and confirmed_at is null for update"
CHANGE = "select * from order_changes where id = %s for update"
ADD_CHANGE = "insert into order_changes (work_order, changed, at) values (%s, %s, %s)"
CHANGE_AGAIN = "update order_changes set changed = %s, at = %s, escalated_at = null where id = %s"
DROP_CHANGE = "delete from order_changes where id = %s"
CONFIRM = "update order_changes set confirmed_at = %s, confirmed_by = %s where id = %s"
ESCALATED = "update order_changes set escalated_at = %s where id = any (%s) and confirmed_at is null"
# A letter that stands behind another one is shown under that, not beside it.
LETTERS = """
select o.*, 0 as held_by from outbox o
where state = any (%(states)s) and kind <> 'tell' and (%(before)s = 0 or id < %(before)s)
  and not exists (select from outbox_held held where held.id = o.id)
order by id desc limit %(limit)s
"""
UNFINISHED = """
select o.*, coalesce((select max(held.held_by) from outbox_held held where held.id = o.id), 0) as held_by
from (
    select * from outbox where lane = %(lane)s and state in ('waiting', 'claimed')
    union all
    select * from outbox where lane = %(lane)s and state = 'dead'
) as o
order by id limit 200
"""
HELD = """
select o.*, held.held_by from outbox_held held join outbox o on o.id = held.id
where held.held_by = any (%s) order by o.id limit 2000
"""
PILES = """
select kind, count(*) filter (where state <> 'dead' and not held) as waiting,
    min(written_at) filter (where state <> 'dead' and not held) as oldest_at,
    count(*) filter (where state = 'dead' and not held) as dead, count(*) filter (where held) as held
from (
    select id, kind, state, written_at, id in (select id from outbox_held) as held
    from outbox where state in ('waiting', 'claimed') and kind <> 'tell'
    union all
    select id, kind, state, written_at, id in (select id from outbox_held) as held
    from outbox where state = 'dead' and kind <> 'tell'
) as unfinished
group by kind order by kind
"""
LETTER = """
select o.*, coalesce((select max(held.held_by) from outbox_held held where held.id = o.id), 0) as held_by
from outbox o where o.id = %s and o.kind <> 'tell'
"""
LOCK_DEAD = "select from outbox where id = %s and state = 'dead' for update"
# It may have been done by the try that was refused: whoever takes it has to look first. What had died behind
# it goes after it.
SEND_AGAIN = """
with again as (
    update outbox o set state = 'waiting', in_doubt = true, due_at = null, attempts = 0, finished_at = null,
        leased_until = null
    where o.state = 'dead'
      and (o.id = %(id)s or o.id in (select id from outbox_held where held_by = %(id)s))
    returning id
)
select pg_notify('andon_outbox', '') from again
"""
# The steps of a ticket that the ERP is never to have are not wanted there either; each leaves its line in the
# ledger of messages.
SET_ASIDE = """
with steps as (
    update outbox o set state = 'done', reason = %(note)s, receipt = '{"set_aside": true}',
        finished_at = clock_timestamp()
    where o.id in (select id from outbox_held where held_by = %(id)s)
      and o.kind in ('update-ticket', 'close-ticket') and o.state in ('waiting', 'dead')
    returning o.*
), noted as (
    insert into erp_exchanges
        (at, direction, subject, document, erp_number, outcome, seconds, after, reason, errand)
    select clock_timestamp(), 'out', kind, payload ->> 'ticket', '', 'skipped', 0, payload, reason, id
    from steps order by id
), settled as (
    update outbox set state = 'done', reason = %(reason)s, receipt = '{"set_aside": true}',
        finished_at = clock_timestamp()
    where id = %(id)s and state = 'dead' returning id
)
select pg_notify('andon_outbox', '') from settled
"""
ASIDE = "select reason from outbox where key = %s and receipt ->> 'set_aside' = 'true'"
MACHINES = "select id, equipment from tickets where id = any (%s)"
OUTCOME = "select state, reason from outbox where key = %s"
