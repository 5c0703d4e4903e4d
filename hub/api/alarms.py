"""Alarms: read, acknowledge, shelve, take out of service, reset."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.api import record, shapes
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import AlarmId, Asked, Moment, Note, Reason
from hub.api.rights import ACKNOWLEDGERS, EVERYBODY, REPAIRERS, requires
from hub.model.alarm import Alarm

router = APIRouter(prefix="/api/alarms")


class Acknowledge(Asked):
    note: Note = ""


class Shelve(Asked):
    until: Moment
    reason: Reason


class TakeOut(Asked):
    reason: Reason


@router.get("")
@requires(*EVERYBODY)
async def alarms(
    house: House,
    caller: Who,
    open: bool = True,  # noqa: A002 the word in the address
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    found = await (house.ledger.open_alarms() if open else house.ledger.recent_alarms(1000))
    mine = [a for a in found if caller.may_see(a.equipment)][:limit]
    return json({"alarms": await record.alarm_shapes(house, mine)})


@router.get("/{alarm_id}")
@requires(*EVERYBODY)
async def alarm(alarm_id: AlarmId, house: House, caller: Who) -> Response:
    found = await record.alarm(house, caller, alarm_id)
    lines = await house.ledger.alarm_lines(alarm_id)
    return json({**await _one(house, found), "lines": [shapes.alarm_line(line) for line in lines]})


@router.post("/{alarm_id}/acknowledge")
@requires(*ACKNOWLEDGERS)
async def acknowledge(
    alarm_id: AlarmId, house: House, caller: Who, request: Request, asked: Acknowledge | None = None
) -> Response:
    await record.alarm(house, caller, alarm_id)
    note = asked.note if asked else ""
    after = await house.desk.acknowledge(alarm_id, record.person(caller), note)
    await record.note(request, caller, "acknowledge", f"alarm:{alarm_id}", note=note)
    return json(await _one(house, after))


@router.post("/{alarm_id}/shelve")
@requires(*REPAIRERS)
async def shelve(alarm_id: AlarmId, asked: Shelve, house: House, caller: Who, request: Request) -> Response:
    await record.alarm(house, caller, alarm_id)
    after = await house.desk.shelve(alarm_id, record.person(caller), asked.until, asked.reason)
    await record.note(
        request, caller, "shelve", f"alarm:{alarm_id}", until=asked.until.isoformat(), reason=asked.reason
    )
    return json(await _one(house, after))


@router.post("/{alarm_id}/unshelve")
@requires(*REPAIRERS)
async def unshelve(alarm_id: AlarmId, house: House, caller: Who, request: Request) -> Response:
    await record.alarm(house, caller, alarm_id)
    after = await house.desk.unshelve(alarm_id, record.person(caller))
    await record.note(request, caller, "unshelve", f"alarm:{alarm_id}")
    return json(await _one(house, after))


@router.post("/{alarm_id}/out-of-service")
@requires(*REPAIRERS)
async def out_of_service(
    alarm_id: AlarmId, asked: TakeOut, house: House, caller: Who, request: Request
) -> Response:
    await record.alarm(house, caller, alarm_id)
    after = await house.desk.out_of_service(alarm_id, record.person(caller), asked.reason)
    await record.note(request, caller, "out-of-service", f"alarm:{alarm_id}", reason=asked.reason)
    return json(await _one(house, after))


@router.post("/{alarm_id}/return")
@requires(*REPAIRERS)
async def return_to_service(alarm_id: AlarmId, house: House, caller: Who, request: Request) -> Response:
    await record.alarm(house, caller, alarm_id)
    after = await house.desk.return_to_service(alarm_id, record.person(caller))
    await record.note(request, caller, "return", f"alarm:{alarm_id}")
    return json(await _one(house, after))


@router.post("/{alarm_id}/reset")
@requires(*ACKNOWLEDGERS)
async def reset(alarm_id: AlarmId, house: House, caller: Who, request: Request) -> Response:
    """Ends a latched alarm whose condition is over."""
    await record.alarm(house, caller, alarm_id)
    after = await house.desk.reset(alarm_id, record.person(caller))
    await record.note(request, caller, "reset", f"alarm:{alarm_id}")
    return json(await _one(house, after))


async def _one(house: Deps, found: Alarm) -> shapes.Json:
    (shape,) = await record.alarm_shapes(house, [found])
    return {"alarm": shape}
