"""Documents of any form: found by key, saved, moved along their life cycle, each step looked at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from erp_bridge.kingdee_client import KingdeeClient, quoted
from erp_bridge.kingdee_orders import identity
from hub.errors import ErpRefused, ErpUnavailable

APPROVED, IN_APPROVAL = "C", "B"
_VOIDED = "B"  # FCancelStatus 作废
_STEPS = {  # (state wanted, state found): calls that lead there
    (IN_APPROVAL, "A"): ("Submit",),
    (IN_APPROVAL, "D"): ("Submit",),
    (APPROVED, "A"): ("Submit", "Audit"),
    (APPROVED, "D"): ("Submit", "Audit"),
    (APPROVED, "B"): ("Audit",),
    ("D", "C"): ("UnAudit",),
}


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    number: str
    status: str  # Z draft, A created, B in approval, C approved, D re-opened
    voided: bool

    @property
    def is_final(self) -> bool:
        return self.status == APPROVED or self.voided


_HEAD = ("FID", "FBillNo", "FDocumentStatus", "FCancelStatus")


class Documents:
    def __init__(self, client: KingdeeClient) -> None:
        self._client = client

    async def keyed(self, form: str, key_field: str, key: str) -> list[Document]:
        """Those that carry our key, the oldest first: more than one is a matter for people."""
        return await self._found(form, f"{key_field}={quoted(key)}", most=10)

    async def by_id(self, form: str, document_id: str) -> Document | None:
        found = await self._found(form, f"FID={_number(document_id)}", most=1)
        return found[0] if found else None

    async def _found(self, form: str, where: str, most: int) -> list[Document]:
        rows = await self._client.query(form, _HEAD, where, most=most)
        return [
            Document(
                identity(r["FID"]),
                r["FBillNo"] or "",
                r["FDocumentStatus"] or "",
                r["FCancelStatus"] == _VOIDED,
            )
            for r in rows
        ]

    async def create(self, form: str, model: Mapping[str, Any]) -> tuple[str, str]:
        """(id, number). ErpUnavailable.in_doubt: it may be there all the same."""
        result = await self._client.write(
            "Save", form, {"IsDeleteEntry": False, "Model": {"FID": 0, **model}}
        )
        if not result.get("Id"):
            raise ErpUnavailable("Kingdee saved a document without telling its id", in_doubt=True)
        return identity(result["Id"]), str(result.get("Number") or "")

    async def change(
        self, form: str, document_id: str, fields: Mapping[str, Any], entry_keys: Sequence[str] = ()
    ) -> None:
        """Write these fields and nothing else; rows that are not named stay."""
        wanted = [*fields, *entry_keys]
        model = {"FID": _number(document_id), **fields}
        data = {"NeedUpDateFields": wanted, "IsDeleteEntry": False, "Model": model}
        await self._client.write("Save", form, data)

    async def advance(self, form: str, document: Document, wanted: str) -> None:
        """Submit and approve (or take approval back) as far as is still needed."""
        if document.status == wanted or (wanted == IN_APPROVAL and document.status == APPROVED):
            return
        steps = _STEPS.get((wanted, document.status))
        if steps is None:
            raise ErpRefused(
                f"{form} {document.number} is in state {document.status}: it cannot become {wanted}"
            )
        for step in steps:
            await self._move(step, form, document)

    async def _move(self, step: str, form: str, document: Document) -> None:
        result = await self._client.write(step, form, {"Ids": document.id})
        moved = [identity(e.get("Id")) for e in result.get("ResponseStatus", {}).get("SuccessEntitys") or []]
        if document.id not in moved:  # success for nobody: the ids were not understood
            raise ErpUnavailable(f"Kingdee did not {step} {document.number}", in_doubt=True)


def _number(document_id: str) -> int:
    if not document_id.isdigit():
        raise ErpRefused(f"{document_id!r} is not the id of a Kingdee document")
    return int(document_id)
