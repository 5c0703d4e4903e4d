"""The HTTP side put together. Default deny: see hub.api.guard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from hub.api import (
    accounts,
    alarms,
    audit,
    devices,
    erp,
    errors,
    figures,
    mappings,
    mes,
    order_changes,
    order_links,
    parameters,
    photos,
    reconcile,
    rules,
    rush,
    session,
    state_tables,
    status,
    stops,
    tickets,
    trend,
)
from hub.api.auth import Door
from hub.api.deps import Deps, Plugged
from hub.api.guard import Guard
from hub.api.headers import SecurityHeaders
from hub.api.limits import Meter
from hub.api.pushes import RefusedPushes
from hub.api.rights import Right, right_of
from hub.api.standing import Outlooks

__all__ = ["Deps", "Plugged", "build", "table"]

_ROUTERS: tuple[APIRouter, ...] = (
    session.router, accounts.router, devices.router, alarms.router, rules.router, tickets.router,
    photos.router, trend.router, status.router, reconcile.router, rush.router, erp.router,
    order_changes.router, order_links.router, figures.router, mappings.router, mes.router,
    parameters.router, stops.router, state_tables.router, audit.router,
)  # fmt: skip


def build(deps: Deps, door: Door | None = None, meter: Meter | None = None) -> FastAPI:
    """The app. `door` when the roof has made one already, to give its `authenticate` to the screens."""
    door = door or Door(deps.plant.people, deps.people, deps.clock)
    app = FastAPI(
        title="Andon Hub", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
        strict_content_type=True,
    )  # fmt: skip
    app.state.deps, app.state.door = deps, door
    app.state.outlooks, app.state.looks = Outlooks(deps), order_links.Looks()
    app.state.refused_pushes = RefusedPushes()
    plugged = {path: right for plug in deps.plugged for path, right in plug.rights.items()}
    routers = (*_ROUTERS, *(plug.router for plug in deps.plugged))
    app.router.routes.extend(_flat(routers, plugged))
    errors.install(app, deps.plant.people)
    app.add_middleware(
        Guard, routes=app.router.routes, plugged=plugged, deps=deps, door=door, meter=meter or Meter()
    )
    app.add_middleware(SecurityHeaders, https=deps.https)
    return app


def _flat(routers: tuple[APIRouter, ...], plugged: Mapping[str, Right]) -> Iterator[BaseRoute]:
    """Routes stand in the app itself, not nested, so that guard and router see the very same list."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, Route | WebSocketRoute | Mount):
                raise TypeError(f"{route!r}: plug in a router without routers inside it")
            if right_of(route, plugged) is None:
                raise TypeError(f"{route.path}: say who may use it (requires, public or Plugged.rights)")
            yield route


def table(app: FastAPI, plugged: Mapping[str, Right] | None = None) -> dict[str, Right]:
    """`GET /api/alarms` -> its right: what the rights test and the manual list."""
    rows = {}
    for route in app.router.routes:
        right = right_of(route, plugged or {})
        if right is not None:
            methods = getattr(route, "methods", None) or {"WS" if isinstance(route, WebSocketRoute) else "*"}
            path = getattr(route, "path", "").replace(":path}", "}")  # a number of an order may hold slashes
            rows.update({f"{method} {path}": right for method in methods})
    return rows
