"""How the hub itself is: for probes, for Prometheus, for the people who run it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from hub import metrics
from hub.api.deps import House
from hub.api.errors import json
from hub.api.rights import LEADERS, public, requires
from hub.errors import Transient
from hub.model.people import Role

router = APIRouter()


@router.get("/health")
@public
async def health(house: House) -> Response:
    found = house.health()
    return json(found, 200 if found.get("status") == "ok" else 503)


@router.get("/api/status")
@requires(*LEADERS)
async def status(house: House, request: Request) -> Response:
    refused = request.app.state.refused_pushes.told()
    return json({"outbox": await house.outbox.stats(), **house.status(), **refused})


@router.get("/metrics")
@requires(Role.ADMIN, loopback=True)
async def prometheus(house: House) -> Response:
    """Answers while the database is away, too: then most of all. The outbox's figures are unknown (NaN)
    then.
    """
    try:
        metrics.outbox(await house.outbox.stats())
    except Transient:
        metrics.outbox(None)
    metrics.circuits(house.status().get("parts", ()))
    text, kind = metrics.render()
    return Response(text, headers={"Content-Type": kind})


@router.get("/api/openapi.json")
@requires(Role.ADMIN)
async def openapi(request: Request) -> Response:
    described: dict[str, Any] = request.app.openapi()
    return json(described)
