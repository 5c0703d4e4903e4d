"""What the office knows: sales orders by line, items, machines."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from erp_bridge import as_read
from erp_bridge.sap_answers import SapRefusal
from erp_bridge.sap_orders import instant
from erp_bridge.sap_records import Records
from erp_bridge.sap_service import Entity
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, Item, SalesOrder
from hub.model.words import Words
from hub.ports import Clock

log = logging.getLogger(__name__)

_CHANGED, _CREATED = "LastChangeDateTime", "CreationDate"


class Office:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._config = records.config
        self._sales, self._item, self._equipment, self._orders = (
            records.kinds[name] for name in ("sales_order", "item", "equipment", "order")
        )
        self._clock = clock

    # ------------------------------------------------------------------ sales orders
    async def sales(self, changed_since: datetime | None) -> list[SalesOrder]:
        lines = await self._sales_lines(changed_since)
        return as_read.each("sales_order", lines, ("number", "due_at"), _sale)

    async def _sales_lines(self, changed_since: datetime | None) -> list[dict[str, Any]]:
        """Each item with its header and its first schedule line, read by the map."""
        where = "" if changed_since is None else await self._changed(changed_since)
        rows = await self._sales.rows(where, expand=["to_Item", "to_Item/to_ScheduleLine"])
        lines = [line for row in rows for line in _joined(row)]
        return [ours for line in lines if (ours := self._sales.read(line))]

    async def _changed(self, since: datetime) -> str:
        """One that was never changed has no date of change: the day it was made counts."""
        kind, at = self._sales.service, since - self._config.overlap
        day = f"{at.astimezone(self._config.zone):%Y-%m-%d}"
        changed = await kind.literal(self._sales.form, _CHANGED, at.astimezone(UTC).isoformat())
        made = await kind.literal(self._sales.form, _CREATED, day)
        return f"({_CHANGED} ge {changed} or {_CREATED} ge {made})"

    # ------------------------------------------------------------------ items
    async def items(self, changed_since: datetime | None) -> list[Item]:
        """From the product service; where the site has none of it, those that orders name."""
        try:
            return await self._products(changed_since)
        except (SapRefusal, ErpRefused) as refusal:
            if "product" in self._config.services:
                raise
            log.info("no product service: items are those that orders name (%s)", refusal)
        return await self._named(changed_since)

    async def _products(self, changed_since: datetime | None) -> list[Item]:
        service, form = self._item.service, self._item.form
        kind = await service.kind(form)
        where = ""
        if changed_since is not None and _CHANGED in kind.properties:
            at = (changed_since - self._config.overlap).astimezone(UTC).isoformat()
            where = f"{_CHANGED} ge {await service.literal(form, _CHANGED, at)}"
        expand = ["to_Description"] if "to_Description" in kind.navigation else []
        found = [self._item.read(row.fields) for row in await self._item.rows(where, expand=expand)]
        return as_read.each("item", [ours for ours in found if ours is not None], ("number",), _item)

    async def _named(self, changed_since: datetime | None) -> list[Item]:
        found: dict[str, Item] = {}
        for row in await self._orders.rows():
            ours = self._orders.read(row.fields) or {}
            if ours.get("product"):
                found[ours["product"]] = _item({"number": ours["product"], "unit": ours.get("unit")})
        for ours in await self._sales_lines(changed_since):
            if ours.get("product"):
                found[ours["product"]] = _item(_as_item(ours))
        return list(found.values())

    # ------------------------------------------------------------------ machines
    async def equipment(self) -> list[ErpEquipment]:
        """The row of each that is valid today: the one that ends last."""
        service, form = self._equipment.service, self._equipment.form
        today = f"{self._clock.now().astimezone(self._config.zone):%Y-%m-%d}"
        where = [f"ValidityEndDate ge {await service.literal(form, 'ValidityEndDate', today)}"]
        if self._config.plants:
            where.append(await service.any_of(form, "MaintenancePlant", self._config.plants))
        found: dict[str, dict[str, Any]] = {}
        for row in await self._equipment.rows(*where):
            ours = self._equipment.read(row.fields)
            if ours and str(row["ValidityStartDate"] or "")[:10] <= today:
                if as_read.one("equipment", ours, ("number",), dict) is None:
                    continue
                known = found.get(str(ours["number"]))
                if known is None or str(known.get("until")) < str(ours.get("until")):
                    found[str(ours["number"])] = ours
        return as_read.each("equipment", found.values(), ("number",), _machine)


def _as_item(ours: Mapping[str, Any]) -> dict[str, Any]:
    """The item of a sales order's line."""
    return {"number": ours["product"], "name": ours.get("product_name"), "unit": ours.get("unit")}


def _joined(row: Entity) -> Iterator[dict[str, Any]]:
    for item in row["to_Item"] or []:
        lines = item.get("to_ScheduleLine") or []
        dated = [li for li in lines if li.get("ConfirmedDeliveryDate") or li.get("RequestedDeliveryDate")]
        yield {"order": row.fields, "item": item, "line": (dated or lines or [{}])[0]}


def _sale(ours: Mapping[str, Any]) -> SalesOrder:
    return SalesOrder(
        number=str(ours.get("number") or ""),
        line=str(ours.get("line") or ""),
        customer=str(ours.get("customer") or ""),
        product=str(ours.get("product") or ""),
        quantity=float(ours.get("quantity") or 0),
        due_at=instant(ours["due_at"]),
        priority=int(ours.get("priority") or 5),
        rush=bool(ours.get("rush")),
        open=bool(ours.get("open", True)),
        seller=str(ours.get("seller") or ""),
        erp_id=str(ours.get("number") or ""),
    )


def _item(ours: Mapping[str, Any]) -> Item:
    number = str(ours["number"])
    name = Words(str(ours.get("name") or ""), "")
    return Item(number, name, str(ours.get("unit") or ""), str(ours.get("family") or ""), number)


def _machine(ours: Mapping[str, Any]) -> ErpEquipment:
    number = str(ours["number"])
    name = Words(str(ours.get("name") or ""), "")
    return ErpEquipment(number, name, str(ours.get("place") or ""), bool(ours.get("active", True)), number)
