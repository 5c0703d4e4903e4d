"""Alarms and their history. The database itself allows one open alarm per rule and subject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psycopg import errors

from hub.errors import Conflict, NotFound
from hub.model.alarm import Alarm, AlarmLine, AlarmState, Priority
from hub.model.words import Words
from hub.store.pool import Connection
from hub.store.statements import insert, update

COLUMNS = (
    "rule", "subject", "equipment", "priority", "title_zh", "title_en", "state", "condition", "blind",
    "value", "limit_value", "unit", "raised_at", "cleared_at", "condition_at", "acked_at", "acked_by", "note",
    "count", "shelved_until", "aside_by", "aside_at", "aside_reason", "suppressed_zh", "suppressed_en",
    "rule_version", "opened_at", "latched", "owner",
)  # fmt: skip
LINE_COLUMNS = ("alarm_id", "at", "event", "before", "after", "by", "note", "source_time", "value")
_OTHER_NAME = (
    "title_zh", "title_en", "limit_value", "state", "priority", "suppressed_zh", "suppressed_en",
)  # fmt: skip
_SAME_NAME = tuple(c for c in COLUMNS if c not in _OTHER_NAME)


def to_row(alarm: Alarm) -> dict[str, Any]:
    row = {name: getattr(alarm, name) for name in _SAME_NAME}
    return row | {
        "id": alarm.id,
        "priority": int(alarm.priority),
        "title_zh": alarm.title.zh,
        "title_en": alarm.title.en,
        "state": alarm.state.value,
        "limit_value": alarm.limit,
        "suppressed_zh": alarm.suppressed.zh if alarm.suppressed else None,
        "suppressed_en": alarm.suppressed.en if alarm.suppressed else None,
    }


def from_row(row: dict[str, Any]) -> Alarm:
    why = row["suppressed_zh"], row["suppressed_en"]
    return Alarm(
        id=row["id"],
        priority=Priority(row["priority"]),
        title=Words(row["title_zh"], row["title_en"]),
        state=AlarmState(row["state"]),
        limit=row["limit_value"],
        suppressed=None if None in why else Words(*why),
        **{name: row[name] for name in _SAME_NAME},
    )


def line_from_row(row: dict[str, Any]) -> AlarmLine:
    values = {name: row[name] for name in LINE_COLUMNS}
    values |= {"before": AlarmState(row["before"]), "after": AlarmState(row["after"])}
    return AlarmLine(**values)


# ------------------------------------------------------------------ inside a transaction
async def newest_for(connection: Connection, rule: str, subject: str) -> Alarm | None:
    row = await (await connection.execute(NEWEST_FOR, [rule, subject])).fetchone()
    return from_row(row) if row else None


async def locked(connection: Connection, alarm_id: int) -> Alarm:
    row = await (await connection.execute(LOCKED, [alarm_id])).fetchone()
    if row is None:
        raise NotFound("no-such-alarm", f"there is no alarm {alarm_id}")
    return from_row(row)


async def save(connection: Connection, alarm: Alarm) -> Alarm:
    """See hub.ports.Tx.save_alarm. A refused insert leaves the transaction usable."""
    if alarm.id == 0:
        row = await (await connection.execute(INSERT, to_row(alarm))).fetchone()
        if row is None:
            raise _another_is_open(alarm)
        return replace(alarm, id=row["id"])
    try:
        done = await connection.execute(UPDATE, to_row(alarm))
    except errors.UniqueViolation:
        raise _another_is_open(alarm) from None
    if not done.rowcount:
        raise NotFound("no-such-alarm", f"there is no alarm {alarm.id}")
    return alarm


def _another_is_open(alarm: Alarm) -> Conflict:
    return Conflict("alarm-open", f"rule {alarm.rule} already has an open alarm on {alarm.subject}")


async def add_line(connection: Connection, line: AlarmLine) -> None:
    values = {name: getattr(line, name) for name in LINE_COLUMNS}
    await connection.execute(INSERT_LINE, values | {"before": line.before.value, "after": line.after.value})


# ------------------------------------------------------------------ reading
async def open_ones(connection: Connection) -> list[Alarm]:
    return [from_row(row) async for row in await connection.execute(OPEN)]


async def standing(connection: Connection) -> tuple[list[Alarm], bool]:
    """The open ones, and whether a ticket waits for its machine's proof."""
    rows = await (await connection.execute(STANDING)).fetchall()
    return [from_row(row) for row in rows if row["id"] is not None], rows[0]["proof_wanted"]


async def recent(connection: Connection, limit: int) -> list[Alarm]:
    return [from_row(row) async for row in await connection.execute(RECENT, [limit])]


async def lines(connection: Connection, alarm_id: int) -> list[AlarmLine]:
    return [line_from_row(row) async for row in await connection.execute(LINES, [alarm_id])]


# An open alarm is always the newest of its rule and subject: none is inserted while one is open.
NEWEST_FOR = "select * from alarms where rule = %s and subject = %s order by id desc limit 1 for update"
LOCKED = "select * from alarms where id = %s for update"
INSERT = insert(
    "alarms", COLUMNS, "on conflict (rule, subject) where state <> 'normal' do nothing returning id"
)
UPDATE = update("alarms", "id", COLUMNS)
INSERT_LINE = insert("alarm_lines", LINE_COLUMNS)
OPEN = "select * from alarms where state <> 'normal' order by id"
# What a verifying ticket is not either lets the index of the open ones answer.
STANDING = """
select proof_wanted, alarms.*
from (select exists (
    select from tickets where state = 'verifying' and state not in ('closed', 'false-alarm')
) as proof_wanted) asked
left join alarms on state <> 'normal' order by id
"""
RECENT = "select * from alarms order by id desc limit %s"
LINES = "select * from alarm_lines where alarm_id = %s order by id"
