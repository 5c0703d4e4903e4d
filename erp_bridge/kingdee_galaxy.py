"""Kingdee Cloud Galaxy 金蝶云星空: tickets, reports and postings, orders, sales orders, master data.

No write of this ERP is idempotent. Every one is therefore preceded by a look: for our own number before a
document is made, for the document's state before it is moved on. After an unknown outcome the caller simply
calls again, and what was done is found instead of done twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from erp_bridge.connector import Connector
from erp_bridge.kingdee_changes import Changes
from erp_bridge.kingdee_client import KingdeeClient
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_fields import Designs, raw_records
from erp_bridge.kingdee_kinds import Kind, kind_of
from erp_bridge.kingdee_maps import DOCUMENTS, POSTINGS
from erp_bridge.kingdee_office import Office
from erp_bridge.kingdee_postings import Postings
from erp_bridge.kingdee_probe import probed
from erp_bridge.kingdee_tickets import Tickets
from erp_bridge.mapping import Capability
from erp_bridge.own_pushes import OwnPushes
from hub.model.erp import ErpEquipment, Item, OperationClaim, PostingKind, SalesOrder, StockClaim
from hub.model.mapping import ErpField
from hub.model.production import WorkOrder
from hub.ports import Clock

_NEEDS = {  # a document is looked at only where the tenant has what it is for
    "order": Capability.ORDERS,
    "plan": Capability.ORDERS,
    "sales_order": Capability.SALES_ORDERS,
    "item": Capability.ITEMS,
    "equipment": Capability.EQUIPMENT,
    "stock": Capability.STOCK,
    "order_change": Capability.CHANGE_ORDERS,
    "report": Capability.REPORT_OPERATIONS,
    "receipt": Capability.RECEIPTS,
    "issue": Capability.ISSUES,
    "quality": Capability.QUALITY,
    "hours": Capability.HOURS,
    "scrap": Capability.SCRAP,
}


class KingdeeGalaxyConnector(Connector):
    """hub.ports.ErpConnector in signed mode (no login call). Opens nothing before the first call."""

    Config = KingdeeConfig
    title = "Kingdee Galaxy"
    capabilities = frozenset(set(Capability) - {Capability.WEBHOOKS})
    own_maps = DOCUMENTS

    def __init__(self, config: KingdeeConfig, clock: Clock) -> None:
        self.own_pushes = OwnPushes(config.push_secrets, clock)
        self.capabilities = frozenset(c for c in type(self).capabilities if c not in config.without)
        if self.own_pushes:
            self.capabilities |= {Capability.WEBHOOKS}
        self._config = config
        self._client = KingdeeClient(config, clock)
        self._kinds = {name: kind_of(config, name) for name in DOCUMENTS}
        self._client.places = _places(self._kinds)
        self._designs = Designs(self._client, clock)
        self._tickets = Tickets(config, self._client, self._kinds["ticket"])
        self._office = Office(config, self._client, self._kinds)
        self._changes = Changes(
            self._client, clock, self._kinds, self._office.orders_read, self._office.sales_read
        )
        forms = Counter(self._kinds[name].form for name in POSTINGS)
        mine = {self._kinds[name].form: theirs for name, theirs in config.filters.items()}
        self._postings = {
            name: Postings(
                config, self._client, clock, self._kinds[name],
                shared=name != "report" and forms[self._kinds[name].form] > 1, filters=mine,
            )
            for name in POSTINGS
        }  # fmt: skip

    async def close(self) -> None:
        await self._client.close()

    # ------------------------------------------------------------------ tickets
    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        found = await self._tickets.find(key)
        return (found.id, found.number) if found else None

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
        return await self._postings["report"].find(key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._postings["report"].post(key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        return await self._postings[kind.value].find(key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        return await self._postings[kind.value].post(key, fields)

    # ------------------------------------------------------------------ what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        return await self._office.orders(changed_since)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        await self._changes.change(number, fields)

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        return await self._office.sales_orders(changed_since)

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        return await self._office.items(changed_since)

    async def equipment(self) -> Sequence[ErpEquipment]:
        return await self._office.equipment()

    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        return await self._office.reported(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._office.stock(items)

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        able = self.capabilities
        wanted = [k for name, k in self._kinds.items() if _NEEDS.get(name, Capability.OPEN_TICKETS) in able]
        postings = [p for name, p in self._postings.items() if _NEEDS[name] in able]
        return await probed(self._client, wanted, postings)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        mine = self._config.filters.get(document, "")  # type: ignore[call-overload]
        kind = self._kinds[document]
        there = await self._designs.that_exist(kind.form, [*kind.shown, *more])
        return await raw_records(self._client, kind, there, mine)

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await self._designs.fields(self._kinds[document].form)


def _places(kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Where the configuration names each form."""
    found: dict[str, str] = {}
    for name, kind in kinds.items():
        place = f"documents.{name}.form"
        found[kind.form.lower()] = " and ".join(filter(None, (found.get(kind.form.lower()), place)))
    return found
