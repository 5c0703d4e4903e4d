"""Maintenance tickets in Tryton: tasks of a project, the machine; their life told in the comment."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.tryton_records import Records, Row
from erp_bridge.tryton_values import typed_bytes
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

_IDENTITY = ("number", "create_uid", "create_date", "write_date")


class Tickets:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._model = records.form("ticket")

    async def find(self, key: str) -> tuple[str, str] | None:
        found = await self._all(key)
        return _identity(found[0]) if found else None

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Adopt the task that carries the key, else make it.

        Tryton has nothing that keeps a key unique. So we look again after making one: when two of us have
        made one at the same time, the older one is the ticket and the younger one goes.
        """
        found = await self._all(key)
        if not found:
            await self._create(key, fields)
            found = await self._seen(key)
        first, *others = found
        for other in others:
            await self._withdraw(key, other)
        return _identity(first)

    async def _create(self, key: str, fields: Mapping[str, Any]) -> None:
        machine = str(fields.get("equipment") or "")
        found = await self._machine(machine) if machine else None
        if machine and found is None:
            log.warning("Tryton has no project %r for the machine of %s: named in the text", machine, key)
        more = {"key": key, "machine_id": found, "equipment": machine if found is not None else ""}
        values = await self._records.written("ticket", {**fields, **more})
        if isinstance(values.get("name"), str):  # a backslash parts the names of a tree
            values["name"] = values["name"].replace("\\", "/")
        await self._records.create(self._model, values)

    async def _machine(self, name: str) -> int | None:
        spec = (await self._records.fields(self._model, ["parent"])).get("parent")
        return await self._records.known(str(spec.get("relation")), name) if spec else None

    async def _all(self, key: str) -> list[Row]:
        return await self._records.keyed(self._model, self._records.config.key_field, key, _IDENTITY)

    async def _seen(self, key: str) -> list[Row]:
        try:
            found = await self._all(key)
        except ErpUnavailable as trouble:  # it was made, whatever the look says
            raise ErpUnavailable(str(trouble), trouble.retry_after, in_doubt=True) from None
        if not found:
            raise ErpUnavailable(f"{key} was made in Tryton, which does not show it", in_doubt=True)
        return found

    async def _withdraw(self, key: str, row: Row) -> None:
        number = _identity(row)[1]
        mine = row.get("create_uid") == self._records.client.user_id
        if not mine or row.get("write_date") not in (None, row.get("create_date")):
            log.error("%s is in Tryton more than once: task %s has been worked on, close it", key, number)
            return
        try:
            await self._records.client.write(f"model.{self._model}.delete", [row["id"]])
        except ErpRefused as refusal:
            if row["id"] in [r["id"] for r in await self._all(key)]:
                log.error("%s is in Tryton more than once: task %s: %s", key, number, refusal)
            return  # whoever made the other one has seen it too, and was faster
        log.warning("%s was made twice at the same time: task %s is gone again", key, number)

    # ------------------------------------------------------------------ the repair
    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has closed is left as they want it, unless we open it again."""
        row, closed = await self._current(erp_id)
        if closed and fields.get("state") != "reopened":
            log.info("task %s was closed in Tryton by hand: not updated", row.get("number"))
            return
        await self._change(row, "step", fields)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        row, closed = await self._current(erp_id)
        if closed:
            return
        await self._attach(erp_id, fields)
        await self._change(row, "closing", fields)

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        wanted = [int(i) for i in erp_ids if i.isdigit()]
        if not wanted:
            return {}
        found = await self._records.mapped("ticket", [["id", "in", wanted]])
        states = {row["id"]: "closed" if ours.get("closed") else "open" for row, ours in found}
        return {str(i): states[i] for i in wanted if i in states}

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        field = self._records.config.key_field
        found = await self._records.copies(self._model, field, keys, ["number"])
        return {key: [_identity(row)[1] for row in rows] for key, rows in found.items()}

    async def _current(self, erp_id: str) -> tuple[Row, bool]:
        block = self._records.blocks
        texts = [n for d in ("step", "closing") for n in block[d].write if n.endswith("+")]
        domain = [["id", "=", int(erp_id) if erp_id.isdigit() else -1]]
        extra = {"number", "_timestamp", *(n.rstrip("+") for n in texts)}
        found = await self._records.found("ticket", domain, extra)
        row = next((r for r in found if str(r["id"]) == erp_id), None)
        if row is None:
            raise ErpRefused(f"task {erp_id} is not in Tryton any more")
        return row, bool(self._records.read("ticket", row).get("closed"))

    async def _change(self, row: Row, document: str, fields: Mapping[str, Any]) -> None:
        values: Row = {}
        for name, value in (await self._records.written(document, fields)).items():
            if not name.endswith("+"):
                values[name] = value
                continue
            text = str(row.get(name[:-1]) or "")
            if value and value not in text.splitlines():
                values[name[:-1]] = "\n".join(filter(None, [text, value]))
        await self._records.write(self._model, row, values)

    async def _attach(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """Before the task is closed; under the photo's own name, so that it is there once."""
        data, name = fields.get("photo_data"), str(fields.get("photo_name") or "photo")
        if not data:
            return
        resource = f"{self._model},{int(erp_id)}"
        there = await self._records.search(
            "ir.attachment", [["resource", "=", resource], ["name", "=", name]], ["name"], most=1
        )
        if name not in [row.get("name") for row in there]:
            values = {"resource": resource, "name": name, "data": typed_bytes(bytes(data))}
            await self._records.create("ir.attachment", values)


def _identity(row: Row) -> tuple[str, str]:
    return str(row["id"]), str(row.get("number") or row["id"])
