"""Documents of any DocType: listed to the end, read whole, mapped by data, written after a look."""

from __future__ import annotations

import asyncio
import html
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge import as_read
from erp_bridge.erpnext_answers import ErpNextRefusal, ErpNextTaken
from erp_bridge.erpnext_client import ErpNextClient, Row
from erp_bridge.erpnext_config import ErpNextConfig
from erp_bridge.erpnext_maps import DOCUMENTS, FILTERS
from erp_bridge.erpnext_meta import Metas, if_allowed
from erp_bridge.fieldmap import FieldMap, MapBlock, asked, compiled
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

Filter = list[Any]
DRAFT, SUBMITTED, CANCELLED = 0, 1, 2
AT_ONCE = 50  # names in one filter: URLs have an end
_PAGE = 20  # rows that Frappe gives when nobody says how many
_KEPT = 5000  # documents
_OF_A_COMPANY = frozenset({"Work Order", "Sales Order", "Asset"})  # whatever this user is told of them
_RICH = frozenset({"Text Editor", "HTML Editor"})
_RICH_BORN = frozenset({("Issue", "description"), ("Issue", "resolution_details")})


class Records:
    """`maps` and `blocks` by document name, the site's laid over ours. Raises ConfigError for a bad one."""

    def __init__(self, config: ErpNextConfig, client: ErpNextClient, clock: Clock) -> None:
        self.config = config
        self.client = client
        self._clock = clock
        self.blocks: dict[str, MapBlock] = {
            name: config.documents.get(name, MapBlock()).over(base) for name, base in DOCUMENTS.items()
        }
        self.maps: dict[str, FieldMap] = {
            name: compiled(block, config.zone, f"documents.{name}") for name, block in self.blocks.items()
        }
        self.metas = Metas(client, clock, self.listed)
        self.meta = self.metas.of
        self._kept: dict[tuple[str, str], tuple[str, Row]] = {}
        self._turns = asyncio.Semaphore(config.parallel)

    def form(self, document: str) -> str:
        return self.blocks[document].form

    def filters(self, document: str) -> list[Filter]:
        return self.config.filters.get(document, FILTERS.get(document, []))

    def read(self, document: str, record: Row) -> Row:
        """In our fields. Raises ErpRefused naming the map's field."""
        try:
            return self.maps[document].read(record)
        except ErpRefused as refusal:
            raise ErpRefused(f"documents.{document}.read: {refusal}") from None

    def local(self, at: datetime) -> str:
        """As `modified` is written and compared."""
        return at.astimezone(self.config.zone).strftime("%Y-%m-%d %H:%M:%S.%f")

    # ------------------------------------------------------------------ reading
    async def listed(
        self, doctype: str, filters: Sequence[Filter], fields: Iterable[str], most: int = 0
    ) -> list[Row]:
        """All that fit (or the first `most`), by name. Pages overlap by a row, so that a document that falls
        out between two pages is noticed; then we begin again."""
        for _ in range(3):
            try:
                rows = await self._pages(doctype, filters, fields, most)
            except ErpNextRefusal as refusal:
                raise self._placed(refusal, doctype) from None
            if rows is not None:
                return rows
        raise ErpUnavailable(f"ERPNext's list of {doctype} changes faster than it can be read")

    def _placed(self, refusal: ErpNextRefusal, doctype: str) -> ErpNextRefusal:
        """A DocType that is not there is mended in our maps."""
        place = next((name for name, block in self.blocks.items() if block.form == doctype), "")
        if refusal.status != 404 or not place:
            return refusal
        text = f"{refusal}; see documents.{place}.form"
        return ErpNextRefusal(text, refusal.status, refusal.kind, refusal.said)

    async def _pages(
        self, doctype: str, filters: Sequence[Filter], fields: Iterable[str], most: int
    ) -> list[Row] | None:
        limit = min(most or self.config.page_rows, self.config.page_rows)
        query = {
            "fields": json.dumps(sorted({*fields, "name"})),
            "filters": json.dumps(list(filters), ensure_ascii=False),
            "order_by": "name asc",
            "limit_page_length": str(limit),
        }
        rows: list[Row] = []
        while True:
            start = max(len(rows) - 1, 0)
            page = await self.client.rows(doctype, query | {"limit_start": str(start)})
            if len(rows) > 1 and page and page[0]["name"] == rows[0]["name"]:
                raise ErpUnavailable(
                    f"ERPNext gives the first page of {doctype} again where the next was asked for:"
                    " something before it passes over limit_start"
                )
            if rows and (not page or page[0]["name"] != rows[-1]["name"]):
                return None
            rows += page[1:] if rows else page
            if (len(page) < limit and len(page) != _PAGE) or len(page) < 2 or (most and len(rows) >= most):
                return _once(rows)

    async def whole(self, doctype: str, rows: Sequence[Row]) -> list[Row]:
        """The documents of a list's rows (name and modified); what has not changed is not read again."""
        found = await asyncio.gather(
            *(self._kept_or_read(doctype, row) for row in rows), return_exceptions=True
        )
        for outcome in found:
            if isinstance(outcome, BaseException):
                raise outcome
        return [document for document in found if isinstance(document, dict)]

    async def _kept_or_read(self, doctype: str, row: Row) -> Row | None:
        key, modified = (doctype, str(row["name"])), str(row.get("modified") or "")
        kept = self._kept.get(key)
        if kept and modified and kept[0] == modified:
            return kept[1]
        async with self._turns:
            document = await self.client.one(*key)
        if document is not None:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = str(document.get("modified") or ""), document
        return document

    async def changed(self, doctype: str, since: datetime | None, narrowed: Sequence[Filter]) -> list[Filter]:
        """The filters, and with `since` those written from a little before: clocks and long transactions."""
        out = [*narrowed]
        if since is not None:
            out.append(["modified", ">=", self.local(since - self.config.overlap)])
        meta = await self.meta(doctype)
        if self.config.company and ("company" in meta.fields or doctype in _OF_A_COMPANY):
            out.append(["company", "=", self.config.company])
        return out

    async def mapped(
        self, document: str, filters: Sequence[Filter], extra: Iterable[str] = ()
    ) -> list[tuple[Row, Row]]:
        """(their row, our fields) of every document that fits and can be read, by columns alone."""
        doctype = self.form(document)
        meta = await self.meta(doctype)
        wanted = {name.partition(".")[0] for name in asked(self.blocks[document])} | {*extra}
        for name in sorted(name for name in wanted if meta.lacks(name)):
            log.debug("ERPNext has no %s on %s: going on without it", name, doctype)
        filters = [f for f in filters if not meta.lacks(str(f[0]))]
        rows = await self.listed(doctype, filters, {n for n in wanted if not meta.lacks(n)} | {"docstatus"})
        read = [(row, as_read.read(document, row["name"], self.maps[document], row)) for row in rows]
        return [(row, ours) for row, ours in read if ours is not None]

    async def keyed(self, doctype: str, key: str, fields: Iterable[str] = ()) -> list[Row]:
        """Documents that carry our number; those that still count come first, then the oldest.

        The database compares without case, and `like` has wildcards: what comes back is compared again.
        """
        name = self.config.key_of(doctype)
        marked = name != self.config.key_field
        wanted = [name, "like", f"{_unwild(key)}%"] if marked else [name, "=", key]
        lacks = (await self.meta(doctype)).lacks(name)
        try:
            rows = await self.listed(doctype, [wanted], {*fields, name, "docstatus"})
        except (ErpRefused, ErpUnavailable) as trouble:
            if not lacks:
                raise
            log.debug("%s has no %s, so nothing of ours: %s", doctype, name, trouble)
            return []
        kept = [r for r in rows if _carries(r.get(name), key, marked=marked)]
        if not kept:
            self._all_say(doctype, name, key, rows)
        return sorted(
            kept,
            key=lambda r: (int(r.get("docstatus") or 0) == CANCELLED, len(str(r["name"])), str(r["name"])),
        )

    async def copies(self, doctype: str, keys: Sequence[str]) -> dict[str, list[str]]:
        """Our number -> names of the documents that carry it and count; of those that were all cancelled the
        first."""
        name, found = self.config.key_of(doctype), dict[str, list[Row]]()
        if name != self.config.key_field:  # it begins a text: one look for each
            found = {key: await self.keyed(doctype, key) for key in keys}
        elif not (await self.meta(doctype)).lacks(name):
            for at in range(0, len(keys), AT_ONCE):
                where: list[Filter] = [[name, "in", list(keys[at : at + AT_ONCE])]]
                rows = await self.listed(doctype, where, [name, "docstatus"])
                self._all_say(doctype, name, keys[at], rows)
                for row in rows:
                    found.setdefault(str(row.get(name)), []).append(row)
        return {key: _names(found[key]) for key in keys if found.get(key)}

    def _all_say(self, doctype: str, name: str, key: str, rows: Sequence[Row]) -> None:
        """Raises ErpUnavailable for one without our number: Frappe leaves out what a user may not read."""
        silent = next((row for row in rows if not row.get(name)), None)
        if silent is not None:
            field = "key_field" if name == self.config.key_field else "keys"
            places = [f"documents.{n}" for n, block in self.blocks.items() if block.form == doctype]
            raise unsaid("ERPNext", f"{doctype} {silent['name']}", name, key, ", ".join([*places, field]))

    # ------------------------------------------------------------------ writing
    async def written(self, document: str, fields: Mapping[str, Any]) -> Row:
        """Our fields as the site takes them; rich texts are escaped."""
        doctype, out = self.form(document), self.maps[document].written(fields)
        for name, value in out.items():
            if isinstance(value, str) and await self.rich(doctype, name.rstrip("+")):
                out[name] = html.escape(value, quote=False).replace("\n", "<br>")
        return out

    async def rich(self, doctype: str, name: str) -> bool:
        if (doctype, name) in _RICH_BORN:
            return True
        return (await self.meta(doctype)).fields.get(name, {}).get("fieldtype") in _RICH

    async def create(self, doctype: str, key: str, values: Row) -> Row:
        """Made with our number. ErpNextTaken when somebody was faster; ErpRefused when the number is lost,
        because then nobody could find the document again."""
        name = self.config.key_of(doctype)
        marked = name != self.config.key_field
        if (await self.meta(doctype)).lacks(name) and not await self._answers_to(doctype, name):
            raise ErpRefused(f"ERPNext has no field {name} on {doctype}: add it (unique), see key_field")
        values = values | {name: f"{key} {values.get(name) or ''}".strip() if marked else key}
        try:
            made = await self.client.create(doctype, values)
        except ErpNextRefusal as refusal:
            raise self._placed(refusal, doctype) from None
        if not _carries(made.get(name), key, marked=marked):
            raise ErpRefused(
                f"ERPNext made {doctype} {made['name']} without our number {key}: it has no field {name}."
                f" Add that custom field (unique), see key_field, and write {key} into it by hand"
            )
        lost = dropped(values, made)
        if lost:
            log.warning("ERPNext has no %s on %s: left out of %s", ", ".join(lost), doctype, made["name"])
        return made

    async def _answers_to(self, doctype: str, name: str) -> bool:
        """What a site says of its fields may be old; whether it can be searched by one is certain."""
        try:
            await self.listed(doctype, [[name, "=", "-"]], [name], most=1)
        except ErpRefused:
            return False
        return True

    async def finished(self, doctype: str, key: str, values: Row) -> Row:
        """Found or made, then submitted: a document that was half made is taken up where it was left."""
        found = await self.keyed(doctype, key, ("modified",))
        if not found:
            try:
                found = [await self.create(doctype, key, values)]
            except ErpNextTaken as taken:
                found = await self.keyed(doctype, key, ("modified",))
                if not found:
                    raise hidden(taken, key) from None
        first = found[0]
        if int(first.get("docstatus") or 0) == CANCELLED:
            raise ErpRefused(f"{doctype} {first['name']} for {key} was cancelled in ERPNext by hand")
        return first if int(first.get("docstatus") or 0) == SUBMITTED else await self.submit(doctype, first)

    async def submit(self, doctype: str, row: Row, values: Mapping[str, Any] | None = None) -> Row:
        wanted = {**(values or {}), "docstatus": SUBMITTED} | _version(row)
        return await self.client.change(doctype, str(row["name"]), wanted)

    async def change(self, doctype: str, row: Row, values: Mapping[str, Any]) -> Row:
        """Raises ErpUnavailable when the document was changed since it was read."""
        return await self.client.change(doctype, str(row["name"]), {**values, **_version(row)})

    async def ensure(self, doctype: str, name: str, values: Row) -> None:
        """A record that others name; where the site has no such DocType the name stands for itself."""
        try:
            if await self.client.one(doctype, name) is None:
                await self.client.create(doctype, values)
        except ErpNextTaken:
            return
        except ErpNextRefusal as refusal:
            if refusal.status not in (403, 404):
                raise
            log.debug("ERPNext has no %s for us: %s", doctype, refusal)

    async def comment(self, doctype: str, name: str, text: str) -> None:
        """In the document's time line, once. That a site takes no comments changes nothing."""
        if await if_allowed(self._comment(doctype, name, text)) is None:
            log.info("%s %s: not noted in ERPNext: %s", doctype, name, text)

    async def _comment(self, doctype: str, name: str, text: str) -> bool:
        escaped = html.escape(text, quote=False)
        about: list[Filter] = [["reference_doctype", "=", doctype], ["reference_name", "=", name]]
        there = await self.listed("Comment", about, ["content"])
        if not any(escaped in str(row.get("content") or "") for row in there):
            values = {"comment_type": "Comment", "reference_doctype": doctype, "reference_name": name}
            await self.client.create("Comment", values | {"content": escaped})
        return True


def amount(row: Row, name: str) -> float:
    """Of their field, or of ours as a map gives it. Raises ErpRefused for what is none."""
    try:
        return float(row.get(name) or 0)
    except (TypeError, ValueError):
        raise ErpRefused(f"field {name}: {row[name]!r} is no number; map it by number(...)") from None


def rows_of(document: Row, table: str) -> list[Row]:
    """Raises ErpUnavailable where something else stands in the rows' place."""
    rows = document.get(table) or []
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    raise ErpUnavailable(f"ERPNext gave {document.get('name')} with {table} that are no rows")


def hidden(taken: ErpNextTaken, key: str) -> Exception:
    """The site has this number already and does not show it; or it names another field that is unique."""
    if key in taken.said or "must be unique" not in taken.said:
        return ErpUnavailable(f"{key} is in ERPNext, which does not show it yet: {taken.said}", in_doubt=True)
    return taken


def dropped(sent: Row, taken: Row) -> list[str]:
    """Fields of the site's own that did not arrive: Frappe passes over what it does not know."""
    return sorted(n for n, v in sent.items() if n.startswith("custom_") and v and not taken.get(n))


def appended(row: Row, values: Row, *, rich: bool = False) -> Row:
    """`field+`: the line is added to the text, once."""
    out: Row = {}
    for name, value in values.items():
        if not name.endswith("+"):
            out[name] = value
            continue
        text = str(row.get(name[:-1]) or "")
        if value and str(value) not in text:
            out[name[:-1]] = ("<br>" if rich else "\n").join(filter(None, [text, str(value)]))
    return out


def _version(row: Row) -> Row:
    return {"modified": row["modified"]} if row.get("modified") else {}


def _carries(text: Any, key: str, *, marked: bool) -> bool:
    """Our number stands in the field alone, or (`marked`) before a blank."""
    return text == key or (marked and str(text or "").startswith(f"{key} "))


def _names(rows: Sequence[Row]) -> list[str]:
    alive = [r for r in rows if int(r.get("docstatus") or 0) != CANCELLED]
    return sorted(str(r["name"]) for r in alive or rows[:1])


def _once(rows: Iterable[Row]) -> list[Row]:
    return list({str(row.get("name")): row for row in rows}.values())


def _unwild(key: str) -> str:
    return key.replace("\\", "_")
