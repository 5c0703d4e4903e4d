"""Goods: material issued, pieces scrapped, what is in stock."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.odoo_floor import LIVE, Floor
from erp_bridge.odoo_records import CHUNK, Records, external_id
from erp_bridge.odoo_values import Row, stamp
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import StockClaim

log = logging.getLogger(__name__)

ITEMS, LOTS, MOVES, QUANTS = "product.product", "stock.lot", "stock.move", "stock.quant"
OLD_LOTS = "stock.production.lot"  # before Odoo 16
MARKS = re.compile(r"\s*\[[a-z]+:[^\]]*\]")


class Goods:
    """Items, lots and places by the names that people use."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lots = ""

    async def item(self, number: str) -> Row:
        found = await self._records.known(ITEMS, number, "item")
        if found is None:
            raise ErpRefused(f"Odoo has no product {number}")
        names = ["tracking", "uom_id", "default_code"]
        return await self._records.by_id(ITEMS, found, names)

    async def lot(self, item: Row, name: str) -> int | None:
        rows = await self._records.search(
            await self._lot_model(), [["name", "=", name], ["product_id", "=", item["id"]]],
            ["name", "product_id"],
        )  # fmt: skip
        same = (r for r in rows if r["name"] == name and (r["product_id"] or {}).get("id") == item["id"])
        return next((int(r["id"]) for r in same), None)

    async def lot_made(self, item: Row, name: str) -> int:
        """Odoo refuses a second lot of the same name and product: then somebody was faster."""
        found = await self.lot(item, name)
        if found is not None:
            return found
        model = await self._lot_model()
        values = {"name": name, "product_id": item["id"]}
        specs = await self._records.fields(model)
        if specs.get("company_id", {}).get("required"):
            values["company_id"] = await self._company(item)
        try:
            return await self._records.create(model, values)
        except ErpRefused:
            found = await self.lot(item, name)
            if found is None:
                raise
            return found

    async def _company(self, item: Row) -> int:
        """That of the product; else the first that we may see."""
        own = (await self._records.by_id(ITEMS, int(item["id"]), ["company_id"])).get("company_id")
        rows = [own] if own else await self._records.search("res.company", [], [], most=1)
        if not rows:
            raise ErpRefused("Odoo shows us no company; give the user access to its own")
        return int(rows[0]["id"])

    async def _lot_model(self) -> str:
        if not self._lots:
            await self._records.client.meet()
            release = self._records.client.release[0]
            self._lots = OLD_LOTS if 0 < release < 16 else LOTS
        return self._lots

    async def place(self, text: str) -> int | None:
        """A location, or the stock of a warehouse."""
        if not text:
            return None
        rows = await self._records.search(
            "stock.warehouse", ["|", ["code", "=", text], ["name", "=", text]],
            ["code", "name", "lot_stock_id"],
        )  # fmt: skip
        rows = [r for r in rows if text in (r.get("code"), r.get("name")) and r.get("lot_stock_id")]
        if rows:
            return int(rows[0]["lot_stock_id"]["id"])
        found = await self._records.known("stock.location", text)
        if found is None:
            raise ErpRefused(f"Odoo has no warehouse or location {text!r}")
        return found

    async def stock(self, items: Sequence[str]) -> list[StockClaim]:
        """What lies in places of our own, by lot and place."""
        out: list[StockClaim] = []
        for at in range(0, len(items), CHUNK):
            part = list(items[at : at + CHUNK])
            rows = await self._records.search(ITEMS, [["default_code", "in", part]], ["default_code"])
            codes = {int(r["id"]): str(r["default_code"]) for r in rows if r["default_code"] in part}
            if not codes:
                continue
            names = ["product_id", "quantity", "lot_id", "location_id", "location_id.usage"]
            for row in await self._records.search(QUANTS, [["product_id", "in", list(codes)]], names):
                place = row.get("location_id") or {}
                item = codes.get(int((row.get("product_id") or {}).get("id") or 0))
                if item is not None and place.get("usage") in ("internal", "transit"):
                    lot = (row.get("lot_id") or {}).get("name") or ""
                    out.append(
                        StockClaim(item, float(row["quantity"] or 0), lot, str(place.get("name") or ""))
                    )
        return out


class Issues:
    """Material that went into an order: a line of the order's component, posted with its completion."""

    def __init__(self, records: Records, floor: Floor, goods: Goods) -> None:
        self._records = records
        self._floor = floor
        self._goods = goods
        self._model = records.form("issue")

    async def find(self, key: str) -> str | None:
        """An external id cannot be searched for: those of our own lines are asked."""
        since = self._records.clock.now() - self._records.config.look_back
        return await self._among(key, [["create_date", ">=", stamp(since)], ["move_id", "!=", False]])

    async def _among(self, key: str, domain: list[Any]) -> str | None:
        rows = await self._records.search(self._model, domain, [])
        names = await self._records.externals(self._model, [r["id"] for r in rows])
        wanted = external_id("issue", key)
        return next((str(i) for i, name in sorted(names.items()) if name == wanted), None)

    async def book(self, key: str, fields: Mapping[str, Any]) -> str:
        number = str(fields["order"])
        family = await self._floor.family(number)
        moves = await self._moves([int(o["id"]) for o in family])
        found = await self._among(key, [["move_id", "in", [m["id"] for m in moves]]])
        if found is not None:
            return found
        order = await self._floor.live(number)
        item = await self._goods.item(str(fields["item"]))
        move = next((m for m in moves if self._fits(m, order, item)), None)
        if move is None:
            raise ErpRefused(
                f"production order {number} takes no {fields['item']} in Odoo: add the component"
            )
        lot = await self._lot(item, fields)
        more = {
            "key": key, "move": move, "product_id": item["id"], "lot_id": lot,
            "place_id": await self._goods.place(str(fields.get("warehouse") or "")),
        }  # fmt: skip
        values = await self._records.written("issue", {**fields, **more})
        await self._by_hand(move)
        return str(await self._records.load(self._model, external_id("issue", key), values))

    async def _by_hand(self, move: Row) -> None:
        """From now on what was issued counts, not what the bill of materials says of the pieces made: that
        would replace our lines, or be added to them."""
        if move.get("manual_consumption") or "manual_consumption" not in await self._records.fields(MOVES):
            return
        picked = [["move_id", "=", move["id"]], ["picked", "=", True]]
        for line in await self._records.search(self._model, picked, []):
            await self._records.write(self._model, int(line["id"]), {"picked": False})
        await self._records.write(MOVES, int(move["id"]), {"manual_consumption": True})

    async def _moves(self, orders: list[int]) -> list[Row]:
        names = ["product_id", "product_uom", "location_id", "location_dest_id", "state",
                 "raw_material_production_id", "manual_consumption"]  # fmt: skip
        return await self._records.search(MOVES, [["raw_material_production_id", "in", orders]], names)

    def _fits(self, move: Row, order: Row, item: Row) -> bool:
        same = (move.get("raw_material_production_id") or {}).get("id") == order["id"]
        made_of = (move.get("product_id") or {}).get("id")
        return same and made_of == item["id"] and move["state"] not in ("done", "cancel")

    async def _lot(self, item: Row, fields: Mapping[str, Any]) -> int | None:
        name = str(fields.get("lot") or "")
        if not name or item.get("tracking") == "none":
            return None
        found = await self._goods.lot(item, name)
        if found is None:
            raise ErpRefused(f"Odoo has no lot {name} of {fields['item']}")
        return found


class Scraps:
    """Pieces lost on an order, out of production; a component that is spoilt, out of its place in stock."""

    def __init__(self, records: Records, floor: Floor, goods: Goods) -> None:
        self._records = records
        self._floor = floor
        self._goods = goods
        self._model = records.form("scrap")

    async def find(self, key: str) -> str | None:
        row = await self._found(key)
        return str(row["name"]) if row is not None and row["state"] == "done" else None

    async def _found(self, key: str) -> Row | None:
        names = ("name", "state", "location_id", "location_id.usage")
        rows = await self._records.marked(self._model, "origin", marker_of("scrap", key), names)
        return rows[0] if rows else None

    async def book(self, key: str, fields: Mapping[str, Any]) -> str:
        found = await self._found(key)
        if found is None:
            await self._make(key, fields)
            found = await self._found(key)
        if found is None:
            raise ErpUnavailable(f"scrap {key} was made in Odoo, which does not show it", in_doubt=True)
        if found["state"] != "done":
            await self._validate(found, fields)
            found = await self._found(key) or found  # it has its number now
        return str(found["name"])

    async def _make(self, key: str, fields: Mapping[str, Any]) -> None:
        order = (await self._floor.family(str(fields["order"])))[0]
        item = await self._goods.item(str(fields.get("item") or order["product_id"]["name"]))
        made_here = item["id"] == order["product_id"]["id"] and order["state"] in LIVE
        place = order.get("production_location_id") if made_here else order.get("location_src_id")
        lot = str(fields.get("lot") or "")
        more = {
            "key": key, "marker": marker_of("scrap", key), "product_id": item["id"],
            "unit_id": item["uom_id"]["id"], "production_id": order["id"],
            "place_id": await self._goods.place(str(fields.get("warehouse") or "")) if not made_here
            else (place or {}).get("id"),
            "lot_id": await self._lot(item, lot or str(fields["order"])),
        }  # fmt: skip
        if more["place_id"] is None:
            more["place_id"] = (place or {}).get("id")
        values = await self._records.written("scrap", {**fields, **more})
        await self._records.made(self._model, "scrap", key, values)

    async def _lot(self, item: Row, lot: str) -> int | None:
        """Odoo wants a lot of what it tracks; pieces that never got one are filed under their order."""
        return None if item.get("tracking") in (None, "none") else await self._goods.lot_made(item, lot)

    async def _validate(self, found: Row, fields: Mapping[str, Any]) -> None:
        answer = await self._records.press(self._model, "action_validate", int(found["id"]))
        if not isinstance(answer, dict):
            return
        if ((found.get("location_id") or {}).get("usage")) == "internal":
            raise ErpRefused(
                f"Odoo has not {fields['quantity']:g} {fields.get('item')} in stock to scrap: {found['name']}"
                " waits; correct the stock and send this again"
            )
        await self._records.press(self._model, "do_scrap", int(found["id"]))


def marker_of(kind: str, key: str) -> str:
    return f"[{kind}:{key}]"


def bare(origin: object) -> str:
    """Without the keys that we have put there."""
    return MARKS.sub("", str(origin or "")).strip()
