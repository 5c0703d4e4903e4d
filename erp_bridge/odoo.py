"""Odoo: JSON-2 from release 19 on, JSON-RPC for 14 to 18. Community is enough.

Repairs are maintenance requests, reports are lines of an operation's time tracking, receipts complete an
order or a part of it. What stands in for what Odoo lacks is data (erp_bridge.odoo_maps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

from erp_bridge.connector import Connector
from erp_bridge.mapping import Capability
from erp_bridge.odoo_client import OdooClient
from erp_bridge.odoo_config import OdooConfig
from erp_bridge.odoo_floor import Floor
from erp_bridge.odoo_maps import DOCUMENTS
from erp_bridge.odoo_notes import Notes
from erp_bridge.odoo_orders import Orders
from erp_bridge.odoo_probe import probed
from erp_bridge.odoo_quality import Inspections
from erp_bridge.odoo_receipts import Receipts
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_reports import Hours, Reports
from erp_bridge.odoo_stock import Goods, Issues, Scraps
from erp_bridge.odoo_tickets import Tickets
from hub.model.erp import ErpEquipment, Item, OperationClaim, PostingKind, SalesOrder, StockClaim
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock


class Posting(Protocol):
    async def find(self, key: str) -> str | None: ...
    async def book(self, key: str, fields: Mapping[str, Any]) -> str: ...


class OdooConnector(Connector):
    Config = OdooConfig
    title: ClassVar[str] = "Odoo"
    own_maps = DOCUMENTS
    capabilities = frozenset({*Capability} - {Capability.WEBHOOKS})

    def __init__(self, config: OdooConfig, clock: Clock) -> None:
        self.capabilities = type(self).capabilities - {*config.without}
        self._client = OdooClient(config)
        records = self._records = Records(config, self._client, clock)
        floor, notes, goods = Floor(records), Notes(records), Goods(records)
        self._goods = goods
        self._tickets = Tickets(records, notes)
        self._orders = Orders(records, floor, notes)
        self._reports = Reports(records, floor, clock)
        self._postings: dict[PostingKind, Posting] = {
            PostingKind.RECEIPT: Receipts(records, floor, goods, self._reports),
            PostingKind.ISSUE: Issues(records, floor, goods),
            PostingKind.SCRAP: Scraps(records, floor, goods),
            PostingKind.QUALITY: Inspections(records, floor, notes),
            PostingKind.HOURS: Hours(records, floor, clock),
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
        return await self._reports.find(key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._reports.report(key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        return await self._postings[kind].find(key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        return await self._postings[kind].book(key, fields)

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
        return await self._orders.reported(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._goods.stock(items)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        return await probed(self._records, self.capabilities)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await self._records.newest(document, more)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await self._records.described(document)

    async def close(self) -> None:
        await self._client.close()
