"""Tryton by JSON-RPC (series 8.2): production orders, reports, stock, quality, hours; tickets as tasks.

Tryton has no maintenance and no priority; what stands in for them is data (erp_bridge.tryton_maps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from erp_bridge.connector import Connector
from erp_bridge.mapping import Capability
from erp_bridge.own_pushes import OwnPushes
from erp_bridge.tryton_claims import Claims
from erp_bridge.tryton_client import TrytonClient
from erp_bridge.tryton_config import TrytonConfig
from erp_bridge.tryton_fields import described, shown
from erp_bridge.tryton_maps import DOCUMENTS
from erp_bridge.tryton_orders import Orders
from erp_bridge.tryton_postings import Cycles, Hours, Inspections, Posting, booked
from erp_bridge.tryton_probe import probed
from erp_bridge.tryton_records import Records
from erp_bridge.tryton_stock import Outputs, Shipments
from erp_bridge.tryton_tickets import Tickets
from hub.model.erp import ErpEquipment, Item, OperationClaim, PostingKind, SalesOrder, StockClaim
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock


class TrytonConnector(Connector):
    Config = TrytonConfig
    title: ClassVar[str] = "Tryton"
    own_maps = DOCUMENTS
    capabilities = frozenset({*Capability} - {Capability.WEBHOOKS})

    def __init__(self, config: TrytonConfig, clock: Clock) -> None:
        self.own_pushes = OwnPushes(config.push_secrets, clock)
        self.capabilities = type(self).capabilities - {*config.without}
        if self.own_pushes:
            self.capabilities |= {Capability.WEBHOOKS}
        self._client = TrytonClient(config)
        records = self._records = Records(config, self._client, clock)
        self._tickets = Tickets(records)
        self._orders = Orders(records)
        self._reports = Cycles(records, clock)
        self._claims = Claims(records, self._reports)
        self._postings: dict[PostingKind, Posting] = {
            PostingKind.RECEIPT: Outputs(records, clock, "receipt"),
            PostingKind.SCRAP: Outputs(records, clock, "scrap"),
            PostingKind.ISSUE: Shipments(records),
            PostingKind.QUALITY: Inspections(records),
            PostingKind.HOURS: Hours(records),
        }

    # ------------------------------------------------------------------ tickets
    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        return await self._tickets.find(key)

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        return await self._tickets.open(key, fields)

    async def update_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        await self._tickets.update(erp_id, fields)

    async def close_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        await self._tickets.close(erp_id, fields)

    async def ticket_states(self, erp_ids: Sequence[str]) -> Mapping[str, str]:
        return await self._tickets.states(erp_ids)

    async def ticket_copies(self, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return await self._tickets.copies(keys)

    # ------------------------------------------------------------------ reports and postings
    async def find_report(self, key: str) -> str | None:
        return await _finished(self._reports, key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await booked(self._reports, key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        return await _finished(self._postings[kind], key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        return await booked(self._postings[kind], key, fields)

    # ------------------------------------------------------------------ what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        return await self._orders.production(changed_since)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        await self._orders.change(number, fields)

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        return await self._orders.sales(changed_since)

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        return await self._orders.items(changed_since)

    async def equipment(self) -> Sequence[ErpEquipment]:
        return await self._orders.equipment()

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        return await self._claims.reported(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._claims.stock(items)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        return await probed(self._records, self.capabilities)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await shown(self._records, document, more)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await described(self._records, document)

    async def close(self) -> None:
        await self._client.close()


async def _finished(posting: Posting, key: str) -> str | None:
    return next((f.number for f in (await posting.look(key, None)).found if f.finished), None)
