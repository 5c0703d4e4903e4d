"""Customers' orders as they stand now: when each will be finished, and how old what is known of them is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.api.deps import Deps, SalesBook
from hub.api.rights import Caller
from hub.errors import NotFound
from hub.kpi.order_status import LineStatus, OrderStatus, line_statuses, order_status
from hub.kpi.progress import Outlook, finishes
from hub.model.erp import SalesOrder
from hub.model.people import Person
from hub.model.production import JobProgress, WorkOrder

FRESH = 10.0  # seconds that one look at all outlooks is good for
ERP_SILENT = timedelta(minutes=5)  # the bridge asks every half minute


@dataclass(slots=True)
class Outlooks:
    """Of every order in sight, as the board has them; reckoned every few seconds, however many ask."""

    house: Deps
    _known: dict[str, Outlook] = field(default_factory=dict)
    _at: float | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def now(self) -> Mapping[str, Outlook]:
        async with self._turn:
            at = self.house.clock.monotonic()
            if self._at is None or at - self._at >= FRESH:
                self._known, self._at = await self._reckoned(), at
        return self._known

    async def _reckoned(self) -> dict[str, Outlook]:
        orders, progress = await self.house.ledger.orders(), await self.house.ledger.progress()
        plant, now = self.house.plant, self.house.clock.now()
        return await asyncio.to_thread(finishes, orders, progress, plant, plant.targets, now)


@dataclass(frozen=True, slots=True)
class Freshness:
    """`as_of`: up to when what is shown is known; `stale`: who was not heard since, "" when all is well."""

    as_of: datetime
    stale: str = ""


async def freshness(house: Deps) -> Freshness:
    now = house.clock.now()
    silent = [(at, "mes") for at in _mes_lost(house)]
    mark = await house.ledger.mark("erp:orders")  # "" where no ERP tells of orders
    if mark and now - datetime.fromisoformat(mark) >= ERP_SILENT:
        silent.append((datetime.fromisoformat(mark), "erp"))
    return Freshness(*min(silent)) if silent else Freshness(now)


def _mes_lost(house: Deps) -> Iterable[datetime]:
    sources: Mapping[str, Mapping[str, Any]] = house.status().get("sources", {})
    for name in house.mes:
        source = sources.get(name)
        if source is not None and not source.get("up"):
            since = source.get("since")
            yield datetime.fromisoformat(since) if since else house.clock.now()


def sales_book(house: Deps) -> SalesBook:
    if house.sales is None:
        raise NotFound("not-found", "no sales orders are kept here")
    return house.sales


def sees(house: Deps, person: Person | Caller, order: WorkOrder) -> bool:
    """As the board shows orders: whoever has a part of the work; all of them to whoever has the whole plant,
    also those whose work has no place in it (yet)."""
    return person.may_see(house.plant.site.path) or any(person.may_see(job.work_center) for job in order.jobs)


async def of_sale(
    house: Deps, outlooks: Outlooks, person: Person, sale: str, number: str
) -> tuple[list[WorkOrder], list[LineStatus]]:
    """One sales order, or one production order that has none, as far as this person sees it."""
    book = sales_book(house)
    orders = await book.work_orders([sale] if sale else [], [] if sale else [number])
    mine = [o for o in orders if sees(house, person, o)]
    sold = await book.sales_orders([sale]) if sale and mine else []
    told = {(p.job.order, p.job.operation): p for p in await book.progress([o.number for o in mine])}
    return mine, lines_of(sold, mine, told, await outlooks.now())


def lines_of(
    sold: Sequence[SalesOrder],
    orders: Sequence[WorkOrder],
    told: Mapping[tuple[str, str], JobProgress],
    outlooks: Mapping[str, Outlook],
) -> list[LineStatus]:
    statuses: list[OrderStatus] = [order_status(o, told, outlooks.get(o.number)) for o in orders]
    return line_statuses(sold, statuses)


def shape(line: LineStatus) -> dict[str, Any]:
    """Only what a customer may read: no scrap, no people, no machines."""
    late, step = line.late_by, next((o.operation for o in line.orders if o.operation), None)
    return {
        "product": line.product,
        "product_name": line.product_name.as_dict(),
        "stage": line.stage.value,
        "ordered": line.ordered,
        "made": line.made,
        "due_at": line.due_at,
        "finish": line.finish,
        "late_by": int(late.total_seconds()) if late else None,
        "changed_at": line.changed_at,
        "operation": _step(step) if step else None,
        "orders": [o.number for o in line.orders],
    }


def _step(step: JobProgress) -> dict[str, Any]:
    return {
        "name": step.job.name.as_dict(),
        "state": step.state.value,
        "good": step.good,
        "quantity": step.job.quantity,
    }
