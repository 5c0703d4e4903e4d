"""What every connector is unless it says otherwise: one that cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from erp_bridge.fieldmap import MapBlock
from erp_bridge.own_pushes import OwnPushes
from hub.errors import ErpRefused, NotAllowed
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


class Connector:
    """hub.ports.ErpConnector with every call refused: override what the ERP can do, and say so in
    `capabilities`."""

    Config: type[BaseModel]
    capabilities: frozenset[str] = frozenset()
    own_pushes: OwnPushes | None = None  # of an ERP that has no scheme of its own
    title: ClassVar[str] = "this ERP"  # as complaints name it
    own_maps: Mapping[str, MapBlock] = {}  # of its documents, before a site's; none: it has no map to edit
    layered = (
        True  # a site's map is laid over ours field by field; else a side it fills stands instead of ours
    )
    meanings: Mapping[
        str, str
    ] = {}  # document: the one in erp_bridge.map_samples that is filled with the same fields

    def _cannot(self, what: str) -> ErpRefused:
        return ErpRefused(f"{self.title} has no way to {what}")

    async def find_ticket(self, key: str) -> tuple[str, str] | None:
        raise self._cannot(f"look for ticket {key}")

    async def open_ticket(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        raise self._cannot(f"open ticket {key}")

    async def update_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        raise self._cannot(f"update ticket {erp_id}")

    async def close_ticket(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        raise self._cannot(f"close ticket {erp_id}")

    async def ticket_states(self, erp_ids: Sequence[str]) -> Mapping[str, str]:
        raise self._cannot("tell the state of tickets")

    async def ticket_copies(self, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        raise self._cannot("tell which documents carry one key")

    async def find_report(self, key: str) -> str | None:
        raise self._cannot(f"look for report {key}")

    async def report_operation(self, key: str, fields: Mapping[str, Any]) -> str:
        raise self._cannot(f"take report {key}")

    async def find_posting(self, kind: PostingKind, key: str) -> str | None:
        raise self._cannot(f"look for {kind.value} {key}")

    async def post(self, kind: PostingKind, key: str, fields: Mapping[str, Any]) -> str:
        raise self._cannot(f"take {kind.value} {key}")

    async def orders(self, changed_since: datetime | None) -> Sequence[WorkOrder]:
        raise self._cannot("tell of production orders")

    async def change_order(self, number: str, fields: Mapping[str, Any]) -> None:
        raise self._cannot(f"change production order {number}")

    async def sales_orders(self, changed_since: datetime | None) -> Sequence[SalesOrder]:
        raise self._cannot("tell of sales orders")

    async def items(self, changed_since: datetime | None) -> Sequence[Item]:
        raise self._cannot("tell of items")

    async def equipment(self) -> Sequence[ErpEquipment]:
        raise self._cannot("tell of equipment")

    async def reported(self, numbers: Sequence[str]) -> Sequence[OperationClaim]:
        raise self._cannot("tell what is reported")

    async def stock(self, items: Sequence[str]) -> Sequence[StockClaim]:
        raise self._cannot("tell of stock")

    def pushed(self, push: ErpPush) -> ErpNews:
        if self.own_pushes:
            return self.own_pushes.news(push)
        if self.own_pushes is None:
            raise NotAllowed("no-webhooks", f"{self.title} is not set up to push")
        raise NotAllowed(
            "no-webhooks", f"no secret is configured for pushes of {self.title}: write erp.with.push_secrets"
        )

    async def probe(self) -> Mapping[str, str]:
        raise self._cannot("be probed")

    async def samples(self, document: str, more: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """A few records as the ERP has them; with the fields in `more`, as far as there are such."""
        raise self._cannot(f"show records of {document}")

    async def fields(self, document: str) -> Sequence[ErpField]:
        """What the ERP knows of this document's fields."""
        raise self._cannot(f"list the fields of {document}")

    async def close(self) -> None:
        """Nothing is open."""
