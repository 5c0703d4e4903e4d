"""What a machine's raw codes mean: tried on the record, saved as a version, activated, taken back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from hub.api import record
from hub.api.auth import address_of
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Moment, Note, Place
from hub.api.rights import Caller, requires
from hub.errors import NotFound
from hub.model.people import Role
from hub.model.state_table import CODES
from hub.ports import StateDesk
from hub.ports.state_history import StateHistoryDesk

router = APIRouter(prefix="/api/state-tables")

LOOKERS = (Role.TECHNICIAN, Role.PLANNER, Role.MANAGER, Role.ADMIN)
KEEPERS = (Role.ADMIN,)
Word = Annotated[str, StringConstraints(max_length=60)]
Machine = Annotated[str, Query(max_length=200)]
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Table(Asked):
    """`map`: every code that has a state; others are UNKNOWN."""

    numbering: Word
    map: Annotated[dict[Annotated[str, StringConstraints(max_length=20)], Word], Field(max_length=CODES)]


class Draft(Asked):
    """`hours` back from now."""

    machine: Place
    table: Table
    hours: Annotated[int, Field(ge=1, le=168)] = 24


class Kept(Asked):
    """`latest`: the newest version that the person has seen; 0 for none."""

    machine: Place
    table: Table
    latest: Number
    note: Note = ""


class Chosen(Asked):
    """`active`: the version that the person takes for active. `number` 0 is the plant file's table."""

    machine: Place
    number: Number
    active: Number


class Since(Asked):
    machine: Place
    since: Moment


class Rederived(Since):
    """`key`: of the preview that the person has seen."""

    key: Annotated[str, StringConstraints(max_length=64)]


@router.get("")
@requires(*LOOKERS)
async def machines(house: House, caller: Who) -> Response:
    return json(await _desk(house).machines(caller.may_see))


@router.get("/machine")
@requires(*LOOKERS)
async def machine(house: House, caller: Who, path: Machine) -> Response:
    return json(await _desk_of(house, caller, path).machine(path))


@router.post("/preview")
@requires(*LOOKERS)
async def preview(house: House, caller: Who, asked: Draft) -> Response:
    """Changes nothing."""
    desk = _desk_of(house, caller, asked.machine)
    return json(await desk.preview(asked.machine, _plain(asked.table), asked.hours))


@router.post("")
@requires(*KEEPERS)
async def save(house: House, caller: Who, asked: Kept, request: Request) -> Response:
    """A new version. Nothing uses it before it is activated."""
    desk = _desk_of(house, caller, asked.machine)
    seen = await desk.save(asked.machine, _plain(asked.table), asked.latest, caller.name, asked.note)
    about = f"{asked.machine}:{seen['number']}"
    await record.note(request, caller, "state-table.save", about, note=asked.note)
    return json(seen)


@router.post("/activate")
@requires(*KEEPERS)
async def activate(house: House, caller: Who, asked: Chosen, request: Request) -> Response:
    """Of the states on record none is changed: the rules take it up within seconds, from then on."""
    desk = _desk_of(house, caller, asked.machine)
    seen = await desk.activate(asked.machine, asked.number, asked.active, caller.name)
    about = f"{asked.machine}:{asked.number}"
    await record.note(request, caller, "state-table.activate", about, before=asked.active)
    return json(seen)


@router.get("/history")
@requires(*LOOKERS)
async def histories(house: House, caller: Who, path: Machine) -> Response:
    """The times that this machine's states were derived anew, the newest first."""
    return json({"done": await _past_of(house, caller, path).done(path)})


@router.post("/history/preview")
@requires(*KEEPERS)
async def history_preview(house: House, caller: Who, asked: Since) -> Response:
    """What deriving them anew would change; changes nothing."""
    return json(await _past_of(house, caller, asked.machine).preview(asked.machine, asked.since))


@router.post("/history")
@requires(*KEEPERS)
async def rederive(house: House, caller: Who, asked: Rederived, request: Request) -> Response:
    """It goes on the audit trail in the transaction that does it."""
    past = _past_of(house, caller, asked.machine)
    where = address_of(request)
    return json(await past.apply(asked.machine, asked.since, asked.key, caller.name, where))


def _plain(table: Table) -> dict[str, Any]:
    return table.model_dump()


def _desk_of(house: Deps, caller: Caller, path: str) -> StateDesk:
    if not caller.may_see(path):
        raise record.missing()
    return _desk(house)


def _desk(house: Deps) -> StateDesk:
    if house.states is None:
        raise NotFound("not-found", "no state tables are kept here")
    return house.states


def _past_of(house: Deps, caller: Caller, path: str) -> StateHistoryDesk:
    if not caller.may_see(path):
        raise record.missing()
    if house.past is None:
        raise NotFound("not-found", "no state tables are kept here")
    return house.past
