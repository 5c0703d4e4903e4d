"""Reports, hours and scrap: time logs of the operation's job card, each with our number.

A card is read, a row is added, the whole is written with the `modified` that was read: two of us cannot add
the same row, and a row whose answer was lost is found. A card whose pieces are all there is submitted; then
the Work Order counts them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from erp_bridge import left_out
from erp_bridge.erpnext_answers import ErpNextRefusal
from erp_bridge.erpnext_client import Row
from erp_bridge.erpnext_orders import Operation, operations
from erp_bridge.erpnext_records import (
    AT_ONCE,
    CANCELLED,
    DRAFT,
    SUBMITTED,
    Filter,
    Records,
    amount,
    dropped,
    rows_of,
)
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import OperationClaim
from hub.ports import Clock

log = logging.getLogger(__name__)

CARD, LOG, ORDER = "Job Card", "Job Card Time Log", "Work Order"
_REMEMBERED = 1000


class Cards:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._config = records.config
        self._clock = clock
        self._written: dict[str, str] = {}  # our number -> card, of late

    # ------------------------------------------------------------------ looked up
    async def find(self, key: str) -> str | None:
        """Rows are searched through their cards; a site that cannot is looked through card by card."""
        field = self._config.row_key_field
        names = [self._written[key]] if key in self._written else await self._carrying(key)
        silent = ""
        for name in names:
            card = await self._records.client.one(CARD, name)
            if card is None or int(card.get("docstatus") or 0) == CANCELLED:
                continue
            if _with(card, field, key):
                return _number(card, field, key)
            silent = silent or (name if _silent(card, field) else "")
        if silent:
            raise unsaid("ERPNext", f"{CARD} {silent}", f"{LOG}.{field}", key, "row_key_field")
        return None

    async def _carrying(self, key: str) -> list[str]:
        found = await self._searched(key)
        if found is not None:
            return found
        alive: Filter = ["docstatus", "!=", CANCELLED]
        since = self._records.local(self._clock.now() - self._config.look_back)
        rows = await self._records.listed(CARD, [["modified", ">=", since], alive], ["modified"])
        cards = await self._records.whole(CARD, rows)
        return [str(c["name"]) for c in cards if _with(c, self._config.row_key_field, key)]

    async def _searched(self, key: str) -> list[str] | None:
        """None where ERPNext does not search rows."""
        where: list[Filter] = [
            [LOG, self._config.row_key_field, "=", key],
            ["docstatus", "!=", CANCELLED],
        ]
        try:
            return [str(r["name"]) for r in await self._records.listed(CARD, where, [])]
        except ErpRefused as refusal:
            log.debug("ERPNext does not search rows: %s", refusal)
            return None

    # ------------------------------------------------------------------ booked once
    async def report(self, key: str, fields: Mapping[str, Any]) -> str:
        pieces = float(fields.get("good") or 0) + float(fields.get("scrap") or 0)
        return await self._book("report", key, fields, pieces)

    async def scrap(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._book("scrap", key, fields, float(fields.get("quantity") or 0))

    async def hours(self, key: str, fields: Mapping[str, Any]) -> str:
        at, spent = fields.get("at"), float(fields.get("labour_seconds") or 0)
        began = at and at - timedelta(seconds=spent)
        return await self._book("hours", key, {**fields, "began_at": began}, 0.0)

    async def _book(self, document: str, key: str, fields: Mapping[str, Any], pieces: float) -> str:
        number = str(fields.get("order") or "")
        order = await self.order(number, fields)
        cards = await self.cards([number])
        there = next((c for c in cards if _with(c, self._config.row_key_field, key)), None)
        if there is None:
            await self._not_hidden(key, cards)
            operation = self._operation(order, str(fields.get("operation") or ""), cards)
            card = await self._open_card(order, operation, cards, pieces)
            there = await self._add(card, document, key, fields, pieces)
        await self._finish(there)
        return _number(there, self._config.row_key_field, key)

    async def _not_hidden(self, key: str, cards: Sequence[Row]) -> None:
        """Rows by hand carry no number, rows of ours may hide it: the search knows which they are."""
        field = self._config.row_key_field
        silent = {str(card["name"]) for card in cards if _silent(card, field)}
        if silent and (ours := silent.intersection(await self._searched(key) or [])):
            raise unsaid("ERPNext", f"{CARD} {min(ours)}", f"{LOG}.{field}", key, "row_key_field")

    async def order(self, number: str, fields: Mapping[str, Any]) -> Row:
        """One that was released a moment ago may still be a draft here."""
        order = await self._records.client.one(ORDER, number) if number else None
        if order is None:
            raise ErpRefused(f"ERPNext has no {ORDER} {number}")
        at = fields.get("at")
        if int(order.get("docstatus") or 0) == DRAFT:
            text = f"{ORDER} {number} is a draft in ERPNext: submit it there"
            if at and self._clock.now() - at < self._config.patience:
                raise ErpUnavailable(text)
            raise ErpRefused(text)
        if int(order["docstatus"]) == CANCELLED:
            raise ErpRefused(f"{ORDER} {number} is cancelled in ERPNext")
        return order

    async def cards(self, numbers: Sequence[str]) -> list[Row]:
        """Job cards of these orders that count, oldest first."""
        rows: list[Row] = []
        for at in range(0, len(numbers), AT_ONCE):
            where: list[Filter] = [
                ["work_order", "in", list(numbers[at : at + AT_ONCE])],
                ["docstatus", "!=", CANCELLED],
            ]
            rows += await self._records.listed(CARD, where, ["modified"])
        found = await self._records.whole(CARD, rows)
        return [c for c in found if c.get("work_order") in numbers]

    def _operation(self, order: Row, word: str, cards: Sequence[Row]) -> Operation:
        """As the map names it; else by its name, sequence or place, where only one is meant."""
        known = operations(self._records, order, cards)
        found = [o for o in known if o.number == word] or [o for o in known if not word or word in o.aliases]
        if len(found) == 1:
            return found[0]
        there = ", ".join(o.number for o in known) or "none"
        raise ErpRefused(f"{ORDER} {order['name']} has no operation {word!r} in ERPNext; there are: {there}")

    async def card_of(self, order: Row, word: str) -> str | None:
        """The job card that an inspection belongs to."""
        if not word:
            return None
        cards = await self.cards([str(order["name"])])
        operation = self._operation(order, word, cards)
        mine = [c for c in cards if operation.owns(c)]
        mine.sort(key=lambda c: int(c.get("docstatus") or 0))
        return str(mine[0]["name"]) if mine else None

    async def _open_card(self, order: Row, operation: Operation, cards: Sequence[Row], pieces: float) -> Row:
        mine = [c for c in cards if operation.owns(c)]
        drafts = [c for c in mine if int(c.get("docstatus") or 0) == DRAFT]
        free = [c for c in drafts if self._done(c) < amount(c, "for_quantity")] or drafts
        if free:
            return free[0]
        if mine and not pieces:
            return mine[-1]  # hours after the last piece
        planned = sum(amount(c, "for_quantity") for c in mine)
        left = max(amount(order, "qty") - planned, pieces)
        known = {"order": order, "row": operation.row, "quantity": left}
        return await self._records.client.create(CARD, await self._records.written("card", known))

    async def _add(self, card: Row, document: str, key: str, fields: Mapping[str, Any], pieces: float) -> Row:
        name = self._config.row_key_field
        employee = self._config.employees.get(str(fields.get("person") or ""))
        row = await self._records.written(document, {**fields, "employee": employee, "card": card})
        logs = [*rows_of(card, "time_logs"), row | {name: key}]
        values: Row = {"time_logs": logs}
        if self._config.report_as == "card" and pieces:
            values |= {"for_quantity": self._done(card) + pieces, "docstatus": SUBMITTED}
        written = await self._kept(card, values)
        await self._all_taken(card, written, logs[-1])
        while len(self._written) >= _REMEMBERED:
            self._written.pop(next(iter(self._written)))
        self._written[key] = str(card["name"])
        return written

    async def _all_taken(self, before: Row, after: Row, sent: Row) -> None:
        """A row that lost its number, or its scrap, is taken out again: nobody could find it, or trust it."""
        name = self._config.row_key_field
        mine: Row = next((r for r in rows_of(after, "time_logs") if r.get(name) == sent[name]), {})
        lost = dropped(sent, mine) if mine else [name]
        if not lost:
            return
        if int(after.get("docstatus") or 0) == DRAFT:
            await self._records.change(CARD, after, {"time_logs": before.get("time_logs") or []})
        raise ErpRefused(
            f"ERPNext has no field {', '.join(lost)} on {LOG}, so {sent[name]} is not booked on"
            f" {before['name']}: add it there as a custom field, or take it out of documents"
        )

    async def _kept(self, card: Row, values: Row) -> Row:
        """ERPNext lets no two cards of a machine or a person have the same minute. Pieces that were made are
        booked all the same, without their time."""
        try:
            return await self._records.change(CARD, card, values)
        except ErpNextRefusal as refusal:
            if refusal.kind != "OverlapError":
                raise
            log.info("%s: booked without its time: %s", card["name"], refusal)
        *logs, row = values["time_logs"]
        timeless = {n: v for n, v in row.items() if n not in ("from_time", "to_time")}
        return await self._records.change(CARD, card, values | {"time_logs": [*logs, timeless]})

    async def _finish(self, card: Row) -> None:
        """What hinders a card's end (an inspection, a transfer) is the office's business."""
        planned, done = amount(card, "for_quantity"), self._done(card)
        if int(card.get("docstatus") or 0) != DRAFT or not self._config.submit_cards or done < planned:
            return
        values = {"for_quantity": done} if done > planned else {}
        try:
            await self._records.submit(CARD, card, values)
        except ErpRefused as refusal:
            log.warning("job card %s has all its pieces and stays open: %s", card["name"], refusal)
        except ErpUnavailable as trouble:  # the row is there, and whoever asks again will find it
            raise ErpUnavailable(str(trouble), trouble.retry_after, in_doubt=True) from None

    def _done(self, card: Row) -> float:
        ours = self._records.read("card", {**card, "docstatus": DRAFT})
        return amount(ours, "good") + amount(ours, "scrap")

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> list[OperationClaim]:
        wanted = list(dict.fromkeys(filter(None, numbers)))
        orders: list[Row] = []
        for at in range(0, len(wanted), AT_ONCE):
            where: list[Filter] = [["name", "in", wanted[at : at + AT_ONCE]], ["docstatus", "=", SUBMITTED]]
            orders += await self._records.whole(ORDER, await self._records.listed(ORDER, where, ["modified"]))
        orders = [o for o in orders if o["name"] in wanted]
        cards = await self.cards([str(o["name"]) for o in orders])
        return [c for order in orders for c in self._claims(order, cards)]

    def _claims(self, order: Row, cards: Sequence[Row]) -> list[OperationClaim]:
        """Of a whole order or not at all: a sum that lacks a card is wrong."""
        mine = [c for c in cards if c.get("work_order") == order["name"]]
        try:
            found = operations(self._records, order, cards)
            return [self._claim(order, operation, mine) for operation in found]
        except ErpRefused as refusal:
            left_out.note("card", order["name"], refusal)
            return []

    def _claim(self, order: Row, operation: Operation, cards: Sequence[Row]) -> OperationClaim:
        read = [self._records.read("card", c) for c in cards if operation.owns(c)]
        if not read:  # booked without cards
            read = [
                {"good": operation.row.get("completed_qty"), "scrap": operation.row.get("process_loss_qty")}
            ]
        good, scrap = (sum(amount(r, name) for r in read) for name in ("good", "scrap"))
        return OperationClaim(str(order["name"]), operation.number, operation.quantity, good, scrap)


def _with(card: Row, field: str, key: str) -> bool:
    return any(row.get(field) == key for row in rows_of(card, "time_logs"))


def _silent(card: Row, field: str) -> bool:
    return any(not row.get(field) for row in rows_of(card, "time_logs"))


def _number(card: Row, field: str, key: str) -> str:
    for at, row in enumerate(rows_of(card, "time_logs"), 1):
        if row.get(field) == key:
            return f"{card['name']}/{row.get('name') or at}"
    return str(card["name"])
