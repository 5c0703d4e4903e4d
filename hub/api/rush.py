"""Rush orders 插单: what a tap would do, the tap, its undoing, and who was told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from hub.api import record, rush_shapes
from hub.api.deps import Deps, House, Who
from hub.api.errors import json, refused
from hub.api.fields import Asked, Moment, Note, OrderNumber
from hub.api.rights import EVERYBODY, RUSHERS, Caller, requires
from hub.api.standing import sees
from hub.errors import Conflict
from hub.model.production import WorkOrder
from hub.model.rush import Standing
from hub.ports import Stale

router = APIRouter(prefix="/api")


class Tap(Asked):
    """`digest`: of the preview that was read. `tap`: chosen by the phone, the same when it sends again."""

    digest: str = Field(max_length=80)
    due_at: Moment | None = None
    reason: Note = Field("", max_length=500)
    tap: str = Field("", max_length=64)


@router.get("/orders/{number:path}/rush")
@requires(*EVERYBODY)
async def look(
    number: OrderNumber, house: House, caller: Who, due_at: Annotated[Moment | None, Query()] = None
) -> Response:
    """How its last rush stands, and what a tap would do now or why it cannot be."""
    order = await _mine(house, caller, number)
    answer = {"order": rush_shapes.order(order), "at": house.clock.now()}
    standing = await house.rush.standing(number)
    if standing is not None:
        answer["rush"] = rush_shapes.standing(standing, house.plant, house.clock.now())
    try:
        sight = await house.rush.foresee(number, due_at)
    except Conflict as no:
        answer["why_not"] = rush_shapes.why_not(no, house.plant)
    else:
        answer["preview"] = rush_shapes.preview(sight, house.plant, caller.may_see)
    return json(answer)


@router.post("/orders/{number:path}/rush")
@requires(*RUSHERS)
async def tap(number: OrderNumber, asked: Tap, house: House, caller: Who, request: Request) -> Response:
    await _mine(house, caller, number)
    try:
        done = await house.rush.tap(
            number, record.person(caller), asked.digest, asked.due_at, asked.reason, asked.tap
        )
    except Stale as stale:
        fresh = rush_shapes.preview(stale.fresh, house.plant, caller.may_see)
        return refused(stale, house.plant.people, preview=fresh)
    await record.note(request, caller, "rush-tap", f"order:{number}", rush=done.rush.id)
    return _answer(house, done)


@router.delete("/orders/{number:path}/rush")
@requires(*RUSHERS)
async def undo(number: OrderNumber, house: House, caller: Who, request: Request) -> Response:
    await _mine(house, caller, number)
    done = await house.rush.undo(number, record.person(caller))
    await record.note(request, caller, "rush-untap", f"order:{number}", rush=done.rush.id)
    return _answer(house, done)


@router.post("/orders/{number:path}/rush/seen")
@requires(*EVERYBODY)
async def seen(number: OrderNumber, house: House, caller: Who) -> Response:
    """The sheet was looked at: a receipt of whoever was told."""
    await _mine(house, caller, number)
    await house.rush.saw(number, record.person(caller))
    return Response(status_code=204)


@router.get("/rushes")
@requires(*EVERYBODY)
async def rushes(house: House, caller: Who, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
    """The newest first, of orders in the caller's part of the plant."""
    now = house.clock.now()
    mine = {o.number for o in await house.ledger.orders() if sees(house, caller, o)}
    found = [s for s in await house.rush.recent(limit) if s.rush.order in mine]
    return json({"at": now, "rushes": [rush_shapes.standing(s, house.plant, now) for s in found]})


async def _mine(house: Deps, caller: Caller, number: str) -> WorkOrder:
    order = await house.rush.order(number)
    if not sees(house, caller, order):
        raise record.missing()
    return order


def _answer(house: Deps, done: Standing) -> Response:
    return json({"rush": rush_shapes.standing(done, house.plant, house.clock.now())})
