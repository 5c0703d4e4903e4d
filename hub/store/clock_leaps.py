"""The record of machines when the hub's clock has leapt: one state at every instant, none in the future.

What a clock told that was wrong for a while is moved to when it happened, once the clock has come back. When
a clock is set back of which nobody knows that it was ahead, its hour is lived twice: what was recorded of it
the first time is put aside, and put back when the clock comes forth again; pieces are never taken away.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from hub.model.clock_leap import ClockLeap
from hub.store.pool import Connection

WORTH_TELLING = timedelta(minutes=1)


async def leapt(connection: Connection, leap: ClockLeap) -> None:
    """In the caller's transaction, with a line on the audit trail."""
    changes = 0
    if leap.of is not None:
        changes += await _move(connection, leap, leap.of)
    if leap.back:
        changes += await _put_aside(connection, leap.now)
    if changes or abs(leap.now - leap.was) >= WORTH_TELLING:
        detail = {"from": leap.was.isoformat(), "to": leap.now.isoformat(), "changes": changes}
        await connection.execute(TOLD, [leap.now, Jsonb(detail)])


async def _move(connection: Connection, leap: ClockLeap, first: ClockLeap) -> int:
    """What was told between two leaps, to when it was; and what was put aside at the first one, back."""
    if leap.back:  # nobody was silent in the time that was leapt over
        await connection.execute(NO_HOLE, [first.was, first.now])
    by = first.was - first.now
    changes = await _move_rows(connection, TAKE_STATES, TELL_STATES, first.now, by)
    await connection.execute(FORGET_SUMS, [first.now])
    await _move_rows(connection, TAKE_COUNTS, TELL_COUNTS, first.now, by)
    changes += (await connection.execute(STATES_BACK, [first.now])).rowcount
    await connection.execute(COUNTS_BACK, [first.now])
    return changes


async def _move_rows(connection: Connection, take: str, tell: str, since: datetime, by: timedelta) -> int:
    cursor = connection.cursor(row_factory=tuple_row)
    rows: list[tuple[Any, ...]] = await (await cursor.execute(take.encode(), [since])).fetchall()
    await cursor.executemany(tell.encode(), [(*rest, at + by) for *rest, at in rows])
    return len(rows)


async def _put_aside(connection: Connection, now: datetime) -> int:
    aside = await connection.execute(STATES_ASIDE, {"now": now})
    await connection.execute(COUNTS_ASIDE, {"now": now})
    return aside.rowcount


TOLD = """
insert into audit (at, who, what, about, detail) values (%s, 'rules', 'clock-leapt', '', %s)
"""
NO_HOLE = "delete from equipment_states where since > %s and since < %s and state = 'unknown'"
TAKE_STATES = "delete from equipment_states where since >= %s returning equipment, state, since"
TELL_STATES = """
insert into equipment_states (equipment, state, since) values (%s, %s, %s)
on conflict (equipment, since) do update set state = excluded.state
"""
TAKE_COUNTS = "delete from counts where at >= %s returning equipment, good, delta, reading, at"
TELL_COUNTS = """
insert into counts as old (equipment, good, delta, reading, at) values (%s, %s, %s, %s, %s)
on conflict (equipment, good, at) do update set delta = old.delta + excluded.delta, reading = excluded.reading
"""
STATES_ASIDE = """
with gone as (delete from equipment_states where since > %(now)s returning equipment, since, state)
insert into states_aside (aside_at, equipment, since, state)
select %(now)s, equipment, since, state from gone on conflict do nothing
"""
STATES_BACK = """
with back as (delete from states_aside where aside_at = %s returning equipment, since, state)
insert into equipment_states (equipment, since, state)
select equipment, since, state from back on conflict (equipment, since) do nothing
"""
# Their pieces stay, as one row of the moment the clock was set to.
COUNTS_ASIDE = """
with gone as (delete from counts where at > %(now)s returning *),
kept as (
    insert into counts_aside (aside_at, equipment, good, at, delta, reading)
    select %(now)s, equipment, good, at, delta, reading from gone on conflict do nothing
)
insert into counts as old (equipment, good, at, delta, reading)
select equipment, good, %(now)s, sum(delta), (array_agg(reading order by at desc))[1] from gone group by 1, 2
on conflict (equipment, good, at) do update set delta = old.delta + excluded.delta, reading = excluded.reading
"""
FORGET_SUMS = """
with put as (
    select equipment, good, aside_at, sum(delta) as delta from counts_aside where aside_at = %s
    group by 1, 2, 3
)
update counts set delta = counts.delta - put.delta from put
where counts.equipment = put.equipment and counts.good = put.good and counts.at = put.aside_at
"""
COUNTS_BACK = """
with back as (delete from counts_aside where aside_at = %s returning equipment, good, at, delta, reading)
insert into counts as old (equipment, good, at, delta, reading)
select equipment, good, at, delta, reading from back
on conflict (equipment, good, at) do update set delta = old.delta + excluded.delta
"""
