"""Maintenance tickets, their history and photos. The database itself allows one open ticket per machine."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import errors

from hub.errors import Conflict, NotFound
from hub.model.ticket import MaintenanceTicket, TicketLine, TicketState
from hub.store.pool import Connection
from hub.store.statements import insert, upsert

COLUMNS = (
    "id", "alarm_id", "equipment", "state", "opened_at", "stopped_at", "erp_id", "erp_number", "technician",
    "accepted_at", "arrived_at", "repaired_at", "reset_at", "good_cycles", "cycles_needed", "closed_at",
    "cause_class", "cause", "photo", "downtime_seconds",
)  # fmt: skip
LINE_COLUMNS = ("ticket_id", "at", "before", "after", "by", "channel", "device_time", "note")


def to_row(ticket: MaintenanceTicket) -> dict[str, Any]:
    return {name: getattr(ticket, name) for name in COLUMNS} | {"state": ticket.state.value}


def from_row(row: dict[str, Any]) -> MaintenanceTicket:
    values = {name: row[name] for name in COLUMNS}
    return MaintenanceTicket(**values | {"state": TicketState(row["state"])})


def line_from_row(row: dict[str, Any]) -> TicketLine:
    values = {name: row[name] for name in LINE_COLUMNS}
    values |= {"before": TicketState(row["before"]), "after": TicketState(row["after"])}
    return TicketLine(**values)


# ------------------------------------------------------------------ inside a transaction
async def get(connection: Connection, ticket_id: str, *, lock: bool) -> MaintenanceTicket:
    row = await (await connection.execute(LOCKED if lock else ONE, [ticket_id])).fetchone()
    if row is None:
        raise NotFound("no-such-ticket", f"there is no ticket {ticket_id}")
    return from_row(row)


async def open_of(connection: Connection, equipment: str) -> MaintenanceTicket | None:
    row = await (await connection.execute(OPEN_OF, [equipment])).fetchone()
    return from_row(row) if row else None


async def next_id(connection: Connection, at: datetime, zone: ZoneInfo) -> str:
    """Held until the transaction ends, so two openers of one day take turns and no number is lost."""
    day = at.astimezone(zone).date()
    row = await (await connection.execute(NEXT, [day])).fetchone()
    assert row is not None
    return f"AH-{day:%Y%m%d}-{row['last']:04d}"


async def save(connection: Connection, ticket: MaintenanceTicket) -> None:
    try:
        await connection.execute(UPSERT, to_row(ticket))
    except errors.UniqueViolation:
        raise Conflict("ticket-open", f"{ticket.equipment} already has an open ticket") from None


async def add_line(connection: Connection, line: TicketLine) -> None:
    values = {name: getattr(line, name) for name in LINE_COLUMNS}
    await connection.execute(INSERT_LINE, values | {"before": line.before.value, "after": line.after.value})


# ------------------------------------------------------------------ reading
async def open_ones(connection: Connection) -> list[MaintenanceTicket]:
    return [from_row(row) async for row in await connection.execute(OPEN)]


async def recent(connection: Connection, limit: int) -> list[MaintenanceTicket]:
    return [from_row(row) async for row in await connection.execute(RECENT, [limit])]


async def lines(connection: Connection, ticket_id: str) -> list[TicketLine]:
    return [line_from_row(row) async for row in await connection.execute(LINES, [ticket_id])]


async def photo(connection: Connection, photo_id: str) -> tuple[str, bytes]:
    row = await (await connection.execute(PHOTO, [photo_id])).fetchone()
    if row is None:
        raise NotFound("no-such-photo", f"there is no photo {photo_id}")
    return row["content_type"], bytes(row["data"])


async def save_photo(connection: Connection, photo_id: str, content_type: str, data: bytes) -> None:
    await connection.execute(SAVE_PHOTO, [photo_id, content_type, data])


ONE = "select * from tickets where id = %s"
LOCKED = "select * from tickets where id = %s for update"
OPEN_OF = "select * from tickets where equipment = %s and state not in ('closed', 'false-alarm') for update"
NEXT = """
insert into ticket_days as d (day, last) values (%s, 1)
on conflict (day) do update set last = d.last + 1 returning last
"""
UPSERT = upsert("tickets", ("id",), COLUMNS)
INSERT_LINE = insert("ticket_lines", LINE_COLUMNS)
OPEN = "select * from tickets where state not in ('closed', 'false-alarm') order by opened_at, id"
RECENT = "select * from tickets order by opened_at desc, id desc limit %s"
LINES = "select * from ticket_lines where ticket_id = %s order by id"
PHOTO = "select content_type, data from photos where id = %s"
SAVE_PHOTO = "insert into photos (id, content_type, data) values (%s, %s, %s) on conflict (id) do nothing"
