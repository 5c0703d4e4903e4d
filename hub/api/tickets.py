"""Maintenance tickets: read, accept, arrive, repair, close by hand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from hub.api import erp_shapes, photos, record, shapes
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Cause, CauseClass, Moment, Reason, TicketId
from hub.api.rights import EVERYBODY, LEADERS, REPAIRERS, requires
from hub.errors import NotFound
from hub.model.ticket import MaintenanceTicket

router = APIRouter(prefix="/api/tickets")


class OnTheWay(Asked):
    device_time: Moment | None = None


class Repaired(Asked):
    cause_class: CauseClass
    cause: Cause
    photo: str = Field("", max_length=64)
    device_time: Moment | None = None


class Close(Asked):
    reason: Reason


@router.get("")
@requires(*EVERYBODY)
async def tickets(
    house: House,
    caller: Who,
    open: bool = True,  # noqa: A002 the word in the address
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    found = await (house.ledger.open_tickets() if open else record.tickets(house))
    titles = await record.titles(house)
    mine = [t for t in found if caller.may_see(t.equipment)][:limit]
    return json({"tickets": [shapes.ticket(t, house.plant, titles.get(t.alarm_id)) for t in mine]})


@router.get("/{ticket_id}")
@requires(*EVERYBODY)
async def ticket(ticket_id: TicketId, house: House, caller: Who) -> Response:
    found = await record.ticket(house, caller, ticket_id)
    lines = [shapes.ticket_line(line) for line in await house.ledger.ticket_lines(ticket_id)]
    answer = {"lines": lines} | await _in_erp(house, found)
    try:
        alarm = await record.alarm(house, caller, found.alarm_id)
    except NotFound:  # retention has taken it, or a ticket by hand never had one
        return json({"ticket": shapes.ticket(found, house.plant)} | answer)
    return json({
        "ticket": shapes.ticket(found, house.plant, alarm.title),
        "alarm": shapes.alarm(alarm, house.plant, house.clock.now(), found),
    } | answer)  # fmt: skip


async def _in_erp(house: Deps, found: MaintenanceTicket) -> shapes.Json:
    """How it stands in the ERP; nothing where there is none."""
    book = house.erp_book
    if book is None:
        return {}
    letters = await book.unfinished(f"ticket:{found.id}")
    return {"erp": erp_shapes.ticket(found, letters, await book.exchanges(found.id, limit=20))}


@router.post("/{ticket_id}/accept")
@requires(*REPAIRERS)
async def accept(
    ticket_id: TicketId, house: House, caller: Who, request: Request, asked: OnTheWay | None = None
) -> Response:
    await record.ticket(house, caller, ticket_id)
    at = asked.device_time if asked else None
    after = await house.desk.accept(ticket_id, record.person(caller), at)
    await record.note(request, caller, "accept", f"ticket:{ticket_id}")
    return await _answer(house, after)


@router.post("/{ticket_id}/arrive")
@requires(*REPAIRERS)
async def arrive(
    ticket_id: TicketId, house: House, caller: Who, request: Request, asked: OnTheWay | None = None
) -> Response:
    await record.ticket(house, caller, ticket_id)
    at = asked.device_time if asked else None
    after = await house.desk.arrive(ticket_id, record.person(caller), at)
    await record.note(request, caller, "arrive", f"ticket:{ticket_id}")
    return await _answer(house, after)


@router.post("/{ticket_id}/begin")
@requires(*REPAIRERS)
async def begin(
    ticket_id: TicketId, house: House, caller: Who, request: Request, asked: OnTheWay | None = None
) -> Response:
    await record.ticket(house, caller, ticket_id)
    at = asked.device_time if asked else None
    after = await house.desk.begin(ticket_id, record.person(caller), at)
    await record.note(request, caller, "begin", f"ticket:{ticket_id}")
    return await _answer(house, after)


@router.post("/{ticket_id}/repaired")
@requires(*REPAIRERS)
async def repaired(
    ticket_id: TicketId, asked: Repaired, house: House, caller: Who, request: Request
) -> Response:
    before = await record.ticket(house, caller, ticket_id)
    if asked.photo and asked.photo != before.photo:
        await photos.check(house, caller, asked.photo)
    after = await house.desk.repaired(
        ticket_id, record.person(caller), asked.cause_class, asked.cause, asked.photo, asked.device_time
    )
    await record.note(
        request, caller, "repaired", f"ticket:{ticket_id}", cause_class=asked.cause_class, photo=asked.photo
    )
    return await _answer(house, after)


@router.post("/{ticket_id}/close")
@requires(*LEADERS)
async def close(ticket_id: TicketId, asked: Close, house: House, caller: Who, request: Request) -> Response:
    await record.ticket(house, caller, ticket_id)
    after = await house.desk.close(ticket_id, record.person(caller), asked.reason)
    await record.note(request, caller, "close", f"ticket:{ticket_id}", reason=asked.reason)
    return await _answer(house, after)


async def _answer(house: Deps, after: MaintenanceTicket) -> Response:
    titles = await record.titles(house)
    return json({"ticket": shapes.ticket(after, house.plant, titles.get(after.alarm_id))})
