"""MES systems: the door at which they push, and what of theirs could not be taken, for people."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import StringConstraints

from hub.api import pushes, record
from hub.api.deps import Deps, House, Who
from hub.api.erp import KEEPERS, Before, LetterId, Limit
from hub.api.errors import json
from hub.api.fields import Asked, Reason
from hub.api.rights import requires, signed
from hub.errors import Conflict, NotFound
from hub.model.erp import ErpPush
from hub.model.intake import Reject, RejectState, Uptake, Verdict
from hub.ports import Rejects

router = APIRouter(prefix="/api/mes")

SourceName = Annotated[str, Path(pattern=r"^[\w.-]{1,80}$")]
Source = Annotated[str, StringConstraints(max_length=80)]


class Aside(Asked):
    reason: Reason


@router.post("/{source}")
@signed
async def push(source: SourceName, house: House, request: Request) -> Response:
    """Typed events, each with its own verdict; 422 when none of them could be taken."""
    door = house.mes_doors.get(source)
    if door is None or not door.pushed:
        raise NotFound("not-found", "there is no such MES")
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.body()
    with pushes.anonymous(request, source):
        found = await door.push(ErpPush(headers, dict(request.query_params), body))
    counts = {fate.value: sum(v.fate is fate for v in found) for fate in Uptake}
    status = 422 if counts[Uptake.REJECTED.value] == len(found) else 200
    return json({"results": [_verdict(v) for v in found], "counts": counts}, status)


@router.get("/rejects")
@requires(*KEEPERS)
async def rejects(
    house: House,
    caller: Who,
    state: Annotated[RejectState, Query()] = RejectState.WAITING,
    source: Source = "",
    before: Before = 0,
    limit: Limit = 100,
) -> Response:
    """The newest first; `before`: the id to go on behind."""
    book = _book(house)
    found = await book.those(state, source, before, limit)
    return json({"rejects": [_reject(one) for one in found], "waiting": dict(await book.waiting())})


@router.post("/rejects/{reject_id}/replay")
@requires(*KEEPERS)
async def replay(reject_id: LetterId, house: House, caller: Who, request: Request) -> Response:
    """Once more through the present configuration. Harmless when it was taken meanwhile: it is a repeat."""
    book = _book(house)
    found = await book.one(reject_id)
    if found.state is not RejectState.WAITING:
        raise Conflict("mes-decided", "somebody has decided already")
    door = house.mes_doors.get(found.source)
    if door is None:
        raise Conflict("mes-gone", "its source is no longer configured")
    verdict = await door.replay(found)
    if verdict.fate is not Uptake.REJECTED:
        await book.decide(reject_id, RejectState.REPLAYED, caller.name, house.clock.now())
    await record.note(
        request, caller, "mes-replay", f"mes-reject:{reject_id}", source=found.source, fate=verdict.fate.value
    )
    return json({"reject": _reject(await book.one(reject_id)), "result": _verdict(verdict)})


@router.post("/rejects/{reject_id}/aside")
@requires(*KEEPERS)
async def aside(reject_id: LetterId, asked: Aside, house: House, caller: Who, request: Request) -> Response:
    """Nobody needs it: it was wrong, or is entered by hand."""
    book = _book(house)
    found = await book.one(reject_id)
    decided = await book.decide(reject_id, RejectState.ASIDE, caller.name, house.clock.now(), asked.reason)
    if not decided:
        raise Conflict("mes-decided", "somebody has decided already")
    await record.note(
        request, caller, "mes-aside", f"mes-reject:{reject_id}", source=found.source, reason=asked.reason
    )
    return json({"reject": _reject(await book.one(reject_id))})


def _book(house: Deps) -> Rejects:
    if house.rejects is None:
        raise NotFound("not-found", "no MES is set up")
    return house.rejects


def _verdict(one: Verdict) -> dict[str, Any]:
    faults = [{"field": f.field, "text": f.text.as_dict()} for f in one.faults]
    more = {"faults": faults, "ignored": list(one.ignored)}
    return {"id": one.id, "result": one.fate.value, **{name: told for name, told in more.items() if told}}


def _reject(one: Reject) -> dict[str, Any]:
    return {
        "id": one.id,
        "source": one.source,
        "type": one.kind,
        "event": one.event,
        "record": one.record,
        "reason": one.reason.as_dict(),
        "first_at": one.first_at,
        "last_at": one.last_at,
        "times": one.times,
        "state": one.state.value,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
        "note": one.note,
    }
