"""Reports and other postings: a document that carries our number, approved, and for receipts received.

The last operation of an order is reported by a completion report 完工报告, every other one by a transfer to
the next 工序转移单. What an earlier try has left half done is carried on from where it stands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.yonyou_answers import NO_ROUTE, U9Refusal, named, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import Kind, Service, kind_of, known, number_of, reference, service_of
from erp_bridge.yonyou_maps import SERVICE_OF
from erp_bridge.yonyou_orders import APPROVED, FINISHED, STARTED, Card, Orders, Step
from erp_bridge.yonyou_search import SegmentSearch
from erp_bridge.yonyou_writing import Writer
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

Row = dict[str, Any]
_ROUTES = {  # the documents a posting may have become
    "report": ("report", "transfer"),
    "scrap": ("scrap", "transfer"),
}
_PIECES = frozenset({"report", "scrap", "receipt"})  # only a started order takes these


@dataclass(frozen=True, slots=True)
class Found:
    document: str  # of ours: report, transfer ...
    number: str
    erp_id: str
    done: bool
    received: bool


class Postings:
    def __init__(self, config: YonyouConfig, client: U9Client, clock: Clock, orders: Orders) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._orders = orders
        self._writer = Writer(config, client)
        names = ("report", "transfer", "scrap", "receipt", "issue", "quality")
        self.kinds: dict[str, Kind] = {name: kind_of(config, name) for name in names}
        self.services: dict[str, Service] = {n: service_of(config, SERVICE_OF[n]) for n in names}
        self._searches = {n: self._search(n) for n in names}
        self._receiving, self._start = kind_of(config, "receiving"), kind_of(config, "start")
        self._starting = "MODoc/StartMo"
        self._absent: set[str] = set()  # documents whose interface this site does not have
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def _search(self, name: str) -> SegmentSearch:
        table = self.services[name].block.look_up or ""
        kind = self.kinds[name]
        return SegmentSearch(self._config, self._client, table, kind.segment, must=not kind.by_number)

    # ------------------------------------------------------------------ found again
    async def find(self, name: str, key: str) -> str | None:
        """The number of the finished document; one that is half done does not count."""
        found = await self._found(name, reference(name, key))
        return found.number if found is not None and self._finished(name, found) else None

    async def _found(self, name: str, known_as: str) -> Found | None:
        for document in self._routes(name):
            if document in self._absent:
                continue
            try:
                found = await self._look(document, known_as)
            except U9Refusal as refusal:
                if refusal.code != NO_ROUTE or document != "transfer" or self._config.reports == "transfer":
                    raise
                log.warning(
                    "U9 has no %s: reports are completion reports", self.services[document].path("query")
                )
                self._absent.add(document)
                continue
            if found is not None:
                return found
        return None

    def _routes(self, name: str) -> tuple[str, ...]:
        routes = _ROUTES.get(name, (name,))
        only = {"completion": routes[:1], "transfer": routes[1:] or routes}
        return only.get(self._config.reports, routes)

    async def _look(self, document: str, known_as: str) -> Found | None:
        """By number, and by segment where a document type numbers by itself or a clerk has renamed it."""
        if self.kinds[document].by_number:
            found = await self._asked(document, {"DocNo": known_as}, known_as)
            if found is not None:
                return found
        for row in await self._searches[document].numbers(known_as):
            number = text(row.get("docno"))
            found = await self._asked(document, {"DocNo": number}, number) if number else None
            if found is not None:
                return found
        return None

    async def _asked(self, document: str, asked: Mapping[str, str], number: str) -> Found | None:
        service = self.services[document]
        try:
            data = await self._client.read(service.path("query"), service.body("query", [dict(asked)]))
        except U9Refusal as refusal:
            raise service.absent(refusal, document) from None
        for record in service.rows(data):
            there = number_of(named(record))
            row = self.kinds[document].read(record)
            if row is None:
                raise ErpRefused(f"{there} cannot be read: check documents.{document}.read")
            if text(row.get("number")).casefold() != number.casefold():
                raise ErpUnavailable(f"U9 was asked at {service.path('query')} for {number}, shows {there}")
            done, received = bool(row.get("done")), bool(row.get("received"))
            return Found(document, text(row["number"]), text(row.get("erp_id")), done, received)
        return None

    # ------------------------------------------------------------------ made and finished
    async def post(self, name: str, key: str, fields: Mapping[str, Any]) -> str:
        known_as = reference(name, key)
        async with self._making.setdefault(known_as, asyncio.Lock()):
            found = await self._found(name, known_as)
            card: Card | None = None
            if found is None:
                card = await self._card(name, fields)
                found = await self._made(name, key, known_as, fields, card)
            return (await self._finish(name, key, found, fields)).number

    async def _made(
        self, name: str, key: str, known_as: str, fields: Mapping[str, Any], card: Card | None
    ) -> Found:
        step = self._step(card, fields)
        following = card.after(step) if card and step else None
        document = self._route(name, following)
        if card is not None and name in _PIECES:
            await self._started(card, fields)
        kind, service = self.kinds[document], self.services[document]
        more = _more(key, known_as, fields, card, step, following) | {"doc_type": service.block.doc_type}
        if document == "transfer" and name == "scrap":
            more |= {"good": 0, "scrap": fields.get("quantity")}
        row = kind.map.written(known(self._config, fields, **more))

        async def look() -> Row | None:
            found = await self._look(document, known_as)
            return None if found is None else {"found": found}

        made = await self._writer.made(service, row, key, look)
        if isinstance(made.get("found"), Found):
            return made["found"]  # type: ignore[no-any-return]
        number = text(made.get("number")) or known_as
        if kind.by_number and number.casefold() != known_as.casefold():
            log.error(
                "U9 gave %s the number %s instead of ours: let the document type take numbers of ours, or"
                " write DocNo: '' in documents.%s", key, number, document,
            )  # fmt: skip
        return Found(document, number, text(made.get("erp_id")), False, False)

    def _route(self, name: str, following: Step | None) -> str:
        routes = self._routes(name)
        if len(routes) == 1:
            return routes[0]
        return "transfer" if following is not None and "transfer" not in self._absent else routes[0]

    # ------------------------------------------------------------------ the order it belongs to
    async def _card(self, name: str, fields: Mapping[str, Any]) -> Card | None:
        number = str(fields.get("order") or "")
        if not number and name in ("quality", "issue"):
            return None
        card = await self._orders.one(number) if number else None
        if card is None:
            raise self._early(f"U9 has no production order {number}", fields)
        if name in _PIECES and card.state == "cancelled":
            raise ErpRefused(f"production order {number} is cancelled in U9")
        return card

    def _early(self, words: str, fields: Mapping[str, Any]) -> Exception:
        """The shop floor is sometimes quicker than the office."""
        at = fields.get("at")
        early = isinstance(at, datetime) and self._clock.now() - at < self._config.patience
        return ErpUnavailable(words) if early else ErpRefused(words)

    def _step(self, card: Card | None, fields: Mapping[str, Any]) -> Step | None:
        operation = str(fields.get("operation") or "")
        if card is None or not card.steps:
            return None
        if not operation:
            return card.steps[-1]
        step = card.step(operation)
        if step is None and card.torn:
            raise ErpRefused(f"an operation of {card.number} cannot be read: check documents.operation.read")
        if step is None:
            known_ones = ", ".join(s.operation for s in card.steps)
            raise ErpRefused(f"{card.number} has no operation {operation} in U9; it has {known_ones}")
        return step

    async def _started(self, card: Card, fields: Mapping[str, Any]) -> None:
        """Its state is looked at right before: starting twice would start twice as many."""
        state = card.doc_state
        if state in ("", STARTED):
            return
        if state == FINISHED:
            raise ErpRefused(
                f"production order {card.number} is closed in U9; open it there, then send again"
            )
        if state != APPROVED:
            raise self._early(f"production order {card.number} is not approved in U9", fields)
        if not self._config.start_orders:
            raise self._early(f"production order {card.number} is not started in U9", fields)
        more = {
            "order": card.number,
            "order_quantity": card.ours.get("quantity"),
            "mo": card.ours.get("erp_id"),
        }
        row = self._start.map.written(known(self._config, fields, **more))
        told = await self._client.write(self._starting, [row], str(row.get("OtherID") or card.number))
        if not told.done:
            now = await self._orders.one(card.number)
            if now is None or now.doc_state != STARTED:
                raise U9Refusal(f"U9 refused to start {card.number}: {told.said}", said=told.said)

    # ------------------------------------------------------------------ to its end
    def _until(self, name: str) -> str:
        return self._config.until.get(name) or ("received" if name == "receipt" else "approved")  # type: ignore[call-overload]

    def _finished(self, name: str, found: Found) -> bool:
        until, service = self._until(name), self.services[found.document]
        if until == "saved" or not service.path("approve"):
            return True
        return found.done and (until == "approved" or not service.path("receive") or found.received)

    async def _finish(self, name: str, key: str, found: Found, fields: Mapping[str, Any]) -> Found:
        if self._finished(name, found):
            return found
        service = self.services[found.document]
        if not found.done:
            await self._carried_on("approve", service, self._key_row(key, found), found, key)
        if self._until(name) == "received" and service.path("receive") and not found.received:
            more = {"key": key, "number": found.number, "document_id": found.erp_id or None}
            row = self._receiving.map.written(known(self._config, fields, **more))
            await self._carried_on("receive", service, row, found, key)
        return found

    def _key_row(self, key: str, found: Found) -> Row:
        ident = int(found.erp_id) if found.erp_id.isdigit() else None
        row = {"OtherID": key, "ID": ident, "Code": found.number, "DocNo": found.number}
        return {n: v for n, v in row.items() if v} | {"Org": {"Code": self._config.org_code}}

    async def _carried_on(self, action: str, service: Service, row: Row, found: Found, key: str) -> None:
        """A refusal to do what has been done is no refusal."""
        try:
            await self._writer.carried_on(service, action, row, key)
        except U9Refusal as refusal:
            now = await self._asked(found.document, {"DocNo": found.number}, found.number)
            if now is None:
                raise ErpUnavailable(f"U9 does not show {found.number} yet: {refusal.said}") from None
            if not (now.done if action == "approve" else now.received):
                raise


def _more(
    key: str,
    known_as: str,
    fields: Mapping[str, Any],
    card: Card | None,
    step: Step | None,
    following: Step | None,
) -> Row:
    item = str(fields.get("item") or "")
    pick = next((p for p in card.picks if p.get("item") == item), {}) if card else {}
    return {
        "key": key,
        "reference": known_as,
        "mo": card.ours.get("erp_id") if card else None,
        "product": card.ours.get("product") if card else None,
        "step": step.operation if step else fields.get("operation") or None,
        "next_step": following.operation if following else None,
        "pick_line": pick.get("line"),
        "supply_warehouse": pick.get("warehouse"),
    }
