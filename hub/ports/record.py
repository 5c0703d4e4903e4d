"""The record of alarms and tickets, and what has to be told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.model.alarm import Alarm, AlarmLine
from hub.model.clock_leap import ClockLeap
from hub.model.equipment import Count, StateSpan
from hub.model.exchange import Exchange
from hub.model.intake import Reject, Uptake
from hub.model.intent import Errand, Intent, IntentKind
from hub.model.production import JobResponse, OrderChange, Posting, WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket, TicketLine


class Tx(Protocol):
    """One database transaction. What is written here stands or falls together."""

    async def alarm_for(self, rule: str, subject: str) -> Alarm | None:
        """The open alarm of this rule and subject, else its newest closed one, locked."""
        ...

    async def alarm(self, alarm_id: int) -> Alarm:
        """Locked; raises NotFound."""
        ...

    async def open_alarms(self) -> list[Alarm]:
        """As this transaction sees them, not locked."""
        ...

    async def save_alarm(self, alarm: Alarm) -> Alarm:
        """Insert when `id` is 0 (Conflict when another one is open), update otherwise; returns it with id."""
        ...

    async def add_alarm_line(self, line: AlarmLine) -> None: ...

    async def ticket(self, ticket_id: str) -> MaintenanceTicket:
        """Locked; raises NotFound."""
        ...

    async def open_ticket_of(self, equipment: str) -> MaintenanceTicket | None:
        """The machine's open ticket, locked. A database constraint allows one."""
        ...

    async def next_ticket_id(self, at: datetime) -> str:
        """AH-YYYYMMDD-NNNN, the day in the plant's time zone; gapless is not promised, unique is."""
        ...

    async def save_ticket(self, ticket: MaintenanceTicket) -> None:
        """Insert or update by id."""
        ...

    async def add_ticket_line(self, line: TicketLine) -> None: ...

    async def add_states(self, spans: Sequence[StateSpan]) -> None:
        """Each span's `since` ends the machine's previous span; a span already there changes nothing."""
        ...

    async def clock_leapt(self, leap: ClockLeap) -> None:
        """What is on record of machines may not lie in the future: it is moved to when it was where that is
        known, else put aside. With a line on the audit trail."""
        ...

    async def states(self, since: datetime, until: datetime) -> list[StateSpan]:
        """As `Ledger.states`, with what this transaction has added."""
        ...

    async def add_counts(self, counts: Sequence[Count]) -> None:
        """Keyed by (equipment, good, at): a repeat changes nothing."""
        ...

    async def add_response(
        self, response: JobResponse, source: str = "", peers: Sequence[str] | None = None
    ) -> JobResponse | None:
        """None when it is on record already; else as it stands there: ids are unique within a source, so
        another source's may have got another `id`, by which the ERP knows it. `peers`: the house's sources,
        None when they are not known: what one told that is gone is on record for whoever tells the same."""
        ...

    async def save_order(self, order: WorkOrder, *, keep_state: bool = False) -> bool:
        """Insert or update with its jobs; False when nothing changed. `keep_state`: the sender does not know
        the order's state, so that of one on record stays."""
        ...

    async def save_floor_order(
        self, order: WorkOrder, state: WorkOrderState | None, changed_at: datetime | None
    ) -> bool:
        """As an MES tells it: its state is left as it is where `state` is None. What was changed before the
        last `changed_at` on record is no news: False, as when nothing changed."""
        ...

    async def follow_reports(self, number: str) -> bool:
        """Completed once every operation's last word is done, released again when one runs again: for orders
        that nobody else ends. False when nothing changed."""
        ...

    async def add_posting(
        self, posting: Posting, source: str = "", peers: Sequence[str] | None = None
    ) -> Posting | None:
        """As `add_response`; ids are unique within source and kind."""
        ...

    async def note_unbound(self, order: str, operation: str) -> str:
        """Whether an order on record has this operation: "", else what is not there, "order" or "operation",
        and it is listed until it is. Without `operation` it is the order alone."""
        ...

    async def take_event(self, source: str, kind: str, event: str, digest: str, at: datetime) -> Uptake:
        """Remembers that this source has told this event: TAKEN the first time, REPEAT when it says the same
        again, REJECTED when it says something else under the same id."""
        ...

    async def knows_event(self, source: str, kind: str, event: str) -> bool: ...

    async def reject(self, reject: Reject) -> None:
        """Kept for people. The same record of the same source again is one more time of the same reject."""
        ...

    async def add_exchange(self, exchange: Exchange) -> None: ...

    async def add_order_change(self, change: OrderChange) -> None:
        """Together with what the floor has not confirmed yet of the same order."""
        ...

    async def intend(self, intent: Intent) -> None:
        """Into the outbox; a repeated key changes nothing."""
        ...

    async def set_mark(self, name: str, value: str) -> None:
        """A named position (rule evaluation, MES watermark ...), in this transaction."""
        ...


class Outbox(Protocol):
    async def claim(self, kinds: Sequence[IntentKind], worker: str, lease: timedelta) -> Errand | None:
        """The most urgent due intent, of equals the oldest, whose lane has nothing older unfinished.

        None when there is none. Without renewal anybody may take it over once `lease` has passed.
        """
        ...

    async def done(self, errand: Errand, receipt: Mapping[str, Any]) -> bool:
        """False when somebody else has claimed it since (fence)."""
        ...

    async def renew(self, errands: Sequence[Errand], lease: timedelta) -> frozenset[int]:
        """From now on for so long; ids of those that are still this claim's own (fence)."""
        ...

    async def put_back(
        self, errand: Errand, reason: str, retry_at: datetime, *, counted: bool, in_doubt: bool = False
    ) -> bool:
        """`in_doubt`: this try may have done it; whoever is next has to know."""
        ...

    async def give_up(self, errand: Errand, reason: str) -> bool:
        """Into the dead letters, with the reason; the lane goes on."""
        ...

    async def release(self, worker: str) -> int:
        """At start: what this worker held when it died is due at once, in doubt."""
        ...

    async def wait(self, seconds: float) -> None:
        """Until something was written, or so long."""
        ...

    async def stats(self) -> Mapping[str, Any]:
        """{"waiting": {kind: n}, "oldest_seconds": {kind: s}, "dead": n}"""
        ...
