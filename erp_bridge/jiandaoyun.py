"""Jiandaoyun 简道云 by its open API v5: the customer's own forms, named in the configuration.

Whatever the forms are, what goes where is data (erp_bridge.jiandaoyun_maps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from erp_bridge.connector import Connector
from erp_bridge.jiandaoyun_client import JiandaoyunClient
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from erp_bridge.jiandaoyun_fields import described, raw_records
from erp_bridge.jiandaoyun_forms import Forms
from erp_bridge.jiandaoyun_maps import DOCUMENTS
from erp_bridge.jiandaoyun_office import Office
from erp_bridge.jiandaoyun_postings import Postings
from erp_bridge.jiandaoyun_probe import probed
from erp_bridge.jiandaoyun_push import FORM_CHANGED, Pushed, opened
from erp_bridge.jiandaoyun_records import Records
from erp_bridge.jiandaoyun_tickets import Tickets
from erp_bridge.mapping import Capability
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
from hub.model.production import WorkOrder
from hub.ports import Clock

_NEEDS = {  # a form is looked at only where the app has what it is for
    "order": Capability.ORDERS,
    "progress": Capability.REPORT_OPERATIONS,
    "report": Capability.REPORT_OPERATIONS,
    "receipt": Capability.RECEIPTS,
    "lot": Capability.RECEIPTS,
    "issue": Capability.ISSUES,
    "quality": Capability.QUALITY,
    "hours": Capability.HOURS,
    "scrap": Capability.SCRAP,
    "sales_order": Capability.SALES_ORDERS,
    "item": Capability.ITEMS,
    "equipment": Capability.EQUIPMENT,
    "stock": Capability.STOCK,
}
_SUBJECTS = {  # what a clerk books on an order changes the order's progress
    "ticket": ErpSubject.TICKETS,
    "sales_order": ErpSubject.SALES_ORDERS,
    "item": ErpSubject.ITEMS,
    "equipment": ErpSubject.EQUIPMENT,
}
_TOLD_BY = {  # a push that does not name its form: by the first of these fields that it holds
    "fault_desc": "ticket", "wo_no": "order", "so_no": "sales_order", "item_name": "item",
    "equip_name": "equipment",
}  # fmt: skip
_NUMBERS = {"ticket": "_id", "sales_order": "so_no", "item": "item_code", "equipment": "equip_code"}


class JiandaoyunConnector(Connector):
    """hub.ports.ErpConnector. Opens nothing before the first call."""

    Config = JiandaoyunConfig
    title: ClassVar[str] = "Jiandaoyun"
    own_maps = DOCUMENTS
    capabilities = frozenset(Capability)

    def __init__(self, config: JiandaoyunConfig, clock: Clock) -> None:
        able = type(self).capabilities - {*config.without}
        self.capabilities = able if config.push_secrets else able - {Capability.WEBHOOKS}
        self._config = config
        self._clock = clock
        self._client = JiandaoyunClient(config)
        self._forms = Forms(config, self._client, clock)
        records = Records(config, self._client, self._forms)
        self._tickets = Tickets(records)
        self._postings = Postings(records, clock)
        self._records = records
        self._office = Office(records, self._postings, clock)

    async def close(self) -> None:
        await self._client.close()

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
        return await self._postings.find("report", key)

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        return await self._postings.post("report", key, fields)

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        return await self._postings.find(kind.value, key)

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        return await self._postings.post(kind.value, key, fields)

    # ------------------------------------------------------------------ what the office decides
    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        await self._postings.settle()
        return await self._office.orders(changed_since)

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        await self._office.change(number, fields)

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        return await self._office.sales_orders(changed_since)

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        return await self._office.items(changed_since)

    async def equipment(self) -> Sequence[ErpEquipment]:
        return await self._office.equipment()

    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        return await self._postings.claims(numbers)

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        return await self._office.stock(items)

    # ------------------------------------------------------------------ what is pushed
    def pushed(self, push: ErpPush) -> ErpNews:
        """Where to look. What it says of forms and deletions is not relied on: whoever looks, in this process
        or in another, looks forms up anew from time to time and misses an order that was deleted."""
        secrets = [secret.get_secret_value() for secret in self._config.push_secrets]
        told = opened(push, secrets, self._clock.now())
        if told.op == FORM_CHANGED:
            self._forms.forget()
        document = self._document(told)
        subject = _SUBJECTS.get(document, ErpSubject.ORDERS)
        number = told.record.get(_NUMBERS.get(document, "wo_no")) or told.record.get("_id")
        return ErpNews(told.id, subject, (str(number),) if number else ())

    def _document(self, told: Pushed) -> str:
        """By the form's id, where we have met it; by the address; by the fields. A push is only a hint: one
        that tells nothing of its form is taken for the ticket's."""
        named = self._forms.documents(told.entry_id)
        if not named and told.hint in self._forms.kinds:
            named = [told.hint]
        named = named or [document for name, document in _TOLD_BY.items() if name in told.record]
        return named[0] if named else "ticket"

    # ------------------------------------------------------------------ care
    async def probe(self) -> Mapping[str, str]:
        wanted = [n for n in self._forms.kinds if _NEEDS.get(n, Capability.OPEN_TICKETS) in self.capabilities]
        return await probed(self._forms, wanted)

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """With all of their fields, whatever is asked for."""
        return await raw_records(self._records, document, self._clock.now())

    async def fields(self, document: str) -> Sequence[ErpField]:
        return await described(self._records, document)
