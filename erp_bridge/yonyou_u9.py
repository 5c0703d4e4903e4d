"""Yonyou U9 cloud 用友 U9 cloud by its OpenAPI: orders, reports and postings, sales orders, master data.

It has no interface for repairs: services.ticket says which of the site's own stands in. No write of it is
idempotent. Each is preceded by a look for our number, so that calling again finds what was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from erp_bridge.connector import Connector
from erp_bridge.mapping import Capability
from erp_bridge.own_pushes import OwnPushes
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_hours import Hours
from erp_bridge.yonyou_kinds import kind_of
from erp_bridge.yonyou_maps import DOCUMENTS
from erp_bridge.yonyou_office import Office
from erp_bridge.yonyou_orders import Orders
from erp_bridge.yonyou_postings import Postings
from erp_bridge.yonyou_probe import probed
from erp_bridge.yonyou_samples import Samples
from erp_bridge.yonyou_tickets import Tickets
from hub.model.erp import ErpEquipment, Item, OperationClaim, PostingKind, SalesOrder, StockClaim
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock

TICKETS = frozenset(
    {
        Capability.OPEN_TICKETS, Capability.UPDATE_TICKETS, Capability.CLOSE_TICKETS,
        Capability.TICKET_STATES, Capability.REOPEN_TICKETS,
    }
)  # fmt: skip


class YonyouU9Connector(Connector):
    """hub.ports.ErpConnector. Opens nothing before the first call."""

    Config = YonyouConfig
    title: ClassVar[str] = "U9 cloud"
    own_maps = DOCUMENTS
    capabilities = frozenset({*Capability} - {Capability.WEBHOOKS, Capability.ATTACHMENTS})

    def __init__(self, config: YonyouConfig, clock: Clock) -> None:
        self.own_pushes = OwnPushes(config.push_secrets, clock)
        self._config = config
        self._client = U9Client(config)
        self._tickets = Tickets(config, self._client)
        self._orders = Orders(config, self._client)
        self._office = Office(config, self._client, self._orders)
        self._postings = Postings(config, self._client, clock, self._orders)
        self._hours = Hours(config, self._client, self._orders)
        self._lists = {"order_list": self._orders.list, **self._office.lists}
        shown = {name: kind_of(config, name) for name in ("order", "item")}
        self._samples = Samples(config, self._client, shown, self._lists)
        self.capabilities = type(self).capabilities - self._lacking()
        if self.own_pushes:
            self.capabilities |= {Capability.WEBHOOKS}

    def _lacking(self) -> frozenset[Capability]:
        lacking = set(self._config.without)
        if self._config.tickets == "none":
            lacking |= TICKETS
        if not self._office.can_change_orders:
            lacking.add(Capability.CHANGE_ORDERS)
        return frozenset(lacking)

    # ------------------------------------------------------------------ tickets
    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        self._must_have_tickets()
        return await self._tickets.find(key)

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        self._must_have_tickets()
        return await self._tickets.open(key, fields)

    async def update_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        self._must_have_tickets()
        await self._tickets.update(erp_id, fields)

    async def close_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        self._must_have_tickets()
        await self._tickets.close(erp_id, fields)

    async def ticket_states(self, erp_ids: Sequence[str]) -> Mapping[str, str]:
        self._must_have_tickets()
        return await self._tickets.states(erp_ids)

    async def ticket_copies(self, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        self._must_have_tickets()
        return await self._tickets.copies(keys)

    def _must_have_tickets(self) -> None:
        if self._config.tickets == "none":
            raise self._cannot(
                "take repairs here: `tickets: none`; publish a service and name it in services.ticket"
            )

    # ------------------------------------------------------------------ reports and postings
    async def find_report(self, key: str) -> str | None:
        return await self._postings.find("report", key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._postings.post("report", key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        if kind is PostingKind.HOURS:
            return await self._hours.find(key)
        return await self._postings.find(kind.value, key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        if kind is PostingKind.HOURS:
            return await self._hours.post(key, fields)
        return await self._postings.post(kind.value, key, fields)

    # ------------------------------------------------------------------ what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        return await self._orders.production(changed_since)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        await self._office.change_order(number, fields)

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        return await self._office.sales_orders(changed_since)

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        return await self._office.items(changed_since)

    async def equipment(self) -> Sequence[ErpEquipment]:
        return await self._office.equipment()

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        return await self._orders.reported(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._office.stock(items)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        return await probed(self._config, self._client, self._lists.values(), self.capabilities)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return await self._samples.records(document, more)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await self._samples.fields(document)

    async def close(self) -> None:
        await self._client.close()
