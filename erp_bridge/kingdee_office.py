"""What the office decides: production orders, sales orders, items, machines. Only read here."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.kingdee_client import KingdeeClient, quoted
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_kinds import Kind
from erp_bridge.kingdee_orders import bill_and_line, joined, order_number, sales_order, words
from erp_bridge.kingdee_reading import Reader
from hub.model.erp import ErpEquipment, Item, OperationClaim, SalesOrder, StockClaim
from hub.model.production import WorkOrder

log = logging.getLogger(__name__)

Row = dict[str, Any]
_RELEASED = "released"


class Office:
    def __init__(self, config: KingdeeConfig, client: KingdeeClient, kinds: dict[str, Kind]) -> None:
        self._config = config
        self.orders_read = Reader(client, kinds["order"], config.filters.get("order", ""))
        self.plans_read = Reader(client, kinds["plan"])
        self.sales_read = Reader(client, kinds["sales_order"], config.filters.get("sales_order", ""))
        self._sales_of_orders = Reader(client, kinds["sales_order"])
        self._items = Reader(client, kinds["item"], config.filters.get("item", ""))
        self._equipment = Reader(client, kinds["equipment"], config.filters.get("equipment", ""))
        self._stock = Reader(client, kinds["stock"], config.filters.get("stock", ""))
        self._with_sales = "sales-orders" not in config.without
        self._states = kinds["order"].block.tables.get("order_states", {})

    # ------------------------------------------------------------------ production orders
    async def orders(self, since: datetime | None) -> list[WorkOrder]:
        """Those on the shop floor; with `since` those that changed, or whose plan or sales order did, with
        those that are on the shop floor no more."""
        lines = await self._lines(since)
        undated = sorted({str(r["bill"]) for r in lines if not r.get("due_at")})
        if undated:
            log.warning("left out, because they have no planned finish: %s", ", ".join(undated))
        lines = [r for r in lines if r.get("due_at")]
        plans = await self.plans_read.any_of("FMONumber", {str(r["bill"]) for r in lines})
        return joined(self._config.order, lines, plans, await self._wishes(lines))

    async def _lines(self, since: datetime | None) -> list[Row]:
        if since is None:
            found = await self.orders_read.rows(self._on_the_floor())
            return [r for r in found if r["state"] == _RELEASED]
        then = self._earlier(since)
        found = await self.orders_read.changed(then)
        bills = {str(r["order"]) for r in await self.plans_read.changed(then) if r.get("order")}
        found += _released(await self.orders_read.any_of("FBillNo", bills))
        if self._with_sales:
            numbers = {str(r["number"]) for r in await self._sales_of_orders.changed(then)}
            found += _released(await self.orders_read.any_of("FSaleOrderNo", numbers))
        return list({str(r["erp_entry_id"]): r for r in found}.values())

    def _on_the_floor(self) -> str:
        """Only to spare the server work: what an order's state is, its map says."""
        states = ",".join(quoted(s) for s, ours in self._states.items() if ours == _RELEASED)
        return "FDocumentStatus='C'" + (f" and FStatus in ({states})" if states else "")

    async def _wishes(self, lines: Iterable[Row]) -> list[Row]:
        numbers = {str(r.get("sales_order") or "") for r in lines} - {""}
        return await self._sales_of_orders.any_of("FBillNo", numbers) if self._with_sales else []

    def _earlier(self, since: datetime) -> str:
        """By an overlap: the clocks differ, and a document may be committed after its own time."""
        return f"{(since - self._config.overlap).astimezone(self._config.zone):%Y-%m-%d %H:%M:%S}"

    # ------------------------------------------------------------------ sales orders
    async def sales_orders(self, since: datetime | None) -> list[SalesOrder]:
        """Open ones; with `since` those that changed, closed or not."""
        if since is None:
            found = await self.sales_read.rows("FDocumentStatus='C'")
            found = [r for r in found if r.get("open", True)]
        else:
            found = await self.sales_read.changed(self._earlier(since))
        undated = sorted({str(r["number"]) for r in found if not r.get("due_at")})
        if undated:
            log.warning("left out, because they have no delivery date: %s", ", ".join(undated))
        return [sales_order(self._config.order, r) for r in found if r.get("due_at") and r.get("product")]

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> list[OperationClaim]:
        bills = {bill_and_line(n)[0] for n in numbers}
        lines = await self.orders_read.any_of("FBillNo", bills)
        number_of = {
            str(r["erp_entry_id"]): order_number(str(r["bill"]), int(r.get("seq") or 1)) for r in lines
        }
        plans = await self.plans_read.any_of("FMONumber", bills)
        claims = [
            OperationClaim(
                number_of.get(str(r.get("order_line")), ""),
                str(r["operation"]),
                float(r.get("quantity") or 0),
                float(r.get("good") or 0),
                float(r.get("scrap") or 0),
            )
            for r in plans
        ]
        return [c for c in claims if c.order in numbers]

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        return [
            StockClaim(
                str(r["item"]),
                float(r.get("quantity") or 0),
                str(r.get("lot") or ""),
                str(r.get("warehouse") or ""),
            )
            for r in await self._stock.any_of("FMaterialId.FNumber", set(items))
        ]

    # ------------------------------------------------------------------ master data
    async def items(self, since: datetime | None) -> list[Item]:
        """Approved ones; a number that several organisations use is told once."""
        found = await (self._items.rows("") if since is None else self._items.changed(self._earlier(since)))
        items: dict[str, Item] = {}
        for row in found:
            if row.get("number") and row.get("active", True):
                items.setdefault(str(row["number"]), _item(row))
        return list(items.values())

    async def equipment(self) -> list[ErpEquipment]:
        found = await self._equipment.rows("")
        return [
            ErpEquipment(
                str(r["number"]),
                words(r.get("name"), r.get("name_en")),
                str(r.get("place") or ""),
                bool(r.get("active", True)),
                str(r.get("erp_id") or r["number"]),
            )
            for r in found
            if r.get("number")
        ]


def _released(rows: list[Row]) -> list[Row]:
    return [r for r in rows if r["state"] == _RELEASED]


def _item(row: Row) -> Item:
    return Item(
        str(row["number"]),
        words(row.get("name"), row.get("name_en")),
        str(row.get("unit") or ""),
        str(row.get("family") or ""),
        str(row.get("erp_id") or ""),
    )
