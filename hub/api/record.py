"""Reading the record for one caller: what lies outside their part of the plant is not found."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from hub.api import shapes
from hub.api.auth import Door, address_of
from hub.api.deps import Deps
from hub.api.rights import Caller
from hub.api.texts import TEXTS
from hub.errors import NotFound
from hub.model.alarm import Alarm
from hub.model.people import Person
from hub.model.ticket import MaintenanceTicket
from hub.model.words import Words

RECENT = 1000  # closed alarms and tickets that lists and titles reach back to


def missing() -> NotFound:
    """The same for what is not there and for what is somebody else's: nobody learns which ids exist."""
    return NotFound("not-found", TEXTS["not-found"].en)


async def alarm(house: Deps, caller: Caller, alarm_id: int) -> Alarm:
    async with house.ledger.begin() as tx:
        found = await tx.alarm(alarm_id)
    if not caller.may_see(found.equipment):
        raise missing()
    return found


async def ticket(house: Deps, caller: Caller, ticket_id: str) -> MaintenanceTicket:
    found = await house.ledger.ticket_of(ticket_id)
    if not caller.may_see(found.equipment):
        raise missing()
    return found


async def tickets(house: Deps) -> list[MaintenanceTicket]:
    """Newest first, open ones before all."""
    open_ones = await house.ledger.open_tickets()
    known = {t.id for t in open_ones}
    return [*open_ones, *(t for t in await house.ledger.recent_tickets(RECENT) if t.id not in known)]


async def alarm_shapes(house: Deps, alarms: Sequence[Alarm]) -> list[shapes.Json]:
    """With the ticket of each: its own, or the one that is open for its machine already."""
    found = await tickets(house)
    own = {t.alarm_id: t for t in reversed(found)}
    machines = {t.equipment: t for t in found if t.is_open}
    now = house.clock.now()
    return [shapes.alarm(a, house.plant, now, own.get(a.id) or machines.get(a.equipment)) for a in alarms]


async def titles(house: Deps) -> dict[int, Words]:
    found = [*await house.ledger.recent_alarms(RECENT), *await house.ledger.open_alarms()]
    return {a.id: a.title for a in found}


def person(caller: Caller) -> Person:
    assert caller.person is not None  # the guard lets no device come to a route that asks for this
    return caller.person


def door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


async def note(request: Request, caller: Caller, what: str, about: str, **detail: str | int) -> None:
    """One line of the audit trail, with the address it came from."""
    await door(request).note(caller.name, what, about, address=address_of(request), **detail)
