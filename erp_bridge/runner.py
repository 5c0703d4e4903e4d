"""The bridge's two loops: intents to the ERP, news from the ERP.

The outbox is emptied by several hands, one lane at a time each. A busy or absent ERP is tried again for as
long as it takes, with growing pauses; a refusal becomes a dead letter with the ERP's words. Nothing is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from erp_bridge.catalogue import Catalogue, Shelf
from erp_bridge.envelope import document_of, exchange, outcome_of
from erp_bridge.errands import ErpErrands
from erp_bridge.gate import Gate
from erp_bridge.incoming import Incoming
from erp_bridge.mapping import backoff
from erp_bridge.metered import metered
from erp_bridge.omissions import Omissions
from hub.claims import Claims
from hub.errors import ErpUnavailable, Permanent, Refused, Transient
from hub.failpoint import failpoint
from hub.model.exchange import Outcome
from hub.model.intent import Errand, IntentKind
from hub.model.people import Role
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Clock, Desk, ErpBook, ErpConnector, Ledger, Outbox
from hub.together import together

log = logging.getLogger(__name__)

Shout = Callable[[dict[str, Any]], Awaitable[None]]

KINDS = (
    IntentKind.OPEN_TICKET,
    IntentKind.UPDATE_TICKET,
    IntentKind.CLOSE_TICKET,
    IntentKind.REPORT_OPERATION,
    IntentKind.POST,
    IntentKind.CHANGE_ORDER,
    IntentKind.ERP_NEWS,
)
# A payload, a map or an answer that nobody has foreseen: it costs its own errand, never the bridge.
BROKEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
IDLE_SECONDS = 2.0
GATE_SECONDS = 0.5
DOUBT_PAUSE = timedelta(seconds=5)  # an unknown outcome is looked up no sooner


@dataclass(slots=True)
class BridgeHealth:
    up: bool = False  # the last call was answered
    last_error: str = ""
    last_ok: datetime | None = None
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
        notices: Notices,
        *,
        book: ErpBook,
        kind: str = "erp",  # of the connector, for its figures
        hands: int = 4,
        poll_every: timedelta = timedelta(seconds=30),
        shelf: Shelf | None = None,  # where sales orders, items and machines are kept
        omissions: Omissions | None = None,  # what becomes of records that cannot be read
        maps: str = "",  # names the field maps: under others everything is read anew
    ) -> None:
        self._ledger = ledger
        self._claims = Claims(outbox, worker, clock)
        self._desk = desk
        self._connector = metered(connector, kind, clock)
        self._clock = clock
        self._shout = shout
        self._notices, self._book = notices, book
        self._hands = hands
        self._poll_every = poll_every
        omissions = omissions or Omissions(clock, notices)
        catalogue = Catalogue(shelf, self._connector, clock, omissions, maps) if shelf else None
        self._incoming = Incoming(
            ledger, book, desk, self._connector, clock, shout, notices, catalogue, omissions
        )
        self._errands = ErpErrands(
            ledger, desk, self._connector, clock, self._claims.still_ours, self._incoming.look, book
        )
        self._health = BridgeHealth()
        self._gate = Gate.open(hands)
        self._at_work = 0

    def health(self) -> dict[str, Any]:
        """With `orders_at` and `tickets_at`, when the ERP was last asked for them; `degraded`
        while records of it cannot be read."""
        return asdict(self._health) | self._incoming.health() | {"away": self._gate.away}

    async def run(self) -> None:
        """What this worker held when it died comes first, in doubt."""
        released = await self._claims.release()
        if released:
            log.info("%d errands were under way when this bridge died: looking for them first", released)
        hands = [self._deliver() for _ in range(self._hands)]
        await together(*hands, self._watch(), self._claims.keep())

    # ------------------------------------------------------------------ to the ERP
    async def _deliver(self) -> None:
        while True:
            if not self._gate.lets_in(self._at_work, self._clock.monotonic()):
                await self._clock.sleep(GATE_SECONDS)
                continue
            self._at_work += 1
            try:
                busy = await self.deliver_one()
            finally:
                self._at_work -= 1
            if not busy:
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
        began = self._clock.monotonic()
        try:
            failpoint("bridge.after_claim")
            receipt = await self._errands.carry_out(errand)
            failpoint("bridge.before_mark")
        except Transient as trouble:
            await self._put_back(errand, trouble)
        except (Permanent, Refused) as refusal:
            self._gate = self._gate.answered()
            await self._give_up(errand, str(refusal))
        except BROKEN as cause:
            log.exception("errand %s cannot be carried out", errand.intent.key)
            await self._give_up(errand, f"unreadable errand or answer: {type(cause).__name__} {cause}"[:500])
        else:
            if "skipped" not in receipt:
                self._answered()
            self._health.done += 1
            await self._note(errand, outcome_of(receipt), receipt=receipt, began=began)
            if not await self._claims.done(errand, receipt):
                log.warning("errand %s was taken over by another worker meanwhile", errand.intent.key)

    async def _note(
        self,
        errand: Errand,
        outcome: Outcome,
        *,
        receipt: Mapping[str, Any] | None = None,
        reason: str = "",
        began: float | None = None,
    ) -> None:
        """Into the ledger of messages, before the outcome is marked: noted twice rather than not at all."""
        if errand.intent.kind is IntentKind.ERP_NEWS:
            return
        seconds = 0.0 if began is None else self._clock.monotonic() - began
        before = await self._book.last_known(document_of(errand.intent))
        await self._book.note(
            exchange(
                errand, outcome, self._clock.now(),
                seconds=seconds, before=before, receipt=receipt, reason=reason,
            )
        )  # fmt: skip

    async def _put_back(self, errand: Errand, trouble: Transient) -> None:
        pause = backoff(errand.attempts, errand.id, trouble.retry_after)
        if isinstance(trouble, ErpUnavailable):
            self._unanswered(trouble)
            pause = max(pause, DOUBT_PAUSE) if trouble.in_doubt else pause
        log.info("errand %s again in %s: %s", errand.intent.key, pause, trouble)
        self._health.put_back += 1
        limited = trouble.retry_after is not None
        doubt = not isinstance(trouble, ErpUnavailable) or trouble.in_doubt
        retry_at = self._clock.now() + pause
        if errand.attempts == 1 or doubt:  # not each of the thousand tries of three days
            await self._note(errand, Outcome.DEFERRED, reason=str(trouble))
        await self._claims.put_back(errand, str(trouble), retry_at, counted=not limited, in_doubt=doubt)

    async def _give_up(self, errand: Errand, reason: str) -> None:
        log.error("errand %s is given up: %s", errand.intent.key, reason)
        self._health.given_up += 1
        self._health.last_error = reason
        await self._note(errand, Outcome.REFUSED, reason=reason)
        if await self._claims.give_up(errand, reason):
            await self._tell_of(errand, reason)

    async def _tell_of(self, errand: Errand, reason: str) -> None:
        """Whoever keeps the ERP hears of a dead letter; each time it dies."""
        about = document_of(errand.intent)
        said = self._notices.about(
            f"erp-refused:{errand.id}:{errand.fence}",
            Words(f"ERP 拒绝 {about}: {reason}", f"The ERP refused {about}: {reason}"),
            where=Words("ERP", "ERP"),
            people=self._notices.holders({Role.ADMIN, Role.PLANNER}),
        )
        async with self._ledger.begin() as tx:
            for intent in said:
                await tx.intend(intent)

    def _answered(self) -> None:
        self._gate = self._gate.answered()
        self._health.up, self._health.last_ok = True, self._clock.now()

    def _unanswered(self, trouble: ErpUnavailable) -> None:
        self._health.up, self._health.last_error = False, str(trouble)
        now = self._clock.monotonic()
        pause = None if trouble.in_doubt else trouble.retry_after  # in doubt: this document's own pause
        self._gate = self._gate.failed(now) if pause is None else self._gate.limited(now, pause)

    # ------------------------------------------------------------------ from the ERP
    async def _watch(self) -> None:
        while True:
            for poll in (self.poll_orders, self.poll_tickets, self._incoming.escalate, self.poll_rest):
                await self._tried(poll)
            await self._clock.sleep(self._poll_every.total_seconds())

    async def _tried(self, poll: Callable[[], Awaitable[int | None]]) -> None:
        """A look that failed is taken again at the next turn: only the health tells of it."""
        if self._gate.asked_to_wait(self._clock.monotonic()):
            return
        try:
            await poll()
        except (Transient, Permanent) as trouble:
            log.info("the ERP could not be asked: %s", trouble)
            self._health.up, self._health.last_error = False, str(trouble)
            if isinstance(trouble, ErpUnavailable) and trouble.retry_after is not None:
                self._gate = self._gate.limited(self._clock.monotonic(), trouble.retry_after)
        except BROKEN as cause:  # must not end the hands that send
            log.exception("what the ERP told cannot be read")
            self._health.up = False
            self._health.last_error = f"an answer that cannot be read: {type(cause).__name__} {cause}"[:500]

    async def poll_orders(self) -> int:
        """Bring changed orders into the record; the number of those that differ."""
        return await self._heard(self._incoming.orders())

    async def poll_tickets(self) -> int:
        """Close what the office has closed by hand; their number."""
        return await self._heard(self._incoming.tickets())

    async def poll_rest(self) -> int:
        """Bring in what is due of sales orders, items and machines; the number of those that differ."""
        return await self._heard(self._incoming.the_rest())

    async def _heard(self, asked: Awaitable[int | None]) -> int:
        found = await asked
        if found is None:  # this ERP does not tell, or there was nothing to ask for
            return 0
        self._answered()
        return found
