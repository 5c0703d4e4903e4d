"""Logging in, staying in, getting out; and everything that is tried at a door."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.websockets import WebSocket

from hub.api import passwords
from hub.api.auth import DEVICE_COOKIE, SESSION_COOKIE
from hub.api.limits import Meter, household, is_loopback
from hub.api.tokens import csrf_of, token_hash
from hub.model.people import Role
from tests.api_house import HERE, PASSWORD, House, house, with_password

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "_NOBODY", quick.hash("nobody"))


@pytest.fixture
async def it() -> House:
    made = house()
    await with_password(made, "technician-1")
    return made


async def login(
    it: House,
    password: str = PASSWORD,
    name: str = "technician-1",
    address: str = "10.0.0.5",
    cookie: str = "",
) -> httpx.Response:
    async with it.client(address) as client:
        if cookie:
            client.cookies.set(SESSION_COOKIE, cookie)
        return await client.post("/api/login", json={"person": name, "password": password})


# ------------------------------------------------------------------ in and out
async def test_a_login_gives_a_cookie_scripts_cannot_read_and_a_mark_for_posts(it: House) -> None:
    answer = await login(it)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie
    told = answer.json()
    assert told["person"]["id"] == "technician-1"
    assert told["person"]["scopes"] == [HERE]
    token = answer.cookies[SESSION_COOKIE]
    assert told["csrf"] == csrf_of(token)
    assert len(token) >= 43
    assert list(it.people.sessions) == [token_hash(token)]
    assert it.audited() == {"login": 1}


@pytest.mark.parametrize("name", [" Technician-1 ", "ＴＥＣＨＮＩＣＩＡＮ-1"])
async def test_a_phone_that_capitalises_the_name_still_gets_in(it: House, name: str) -> None:
    assert (await login(it, name=name)).status_code == 200


async def test_the_cookie_is_secure_when_the_public_address_is(it: House) -> None:
    safe = house(public_url="https://andon.example", people=it.people)
    assert "Secure" in (await login(safe)).headers["set-cookie"]


async def test_every_login_is_a_new_session_and_ends_the_one_it_replaces(it: House) -> None:
    first = (await login(it)).cookies[SESSION_COOKIE]
    second = (await login(it, cookie=first)).cookies[SESSION_COOKIE]
    assert first != second
    assert list(it.people.sessions) == [token_hash(second)]


async def test_a_token_put_there_by_somebody_else_is_never_taken_over(it: House) -> None:
    assert (await login(it, cookie="planted")).cookies[SESSION_COOKIE] != "planted"
    assert token_hash("planted") not in it.people.sessions


async def test_a_session_ends_after_half_an_idle_hour_and_after_twelve_busy_ones(it: House) -> None:
    async with it.as_person("technician-1") as client:
        it.clock.turn(29 * 60)
        assert (await client.get("/api/me")).status_code == 200
        it.clock.turn(30 * 60)
        assert (await client.get("/api/me")).status_code == 401
    async with it.as_person("technician-1") as client:
        for _ in range(35):
            it.clock.turn(20 * 60)
            assert (await client.get("/api/me")).status_code == 200
        it.clock.turn(20 * 60)
        assert (await client.get("/api/me")).status_code == 401


async def test_logging_out_takes_the_cookie_away_and_kills_every_copy_of_it(it: House) -> None:
    async with it.as_person("technician-1") as client, it.as_person("technician-1") as copy:
        answer = await client.post("/api/logout")
        assert answer.status_code == 204
        assert f'{SESSION_COOKIE}=""' in answer.headers["set-cookie"]
        assert (await copy.get("/api/me")).status_code == 401
    assert it.audited()["logout"] == 1


# ------------------------------------------------------------------ wrong
async def test_a_wrong_password_and_an_unknown_name_are_told_the_same(it: House) -> None:
    wrong, unknown = await login(it, "Tief-blauer-Kran-8"), await login(it, name="mallory")
    assert wrong.status_code == unknown.status_code == 401
    assert "set-cookie" not in wrong.headers
    told, other = wrong.json()["error"], unknown.json()["error"]
    assert {**told, "id": ""} == {**other, "id": ""}
    assert it.audited() == {"login-failed": 2}
    assert PASSWORD not in str(it.people.trail)


async def test_somebody_taken_out_of_the_configuration_cannot_log_in(it: House) -> None:
    await with_password(it, "left-last-week")
    assert (await login(it, name="left-last-week")).status_code == 401


async def test_after_five_failures_the_right_password_has_to_wait_too(it: House) -> None:
    for _ in range(5):
        assert (await login(it, "wrong-wrong")).status_code == 401
    late = await login(it)
    assert late.status_code == 429
    assert late.headers["retry-after"] == "900"
    assert late.json()["error"]["text"] == {
        "zh": "尝试次数过多，请稍后再试",
        "en": "too many tries; please wait and try again",
    }
    it.clock.turn(15 * 60)
    assert (await login(it)).status_code == 200


async def test_a_thousand_tries_cost_five_looks_and_leave_the_owner_in_from_elsewhere(it: House) -> None:
    for _ in range(100):
        await login(it, "wrong-wrong", address="10.66.6.6")
    assert it.audited() == {"login-failed": 5, "login-throttled": 1}
    assert (await login(it)).status_code == 200


async def test_tries_at_the_same_moment_are_counted_one_by_one(it: House) -> None:
    answers = await asyncio.gather(*(login(it, "wrong-wrong") for _ in range(15)))
    assert sum(a.status_code == 401 for a in answers) == 5
    assert sum(a.status_code == 429 for a in answers) == 10


async def test_an_address_that_tries_many_names_is_stopped(it: House) -> None:
    answers = [await login(it, name=f"guess-{n}", address=f"2001:db8::{n:x}") for n in range(40)]
    assert [a.status_code for a in answers].count(401) == 30
    assert (await login(it, address="2001:db8::ffff")).status_code == 429


async def test_many_addresses_on_one_account_are_stopped(it: House) -> None:
    for n in range(60):
        await login(it, "wrong-wrong", address=f"10.1.{n}.1")
    assert (await login(it)).status_code == 429


async def test_a_right_password_forgets_the_failures_before_it(it: House) -> None:
    for _ in range(3):
        for _ in range(4):
            await login(it, "wrong-wrong")
        assert (await login(it)).status_code == 200


async def test_a_hash_with_old_parameters_is_renewed_at_the_login(
    it: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = it.people.passwords["technician-1"]
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert (await login(it)).status_code == 200
    assert it.people.passwords["technician-1"] != before
    assert (await login(it)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {}, {"person": "technician-1"}, {"person": "", "password": "x"}, {"person": ["x"], "password": "x"},
        {"person": "technician-1", "password": None}, {"person": "x" * 100, "password": "x"},
        {"person": "technician-1", "password": "x" * 2000}, {"person": "a\x00b", "password": "x"},
        {"person": "technician-1", "password": PASSWORD, "admin": True}, [], None, "x", 7,
    ],
)  # fmt: skip
async def test_a_login_that_is_no_login_is_a_400(it: House, body: object) -> None:
    async with it.client() as client:
        answer = await client.post("/api/login", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad-request"
    assert PASSWORD not in answer.text


# ------------------------------------------------------------------ cookies
async def test_two_session_cookies_are_nobodys(it: House) -> None:
    token = it.token("technician-1")
    async with it.client() as client:
        for cookie in (
            f"{SESSION_COOKIE}=x; {SESSION_COOKIE}={token}",
            f"{SESSION_COOKIE}={token}; {SESSION_COOKIE}=x",
        ):
            assert (await client.get("/api/me", headers={"Cookie": cookie})).status_code == 401
        two = [("Cookie", f"{SESSION_COOKIE}={token}"), ("Cookie", f"{SESSION_COOKIE}={token}")]
        assert (await client.get("/api/me", headers=two)).status_code == 401
        one = {"Cookie": f"theme=dark; {SESSION_COOKIE}={token}"}
        assert (await client.get("/api/me", headers=one)).status_code == 200


@pytest.mark.parametrize("value", ["", "x", "é", "a" * 5000, "' or 1=1 --", "%00", "null"])
async def test_a_cookie_of_nonsense_is_a_stranger(it: House, value: str) -> None:
    async with it.client() as client:
        header = [(b"cookie", f"{SESSION_COOKIE}={value}".encode("latin-1"))]
        assert (await client.get("/api/me", headers=header)).status_code == 401


# ------------------------------------------------------------------ wall screens
async def test_an_administrator_makes_a_wall_screen_that_logs_in_with_its_token(it: House) -> None:
    async with it.as_role(Role.ADMIN) as admin:
        token = (await admin.post("/api/devices", json={"name": "wall-3", "scope": HERE})).json()["token"]
    assert token not in str(it.people.devices_made)
    async with it.client() as wall:
        answer = await wall.post("/api/device-login", json={"token": token})
        assert answer.status_code == 204
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert answer.cookies[DEVICE_COOKIE] == token
        assert (await wall.get("/api/me")).json() == {"device": {"name": "wall-3", "scope": HERE}}
        assert (await wall.get("/api/board")).json()["board"] == {"scopes": [HERE]}
        it.people.devices_made.clear()
        assert (await wall.get("/api/board")).status_code == 401
    assert it.audited() == {"device-added": 1, "device-login": 1}


async def test_guessing_device_tokens_is_slowed_down(it: House) -> None:
    async with it.client() as client:
        answers = [
            (await client.post("/api/device-login", json={"token": "guess"})).status_code for _ in range(35)
        ]
    assert answers == [401] * 30 + [429] * 5


async def test_a_screen_for_a_place_that_is_not_there_is_refused(it: House) -> None:
    async with it.as_role(Role.ADMIN) as admin:
        for scope in ("p9", "", "p1/stamping/../machining", "p1/stamp"):
            answer = await admin.post("/api/devices", json={"name": "wall", "scope": scope})
            assert answer.status_code == 403, scope


# ------------------------------------------------------------------ sockets
def socket(it: House, cookie: str) -> WebSocket:
    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(_: object) -> None: ...

    scope = {"type": "websocket", "path": "/ws", "headers": [(b"cookie", cookie.encode())], "app": it.app}
    return WebSocket(scope, receive, send)


async def test_a_socket_belongs_to_a_session_and_ends_with_it(it: House) -> None:
    viewer = await it.app.state.door.authenticate(socket(it, f"{SESSION_COOKIE}={it.token('technician-1')}"))
    assert viewer.scopes == (HERE,)
    assert await viewer.still_valid()
    await it.people.end_session(token_hash(it.token("technician-1")))
    it.people.sessions.clear()
    assert not await viewer.still_valid()


async def test_a_socket_ends_when_the_persons_scopes_change(it: House) -> None:
    viewer = await it.app.state.door.authenticate(socket(it, f"{SESSION_COOKIE}={it.token('technician-1')}"))
    it.deps.plant.people["technician-1"] = replace(it.deps.plant.people["technician-1"], scopes=("p1",))  # type: ignore[index]
    assert not await viewer.still_valid()


async def test_a_stranger_gets_no_socket(it: House) -> None:
    assert await it.app.state.door.authenticate(socket(it, "")) is None
    assert await it.app.state.door.authenticate(socket(it, f"{SESSION_COOKIE}=x")) is None


# ------------------------------------------------------------------ one client must not starve the others
def test_a_burst_passes_then_the_pace_counts_and_others_are_not_touched() -> None:
    meter = Meter(per_second=10, burst=20)
    assert [meter.admit("10.0.0.1", 0.0) > 0 for _ in range(25)] == [False] * 20 + [True] * 5
    assert meter.admit("10.0.0.1", 0.0) == pytest.approx(0.1)
    assert meter.admit("10.0.0.2", 0.0) == 0
    assert meter.admit("10.0.0.1", 0.1) == 0


def test_the_meter_forgets_the_longest_silent_address_first() -> None:
    meter = Meter(per_second=1, burst=1, most=2)
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        meter.admit(address, 0.0)
    assert meter.admit("10.0.0.3", 0.0) > 0
    assert meter.admit("10.0.0.1", 0.0) == 0


async def test_too_many_requests_are_told_when_to_come_back() -> None:
    it = house(meter=Meter(per_second=1, burst=2))
    async with it.client() as client:
        answers = [await client.get("/health") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"


def test_one_ipv6_customer_is_one_household() -> None:
    assert household("2001:db8::1") == household("2001:db8::ffff:1") != household("2001:db8:0:1::1")
    assert household("::ffff:10.0.0.1") == household("10.0.0.1")
    assert household("not an address") == "not an address"


def test_loopback_is_this_machine_in_every_spelling() -> None:
    assert all(is_loopback(a) for a in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"))
    assert not any(is_loopback(a) for a in ("10.0.0.1", "unknown", "", "::ffff:10.0.0.1"))


def test_the_mark_of_a_session_does_not_give_the_session_away() -> None:
    assert csrf_of("a") != csrf_of("b")
    assert "secret-token" not in csrf_of("secret-token")
