"""What the office decides: production orders, sales orders, items, machines. Only read here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from erp_bridge.as_read import RECORD, Row, each
from erp_bridge.kingdee_answers import quoted
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_kinds import Kind
from erp_bridge.kingdee_orders import bill_and_line, joined, order_number, sales_order, words
from erp_bridge.kingdee_reading import Reader
from hub.model.erp import ErpEquipment, Item, OperationClaim, SalesOrder, StockClaim
from hub.model.production import WorkOrder, WorkOrderState

_RELEASED = WorkOrderState.RELEASED


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
        plans = await self.plans_read.any_of("FMONumber", {str(r["bill"]) for r in lines if r.get("bill")})
        return joined(self._config.order, lines, plans, await self._wishes(lines))

    async def _lines(self, since: datetime | None) -> list[Row]:
        if since is None:
            return _released(await self.orders_read.rows(self._on_the_floor()))
        then = self._earlier(since)
        found: list[Row] = [*await self.orders_read.changed(then)]
        bills = {str(r["order"]) for r in await self.plans_read.changed(then) if r.get("order")}
        found += _released(await self.orders_read.any_of("FBillNo", bills))
        if self._with_sales:
            numbers = {str(r["number"]) for r in await self._sales_of_orders.changed(then) if r.get("number")}
            found += _released(await self.orders_read.any_of("FSaleOrderNo", numbers))
        return list({str(r.get("erp_entry_id") or r[RECORD]): r for r in found}.values())

    def _on_the_floor(self) -> str:
        """Only to spare the server work: what an order's state is, its map says."""
        states = ",".join(quoted(s) for s, ours in self._states.items() if ours == _RELEASED)
        return "FDocumentStatus='C'" + (f" and FStatus in ({states})" if states else "")

    async def _wishes(self, lines: Iterable[Row]) -> list[Row]:
        numbers = {str(r.get("sales_order") or "") for r in lines} - {""}
        return [*await self._sales_of_orders.any_of("FBillNo", numbers)] if self._with_sales else []

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
        needed = ("number", "product", "due_at")
        return each("sales_order", found, needed, partial(sales_order, self._config.order))

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> list[OperationClaim]:
        bills = {bill_and_line(n)[0] for n in numbers}
        lines = await self.orders_read.any_of("FBillNo", bills)
        line_numbers = dict(each("order", lines, ("bill", "erp_entry_id"), _line_and_number))
        plans = await self.plans_read.any_of("FMONumber", bills)
        mine = [{**r, "order": line_numbers.get(str(r.get("order_line")), "")} for r in plans]
        return _summed(each("plan", [r for r in mine if r["order"] in numbers], ("operation",), _claim))

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        rows = await self._stock.any_of("FMaterialId.FNumber", set(items))
        return each("stock", rows, ("item", "quantity"), _in_stock)

    # ------------------------------------------------------------------ master data
    async def items(self, since: datetime | None) -> list[Item]:
        """Approved ones; a number that several organisations use is told once."""
        found = await (self._items.rows("") if since is None else self._items.changed(self._earlier(since)))
        items: dict[str, Item] = {}
        for item in each("item", [r for r in found if r.get("active", True)], ("number",), _item):
            items.setdefault(item.number, item)
        return list(items.values())

    async def equipment(self) -> list[ErpEquipment]:
        return each("equipment", await self._equipment.rows(""), ("number",), _machine)


def _line_and_number(row: Row) -> tuple[str, str]:
    return str(row["erp_entry_id"]), order_number(str(row["bill"]), int(row.get("seq") or 1))


def _claim(row: Row) -> OperationClaim:
    quantity, good, scrap = (float(row.get(n) or 0) for n in ("quantity", "good", "scrap"))
    return OperationClaim(str(row["order"]), str(row["operation"]), quantity, good, scrap)


def _summed(claims: Iterable[OperationClaim]) -> list[OperationClaim]:
    """An operation may be planned in several parts."""
    found: dict[tuple[str, str], OperationClaim] = {}
    for one in claims:
        at = one.order, one.operation
        before = found.get(at, OperationClaim(*at, 0.0, 0.0, 0.0))
        found[at] = OperationClaim(
            *at, before.quantity + one.quantity, before.good + one.good, before.scrap + one.scrap
        )
    return list(found.values())


def _in_stock(row: Row) -> StockClaim:
    lot, warehouse = str(row.get("lot") or ""), str(row.get("warehouse") or "")
    return StockClaim(str(row["item"]), float(row["quantity"]), lot, warehouse)


def _machine(row: Row) -> ErpEquipment:
    number = str(row["number"])
    name = words(row.get("name"), row.get("name_en"))
    there = str(row.get("erp_id") or number)
    return ErpEquipment(number, name, str(row.get("place") or ""), bool(row.get("active", True)), there)


def _released(rows: Iterable[Row]) -> list[Row]:
    """With those whose state is none of ours: they are told as what they are not."""
    elsewhere = {*WorkOrderState} - {_RELEASED}
    return [r for r in rows if r.get("state") not in elsewhere]


def _item(row: Row) -> Item:
    return Item(
        str(row["number"]),
        words(row.get("name"), row.get("name_en")),
        str(row.get("unit") or ""),
        str(row.get("family") or ""),
        str(row.get("erp_id") or ""),
    )
