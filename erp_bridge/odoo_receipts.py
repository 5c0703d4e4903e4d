"""Finished goods received 完工入库: Odoo knows no other way than to complete an order, or a part of it.

The order's `origin` carries the key, written in the same call as the quantity. An order that is done was
completed by the key it carries; one that is not is gone on with. What is split off inherits the text, so a
done order counts first. Another hub may write to the order between our words and the button: right before it
is pressed the order is read again, and after it the key says whose completion it was.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from erp_bridge.odoo_floor import LIVE, OPERATIONS, ORDERS, Floor, Operation, released_as
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_reports import Reports
from erp_bridge.odoo_stock import ITEMS, Goods, bare, marker_of
from erp_bridge.odoo_values import Row, stamp
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

_QUESTIONS = 4  # that one press of a button may answer with
_SEEN = ("name", "state", "origin")
_TRIES = 4  # at an order that others write to at the same time


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
        rows = await self._records.search(ORDERS, domain, ["name", "origin", "state"])
        done = next((str(r["name"]) for r in rows if _completed_by(r, marker)), None)
        if done is None:
            self._records.all_say(ORDERS, "origin", marker, rows)
        return done

    async def book(self, key: str, fields: Mapping[str, Any]) -> str:
        """One at a time on an order, as reports are: both count its operations."""
        number, marker = str(fields["order"]), marker_of("receipt", key)
        async with self._reports.turn(number):
            for row in await self._floor.family(number):
                if _completed_by(row, marker):
                    await self._reports.settle(number, {})
                    return str(row["name"])
            order = await self._floor.live(number)
            beyond = await self._ready(order, marker, key, fields)
            done = await self._complete(int(order["id"]), marker, float(fields["quantity"]))
            await self._reports.settle(number, beyond)
            return done

    async def _ready(self, order: Row, marker: str, key: str, fields: Mapping[str, Any]) -> dict[str, float]:
        """Evened and marked, and seen to be so: what another hub writes meanwhile is written over again."""
        beyond: dict[str, float] = {}
        quantity = float(fields["quantity"])
        for _ in range(_TRIES):
            for name, made in (await self._evened(order, quantity)).items():
                beyond[name] = max(made, beyond.get(name, 0.0))
            self._live(await self._records.by_id(ORDERS, int(order["id"]), _SEEN))
            await self._prepare(order, marker, key, fields)
            now = await self._records.by_id(
                ORDERS, int(order["id"]), [*_SEEN, "qty_producing", "qty_produced"]
            )
            if now["state"] == "done":
                await self._give_back(now, marker)
            self._live(now)
            kept = self._ours(now, marker) and _near(now.get("qty_producing"), quantity)
            if kept and not await self._uneven(order, quantity):
                return beyond
        if not self._ours(now, marker):
            raise ErpUnavailable(f"others write to production order {order['name']} as often as we do")
        log.warning("%s does not keep the quantity %g: gone on with what it has", now["name"], quantity)
        return beyond

    def _live(self, order: Row) -> None:
        if order["state"] not in LIVE:
            raise ErpUnavailable(f"{order['name']} was completed by somebody else meanwhile")

    async def _give_back(self, order: Row, marker: str) -> None:
        """Odoo lets one write to an order that is done. Ours came between another hub's completion and its
        look at it: what that one has written is still in the part that it split off."""
        if marker not in str(order.get("origin") or ""):
            return
        parts = [
            r for r in await self._floor.family(released_as(str(order["name"]))) if r["id"] > order["id"]
        ]
        theirs = next((str(r["origin"]) for r in parts if "[receipt:" in str(r.get("origin") or "")), "")
        log.error("%s was completed by another hub while we wrote to it: look at its lot", order["name"])
        values = {"origin": theirs or bare(order["origin"]), "qty_producing": order["qty_produced"]}
        await self._records.write(ORDERS, int(order["id"]), values)

    def _ours(self, order: Row, marker: str) -> bool:
        """A site that writes no origin has told us that nobody else completes its orders."""
        return marker in str(order.get("origin") or "") or not self._records.blocks["receipt"].write["origin"]

    async def _uneven(self, order: Row, quantity: float) -> bool:
        found = await self._floor.operations([order], ["qty_produced"])
        live = [one.row.get("qty_produced") for one in found if one.row.get("state") != "done"]
        return any(made and not _near(made, quantity) for made in live)

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

    async def _complete(self, order: int, marker: str, quantity: float) -> str:
        """Odoo may answer with a question; whether it is done, and by whom, says the order alone."""
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
        after = await self._records.by_id(ORDERS, order, [*_SEEN, "qty_produced"])
        if after["state"] != "done":
            why = f"it asks a question ({asked})" if asked else f"it is {after['state']}"
            raise ErpRefused(
                f"Odoo has not completed {after['name']}: {why}; answer it there, then send again"
            )
        if not self._ours(after, marker):
            raise ErpUnavailable(f"{after['name']} was completed by somebody else's receipt", in_doubt=True)
        if not _near(after.get("qty_produced"), quantity):
            log.error(
                "%s was completed with %s pieces, not %g: somebody else reported on it at that moment",
                after["name"], after.get("qty_produced"), quantity,
            )  # fmt: skip
        return str(after["name"])


def _completed_by(order: Row, marker: str) -> bool:
    return order["state"] == "done" and marker in str(order.get("origin") or "")


def _near(value: Any, quantity: float) -> bool:
    """Odoo rounds to its units."""
    return abs(float(value or 0) - quantity) < 0.01
