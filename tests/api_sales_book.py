"""Sales orders, machines and links in memory, as the API's tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.errors import NotFound
from hub.model.erp import ErpEquipment, SalesOrder
from hub.model.order_link import OrderLink
from hub.model.production import JobProgress, JobResponse, WorkOrder
from hub.model.words import Words
from hub.testing.clock import NOON

HOUR = timedelta(hours=1)


class MemoryFigures:
    """One order that was due here and one elsewhere, with what was booked on them."""

    def __init__(self, orders: Iterable[WorkOrder]) -> None:
        self.orders = [replace(o, due_at=NOON - timedelta(hours=1)) for o in orders]
        self.reports = [
            JobResponse(f"R-{o.number}", o.number, "10", NOON - HOUR * 2, 60) for o in self.orders
        ]
        self.levels: dict[str, list[float]] = {}

    async def due(self, start: datetime, end: datetime) -> tuple[list[WorkOrder], list[JobResponse]]:
        return [o for o in self.orders if start <= o.due_at < end], self.reports

    async def issued(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        return [
            {"item": "R-STEEL", "work_center": o.jobs[0].work_center, "quantity": 10.0} for o in self.orders
        ]

    async def stock(self, start: datetime, end: datetime) -> dict[str, list[float]]:
        return self.levels

    async def costs(self, start: datetime, end: datetime, order: str = "") -> list[dict[str, Any]]:
        booked = {"what": "machine", "item": "", "unit": "s", "booked": 60.0, "taken": 45.0, "documents": 4}
        counts = {"documents_taken": 3, "documents_refused": 1}
        return [{"work_order": o.number, **booked, **counts} for o in self.orders]


class MemorySales:
    """An order here (MO-1 of SO-1) and one elsewhere (MO-2 of SO-2), a link to each."""

    def __init__(self, orders: Iterable[WorkOrder]) -> None:
        self.orders = {
            o.number: replace(o, sales_order=o.number.replace("MO", "SO"), customer="华东机械")
            for o in orders
        }
        due = NOON + timedelta(hours=8)
        self.sold = [SalesOrder(f"SO-{n}", "1", "华东机械", "A", 100.0, due) for n in (1, 2)]
        self.told: list[JobProgress] = []
        self.assets = [ErpEquipment("EQ-1", Words("冲压机", "Press"))]
        later = NOON + timedelta(days=90)
        self.kept = {n: OrderLink(f"SO-{n}", f"MO-{n}", "manager-1", NOON, later, id=n) for n in (1, 2)}
        self.hashes: dict[str, int] = {}

    async def sales_orders(self, numbers: Sequence[str]) -> list[SalesOrder]:
        return [s for s in self.sold if s.number in numbers]

    async def open_sales_orders(self) -> list[SalesOrder]:
        return [s for s in self.sold if s.open]

    async def work_orders(self, sales: Sequence[str], numbers: Sequence[str] = ()) -> list[WorkOrder]:
        return [o for o in self.orders.values() if o.sales_order in sales or o.number in numbers]

    async def progress(self, numbers: Sequence[str]) -> list[JobProgress]:
        return [p for p in self.told if p.job.order in numbers]

    async def equipment(self) -> list[ErpEquipment]:
        return list(self.assets)

    async def add_link(self, token_hash: str, link: OrderLink) -> OrderLink:
        made = replace(link, id=len(self.kept) + 1)
        self.kept[made.id], self.hashes[token_hash] = made, made.id
        return made

    async def link_by(self, token_hash: str, now: datetime) -> OrderLink | None:
        found = self.kept.get(self.hashes.get(token_hash, 0))
        return found if found and found.live(now) else None

    async def links(self, sales_order: str, work_order: str) -> list[OrderLink]:
        return [one for one in self.kept.values() if one.sales_order == sales_order]

    async def link(self, link_id: int) -> OrderLink:
        if link_id not in self.kept:
            raise NotFound("not-found", "there is no such link")
        return self.kept[link_id]

    async def revoke_link(self, link_id: int, by: str, at: datetime) -> bool:
        fresh = self.kept[link_id].revoked_at is None
        self.kept[link_id] = replace(self.kept[link_id], revoked_at=at, revoked_by=by)
        return fresh
