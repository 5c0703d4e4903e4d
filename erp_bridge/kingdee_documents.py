"""Documents of any form: found by key, saved, moved along their life cycle, each step looked at first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from erp_bridge.kingdee_answers import (
    UNKNOWN_KEY,
    KingdeeRefusal,
    KingdeeTrouble,
    about_columns,
    identity,
    quoted,
    succeeded,
)
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_kinds import Kind, named_in
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


_VOID = "FCancelStatus"
_HEAD = ("FID", "FBillNo", "FDocumentStatus")


class Documents:
    def __init__(self, client: KingdeeClient) -> None:
        self._client = client
        self._never_void: set[str] = set()  # forms without 作废: a bill of the designer may have none

    # ------------------------------------------------------------------ looking
    async def keyed(self, kind: Kind, key: str) -> Document | None:
        """The one that carries our key, the oldest first: more than one is a matter for people."""
        found = [document for document, _ in await self.carrying(kind, [key], most=10)]
        if len(found) > 1:
            numbers = ", ".join(d.number for d in found)
            log.error("%s is in Kingdee %d times (%s): using %s", key, len(found), numbers, found[0].number)
        return found[0] if found else None

    async def carrying(self, kind: Kind, keys: Sequence[str], most: int = 0) -> list[tuple[Document, str]]:
        """Documents that carry exactly one of these keys, each with it.

        ErpUnavailable where others come as well: a look whose question was not heard proves nothing.
        """
        wanted = {key.casefold() for key in keys}
        one_or_more = f"={quoted(keys[0])}" if len(keys) == 1 else f" in ({','.join(map(quoted, keys))})"
        rows = await self._heads(kind.form, kind.key + one_or_more, kind.key, most)
        strange = [r for r in rows if identity(r[kind.key]).casefold() not in wanted]
        if strange:
            raise ErpUnavailable(
                f"Kingdee was asked for {kind.form} {keys[0]} and shows {identity(strange[0]['FBillNo'])}:"
                " the filter is ignored by it or by what stands before it"
            )
        mine = [r for r in rows if identity(r[kind.key]) in keys]
        found = {d.id: (d, identity(r[kind.key])) for r in mine for d in [_document(kind.form, r)]}
        return list(found.values())  # a key in an entry: one row for each line

    async def by_id(self, form: str, document_id: str) -> Document | None:
        rows = await self._heads(form, f"FID={_number(document_id)}", "FID", most=1)
        found = [_document(form, r) for r in rows]
        if found and found[0].id != document_id:
            raise ErpUnavailable(f"Kingdee was asked for {form} {document_id} and shows {found[0].id}")
        return found[0] if found else None

    async def _heads(self, form: str, where: str, more: str, most: int) -> list[dict[str, Any]]:
        keys = list(dict.fromkeys([*_HEAD, _VOID, more]))
        if form not in self._never_void:
            try:
                return await self._client.query(form, keys, where, most=most)
            except (KingdeeRefusal, KingdeeTrouble) as refusal:
                if not about_columns(refusal) or await self._client.knows(form, _VOID):
                    raise
                self._never_void.add(form)
        keys.remove(_VOID)
        return [r | {_VOID: None} for r in await self._client.query(form, keys, where, most=most)]

    # ------------------------------------------------------------------ writing
    async def create(self, kind: Kind, fields: Mapping[str, Any]) -> Document:
        """ErpUnavailable.in_doubt: it may be there all the same."""

        async def send(present: Mapping[str, Any]) -> dict[str, Any]:
            asked_for = {"IsDeleteEntry": False, "Model": {"FID": 0, **present}}
            return await self._client.write("Save", kind.form, asked_for)

        result = await self._forgiving(kind, fields, send)
        made, number = identity(result.get("Id")), identity(result.get("Number"))
        if not made.isdecimal() or not number:
            raise ErpUnavailable(
                f"Kingdee saved a {kind.form} without telling its id and number", in_doubt=True
            )
        return Document(made, number, CREATED, voided=False)

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
            result = await self._forgiving(kind, fields, send)
            told = succeeded(result) or [found for found in [identity(result.get("Id"))] if found]
            if told and document_id not in told:  # one whose id is not understood is made anew
                raise ErpUnavailable(
                    f"Kingdee was to change {kind.form} {document_id} and has saved {told[0]}", in_doubt=True
                )

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
            line = identity(rows[0][key]) if rows and identity(rows[0]["FID"]) == document_id else ""
            if not line.isdecimal():
                raise ErpUnavailable(f"Kingdee does not show {form} {document_id} yet", in_doubt=True)
            found[entry] = line
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
        if document.id not in succeeded(result):  # success for nobody: the ids were not understood
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


def _document(form: str, row: Mapping[str, Any]) -> Document:
    found = Document(
        identity(row["FID"]), identity(row["FBillNo"]), identity(row["FDocumentStatus"]), row[_VOID] == VOIDED
    )
    if not (found.id.isdecimal() and found.number and found.status):
        raise ErpUnavailable(
            f"Kingdee shows a {form} with id {found.id or '?'}, number {found.number or '?'} and state"
            f" {found.status or '?'}: one of them is missing"
        )
    return found


def _number(document_id: str) -> int:
    if not (document_id.isascii() and document_id.isdecimal()):
        raise ErpRefused(f"{document_id!r} is not the id of a Kingdee document")
    return int(document_id)
