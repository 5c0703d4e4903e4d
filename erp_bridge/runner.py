"""The bridge's two loops: intents to the ERP, news from the ERP.

The outbox is emptied by several hands, one lane at a time each. A busy or absent ERP is tried again for as
long as it takes, with growing pauses; a refusal becomes a dead letter with the ERP's words. Nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from erp_bridge.errands import ErpErrands
from erp_bridge.mapping import Capability, backoff, enriched
from erp_bridge.metered import metered
from hub.claims import Claims
from hub.errors import ErpUnavailable, NotFound, Permanent, Refused, Transient
from hub.failpoint import failpoint
from hub.model.intent import Errand, IntentKind
from hub.model.words import Words
from hub.ports import Clock, Desk, ErpConnector, Ledger, Outbox

log = logging.getLogger(__name__)

Shout = Callable[[dict[str, Any]], Awaitable[None]]
Notify = Callable[[Words], Awaitable[None]]

KINDS = (
    IntentKind.OPEN_TICKET,
    IntentKind.UPDATE_TICKET,
    IntentKind.CLOSE_TICKET,
    IntentKind.REPORT_OPERATION,
)
IDLE_SECONDS = 2.0
DOUBT_PAUSE = timedelta(seconds=5)  # an unknown outcome is looked up no sooner
FULL_EVERY = timedelta(hours=24)  # all orders again: whatever slipped through the overlap


@dataclass(slots=True)
class BridgeHealth:
    up: bool = False  # the last call was answered
    last_error: str = ""
    last_ok: datetime | None = None
    orders_at: datetime | None = None
    tickets_at: datetime | None = None
    in_hand: int = 0
    done: int = 0
    put_back: int = 0
    given_up: int = 0


class BridgeRunner:
    """Runs until cancelled. `hands` errands are under way at once; errands of one lane never are."""

    def __init__(
        self,
        ledger: Ledger,
        outbox: Outbox,
        desk: Desk,
        connector: ErpConnector,
        clock: Clock,
        shout: Shout,
        worker: str,
        notify_people: Notify | None = None,
        *,
        kind: str = "erp",  # of the connector, for its figures
        hands: int = 4,
        poll_every: timedelta = timedelta(seconds=30),
    ) -> None:
        self._ledger = ledger
        self._claims = Claims(outbox, worker, clock)
        self._desk = desk
        self._connector = metered(connector, kind, clock)
        self._clock = clock
        self._shout = shout
        self._notify = notify_people
        self._hands = hands
        self._poll_every = poll_every
        self._errands = ErpErrands(ledger, desk, self._connector, clock, self._claims.still_ours)
        self._health = BridgeHealth()
        self._orders_since: datetime | None = None
        self._full_at: datetime | None = None

    def health(self) -> dict[str, Any]:
        return asdict(self._health)

    async def run(self) -> None:
        """What this worker held when it died comes first, in doubt."""
        released = await self._claims.release()
        if released:
            log.info("%d errands were under way when this bridge died: looking for them first", released)
        async with asyncio.TaskGroup() as loops:
            for _ in range(self._hands):
                loops.create_task(self._deliver())
            loops.create_task(self._watch())
            loops.create_task(self._claims.keep())

    # ------------------------------------------------------------------ to the ERP
    async def _deliver(self) -> None:
        while True:
            if not await self.deliver_one():
                await self._claims.wait(IDLE_SECONDS)

    async def deliver_one(self) -> bool:
        """Take one errand and bring it to an outcome; False when nothing is due."""
        errand = await self._claims.claim(KINDS)
        if errand is None:
            return False
        self._health.in_hand += 1
        try:
            await self._carry_out(errand)
        finally:
            self._health.in_hand -= 1
        return True

    async def _carry_out(self, errand: Errand) -> None:
        try:
            failpoint("bridge.after_claim")
            receipt = await self._errands.carry_out(errand)
            failpoint("bridge.before_mark")
        except Transient as trouble:
            await self._put_back(errand, trouble)
        except (Permanent, Refused) as refusal:
            await self._give_up(errand, str(refusal))
        except (KeyError, TypeError, ValueError) as cause:  # the payload is not what we agreed on
            await self._give_up(errand, f"unreadable errand: {type(cause).__name__} {cause}")
        else:
            if "skipped" not in receipt:
                self._answered()
            self._health.done += 1
            if not await self._claims.done(errand, receipt):
                log.warning("errand %s was taken over by another worker meanwhile", errand.intent.key)

    async def _put_back(self, errand: Errand, trouble: Transient) -> None:
        pause = backoff(errand.attempts, errand.id, trouble.retry_after)
        if isinstance(trouble, ErpUnavailable):
            self._health.up, self._health.last_error = False, str(trouble)
            pause = max(pause, DOUBT_PAUSE) if trouble.in_doubt else pause
        log.info("errand %s again in %s: %s", errand.intent.key, pause, trouble)
        self._health.put_back += 1
        limited = trouble.retry_after is not None
        doubt = not isinstance(trouble, ErpUnavailable) or trouble.in_doubt
        retry_at = self._clock.now() + pause
        await self._claims.put_back(errand, str(trouble), retry_at, counted=not limited, in_doubt=doubt)

    async def _give_up(self, errand: Errand, reason: str) -> None:
        log.error("errand %s is given up: %s", errand.intent.key, reason)
        self._health.given_up += 1
        self._health.last_error = reason
        if await self._claims.give_up(errand, reason) and self._notify is not None:
            about = f"{errand.intent.kind.value} {errand.intent.key}: {reason}"
            await self._notify(Words(f"ERP 拒绝: {about}", f"The ERP refused: {about}"))

    def _answered(self) -> None:
        self._health.up, self._health.last_ok = True, self._clock.now()

    # ------------------------------------------------------------------ from the ERP
    async def _watch(self) -> None:
        while True:
            for poll in (self.poll_orders, self.poll_tickets):
                await self._tried(poll)
            await self._clock.sleep(self._poll_every.total_seconds())

    async def _tried(self, poll: Callable[[], Awaitable[int]]) -> None:
        """A look that failed is taken again at the next turn: only the health tells of it."""
        try:
            await poll()
        except (Transient, Permanent) as trouble:
            log.info("the ERP could not be asked: %s", trouble)
            self._health.up, self._health.last_error = False, str(trouble)

    async def poll_orders(self) -> int:
        """Bring changed orders into the record; the number of those that differ."""
        if Capability.ORDERS not in self._connector.capabilities:
            return 0
        asked_at = self._clock.now()
        full = self._full_at is None or asked_at - self._full_at >= FULL_EVERY
        orders = await self._connector.orders(None if full else self._orders_since)
        self._answered()
        known = {o.number: o for o in await self._ledger.orders()} if orders else {}
        changed = []
        async with self._ledger.begin() as tx:
            for order in orders:
                if await tx.save_order(enriched(order, known.get(order.number))):
                    changed.append(order.number)
        self._orders_since, self._health.orders_at = asked_at, asked_at
        self._full_at = asked_at if full else self._full_at
        for number in changed:
            await self._shout({"kind": "order", "order": number})
        return len(changed)

    async def poll_tickets(self) -> int:
        """Close what the office has closed by hand; their number."""
        if Capability.TICKET_STATES not in self._connector.capabilities:
            return 0
        by_erp_id = {t.erp_id: t.id for t in await self._ledger.open_tickets() if t.erp_id}
        if not by_erp_id:
            return 0
        states = await self._connector.ticket_states(list(by_erp_id))
        self._answered()
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
