"""Logging in on the real record: what the database says about sessions is what counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest

from hub.api.app import build
from hub.api.auth import SESSION_COOKIE, ensure_passwords
from hub.api.limits import Meter
from hub.model.people import Role
from hub.store.people import PgPeopleStore
from hub.store.pool import open_pool
from tests.api_house import HERE, House, house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def it(dsn: str) -> AsyncIterator[House]:
    made, pool = house(), await open_pool(dsn)
    try:
        deps = replace(made.deps, people=PgPeopleStore(pool))
        yield replace(made, deps=deps, app=build(deps, meter=Meter(burst=1e9)))
    finally:
        await pool.close()


async def test_a_whole_working_day_at_the_door(it: House, dsn: str) -> None:
    admin = it.deps.plant.people["admin-1"]
    password = (await ensure_passwords([admin], it.deps.people))["admin-1"]
    async with it.client() as client:
        assert (
            await client.post("/api/login", json={"person": "admin-1", "password": "wrong"})
        ).status_code == 401
        told = await client.post("/api/login", json={"person": "admin-1", "password": password})
        assert told.status_code == 200
        token = told.cookies[SESSION_COOKIE]
        client.headers["X-Andon-CSRF"] = told.json()["csrf"]
        for _ in range(3):  # busy: never half an hour without a request
            it.clock.turn(25 * 60)
            assert (await client.get("/api/me")).json()["csrf"] == told.json()["csrf"]
        device = (await client.post("/api/devices", json={"name": "wall-1", "scope": HERE})).json()["token"]
        assert (await client.post("/api/logout")).status_code == 204
    async with it.client() as thief:
        thief.cookies.set(SESSION_COOKIE, token)
        assert (await thief.get("/api/me")).status_code == 401
    async with it.client() as wall:
        assert (await wall.post("/api/device-login", json={"token": device})).status_code == 204
        assert (await wall.get("/api/board")).status_code == 200
        assert (await wall.get("/api/alarms")).status_code == 403
    assert trail(dsn) == ["login-failed", "login", "device-added", "logout", "device-login"]
    kept = everything(dsn)
    assert [secret for secret in (password, token, device) if secret in kept] == []


async def test_an_idle_session_has_ended_also_after_a_restart(it: House) -> None:
    async with it.client() as client:
        person = it.deps.plant.people[f"{Role.VIEWER.value}-1"]
        password = (await ensure_passwords([person], it.deps.people))[person.id]
        await client.post("/api/login", json={"person": person.id, "password": password})
        it.clock.turn(31 * 60)
        assert (await client.get("/api/me")).status_code == 401


def trail(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("select what from audit order by id")]


def everything(dsn: str) -> str:
    """All that the tables of people hold, as text: what a stolen dump would show."""
    with psycopg.connect(dsn) as connection:
        tables = ("passwords", "sessions", "devices", "login_failures", "audit")
        return "".join(str(connection.execute(f"select * from {t}".encode()).fetchall()) for t in tables)
