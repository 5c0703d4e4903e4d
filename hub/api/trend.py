"""Curves, state spans and the board as one answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from hub.api import record
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.rights import BOARD, EVERYBODY, requires

router = APIRouter(prefix="/api")

_POINTS = 600  # about as many as a phone or a tile has pixels
_YEAR = 366 * 24 * 60


@router.get("/board")
@requires(*BOARD.roles, devices=True)
async def board(house: House, caller: Who) -> Response:
    return json(house.feed.snapshot(caller.scopes))


@router.get("/trend")
@requires(*EVERYBODY)
async def trend(
    house: House,
    caller: Who,
    tag: Annotated[str, Query(max_length=400)],
    minutes: Annotated[int, Query(ge=1, le=_YEAR)] = 60,
    until: AwareDatetime | None = None,
) -> Response:
    """The curve up to `until`, a year back at most; up to now without it. `gaps`: where it is not whole,
    because a collector whose disk was full had to drop what it had. `unit_since`: what is older is in
    another unit and not told."""
    found = house.plant.tags.get(tag)
    if found is None or not caller.may_see(found.equipment):
        raise record.missing()
    now = house.clock.now()
    end = now if until is None else max(now - timedelta(minutes=_YEAR), min(now, until))
    start = end - timedelta(minutes=minutes)
    points = await house.samples.trend(found.number, start, end, _POINTS)
    if found.unit_since is not None:
        points = [point for point in points if point[0] >= found.unit_since]
    gaps = await house.gaps.of(found.number, start, end) if house.gaps is not None else []
    holes = [{"from": g.first, "to": g.last, "source": g.source, "samples": g.samples} for g in gaps]
    told = {"tag": tag, "unit": found.unit, "points": points, "gaps": holes}
    return json(told | ({"unit_since": found.unit_since} if found.unit_since else {}))


@router.get("/timeline")
@requires(*EVERYBODY)
async def timeline(house: House, caller: Who, hours: Annotated[int, Query(ge=1, le=168)] = 8) -> Response:
    return json(await house.feed.timeline(hours, caller.scopes))
