"""The record as hub.ports promises it: one transaction at a time in, snapshots out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import psycopg

from hub.errors import Transient
from hub.model.alarm import Alarm, AlarmLine
from hub.model.clock_leap import ClockLeap
from hub.model.equipment import Count, StateSpan
from hub.model.exchange import Exchange
from hub.model.intake import Reject, Uptake
from hub.model.intent import Intent
from hub.model.production import JobProgress, JobResponse, OrderChange, Posting, WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket, TicketLine
from hub.ports import Clock
from hub.store import alarms, clock_leaps, erp_book, machines, orders, outbox, rejects, tickets, unbound
from hub.store.job_spans import Moves
from hub.store.pool import Connection, Pool, borrowed


class PgTx:
    """hub.ports.Tx over one open transaction."""

    def __init__(self, connection: Connection, zone: ZoneInfo, clock: Clock | None) -> None:
        self._connection = connection
        self._zone = zone
        self._clock = clock
        self._moves = Moves()

    async def settle(self) -> None:
        """Before the commit: what follows from the whole of it."""
        await self._moves.settle(self._connection)

    async def alarm_for(self, rule: str, subject: str) -> Alarm | None:
        return await alarms.newest_for(self._connection, rule, subject)

    async def alarm(self, alarm_id: int) -> Alarm:
        return await alarms.locked(self._connection, alarm_id)

    async def open_alarms(self) -> list[Alarm]:
        return await alarms.open_ones(self._connection)

    async def save_alarm(self, alarm: Alarm) -> Alarm:
        return await alarms.save(self._connection, alarm)

    async def add_alarm_line(self, line: AlarmLine) -> None:
        await alarms.add_line(self._connection, line)

    async def ticket(self, ticket_id: str) -> MaintenanceTicket:
        return await tickets.get(self._connection, ticket_id, lock=True)

    async def open_ticket_of(self, equipment: str) -> MaintenanceTicket | None:
        return await tickets.open_of(self._connection, equipment)

    async def next_ticket_id(self, at: datetime) -> str:
        return await tickets.next_id(self._connection, at, self._zone)

    async def save_ticket(self, ticket: MaintenanceTicket) -> None:
        await tickets.save(self._connection, ticket)

    async def add_ticket_line(self, line: TicketLine) -> None:
        await tickets.add_line(self._connection, line)

    async def add_states(self, spans: Sequence[StateSpan]) -> None:
        await machines.add_states(self._connection, spans)

    async def clock_leapt(self, leap: ClockLeap) -> None:
        await clock_leaps.leapt(self._connection, leap)

    async def states(self, since: datetime, until: datetime) -> list[StateSpan]:
        return await machines.states(self._connection, since, until)

    async def add_counts(self, counts: Sequence[Count]) -> None:
        await machines.add_counts(self._connection, counts)

    async def add_response(
        self, response: JobResponse, source: str = "", peers: Sequence[str] | None = None
    ) -> JobResponse | None:
        new = await orders.add_response(self._connection, response, source, peers)
        if new:
            self._moves.report(new)
        return new

    async def save_order(self, order: WorkOrder, *, keep_state: bool = False) -> bool:
        return await orders.save(self._connection, order, keep_state=keep_state)

    async def save_floor_order(
        self, order: WorkOrder, state: WorkOrderState | None, changed_at: datetime | None
    ) -> bool:
        return await orders.save_floor(self._connection, order, state, changed_at)

    async def follow_reports(self, number: str) -> bool:
        return await orders.follow_reports(self._connection, number)

    async def add_posting(
        self, posting: Posting, source: str = "", peers: Sequence[str] | None = None
    ) -> Posting | None:
        new = await erp_book.add_posting(self._connection, posting, source, peers)
        if new:
            self._moves.post(new)
        return new

    async def note_unbound(self, order: str, operation: str) -> str:
        return await unbound.note(self._connection, order, operation)

    async def take_event(self, source: str, kind: str, event: str, digest: str, at: datetime) -> Uptake:
        return await rejects.take(self._connection, source, kind, event, digest, at)

    async def knows_event(self, source: str, kind: str, event: str) -> bool:
        return await rejects.known(self._connection, source, kind, event) is not None

    async def reject(self, reject: Reject) -> None:
        await rejects.reject(self._connection, reject)

    async def add_exchange(self, exchange: Exchange) -> None:
        await erp_book.add_exchange(self._connection, exchange)

    async def add_order_change(self, change: OrderChange) -> None:
        await erp_book.add_change(self._connection, change)

    async def intend(self, intent: Intent) -> None:
        await outbox.write(self._connection, intent, self._clock.now() if self._clock else None)

    async def set_mark(self, name: str, value: str) -> None:
        await self._connection.execute(SET_MARK, [name, value])


class PgLedger:
    """hub.ports.Ledger. `time_zone` is the plant's; without a `clock` the database's own time is written."""

    def __init__(self, pool: Pool, time_zone: str = "Asia/Shanghai", clock: Clock | None = None) -> None:
        self._pool = pool
        self._zone = ZoneInfo(time_zone)
        self._clock = clock

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PgTx]:
        """Committed at the end of the block, undone when it raises."""
        async with borrowed(self._pool) as connection, connection.transaction():
            tx = PgTx(connection, self._zone, self._clock)
            yield tx
            await tx.settle()

    async def open_alarms(self) -> list[Alarm]:
        async with borrowed(self._pool) as connection:
            return await alarms.open_ones(connection)

    async def standing(self) -> tuple[list[Alarm], bool]:
        async with borrowed(self._pool) as connection:
            return await alarms.standing(connection)

    async def recent_alarms(self, limit: int) -> list[Alarm]:
        async with borrowed(self._pool) as connection:
            return await alarms.recent(connection, limit)

    async def alarm_lines(self, alarm_id: int) -> list[AlarmLine]:
        async with borrowed(self._pool) as connection:
            return await alarms.lines(connection, alarm_id)

    async def open_tickets(self) -> list[MaintenanceTicket]:
        async with borrowed(self._pool) as connection:
            return await tickets.open_ones(connection)

    async def recent_tickets(self, limit: int) -> list[MaintenanceTicket]:
        async with borrowed(self._pool) as connection:
            return await tickets.recent(connection, limit)

    async def ticket_of(self, ticket_id: str) -> MaintenanceTicket:
        async with borrowed(self._pool) as connection:
            return await tickets.get(connection, ticket_id, lock=False)

    async def ticket_lines(self, ticket_id: str) -> list[TicketLine]:
        async with borrowed(self._pool) as connection:
            return await tickets.lines(connection, ticket_id)

    async def states(self, since: datetime, until: datetime) -> list[StateSpan]:
        async with borrowed(self._pool) as connection:
            return await machines.states(connection, since, until)

    async def current_states(self) -> dict[str, StateSpan]:
        async with borrowed(self._pool) as connection:
            return await machines.current_states(connection)

    async def counts(self, since: datetime, until: datetime) -> list[Count]:
        async with borrowed(self._pool) as connection:
            return await machines.counts(connection, since, until)

    async def last_counts(self) -> dict[tuple[str, bool], Count]:
        async with borrowed(self._pool) as connection:
            return await machines.last_counts(connection)

    async def orders(self) -> list[WorkOrder]:
        async with borrowed(self._pool) as connection:
            return await orders.present(connection)

    async def progress(self) -> list[JobProgress]:
        async with borrowed(self._pool) as connection:
            return await orders.progress(connection)

    async def order_changes(self) -> list[OrderChange]:
        async with borrowed(self._pool) as connection:
            return await erp_book.open_changes(connection)

    async def mark(self, name: str) -> str:
        """ "" when it was never set."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(MARK, [name])).fetchone()
            return row["value"] if row else ""

    async def photo(self, photo_id: str) -> tuple[str, bytes]:
        async with borrowed(self._pool) as connection:
            return await tickets.photo(connection, photo_id)

    async def save_photo(self, photo_id: str, content_type: str, data: bytes) -> None:
        async with borrowed(self._pool) as connection:
            await tickets.save_photo(connection, photo_id, content_type, data)

    async def healthy(self) -> bool:
        """Whether the database answers; never raises."""
        try:
            async with borrowed(self._pool) as connection:
                await connection.execute("select 1")
        except (Transient, psycopg.Error):
            return False
        return True


MARK = "select value from marks where name = %s"
SET_MARK = """
insert into marks (name, value) values (%s, %s) on conflict (name) do update set value = excluded.value
"""
