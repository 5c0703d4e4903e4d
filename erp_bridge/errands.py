"""One errand to the ERP: look, act, tell the desk. What stood in the way is raised; the runner judges it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from erp_bridge import asked, left_out, mapping
from erp_bridge.asked import Asked
from hub.errors import ErpRefused, Refused, Transient
from hub.failpoint import failpoint
from hub.model.erp import ErpSubject, PostingKind
from hub.model.intent import Errand, IntentKind
from hub.ports import Clock, Desk, ErpBook, ErpConnector, Ledger

log = logging.getLogger(__name__)

Receipt = dict[str, Any]
Found = TypeVar("Found")

PATIENT_TRIES = 4  # of a change to a ticket: some fifteen seconds
SETTLE_SECONDS = 6.0  # a slow server may still be committing, or hiding, what an earlier try has sent


@dataclass(frozen=True, slots=True)
class ErpErrands:
    ledger: Ledger
    desk: Desk
    connector: ErpConnector
    clock: Clock
    still_ours: Callable[[Errand], Awaitable[bool]]
    look: Callable[[ErpSubject], Awaitable[int]]  # read what the ERP says has changed
    book: ErpBook

    async def carry_out(self, errand: Errand) -> Receipt:
        """Do it, or find that it is done. Raises Transient or Permanent."""
        doings: dict[IntentKind, Callable[[Errand], Awaitable[Receipt]]] = {
            IntentKind.OPEN_TICKET: self._open,
            IntentKind.UPDATE_TICKET: self._update,
            IntentKind.CLOSE_TICKET: self._close,
            IntentKind.REPORT_OPERATION: self._report,
            IntentKind.POST: self._post,
            IntentKind.CHANGE_ORDER: self._change_order,
            IntentKind.ERP_NEWS: self._news,
        }
        return await doings[errand.intent.kind](errand)

    async def _looked_up(
        self, errand: Errand, find: Callable[[str], Awaitable[Found | None]], key: str
    ) -> Found | None:
        """Before the first try as well; after a try whose end is not known, twice with a pause between.

        What was looked through and could not be read may be the one: nothing is made beside it.
        """
        with left_out.gathered() as lost:
            found = await find(key)
            if found is None and (errand.in_doubt or errand.attempts > 1):
                await self.clock.sleep(SETTLE_SECONDS)
                found = await find(key)
        if found is None and lost:
            raise ErpRefused(
                f"whether {key} is in the ERP already cannot be told, because its records cannot be read:"
                f" {lost[0]}"
            )
        return found

    async def _mine(self, errand: Errand) -> None:
        """Right before anything is written: while we were paused another worker may have begun the same."""
        if not await self.still_ours(errand):
            raise Transient("another worker has taken over")

    # ------------------------------------------------------------------ tickets
    async def _open(self, errand: Errand) -> Receipt:
        """The ticket's own number is the ERP's external key: chosen before the first call, never changed."""
        ticket_id = str(errand.intent.payload["ticket"])
        found = await self._looked_up(errand, self.connector.find_ticket, ticket_id)
        if found is None:
            await self._mine(errand)
        erp_id, number = found or await self.connector.open_ticket(
            ticket_id, mapping.opening(errand.intent.payload)
        )
        failpoint("bridge.after_create")
        try:
            await self.desk.sent_to_erp(ticket_id, erp_id, number)
        except Refused as refusal:  # the ERP has it; the desk has its own reasons, which a person can read
            log.warning("%s is %s in the ERP, but the desk says: %s", ticket_id, number, refusal)
        return {"erp_id": erp_id, "erp_number": number, "adopted": found is not None}

    async def _update(self, errand: Errand) -> Receipt:
        erp_id = await self._erp_id(errand)
        if erp_id is None:
            return await self._not_wanted(errand)
        await self._mine(errand)
        with _once_more(errand):
            await self.connector.update_ticket(erp_id, mapping.update(errand.intent.payload))
        return {"erp_id": erp_id}

    async def _close(self, errand: Errand) -> Receipt:
        erp_id = await self._erp_id(errand)
        if erp_id is None:
            return await self._not_wanted(errand)
        fields = mapping.closing(errand.intent.payload)
        photo = await self._photo(fields)
        await self._mine(errand)
        with _once_more(errand):
            await self.connector.close_ticket(erp_id, fields | photo)
        return {"erp_id": erp_id}

    async def _erp_id(self, errand: Errand) -> str | None:
        """From the record, else by our number: the desk may have refused to write it down, or somebody has
        entered it by hand. None when it is not there."""
        ticket_id = str(errand.intent.payload["ticket"])
        known = (await self.ledger.ticket_of(ticket_id)).erp_id
        if known:
            return known
        found = await self.connector.find_ticket(ticket_id)
        return found[0] if found else None

    async def _not_wanted(self, errand: Errand) -> Receipt:
        """A step of a ticket that the ERP does not have: nothing to tell where its opening was set aside."""
        ticket_id = str(errand.intent.payload["ticket"])
        why = await self.book.aside(f"{IntentKind.OPEN_TICKET}:{ticket_id}")
        if why is None:
            raise ErpRefused(f"{ticket_id} was never made in the ERP: see the letter of its opening")
        return {"skipped": f"its opening was set aside: {why}"}

    async def _photo(self, fields: Mapping[str, Any]) -> Receipt:
        if not fields["photo"] or mapping.Capability.ATTACHMENTS not in self.connector.capabilities:
            return {}
        try:
            content_type, data = await self.ledger.photo(fields["photo"])
        except Refused:
            log.warning("photo %s is not on record: the ticket is closed without it", fields["photo"])
            return {}
        suffix = content_type.rpartition("/")[2].replace("jpeg", "jpg")
        return {"photo_data": data, "photo_name": f"{fields['photo']}.{suffix}"}

    # ------------------------------------------------------------------ reports
    async def _report(self, errand: Errand) -> Receipt:
        """A report that only changes the operation's state moves nothing in the ERP."""
        fields = mapping.report(errand.intent.payload)
        if not fields["good"] and not fields["scrap"]:
            return {"skipped": "no pieces"}
        key = str(errand.intent.payload["response"])
        if fields["good"] < 0 or fields["scrap"] < 0:
            raise ErpRefused(
                f"report {key} takes back pieces of order {fields['order']}, operation {fields['operation']}"
                f" (good {fields['good']:+}, scrap {fields['scrap']:+}): reverse the booking in the ERP by"
                " hand, then set this letter aside"
            )
        with asked.about(_known(errand, fields)):
            found = await self._looked_up(errand, self.connector.find_report, key)
            if found is None:
                await self._mine(errand)
            number = found or await self.connector.report_operation(key, fields)
        failpoint("bridge.after_report")
        return {"erp_number": number, "adopted": found is not None}

    async def _post(self, errand: Errand) -> Receipt:
        """A kind that this ERP has no document for is said to be skipped, not refused: nobody can mend it."""
        kind = PostingKind(errand.intent.payload["kind"])
        if mapping.POSTINGS[kind] not in self.connector.capabilities:
            return {"skipped": f"this ERP takes no {kind.value}"}
        key = str(errand.intent.payload["posting"])

        async def find(key: str) -> str | None:
            return await self.connector.find_posting(kind, key)

        fields = mapping.posting(errand.intent.payload)
        with asked.about(_known(errand, fields)):
            found = await self._looked_up(errand, find, key)
            if found is None:
                await self._mine(errand)
            number = found or await self.connector.post(kind, key, fields)
        failpoint("bridge.after_post")
        return {"erp_number": number, "adopted": found is not None}

    # ------------------------------------------------------------------ orders
    async def _change_order(self, errand: Errand) -> Receipt:
        """Setting what is set already is success: a repeat needs no look first."""
        number = str(errand.intent.payload["order"])
        if mapping.Capability.CHANGE_ORDERS not in self.connector.capabilities:
            raise ErpRefused(f"this ERP lets nobody change order {number} from outside: change it there")
        await self._mine(errand)
        await self.connector.change_order(number, mapping.order_change(errand.intent.payload))
        failpoint("bridge.after_change")
        return {"erp_number": number}

    async def _news(self, errand: Errand) -> Receipt:
        subject = ErpSubject(errand.intent.payload["subject"])
        return {"changed": await self.look(subject)}


def _known(errand: Errand, fields: Mapping[str, Any]) -> Asked:
    return Asked(fields["order"], fields["at"], first=errand.attempts <= 1 and not errand.in_doubt)


@contextmanager
def _once_more(errand: Errand) -> Iterator[None]:
    """An ERP that does not show what was made a moment ago refuses to change it: asked some seconds later, it
    does. What is refused for good is refused then too."""
    try:
        yield
    except ErpRefused as refusal:
        if errand.attempts < PATIENT_TRIES:
            raise Transient(str(refusal)) from None
        raise
