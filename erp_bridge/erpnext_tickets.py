"""Maintenance tickets: an Asset Repair where the machine is an Asset, an Issue anywhere else.

A submitted Asset Repair that is opened again is cancelled and amended, as the office does it: the successor
carries our number with `~1`, because the number is unique, and is found through `amended_from`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.erpnext_answers import ErpNextRefusal, ErpNextTaken
from erp_bridge.erpnext_client import Row
from erp_bridge.erpnext_records import AT_ONCE, CANCELLED, DRAFT, Filter, Records, appended, hidden
from erp_bridge.fieldmap import asked
from hub.errors import ErpRefused

log = logging.getLogger(__name__)

_AGAIN = "~"
_GENERATIONS = 20
_NOT_COPIED = frozenset(
    {"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "doctype", "amended_from",
     "completion_date", "downtime", "repair_status", "naming_series"}
)  # fmt: skip


class Tickets:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._config = records.config
        self._repair, self._support = records.form("repair"), records.form("support")

    # ------------------------------------------------------------------ made once
    async def find(self, key: str) -> tuple[str, str] | None:
        found, refused = await self._look(key)
        if len(refused) > 1:
            raise refused[self._repair]
        return found

    async def _look(self, key: str) -> tuple[tuple[str, str] | None, dict[str, ErpNextRefusal]]:
        """(what was found, where we could not look): a site may have, or show us, one of the kinds alone."""
        refused: dict[str, ErpNextRefusal] = {}
        for doctype in (self._repair, self._support):
            try:
                found = await self._records.keyed(doctype, key)
            except ErpNextRefusal as refusal:
                refused[doctype] = refusal
                continue
            if found:
                names = await self._successors(doctype, [found[0]["name"]])
                return _identity(doctype, next(iter(names.values()))), refused
        return None, refused

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        found, refused = await self._look(key)
        if found is not None:
            return found
        asset = await self._asset(str(fields.get("equipment") or ""))
        document = "repair" if asset else "support"
        doctype = self._records.form(document)
        if doctype in refused:  # nothing is made where it could not be found again
            raise refused[doctype]
        known = {**fields, "asset": asset, "key": key, "company": self._config.company}
        try:
            made = await self._records.create(doctype, key, await self._records.written(document, known))
        except ErpNextTaken as taken:  # somebody was faster
            found = await self.find(key)
            if found is None:
                raise hidden(taken, key) from None
            return found
        return _identity(doctype, str(made["name"]))

    async def _asset(self, number: str) -> Row | None:
        """A machine that the ERP does not have, or has under Workstations only, is named in the text."""
        if not number:
            return None
        if self._config.asset_field == "name":
            found = await self._records.client.one("Asset", number)
        else:
            where: list[Filter] = [[self._config.asset_field, "=", number], ["docstatus", "!=", CANCELLED]]
            rows = await self._records.listed("Asset", where, ["company", self._config.asset_field], most=2)
            found = next((r for r in rows if str(r.get(self._config.asset_field)) == number), None)
        if found is None or int(found.get("docstatus") or 0) == CANCELLED:
            log.info("ERPNext has no Asset %s: its ticket becomes an Issue", number)
            return None
        return found

    # ------------------------------------------------------------------ its life
    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has closed is left as they want it, unless we open it again."""
        doctype, row, closed = await self._current(erp_id)
        again = fields.get("state") == "reopened"
        if closed and not again:
            log.info("%s %s was closed in ERPNext by hand: not updated", doctype, row["name"])
            return
        if closed and doctype == self._repair and int(row.get("docstatus") or 0) != DRAFT:
            await self._amend(row, fields)
            return
        await self._write(doctype, row, "step", fields)
        if fields.get("state") == "accepted":
            await self._assign(doctype, row, fields)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        doctype, row, closed = await self._current(erp_id)
        if closed:
            return
        await self._attach(doctype, row, fields)
        submitted = {"docstatus": 1} if doctype == self._repair and self._config.submit_repairs else {}
        await self._write(doctype, row, "closing", fields, submitted)

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        """What is not there any more is left out."""
        out: dict[str, str] = {}
        for document in ("repair", "support"):
            doctype = self._records.form(document)
            wanted = {i: name for i in erp_ids for form, name in [_parted(i)] if form == doctype}
            live = await self._successors(doctype, list(wanted.values()))
            closed = await self._closed(document, sorted({*live.values()}))
            out |= {i: closed[live[name]] for i, name in wanted.items() if live[name] in closed}
        return out

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Of both kinds, where this site has both."""
        out: dict[str, list[str]] = {}
        refused: list[ErpNextRefusal] = []
        for doctype in (self._repair, self._support):
            try:
                for key, names in (await self._records.copies(doctype, keys)).items():
                    out.setdefault(key, []).extend(names)
            except ErpNextRefusal as refusal:
                refused.append(refusal)
        if len(refused) > 1:
            raise refused[0]
        return out

    async def _closed(self, document: str, names: Sequence[str]) -> dict[str, str]:
        out = {}
        for at in range(0, len(names), AT_ONCE):
            where = [["name", "in", names[at : at + AT_ONCE]]]
            columns = asked(self._records.blocks[document])
            for row, ours in await self._records.mapped(document, where, columns):
                out[str(row["name"])] = "closed" if ours.get("closed") else "open"
        return out

    async def _successors(self, doctype: str, names: Sequence[str]) -> dict[str, str]:
        """Each name -> what it has been amended to, itself where it has not."""
        live = {name: name for name in names}
        if doctype != self._repair:
            return live
        fresh = sorted({*names})
        for _ in range(_GENERATIONS):
            if not fresh:
                break
            after = await self._amended(doctype, fresh)
            live = {name: after.get(now, now) for name, now in live.items()}
            fresh = sorted({*after.values()})
        return live

    async def _amended(self, doctype: str, names: Sequence[str]) -> dict[str, str]:
        """Of these, the ones that have a successor."""
        after: dict[str, str] = {}
        for at in range(0, len(names), AT_ONCE):
            where = [["amended_from", "in", list(names[at : at + AT_ONCE])]]
            rows = await self._records.listed(doctype, where, ["amended_from"])
            after |= {str(r.get("amended_from")): str(r["name"]) for r in rows}
        return {name: after[name] for name in names if name in after}

    async def _current(self, erp_id: str) -> tuple[str, Row, bool]:
        doctype, name = _parted(erp_id)
        if doctype not in (self._repair, self._support) or not name:
            raise ErpRefused(f"{erp_id!r} is no ticket of ERPNext")
        live = (await self._successors(doctype, [name]))[name]
        row = await self._records.client.one(doctype, live)
        if row is None:
            raise ErpRefused(f"{doctype} {live} is not in ERPNext any more")
        document = "repair" if doctype == self._repair else "support"
        return doctype, row, bool(self._records.read(document, row).get("closed"))

    async def _write(
        self, doctype: str, row: Row, what: str, fields: Mapping[str, Any], more: Row | None = None
    ) -> None:
        document = f"{'repair' if doctype == self._repair else 'support'}_{what}"
        rich = doctype == self._support
        values = appended(row, await self._records.written(document, {**fields, "ticket": row}), rich=rich)
        values = {n: v for n, v in values.items() if row.get(n) != v} | (more or {})
        if values:
            await self._records.change(doctype, row, values)

    async def _amend(self, row: Row, fields: Mapping[str, Any]) -> None:
        if int(row["docstatus"]) != CANCELLED:
            await self._records.client.call(
                "frappe.client.cancel", {"doctype": self._repair, "name": row["name"]}
            )
        name = self._config.key_of(self._repair)
        key, _, count = str(row.get(name) or row["name"]).partition(" ")[0].partition(_AGAIN)
        kept = {n: v for n, v in row.items() if n not in _NOT_COPIED and not n.startswith("_")}
        values = {n: _copied(v) for n, v in kept.items() if v is not None}
        values[name] = str(row.get(name) or "").partition(" ")[2]  # the text that a marker stands before
        step = appended(row, await self._records.written("repair_step", {**fields, "ticket": row}))
        values |= {"repair_status": "Pending", **step, "amended_from": row["name"]}
        try:
            await self._records.create(self._repair, f"{key}{_AGAIN}{int(count or 0) + 1}", values)
        except ErpNextTaken as taken:
            if (await self._successors(self._repair, [row["name"]]))[row["name"]] == row["name"]:
                raise hidden(taken, key) from None

    # ------------------------------------------------------------------ what hangs on it
    async def _attach(self, doctype: str, row: Row, fields: Mapping[str, Any]) -> None:
        """Before the ticket is closed; the same photo is there once."""
        data, name = fields.get("photo_data"), str(fields.get("photo_name") or "photo")
        if not data:
            return
        where = [["attached_to_doctype", "=", doctype], ["attached_to_name", "=", row["name"]]]
        there = await self._records.listed("File", where, ["file_name", "attached_to_name"])
        stem, _, suffix = name.rpartition(".")  # a name that is taken gets a few more letters
        names = [str(f.get("file_name")) for f in there if f.get("attached_to_name") == row["name"]]
        if any(n.startswith(stem) and n.endswith(suffix) for n in names):
            return
        about = {"doctype": doctype, "docname": str(row["name"]), "is_private": "1"}
        await self._records.client.upload(about, name, bytes(data))

    async def _assign(self, doctype: str, row: Row, fields: Mapping[str, Any]) -> None:
        """Whoever has accepted it gets it on their list; that this fails stops no repair."""
        user = self._config.users.get(str(fields.get("person") or ""))
        if not user:
            return
        where = [["reference_type", "=", doctype], ["reference_name", "=", row["name"]]]
        try:
            if await self._records.listed("ToDo", [*where, ["allocated_to", "=", user]], []):
                return
            arguments = {"doctype": doctype, "name": row["name"], "assign_to": json.dumps([user])}
            await self._records.client.call("frappe.desk.form.assign_to.add", arguments)
        except ErpNextRefusal as refusal:
            log.warning("%s %s is not assigned to %s: %s", doctype, row["name"], user, refusal)


def _identity(doctype: str, name: str) -> tuple[str, str]:
    return f"{doctype}/{name}", name


def _parted(erp_id: str) -> tuple[str, str]:
    doctype, _, name = erp_id.partition("/")
    return doctype, name


def _copied(value: Any) -> Any:
    """Rows of a table without what belongs to the rows they are copied from."""
    if not isinstance(value, list):
        return value
    gone = {"name", "parent", "docstatus", "creation", "modified", "owner", "modified_by"}
    return [{n: v for n, v in row.items() if n not in gone} for row in value if isinstance(row, dict)]
