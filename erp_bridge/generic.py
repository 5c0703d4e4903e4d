"""Any ERP that has a REST interface or a database to write to: what is done how is the mapping's business.

Nothing here knows a system by name. docs/erp/generic.md shows a key user how to write a mapping.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import jmespath
from jmespath.exceptions import JMESPathError

from erp_bridge import as_read, left_out
from erp_bridge import generic_reading as reading
from erp_bridge.connector import Connector
from erp_bridge.fieldmap import Functions, MapBlock
from erp_bridge.generic_answers import NotThere
from erp_bridge.generic_config import GenericConfig, PushBlock
from erp_bridge.generic_editor import described
from erp_bridge.generic_fields import DOCUMENTS, OPERATIONS, capabilities
from erp_bridge.generic_probe import probed, shown
from erp_bridge.generic_records import Ours, Records
from erp_bridge.generic_tickets import Tickets
from erp_bridge.mapping import POSTINGS, Capability
from hub.errors import ErpRefused, Refused
from hub.model.erp import (
    ErpEquipment,
    ErpNews,
    ErpPush,
    ErpSubject,
    Item,
    OperationClaim,
    PostingKind,
    SalesOrder,
    StockClaim,
)
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder, WorkOrderState
from hub.ports import Clock
from hub.webhooks import body_of, verified

log = logging.getLogger(__name__)

T = TypeVar("T")
_ON_THE_FLOOR = (WorkOrderState.RELEASED, WorkOrderState.HELD)


class GenericConnector(Connector):
    """hub.ports.ErpConnector; `capabilities` follow from the operations that are configured."""

    Config = GenericConfig
    title: ClassVar[str] = "a system of your own"
    capabilities = frozenset(c.value for c in Capability)  # of a mapping that describes everything
    layered = False

    def __init__(self, config: GenericConfig, clock: Clock) -> None:
        self.capabilities = capabilities(frozenset(config.operations), config.push is not None)
        self._config = config
        self._clock = clock
        self._records = Records(config, clock)
        self._tickets = Tickets(self._records)
        kinds = {self._records.document(n): OPERATIONS[n].document for n in config.operations}
        self.own_maps: Mapping[str, MapBlock] = {n: DOCUMENTS[kind].plainly() for n, kind in kinds.items()}
        self.meanings = kinds

    def _able(self, capability: Capability, what: str) -> None:
        if capability.value not in self.capabilities:
            raise ErpRefused(f"{self._config.name}: the mapping does not say how to {what}")

    # ------------------------------------------------------------------ tickets
    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        self._able(Capability.OPEN_TICKETS, "look for tickets; add operations.find_ticket")
        return await self._tickets.find(key)

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        self._able(Capability.OPEN_TICKETS, "open tickets; add operations.open_ticket")
        return await self._tickets.open(key, fields)

    async def update_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        if fields.get("state") == "reopened":
            self._able(Capability.REOPEN_TICKETS, "reopen tickets; add operations.reopen_ticket")
        else:
            self._able(Capability.UPDATE_TICKETS, "update tickets; add operations.update_ticket")
        await self._tickets.update(erp_id, fields)

    async def close_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        self._able(Capability.CLOSE_TICKETS, "close tickets; add operations.close_ticket")
        await self._tickets.close(erp_id, fields)

    async def ticket_copies(self, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        self._able(Capability.OPEN_TICKETS, "look for tickets; add operations.find_ticket")
        return await self._tickets.copies(keys)

    async def ticket_states(self, erp_ids: Sequence[str]) -> Mapping[str, str]:
        self._able(Capability.TICKET_STATES, "tell of tickets; add operations.ticket")
        return await self._tickets.states(erp_ids)

    # ------------------------------------------------------------------ reports and postings
    async def find_report(self, key: str) -> str | None:
        self._able(Capability.REPORT_OPERATIONS, "look for reports; add operations.find_report")
        return await self._finished("find_report", key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        self._able(Capability.REPORT_OPERATIONS, "take reports; add operations.report_operation")
        return await self._booked("report_operation", "report", key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        self._able(POSTINGS[kind], f"look for {kind.value}; add operations.find_{kind.value}")
        return await self._finished(f"find_{kind.value}", key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        self._able(POSTINGS[kind], f"take {kind.value}; add operations.{kind.value}")
        return await self._booked(kind.value, kind.value, key, fields)

    async def _finished(self, look: str, key: str) -> str | None:
        found = await self._records.found(look, {"key": key})
        return next((number_of(o) for o in found if is_finished(o)), None)

    async def _booked(self, name: str, kind: str, key: str, fields: Mapping[str, Any]) -> str:
        """Made if it is not there, and finished if it is not finished: we may have been cut off between."""
        ours = await self._records.make(name, f"find_{kind}", key, fields)
        finish = f"finish_{kind}"
        if self._records.has(finish) and not is_finished(ours, otherwise=False):
            now = {n: v for n, v in ours.items() if n in ("erp_id", "number")}
            await self._records.change(finish, {**fields, "key": key, **now})
        return number_of(ours)

    # ------------------------------------------------------------------ what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        self._able(Capability.ORDERS, "list production orders; add operations.orders")
        found = self._numbered("orders", await self._listed("orders", changed_since))
        jobs = await self._jobs([*found])

        def made(ours: as_read.Row) -> WorkOrder:
            mine = jobs.get(reading.text(ours, "number"), ())
            if None in mine:
                raise ValueError("an operation of it cannot be read")
            return reading.work_order(ours, [job for job in mine if job is not None])

        told = self._made("orders", found.values(), made)
        return [o for o in told if changed_since is not None or o.state in _ON_THE_FLOOR]

    async def _jobs(self, numbers: Sequence[str]) -> dict[str, list[Ours | None]]:
        """By the order's number; None stands for one that cannot be read."""
        name, jobs = "order_operations", dict[str, list[Ours | None]]()
        if not self._records.has(name) or not numbers:
            return jobs
        document = self._records.document(name)
        with left_out.gathered() as lost:
            for job in await self._records.one_by_one(name, "numbers", numbers):
                read = as_read.one(document, job, ("operation",), reading.job)
                jobs.setdefault(reading.text(job, "order"), []).append(job if read is not None else None)
        for one in lost:
            jobs.setdefault(one.record, []).append(None)
        return jobs

    def _numbered(self, name: str, found: Sequence[Ours]) -> dict[str, Ours]:
        """Each number once, the last that was told; what has none is left out."""
        document = self._records.document(name)
        named = as_read.each(document, found, ("number",), lambda o: (reading.text(o, "number"), dict(o)))
        return dict(named)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        self._able(Capability.CHANGE_ORDERS, "change production orders; add operations.change_order")
        current: Ours = {}
        if self._records.has("order"):
            found = await self._records.found("order", {"number": number})
            there = [o for o in found if reading.text(o, "number") == number]
            if not there:
                raise ErpRefused(f"{self._config.name} has no production order {number}")
            current = {n: there[0].get(n) for n in ("erp_id", "version")}
        try:
            await self._records.change("change_order", {**fields, **current, "number": number})
        except NotThere:
            raise ErpRefused(f"{self._config.name} has no production order {number}") from None

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        self._able(Capability.SALES_ORDERS, "list sales orders; add operations.sales_orders")
        found = await self._listed("sales_orders", changed_since)
        unique = {(reading.text(o, "number"), reading.text(o, "line")): o for o in found}
        return self._made("sales_orders", unique.values(), reading.sales_order)

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        self._able(Capability.ITEMS, "list items; add operations.items")
        found = self._numbered("items", await self._listed("items", changed_since))
        return self._made("items", found.values(), reading.item)

    async def equipment(self) -> Sequence[ErpEquipment]:
        self._able(Capability.EQUIPMENT, "list equipment; add operations.equipment")
        found = self._numbered("equipment", await self._records.listed("equipment", {}))
        return self._made("equipment", found.values(), reading.equipment)

    async def _listed(self, name: str, changed_since: datetime | None) -> list[Ours]:
        """A little more than what has changed: clocks differ, and long transactions show late."""
        since = None if changed_since is None else changed_since - self._config.overlap
        changed = f"changed_{name}"
        chosen = changed if since is not None and self._records.has(changed) else name
        return await self._records.listed(chosen, {"changed_since": since})

    def _made(self, name: str, found: Iterable[Ours], make: Callable[[as_read.Row], T]) -> list[T]:
        """What lacks what it cannot be without, or holds what cannot be, is left out and told."""
        must = sorted(DOCUMENTS[OPERATIONS[name].document].must)
        return as_read.each(self._records.document(name), found, must, make)

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        self._able(Capability.REPORTED, "tell what is reported; add operations.reported")
        found = await self._records.one_by_one("reported", "numbers", numbers)
        return [c for c in self._made("reported", found, reading.claim) if c.order in numbers]

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        self._able(Capability.STOCK, "tell of stock; add operations.stock")
        found = await self._records.one_by_one("stock", "items", items)
        return [c for c in self._made("stock", found, reading.stock) if c.item in items]

    # ------------------------------------------------------------------ what it tells by itself
    def pushed(self, push: ErpPush) -> ErpNews:
        block = self._config.push
        if block is None:
            return super().pushed(push)
        about = verified(push, block.secrets, self._clock.now())
        return ErpNews(about, *self._told(block, body_of(push)))

    def _told(self, block: PushBlock, body: Any) -> tuple[ErpSubject, tuple[str, ...]]:
        options = jmespath.Options(
            custom_functions=Functions({"subjects": block.subjects}, self._config.zone)
        )
        try:
            word = jmespath.search(block.subject, body, options=options)
            named = jmespath.search(block.documents, body, options=options) if block.documents else None
            subject = ErpSubject(str(block.subjects.get(str(word), word)))
        except (JMESPathError, ValueError, TypeError):
            text = "the push does not say what has changed in words we know; see push.subject and subjects"
            raise Refused("unreadable-push", text) from None
        many = named if isinstance(named, list) else [named]
        return subject, tuple(str(n) for n in many if n not in (None, "") and not isinstance(n, dict | list))

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        return await probed(self._records)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await shown(self._records, document)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await described(self._records, document)

    async def close(self) -> None:
        await self._records.close()


def number_of(ours: Ours) -> str:
    return reading.text(ours, "number") or reading.text(ours, "erp_id")


def is_finished(ours: Ours, *, otherwise: bool = True) -> bool:
    """`otherwise`: where the record does not say."""
    return reading.flag(ours["finished"]) if "finished" in ours else otherwise
