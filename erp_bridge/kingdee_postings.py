"""Reports and other postings: pushed 下推 from the line they belong to, given our number, approved.

Push is not idempotent and takes no key of ours. A bill is therefore ours in two stages: fresh from Push it is
known by its source, its maker (our user) and its empty key; from our Save on it carries the key. Bills
without a source are saved with their key at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.fieldmap import FieldMap, MapBlock, compiled
from erp_bridge.kingdee_answers import KingdeeRefusal, identity, quoted, succeeded
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_config import KingdeeConfig, PostingBlock
from erp_bridge.kingdee_documents import APPROVED, CREATED, IN_APPROVAL, Document, Documents
from erp_bridge.kingdee_kinds import Kind
from erp_bridge.kingdee_maps import POSTINGS
from erp_bridge.kingdee_orders import bill_and_line
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

_END = {"saved": CREATED, "submitted": IN_APPROVAL, "approved": APPROVED, None: APPROVED}
_BAD_PARAMETER = 8
_ORDERS = "PRD_MO"
_SOURCE = {"source_id": "FID", "source_number": "FBillNo"}
_WANTED = {
    "SFC_OperationPlanning": "operation plan",
    "PRD_MO": "production order line",
    "PRD_PPBOM": "material list line",
}


class Postings:
    """Bills of one kind. `shared`: another kind uses the same form, so that keys need telling apart.
    `filters`: form -> what of it is ours; another plant's order may have the same number."""

    def __init__(
        self,
        config: KingdeeConfig,
        client: KingdeeClient,
        clock: Clock,
        kind: Kind,
        *,
        shared: bool = False,
        filters: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._documents = Documents(client)
        self._kind = kind
        site = config.postings.get(kind.name)  # type: ignore[call-overload]
        self.way: PostingBlock = site.over(POSTINGS[kind.name]) if site else POSTINGS[kind.name]
        where = f"erp.with.postings.{kind.name}"
        self._match = self._compiled(self.way.match, f"{where}.match")
        self._trace = self._compiled(self.way.trace, f"{where}.trace")
        self._end = _END[self.way.until]
        self._mark = f"#{kind.name}" if shared else ""
        self._mine = filters or {}
        # between Push and Save a bill is anybody's who looks for a lost one of the same line
        self._pushing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def _compiled(self, expressions: Mapping[str, str] | None, where: str) -> FieldMap:
        return compiled(MapBlock(write=dict(expressions or {})), self._config.zone, where)

    @property
    def name(self) -> str:
        return self._kind.name

    def source_columns(self) -> list[str]:
        """What we look for a source by: a probe asks whether it is there."""
        return [f"{self.way.entry}_FEntryId", *(self.way.match or {})]

    async def find(self, key: str) -> str | None:
        """The number of the finished bill; one that is half done does not count."""
        found = await self._documents.keyed(self._kind, key + self._mark)
        return found.number if found is not None and found.reached(self._end) else None

    async def post(self, key: str, fields: Mapping[str, Any]) -> str:
        """Carry on from wherever an earlier try has ended."""
        key += self._mark
        found = await self._documents.keyed(self._kind, key) or await self._made(key, fields)
        if not found.reached(self._end):
            await self._documents.advance(self._kind.form, found, self._end)
        return found.number

    async def _made(self, key: str, fields: Mapping[str, Any]) -> Document:
        known = self._known(key, fields)
        if not self.way.source:
            return await self._documents.create_or_adopt(self._kind, key, self._kind.map.written(known))
        if known["bill"] and (known["seq"] > 1 or self._mine.get(_ORDERS)):
            known["order_line"] = await self._order_line(known)
        known |= await self._source(known)
        async with self._pushing.setdefault(known["source_line"], asyncio.Lock()):
            return await self._pushed(key, known)

    def _known(self, key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Our fields with those that a map may also want."""
        bill, seq = bill_and_line(str(fields.get("order") or ""))
        employee = self._config.employees.get(str(fields.get("person") or ""))
        return {**fields, "key": key, "bill": bill, "seq": seq, "employee": employee, "order_line": None}

    # ------------------------------------------------------------------ pushed
    async def _pushed(self, key: str, known: dict[str, Any]) -> Document:
        bill_id = await self._left_over(known) or await self._push(known["source_id"], known["source_line"])
        fields = self._kind.map.written(known)
        lines = await self._documents.lines(self._kind.form, bill_id, fields)
        await self._give_key(bill_id, key, fields, lines)
        document = await self._documents.by_id(self._kind.form, bill_id)
        if document is None:
            raise ErpUnavailable(f"Kingdee does not show {self._kind.form} {bill_id} yet", in_doubt=True)
        return document

    async def _give_key(
        self, bill_id: str, key: str, fields: Mapping[str, Any], lines: Mapping[str, str]
    ) -> None:
        """A key that is taken belongs to a bill of an earlier try which the server has been hiding."""
        try:
            await self._documents.change(self._kind, bill_id, fields, lines)
        except KingdeeRefusal as refusal:
            if not refusal.is_duplicate:
                raise
            raise ErpUnavailable(f"{key} is in Kingdee, which does not show it yet") from None

    async def _source(self, known: Mapping[str, Any]) -> dict[str, str]:
        """The line that the bill is pushed from."""
        source, line = str(self.way.source), f"{self.way.entry}_FEntryId"
        found = await self._matching(source, ["FID", "FBillNo", line], self._match.written(known))
        if found is None:
            raise self._no_source(known, source)
        told = {name: identity(found[key]) for name, key in _SOURCE.items()} | {
            "source_line": identity(found[line])
        }
        if missing := [name for name, value in told.items() if not value]:
            raise ErpUnavailable(f"Kingdee shows a line of {source} without its {missing[0]}")
        return told

    async def _matching(
        self, form: str, keys: Sequence[str], wanted: Mapping[str, Any], more: str = "", most: int = 1
    ) -> dict[str, Any] | None:
        """The first row that has these values: what comes is compared with what was asked for."""
        fields = dict(_flat(wanted))
        where = [f"{name}={_literal(value)}" for name, value in fields.items()]
        where += [part for part in (more, self._mine.get(form) and f"({self._mine[form]})") if part]
        asked = list(dict.fromkeys([*keys, *fields]))
        for row in await self._client.query(form, asked, " and ".join(where), most=most):
            strange = [n for n, value in fields.items() if _plain(row[n]) != _plain(value)]
            if strange:
                raise ErpUnavailable(
                    f"Kingdee was asked for {form} with {strange[0]} {fields[strange[0]]} and shows"
                    f" {row[strange[0]]}: the filter is ignored by it or by what stands before it"
                )
            if most == 1 or not row[self._kind.key]:
                return row
        return None

    def _no_source(self, known: Mapping[str, Any], source: str) -> Exception:
        """The shop floor is sometimes quicker than the office."""
        about = [f"operation {known['operation']}"] if known.get("operation") else []
        about += [f"item {known['item']}"] if known.get("item") else []
        text = (
            f"Kingdee has no {_WANTED.get(source, source)} for {known['order']}"
            f" {' '.join(about)}: release it there"
        )
        return self._too_early(known, text)

    def _too_early(self, known: Mapping[str, Any], text: str) -> Exception:
        at = known.get("at")
        early = isinstance(at, datetime) and self._clock.now() - at < self._config.patience
        return ErpUnavailable(text) if early else ErpRefused(text)

    async def _order_line(self, known: Mapping[str, Any]) -> int:
        bill, seq = known["bill"], known["seq"]
        line = "FTreeEntity_FEntryId"
        wanted = {"FBillNo": bill, "FTreeEntity_FSeq": seq}
        found = await self._matching(_ORDERS, ["FID", line], wanted)
        if found is None:
            raise self._too_early(known, f"Kingdee has no line {seq} of production order {bill}")
        if not identity(found[line]).isdecimal():
            raise ErpUnavailable(f"Kingdee shows line {seq} of production order {bill} without its id")
        return int(identity(found[line]))

    async def _left_over(self, known: Mapping[str, Any]) -> str | None:
        """A bill that we pushed and then lost: ours, unsaid and without a key."""
        creator = self._config.creator
        wanted = self._trace.written(known) | ({creator: self._config.user} if creator else {})
        more = "FDocumentStatus in ('Z','A','D')"
        found = await self._matching(self._kind.form, ["FID", self._kind.key], wanted, more, most=0)
        if found is not None and not identity(found["FID"]).isdecimal():
            raise ErpUnavailable(f"Kingdee shows a {self._kind.form} without its id")
        return identity(found["FID"]) if found else None

    async def _push(self, source_id: str, line: str) -> str:
        """By the rule that the site names, else by the tenant's default, else by the usual name."""
        try:
            return await self._push_by(source_id, line, self.way.rule or "")
        except KingdeeRefusal as refusal:
            if self.way.rule or not (refusal.code == _BAD_PARAMETER or "规则" in refusal.said):
                raise
            try:
                return await self._push_by(source_id, line, f"{self.way.source}-{self._kind.form}")
            except KingdeeRefusal:
                raise refusal from None

    async def _push_by(self, source_id: str, line: str, rule: str) -> str:
        data = {
            "Ids": source_id, "EntryIds": line, "RuleId": rule, "TargetFormId": self._kind.form,
            "IsEnableDefaultRule": not rule, "IsDraftWhenSaveFail": False, "CustomParams": {},
        }  # fmt: skip
        result = await self._client.write("Push", str(self.way.source), data)
        made = succeeded(result)
        if not made:
            raise ErpUnavailable(f"Kingdee pushed a {self._kind.form} without telling its id", in_doubt=True)
        return made[0]


def _flat(fields: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in fields.items():
        path = above + name
        found += _flat(value, f"{path}.") if isinstance(value, Mapping) else [(path, value)]
    return found


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int | float) else quoted(str(value))


def _plain(value: Any) -> str:
    """As cells and literals are compared: 1, 1.0 and "1" are one, a day is its midnight."""
    return identity(value).removesuffix("T00:00:00").casefold()
