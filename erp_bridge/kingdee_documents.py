"""Documents of any form: found by key, saved, moved along their life cycle, each step looked at first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from erp_bridge.kingdee_client import UNKNOWN_KEY, KingdeeClient, KingdeeRefusal, quoted
from erp_bridge.kingdee_kinds import Kind, named_in
from erp_bridge.kingdee_orders import identity
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

Send = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]

APPROVED, IN_APPROVAL, CREATED = "C", "B", "A"
VOIDED = "B"  # FCancelStatus 作废
_RANK = {"Z": -1, "A": 0, "D": 0, "B": 1, "C": 2}
_STEPS = {  # (state wanted, state found): calls that lead there
    (IN_APPROVAL, "A"): ("Submit",),
    (IN_APPROVAL, "D"): ("Submit",),
    (APPROVED, "A"): ("Submit", "Audit"),
    (APPROVED, "D"): ("Submit", "Audit"),
    (APPROVED, "B"): ("Audit",),
    ("D", "C"): ("UnAudit",),
    ("D", "B"): ("CancelAssign",),
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

    def reached(self, wanted: str) -> bool:
        return self.voided or _RANK.get(self.status, -1) >= _RANK[wanted]


_HEAD = ("FID", "FBillNo", "FDocumentStatus", "FCancelStatus")


class Documents:
    def __init__(self, client: KingdeeClient) -> None:
        self._client = client

    # ------------------------------------------------------------------ looking
    async def keyed(self, kind: Kind, key: str) -> Document | None:
        """The one that carries our key, the oldest first: more than one is a matter for people."""
        found = await self.found(kind.form, f"{kind.key}={quoted(key)}", most=10)
        if len(found) > 1:
            numbers = ", ".join(d.number for d in found)
            log.error("%s is in Kingdee %d times (%s): using %s", key, len(found), numbers, found[0].number)
        return found[0] if found else None

    async def by_id(self, form: str, document_id: str) -> Document | None:
        found = await self.found(form, f"FID={_number(document_id)}", most=1)
        return found[0] if found else None

    async def found(self, form: str, where: str, most: int) -> list[Document]:
        rows = await self._client.query(form, _HEAD, where, most=most)
        found = [
            Document(
                identity(r["FID"]),
                r["FBillNo"] or "",
                r["FDocumentStatus"] or "",
                r["FCancelStatus"] == VOIDED,
            )
            for r in rows
        ]
        return list({d.id: d for d in found}.values())  # a key in an entry: one row for each line

    # ------------------------------------------------------------------ writing
    async def create(self, kind: Kind, fields: Mapping[str, Any]) -> Document:
        """ErpUnavailable.in_doubt: it may be there all the same."""

        async def send(present: Mapping[str, Any]) -> dict[str, Any]:
            asked_for = {"IsDeleteEntry": False, "Model": {"FID": 0, **present}}
            return await self._client.write("Save", kind.form, asked_for)

        result = await self._forgiving(kind, fields, send)
        if not result.get("Id"):
            raise ErpUnavailable("Kingdee saved a document without telling its id", in_doubt=True)
        return Document(identity(result["Id"]), str(result.get("Number") or ""), CREATED, voided=False)

    async def create_or_adopt(self, kind: Kind, key: str, model: Mapping[str, Any]) -> Document:
        """A key that is taken belongs to a document of an earlier try."""
        try:
            return await self.create(kind, model)
        except KingdeeRefusal as refusal:
            if not refusal.is_duplicate:
                raise
        found = await self.keyed(kind, key)
        if found is None:
            raise ErpUnavailable(f"{key} is in Kingdee, which does not show it yet", in_doubt=True)
        return found

    async def change(
        self, kind: Kind, document_id: str, fields: Mapping[str, Any], lines: Mapping[str, str] | None = None
    ) -> None:
        """Write these fields and nothing else; rows that are not named stay. `lines`: entry -> line id."""

        async def send(present: Mapping[str, Any]) -> dict[str, Any]:
            return await self._client.write("Save", kind.form, _update(document_id, present, lines or {}))

        if kind.present(fields):
            await self._forgiving(kind, fields, send)

    async def _forgiving(self, kind: Kind, fields: Mapping[str, Any], send: Send) -> dict[str, Any]:
        """A bill that lacks one of our profile's extra fields takes the rest: a ticket without its minutes is
        better than none. Nothing was done when a field is not known."""
        try:
            return await send(kind.present(fields))
        except KingdeeRefusal as refusal:
            missing = await self._missing(kind, fields) if refusal.code == UNKNOWN_KEY else set()
            if not missing:
                raise
        log.warning("Kingdee has no %s on %s: going on without", ", ".join(sorted(missing)), kind.form)
        kind.lacking.update(missing)
        return await send(kind.present(fields))

    async def _missing(self, kind: Kind, fields: Mapping[str, Any]) -> set[str]:
        """An unknown value of a field is refused like an unknown field: a query tells them apart."""
        possible = sorted((named_in(fields) & kind.extras) - kind.lacking)
        return {key for key in possible if not await self._client.knows(kind.form, key)}

    async def lines(self, form: str, document_id: str, fields: Mapping[str, Any]) -> dict[str, str]:
        """The id of the first line of each entry that `fields` writes to."""
        found: dict[str, str] = {}
        for entry in (name for name, value in fields.items() if isinstance(value, list)):
            key = f"{entry}_FEntryId"
            rows = await self._client.query(form, ["FID", key], f"FID={_number(document_id)}", most=1)
            if not rows or not rows[0][key]:
                raise ErpUnavailable(f"Kingdee does not show {form} {document_id} yet", in_doubt=True)
            found[entry] = identity(rows[0][key])
        return found

    # ------------------------------------------------------------------ its life
    async def advance(self, form: str, document: Document, wanted: str) -> None:
        """Submit and approve (or take approval back) as far as is still needed."""
        if document.status == wanted or (wanted in "AB" and document.reached(wanted)):
            return
        steps = _STEPS.get((wanted, document.status))
        if steps is None:
            raise ErpRefused(
                f"{form} {document.number} is in state {document.status}: it cannot become {wanted}"
            )
        for step in steps:
            await self._move(step, form, document)

    async def _move(self, step: str, form: str, document: Document) -> None:
        self._moved(step, document, await self._client.write(step, form, {"Ids": document.id}))

    async def operate(self, form: str, document: Document, operation: str) -> None:
        self._moved(operation, document, await self._client.operate(form, operation, document.id))

    def _moved(self, step: str, document: Document, result: Mapping[str, Any]) -> None:
        moved = [identity(e.get("Id")) for e in result.get("ResponseStatus", {}).get("SuccessEntitys") or []]
        if document.id not in moved:  # success for nobody: the ids were not understood
            raise ErpUnavailable(f"Kingdee did not {step} {document.number}", in_doubt=True)


def _update(document_id: str, fields: Mapping[str, Any], lines: Mapping[str, str]) -> dict[str, Any]:
    wanted: dict[str, None] = {}
    model: dict[str, Any] = {"FID": _number(document_id)}
    for name, value in fields.items():
        wanted[name], model[name] = None, value
        if isinstance(value, list) and name in lines:
            wanted |= dict.fromkeys(value[0])
            model[name] = [{"FEntryID": int(lines[name]), **value[0]}]
    return {"NeedUpDateFields": list(wanted), "IsDeleteEntry": False, "Model": model}


def _number(document_id: str) -> int:
    if not document_id.isdigit():
        raise ErpRefused(f"{document_id!r} is not the id of a Kingdee document")
    return int(document_id)
