"""ERPNext by its REST interface (versions 13 to 16): Work Orders, job cards, stock, quality, repairs.

What ERPNext has no field for (priority, scrap of a report, our number) are custom fields of the site; what
goes where is data (erp_bridge.erpnext_maps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from erp_bridge.connector import Connector
from erp_bridge.erpnext_cards import Cards
from erp_bridge.erpnext_client import ErpNextClient
from erp_bridge.erpnext_config import ErpNextConfig
from erp_bridge.erpnext_fields import described, shown
from erp_bridge.erpnext_maps import DOCUMENTS
from erp_bridge.erpnext_orders import Orders
from erp_bridge.erpnext_probe import probed
from erp_bridge.erpnext_push import news
from erp_bridge.erpnext_records import Records
from erp_bridge.erpnext_stock import Stock
from erp_bridge.erpnext_tickets import Tickets
from erp_bridge.mapping import Capability
from hub.model.erp import (
    ErpEquipment,
    ErpNews,
    ErpPush,
    Item,
    OperationClaim,
    PostingKind,
    SalesOrder,
    StockClaim,
)
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock


class ErpNextConnector(Connector):
    Config = ErpNextConfig
    title: ClassVar[str] = "ERPNext"
    own_maps = DOCUMENTS
    meanings: Mapping[str, str] = {
        "repair": "ticket", "support": "ticket", "repair_step": "step", "support_step": "step",
        "repair_closing": "closing", "support_closing": "closing",
    }  # fmt: skip
    capabilities = frozenset(Capability)

    def __init__(self, config: ErpNextConfig, clock: Clock) -> None:
        own = {Capability.WEBHOOKS} if not config.webhook_secret.get_secret_value() else set()
        self.capabilities = type(self).capabilities - {*config.without} - own
        self._config = config
        self._clock = clock
        self._client = ErpNextClient(config, clock)
        self._records = Records(config, self._client, clock)
        self._tickets = Tickets(self._records)
        self._orders = Orders(self._records)
        self._cards = Cards(self._records, clock)
        self._stock = Stock(self._records, self._cards)

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
        return await self._cards.find(key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._cards.report(key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        if kind in (PostingKind.HOURS, PostingKind.SCRAP):
            return await self._cards.find(key)
        return await self._stock.find(kind, key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        match kind:
            case PostingKind.HOURS:
                return await self._cards.hours(key, fields)
            case PostingKind.SCRAP:
                return await self._cards.scrap(key, fields)
        return await self._stock.post(kind, key, fields)

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
        return await self._cards.reported(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._stock.claims(items)

    def pushed(self, push: ErpPush) -> ErpNews:
        secret = self._config.webhook_secret.get_secret_value()
        return news(push, secret, self._config.zone, self._clock.now())

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        return await probed(self._records, self.capabilities)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await shown(self._records, document)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await described(self._records, document)

    async def close(self) -> None:
        await self._client.close()
