"""Where in the plant a message with the ERP belongs, so that it is told only to who may see that place. What
belongs to no place we know is told only to who sees the whole plant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hub.api import record
from hub.api.deps import Deps
from hub.api.rights import Caller
from hub.errors import NotAllowed
from hub.model.exchange import Direction, Exchange, Letter
from hub.model.production import WorkOrder
from hub.ports import ErpBook

Row = TypeVar("Row", Letter, Exchange)

STEP = 200  # rows read at once for somebody who sees a part of them
LOOKS = 10  # of such reads for one answer: the rest is asked for with the next one


@dataclass(frozen=True, slots=True)
class About:
    """What a message names of ours; nothing: it is about the whole plant, or about nothing we know."""

    ticket: str = ""
    order: str = ""
    operation: str = ""
    equipment: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that the caller may see; `next`: the id to go on behind, None at the end."""

    rows: Sequence[Any]
    next: int | None


def sees_all(house: Deps, caller: Caller) -> bool:
    return caller.may_see(house.plant.site.path)


def for_the_whole_plant(house: Deps, caller: Caller) -> None:
    """Raises NotAllowed for who sees only a part."""
    if not sees_all(house, caller):
        raise NotAllowed("whole-plant", "this concerns the whole plant, of which you see a part")


async def part(
    house: Deps,
    caller: Caller,
    book: ErpBook,
    read: Callable[[int, int], Awaitable[list[Row]]],
    before: int,
    limit: int,
) -> Part:
    """The newest rows behind `before` that the caller may see. `read(before, limit)` gives all of them."""
    if sees_all(house, caller):
        rows = await read(before, limit)
        return Part(rows, rows[-1].id if len(rows) == limit else None)
    found: list[Row] = []
    for _ in range(LOOKS):
        rows = await read(before, STEP)
        found += await seen(house, caller, book, rows)
        if len(found) >= limit:
            return Part(found[:limit], found[limit - 1].id)
        if len(rows) < STEP:
            return Part(found, None)
        before = rows[-1].id
    return Part(found, before)


async def letter(house: Deps, caller: Caller, book: ErpBook, letter_id: int) -> Letter:
    """NotFound as well where it is somebody else's."""
    found = await book.letter(letter_id)
    if not sees_all(house, caller) and not await seen(house, caller, book, [found]):
        raise record.missing()
    return found


async def seen(house: Deps, caller: Caller, book: ErpBook, rows: Sequence[Row]) -> list[Row]:
    abouts = [about(row) for row in rows]
    machines = await book.machines(sorted({a.ticket for a in abouts if a.ticket}))
    numbers = sorted({a.order for a in abouts if a.order})
    orders = {o.number: o for o in await book.orders(numbers)} if numbers else {}
    return [
        row
        for row, it in zip(rows, abouts, strict=True)
        if any(caller.may_see(place) for place in places(it, machines, orders, house.plant.equipment))
    ]


# ------------------------------------------------------------------ where it belongs
def about(row: Letter | Exchange) -> About:
    """Of what the ERP tells, only orders and tickets are at a place of ours."""
    if isinstance(row, Letter):
        return _named(row.payload)
    if row.direction is Direction.OUT:
        return _named(row.after or {})
    if row.subject == "ticket":
        return About(ticket=row.document)
    if row.subject == "order":
        return About(order=row.document.removeprefix("order:"))
    return About()


def places(
    it: About, machines: Mapping[str, str], orders: Mapping[str, WorkOrder], plant: Iterable[str]
) -> frozenset[str]:
    """A ticket's machine by our record; a report's or posting's machine where it is one of ours, else the
    line of its operation; the lines of an order."""
    if it.ticket:
        return frozenset({machines[it.ticket]} if it.ticket in machines else ())
    if it.equipment and it.equipment in plant:
        return frozenset({it.equipment})
    jobs = orders[it.order].jobs if it.order in orders else ()
    own = [job for job in jobs if it.operation and job.operation == it.operation]
    return frozenset(job.work_center for job in own or jobs if job.work_center)


def _named(told: Mapping[str, Any]) -> About:
    def text(name: str) -> str:
        return str(told.get(name) or "")

    return About(text("ticket"), text("order"), text("operation"), text("equipment"))
