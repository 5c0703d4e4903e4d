"""Wall screens: made, listed, sent away."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from hub.api import record, shapes
from hub.api.auth import address_of
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Name
from hub.api.rights import requires
from hub.api.texts import TEXTS
from hub.api.tokens import new_token, token_hash
from hub.errors import NotAllowed
from hub.model.people import Role

router = APIRouter(prefix="/api/devices")

DeviceId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class NewDevice(Asked):
    name: Name
    scope: str = Field(max_length=200)


@router.post("")
@requires(Role.ADMIN)
async def add(asked: NewDevice, house: House, caller: Who, request: Request) -> Response:
    """The token is shown this once; the database has its SHA-256."""
    if asked.scope not in house.plant.equipment or not caller.may_see(asked.scope):
        raise NotAllowed("outside-scope", TEXTS["outside-scope"].en)
    token, now = new_token(), house.clock.now()
    await house.people.add_device(token_hash(token), asked.name, asked.scope, now)
    await record.note(request, caller, "device-added", asked.name, scope=asked.scope)
    return json({"token": token})


@router.get("")
@requires(Role.ADMIN)
async def devices(house: House, caller: Who) -> Response:
    found = [d for d in await house.people.devices() if caller.may_see(d.scope)]
    return json({"devices": [shapes.device(d, house.plant) for d in found]})


@router.delete("/{device_id}")
@requires(Role.ADMIN)
async def revoke(device_id: DeviceId, house: House, caller: Who, request: Request) -> Response:
    found = next((d for d in await house.people.devices() if d.id == device_id), None)
    if found is None or not caller.may_see(found.scope):
        raise record.missing()
    await record.door(request).end_device(found, caller, address_of(request))
    return Response(status_code=204)
