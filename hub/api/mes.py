"""MES systems: the door at which they push, and what of theirs could not be taken, for people."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, StringConstraints

from hub.api import pushes, record
from hub.api.deps import Deps, House, Who
from hub.api.erp import KEEPERS, Before, LetterId, Limit
from hub.api.errors import json
from hub.api.fields import Asked, Place, Reason
from hub.api.rights import Caller, requires, signed
from hub.errors import Conflict, NotFound
from hub.model.erp import ErpPush
from hub.model.intake import Correction, Reject, RejectState, RejectsWanted, Uptake, Verdict
from hub.ports import MesDoor, Rejects

router = APIRouter(prefix="/api/mes")

SourceName = Annotated[str, Path(pattern=r"^[\w.-]{1,80}$")]
MOST_AT_ONCE = 200


class Aside(Asked):
    reason: Reason


class Many(Asked):
    """Those of `ids`; without any, all that wait and match the rest, MOST_AT_ONCE at a time, the newest
    first."""

    ids: Annotated[tuple[Annotated[int, Field(ge=1, le=2**63 - 1)], ...], Field(max_length=MOST_AT_ONCE)] = ()
    source: Place = ""
    kind: Place = ""
    text: Place = ""
    before: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


class ManyAside(Many):
    reason: Reason


class Corrected(Asked):
    """JSON as text, so that what is wrong with it can be told with its place."""

    event: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


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
    source: Place = "",
    kind: Place = "",
    text: Place = "",
    before: Before = 0,
    limit: Limit = 100,
) -> Response:
    """The newest first; `before`: the id to go on behind. `count`: how many there are of these, `waiting`: by
    source."""
    book, wanted = _book(house), RejectsWanted(state, source, kind, text)
    found = [_reject(one) for one in await book.those(wanted, before, limit)]
    told = {"rejects": found, "count": await book.count(wanted), "waiting": dict(await book.waiting())}
    return json(told)


@router.get("/unbound")
@requires(*KEEPERS)
async def unbound(house: House, caller: Who) -> Response:
    """Reports and postings of operations that no order on record has: kept until one has."""
    found, count = await _book(house).unbound()
    return json({"unbound": [asdict(one) for one in found], "count": count})


@router.post("/rejects/replay")
@requires(*KEEPERS)
async def replay_many(asked: Many, house: House, caller: Who, request: Request) -> Response:
    """Each as if alone. `last`: where to go on, when they were not named one by one."""
    told: Counter[str] = Counter()
    chosen = await _chosen(house, asked)
    for found in chosen:
        door = house.mes_doors.get(found.source)
        if door is None:
            told["gone"] += 1
        else:
            told[(await _replayed(house, door, found, caller, request)).fate.value] += 1
    return json({"counts": told, "last": chosen[-1].id if chosen else 0})


@router.post("/rejects/aside")
@requires(*KEEPERS)
async def aside_many(asked: ManyAside, house: House, caller: Who, request: Request) -> Response:
    chosen = await _chosen(house, asked)
    done = [await _put_aside(house, found, asked.reason, caller, request) for found in chosen]
    return json({"counts": {"aside": sum(done)}, "last": chosen[-1].id if chosen else 0})


@router.post("/rejects/{reject_id}/replay")
@requires(*KEEPERS)
async def replay(reject_id: LetterId, house: House, caller: Who, request: Request) -> Response:
    """Once more through the present configuration. Harmless when it was taken meanwhile: it is a repeat."""
    book = _book(house)
    found, door = await _waiting(house, reject_id)
    verdict = await _replayed(house, door, found, caller, request)
    return json({"reject": _reject(await book.one(reject_id)), "result": _verdict(verdict)})


@router.get("/rejects/{reject_id}/draft")
@requires(*KEEPERS)
async def draft(reject_id: LetterId, house: House, caller: Who) -> Response:
    """The event that the record means, to be corrected."""
    found, door = await _waiting(house, reject_id)
    return json({"event": door.draft(found)})


@router.post("/rejects/{reject_id}/check")
@requires(*KEEPERS)
async def check(reject_id: LetterId, asked: Corrected, house: House, caller: Who) -> Response:
    """What would become of it; changes nothing."""
    found, door = await _waiting(house, reject_id)
    return json(_corrected(await door.correct(found, asked.event, take=False)))


@router.post("/rejects/{reject_id}/correct")
@requires(*KEEPERS)
async def correct(
    reject_id: LetterId, asked: Corrected, house: House, caller: Who, request: Request
) -> Response:
    """Takes a person's version of it. What was changed is on the audit trail, the record stays as it came."""
    found, door = await _waiting(house, reject_id)
    made = await door.correct(found, asked.event, take=True)
    if made.verdict.fate is not Uptake.REJECTED:
        now = house.clock.now()
        await _book(house).decide(reject_id, RejectState.REPLAYED, caller.name, now, correction=made.event)
        changed = "; ".join(f"{c.field}: {c.before or '-'} > {c.after or '-'}" for c in made.changes)
        about = f"mes-reject:{reject_id}"
        fate = made.verdict.fate.value
        await record.note(
            request, caller, "mes-correct", about, source=found.source, fate=fate, changes=changed[:2000]
        )
    return json({"reject": _reject(await _book(house).one(reject_id)), **_corrected(made)})


@router.post("/rejects/{reject_id}/aside")
@requires(*KEEPERS)
async def aside(reject_id: LetterId, asked: Aside, house: House, caller: Who, request: Request) -> Response:
    """Nobody needs it: it was wrong, or is entered by hand."""
    book = _book(house)
    if not await _put_aside(house, await book.one(reject_id), asked.reason, caller, request):
        raise Conflict("mes-decided", "somebody has decided already")
    return json({"reject": _reject(await book.one(reject_id))})


def _book(house: Deps) -> Rejects:
    if house.rejects is None:
        raise NotFound("not-found", "no MES is set up")
    return house.rejects


async def _chosen(house: Deps, asked: Many) -> list[Reject]:
    """Those of them that wait."""
    book = _book(house)
    if not asked.ids:
        wanted = RejectsWanted(source=asked.source, kind=asked.kind, text=asked.text)
        return await book.those(wanted, asked.before, MOST_AT_ONCE)
    found = []
    for reject_id in dict.fromkeys(asked.ids):
        with suppress(NotFound):
            found.append(await book.one(reject_id))
    return [one for one in found if one.state is RejectState.WAITING]


async def _replayed(house: Deps, door: MesDoor, found: Reject, caller: Caller, request: Request) -> Verdict:
    verdict = await door.replay(found)
    if verdict.fate is not Uptake.REJECTED:
        await _book(house).decide(found.id, RejectState.REPLAYED, caller.name, house.clock.now())
    await record.note(
        request, caller, "mes-replay", f"mes-reject:{found.id}", source=found.source, fate=verdict.fate.value
    )
    return verdict


async def _put_aside(house: Deps, found: Reject, reason: str, caller: Caller, request: Request) -> bool:
    """False when somebody has decided already."""
    decided = await _book(house).decide(found.id, RejectState.ASIDE, caller.name, house.clock.now(), reason)
    if decided:
        await record.note(
            request, caller, "mes-aside", f"mes-reject:{found.id}", source=found.source, reason=reason
        )
    return decided


async def _waiting(house: Deps, reject_id: int) -> tuple[Reject, MesDoor]:
    """One that nobody has decided yet, and the MES that it is from."""
    found = await _book(house).one(reject_id)
    if found.state is not RejectState.WAITING:
        raise Conflict("mes-decided", "somebody has decided already")
    door = house.mes_doors.get(found.source)
    if door is None:
        raise Conflict("mes-gone", "its source is no longer configured")
    return found, door


def _corrected(made: Correction) -> dict[str, Any]:
    changes = [{"field": c.field, "before": c.before, "after": c.after} for c in made.changes]
    return {"result": _verdict(made.verdict), "changes": changes}


def _verdict(one: Verdict) -> dict[str, Any]:
    faults = [{"field": f.field, "text": f.text.as_dict()} for f in one.faults]
    notes = [{"field": f.field, "text": f.text.as_dict()} for f in one.notes]
    more = {"faults": faults, "ignored": list(one.ignored), "notes": notes}
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
        "correction": one.correction,
    }
