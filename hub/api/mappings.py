"""What goes where between our fields and the ERP's: looked at, tried on live records, saved, activated."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from hub.api import erp_places, record
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Note
from hub.api.rights import Caller, requires
from hub.errors import NotFound
from hub.model.people import Role
from hub.ports import MappingDesk

router = APIRouter(prefix="/api/erp/mappings")

LOOKERS = (Role.PLANNER, Role.ADMIN)
KEEPERS = (Role.ADMIN,)
BIG = 1 << 20  # bytes of a draft
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
Known = Annotated[int, Field(ge=0, le=2**31 - 1)]
Document = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
Documents = Annotated[dict[str, dict[str, Any]], Field(max_length=100)]


class Draft(Asked):
    """`ours`, `theirs`: which of the records that the document's page lists."""

    block: dict[str, Any]
    ours: Known = 0
    theirs: Known = 0


class Whole(Asked):
    documents: Documents


class Kept(Asked):
    """`latest`: the newest version that the person has seen; 0 for none."""

    documents: Documents
    latest: Known
    note: Note = ""


class Chosen(Asked):
    """`anyway`: although there are no records to try it on, or the ERP does not list a field it writes."""

    active: Known
    anyway: bool = False


@router.get("")
@requires(*LOOKERS)
async def overview(house: House, caller: Who) -> Response:
    return json(await _desk(house, caller).overview())


@router.get("/versions/{version}")
@requires(*LOOKERS)
async def one(house: House, caller: Who, version: Number) -> Response:
    """Its documents; 0 is what the configuration file says."""
    return json({"number": version, "documents": await _desk(house, caller).version(version)})


@router.get("/documents/{document}")
@requires(*LOOKERS)
async def document(house: House, caller: Who, document: Document) -> Response:
    return json(await _desk(house, caller).document(document))


@router.post("/documents/{document}/preview")
@requires(*LOOKERS, body=BIG)
async def preview(house: House, caller: Who, document: Document, asked: Draft) -> Response:
    """Writes nothing anywhere."""
    return json(await _desk(house, caller).preview(document, asked.block, asked.ours, asked.theirs))


@router.post("/test")
@requires(*KEEPERS, body=BIG)
async def test(house: House, caller: Who, asked: Whole) -> Response:
    """The whole draft, judged by the connector and by a look at the ERP that changes nothing there."""
    return json(await _desk(house, caller).test(asked.documents))


@router.post("")
@requires(*KEEPERS, body=BIG)
async def save(house: House, caller: Who, asked: Kept, request: Request) -> Response:
    """A new version. Nothing uses it before it is activated."""
    number, seen = await _desk(house, caller).save(asked.documents, asked.latest, caller.name, asked.note)
    await record.note(request, caller, "mapping.save", f"mapping:{number}", note=asked.note)
    return json({"number": number, **seen})


@router.post("/versions/{version}/activate")
@requires(*KEEPERS)
async def activate(house: House, caller: Who, version: Number, asked: Chosen, request: Request) -> Response:
    """The bridge takes it up within seconds; an older one, or 0, takes a newer one back. One that was never
    used is tried on records first."""
    seen = await _desk(house, caller).activate(version, asked.active, caller.name, asked.anyway)
    more = {"anyway": True} if asked.anyway else {}
    await record.note(request, caller, "mapping.activate", f"mapping:{version}", before=asked.active, **more)
    return json(seen)


def _desk(house: Deps, caller: Caller) -> MappingDesk:
    """The maps are the whole plant's, and so are the records that they are tried on."""
    erp_places.for_the_whole_plant(house, caller)
    if house.mappings is None:
        raise NotFound("no-erp", "no ERP is set up")
    return house.mappings
