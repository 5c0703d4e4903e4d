"""Where our books and the ERP's disagree: read, compare now, mend, set aside."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from hub.api import record, shapes
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Reason
from hub.api.rights import LEADERS, Caller, requires
from hub.errors import NotAllowed
from hub.model.discrepancy import OpenDiscrepancy
from hub.model.equipment import within
from hub.model.people import Role

READERS = (Role.OPERATOR, Role.TECHNICIAN, Role.PLANNER, *LEADERS)
DECIDERS = (Role.PLANNER, *LEADERS)  # of everything; others of what they own
MENDERS = (Role.TECHNICIAN, Role.PLANNER, *LEADERS)

router = APIRouter(prefix="/api/reconciliation")
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Aside(Asked):
    reason: Reason


@router.get("")
@requires(*READERS)
async def discrepancies(house: House, caller: Who) -> Response:
    found = [o for o in await house.reconciliation.open_ones() if _sees(caller, o)]
    run = await house.reconciliation.last_run()
    return json(
        {
            "discrepancies": [_shape(o, house, caller) for o in found],
            "counts": Counter(o.what.kind.value for o in found if o.aside_at is None),
            "run": shapes.comparison(run) if run else None,
            "waiting": await house.reconciliation.run_asked(),
        }
    )


@router.post("/run")
@requires(*MENDERS)
async def run(house: House, caller: Who, request: Request) -> Response:
    """The bridge begins within seconds; several who ask get one comparison."""
    await house.reconciliation.ask_run(caller.name)
    await record.note(request, caller, "reconcile.run", "")
    return json({"waiting": True})


@router.post("/{discrepancy_id}/repair")
@requires(*MENDERS)
async def repair(house: House, caller: Who, request: Request, discrepancy_id: Number) -> Response:
    """Tapped twice is mended once."""
    known = await _concerned(house, caller, discrepancy_id)
    asked = await house.reconciliation.ask_repair(discrepancy_id, caller.name, house.clock.now())
    if asked.repaired_at != known.repaired_at:
        await record.note(request, caller, "reconcile.repair", known.what.key, repair=known.what.repair.value)
    return json({"discrepancy": _shape(asked, house, caller)})


@router.post("/{discrepancy_id}/aside")
@requires(*MENDERS)
async def aside(
    house: House, caller: Who, request: Request, discrepancy_id: Number, asked: Aside
) -> Response:
    """Not counted any more, until the disagreement is another one."""
    return await _aside(house, caller, request, discrepancy_id, asked.reason)


@router.post("/{discrepancy_id}/back")
@requires(*MENDERS)
async def back(house: House, caller: Who, request: Request, discrepancy_id: Number) -> Response:
    return await _aside(house, caller, request, discrepancy_id, "")


async def _aside(house: Deps, caller: Caller, request: Request, number: int, reason: str) -> Response:
    known = await _concerned(house, caller, number)
    done = await house.reconciliation.set_aside(number, caller.name, house.clock.now(), reason)
    what = "reconcile.aside" if reason else "reconcile.back"
    await record.note(request, caller, what, known.what.key, reason=reason)
    return json({"discrepancy": _shape(done, house, caller)})


async def _concerned(house: Deps, caller: Caller, number: int) -> OpenDiscrepancy:
    """What this person may decide."""
    found = await house.reconciliation.one(number)
    if not _sees(caller, found):
        raise record.missing()
    if not _may(caller, found):
        raise NotAllowed("not-allowed", "the owner of this discrepancy decides, or a manager")
    return found


def _sees(caller: Caller, found: OpenDiscrepancy) -> bool:
    """What lies at no place of the plant is everybody's."""
    at = found.what.equipment
    return not at or any(within(at, scope) or within(scope, at) for scope in caller.scopes)


def _may(caller: Caller, found: OpenDiscrepancy) -> bool:
    person = record.person(caller)
    roles = {role.value for role in person.roles}
    decides = {found.owner, *(role.value for role in DECIDERS)}
    return person.id == found.owner or bool(roles & decides)


def _shape(found: OpenDiscrepancy, house: Deps, caller: Caller) -> shapes.Json:
    return shapes.discrepancy(found, house.plant) | {"may": _may(caller, found)}
