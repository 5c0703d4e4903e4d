"""Fifty bad inputs for every route, on the real record: no 500, no stack, nothing done (S24).

The record is PostgreSQL and the desk the real one, because texts that Python likes and a database does not
are what such a test is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from alert_rules.casebook import Casebook
from alert_rules.desk import AlarmDesk
from alert_rules.rule import Limits, Rule
from alert_rules.stop_desk import StopReasonDesk
from erp_bridge.rush_desk import OrderRushDesk
from erp_bridge.rush_notices import Crowd
from hub.api import passwords
from hub.api.app import build, table
from hub.api.auth import SESSION_COOKIE
from hub.api.limits import Meter
from hub.api.tokens import csrf_of, new_token, token_hash
from hub.model.alarm import Priority
from hub.model.people import Person, Role
from hub.notices import Notices
from hub.store.figures import PgFigures
from hub.store.ledger import PgLedger
from hub.store.parameter_book import PgParameterBook
from hub.store.people import PgPeopleStore
from hub.store.pool import open_pool
from hub.store.rush import PgRushes
from hub.store.sales import PgSales
from hub.store.stops import PgStops
from tests.api_house import CNC, PRESS, House, alarm, house, order, ticket, w

pytestmark = pytest.mark.anyio

BOSS = Person("boss", w("老板", "Boss"), frozenset({Role.ADMIN}), ("p1",))
TEXTS: tuple[str, ...] = (
    "", " ", "x" * 5000, "0", "-1", "1.5", "NaN", "Infinity", "null", "true", "[]", "{}", "9" * 30, "9" * 400,
    "1e400", "0x10", "１２", "a\x00b", "\x00", "\x1b[2J", "a\r\nSet-Cookie: x=1", "\u202eevil", "\ufeff",
    "🏭" * 50, "'", "' or 1=1 --", '"; drop table alarms; --', "%s%s%n", "{0.__class__}", "{{7*7}}",
    "${jndi:ldap://x}", "<script>alert(1)</script>", "../../etc/passwd", "..\\..\\windows", "/etc/passwd",
    "file:///etc/passwd", "%00", "%2e%2e%2f", "p1/stamping/../machining", "p1/+/#", "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59-23:59", "0000-00-00T00:00:00Z", "AH-20260105-0001", "__proto__", "constructor",
)  # fmt: skip
BODIES: tuple[bytes, ...] = (
    b"", b"null", b"[]", b'"x"', b"7", b"{", b"{}}", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe\x00",
    b"\x00", b'{"note": "\\ud800"}', b'{"note": NaN}', b'{"until": 1e999}', b'{"note": ' + b"9" * 5000 + b"}",
    b'{"note": "a", "note": {"b": 1}}', b'{"__proto__": {"admin": true}}', b"<?xml version='1.0'?>",
    b'{"person": {"$ne": null}, "password": {"$ne": null}}', b'{"' + b"k" * 100_000 + b'": 1}',
)  # fmt: skip
KINDS = ("application/json", "text/plain", "multipart/form-data; boundary=b", "application/json; charset=x")
JSON = {"Content-Type": "application/json"}
ODD: tuple[Any, ...] = (None, 7, -(2**70), 1.5, True, [], {}, ["x"], {"a": "b"})
FIELDS = {
    "/api/login": ("person", "password", "new_password"),
    "/api/password": ("old", "new"),
    "/api/devices": ("name", "scope"),
    "/api/device-login": ("token",),
    "/api/alarms/{alarm_id}/acknowledge": ("note",),
    "/api/alarms/{alarm_id}/shelve": ("until", "reason"),
    "/api/alarms/{alarm_id}/out-of-service": ("reason",),
    "/api/rules/out-of-service": ("equipment", "rule", "subject", "reason"),
    "/api/rules/return": ("equipment", "rule", "subject"),
    "/api/tickets/{ticket_id}/accept": ("device_time",),
    "/api/tickets/{ticket_id}/arrive": ("device_time",),
    "/api/tickets/{ticket_id}/begin": ("device_time",),
    "/api/tickets/{ticket_id}/repaired": ("cause_class", "cause", "photo", "device_time"),
    "/api/tickets/{ticket_id}/close": ("reason",),
    "/api/erp/letters/{letter_id}/aside": ("reason",),
    "/api/mes/rejects/replay": ("ids", "source", "kind", "text", "before"),
    "/api/mes/rejects/aside": ("ids", "source", "kind", "text", "before", "reason"),
    "/api/mes/rejects/{reject_id}/aside": ("reason",),
    "/api/mes/rejects/{reject_id}/check": ("event",),
    "/api/mes/rejects/{reject_id}/correct": ("event",),
    "/api/erp/mappings": ("documents", "latest", "note"),
    "/api/erp/mappings/test": ("documents",),
    "/api/erp/mappings/documents/{document}/preview": ("block", "ours", "theirs"),
    "/api/erp/mappings/versions/{version}/activate": ("active", "anyway"),
    "/api/state-tables": ("machine", "table", "latest", "note"),
    "/api/state-tables/preview": ("machine", "table", "hours"),
    "/api/state-tables/activate": ("machine", "number", "active"),
    "/api/state-tables/history": ("machine", "since", "key"),
    "/api/state-tables/history/preview": ("machine", "since"),
    "/api/order-changes/{change_id}/confirm": ("at",),
    "/api/reconciliation/{discrepancy_id}/aside": ("reason",),
    "/api/orders/{number}/rush": ("digest", "due_at", "reason", "tap"),
    "/api/stops/reason": ("machine", "at", "version", "reason", "note", "part"),
    "/api/stops/split": ("machine", "at", "version", "cut"),
    "/api/stops/merge": ("machine", "at", "version", "cut", "keep"),
}
GOOD: dict[str, Any] = {
    "person": "boss", "password": "wrong-wrong", "new_password": "", "old": "wrong-wrong", "new": "x",
    "name": "wall", "scope": "p1", "token": "x", "note": "n",
    "until": "2026-01-05T13:00:00Z", "reason": "r", "at": "2026-01-05T12:00:00Z",
    "device_time": "2026-01-05T12:00:00Z",
    "cause_class": "mechanical", "cause": "c", "photo": "",
    "digest": "stale", "due_at": "2026-01-05T18:00:00Z", "tap": "t-1",
    "documents": {}, "latest": 2, "block": {}, "ours": 0, "theirs": 0, "active": 1, "anyway": False,
    "machine": PRESS, "table": {"numbering": "own", "map": {"7": "fault"}}, "hours": 1, "number": 0,
    "since": "2026-01-05T11:00:00Z", "key": "k",
    "version": 0, "cut": "2026-01-05T12:00:00Z", "keep": "later", "part": None,
    "equipment": PRESS, "rule": "oil-hot", "subject": f"{PRESS}/oil_temp",
    "event": "{}", "ids": [1], "source": "mes", "kind": "report", "text": "x", "before": 0,
}  # fmt: skip
QUERIES = {
    "/api/alarms": ("open", "limit"),
    "/api/tickets": ("open", "limit"),
    "/api/trend": ("tag", "minutes", "until"),
    "/api/timeline": ("hours",),
    "/api/state-tables/machine": ("path",),
    "/api/state-tables/history": ("path",),
    "/api/mes/rejects": ("state", "source", "kind", "text", "before", "limit"),
    "/api/orders/{number}/rush": ("due_at",),
    "/api/rushes": ("limit",),
    "/api/audit": ("limit", "before"),
    "/api/orders/{number}/parameters": ("points", "operation", "tag"),
    "/api/orders/{number}/parameters.csv": ("operation", "tag"),
    "/api/lots/{lot}/parameters": ("points",),
    "/api/delivery": ("month",),
    "/api/costs": ("month", "order"),
    "/api/stops": ("place", "from", "until", "waiting", "limit"),
    "/api/stops/one": ("machine", "at"),
    "/api/stops/pareto": ("place", "from", "until", "shift"),
    "/api/stops.csv": ("place", "from", "until"),
}


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "_NOBODY", quick.hash("nobody"))


@pytest.fixture
async def it(dsn: str) -> AsyncIterator[House]:
    made = house(BOSS)
    pool = await open_pool(dsn)
    try:
        ledger, people = PgLedger(pool, clock=made.clock), PgPeopleStore(pool)
        title, hot = w("油温过高", "Oil too hot"), Limits(80, 75, True)
        rule = Rule("oil-hot", f"{PRESS}/oil_temp", PRESS, hot, Priority.CRITICAL, title)
        rules = {(rule.name, rule.subject): rule}
        book = Casebook(made.deps.plant, rules, ledger, made.clock, _quiet, "")
        crowd = Crowd(Notices(made.deps.plant, ("group",)))
        rush = OrderRushDesk(made.deps.plant, PgRushes(pool, made.clock), made.clock, _quiet, crowd)
        deps = replace(
            made.deps,
            ledger=ledger,
            people=people,
            desk=AlarmDesk(book),
            rush=rush,
            sales=PgSales(pool),
            figures=PgFigures(pool),
            parameters=PgParameterBook(pool),
            stops=StopReasonDesk(made.deps.plant, PgStops(pool), made.clock, _quiet),
        )
        async with ledger.begin() as tx:
            await tx.save_order(order("MO-1", "p1/stamping/l1"))
            for place in (PRESS, CNC):
                there = await tx.save_alarm(alarm(0, place))
                number = await tx.next_ticket_id(made.clock.now())
                await tx.save_ticket(ticket(number, there.id, place))
        yield replace(made, deps=deps, app=build(deps, meter=Meter(burst=1e9)))
    finally:
        await pool.close()


async def _quiet(_: dict[str, Any]) -> None: ...


async def admitted(it: House) -> Any:
    token = new_token()
    await it.deps.people.add_session(token_hash(token), "boss", it.clock.now())
    client = it.client()
    client.headers["X-Andon-CSRF"] = csrf_of(token)
    client.cookies.set(SESSION_COOKIE, token)
    return client


ROUTES = sorted(route for route in table(house().app) if route != "POST /api/logout")


@pytest.mark.parametrize("route", ROUTES)
async def test_no_bad_input_gets_more_than_a_refusal(it: House, route: str) -> None:
    method, _, path = route.partition(" ")
    tried = 0
    async with await admitted(it) as client:
        for url, more in attempts(path, method):
            answer = await client.request(method, url, **more)
            assert answer.status_code < 500, (url[:200], str(more)[:200], answer.text)
            assert "Traceback" not in answer.text
            assert "psycopg" not in answer.text
            assert "set-cookie" not in answer.headers
            tried += 1
        assert (await client.get("/api/me")).status_code == 200
    assert tried >= 50


def address(path: str) -> str:
    """With something that is there, or could be, in each place of it."""
    named = {"ticket_id": "AH-20260105-0001", "number": "MO-1", "document": "ticket"}
    named["photo_id"] = f"{'0' * 32}-{'0' * 16}"
    return re.sub(r"\{(\w+)\}", lambda found: named.get(found[1], "1"), path)


def attempts(path: str, method: str) -> list[tuple[str, dict[str, Any]]]:
    plain = address(path)
    tries: list[tuple[str, dict[str, Any]]] = []
    if "{" in path:
        head, _, tail = path.partition("{")
        tries += [(head + quote(text, safe="") + tail.partition("}")[2], {}) for text in TEXTS]
    for name in QUERIES.get(path, ("x",)):
        tries += [(f"{plain}?{name}={quote(text, safe='')}", {}) for text in TEXTS]
    tries += [(f"{plain}?x=1&x=2&{'y' * 2000}", {}), (f"{plain}?%zz=%", {})]
    tries += [
        (plain, {"headers": {name: b"\xff" * 50}}) for name in ("Accept", "Range", "If-None-Match", "Host")
    ]
    if method == "POST":
        tries += [(plain, {"content": body, "headers": as_kind(kind)}) for body in BODIES for kind in KINDS]
        bad = [(name, odd) for name in FIELDS.get(path, ()) for odd in (*TEXTS, *ODD)]
        tries += [(plain, {"content": with_field(path, name, odd), "headers": JSON}) for name, odd in bad]
    return tries


def as_kind(kind: str) -> dict[str, str]:
    return {"Content-Type": kind}


def with_field(path: str, name: str, value: Any) -> bytes:
    """A good body but for one field."""
    return json.dumps({**{f: GOOD[f] for f in FIELDS[path]}, name: value}).encode()


def test_every_route_with_a_body_is_fuzzed_in_every_field() -> None:
    app: FastAPI = house().app
    described = app.openapi()["paths"]
    with_body = {path for path, calls in described.items() if "requestBody" in calls.get("post", {})}
    assert with_body == set(FIELDS)


@pytest.mark.parametrize("path", sorted(FIELDS))
async def test_the_body_that_is_bent_is_a_good_one_when_straight(it: House, path: str) -> None:
    async with await admitted(it) as client:
        plain = address(path)
        body = json.dumps({f: GOOD[f] for f in FIELDS[path]})
        answer = await client.post(plain, content=body, headers=JSON)
    refused = {"/api/rules/return": 409, "/api/password": 400, "/api/orders/{number}/rush": 409}
    refused |= {"/api/stops/reason": 400, "/api/stops/split": 409, "/api/stops/merge": 409}  # nothing stood
    assert answer.status_code == (401 if "login" in path else refused.get(path, 200))
