"""Maintenance tickets 设备报修: records of an ordinary form or of one with a workflow, with photos."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.jiandaoyun_answers import rows_of
from erp_bridge.jiandaoyun_records import Record, Records
from erp_bridge.jiandaoyun_values import FILES
from erp_bridge.jiandaoyun_workflow import Workflow
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

HEADLINE = 500  # characters
RUNNING, FINISHED = 0, (1, 2)


class Tickets:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._settings = records.config.ticket
        self._workflow = Workflow(records.config, records.client)
        self._kind = records.kind("ticket")

    async def find(self, key: str) -> tuple[str, str] | None:
        found = await self._records.keyed("ticket", key)
        if len(found) > 1:
            log.error("%s is in Jiandaoyun %d times: the oldest counts", key, len(found))
        return self._identity(found[0], key) if found else None

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        how = {"is_start_workflow": True} if self._settings.workflow else {}
        record, _ = await self._records.make("ticket", key, lambda: self._written(fields, key=key), **how)
        return self._identity(record, key)

    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has closed is left as they want it, unless we open it again."""
        record = await self._documented(erp_id)
        reopened = fields.get("state") == "reopened"
        if self._closed(record) and not reopened:
            log.info("ticket %s was closed in Jiandaoyun by hand: not updated", erp_id)
            return
        if reopened and self._settings.workflow:
            await self._workflow.begin_again(erp_id)
        await self._records.change("ticket", erp_id, self._written(fields))

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """The record first, then its workflow: whoever comes again after the first finds the second to do."""
        record = await self._documented(erp_id)
        if not self._closed(record):
            keys, transaction = await self._photos(record, fields)
            known = {**fields, "photo_keys": keys or None}
            how = {"transaction_id": transaction} if keys else {}
            await self._records.change("ticket", erp_id, self._written(known), **how)
        if self._settings.workflow and record.get("flowState", RUNNING) == RUNNING:
            await self._workflow.end(erp_id)

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        """What is not there any more is left out."""
        found = self._records.understood("ticket", await self._records.several("ticket", erp_ids))
        return {str(r["_id"]): "closed" if ours.get("closed") else "open" for r, ours in found}

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """With those that we have marked: people decide which of them goes."""
        out: dict[str, list[str]] = {}
        for record in await self._records.having("ticket", self._kind.key, keys):
            key = str(record.get(self._kind.key))
            if key in keys:
                out.setdefault(key, []).append(self._identity(record, str(record["_id"]))[1])
        return out

    # ------------------------------------------------------------------ one record
    async def _documented(self, erp_id: str) -> Record:
        record = await self._records.one("ticket", erp_id)
        if record is None:
            raise ErpRefused(f"ticket {erp_id} is not in Jiandaoyun any more")
        return record

    def _identity(self, record: Record, key: str) -> tuple[str, str]:
        ours = self._records.read("ticket", record) or {}
        return str(record["_id"]), str(ours.get("number") or key)

    def _closed(self, record: Record) -> bool:
        return bool(self._kind.map.read(record).get("closed"))

    def _written(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        employee = self._records.config.employees.get(str(fields.get("person") or ""))
        known = {"key": key, "headline": _headline(fields), "employee": employee}
        return self._kind.map.written({**fields, **known})

    # ------------------------------------------------------------------ the technician's photo
    async def _photos(self, record: Record, fields: Mapping[str, Any]) -> tuple[list[str], str]:
        """Keys of the files that we have sent, and the transaction in which they are good.

        A list of files replaces the one that is there: where the office has put some, ours is left out.
        """
        data, name = fields.get("photo_data"), str(fields.get("photo_name") or "photo.jpg")
        form = await self._records.forms.of("ticket")
        places = [n for n, text in self._kind.block.write.items() if text.strip() == "photo_keys"]
        widget = form.layout.find(places[0]) if places else None
        if not data or widget is None or widget.type not in FILES:
            return [], ""
        if record.get(widget.name):
            log.info("ticket %s has files in %s already: the photo is not added", record["_id"], widget.name)
            return [], ""
        transaction = str(uuid.uuid4())
        try:
            return [await self._sent(form.address, transaction, name, bytes(data))], transaction
        except ErpRefused as reason:  # a repair is over, with or without its picture
            log.warning("ticket %s is closed without its photo: %s", record["_id"], reason)
            return [], ""

    async def _sent(self, address: Mapping[str, str], transaction: str, name: str, data: bytes) -> str:
        client = self._records.client
        path = "v5/app/entry/file/get_upload_token"
        answer = await client.read(path, {**address, "transaction_id": transaction})
        places = rows_of(answer, "token_and_url_list", "the wish to send a file")
        url = places[0].get("url") if places else None
        if not url or not isinstance(url, str):
            raise ErpUnavailable("Jiandaoyun gave no place to send a file to")
        return await client.upload(url, str(places[0].get("token") or ""), name, data)


def _headline(fields: Mapping[str, Any]) -> str | None:
    """A machine without a number in the ERP is named in the text."""
    title = str(fields.get("title") or "")[:HEADLINE]
    if title and not fields.get("equipment"):
        return f"{title} ({fields.get('equipment_name') or fields.get('equipment_path') or '?'})"
    return title or None
