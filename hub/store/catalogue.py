"""What the ERP keeps beside orders and tickets: sales orders, items, machines, stock by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from hub.model.erp import ErpEquipment, Item, SalesOrder
from hub.model.exchange import Exchange
from hub.model.words import Words
from hub.store import erp_book
from hub.store.ledger import MARK, SET_MARK
from hub.store.pool import Connection, Pool, borrowed
from hub.store.statements import insert, upsert

SALE = tuple(f.name for f in fields(SalesOrder))
ITEM = ("number", "name_zh", "name_en", "unit", "family", "erp_id")
EQUIPMENT = ("number", "name_zh", "name_en", "place", "active", "erp_id")


@dataclass(frozen=True, slots=True)
class PgCatalogue:
    """Erp_bridge.catalogue.Shelf, and what the API reads of it."""

    pool: Pool

    # ------------------------------------------------------------------ reading
    async def sales_orders(self, numbers: Sequence[str]) -> list[SalesOrder]:
        """Lines of these sales orders, open or not."""
        async with borrowed(self.pool) as connection:
            return await _sales(connection, SALES_OF, [list(numbers)])

    async def open_sales_orders(self) -> list[SalesOrder]:
        async with borrowed(self.pool) as connection:
            return await _sales(connection, SALES_OPEN, [])

    async def items(self, numbers: Sequence[str] | None = None) -> list[Item]:
        """All of them, or those of these that are on record."""
        async with borrowed(self.pool) as connection:
            rows = await (await connection.execute(ITEMS, {"numbers": _listed(numbers)})).fetchall()
        return [Item(r["number"], _name(r), r["unit"], r["family"], r["erp_id"]) for r in rows]

    async def equipment(self) -> list[ErpEquipment]:
        async with borrowed(self.pool) as connection:
            rows = await (await connection.execute(ASSETS)).fetchall()
        return [ErpEquipment(r["number"], _name(r), r["place"], r["active"], r["erp_id"]) for r in rows]

    async def moving_items(self, since: datetime, limit: int = 500) -> list[str]:
        """Items that were posted since then, those that moved most often first."""
        async with borrowed(self.pool) as connection:
            rows = await (await connection.execute(MOVING, [since, limit])).fetchall()
        return [row["item"] for row in rows]

    async def mark(self, name: str) -> str:
        async with borrowed(self.pool) as connection:
            row = await (await connection.execute(MARK, [name])).fetchone()
        return row["value"] if row else ""

    # ------------------------------------------------------------------ writing
    async def take_sales_orders(
        self, changed: Sequence[SalesOrder], told: Sequence[Exchange], marks: Mapping[str, str]
    ) -> None:
        async with borrowed(self.pool) as connection, connection.transaction():
            for one in changed:
                await connection.execute(SAVE_SALE, {name: getattr(one, name) for name in SALE})
            await _told(connection, told, marks)

    async def take_items(
        self, changed: Sequence[Item], told: Sequence[Exchange], marks: Mapping[str, str]
    ) -> None:
        async with borrowed(self.pool) as connection, connection.transaction():
            for one in changed:
                row = {"number": one.number, "unit": one.unit, "family": one.family, "erp_id": one.erp_id}
                await connection.execute(SAVE_ITEM, row | _names(one.name))
            await _told(connection, told, marks)

    async def take_equipment(
        self, present: Sequence[ErpEquipment], told: Sequence[Exchange], marks: Mapping[str, str]
    ) -> None:
        """All there are: what is not among them is gone."""
        async with borrowed(self.pool) as connection, connection.transaction():
            await connection.execute(DROP_ASSETS, [[one.number for one in present]])
            for one in present:
                row = {"number": one.number, "place": one.place, "active": one.active, "erp_id": one.erp_id}
                await connection.execute(SAVE_ASSET, row | _names(one.name))
            await _told(connection, told, marks)

    async def take_stock(self, day: date, stock: Mapping[str, float], marks: Mapping[str, str]) -> None:
        async with borrowed(self.pool) as connection, connection.transaction():
            for item, quantity in stock.items():
                await connection.execute(SAVE_STOCK, {"item": item, "day": day, "quantity": quantity})
            await _told(connection, (), marks)


async def _told(connection: Connection, exchanges: Sequence[Exchange], marks: Mapping[str, str]) -> None:
    for exchange in exchanges:
        await erp_book.add_exchange(connection, exchange)
    for name, value in marks.items():
        await connection.execute(SET_MARK, [name, value])


async def _sales(connection: Connection, query: str, values: Sequence[Any]) -> list[SalesOrder]:
    rows = await (await connection.execute(query, values)).fetchall()
    return [SalesOrder(**{name: row[name] for name in SALE}) for row in rows]


def _listed(numbers: Sequence[str] | None) -> list[str] | None:
    return None if numbers is None else list(numbers)


def _name(row: Mapping[str, Any]) -> Words:
    return Words(row["name_zh"], row["name_en"])


def _names(name: Words) -> dict[str, str]:
    return {"name_zh": name.zh, "name_en": name.en}


SALES_OF = "select * from sales_orders where number = any (%s) order by number, line"
SALES_OPEN = "select * from sales_orders where open order by due_at, number, line"
ITEMS = """
select * from items where %(numbers)s::text[] is null or number = any (%(numbers)s::text[]) order by number
"""
ASSETS = "select * from erp_equipment order by number"
DROP_ASSETS = "delete from erp_equipment where number <> all (%s)"
MOVING = """
select item from postings where at >= %s and item <> '' group by item order by count(*) desc, item limit %s
"""
SAVE_SALE = upsert("sales_orders", ("number", "line"), SALE)
SAVE_ITEM = upsert("items", ("number",), ITEM)
SAVE_ASSET = upsert("erp_equipment", ("number",), EQUIPMENT)
SAVE_STOCK = insert(
    "stock_days",
    ("item", "day", "quantity"),
    "on conflict (item, day) do update set quantity = excluded.quantity",
)
