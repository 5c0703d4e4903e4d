"""What machines were doing and how much they made.

A row of `equipment_states` is a change; a state lasts until the machine's next row. So a machine is in
exactly one state at any instant, in whatever order and however often the changes arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from psycopg.rows import tuple_row

from hub.model.equipment import Count, EquipmentState, StateSpan
from hub.store.pool import Connection

STATES = {state.value: state for state in EquipmentState}  # a shift of 200 machines has some 20,000 of them


async def add_states(connection: Connection, spans: Sequence[StateSpan]) -> None:
    """`until` is not stored: it follows from the next change. The first word on an instant stands,
    unless it was that nobody knew: what is told late may know better."""
    rows = [(s.equipment, s.since, s.state.value) for s in spans]
    await connection.cursor().executemany(ADD_STATE, rows)


async def add_counts(connection: Connection, counts: Sequence[Count]) -> None:
    rows = [(c.equipment, c.good, c.at, c.delta, c.reading) for c in counts]
    await connection.cursor().executemany(ADD_COUNT, rows)


async def states(connection: Connection, since: datetime, until: datetime) -> list[StateSpan]:
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(CHANGES, {"since": since, "until": until}, binary=True)
    rows = await cursor.fetchall()
    return spans_of((StateSpan(e, STATES[state], max(at, since)) for e, state, at in rows), until)


def spans_of(changes: Iterable[StateSpan], until: datetime) -> list[StateSpan]:
    """Changes, in order within each machine, as spans up to `until`; the same state again is no change."""
    spans: list[StateSpan] = []
    last: StateSpan | None = None
    for change in changes:
        if last is not None:
            same = last.equipment == change.equipment
            if same and last.state is change.state:
                continue
            spans.append(_ended(last, change.since if same else until))
        last = change
    if last is not None:
        spans.append(_ended(last, until))
    return spans


def _ended(span: StateSpan, until: datetime) -> StateSpan:
    return StateSpan(span.equipment, span.state, span.since, until)


async def current_states(connection: Connection) -> dict[str, StateSpan]:
    return {
        r["equipment"]: StateSpan(r["equipment"], EquipmentState(r["state"]), r["since"])
        async for r in await connection.execute(CURRENT)
    }


async def counts(connection: Connection, since: datetime, until: datetime) -> list[Count]:
    cursor = await connection.execute(COUNTS, {"since": since, "until": until})
    return [Count(r["equipment"], r["at"], r["good"], r["delta"], r["reading"]) async for r in cursor]


async def last_counts(connection: Connection) -> dict[tuple[str, bool], Count]:
    return {
        (r["equipment"], r["good"]): Count(r["equipment"], r["at"], r["good"], r["delta"], r["reading"])
        async for r in await connection.execute(LAST_COUNTS)
    }


ADD_STATE = """
insert into equipment_states (equipment, since, state) values (%s, %s, %s)
on conflict (equipment, since) do update set state = excluded.state
    where equipment_states.state = 'unknown' and excluded.state <> 'unknown'
"""
ADD_COUNT = """
insert into counts (equipment, good, at, delta, reading) values (%s, %s, %s, %s, %s)
on conflict (equipment, good, at) do nothing
"""
# Each machine costs one step down the primary key, however long its history is.
CHANGES = """
with recursive machines as (
    (select equipment from equipment_states order by equipment limit 1)
    union all
    select (select s.equipment from equipment_states s where s.equipment > m.equipment order by 1 limit 1)
    from machines m where m.equipment is not null
)
select m.equipment, c.state, c.since from machines m cross join lateral (
    (select s.state, s.since from equipment_states s
     where s.equipment = m.equipment and s.since <= %(since)s and s.since < %(until)s
     order by s.since desc limit 1)
    union all
    select s.state, s.since from equipment_states s
    where s.equipment = m.equipment and s.since > %(since)s and s.since < %(until)s
) c
where m.equipment is not null order by m.equipment, c.since
"""
# A state may have been reported again while it lasted: it began with the first row after the last other one.
CURRENT = """
with recursive machines as (
    (select equipment from equipment_states order by equipment limit 1)
    union all
    select (select s.equipment from equipment_states s where s.equipment > m.equipment order by 1 limit 1)
    from machines m where m.equipment is not null
)
select m.equipment, newest.state, began.since from machines m
cross join lateral (
    select s.state, s.since from equipment_states s
    where s.equipment = m.equipment order by s.since desc limit 1
) newest
cross join lateral (
    select coalesce((
        select s.since from equipment_states s
        where s.equipment = m.equipment and s.state <> newest.state order by s.since desc limit 1
    ), '-infinity') as at
) other
cross join lateral (
    select s.since from equipment_states s
    where s.equipment = m.equipment and s.since > other.at order by s.since limit 1
) began
where m.equipment is not null
"""
COUNTS = "select * from counts where at >= %(since)s and at < %(until)s order by at, equipment, good"
LAST_COUNTS = """
with recursive machines as (
    (select equipment from counts order by equipment limit 1)
    union all
    select (select c.equipment from counts c where c.equipment > m.equipment order by 1 limit 1)
    from machines m where m.equipment is not null
)
select newest.* from machines m
cross join (values (true), (false)) kind (good)
cross join lateral (
    select c.* from counts c
    where c.equipment = m.equipment and c.good = kind.good order by c.at desc limit 1
) newest
where m.equipment is not null
"""
