"""Stock entries and inspections: made as drafts that carry our number, then submitted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge import as_read
from erp_bridge.erpnext_answers import ErpNextRefusal, ErpNextTrouble
from erp_bridge.erpnext_cards import Cards
from erp_bridge.erpnext_client import Row
from erp_bridge.erpnext_records import AT_ONCE, SUBMITTED, Filter, Records, rows_of
from hub.model.erp import PostingKind, StockClaim

log = logging.getLogger(__name__)

_MAKE = "erpnext.manufacturing.doctype.work_order.work_order.make_stock_entry"
_SYSTEM = frozenset({"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx"})
_NOT_HERE = frozenset({"", "DoesNotExistError", "AttributeError"})


class Stock:
    def __init__(self, records: Records, cards: Cards) -> None:
        self._records = records
        self._cards = cards

    # ------------------------------------------------------------------ once
    async def find(self, kind: PostingKind, key: str) -> str | None:
        """Only what is submitted counts."""
        rows = await self._records.keyed(self._form(kind), key)
        return next((str(r["name"]) for r in rows if int(r.get("docstatus") or 0) == SUBMITTED), None)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        doctype = self._form(kind)
        made = await self._records.keyed(doctype, key, ("modified",))
        values = {} if made else await self._values(kind, fields)
        return str((await self._records.finished(doctype, key, values))["name"])

    def _form(self, kind: PostingKind) -> str:
        return self._records.form("quality" if kind is PostingKind.QUALITY else kind.value)

    async def _values(self, kind: PostingKind, fields: Mapping[str, Any]) -> Row:
        if kind is PostingKind.QUALITY:
            return await self._inspection(fields)
        order = await self._cards.order(str(fields.get("order") or ""), fields)
        known = {**fields, "work_order": order}
        await self._batch(known)
        return await (self._receipt(known) if kind is PostingKind.RECEIPT else self._issue(known))

    async def _batch(self, known: Mapping[str, Any]) -> None:
        if known.get("lot"):
            values = await self._records.written("batch", known)
            await self._records.ensure(self._records.form("batch"), str(known["lot"]), values)

    # ------------------------------------------------------------------ finished goods
    async def _receipt(self, known: Mapping[str, Any]) -> Row:
        """ERPNext works out what is consumed; we say how many, where to, and of which lot."""
        entry = await self._worked_out(known)
        ours = await self._records.written("receipt", known)
        line = await self._records.written("receipt_line", known)
        rows = [_bare(row) for row in rows_of(entry, "items")]
        entry.pop("items", None)
        mine = next((row for row in rows if _is_finished(row, known)), None)
        if mine is None:
            mine = {}
            rows.append(mine)
        mine |= line
        return entry | ours | {"items": rows}

    async def _worked_out(self, known: Mapping[str, Any]) -> Row:
        arguments = {
            "work_order_id": known["work_order"]["name"], "purpose": "Manufacture", "qty": known["quantity"],
        }  # fmt: skip
        try:
            entry = await self._records.client.call(_MAKE, arguments)
        except ErpNextRefusal as refusal:
            if refusal.kind not in _NOT_HERE and "Failed to get method" not in refusal.said:
                raise
            log.warning("ERPNext does not work out the stock entry, so nothing is consumed: %s", refusal)
            return {}
        except ErpNextTrouble as trouble:
            if trouble.status != 404:
                raise
            log.warning("ERPNext does not work out the stock entry, so nothing is consumed: %s", trouble)
            return {}
        return _bare(entry) if isinstance(entry, dict) else {}

    # ------------------------------------------------------------------ material
    async def _issue(self, known: Mapping[str, Any]) -> Row:
        needed = rows_of(known["work_order"], "required_items")
        required = next((r for r in needed if r.get("item_code") == known.get("item")), None)
        line = await self._records.written("issue_line", {**known, "required": required})
        return await self._records.written("issue", known) | {"items": [line]}

    # ------------------------------------------------------------------ inspections
    async def _inspection(self, fields: Mapping[str, Any]) -> Row:
        card = None
        if fields.get("order"):
            order = await self._cards.order(str(fields["order"]), fields)
            card = await self._cards.card_of(order, str(fields.get("operation") or ""))
        user = self._records.config.users.get(str(fields.get("person") or ""))
        known = {**fields, "card": card, "user": user}
        if fields.get("check"):
            check = str(fields["check"])
            await self._records.ensure("Quality Inspection Parameter", check, {"parameter": check})
        reading = await self._records.written("reading", known)
        return await self._records.written("quality", known) | {"readings": [reading]}

    # ------------------------------------------------------------------ what the books say
    async def claims(self, items: Sequence[str]) -> list[StockClaim]:
        wanted, out = list(dict.fromkeys(filter(None, items))), list[StockClaim]()
        for at in range(0, len(wanted), AT_ONCE):
            where: list[Filter] = [
                *self._records.filters("stock"), ["item_code", "in", wanted[at : at + AT_ONCE]]
            ]  # fmt: skip
            found = await self._records.mapped("stock", where)
            out += as_read.each("stock", (ours for _, ours in found), ("item",), _claim)
        ours = await self._warehouses() if out else None
        return [
            claim
            for claim in out
            if claim.item in wanted and claim.quantity and (ours is None or claim.warehouse in ours)
        ]

    async def _warehouses(self) -> frozenset[str] | None:
        """Those of our company; None where every company is ours, or this user may not know."""
        company = self._records.config.company
        if not company:
            return None
        try:
            rows = await self._records.listed("Warehouse", [["company", "=", company]], [])
        except ErpNextRefusal as refusal:
            log.info("stock of every company is told: %s", refusal)
            return None
        return frozenset(str(row["name"]) for row in rows) | {""}


def _claim(ours: as_read.Row) -> StockClaim:
    quantity = float(ours.get("quantity") or 0)
    return StockClaim(
        str(ours["item"]), quantity, str(ours.get("lot") or ""), str(ours.get("warehouse") or "")
    )


def _is_finished(row: Row, known: Mapping[str, Any]) -> bool:
    return bool(row.get("is_finished_item")) or (
        row.get("item_code") == known.get("item") and not row.get("s_warehouse")
    )


def _bare(row: Mapping[str, Any]) -> Row:
    """A document that is not saved yet, without what only a saved one has."""
    return {n: v for n, v in row.items() if n not in _SYSTEM and not n.startswith("__") and v is not None} | (
        {} if "items" not in row else {"items": row["items"]}
    )
