"""Sales orders, items, machines and stock, read from the ERP into the record.

By watermark with an overlap, every quarter of an hour and at once when the ERP pushes; once a day all of it,
so that what slipped through is found. Each subject has its own schedule: one that the ERP refuses does not
keep the others waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypeVar

from erp_bridge.mapping import Capability
from erp_bridge.readings import PAUSE, bites
from hub.errors import Permanent, Transient
from hub.model.erp import ErpEquipment, ErpSubject, Item, SalesOrder
from hub.model.exchange import Direction, Exchange, Outcome
from hub.model.words import Words
from hub.ports import Clock, ErpConnector

EVERY = timedelta(minutes=15)
AGAIN = timedelta(minutes=1)  # after the ERP was away
FULL_EVERY = timedelta(hours=24)
OVERLAP = timedelta(minutes=5)  # beside the connector's own: the clocks differ
MOVING = timedelta(days=90)  # stock is kept of items that were posted within
STOCK = "stock"

Doc = TypeVar("Doc", SalesOrder, Item, ErpEquipment)


class Shelf(Protocol):
    """The record's side; hub.store.catalogue keeps it. What is taken stands with its marks or not at all."""

    async def sales_orders(self, numbers: Sequence[str]) -> list[SalesOrder]: ...
    async def open_sales_orders(self) -> list[SalesOrder]: ...
    async def items(self, numbers: Sequence[str] | None = None) -> list[Item]: ...
    async def equipment(self) -> list[ErpEquipment]: ...
    async def moving_items(self, since: datetime) -> list[str]: ...
    async def mark(self, name: str) -> str: ...
    async def take_sales_orders(
        self, changed: Sequence[SalesOrder], told: Sequence[Exchange], marks: Mapping[str, str]
    ) -> None: ...
    async def take_items(
        self, changed: Sequence[Item], told: Sequence[Exchange], marks: Mapping[str, str]
    ) -> None: ...
    async def take_equipment(
        self, present: Sequence[ErpEquipment], told: Sequence[Exchange], marks: Mapping[str, str]
    ) -> None: ...
    async def take_stock(self, day: date, stock: Mapping[str, float], marks: Mapping[str, str]) -> None: ...


@dataclass(slots=True)
class Catalogue:
    """Every reading answers with the number of documents that differed, None where this ERP cannot tell;
    raises what the connector raises."""

    shelf: Shelf
    connector: ErpConnector
    clock: Clock
    _due: dict[str, datetime] = field(default_factory=dict)
    _read_at: dict[str, datetime] = field(default_factory=dict)

    def health(self) -> dict[str, Any]:
        """When each was last read."""
        return {f"{name.replace('-', '_')}_at": at for name, at in self._read_at.items()}

    async def due(self) -> int | None:
        """Whatever is due now; None when nothing was. Trouble of one is raised after all had their turn."""
        found: list[int | None] = []
        trouble: Transient | Permanent | None = None
        for name in (*_READERS, STOCK):
            now = self.clock.now()
            if now < self._due.get(name, now):
                continue
            self._due[name] = now + EVERY
            try:
                found.append(await self._read(name))
            except Transient as cause:
                self._due[name], trouble = now + AGAIN, trouble or cause
            except Permanent as cause:
                trouble = trouble or cause
        if trouble:
            raise trouble
        told = [n for n in found if n is not None]
        return sum(told) if told else None

    async def look(self, subject: ErpSubject) -> int:
        """The ERP says that something has changed there."""
        self._due[subject.value] = self.clock.now() + EVERY
        return await self._read(subject.value) or 0

    async def _read(self, name: str) -> int | None:
        can, read = (Capability.STOCK, Catalogue._stock) if name == STOCK else _READERS[ErpSubject(name)]
        if can not in self.connector.capabilities:
            return None
        asked_at = self.clock.now()
        found = await read(self, asked_at)
        self._read_at[name] = asked_at
        return found

    # ------------------------------------------------------------------ sales orders
    async def _sales_orders(self, asked_at: datetime) -> int:
        """A full reading tells of open ones alone: of ours, what it does not name is open no more."""
        read = await self._since(ErpSubject.SALES_ORDERS, asked_at)
        found = {(o.number, o.line): o for o in await _told(self.connector.sales_orders, read.since)}
        if read.full:
            present = {(o.number, o.line): o for o in await self.connector.sales_orders(None)}
            found |= present
            ended = [o for o in await self.shelf.open_sales_orders() if (o.number, o.line) not in found]
            found |= {(o.number, o.line): replace(o, open=False) for o in ended}
        known = await self.shelf.sales_orders(sorted({number for number, _ in found}))
        before = {(o.number, o.line): o for o in known}
        changed = [o for key, o in found.items() if before.get(key) != o]
        pairs = [(before.get((o.number, o.line)), o, f"sales-order:{o.number}/{o.line}") for o in changed]
        told = _exchanges("sales-order", pairs, asked_at, first=read.since is None)
        await self.shelf.take_sales_orders(changed, told, read.marks)
        return len(changed)

    # ------------------------------------------------------------------ items
    async def _items(self, asked_at: datetime) -> int:
        read = await self._since(ErpSubject.ITEMS, asked_at)
        found = {i.number: i for i in await _told(self.connector.items, read.since)}
        if read.full:
            found |= {i.number: i for i in await self.connector.items(None)}
        before = {i.number: i for i in await self.shelf.items(list(found))}
        changed = [i for number, i in found.items() if before.get(number) != i]
        pairs = [(before.get(i.number), i, f"item:{i.number}") for i in changed]
        told = _exchanges("item", pairs, asked_at, first=read.since is None)
        await self.shelf.take_items(changed, told, read.marks)
        return len(changed)

    # ------------------------------------------------------------------ machines
    async def _equipment(self, asked_at: datetime) -> int:
        """All of them each time: only so is a machine noticed that was removed."""
        first = not await self.shelf.mark(mark_of(ErpSubject.EQUIPMENT))
        found = {e.number: e for e in await self.connector.equipment()}
        before = {e.number: e for e in await self.shelf.equipment()}
        changed = [e for number, e in found.items() if before.get(number) != e]
        gone = [e for number, e in before.items() if number not in found]
        pairs = [(before.get(e.number), e, f"equipment:{e.number}") for e in changed]
        told = _exchanges("equipment", pairs, asked_at, first=first)
        told += [_exchange("equipment", e, None, f"equipment:{e.number}", asked_at) for e in gone]
        marks = {mark_of(ErpSubject.EQUIPMENT): asked_at.isoformat()}
        await self.shelf.take_equipment(list(found.values()), told, marks)
        return len(changed) + len(gone)

    # ------------------------------------------------------------------ stock, once a day
    async def _stock(self, asked_at: datetime) -> int | None:
        """An item of which the ERP says nothing is not known, which is not the same as none."""
        mark = await self.shelf.mark("erp:stock")
        if mark and datetime.fromisoformat(mark).date() == asked_at.date():
            return None
        moving = await self.shelf.moving_items(asked_at - MOVING)
        stock: dict[str, float] = {}
        for bite in bites(moving):
            for claim in await self.connector.stock(bite):
                stock[claim.item] = stock.get(claim.item, 0.0) + claim.quantity
            await self.clock.sleep(PAUSE)
        if moving:
            await self.shelf.take_stock(asked_at.date(), stock, {"erp:stock": asked_at.isoformat()})
        return len(stock)

    async def _since(self, subject: ErpSubject, asked_at: datetime) -> _Window:
        mark, full_mark = mark_of(subject), f"{mark_of(subject)}:full"
        last, full = await self.shelf.mark(mark), await self.shelf.mark(full_mark)
        whole = not last or not full or asked_at - datetime.fromisoformat(full) >= FULL_EVERY
        marks = {mark: asked_at.isoformat()} | ({full_mark: asked_at.isoformat()} if whole else {})
        return _Window(datetime.fromisoformat(last) - OVERLAP if last else None, whole, marks)


@dataclass(frozen=True, slots=True)
class _Window:
    """`since` None: nothing was ever read."""

    since: datetime | None
    full: bool
    marks: Mapping[str, str]


_READERS: dict[ErpSubject, tuple[Capability, Callable[[Catalogue, datetime], Awaitable[int | None]]]] = {
    ErpSubject.SALES_ORDERS: (Capability.SALES_ORDERS, Catalogue._sales_orders),
    ErpSubject.ITEMS: (Capability.ITEMS, Catalogue._items),
    ErpSubject.EQUIPMENT: (Capability.EQUIPMENT, Catalogue._equipment),
}


def mark_of(subject: ErpSubject) -> str:
    """Up to when it was read, in the record's marks."""
    return f"erp:{subject.value}"


async def _told(
    ask: Callable[[datetime | None], Awaitable[Sequence[Doc]]], since: datetime | None
) -> Sequence[Doc]:
    return await ask(since) if since else ()


def _exchanges(
    subject: str, pairs: Iterable[tuple[Doc | None, Doc, str]], at: datetime, *, first: bool
) -> list[Exchange]:
    """A whole catalogue read for the first time is one line of the ledger, not ten thousand."""
    told = [_exchange(subject, before, after, document, at) for before, after, document in pairs]
    if not first or not told:
        return told
    all_of_it = {"documents": len(told)}
    return [Exchange(at, Direction.IN, subject, f"{subject}s", Outcome.TAKEN, after=all_of_it)]


def _exchange(subject: str, before: Doc | None, after: Doc | None, document: str, at: datetime) -> Exchange:
    named = after or before
    return Exchange(
        at, Direction.IN, subject, document, Outcome.TAKEN, erp_number=named.number if named else "",
        before=_facts(before), after=_facts(after) or {"gone": True},
    )  # fmt: skip


def _facts(document: Doc | None) -> dict[str, Any] | None:
    """As JSON can hold it."""
    return {name: _plain(value) for name, value in asdict(document).items()} if document else None


def _plain(value: Any) -> Any:
    if isinstance(value, Words):
        return value.as_dict()
    return value.isoformat() if isinstance(value, datetime) else value
