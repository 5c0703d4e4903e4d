"""Every route, every role, own and other parts of the plant: what is not in this table does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from hub.api import passwords
from hub.api.app import build, table
from hub.api.deps import Plugged
from hub.api.rights import BOARD, PUBLIC, Right
from hub.model.people import Person, Role, WallScreen
from hub.model.words import Words
from hub.testing.clock import NOON
from tests.api_house import (
    CNC,
    ELSEWHERE,
    HERE,
    JPEG,
    MY_TICKET,
    PRESS,
    THEIR_TICKET,
    House,
    house,
)

pytestmark = pytest.mark.anyio

ALL = set(Role)
ACKNOWLEDGE = {Role.OPERATOR, Role.TECHNICIAN, Role.MANAGER, Role.ADMIN}
REPAIR = {Role.TECHNICIAN, Role.MANAGER, Role.ADMIN}
LEAD = {Role.MANAGER, Role.ADMIN}
RUSH = {Role.OPERATOR, Role.PLANNER, Role.MANAGER, Role.ADMIN}
ADMIN = {Role.ADMIN}
RECONCILE = {Role.TECHNICIAN, Role.PLANNER, Role.MANAGER, Role.ADMIN}
SHELF = {"until": "2026-01-05T13:00:00Z", "reason": "sensor is being changed"}
CAUSE = {"cause_class": "mechanical", "cause": "bearing"}
REASON = {"reason": "tried by hand"}
PHOTO = f"{'0' * 32}-{'0' * 16}"


@dataclass(frozen=True)
class Row:
    """`other`: the same request for what lies outside the caller's scope, and what it must answer."""

    route: str
    roles: set[Role] | str
    path: str
    body: Any = None
    good: int = 200
    other: str = ""
    other_body: Any = None
    other_status: int = 404
    devices: bool = False
    whole: bool = False  # only for who sees the whole plant


SHARE = {Role.SALES, Role.PLANNER, Role.MANAGER, Role.ADMIN}
KEEP = {Role.PLANNER, Role.MANAGER, Role.ADMIN}
LOOK = {Role.PLANNER, Role.ADMIN}
SEEN = {"at": NOON.isoformat()}
STATES = {"machine": PRESS, "table": {"numbering": "own", "map": {"1": "executing", "7": "fault"}}}
CHOSEN = {"machine": PRESS, "number": 0, "active": 1}
PAST = {"machine": PRESS, "since": "2026-01-05T11:00:00Z"}

STOOD, CUT = "2026-01-05T11:30:00Z", "2026-01-05T11:40:00Z"
STOP = {"machine": PRESS, "at": STOOD, "version": 0}

TABLE = [
    Row("POST /api/login", "public", "/api/login", {"person": "nobody", "password": "wrong-wrong"}, 401),
    Row("POST /api/device-login", "public", "/api/device-login", {"token": "unknown"}, 401),
    Row("GET /health", "public", "/health"),
    Row("POST /api/logout", ALL, "/api/logout", good=204),
    Row("GET /api/me", ALL, "/api/me", devices=True),
    Row(
        "POST /api/devices", ADMIN, "/api/devices", {"name": "wall", "scope": HERE},
        other="/api/devices", other_body={"name": "wall", "scope": ELSEWHERE}, other_status=403,
    ),
    Row("GET /api/devices", ADMIN, "/api/devices"),
    Row(
        "DELETE /api/devices/{device_id}", ADMIN, "/api/devices/1", good=204, other="/api/devices/2",
    ),
    Row("POST /api/password", ALL, "/api/password", {"old": "wrong-wrong", "new": "x"}, 400),
    Row("GET /api/people", ADMIN, "/api/people"),
    Row(
        "POST /api/people/{person_id}/one-time-password", ADMIN, "/api/people/viewer-1/one-time-password",
        other="/api/people/elsewhere-1/one-time-password",
    ),
    Row("GET /api/board", ALL, "/api/board", devices=True),
    Row("GET /api/alarms", ALL, "/api/alarms"),
    Row("GET /api/alarms/{alarm_id}", ALL, "/api/alarms/1", other="/api/alarms/2"),
    Row(
        "POST /api/alarms/{alarm_id}/acknowledge", ACKNOWLEDGE, "/api/alarms/1/acknowledge",
        other="/api/alarms/2/acknowledge",
    ),
    Row(
        "POST /api/alarms/{alarm_id}/shelve", REPAIR, "/api/alarms/1/shelve", SHELF,
        other="/api/alarms/2/shelve", other_body=SHELF,
    ),
    Row(
        "POST /api/alarms/{alarm_id}/unshelve", REPAIR, "/api/alarms/1/unshelve",
        other="/api/alarms/2/unshelve",
    ),
    Row(
        "POST /api/alarms/{alarm_id}/out-of-service", REPAIR, "/api/alarms/1/out-of-service", REASON,
        other="/api/alarms/2/out-of-service", other_body=REASON,
    ),
    Row(
        "POST /api/alarms/{alarm_id}/return", REPAIR, "/api/alarms/1/return", other="/api/alarms/2/return",
    ),
    Row("POST /api/alarms/{alarm_id}/reset", ACKNOWLEDGE, "/api/alarms/1/reset", other="/api/alarms/2/reset"),
    Row("GET /api/rules", ALL, "/api/rules"),
    Row(
        "POST /api/rules/out-of-service", REPAIR, "/api/rules/out-of-service", {"equipment": PRESS, **REASON},
        other="/api/rules/out-of-service", other_body={"equipment": CNC, **REASON},
    ),
    Row(
        "POST /api/rules/return", REPAIR, "/api/rules/return", {"equipment": PRESS},
        other="/api/rules/return", other_body={"equipment": CNC},
    ),
    Row("GET /api/reconciliation", RECONCILE | {Role.OPERATOR}, "/api/reconciliation"),
    Row("POST /api/reconciliation/run", RECONCILE, "/api/reconciliation/run"),
    Row(
        "POST /api/reconciliation/{discrepancy_id}/repair", RECONCILE,
        "/api/reconciliation/1/repair", other="/api/reconciliation/2/repair",
    ),
    Row(
        "POST /api/reconciliation/{discrepancy_id}/aside", RECONCILE,
        "/api/reconciliation/1/aside", REASON, other="/api/reconciliation/2/aside", other_body=REASON,
    ),
    Row(
        "POST /api/reconciliation/{discrepancy_id}/back", RECONCILE,
        "/api/reconciliation/1/back", other="/api/reconciliation/2/back",
    ),
    Row("GET /api/tickets", ALL, "/api/tickets"),
    Row(
        "GET /api/tickets/{ticket_id}", ALL, f"/api/tickets/{MY_TICKET}",
        other=f"/api/tickets/{THEIR_TICKET}",
    ),
    Row(
        "POST /api/tickets/{ticket_id}/accept", REPAIR, f"/api/tickets/{MY_TICKET}/accept",
        other=f"/api/tickets/{THEIR_TICKET}/accept",
    ),
    Row(
        "POST /api/tickets/{ticket_id}/arrive", REPAIR, f"/api/tickets/{MY_TICKET}/arrive",
        other=f"/api/tickets/{THEIR_TICKET}/arrive",
    ),
    Row(
        "POST /api/tickets/{ticket_id}/begin", REPAIR, f"/api/tickets/{MY_TICKET}/begin",
        other=f"/api/tickets/{THEIR_TICKET}/begin",
    ),
    Row(
        "POST /api/tickets/{ticket_id}/repaired", REPAIR, f"/api/tickets/{MY_TICKET}/repaired", CAUSE,
        other=f"/api/tickets/{THEIR_TICKET}/repaired", other_body=CAUSE,
    ),
    Row(
        "POST /api/tickets/{ticket_id}/close", LEAD, f"/api/tickets/{MY_TICKET}/close", REASON,
        other=f"/api/tickets/{THEIR_TICKET}/close", other_body=REASON,
    ),
    Row("POST /api/photos", REPAIR, "/api/photos", JPEG),
    Row("GET /api/photos/{photo_id}", ALL, f"/api/photos/{PHOTO}", other=f"/api/photos/1{PHOTO[1:]}"),
    Row(
        "GET /api/trend", ALL, f"/api/trend?tag={PRESS}/oil_temp", other=f"/api/trend?tag={CNC}/spindle"
    ),
    Row("GET /api/orders/{number}/rush", ALL, "/api/orders/MO-1/rush", other="/api/orders/MO-2/rush"),
    Row(
        "POST /api/orders/{number}/rush", RUSH, "/api/orders/MO-1/rush", {"digest": "seen"},
        other="/api/orders/MO-2/rush", other_body={"digest": "seen"},
    ),
    Row("DELETE /api/orders/{number}/rush", RUSH, "/api/orders/MO-1/rush", other="/api/orders/MO-2/rush"),
    Row(
        "POST /api/orders/{number}/rush/seen", ALL, "/api/orders/MO-1/rush/seen", good=204,
        other="/api/orders/MO-2/rush/seen",
    ),
    Row("GET /api/rushes", ALL, "/api/rushes"),
    Row(
        "POST /api/order-changes/{change_id}/confirm", ACKNOWLEDGE, "/api/order-changes/1/confirm", SEEN,
        other="/api/order-changes/2/confirm", other_body=SEEN,
    ),
    Row("GET /api/erp/health", KEEP, "/api/erp/health"),
    Row("GET /api/erp/mappings", LOOK, "/api/erp/mappings", whole=True),
    Row("GET /api/erp/mappings/versions/{version}", LOOK, "/api/erp/mappings/versions/1", whole=True),
    Row("GET /api/erp/mappings/documents/{document}", LOOK, "/api/erp/mappings/documents/ticket", whole=True),
    Row(
        "POST /api/erp/mappings/documents/{document}/preview", LOOK,
        "/api/erp/mappings/documents/ticket/preview", {"block": {}}, whole=True,
    ),
    Row("POST /api/erp/mappings/test", ADMIN, "/api/erp/mappings/test", {"documents": {}}, whole=True),
    Row(
        "POST /api/erp/mappings", ADMIN, "/api/erp/mappings", {"documents": {}, "latest": 2}, whole=True
    ),
    Row(
        "POST /api/erp/mappings/versions/{version}/activate", ADMIN,
        "/api/erp/mappings/versions/2/activate", {"active": 1}, whole=True,
    ),
    Row("GET /api/state-tables", RECONCILE, "/api/state-tables"),
    Row(
        "GET /api/state-tables/machine", RECONCILE, f"/api/state-tables/machine?path={PRESS}",
        other=f"/api/state-tables/machine?path={CNC}",
    ),
    Row(
        "POST /api/state-tables/preview", RECONCILE, "/api/state-tables/preview", STATES,
        other="/api/state-tables/preview", other_body=STATES | {"machine": CNC},
    ),
    Row(
        "POST /api/state-tables", ADMIN, "/api/state-tables", STATES | {"latest": 2},
        other="/api/state-tables", other_body=STATES | {"latest": 0, "machine": CNC},
    ),
    Row(
        "GET /api/state-tables/history", RECONCILE, f"/api/state-tables/history?path={PRESS}",
        other=f"/api/state-tables/history?path={CNC}",
    ),
    Row(
        "POST /api/state-tables/history/preview", ADMIN, "/api/state-tables/history/preview", PAST,
        other="/api/state-tables/history/preview", other_body=PAST | {"machine": CNC},
    ),
    Row(
        "POST /api/state-tables/history", ADMIN, "/api/state-tables/history", PAST | {"key": "k"},
        other="/api/state-tables/history", other_body=PAST | {"machine": CNC, "key": "k"},
    ),
    Row(
        "POST /api/state-tables/activate", ADMIN, "/api/state-tables/activate", CHOSEN,
        other="/api/state-tables/activate", other_body=CHOSEN | {"machine": CNC},
    ),
    Row("GET /api/erp/exchanges", KEEP, "/api/erp/exchanges"),
    Row("GET /api/erp/letters", KEEP, "/api/erp/letters"),
    Row(
        "POST /api/erp/letters/{letter_id}/again", KEEP, "/api/erp/letters/1/again",
        other="/api/erp/letters/3/again",
    ),
    Row(
        "POST /api/erp/letters/{letter_id}/aside", KEEP, "/api/erp/letters/1/aside", REASON,
        other="/api/erp/letters/7/aside", other_body=REASON,
    ),
    Row("POST /api/erp/push", "public", "/api/erp/push", {"made": "up"}, 404),
    Row("GET /api/shared-order", "public", "/api/shared-order", good=404),
    Row("GET /api/sales", SHARE, "/api/sales"),
    Row(
        "GET /api/orders/{number}/parameters", ALL, "/api/orders/MO-1/parameters",
        other="/api/orders/MO-2/parameters",
    ),
    Row(
        "GET /api/orders/{number}/parameters.csv", ALL, "/api/orders/MO-1/parameters.csv",
        other="/api/orders/MO-2/parameters.csv",
    ),
    Row("GET /api/lots/{lot}/parameters", ALL, "/api/lots/L-1/parameters", other="/api/lots/L-2/parameters"),
    Row(
        "GET /api/lots/{lot}/parameters.csv", ALL, "/api/lots/L-1/parameters.csv",
        other="/api/lots/L-2/parameters.csv",
    ),
    Row("GET /api/orders/{number}/links", SHARE, "/api/orders/MO-1/links", other="/api/orders/MO-2/links"),
    Row("POST /api/orders/{number}/links", SHARE, "/api/orders/MO-1/links", other="/api/orders/MO-2/links"),
    Row(
        "DELETE /api/order-links/{link_id}", SHARE, "/api/order-links/1", good=204,
        other="/api/order-links/2",
    ),
    Row("POST /api/mes/{source}", "public", "/api/mes/nobody", {"events": []}, 404),
    Row("GET /api/mes/rejects", KEEP, "/api/mes/rejects"),
    Row("GET /api/mes/unbound", KEEP, "/api/mes/unbound"),
    Row("POST /api/mes/rejects/replay", KEEP, "/api/mes/rejects/replay", {"ids": [1]}),
    Row("POST /api/mes/rejects/aside", KEEP, "/api/mes/rejects/aside", {"ids": [1], **REASON}),
    Row("POST /api/mes/rejects/{reject_id}/replay", KEEP, "/api/mes/rejects/1/replay"),
    Row("GET /api/mes/rejects/{reject_id}/draft", KEEP, "/api/mes/rejects/1/draft"),
    Row("POST /api/mes/rejects/{reject_id}/check", KEEP, "/api/mes/rejects/1/check", {"event": "{}"}),
    Row("POST /api/mes/rejects/{reject_id}/correct", KEEP, "/api/mes/rejects/1/correct", {"event": "{}"}),
    Row("POST /api/mes/rejects/{reject_id}/aside", KEEP, "/api/mes/rejects/1/aside", REASON),
    Row("GET /api/delivery", SHARE, "/api/delivery?month=2026-01"),
    Row("GET /api/costs", KEEP, "/api/costs?month=2026-01"),
    Row("GET /api/equipment-map", RECONCILE, "/api/equipment-map"),
    Row("GET /api/stops", ALL, "/api/stops", other=f"/api/stops?place={CNC}"),
    Row(
        "GET /api/stops/one", ALL, f"/api/stops/one?machine={PRESS}&at={STOOD}",
        other=f"/api/stops/one?machine={CNC}&at={STOOD}",
    ),
    Row("GET /api/stops/pareto", ALL, "/api/stops/pareto", other=f"/api/stops/pareto?place={CNC}"),
    Row("GET /api/stops.csv", ALL, "/api/stops.csv", other=f"/api/stops.csv?place={CNC}"),
    Row(
        "POST /api/stops/reason", ACKNOWLEDGE, "/api/stops/reason", {**STOP, "reason": "jam"},
        other="/api/stops/reason", other_body={**STOP, "machine": CNC, "reason": "jam"},
    ),
    Row(
        "POST /api/stops/split", ACKNOWLEDGE, "/api/stops/split", {**STOP, "cut": CUT},
        other="/api/stops/split", other_body={**STOP, "machine": CNC, "cut": CUT},
    ),
    Row(
        "POST /api/stops/merge", ACKNOWLEDGE, "/api/stops/merge", {**STOP, "cut": CUT}, good=400,
        other="/api/stops/merge", other_body={**STOP, "machine": CNC, "cut": CUT},
    ),
    Row("GET /api/timeline", ALL, "/api/timeline"),
    Row("GET /api/status", LEAD, "/api/status"),
    Row("GET /api/audit", ADMIN, "/api/audit", whole=True),
    Row("GET /metrics", ADMIN, "/metrics"),
    Row("GET /api/openapi.json", ADMIN, "/api/openapi.json"),
]  # fmt: skip
IDS = [row.route for row in TABLE]
SIGNED = ("POST /api/erp/push", "POST /api/mes/{source}")  # have no Origin
CLOSED = [row for row in TABLE if row.roles != "public"]


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_NOBODY", PasswordHasher(1, 8, 1).hash("nobody"))


@pytest.fixture
def it() -> House:
    return furnished()


def furnished() -> House:
    """One photo belongs to a ticket here, another to a ticket elsewhere."""
    elsewhere = Person("elsewhere-1", Words("他", "They"), frozenset({Role.VIEWER}), (ELSEWHERE,))
    keepers = [Person(f"{r.value}-all", Words("他", "They"), frozenset({r}), ("p1",)) for r in Role]
    made = house(elsewhere, *keepers)
    for at, scope in enumerate((HERE, ELSEWHERE), 1):
        made.people.devices_made[f"screen {at}"] = WallScreen(at, f"wall-{at}", scope, NOON)
    tickets, photos = made.ledger.tickets, made.ledger.photos
    for number, photo in ((MY_TICKET, PHOTO), (THEIR_TICKET, f"1{PHOTO[1:]}")):
        object.__setattr__(tickets[number], "photo", photo)
        photos[photo] = ("image/jpeg", JPEG)
    return made


async def ask(client: Any, row: Row, path: str, body: Any) -> int:
    method = row.route.partition(" ")[0]
    more = (
        {"files": {"photo": ("p.jpg", body)}} if isinstance(body, bytes) else {"json": body} if body else {}
    )
    async with client:
        answer = await client.request(method, path, **more)
    return int(answer.status_code)


def test_every_route_stands_in_the_table_and_nothing_else(it: House) -> None:
    assert set(table(it.app)) == {row.route for row in TABLE}
    assert len(IDS) == len(set(IDS))


@pytest.mark.parametrize("row", TABLE, ids=IDS)
async def test_each_role_may_do_what_the_table_says_in_its_own_part(row: Row) -> None:
    for role in Role:
        allowed = row.roles == "public" or role in row.roles
        who = furnished().as_person(f"{role.value}-all" if row.whole else f"{role.value}-1")
        assert await ask(who, row, row.path, row.body) == (row.good if allowed else 403), role


@pytest.mark.parametrize("row", [row for row in TABLE if row.whole], ids=lambda row: row.route)
async def test_what_concerns_the_whole_plant_is_not_for_who_sees_a_part_of_it(row: Row, it: House) -> None:
    for role in Role:
        assert await ask(it.as_role(role), row, row.path, row.body) == 403, role
    assert not getattr(it.deps.mappings, "asked", True)


@pytest.mark.parametrize("row", [row for row in TABLE if row.other], ids=lambda row: row.route)
async def test_nobody_reaches_into_another_part_of_the_plant(row: Row, it: House) -> None:
    for role in Role:
        expected = row.other_status if role in row.roles else 403
        assert await ask(it.as_role(role), row, row.other, row.other_body) == expected, role
    assert not it.desk.asked


@pytest.mark.parametrize("row", CLOSED, ids=lambda row: row.route)
async def test_a_stranger_gets_nowhere(row: Row, it: House) -> None:
    assert await ask(it.client(), row, row.path, row.body) == 401


@pytest.mark.parametrize("row", CLOSED, ids=lambda row: row.route)
async def test_a_wall_screen_only_looks_at_the_board(row: Row, it: House) -> None:
    assert await ask(it.as_device(), row, row.path, row.body) == (row.good if row.devices else 403)


@pytest.mark.parametrize("row", CLOSED, ids=lambda row: row.route)
async def test_somebody_taken_out_of_the_configuration_is_a_stranger_at_once(row: Row, it: House) -> None:
    assert await ask(it.as_person("left-last-week"), row, row.path, row.body) == 401


@pytest.mark.parametrize("row", CLOSED, ids=lambda row: row.route)
async def test_a_cookie_that_was_logged_out_opens_no_route(row: Row, it: House) -> None:
    thief = it.as_role(Role.ADMIN)
    async with it.as_role(Role.ADMIN) as client:
        assert (await client.post("/api/logout")).status_code == 204
    assert await ask(thief, row, row.path, row.body) == 401


@pytest.mark.parametrize(
    "row",
    [r for r in TABLE if not r.route.startswith("GET") and r.route not in SIGNED],
    ids=lambda row: row.route,
)
async def test_a_page_of_another_site_can_post_nothing(row: Row, it: House) -> None:
    for origin in (
        "http://evil.example",
        "null",
        "http://hub.test:8800.evil.example",
        "https://hub.test:8800",
    ):
        assert await ask(it.as_role(Role.ADMIN, Origin=origin), row, row.path, row.body) == 403, origin
    bare = it.as_role(Role.ADMIN)
    del bare.headers["Origin"]
    assert await ask(bare, row, row.path, row.body) == 403
    assert not it.desk.asked


@pytest.mark.parametrize(
    "row", [r for r in CLOSED if not r.route.startswith("GET")], ids=lambda row: row.route
)
async def test_a_post_without_the_mark_of_its_session_is_refused(row: Row, it: House) -> None:
    other = it.as_role(Role.VIEWER).headers["X-Andon-CSRF"]
    for mark in ("", "x" * 43, other):
        client = it.as_role(Role.ADMIN)
        client.headers["X-Andon-CSRF"] = mark
        assert await ask(client, row, row.path, row.body) == 403, mark
    assert not it.desk.asked


async def test_somebody_without_scopes_sees_an_empty_plant(it: House) -> None:
    object.__setattr__(it.deps.plant.people["manager-1"], "scopes", ())
    async with it.as_role(Role.MANAGER) as client:
        assert (await client.get("/api/alarms")).json() == {"alarms": []}
        assert (await client.get("/api/tickets")).json() == {"tickets": []}


# ------------------------------------------------------------------ default deny
def page(path: str) -> APIRouter:
    router = APIRouter()

    @router.get(path)
    async def answer() -> PlainTextResponse:
        return PlainTextResponse("hello")

    return router


def test_a_route_that_names_nobody_stops_the_start() -> None:
    with pytest.raises(TypeError, match="/wall: say who may use it"):
        house(plugged=(Plugged(page("/wall"), {}),))


async def test_a_route_slipped_in_later_is_denied_to_everybody(it: House) -> None:
    it.app.router.routes.extend(page("/late").routes)
    async with it.as_role(Role.ADMIN) as client:
        assert (await client.get("/late")).status_code == 403


async def test_the_roof_says_who_may_use_the_screens_pages() -> None:
    pages = (
        Plugged(page("/wall"), {"/wall": PUBLIC}),
        Plugged(page("/console"), {"/console": Right(frozenset(LEAD))}),
    )
    it = house(plugged=pages)
    async with it.client() as client:
        assert (await client.get("/wall")).text == "hello"
        assert (await client.get("/console")).status_code == 401
    async with it.as_role(Role.VIEWER) as client:
        assert (await client.get("/console")).status_code == 403


def test_routers_inside_routers_would_hide_from_the_guard_and_are_refused() -> None:
    outer = APIRouter()
    outer.include_router(page("/hidden"))
    with pytest.raises(TypeError, match="without routers inside"):
        house(plugged=(Plugged(outer, {"/hidden": PUBLIC}),))


def test_the_board_is_the_only_thing_that_walls_and_people_share() -> None:
    shared = {route for route, right in table(build(house().deps)).items() if right.devices}
    assert shared == {"GET /api/board", "GET /api/me"}
    assert BOARD.roles == frozenset(Role)
