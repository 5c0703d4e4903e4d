"""Inspection results 检验: a note on the production order, as Odoo's free edition has no quality documents.

A site that has them names the model in `documents.quality.form`, with what goes where in `write`: then one
record is made for each key, unique by its external id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from erp_bridge.odoo_floor import ORDERS, Floor
from erp_bridge.odoo_maps import DOCUMENTS
from erp_bridge.odoo_notes import Notes
from erp_bridge.odoo_records import Records, external_id
from erp_bridge.odoo_values import stamp

NOTE = DOCUMENTS["quality"].form


class Inspections:
    def __init__(self, records: Records, floor: Floor, notes: Notes) -> None:
        self._records = records
        self._floor = floor
        self._notes = notes
        self._model = records.form("quality")

    async def find(self, key: str) -> str | None:
        if self._model == NOTE:
            rows = await self._notes.marked(ORDERS, _marker(key), None)
            return str(rows[0]["id"]) if rows else None
        since = self._records.clock.now() - self._records.config.look_back
        return await self._among(key, [["create_date", ">=", stamp(since)]])

    async def _among(self, key: str, domain: list[Any]) -> str | None:
        rows = await self._records.search(self._model, domain, [])
        names = await self._records.externals(self._model, [r["id"] for r in rows])
        wanted = external_id("quality", key)
        return next((str(i) for i, name in sorted(names.items()) if name == wanted), None)

    async def book(self, key: str, fields: Mapping[str, Any]) -> str:
        if self._model != NOTE:
            return await self._record(key, fields)
        family = await self._floor.family(str(fields["order"]))
        ids = [int(o["id"]) for o in family]
        found = await self._notes.marked(ORDERS, _marker(key), ids)
        if not found:
            values = await self._records.written("quality", {**fields, "key": key, "marker": _marker(key)})
            await self._notes.add(ORDERS, ids[0], str(values["message"]))
            found = await self._notes.marked(ORDERS, _marker(key), ids)
        return str(found[0]["id"]) if found else str(ids[0])

    async def _record(self, key: str, fields: Mapping[str, Any]) -> str:
        found = await self.find(key)
        if found is not None:
            return found
        order = (await self._floor.family(str(fields["order"])))[0]
        more = {"key": key, "marker": _marker(key), "production_id": order["id"],
                "product_id": order["product_id"]["id"]}  # fmt: skip
        values = await self._records.written("quality", {**fields, **more})
        values.pop("message", None)
        return str(await self._records.load(self._model, external_id("quality", key), values))


def _marker(key: str) -> str:
    return f"[quality:{key}]"
