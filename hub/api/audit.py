"""Who did what, and what the hub did with data that nobody asked it to lose: the audit trail, for reading."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hub.api import erp_places
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.rights import requires
from hub.model.people import Role

router = APIRouter(prefix="/api/audit")


@router.get("")
@requires(Role.ADMIN)
async def trail(
    house: House,
    caller: Who,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    before: Annotated[int, Query(ge=1, le=2**63 - 1)] = 2**63 - 1,
) -> Response:
    """The newest first. `before`: only lines with a lower id, for the next page."""
    erp_places.for_the_whole_plant(house, caller)
    lines = await house.people.audit_lines(before, limit)
    people = house.plant.people
    return json(
        {
            "lines": [
                {
                    "id": line.id, "at": line.at, "who": line.who, "what": line.what, "about": line.about,
                    "detail": line.detail,
                    "name": people[line.who].name.as_dict() if line.who in people else None,
                }
                for line in lines
            ]
        }
    )  # fmt: skip
