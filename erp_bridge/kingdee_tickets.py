"""Maintenance tickets 设备报修单: our fields in the bill's keys, and the bill's life."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from erp_bridge.kingdee_client import KingdeeClient, KingdeeRefusal
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_documents import APPROVED, IN_APPROVAL, Document, Documents
from erp_bridge.kingdee_orders import identity
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024  # bytes of an attachment in one call
STATES_AT_ONCE = 200
TITLE = 200  # characters; a text field of the designer holds 255
_MOMENT_OF_STATE = {"accepted": "accepted_at", "on-site": "arrived_at", "closed": "closed_at"}


class Tickets:
    def __init__(self, config: KingdeeConfig, client: KingdeeClient) -> None:
        self._config = config
        self._client = client
        self._documents = Documents(client)
        self._form = config.ticket.form

    async def find(self, key: str) -> Document | None:
        found = await self._documents.keyed(self._form, self._config.ticket.keys.key, key)
        if len(found) > 1:
            numbers = ", ".join(d.number for d in found)
            log.error("%s is in Kingdee %d times (%s): using %s", key, len(found), numbers, found[0].number)
        return found[0] if found else None

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Adopt the ticket that carries the key, else make it."""
        found = await self.find(key) or await self._create(key, fields)
        if self._config.ticket.submit_on_create and not found.is_final:
            await self._documents.advance(self._form, found, IN_APPROVAL)
        return found.id, found.number

    async def _create(self, key: str, fields: Mapping[str, Any]) -> Document:
        try:
            document_id, number = await self._documents.create(self._form, self._model(fields, key=key))
        except KingdeeRefusal as refusal:
            if not refusal.is_duplicate:
                raise
            found = await self.find(key)
            if found is None:
                raise ErpUnavailable(
                    f"{key} is in Kingdee, which does not show it yet", in_doubt=True
                ) from None
            return found
        return Document(document_id, number, "A", voided=False)

    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has approved or voided is left as they want it, unless we open it again."""
        document = await self._documented(erp_id)
        if document.is_final and (fields.get("state") != "reopened" or document.voided):
            log.info("%s was finished in Kingdee by hand: not updated", document.number)
            return
        if document.status == APPROVED:
            await self._documents.advance(self._form, document, "D")
        await self._documents.change(self._form, erp_id, self._model(fields))

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        document = await self._documented(erp_id)
        if document.is_final:
            return
        if fields.get("photo_data") and not await self._has_photo(erp_id, fields):
            await self._attach(document, fields)
        await self._documents.change(self._form, erp_id, self._model(fields))
        if self._config.ticket.approve_on_close:
            await self._documents.advance(self._form, document, APPROVED)

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        """What is not there any more is left out."""
        out: dict[str, str] = {}
        for at in range(0, len(erp_ids), STATES_AT_ONCE):
            chunk = [i for i in erp_ids[at : at + STATES_AT_ONCE] if i.isdigit()]
            if chunk:
                out |= await self._states(chunk)
        return out

    async def _states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        ticket = self._config.ticket
        keys = ["FID", "FDocumentStatus", "FCancelStatus", *filter(None, [ticket.keys.state])]
        rows = await self._client.query(self._form, keys, f"FID in ({','.join(erp_ids)})")
        return {
            identity(r["FID"]): "closed"
            if r["FDocumentStatus"] == APPROVED
            or r["FCancelStatus"] == "B"
            or r.get(ticket.keys.state) in ticket.closed_codes
            else "open"
            for r in rows
        }

    async def _documented(self, erp_id: str) -> Document:
        document = await self._documents.by_id(self._form, erp_id)
        if document is None:
            raise ErpRefused(f"{self._form} {erp_id} is not in Kingdee any more")
        return document

    # ------------------------------------------------------------------ our fields in their keys
    def _model(self, fields: Mapping[str, Any], key: str = "") -> dict[str, Any]:
        ticket = self._config.ticket
        values: dict[str, Any] = {"key": key}
        for name in ("title", "fault_code", "order", "cause_class", "cause", "photo", "note", "person_name"):
            values[name] = fields.get(name)
        values["title"] = self._title(fields)
        for name in ("opened_at", "stopped_at"):
            values[name] = self._local(fields.get(name))
        state = str(fields.get("state") or "")
        values["state"] = ticket.states.get(state)
        values["priority"] = ticket.priorities.get(int(fields.get("priority") or 0))
        if state in _MOMENT_OF_STATE:
            values[_MOMENT_OF_STATE[state]] = self._local(fields.get("at"))
        values["equipment"] = _referring(fields.get("equipment"))
        values["person"] = _referring(self._config.employees.get(str(fields.get("person") or "")))
        downtime = fields.get("downtime")
        values["downtime_minutes"] = _minutes(downtime) if isinstance(downtime, timedelta) else None
        named = ((getattr(ticket.keys, name), value) for name, value in values.items())
        return {their_key: value for their_key, value in named if their_key and value not in (None, "")}

    def _title(self, fields: Mapping[str, Any]) -> str:
        """A machine without a number in the ERP is named in the text."""
        title = str(fields.get("title") or "")[:TITLE]
        if title and not fields.get("equipment"):
            return f"{title} ({fields.get('equipment_name') or fields.get('equipment_path') or '?'})"
        return title

    def _local(self, at: object) -> str | None:
        return (
            at.astimezone(self._config.zone).strftime("%Y-%m-%d %H:%M:%S")
            if isinstance(at, datetime)
            else None
        )

    # ------------------------------------------------------------------ the technician's photo
    async def _has_photo(self, erp_id: str, fields: Mapping[str, Any]) -> bool:
        """The photo's number is written after the photo: where it stands, the photo was taken over."""
        key = self._config.ticket.keys.photo
        if not key:
            return False
        rows = await self._client.query(self._form, ["FID", key], f"FID={int(erp_id)}", most=1)
        return bool(rows) and rows[0][key] == fields.get("photo")

    async def _attach(self, document: Document, fields: Mapping[str, Any]) -> None:
        data, file_id = bytes(fields["photo_data"]), ""
        for start in range(0, len(data), CHUNK):
            part = {
                "FileName": str(fields.get("photo_name") or "photo"), "FormId": self._form,
                "InterId": document.id, "BillNO": document.number, "EntryinterId": -1, "FileId": file_id,
                "IsLast": start + CHUNK >= len(data),
                "SendByte": base64.b64encode(data[start : start + CHUNK]).decode(),
            }  # fmt: skip
            result = await self._client.write("AttachmentUpload", self._form, part)
            file_id = str(result.get("FileId") or "")


def _referring(number: object) -> dict[str, str] | None:
    return {"FNumber": str(number)} if number else None


def _minutes(span: timedelta) -> float:
    return round(span.total_seconds() / 60, 1)
