"""What the hub can put right by itself once a person has said so. Everything here may be done again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from erp_bridge import left_out
from erp_bridge.changes import for_the_floor
from erp_bridge.incoming import taken
from erp_bridge.mapping import enriched
from erp_bridge.readings import LATELY
from hub.errors import ErpRefused, Refused
from hub.model.discrepancy import Discrepancy, DiscrepancyKind, Repair
from hub.model.intent import Intent, IntentKind
from hub.model.production import JobResponse, JobState, OrderChange, WorkOrder
from hub.ports import Clock, Desk, ErpConnector, Ledger

PassOn = Callable[[JobResponse], Intent]  # what the ERP is told of a report
TICKET_INTENTS = tuple(
    k.value for k in (IntentKind.OPEN_TICKET, IntentKind.UPDATE_TICKET, IntentKind.CLOSE_TICKET)
)


class Shelf(Protocol):
    """What was intended before, to be carried out once more."""

    async def send_again(self, keys: Sequence[str]) -> int: ...
    async def keys_of_lane(self, lane: str, kinds: Sequence[str]) -> list[str]: ...
    async def report(self, report_id: str) -> dict[str, Any] | None: ...
    async def intend(self, intent: Intent) -> None: ...
    async def those_orders(self, numbers: Sequence[str]) -> list[WorkOrder]: ...


@dataclass(frozen=True, slots=True)
class Repairs:
    ledger: Ledger
    shelf: Shelf
    desk: Desk
    connector: ErpConnector
    clock: Clock
    pass_on: PassOn

    async def carry_out(self, what: Discrepancy) -> str:
        """What was done, a word for the screens. Raises Transient or Permanent."""
        doings: dict[Repair, Callable[[Discrepancy], Awaitable[str]]] = {
            Repair.SEND_AGAIN: self._send_again,
            Repair.TAKE_THEIRS: self._take_theirs,
            Repair.CLOSE_HERE: self._close_here,
            Repair.CLOSE_THERE: self._close_there,
        }
        return await doings[what.repair](what)

    # ------------------------------------------------------------------ once more to the ERP
    async def _send_again(self, what: Discrepancy) -> str:
        match what.kind:
            case DiscrepancyKind.REPORT_NOT_IN_ERP:
                return await self._report_again(what.part)
            case DiscrepancyKind.POSTING_NOT_IN_ERP:
                kind, _, number = what.part.partition(" ")
                return await self._again([f"post:{kind}:{number}"])
            case _:
                return await self._again(
                    await self.shelf.keys_of_lane(f"ticket:{what.subject}", TICKET_INTENTS)
                )

    async def _again(self, keys: Sequence[str]) -> str:
        return "sent-again" if await self.shelf.send_again(keys) else "under-way"

    async def _report_again(self, report_id: str) -> str:
        """One whose intent was tidied away is intended anew; the look-up before the write is the same."""
        if await self.shelf.send_again([f"report:{report_id}"]):
            return "sent-again"
        row = await self.shelf.report(report_id)
        if row is None:
            raise ErpRefused(f"report {report_id} is not on record here any more")
        names = ("id", "operation", "at", "good", "scrap", "equipment", "person", "labour_seconds", "rework")
        response = JobResponse(
            order=row["work_order"], state=JobState(row["state"]), **{name: row[name] for name in names}
        )
        await self.shelf.intend(self.pass_on(response))  # changes nothing when it is under way
        return "sent-again"

    async def _close_there(self, what: Discrepancy) -> str:
        lane = f"ticket:{what.subject}"
        keys = await self.shelf.keys_of_lane(lane, [IntentKind.CLOSE_TICKET.value])
        if not keys:
            raise ErpRefused(f"{what.subject} was closed here without a word to the ERP: close it there")
        return await self._again(keys)

    # ------------------------------------------------------------------ here
    async def _close_here(self, what: Discrepancy) -> str:
        try:
            await self.desk.closed_in_erp(what.subject)
        except Refused as refusal:
            raise ErpRefused(str(refusal)) from None
        return "closed"

    async def _take_theirs(self, what: Discrepancy) -> str:
        number = what.subject.partition("/")[0]
        theirs = await self._their_order(number)
        known = {o.number: o for o in await self.shelf.those_orders([number])}.get(number)
        order, now = enriched(theirs, known), self.clock.now()
        async with self.ledger.begin() as tx:
            changed = await tx.save_order(order)
            if changed:
                await tx.add_exchange(taken(known, order, now))
            if changed and (told := for_the_floor(known, order)):
                await tx.add_order_change(OrderChange(number, told, now))
        return "taken" if changed else "equal"

    async def _their_order(self, number: str) -> WorkOrder:
        """As it is now, not as it was when the books were compared."""
        since: datetime | None
        with left_out.gathered() as lost:
            for since in (None, self.clock.now() - LATELY):
                for order in await self.connector.orders(since):
                    if order.number == number:
                        return order
        if lost:
            raise ErpRefused(f"order {number} was not found, and {len(lost)} cannot be read: {lost[0]}")
        raise ErpRefused(f"order {number} is not in the ERP any more")
