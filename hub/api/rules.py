"""Rules on machines: what is watched, and taking it out of service whether or not an alarm is open."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hub.api import record, shapes
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Place, Reason
from hub.api.rights import EVERYBODY, REPAIRERS, Caller, requires

router = APIRouter(prefix="/api/rules")


class Which(Asked):
    """A machine's rules: all of them, those of one name, or one of its subjects."""

    equipment: Place
    rule: Place = ""
    subject: Place = ""


class TakeOut(Which):
    reason: Reason


@router.get("")
@requires(*EVERYBODY)
async def rules(house: House, caller: Who) -> Response:
    found = house.desk.watched(record.person(caller))
    return json({"rules": [shapes.watched(it, house.plant) for it in found]})


@router.post("/out-of-service")
@requires(*REPAIRERS)
async def take_out(asked: TakeOut, house: House, caller: Who, request: Request) -> Response:
    _in_scope(caller, asked)
    done = await house.desk.take_out(
        asked.equipment, record.person(caller), asked.reason, asked.rule, asked.subject
    )
    await record.note(
        request, caller, "out-of-service", f"equipment:{asked.equipment}", rule=asked.rule,
        subject=asked.subject, reason=asked.reason, alarms=len(done),
    )  # fmt: skip
    return json({"alarms": await record.alarm_shapes(house, done)})


@router.post("/return")
@requires(*REPAIRERS)
async def put_back(asked: Which, house: House, caller: Who, request: Request) -> Response:
    _in_scope(caller, asked)
    done = await house.desk.put_back(asked.equipment, record.person(caller), asked.rule, asked.subject)
    await record.note(
        request, caller, "return", f"equipment:{asked.equipment}", rule=asked.rule, subject=asked.subject,
        alarms=len(done),
    )  # fmt: skip
    return json({"alarms": await record.alarm_shapes(house, done)})


def _in_scope(caller: Caller, asked: Which) -> None:
    if not caller.may_see(asked.equipment):
        raise record.missing()
