"""Changes to a production order: its date on the order, its priority on the sales order it is made for.

Dates of an approved order cannot be saved on most tenants; then a change bill 生产订单变更单 carries them.
What stands in the order is looked at first, so that doing it again does nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from erp_bridge import left_out
from erp_bridge.fieldmap import plain
from erp_bridge.kingdee_answers import FORBIDDEN, KingdeeRefusal, NoSuchForm
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_documents import APPROVED, Documents
from erp_bridge.kingdee_kinds import Kind, without
from erp_bridge.kingdee_orders import bill_and_line
from erp_bridge.kingdee_reading import Reader
from hub.errors import ErpRefused
from hub.ports import Clock

log = logging.getLogger(__name__)

Row = Mapping[str, Any]


class Changes:
    def __init__(
        self, client: KingdeeClient, clock: Clock, kinds: dict[str, Kind], orders: Reader, sales: Reader
    ) -> None:
        self._client = client
        self._clock = clock
        self._documents = Documents(client)
        self._order, self._sale, self._change = kinds["order"], kinds["sales_order"], kinds["order_change"]
        self._orders, self._sales = orders, sales

    async def change(self, number: str, fields: Mapping[str, Any]) -> None:
        """Raises ErpRefused with the server's words, or naming what this tenant has no field for."""
        row = await self._line(number)
        wished = {n: fields[n] for n in ("priority", "rush", "due_at") if fields.get(n) is not None}
        urgency = {n: v for n, v in wished.items() if n != "due_at"}
        told = await self._tell_sales(row, urgency) if urgency else False
        on_order = self._order.map.written({**wished, **row_ids(row)})
        differing = {n: v for n, v in wished.items() if plain(v) != _same(row.get(n), plain(v))}
        if on_order and differing and self._order.map.written({**differing, **row_ids(row)}):
            await self._on_order(number, row, differing, str(fields.get("reason") or ""))
        elif not on_order and not told:
            missing = " and ".join(wished)
            raise ErpRefused(
                f"Kingdee has no field for {missing} of {number}: it has no sales order;"
                " add a field to documents.order.write"
            )

    async def _line(self, number: str) -> Row:
        bill, seq = bill_and_line(number)
        with left_out.gathered() as lost:
            rows = await self._orders.any_of("FBillNo", [bill])
        found = next((r for r in rows if r.get("bill") == bill and int(r.get("seq") or 1) == seq), None)
        if found is None and lost:
            raise ErpRefused(f"production order {number} cannot be read: {lost[0]}")
        if found is None:
            raise ErpRefused(f"Kingdee has no production order {number}")
        if missing := [n for n in ("erp_id", "erp_entry_id", "product") if not found.get(n)]:
            raise ErpRefused(f"documents.order.read.{missing[0]} gives nothing of production order {number}")
        return found

    # ------------------------------------------------------------------ on the sales order
    async def _tell_sales(self, row: Row, urgency: Mapping[str, Any]) -> bool:
        """False when there is no sales order line to tell."""
        number = str(row.get("sales_order") or "")
        lines = await self._sales.any_of("FBillNo", [number] if number else [])
        mine = (r for r in lines if r.get("number") == number and r.get("product") == row["product"])
        line = next((r for r in mine if r.get("erp_id") and r.get("erp_entry_id")), None)
        if line is None:
            return False
        wanted = {n: v for n, v in urgency.items() if line.get(n) != v}
        fields = without(self._sale.map.written(wanted), self._sales.lacking) if wanted else {}
        entry = next((name for name, value in fields.items() if isinstance(value, list)), "")
        if fields:
            lines_of = {entry: str(line["erp_entry_id"])} if entry else {}
            await self._documents.change(self._sale, str(line["erp_id"]), fields, lines_of)
        return True

    # ------------------------------------------------------------------ on the production order
    async def _on_order(self, number: str, row: Row, wished: Mapping[str, Any], reason: str) -> None:
        try:
            await self._save(row, wished)
        except KingdeeRefusal as refusal:
            if refusal.code not in FORBIDDEN or "due_at" not in wished:
                raise
            log.info("%s cannot be changed itself (%s): by a change bill", number, refusal.said)
            await self._save(row, {n: v for n, v in wished.items() if n != "due_at"})
            try:
                await self._by_bill(number, row, wished, reason)
            except NoSuchForm:
                raise refusal from None  # a tenant without change bills: its first words tell more

    async def _save(self, row: Row, wished: Mapping[str, Any]) -> None:
        fields = self._order.map.written({**wished, **row_ids(row)}) if wished else {}
        entries = {
            name: str(row["erp_entry_id"]) for name, value in fields.items() if isinstance(value, list)
        }
        if fields:
            await self._documents.change(self._order, str(row["erp_id"]), fields, entries)

    async def _by_bill(self, number: str, row: Row, wished: Mapping[str, Any], reason: str) -> None:
        """One that an earlier try has left unfinished is finished; a finished one is another change."""
        key = f"{number}>{plain(wished['due_at'])}"
        found = await self._unfinished(key)
        if found is None:
            shared = {"key": key, "reason": reason, "now": self._clock.now()}
            before = self._change.map.written({**row, **shared, "changed": False})
            after = self._change.map.written({**row, **_moved(row, wished), **shared, "changed": True})
            model = {
                name: [*before[name], *value] if isinstance(value, list) and name in before else value
                for name, value in after.items()
            }
            found = await self._documents.create(self._change, model)
        await self._documents.advance(self._change.form, found, APPROVED)

    async def _unfinished(self, key: str) -> Any:
        found = await self._documents.carrying(self._change, [key])
        return next((d for d, _ in found if not d.is_final), None)


def _moved(row: Row, wished: Mapping[str, Any]) -> dict[str, Any]:
    """An order cannot begin after its end."""
    due, starts = plain(wished["due_at"]), row.get("starts_at")
    return {**wished, "due_at": due, "starts_at": min(starts, due) if starts else None}


def row_ids(row: Row) -> dict[str, Any]:
    return {n: row[n] for n in ("erp_id", "erp_entry_id", "bill", "seq") if n in row}


def _same(there: Any, wanted: Any) -> Any:
    """As it would be written: the ERP knows whole seconds."""
    return wanted if isinstance(wanted, str) and str(there)[:19] == wanted[:19] else there
