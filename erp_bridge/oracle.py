"""Oracle Fusion Cloud SCM: Manufacturing, Maintenance, Inventory and Order Management by REST.

Tickets are maintenance work orders under our number, which Oracle takes only once. Its transactions have no
key: see oracle_bookings for how they are booked once all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from erp_bridge.connector import Connector
from erp_bridge.mapping import Capability
from erp_bridge.oracle_bookings import Bookings
from erp_bridge.oracle_client import OracleClient
from erp_bridge.oracle_config import OracleConfig
from erp_bridge.oracle_fields import described, samples
from erp_bridge.oracle_maps import DOCUMENTS
from erp_bridge.oracle_office import Office
from erp_bridge.oracle_orders import Orders
from erp_bridge.oracle_probe import probed
from erp_bridge.oracle_quality import Quality
from erp_bridge.oracle_records import Kind, Records
from erp_bridge.oracle_tickets import Tickets
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, Item, OperationClaim, PostingKind, SalesOrder, StockClaim
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock

_NEEDS = {  # a document is looked at only where the pod has what it is for
    "order": Capability.ORDERS,
    "operation": Capability.ORDERS,
    "material": Capability.ISSUES,
    "resource": Capability.HOURS,
    "order_change": Capability.CHANGE_ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "item": Capability.ITEMS,
    "equipment": Capability.EQUIPMENT,
    "stock": Capability.STOCK,
    "report": Capability.REPORT_OPERATIONS,
    "receipt": Capability.RECEIPTS,
    "issue": Capability.ISSUES,
    "hours": Capability.HOURS,
    "scrap": Capability.SCRAP,
}


class OracleConnector(Connector):
    """hub.ports.ErpConnector. Oracle does not push to us, and takes photos by no call that we know."""

    Config = OracleConfig
    title: ClassVar[str] = "Oracle Fusion"
    own_maps = DOCUMENTS
    capabilities = frozenset(set(Capability) - {Capability.WEBHOOKS, Capability.ATTACHMENTS})

    def __init__(self, config: OracleConfig, clock: Clock) -> None:
        without = {*config.without, *(() if config.quality else ("quality",))}
        self.capabilities = frozenset(c for c in type(self).capabilities if c not in without)
        self._config = config
        self._client = OracleClient(config, clock)
        self._records = Records(config, self._client)
        self._tickets = Tickets(self._records)
        self._orders = Orders(self._records)
        self._office = Office(self._records, clock)
        self._bookings = Bookings(self._records, self._orders, clock)
        self._quality = Quality(self._records, config.quality) if config.quality else None

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
        return await self._bookings.find("report", key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._bookings.book("report", key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        if kind is PostingKind.QUALITY:
            return await self._inspections().find(key)
        return await self._bookings.find(kind.value, key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        if kind is PostingKind.QUALITY:
            return await self._inspections().post(key, fields)
        return await self._bookings.book(kind.value, key, fields)

    def _inspections(self) -> Quality:
        if self._quality is None:
            raise self._cannot(
                "take inspection results so that they can be found again; name a resource of yours in"
                " quality: {resource, key}"
            )
        return self._quality

    # ------------------------------------------------------------------ what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        return await self._orders.production(changed_since)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        await self._orders.change(number, fields)

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        return await self._office.sales(changed_since)

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        return await self._office.items(changed_since)

    async def equipment(self) -> Sequence[ErpEquipment]:
        return await self._office.equipment()

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        return await self._orders.claims(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._office.stock(items)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        found = await probed(self._records, self._looked_at())
        try:
            here = await self._office.organization()
        except ErpRefused as refusal:
            here = f"✗ inventoryOrganizations: {refusal}"
        return {"organization": here, **found}

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await samples(self._records, self._kind(document))

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await described(self._records, self._kind(document))

    def _kind(self, document: str) -> Kind:
        return (
            self._quality.kind if document == "quality" and self._quality else self._records.kinds[document]
        )

    def _looked_at(self) -> list[Kind]:
        able, kinds = self.capabilities, self._records.kinds
        found = [
            k for n, k in kinds.items() if n != "quality" and _NEEDS.get(n, Capability.OPEN_TICKETS) in able
        ]
        return found + ([self._quality.kind] if self._quality else [])

    async def close(self) -> None:
        await self._client.close()
