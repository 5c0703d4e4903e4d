"""The ERP's books, read in small bites with pauses; what it cannot tell is written down with the reason.

A reading that passed records over is no book: what is missing in it may be there. Only of orders those that
were read are compared all the same, while nothing is said of those that were not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from erp_bridge import left_out
from erp_bridge.books import At, TheirBook
from erp_bridge.left_out import LeftOut
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused
from hub.model.erp import ErpEquipment, OperationClaim, StockClaim
from hub.model.production import WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket
from hub.ports import Clock, ErpConnector

T = TypeVar("T")
BITE = 50  # documents in one call
PAUSE = 0.2  # seconds between two calls: people work with this ERP
ORDER_MAPS = frozenset({"order", "orders"})
LATELY = timedelta(days=90)  # an order that left the shop floor is looked for so far back


@dataclass(slots=True)
class Reading:
    """One look at the ERP. `not_compared`: what -> why; `lost`: what of it could not be read."""

    connector: ErpConnector
    clock: Clock
    not_compared: dict[str, str] = field(default_factory=dict)
    lost: dict[str, list[LeftOut]] = field(default_factory=dict)

    async def book(
        self,
        ours: Mapping[str, WorkOrder],
        tickets: Sequence[MaintenanceTicket],
        items: Iterable[str],
    ) -> TheirBook:
        orders = await self._told("orders", Capability.ORDERS, lambda: self._orders(ours))
        present = [n for n, o in (orders or ours).items() if o.state is WorkOrderState.RELEASED]
        wanted = sorted({*present, *(n for n, o in ours.items() if o.state is WorkOrderState.RELEASED)})
        keys = [t.id for t in tickets]
        return TheirBook(
            orders,
            await self._told("reports", Capability.REPORTED, lambda: self._claims(wanted)),
            await self._told("tickets", Capability.TICKET_STATES, lambda: self._tickets(tickets)),
            await self._told("ticket-twice", Capability.OPEN_TICKETS, lambda: self._keyed(keys)),
            await self._told("equipment", Capability.EQUIPMENT, self._equipment),
            await self._told("stock", Capability.STOCK, lambda: self._stock(sorted(set(items)))),
        )

    async def _told(self, what: str, can: Capability, ask: Callable[[], Awaitable[T]]) -> T | None:
        if can not in self.connector.capabilities:
            self.not_compared[what] = "erp-cannot"
            return None
        try:
            with left_out.gathered() as lost:
                answer = await ask()
        except ErpRefused as refusal:
            self.not_compared[what] = str(refusal)
            return None
        self.lost[what] = lost
        if not lost:
            return answer
        self.not_compared[what] = why_not(lost)
        return answer if what == "orders" and {x.document for x in lost} <= ORDER_MAPS else None

    async def _orders(self, ours: Mapping[str, WorkOrder]) -> dict[str, WorkOrder]:
        """Those on the floor; only when one of ours is not among them, those that left it lately as well."""
        found = {o.number: o for o in await self.connector.orders(None)}
        if any(o.state is WorkOrderState.RELEASED and n not in found for n, o in ours.items()):
            await self.clock.sleep(PAUSE)
            lately = await self.connector.orders(self.clock.now() - LATELY)
            found = {o.number: o for o in lately if o.number in ours} | found
        return found

    async def _claims(self, numbers: Sequence[str]) -> dict[At, OperationClaim]:
        claims: dict[At, OperationClaim] = {}
        for bite in bites(numbers):
            claims |= {(c.order, c.operation): c for c in await self.connector.reported(bite)}
            await self.clock.sleep(PAUSE)
        return claims

    async def _tickets(self, tickets: Sequence[MaintenanceTicket]) -> dict[str, str]:
        states: dict[str, str] = {}
        for bite in bites([t.erp_id for t in tickets if t.erp_id]):
            states |= await self.connector.ticket_states(bite)
            await self.clock.sleep(PAUSE)
        return states

    async def _keyed(self, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
        keyed: dict[str, tuple[str, ...]] = {}
        for bite in bites(keys):
            keyed |= {key: tuple(n) for key, n in (await self.connector.ticket_copies(bite)).items()}
            await self.clock.sleep(PAUSE)
        return keyed

    async def _equipment(self) -> tuple[ErpEquipment, ...]:
        return tuple(await self.connector.equipment())

    async def _stock(self, items: Sequence[str]) -> tuple[StockClaim, ...]:
        found: list[StockClaim] = []
        for bite in bites(items):
            found += await self.connector.stock(bite)
            await self.clock.sleep(PAUSE)
        return tuple(found)


def why_not(lost: Sequence[LeftOut]) -> str:
    """A word for the screens, how many, and the first: `left-out 3 order MO-1: ...`."""
    return f"left-out {len(lost)} {lost[0]}"


def bites(things: Sequence[T]) -> Iterator[list[T]]:
    rest = iter(things)
    while bite := list(islice(rest, BITE)):
        yield bite
