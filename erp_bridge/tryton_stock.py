"""Goods in and out: 完工入库 and 报废 as outputs of the production, 领料 as an internal shipment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.tryton_postings import Found, Noted, Sight, production, state_of
from erp_bridge.tryton_records import Records, Row, below
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

_MOVE = "stock.move"
_SAME = ("product", "quantity", "to_location", "lot", "effective_date")


class Outputs:
    """Receipts and scrap. Tryton plans the whole quantity as one output and books it when the order is done;
    so what we book is taken off what is planned, in the same transaction, or it would be booked twice."""

    def __init__(self, records: Records, clock: Clock, document: str) -> None:
        self._records = records
        self._document = document  # "receipt" or "scrap"
        self._notes = Noted(records, clock, _MOVE, f"[{document}]")

    async def look(self, key: str, fields: Mapping[str, Any] | None) -> Sight:
        if fields is None:
            await self._records.client.welcome()
            return await self._notes.look(key, [["production_output", "!=", None], *self._notes.lately()])
        return await self._notes.look(key, [["production_output.number", "=", str(fields["order"])]], _SAME)

    async def make(self, key: str, fields: Mapping[str, Any], loose: Sequence[Row]) -> None:
        order = await production(self._records, str(fields["order"]))
        item = await _item(self._records, str(fields["item"]))
        full = {**fields, "key": key, "production": order, "cost_price": item.get("cost_price") or 0}
        full["unit"] = fields.get("unit") or below(item, "default_uom", "symbol")
        if fields.get("lot"):
            full["lot_id"] = await self._lot(item["id"], str(fields["lot"]))
        if fields.get("warehouse"):
            full["place_id"] = await place(self._records, str(fields["warehouse"]))
        if self._document == "scrap" and not below(order, "warehouse", "waste_locations"):
            raise ErpRefused("Tryton has no place for scrap: give the warehouse a waste location")
        values = await self._records.written(self._document, full)
        text = str(values.pop("note", ""))
        move = _like(values, loose)
        if move is None:
            await self._planned_off(order, values)
            move = _like(values, (await self.look(key, fields)).loose)
        if move is None:
            raise ErpUnavailable(f"{key} was made in Tryton, which does not show it", in_doubt=True)
        await self._notes.add(move, key, text)

    async def _lot(self, product: int, number: str) -> int:
        found = await self._records.named("stock.lot", number, [["product", "=", product]])
        if found is None:
            found = await self._records.create("stock.lot", {"number": number, "product": product})
        return found

    async def _planned_off(self, order: Row, values: Row) -> None:
        """Make the move and take its quantity off the planned one."""
        planned = await self._planned(order["id"], values["product"])
        steps: list[Any] = [["create", [values]]]
        stamps = {}
        if planned:
            rest = max(0.0, _amount(planned) - values["quantity"])
            steps.append(["write", [planned["id"]], {"quantity": rest}])
            stamps[f"{_MOVE},{planned['id']}"] = planned.get("_timestamp")
        await self._records.client.write(
            "model.production.write", [order["id"]], {"outputs": steps}, context={"_timestamp": stamps}
        )

    async def _planned(self, order: Any, product: Any) -> Row | None:
        domain = [
            ["production_output", "=", order], ["product", "=", product], ["state", "=", "draft"],
            ["effective_date", "=", None],
        ]  # fmt: skip
        rows = await self._records.search(_MOVE, domain, ["quantity", "_timestamp"])
        return max(rows, key=_amount, default=None)

    async def finish(self, found: Found, fields: Mapping[str, Any]) -> None:
        await self._records.press(_MOVE, "do", found.id)

    async def withdraw(self, found: Found) -> None:
        """Cancelled, and its quantity planned again."""
        names = ["quantity", "product", "production_output"]
        row = await self._records.one(_MOVE, found.id, names)
        planned = await self._planned(row.get("production_output"), row.get("product"))
        await self._records.press(_MOVE, "cancel", found.id)
        if planned:
            values = {"quantity": _amount(planned) + _amount(row)}
            await self._records.write(_MOVE, planned, values)


def _like(values: Row, loose: Sequence[Row]) -> int | None:
    """A move of ours without a note that is what we want to make: same goods, place and quantity, and dated,
    which a planned one is not."""
    same = [name for name in _SAME if name in values and name != "effective_date"]
    return next(
        (r["id"] for r in loose if r.get("effective_date") and all(r.get(n) == values[n] for n in same)), None
    )


def _amount(move: Row) -> float:
    quantity = move.get("quantity")
    if isinstance(quantity, int | float) and not isinstance(quantity, bool):
        return float(quantity)
    raise ErpUnavailable(f"Tryton gave {quantity!r} where a move's quantity belongs")


class Shipments:
    """领料: from the warehouse to where the production picks its components."""

    model = "stock.shipment.internal"

    def __init__(self, records: Records) -> None:
        self._records = records

    async def look(self, key: str, fields: Mapping[str, Any] | None) -> Sight:
        rows = await self._records.keyed(self.model, "reference", key, ["number", "state"])
        found = [
            Found(r["id"], str(r.get("number") or r["id"]), state_of(r), state_of(r) == "done") for r in rows
        ]
        return Sight([one for one in found if one.state != "cancelled"])

    async def make(self, key: str, fields: Mapping[str, Any], loose: Sequence[Row]) -> None:
        order = await production(self._records, str(fields["order"]))
        item = await _item(self._records, str(fields["item"]))
        start, end = await self._way(order, str(fields.get("warehouse") or ""))
        full = {**fields, "key": key, "production": order, "from_location": start, "to_location": end}
        full["unit"] = fields.get("unit") or below(item, "default_uom", "symbol")
        if fields.get("lot"):
            full["lot_id"] = await self._lot(item["id"], str(fields["item"]), str(fields["lot"]))
        line = await self._records.written("issue_line", full)
        values = await self._records.written("issue", full)
        await self._records.create(self.model, {**values, "moves": [["create", [line]]]})

    async def _lot(self, product: int, item: str, number: str) -> int:
        found = await self._records.named("stock.lot", number, [["product", "=", product]])
        if found is None:
            raise ErpRefused(f"Tryton has no lot {number} of {item}")
        return found

    async def _way(self, order: Row, warehouse: str) -> tuple[int, int]:
        own = below(order, "warehouse") or {}
        start = await place(self._records, warehouse) if warehouse else below(own, "storage_location")
        floor = self._records.config.shop_floor
        end = await place(self._records, floor) if floor else below(own, "production_picking_location")
        if not start:
            raise ErpRefused("where does issued material come from? give the warehouse a storage in Tryton")
        if not end:
            raise ErpRefused(
                "where does issued material go? name a location in shop_floor, or give the warehouse a "
                "production picking location in Tryton"
            )
        return int(start), int(end)

    async def finish(self, found: Found, fields: Mapping[str, Any]) -> None:
        """A shipment that was cut off goes on from where it stands."""
        if found.state in ("request", "draft"):
            await self._records.press(self.model, "wait", found.id)
        if found.state in ("request", "draft", "waiting"):
            await self._records.press(self.model, "assign_try", found.id)
        row = await self._records.one(self.model, found.id, ["state"])
        if row.get("state") == "waiting":
            goods = (
                f"{fields['quantity']:g} {fields.get('unit') or ''}{fields['item']} {fields.get('lot') or ''}"
            )
            raise ErpRefused(
                f"Tryton has not enough in stock for {goods.strip()}: shipment {found.number} waits; "
                "correct the stock and send this again"
            )
        if row.get("state") == "assigned" and await self._goes_by_transit(found.id):
            await self._records.press(self.model, "ship", found.id)
        await self._records.press(self.model, "do", found.id)

    async def _goes_by_transit(self, shipment: int) -> bool:
        row = await self._records.one(self.model, shipment, ["transit_location"])
        return bool(row.get("transit_location"))

    async def withdraw(self, found: Found) -> None:
        await self._records.press(self.model, "cancel", found.id)


async def _item(records: Records, number: str) -> Row:
    field = records.config.lookup("product.product")
    names = ["default_uom.symbol", "cost_price"]
    row = await records.exactly("product.product", field, number, names)
    if row is None:
        raise ErpRefused(f"Tryton has no product {number}")
    return row


async def place(records: Records, text: str) -> int:
    """A location by code or name; of a warehouse, its storage."""
    names = ["type", "storage_location"]
    for field in ("code", "name"):
        row = await records.exactly("stock.location", field, text, names)
        if row is not None:
            return int(row.get("storage_location") or 0 if row.get("type") == "warehouse" else row["id"])
    raise ErpRefused(f"Tryton has no location {text!r}")
