"""Maintenance requests 维修工单: made by external id, moved through the stages, told in the chatter."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.odoo_notes import Notes
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_values import Row, markup, spaced, words
from hub.errors import ErpRefused

log = logging.getLogger(__name__)

MACHINES = "maintenance.equipment"
AT_ONCE = 50  # keys in one domain


class Tickets:
    def __init__(self, records: Records, notes: Notes) -> None:
        self._records = records
        self._notes = notes
        self._model = records.form("ticket")

    async def find(self, key: str) -> tuple[str, str] | None:
        """By the marker that begins its name: what an external id is given to cannot be asked."""
        found = await self._records.marked(self._model, "name", f"[{key}]")
        if len(found) > 1:
            log.error("%s is in Odoo more than once: %s", key, ", ".join(str(r["id"]) for r in found))
        return (str(found[0]["id"]), str(found[0]["id"])) if found else None

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Adopt the request that carries the key, else make it."""
        found = await self.find(key)
        if found is not None:
            return found
        machine = str(fields.get("equipment") or "")
        known = await self._records.known(MACHINES, machine, "equipment") if machine else None
        if machine and known is None:
            log.warning("Odoo has no equipment %r for %s: named in the text", machine, key)
        more = {"key": key, "marker": f"[{key}]", "equipment_id": known,
                "equipment": machine if known is not None else ""}  # fmt: skip
        values = await self._records.written("ticket", {**fields, **more})
        made = await self._records.made(self._model, "ticket", key, values)
        return str(made), str(made)

    # ------------------------------------------------------------------ the repair
    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has closed is left as they want it, unless we open it again."""
        row, closed = await self._current(erp_id)
        if closed and fields.get("state") != "reopened":
            log.info("request %s was closed in Odoo by hand: not updated", erp_id)
            return
        await self._change(row, "step", fields)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        row, closed = await self._current(erp_id)
        if closed:
            return
        await self._attach(int(erp_id), fields)
        await self._change(row, "closing", fields)

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        wanted = [int(i) for i in erp_ids if i.isdigit()]
        if not wanted:
            return {}
        found = await self._records.mapped("ticket", [["id", "in", wanted]])
        return {
            str(row["id"]): "closed" if ours.get("closed") else "open"
            for row, ours in found
            if row["id"] in wanted
        }

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Those that were put away (archived) do not count."""
        out: dict[str, list[str]] = {}
        for at in range(0, len(keys), AT_ONCE):
            part = keys[at : at + AT_ONCE]
            patterns = [["name", "=like", re.sub(r"[\\%]", "_", f"[{key}]") + "%"] for key in part]
            domain = [*["|"] * (len(part) - 1), *patterns]
            rows = await self._records.search(self._model, domain, ["name", "archive"])
            self._records.all_say(self._model, "name", f"[{part[0]}]", rows)
            for row in rows:
                for key in part:
                    if str(row.get("name") or "").startswith(f"[{key}]") and not row.get("archive"):
                        out.setdefault(key, []).append(str(row["id"]))
        return out

    async def _current(self, erp_id: str) -> tuple[Row, bool]:
        blocks = self._records.blocks
        texts = {n.rstrip("+") for d in ("step", "closing") for n in blocks[d].write if n.endswith("+")}
        domain = [["id", "=", int(erp_id) if erp_id.isdigit() else -1]]
        found = await self._records.raw("ticket", domain, texts)
        row = next((row for row in found if str(row["id"]) == erp_id), None)
        if row is None:
            raise ErpRefused(f"maintenance request {erp_id} is not in Odoo any more")
        return row, bool(self._records.maps["ticket"].read(row).get("closed"))

    async def _change(self, row: Row, document: str, fields: Mapping[str, Any]) -> None:
        """Stage and texts in one call; then the note, which is not said twice."""
        values = await self._records.written(document, fields)
        note = str(values.pop("message", "") or "")
        kinds = await self._records.kinds(self._model, [n.rstrip("+") for n in values])
        out: Row = {}
        for name, value in values.items():
            if not name.endswith("+"):
                out[name] = value
                continue
            field = name[:-1]
            before, marked_up = str(row.get(field) or ""), kinds.get(field) == "html"
            if value and spaced(value) not in (words(before) if marked_up else spaced(before)):
                out[field] = before + markup(value) if marked_up else f"{before}\n{value}".strip()
        await self._records.write(self._model, int(row["id"]), out)
        if note:
            await self._notes.add(self._model, int(row["id"]), note)

    async def _attach(self, record: int, fields: Mapping[str, Any]) -> None:
        """Before the request is closed; under the photo's own name, so that it is there once."""
        data, name = fields.get("photo_data"), str(fields.get("photo_name") or "photo")
        if not data:
            return
        place = [["res_model", "=", self._model], ["res_id", "=", record], ["name", "=", name]]
        there = await self._records.search("ir.attachment", place, ["res_model", "res_id", "name"])
        ours = [[r.get("res_model"), r.get("res_id"), r.get("name")] for r in there]
        if [self._model, record, name] in ours:
            return
        values = {
            "name": name, "res_model": self._model, "res_id": record,
            "datas": base64.b64encode(bytes(data)).decode(),
        }  # fmt: skip
        await self._records.create("ir.attachment", values)
