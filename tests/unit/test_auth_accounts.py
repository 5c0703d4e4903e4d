"""Changing one's password, being given one for a single login, and sending wall screens away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.websockets import WebSocket

from hub.api import passwords
from hub.api.auth import DEVICE_COOKIE, SESSION_COOKIE, Viewer
from hub.api.tokens import csrf_of, token_hash
from hub.model.people import Person, Role
from hub.model.words import Words
from tests.api_house import ELSEWHERE, HERE, PASSWORD, House, house, with_password

pytestmark = pytest.mark.anyio

NEW = "sieben graue Kisten 22"
TECH = "technician-1"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "_NOBODY", quick.hash("nobody"))


@pytest.fixture
async def it() -> House:
    made = house()
    await with_password(made, TECH)
    return made


async def login(it: House, password: str, new: str = "") -> httpx.Response:
    body = {"person": TECH, "password": password, **({"new_password": new} if new else {})}
    async with it.client() as client:
        return await client.post("/api/login", json=body)


async def change(it: House, old: str, new: str) -> httpx.Response:
    async with it.as_person(TECH) as client:
        return await client.post("/api/password", json={"old": old, "new": new})


async def one_time(it: House, person: str = TECH, by: Role = Role.ADMIN) -> httpx.Response:
    async with it.as_role(by) as client:
        return await client.post(f"/api/people/{person}/one-time-password")


async def viewer(it: House, cookie: str, token: str) -> Viewer:
    """Somebody at an open socket."""

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    headers = [(b"cookie", f"{cookie}={token}".encode())]
    found = await it.app.state.door.authenticate(
        WebSocket({"type": "websocket", "headers": headers, "path": "/ws"}, nothing, nothing)
    )
    assert isinstance(found, Viewer)
    return found


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# ------------------------------------------------------------------ one's own
async def test_a_changed_password_is_the_only_one_and_is_kept_as_argon2id(it: House) -> None:
    assert (await change(it, PASSWORD, NEW)).status_code == 200
    assert it.people.passwords[TECH].startswith("$argon2id$")
    assert NEW not in str(it.people.__dict__)
    assert (await login(it, PASSWORD)).status_code == 401
    assert (await login(it, NEW)).status_code == 200


async def test_a_change_ends_every_other_session_and_its_sockets_and_goes_on_with_a_new_one(
    it: House,
) -> None:
    elsewhere = (await login(it, PASSWORD)).cookies[SESSION_COOKIE]
    open_socket = await viewer(it, SESSION_COOKIE, elsewhere)
    answer = await change(it, PASSWORD, NEW)
    token = answer.cookies[SESSION_COOKIE]
    assert set(it.people.sessions) == {token_hash(token)}
    assert answer.json() == {"csrf": csrf_of(token)}
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert open_socket.over.is_set()
    assert not await open_socket.still_valid()


async def test_a_change_leaves_other_people_in_and_a_line_in_the_audit_trail(it: House) -> None:
    other = it.token("manager-1")
    theirs = await viewer(it, SESSION_COOKIE, other)
    await change(it, PASSWORD, NEW)
    assert token_hash(other) in it.people.sessions
    assert not theirs.over.is_set()
    [line] = it.people.trail
    assert line[:3] == (TECH, "password-changed", "")
    assert PASSWORD not in str(line)
    assert NEW not in str(line)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("short", "password-length"), ("x" * 129, "password-length"), ("password123", "password-common"),
        ("technician-1", "password-common"), (PASSWORD, "password-same"), ("", "password-length"),
    ],
)  # fmt: skip
async def test_a_new_password_that_will_not_do_is_refused_with_the_reason(
    it: House, new: str, why: str
) -> None:
    answer = await change(it, PASSWORD, new)
    assert code(answer) == (400, why)
    assert answer.json()["error"]["text"]["zh"]
    assert (await login(it, PASSWORD)).status_code == 200


async def test_without_the_present_password_nothing_changes_and_guessing_it_is_slowed_down(it: House) -> None:
    answers = [code(await change(it, f"guess number {n}", NEW)) for n in range(7)]
    assert answers[:5] == [(400, "password-wrong")] * 5
    assert answers[5:] == [(429, "too-many-tries")] * 2
    it.clock.turn(15 * 60)
    assert (await login(it, PASSWORD)).status_code == 200


# ------------------------------------------------------------------ a forgotten one
async def test_a_one_time_password_opens_only_the_choice_of_a_new_one(it: House) -> None:
    given = (await one_time(it)).json()["password"]
    assert code(await login(it, PASSWORD)) == (401, "login-failed")
    assert code(await login(it, given)) == (403, "password-once")
    assert not [p for p, _, _ in it.people.sessions.values() if p == TECH]
    assert code(await login(it, given, "short")) == (400, "password-length")
    assert code(await login(it, given, given)) == (400, "password-same")
    assert (await login(it, given, NEW)).status_code == 200
    assert code(await login(it, given)) == (401, "login-failed")
    assert (await login(it, NEW)).status_code == 200


async def test_a_one_time_password_is_over_after_a_day(it: House) -> None:
    told = (await one_time(it)).json()
    assert told["until"] == "2026-01-06T12:00:00Z"
    it.clock.turn(timedelta(hours=24).total_seconds())
    assert code(await login(it, told["password"], NEW)) == (401, "password-once-over")


async def test_a_reset_logs_the_person_out_everywhere_and_names_who_did_it(it: House) -> None:
    token = it.token(TECH)
    theirs = await viewer(it, SESSION_COOKIE, token)
    given = (await one_time(it)).json()["password"]
    assert token_hash(token) not in it.people.sessions
    assert theirs.over.is_set()
    [line] = it.people.trail
    assert line[:3] == ("admin-1", "password-reset", TECH)
    assert given not in str(line)


async def test_nobody_resets_their_own_or_an_account_that_reaches_further() -> None:
    both = frozenset({Role.ADMIN})
    it = house(Person("chief", Words("总", "Chief"), both, (HERE, ELSEWHERE)))
    assert code(await one_time(it, "admin-1")) == (400, "password-own")
    assert code(await one_time(it, "chief")) == (404, "not-found")
    assert code(await one_time(it, "nobody-here")) == (404, "not-found")
    assert not it.people.passwords


async def test_the_list_of_people_tells_whose_password_is_whose_and_no_hash(it: House) -> None:
    await one_time(it, "viewer-1")
    it.token(TECH)
    async with it.as_role(Role.ADMIN) as admin:
        answer = await admin.get("/api/people")
    rows = {row["id"]: row for row in answer.json()["people"]}
    assert (rows[TECH]["password"], rows[TECH]["sessions"]) == ("own", 1)
    assert rows["viewer-1"]["password"] == "once"
    assert rows["planner-1"]["password"] == "none"
    assert "argon2" not in answer.text


# ------------------------------------------------------------------ wall screens
async def test_a_wall_screen_that_is_sent_away_loses_its_socket_at_once_and_is_told_why(it: House) -> None:
    async with it.as_role(Role.ADMIN) as admin:
        token = (await admin.post("/api/devices", json={"name": "东门", "scope": HERE})).json()["token"]
        kept = (await admin.post("/api/devices", json={"name": "西门", "scope": HERE})).json()["token"]
        wall, other = await viewer(it, DEVICE_COOKIE, token), await viewer(it, DEVICE_COOKIE, kept)
        listed = (await admin.get("/api/devices")).json()["devices"]
        number = next(d["id"] for d in listed if d["name"] == "东门")
        assert (await admin.delete(f"/api/devices/{number}")).status_code == 204
        assert (await admin.delete(f"/api/devices/{number}")).status_code == 404
        assert [d["name"] for d in (await admin.get("/api/devices")).json()["devices"]] == ["西门"]
    assert wall.over.is_set()
    assert not await wall.still_valid()
    assert not other.over.is_set()
    async with it.client() as screen:
        screen.cookies.set(DEVICE_COOKIE, token)
        assert code(await screen.get("/api/board")) == (401, "device-revoked")
    assert it.audited()["device-revoked"] == 1


async def test_the_list_of_screens_says_where_they_look_and_holds_no_token(it: House) -> None:
    async with it.as_role(Role.ADMIN) as admin:
        token = (await admin.post("/api/devices", json={"name": "东门", "scope": HERE})).json()["token"]
        answer = await admin.get("/api/devices")
    [row] = answer.json()["devices"]
    assert (row["name"], row["scope"], row["where"]["en"]) == ("东门", HERE, "Stamping")
    assert token not in answer.text
    assert token_hash(token) not in answer.text
