"""What the office has decided, brought into the record: orders, tickets closed by hand."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from erp_bridge import changes, left_out
from erp_bridge.catalogue import Catalogue
from erp_bridge.mapping import Capability, enriched
from erp_bridge.omissions import AGAIN, Omissions
from erp_bridge.readings import LATELY
from hub.errors import NotFound, Refused
from hub.model.alarm import Priority
from hub.model.erp import ErpSubject
from hub.model.exchange import Direction, Exchange, Outcome
from hub.model.people import Role
from hub.model.production import OrderChange, WorkOrder
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Clock, Desk, ErpBook, ErpConnector, Ledger

log = logging.getLogger(__name__)

Shout = Callable[[dict[str, Any]], Awaitable[None]]

FULL_EVERY = timedelta(hours=24)  # all orders again: whatever slipped through the overlap
CONFIRM_WITHIN = timedelta(minutes=15)  # then the floor's managers hear of it
# Up to when the order book was read: a bridge that starts again goes on from there.
ORDERS_MARK = "erp:orders"
# Since when some order may have changed in a way that could not be read; "" when there is none.
DOUBT_MARK = "erp:orders:doubt"


@dataclass(slots=True)
class IncomingHealth:
    orders_at: datetime | None = None
    tickets_at: datetime | None = None


class Incoming:
    """Asks the ERP and writes down what differs. Every method answers with the number of documents that
    differed, None where there was nothing to ask; raises what the connector raises."""

    def __init__(
        self,
        ledger: Ledger,
        book: ErpBook,
        desk: Desk,
        connector: ErpConnector,
        clock: Clock,
        shout: Shout,
        notices: Notices,
        catalogue: Catalogue | None = None,
        omissions: Omissions | None = None,
    ) -> None:
        self._ledger, self._book, self._desk = ledger, book, desk
        self._omissions = omissions or Omissions(clock, notices)
        self.catalogue = catalogue
        self._connector, self._clock, self._shout, self._notices = connector, clock, shout, notices
        self._health = IncomingHealth()
        self._since: datetime | None = None
        self._full_due: datetime | None = None  # None: nothing was read yet by this one

    def health(self) -> dict[str, Any]:
        read = self.catalogue.health() if self.catalogue else {}
        return asdict(self._health) | self._omissions.health() | read  # a list not believed says more

    async def look(self, subject: ErpSubject) -> int:
        """Where the ERP says that something has changed."""
        match subject:
            case ErpSubject.ORDERS:
                return await self.orders() or 0
            case ErpSubject.TICKETS:
                return await self.tickets() or 0
            case _:
                return await self.catalogue.look(subject) if self.catalogue else 0

    async def the_rest(self) -> int | None:
        """Sales orders, items, machines and stock, as they are due."""
        return await self.catalogue.due() if self.catalogue else None

    # ------------------------------------------------------------------ orders
    async def orders(self) -> int | None:
        if Capability.ORDERS not in self._connector.capabilities:
            return None
        asked_at = self._clock.now()
        full = self._full_due is None or asked_at >= self._full_due
        since = self._since or _instant(await self._ledger.mark(ORDERS_MARK))
        doubt = await self._ledger.mark(DOUBT_MARK)
        with left_out.gathered() as lost:
            found = await self._read_orders(full, since, _instant(doubt), asked_at)
        marks = {ORDERS_MARK: asked_at.isoformat()}
        if lost and not doubt:
            marks[DOUBT_MARK] = (since or asked_at).isoformat()
        elif doubt and full and not lost:
            marks[DOUBT_MARK] = ""
        changed = await self._take_in(found, asked_at, marks)
        self._since = self._health.orders_at = asked_at
        self._plan_full(asked_at, full, bool(lost))
        for number in changed:
            await self._shout({"kind": "order", "order": number})
        await self._omissions.heard("orders", lost, whole=full)
        return len(changed)

    def _plan_full(self, now: datetime, full: bool, lost: bool) -> None:
        """What was passed over is looked for before its time, and yet not at every turn."""
        if full or self._full_due is None:
            self._full_due = now + (AGAIN if lost else FULL_EVERY)
        elif lost:
            self._full_due = min(self._full_due, now + AGAIN)

    async def _read_orders(
        self, full: bool, since: datetime | None, doubt: datetime | None, now: datetime
    ) -> list[WorkOrder]:
        """A full reading tells only of what is on the floor now; what has left it since we last asked, also
        in the life of the bridge before this one, has to be asked for: from where we last understood all."""
        if since and full and doubt:
            since = max(min(since, doubt), now - LATELY)
        found = {o.number: o for o in await self._connector.orders(since)} if since else {}
        if full or since is None:
            found |= {o.number: o for o in await self._connector.orders(None)}
        return list(found.values())

    async def _take_in(
        self, found: Sequence[WorkOrder], asked_at: datetime, marks: Mapping[str, str]
    ) -> list[str]:
        known = {o.number: o for o in await self._book.orders([o.number for o in found])}
        changed = []
        async with self._ledger.begin() as tx:
            for read in found:
                before = known.get(read.number)
                order = enriched(read, before)
                if not await tx.save_order(order):
                    continue
                changed.append(order.number)
                await tx.add_exchange(taken(before, order, asked_at))
                if told := changes.for_the_floor(before, order):
                    await tx.add_order_change(OrderChange(order.number, told, asked_at))
            for name, value in marks.items():
                await tx.set_mark(name, value)
        return changed

    async def escalate(self) -> int | None:
        """Changes that nobody on the floor has confirmed in time: their managers hear of it, once."""
        now = self._clock.now()
        late = [c for c in await self._ledger.order_changes() if _late(c, now)]
        if not late:
            return None
        async with self._ledger.begin() as tx:
            for change in late:
                for intent in self._unconfirmed(change):
                    await tx.intend(intent)
        await self._book.escalated([c.id for c in late], now)
        for change in late:  # the walls mark it strongly from now on
            await self._shout({"kind": "order", "order": change.order})
        return len(late)

    def _unconfirmed(self, change: OrderChange) -> list[Any]:
        minutes = int(CONFIRM_WITHIN.total_seconds() // 60)
        title = Words(
            f"工单 {change.order} 的变更 {minutes} 分钟内无人确认",
            f"Nobody has confirmed the change of order {change.order} for {minutes} minutes",
        )
        return self._notices.about(
            f"unconfirmed:{change.id}:{change.at.isoformat()}",
            title,
            where=Words("现场", "Shop floor"),
            lines=[(Words("变更", "Changed"), _spoken(change))],
            people=self._notices.holders({Role.MANAGER, Role.PLANNER}),
            priority=Priority.HIGH,
        )

    # ------------------------------------------------------------------ tickets
    async def tickets(self) -> int | None:
        if Capability.TICKET_STATES not in self._connector.capabilities:
            return None
        by_erp_id = {t.erp_id: t.id for t in await self._ledger.open_tickets() if t.erp_id}
        if not by_erp_id:
            return None
        with left_out.gathered() as lost:
            states = await self._connector.ticket_states(list(by_erp_id))
        await self._omissions.heard("tickets", lost, whole=True)
        closed = [by_erp_id[erp_id] for erp_id, state in states.items() if state == "closed"]
        for ticket_id in closed:
            await self._closed_by_hand(ticket_id)
        self._health.tickets_at = self._clock.now()
        return len(closed)

    async def _closed_by_hand(self, ticket_id: str) -> None:
        try:
            await self._desk.closed_in_erp(ticket_id)
        except NotFound:
            log.warning("%s was closed in the ERP but is not on record here", ticket_id)
        except Refused as refusal:  # somebody here was faster
            log.info("%s was closed in the ERP: %s", ticket_id, refusal)
        else:
            state = {"state": "closed"}
            now = self._clock.now()
            await self._book.note(
                Exchange(now, Direction.IN, "ticket", ticket_id, Outcome.TAKEN, after=state)
            )


def taken(before: WorkOrder | None, order: WorkOrder, at: datetime) -> Exchange:
    return Exchange(
        at, Direction.IN, "order", f"order:{order.number}", Outcome.TAKEN,
        erp_number=order.number, before=changes.facts(before) if before else None, after=changes.facts(order),
    )  # fmt: skip


def _late(change: OrderChange, now: datetime) -> bool:
    return change.escalated_at is None and now - change.at >= CONFIRM_WITHIN


def _instant(mark: str) -> datetime | None:
    return datetime.fromisoformat(mark) if mark else None


def _spoken(change: OrderChange) -> Words:
    zh = "；".join(f"{_FIELDS[n].zh} {_value(a)} → {_value(b)}" for n, (a, b) in change.changed.items())
    en = "; ".join(f"{_FIELDS[n].en} {_value(a)} → {_value(b)}" for n, (a, b) in change.changed.items())
    return Words(zh, en)


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_FIELDS = {
    "state": Words("状态", "state"),
    "rush": Words("加急", "rush"),
    "priority": Words("优先级", "priority"),
    "quantity": Words("数量", "quantity"),
    "due_at": Words("交期", "due"),
    "product": Words("产品", "product"),
    "operations": Words("工序", "operations"),
}
