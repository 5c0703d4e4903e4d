"""Maintenance tickets 设备报修单: the bill's life, and the technician's photo."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.kingdee_answers import FORBIDDEN, KingdeeRefusal, identity
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_documents import APPROVED, IN_APPROVAL, Document, Documents
from erp_bridge.kingdee_kinds import Kind
from erp_bridge.kingdee_reading import AT_ONCE, Reader
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024  # bytes of an attachment in one call
STATES_AT_ONCE = 200
HEADLINE = 200  # characters; a text field of the designer holds 255


class Tickets:
    def __init__(self, config: KingdeeConfig, client: KingdeeClient, kind: Kind) -> None:
        self._config = config
        self._client = client
        self._documents = Documents(client)
        self._kind = kind
        self._reader = Reader(client, kind)

    async def find(self, key: str) -> Document | None:
        return await self._documents.keyed(self._kind, key)

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Adopt the ticket that carries the key, else make it."""
        found = await self.find(key) or await self._documents.create_or_adopt(
            self._kind, key, self._written(fields, key=key)
        )
        if self._config.ticket.submit_on_create and not found.is_final:
            await self._documents.advance(self._kind.form, found, IN_APPROVAL)
        return found.id, found.number

    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has approved or voided is left as they want it, unless we open it again."""
        document = await self._documented(erp_id)
        if document.is_final and (fields.get("state") != "reopened" or document.voided):
            log.info("%s was finished in Kingdee by hand: not updated", document.number)
            return
        life = self._config.ticket
        if document.status == APPROVED:
            await self._documents.advance(self._kind.form, document, "D")
        if fields.get("state") == "reopened" and life.reopen_operation and await self._ended(erp_id):
            await self._documents.operate(self._kind.form, document, life.reopen_operation)
        await self._save(document, self._written(fields))
        if life.submit_on_create:
            await self._documents.advance(self._kind.form, await self._documented(erp_id), IN_APPROVAL)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        document = await self._documented(erp_id)
        if document.is_final:
            return
        if fields.get("photo_data") and not await self._has_photo(erp_id, fields):
            await self._attach(document, fields)
        life = self._config.ticket
        if life.close_operation and await self._ended(erp_id):
            return
        await self._save(document, self._written(fields))
        if life.close_operation:
            await self._documents.operate(self._kind.form, document, life.close_operation)
        elif life.approve_on_close:
            await self._documents.advance(self._kind.form, await self._documented(erp_id), APPROVED)

    async def _save(self, document: Document, fields: Mapping[str, Any]) -> None:
        """Under approval some fields may be written; where they may not, the submission is taken back."""
        try:
            await self._documents.change(self._kind, document.id, fields)
        except KingdeeRefusal as refusal:
            if document.status != IN_APPROVAL or refusal.code not in FORBIDDEN:
                raise
            await self._documents.advance(self._kind.form, document, "D")
            await self._documents.change(self._kind, document.id, fields)

    async def _ended(self, erp_id: str) -> bool:
        """By the operation, whatever our own state field says."""
        rows = await self._client.query(
            self._kind.form, ["FID", "FCloseStatus"], f"FID={int(erp_id)}", most=1
        )
        return bool(rows) and rows[0]["FCloseStatus"] == "B"

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        """What is not there any more is left out."""
        out: dict[str, str] = {}
        for at in range(0, len(erp_ids), STATES_AT_ONCE):
            chunk = [i for i in erp_ids[at : at + STATES_AT_ONCE] if i.isascii() and i.isdecimal()]
            if chunk:
                rows = await self._reader.rows(f"FID in ({','.join(chunk)})")
                told = {str(r.get("erp_id")): "closed" if r.get("closed") else "open" for r in rows}
                out |= {erp_id: state for erp_id, state in told.items() if erp_id in chunk}
        return out

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Voided ones do not count."""
        out: dict[str, list[str]] = {}
        for at in range(0, len(keys), AT_ONCE):
            for document, key in await self._documents.carrying(self._kind, keys[at : at + AT_ONCE]):
                if not document.voided:
                    out.setdefault(key, []).append(document.number)
        return out

    async def _documented(self, erp_id: str) -> Document:
        document = await self._documents.by_id(self._kind.form, erp_id)
        if document is None:
            raise ErpRefused(f"{self._kind.form} {erp_id} is not in Kingdee any more")
        return document

    def _written(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        employee = self._config.employees.get(str(fields.get("person") or ""))
        known = {"key": key, "headline": _headline(fields), "employee": employee}
        return self._kind.map.written({**fields, **known})

    # ------------------------------------------------------------------ the technician's photo
    async def _has_photo(self, erp_id: str, fields: Mapping[str, Any]) -> bool:
        """The photo's number is written after the photo: where it stands, the photo was taken over."""
        if not self._kind.map.reads("photo"):
            return False
        rows = await self._reader.rows(f"FID={int(erp_id)}")
        mine = [row for row in rows if row.get("erp_id") == erp_id]
        return any(row.get("photo") == fields.get("photo") for row in mine)

    async def _attach(self, document: Document, fields: Mapping[str, Any]) -> None:
        data, file_id = bytes(fields["photo_data"]), ""
        for start in range(0, len(data), CHUNK):
            part = {
                "FileName": str(fields.get("photo_name") or "photo"), "FormId": self._kind.form,
                "InterId": document.id, "BillNO": document.number, "EntryinterId": -1, "FileId": file_id,
                "IsLast": start + CHUNK >= len(data),
                "SendByte": base64.b64encode(data[start : start + CHUNK]).decode(),
            }  # fmt: skip
            result = await self._client.write("AttachmentUpload", self._kind.form, part)
            file_id = identity(result.get("FileId"))
            if not (file_id or part["IsLast"]):
                raise ErpUnavailable("Kingdee took a part of a photo without telling its id", in_doubt=True)


def _headline(fields: Mapping[str, Any]) -> str | None:
    """A machine without a number in the ERP is named in the text."""
    title = str(fields.get("title") or "")[:HEADLINE]
    if title and not fields.get("equipment"):
        return f"{title} ({fields.get('equipment_name') or fields.get('equipment_path') or '?'})"
    return title or None
