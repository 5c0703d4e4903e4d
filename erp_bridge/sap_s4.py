"""SAP S/4HANA, cloud and on premise, by its OData services (version 2; 4 where a site says so).

Nothing of it is idempotent, and SAP takes a second document with the same external number without a word:
every create is preceded by a look for the number that follows from our key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from erp_bridge.connector import Connector
from erp_bridge.mapping import Capability
from erp_bridge.own_pushes import OwnPushes
from erp_bridge.sap_client import SapClient
from erp_bridge.sap_config import SapConfig
from erp_bridge.sap_confirmations import Confirmations
from erp_bridge.sap_fields import described, samples
from erp_bridge.sap_maps import DOCUMENTS
from erp_bridge.sap_office import Office
from erp_bridge.sap_orders import Orders
from erp_bridge.sap_probe import probed
from erp_bridge.sap_records import Records
from erp_bridge.sap_tickets import Tickets
from hub.model.erp import ErpEquipment, Item, OperationClaim, PostingKind, SalesOrder
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock

_NEEDS = {  # a document is looked at only where the system has what it is for
    "order": Capability.ORDERS,
    "operation": Capability.ORDERS,
    "order_change": Capability.CHANGE_ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "equipment": Capability.EQUIPMENT,
    "report": Capability.REPORT_OPERATIONS,
    "receipt": Capability.RECEIPTS,
    "issue": Capability.ISSUES,
    "hours": Capability.HOURS,
    "scrap": Capability.SCRAP,
    "quality": Capability.QUALITY,
}


class SapConnector(Connector):
    """hub.ports.ErpConnector. No service opens a completed notification again, none tells stock to us."""

    Config = SapConfig
    title: ClassVar[str] = "SAP S/4HANA"
    own_maps = DOCUMENTS
    capabilities = frozenset(
        set(Capability)
        - {Capability.WEBHOOKS, Capability.ATTACHMENTS, Capability.REOPEN_TICKETS, Capability.STOCK}
    )

    def __init__(self, config: SapConfig, clock: Clock) -> None:
        self.own_pushes = OwnPushes(config.push_secrets, clock)
        without = {*config.without, *(() if config.quality_notification else ("quality",))}
        self.capabilities = frozenset(c for c in type(self).capabilities if c not in without)
        if self.own_pushes:
            self.capabilities |= {Capability.WEBHOOKS}
        self._config = config
        self._client = SapClient(config, clock)
        self._records = Records(config, self._client)
        self._tickets = Tickets(self._records)
        self._orders = Orders(self._records)
        self._office = Office(self._records, clock)
        self._confirmations = Confirmations(self._records, self._orders, clock)

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
        return await self._confirmations.find("report", key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._confirmations.post("report", key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        self._must_be_able(kind)
        if kind is PostingKind.QUALITY:
            return await self._tickets.inspection(key)
        return await self._confirmations.find(kind.value, key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        self._must_be_able(kind)
        if kind is PostingKind.QUALITY:
            return await self._tickets.inspect(key, fields)
        return await self._confirmations.post(kind.value, key, fields)

    def _must_be_able(self, kind: PostingKind) -> None:
        if kind is PostingKind.QUALITY and not self._config.quality_notification:
            raise self._cannot(
                "take inspection results; quality_notification: M3 makes notifications of them"
            )

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
        return await self._confirmations.claims(numbers)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        able = self.capabilities
        kinds = {n: k for n, k in self._records.kinds.items() if n not in ("item", "sales_change")}
        wanted = [k for name, k in kinds.items() if _NEEDS.get(name, Capability.OPEN_TICKETS) in able]
        return await probed(wanted)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await samples(self._records.kinds, document)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await described(self._records.kinds[document])

    async def close(self) -> None:
        await self._client.close()
