"""Finished goods received 完工入库: Odoo knows no other way than to complete an order, or a part of it.

The order's `origin` carries the key, written in the same call as the quantity. An order that is done was
completed by the key it carries; one that is not is gone on with. What is split off inherits the text, so a
done order counts first.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from erp_bridge.odoo_floor import OPERATIONS, ORDERS, Floor, Operation
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_reports import Reports
from erp_bridge.odoo_stock import ITEMS, Goods, bare, marker_of
from erp_bridge.odoo_values import Row, stamp
from hub.errors import ErpRefused

log = logging.getLogger(__name__)

_QUESTIONS = 4  # that one press of a button may answer with


class Receipts:
    def __init__(self, records: Records, floor: Floor, goods: Goods, reports: Reports) -> None:
        self._records = records
        self._floor = floor
        self._goods = goods
        self._reports = reports

    async def find(self, key: str) -> str | None:
        since = self._records.clock.now() - self._records.config.look_back
        marker = marker_of("receipt", key)
        pattern = re.sub(r"[\\%]", "_", marker)
        domain = [["state", "=", "done"], ["write_date", ">=", stamp(since)], ["origin", "ilike", pattern]]
        rows = await self._records.search(ORDERS, domain, ["name", "origin"])
        return next((str(r["name"]) for r in rows if marker in str(r.get("origin") or "")), None)

    async def book(self, key: str, fields: Mapping[str, Any]) -> str:
        """One at a time on an order, as reports are: both count its operations."""
        number, marker = str(fields["order"]), marker_of("receipt", key)
        async with self._reports.turn(number):
            for row in await self._floor.family(number):
                if row["state"] == "done" and marker in str(row.get("origin") or ""):
                    await self._reports.settle(number, {})
                    return str(row["name"])
            order = await self._floor.live(number)
            beyond = await self._evened(order, float(fields["quantity"]))
            await self._prepare(order, marker, key, fields)
            done = await self._complete(int(order["id"]))
            await self._reports.settle(number, beyond)
            return done

    async def _evened(self, order: Row, quantity: float) -> dict[str, float]:
        """Odoo completes what its slowest operation has reported, whatever quantity was asked for: so all of
        them get this one. What they had beyond it belongs to the part that is split off."""
        beyond: dict[str, float] = {}
        behind: list[Operation] = []
        for one in await self._floor.operations([order], ["qty_produced"]):
            made = float(one.row.get("qty_produced") or 0)
            beyond[one.name] = max(made - quantity, 0.0)
            if one.row.get("state") == "done" and made < quantity:
                raise ErpRefused(
                    f"operation {one.name} of {order['name']} is finished in Odoo with {made:g} pieces: "
                    f"{quantity:g} cannot be received"
                )
            if made not in (0.0, quantity) and one.row.get("state") != "done":
                behind.append(one)
        for one in behind:
            await self._records.write(OPERATIONS, int(one.row["id"]), {"qty_produced": quantity})
        return beyond

    async def _prepare(self, order: Row, marker: str, key: str, fields: Mapping[str, Any]) -> None:
        """Written again after a doubt: the same values. Without a quantity Odoo would complete the whole."""
        product = order["product_id"]
        if fields.get("item") and await self._records.known(ITEMS, str(fields["item"])) != product["id"]:
            raise ErpRefused(
                f"production order {fields['order']} makes {product['name']}, not {fields['item']}"
            )
        item = (await self._records.search(ITEMS, [["id", "=", product["id"]]], ["tracking"]))[0]
        lot = str(fields.get("lot") or "")
        tracked = item.get("tracking") in ("lot", "serial")
        if tracked and not lot:
            raise ErpRefused(f"{product['name']} is tracked by {item['tracking']} in Odoo: a lot is wanted")
        before = bare(order.get("origin"))
        more = {
            "key": key, "marker": marker,
            "origin": (f"{before} [lot:{lot}]".strip() if lot and not tracked else before) or None,
            "lot_id": await self._goods.lot_made(item, lot) if tracked else None,
        }  # fmt: skip
        values = await self._records.written("receipt", {**fields, **more})
        await self._records.write(ORDERS, int(order["id"]), values)

    async def _complete(self, order: int) -> str:
        """Odoo may answer with a question; whether it is done says the order alone."""
        context: dict[str, Any] = {}
        asked = ""
        for _ in range(_QUESTIONS):
            answer = await self._records.press(ORDERS, "button_mark_done", order, **context)
            asked = str(answer.get("res_model") or "") if isinstance(answer, dict) else ""
            if asked == "mrp.consumption.warning" and self._records.config.skip_consumption_warning:
                context["skip_consumption"] = True
            elif asked == "mrp.production.backorder":
                context |= {"skip_backorder": True, "mo_ids_to_backorder": [order]}
            elif asked == "mrp.immediate.production":  # up to Odoo 16
                context["skip_immediate"] = True
            else:
                break
        (after,) = await self._records.search(ORDERS, [["id", "=", order]], ["name", "state"])
        if after["state"] != "done":
            why = f"it asks a question ({asked})" if asked else f"it is {after['state']}"
            raise ErpRefused(
                f"Odoo has not completed {after['name']}: {why}; answer it there, then send again"
            )
        return str(after["name"])
