"""What the office knows: sales orders by line, items, machines, stock."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from erp_bridge import as_read
from erp_bridge.oracle_answers import OracleRefusal
from erp_bridge.oracle_orders import instant
from erp_bridge.oracle_records import Records
from hub.model.erp import ErpEquipment, Item, SalesOrder, StockClaim
from hub.model.words import Words
from hub.ports import Clock

log = logging.getLogger(__name__)

CHANGED, ORGANIZATION, ASSET = "LastUpdateDate", "OrganizationCode", "AssetNumber"


class Office:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._config = records.config
        self._sales, self._item, self._equipment, self._stock = (
            records.kinds[name] for name in ("sales_order", "item", "equipment", "stock")
        )
        self._clock = clock

    async def organization(self) -> str:
        """Whether the plant's code is one, for a probe."""
        where = self._records.dialect.equal(ORGANIZATION, self._config.organization)
        if await self._records.rows("inventoryOrganizations", where):
            return f"{self._config.organization}: found"
        return (
            f"✗ {self._config.organization} is not there, or user may not see it; check organization and the"
            " data security of user"
        )

    async def sales(self, changed_since: datetime | None) -> list[SalesOrder]:
        rows = await self._records.rows(
            self._sales.form,
            self._after(changed_since),
            expand="lines",
            order="HeaderId",
            mine=self._sales.mine,
        )
        found: dict[tuple[str, str], SalesOrder] = {}
        for row in rows:
            key = row.get("OrderKey") or row.get("HeaderId")
            for line in await self._records.below(self._sales.form, row, key, "lines"):
                ours = self._sales.read({"order": row, "line": line})
                made = as_read.one("sales_order", ours, ("number", "due_at"), _sale) if ours else None
                if made is not None:
                    found[made.number, made.line] = made
        return list(found.values())

    async def items(self, changed_since: datetime | None) -> list[Item]:
        where = self._records.dialect.equal(ORGANIZATION, self._config.organization)
        try:
            rows = await self._items(where, self._after(changed_since))
        except OracleRefusal as refusal:
            if refusal.status != 400 or changed_since is None:
                raise
            log.info("items cannot be asked for by %s: all of them then (%s)", CHANGED, refusal)
            rows = await self._items(where)
        found = [self._item.read(row) for row in rows]
        return as_read.each("item", [ours for ours in found if ours is not None], ("number",), _item)

    async def _items(self, *where: str) -> list[dict[str, Any]]:
        return await self._records.rows(self._item.form, *where, order="ItemNumber", mine=self._item.mine)

    async def equipment(self) -> list[ErpEquipment]:
        """Assets that have not ended; those of our organization where a pod can be asked so."""
        found = [self._equipment.read(row) for row in await self._assets()]
        today = self._clock.now().isoformat()[:10]
        read = [ours for ours in found if ours is not None]
        return as_read.each("equipment", read, ("number",), partial(_machine, today))

    async def _assets(self) -> list[dict[str, Any]]:
        if self._equipment.mine:
            return await self._records.rows(self._equipment.form, order=ASSET, mine=self._equipment.mine)
        where = self._records.dialect.equal(ORGANIZATION, self._config.workshop)
        try:
            return await self._records.rows(self._equipment.form, where, order=ASSET)
        except OracleRefusal as refusal:
            if refusal.status != 400:
                raise
            log.info("assets cannot be asked for by %s: all of them then (%s)", ORGANIZATION, refusal)
        return await self._records.rows(self._equipment.form, order=ASSET)

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        dialect = self._records.dialect
        ours = dialect.equal(ORGANIZATION, self._config.organization)
        claims: list[StockClaim] = []
        for where in dialect.any_of("ItemNumber", list(dict.fromkeys(items))):
            for row in await self._records.rows(self._stock.form, ours, where, mine=self._stock.mine):
                read = self._stock.read(row) or {}
                made = as_read.one("stock", read, ("item",), _claim) if read.get("item") in items else None
                claims += [made] if made is not None else []
        return claims

    def _after(self, since: datetime | None) -> str:
        return "" if since is None else self._records.dialect.after(CHANGED, since - self._config.overlap)


def _sale(ours: Mapping[str, Any]) -> SalesOrder:
    priority = int(ours.get("priority") or 5)
    return SalesOrder(
        number=str(ours["number"]),
        line=str(ours.get("line") or ""),
        customer=str(ours.get("customer") or ""),
        product=str(ours.get("product") or ""),
        quantity=float(ours.get("quantity") or 0),
        due_at=instant(ours["due_at"]),
        priority=priority,
        rush=bool(ours.get("rush", priority == 1)),
        open=bool(ours.get("open", True)),
        seller=str(ours.get("seller") or ""),
        erp_id=str(ours.get("erp_id") or ""),
    )


def _item(ours: Mapping[str, Any]) -> Item:
    name = Words(str(ours.get("name") or ""), "")
    return Item(
        str(ours["number"]), name, str(ours.get("unit") or ""), str(ours.get("family") or ""),
        str(ours.get("erp_id") or ""),
    )  # fmt: skip


def _machine(today: str, ours: Mapping[str, Any]) -> ErpEquipment:
    active = bool(ours.get("active", True)) and not (ours.get("end") and str(ours["end"])[:10] < today)
    return ErpEquipment(
        str(ours["number"]), Words(str(ours.get("name") or ""), ""), str(ours.get("place") or ""), active,
        str(ours.get("erp_id") or ""),
    )  # fmt: skip


def _claim(ours: Mapping[str, Any]) -> StockClaim:
    return StockClaim(
        str(ours["item"]),
        float(ours.get("quantity") or 0),
        str(ours.get("lot") or ""),
        str(ours.get("warehouse") or ""),
    )
