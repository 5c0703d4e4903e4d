"""Sales orders, items, machines and stock, read from the ERP into the record.

By watermark with an overlap, every quarter of an hour and at once when the ERP pushes; once a day all of it,
so that what slipped through is found. Each subject has its own schedule: one that the ERP refuses does not
keep the others waiting. A reading that passed records over proves nothing gone, and is no full one; nor does
one that names hardly anything of what there was, until a second one says the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypeVar

from erp_bridge import left_out, shrunk
from erp_bridge.left_out import LeftOut
from erp_bridge.mapping import Capability
from erp_bridge.omissions import AGAIN as UNREAD_AGAIN
from erp_bridge.omissions import Omissions
from erp_bridge.readings import LATELY, PAUSE, bites
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
STOCK_MARK = "erp:stock"

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
    raises what the connector raises. `maps` names the field maps: under others, everything is read anew."""

    shelf: Shelf
    connector: ErpConnector
    clock: Clock
    omissions: Omissions | None = None
    maps: str = ""
    _due: dict[str, datetime] = field(default_factory=dict)
    _read_at: dict[str, datetime] = field(default_factory=dict)
    _doubted: dict[ErpSubject, Words] = field(default_factory=dict)

    def health(self) -> dict[str, Any]:
        """When each was last read; `degraded` says in words which answer is not believed."""
        read: dict[str, Any] = {f"{name.replace('-', '_')}_at": at for name, at in self._read_at.items()}
        said = next(iter(self._doubted.values()), None)
        return read | ({"degraded": said.as_dict()} if said else {})

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
        with left_out.gathered() as lost:
            found = {(o.number, o.line): o for o in await _told(self.connector.sales_orders, read.since)}
            if read.full:
                found |= {(o.number, o.line): o for o in await self.connector.sales_orders(None)}
        doubt: dict[str, str] = {}
        if read.full:
            present = await self.shelf.open_sales_orders()
            ended = [o for o in present if (o.number, o.line) not in found]
            doubt = await self._doubt(ErpSubject.SALES_ORDERS, len(ended), len(present), lost, asked_at)
            found |= {(o.number, o.line): replace(o, open=False) for o in ended if not lost}
        known = await self.shelf.sales_orders(sorted({number for number, _ in found}))
        before = {(o.number, o.line): o for o in known}
        changed = [o for key, o in found.items() if before.get(key) != o]
        pairs = [(before.get((o.number, o.line)), o, f"sales-order:{o.number}/{o.line}") for o in changed]
        told = _exchanges("sales-order", pairs, asked_at, first=read.since is None)
        await self.shelf.take_sales_orders(changed, told, read.marks(bool(lost)) | doubt)
        await self._heard(ErpSubject.SALES_ORDERS, lost, whole=read.full)
        return len(changed)

    # ------------------------------------------------------------------ items
    async def _items(self, asked_at: datetime) -> int:
        read = await self._since(ErpSubject.ITEMS, asked_at)
        with left_out.gathered() as lost:
            found = {i.number: i for i in await _told(self.connector.items, read.since)}
            if read.full:
                found |= {i.number: i for i in await self.connector.items(None)}
        before = {i.number: i for i in await self.shelf.items(list(found))}
        changed = [i for number, i in found.items() if before.get(number) != i]
        pairs = [(before.get(i.number), i, f"item:{i.number}") for i in changed]
        told = _exchanges("item", pairs, asked_at, first=read.since is None)
        await self.shelf.take_items(changed, told, read.marks(bool(lost)))
        await self._heard(ErpSubject.ITEMS, lost, whole=read.full)
        return len(changed)

    # ------------------------------------------------------------------ machines
    async def _equipment(self, asked_at: datetime) -> int:
        """All of them each time: only so is a machine noticed that was removed."""
        first = not await self.shelf.mark(mark_of(ErpSubject.EQUIPMENT))
        with left_out.gathered() as lost:
            found = {e.number: e for e in await self.connector.equipment()}
        before = {e.number: e for e in await self.shelf.equipment()}
        changed = [e for number, e in found.items() if before.get(number) != e]
        missing = [e for number, e in before.items() if number not in found]
        doubt = await self._doubt(ErpSubject.EQUIPMENT, len(missing), len(before), lost, asked_at)
        gone, kept = ([], missing) if lost else (missing, [])
        pairs = [(before.get(e.number), e, f"equipment:{e.number}") for e in changed]
        told = _exchanges("equipment", pairs, asked_at, first=first)
        told += [_exchange("equipment", e, None, f"equipment:{e.number}", asked_at) for e in gone]
        marks = {mark_of(ErpSubject.EQUIPMENT): asked_at.isoformat()} | doubt
        await self.shelf.take_equipment([*found.values(), *kept], told, marks)
        await self._heard(ErpSubject.EQUIPMENT, lost, whole=True)
        return len(changed) + len(gone)

    # ------------------------------------------------------------------ stock, once a day
    async def _stock(self, asked_at: datetime) -> int | None:
        """An item of which the ERP says nothing is not known, which is not the same as none; nor is one of
        which something could not be read."""
        if not await self._stock_is_due(asked_at):
            return None
        moving = await self.shelf.moving_items(asked_at - MOVING)
        stock, unread = dict[str, float](), list[LeftOut]()
        for bite in bites(moving):
            with left_out.gathered() as lost:
                claims = await self.connector.stock(bite)
            unread += lost
            for claim in () if lost else claims:
                stock[claim.item] = stock.get(claim.item, 0.0) + claim.quantity
            await self.clock.sleep(PAUSE)
        if moving:
            done = {} if unread else {STOCK_MARK: asked_at.isoformat()}
            marks = done | {f"{STOCK_MARK}:tried": asked_at.isoformat(), f"{STOCK_MARK}:maps": self.maps}
            await self.shelf.take_stock(asked_at.date(), stock, marks)
        await self._heard(STOCK, unread, whole=True)
        return len(stock)

    async def _stock_is_due(self, now: datetime) -> bool:
        names = (STOCK_MARK, f"{STOCK_MARK}:tried", f"{STOCK_MARK}:maps")
        done, tried, maps = [await self.shelf.mark(name) for name in names]
        if maps != self.maps:
            return True
        return not (done and datetime.fromisoformat(done).date() == now.date()) and not _lately(tried, now)

    async def _doubt(
        self, subject: ErpSubject, missing: int, there: int, lost: list[LeftOut], asked_at: datetime
    ) -> dict[str, str]:
        """Adds to `lost` when so much is missing that it is not believed yet; the mark to keep of it. A
        reading that passed records over says neither that it is so nor that it is not."""
        name, document = f"{mark_of(subject)}:shrunk", _DOCUMENTS[subject]
        if lost and shrunk.is_short(missing, there):
            return {}
        sure, mark = shrunk.believed(await self.shelf.mark(name), missing, there, asked_at)
        if sure:  # the next shortage is another one
            self._doubted.pop(subject, None)
            return {name: ""}
        lost.append(shrunk.left_out(document, missing, there))
        self._doubted[subject] = shrunk.told(document, missing, there)
        return {name: mark}

    async def _heard(self, source: str, lost: Sequence[LeftOut], *, whole: bool) -> None:
        if self.omissions is not None:
            await self.omissions.heard(source, lost, whole=whole)

    async def _since(self, subject: ErpSubject, asked_at: datetime) -> _Window:
        mark = mark_of(subject)
        names = (mark, f"{mark}:full", f"{mark}:tried", f"{mark}:doubt", f"{mark}:maps")
        last, full, tried, doubt, maps = [await self.shelf.mark(name) for name in names]
        aged = not last or not full or asked_at - datetime.fromisoformat(full) >= FULL_EVERY
        whole = maps != self.maps or ((aged or bool(doubt)) and not _lately(tried, asked_at))
        since = datetime.fromisoformat(last) - OVERLAP if last else None
        if since and whole and doubt:
            since = max(min(since, datetime.fromisoformat(doubt)), asked_at - LATELY)
        return _Window(mark, asked_at, since, whole, doubt, self.maps)


@dataclass(frozen=True, slots=True)
class _Window:
    """What is asked for. `since` None: nothing was ever read; `doubt`: since when something may have changed
    in a way that could not be read."""

    mark: str
    asked_at: datetime
    since: datetime | None
    full: bool
    doubt: str
    maps: str

    def marks(self, lost: bool) -> dict[str, str]:
        """What is known of it from now on."""
        now = self.asked_at.isoformat()
        found = {self.mark: now}
        if self.full:
            found |= {f"{self.mark}:tried": now, f"{self.mark}:maps": self.maps}
        if self.full and not lost:
            found |= {f"{self.mark}:full": now} | ({f"{self.mark}:doubt": ""} if self.doubt else {})
        elif lost and not self.doubt:
            found[f"{self.mark}:doubt"] = (self.since or self.asked_at).isoformat()
        return found


def _lately(tried: str, now: datetime) -> bool:
    """What could not be read whole is not read again at every turn."""
    return bool(tried) and now - datetime.fromisoformat(tried) < UNREAD_AGAIN


_READERS: dict[ErpSubject, tuple[Capability, Callable[[Catalogue, datetime], Awaitable[int | None]]]] = {
    ErpSubject.SALES_ORDERS: (Capability.SALES_ORDERS, Catalogue._sales_orders),
    ErpSubject.ITEMS: (Capability.ITEMS, Catalogue._items),
    ErpSubject.EQUIPMENT: (Capability.EQUIPMENT, Catalogue._equipment),
}


_DOCUMENTS = {ErpSubject.SALES_ORDERS: "sales_order", ErpSubject.EQUIPMENT: "equipment"}


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
