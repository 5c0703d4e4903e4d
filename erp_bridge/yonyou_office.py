"""What else the office knows: sales orders, items, machines, stock; a rush order's date and priority."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.as_read import Row, each, moment
from erp_bridge.fieldmap import plain
from erp_bridge.yonyou_answers import rows_in, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import kind_of, known, service_of
from erp_bridge.yonyou_lists import ListReader, Wanted
from erp_bridge.yonyou_orders import Card, Orders, name_of
from erp_bridge.yonyou_writing import Writer
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import ErpEquipment, Item, SalesOrder, StockClaim
from hub.model.words import Words

log = logging.getLogger(__name__)


class Office:
    def __init__(self, config: YonyouConfig, client: U9Client, orders: Orders) -> None:
        self._config = config
        self._client = client
        self._orders = orders
        self._item = kind_of(config, "item")
        names = ("sales_order", "item_list", "equipment", "stock")
        self.lists = {name: ListReader(config, client, kind_of(config, name)) for name in names}
        self._change, self._sales_change = kind_of(config, "order_change"), kind_of(config, "sales_change")
        self._changing, self._selling = service_of(config, "order_change"), service_of(config, "sales_change")
        self._writer = Writer(config, client)

    # ------------------------------------------------------------------ sales orders
    async def sales_orders(self, since: datetime | None) -> list[SalesOrder]:
        """Approved and open ones; with `since` those that changed, closed or not. What the list lacks of
        customer and date is taken from the production orders that are made for them."""
        rows = _once(await self.lists["sales_order"].rows(Wanted({}, since)))
        if since is None:
            rows = [r for r in rows if r.get("state", "open") == "open" and r.get("line_state") != "closed"]
        rows = [r for r in rows if r.get("state") != "draft"]
        wishes = (
            await self._wishes() if any(not (r.get("due_at") and r.get("customer")) for r in rows) else {}
        )
        full = [{**wishes.get((text(r.get("number")), text(r.get("line"))), {}), **r} for r in rows]
        return each("sales_order", full, ("number", "product", "due_at"), _sales_order)

    async def _wishes(self) -> dict[tuple[str, str], Row]:
        found: dict[tuple[str, str], Row] = {}
        for card in await self._orders.cards(None):
            for source in card.sources:
                wish = {n: source[n] for n in ("customer", "due_at") if source.get(n)}
                found[text(source.get("sales_order")), text(source.get("line"))] = wish
        return found

    # ------------------------------------------------------------------ master data
    async def items(self, since: datetime | None) -> list[Item]:
        rows = await self.lists["item_list"].rows(Wanted({}, since))
        codes = sorted({text(r.get("number")) for r in rows} - {""})
        most = self._config.rows_at_once
        parts = [codes[at : at + most] for at in range(0, len(codes), most)]
        answers = await asyncio.gather(*(self._items(part) for part in parts))
        items: dict[str, Item] = {}
        for item in each("item", [r for rows in answers for r in rows], ("number",), _item):
            items.setdefault(item.number, item)
        return list(items.values())

    async def _items(self, codes: Sequence[str]) -> Sequence[Row]:
        asked, path = [{"ItemMaster": {"Code": code}} for code in codes], self._item.block.form
        told = rows_in(await self._client.read(path, asked), path)
        rows = [row for record in told if (row := self._item.read(record)) is not None]
        wanted = {code.casefold() for code in codes}
        if strange := [n for r in rows if (n := text(r.get("number"))) and n.casefold() not in wanted]:
            raise ErpUnavailable(f"U9 was asked at {path} for {codes[0]} and shows {strange[0]}")
        return rows

    async def equipment(self) -> list[ErpEquipment]:
        found: dict[str, ErpEquipment] = {}
        for machine in each("equipment", await self.lists["equipment"].rows(), ("number",), _machine):
            found.setdefault(machine.number, machine)
        return list(found.values())

    async def stock(self, items: Iterable[str]) -> list[StockClaim]:
        wanted = {i for i in items if i}
        rows = await self.lists["stock"].rows(Wanted({"item": wanted})) if wanted else []
        sums: dict[tuple[str, str, str], float] = defaultdict(float)
        for place, quantity in each("stock", rows, ("item", "quantity"), _in_stock):
            sums[place] += quantity
        return [StockClaim(item, quantity, lot, where) for (item, lot, where), quantity in sums.items()]

    # ------------------------------------------------------------------ rush orders
    @property
    def can_change_orders(self) -> bool:
        """No public interface changes an order: one of the site's own does, or a mark on the sales order."""
        return bool(self._changing.path("modify") or self._sales_change.own)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        card = await self._orders.one(number)
        if card is None:
            raise ErpRefused(f"U9 has no production order {number}")
        wished = {n: fields[n] for n in ("priority", "rush", "due_at") if fields.get(n) is not None}
        told = [await self._on_order(card, wished, fields), await self._on_sales(card, wished, fields)]
        if wished and not any(told):
            raise ErpRefused(
                f"U9 has no way to change {' and '.join(wished)} of {number}: name the site's interface in"
                " services.order_change.modify, or a segment of the sales order in"
                " documents.sales_change.write"
            )

    async def _on_order(self, card: Card, wished: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        if not self._changing.path("modify"):
            return False
        differing = {n: v for n, v in wished.items() if _differs(card.ours.get(n), v)}
        more = {"number": card.number, "mo": card.ours.get("erp_id"), "reason": fields.get("reason")}
        if {n for n in differing if n != "rush"}:
            row = self._change.map.written(known(self._config, differing, **more))
            await self._writer.changed(self._changing, "modify", row, card.number)
        return True

    async def _on_sales(self, card: Card, wished: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        """Setting a segment twice sets it."""
        sales_order = text((card.sources or ({},))[0].get("sales_order"))
        if not (self._sales_change.own and sales_order and self._selling.path("modify")):
            return False
        more = {"sales_order": sales_order, "number": card.number, "reason": fields.get("reason")}
        row = self._sales_change.map.written(known(self._config, wished, **more))
        await self._writer.changed(self._selling, "modify", row, sales_order)
        return True


def _differs(there: Any, wanted: Any) -> bool:
    """The ERP knows whole seconds."""
    said = plain(wanted)
    return str(there)[:19] != said[:19] if isinstance(said, str) else there != said


def _once(rows: Iterable[Row]) -> list[Row]:
    """A line that is delivered in several parts is due with the first."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        at = text(row.get("number")), text(row.get("line"))
        if at not in found or (row.get("due_at") or "9") < (found[at].get("due_at") or "9"):
            found[at] = row
    return list(found.values())


def _sales_order(row: Row) -> SalesOrder:
    return SalesOrder(
        number=text(row["number"]),
        line=text(row.get("line")),
        customer=name_of(row.get("customer")),
        product=text(row["product"]),
        quantity=float(row.get("quantity") or 0),
        due_at=moment(row["due_at"]),
        priority=int(row.get("priority") or 0) or 5,
        rush=bool(row.get("rush")),
        open=row.get("state", "open") == "open" and row.get("line_state") != "closed",
        seller=text(row.get("seller")),
        erp_id=text(row.get("erp_id")),
    )


def _machine(row: Row) -> ErpEquipment:
    number = text(row["number"])
    name = Words(text(row.get("name")) or number, "")
    return ErpEquipment(number, name, text(row.get("place")), bool(row.get("active", True)), number)


def _in_stock(row: Row) -> tuple[tuple[str, str, str], float]:
    return (text(row["item"]), text(row.get("lot")), text(row.get("warehouse"))), float(row["quantity"])


def _item(row: Row) -> Item:
    return Item(
        text(row["number"]), Words(text(row.get("name")), ""), name_of(row.get("unit")),
        text(row.get("family")), text(row.get("erp_id")),
    )  # fmt: skip
