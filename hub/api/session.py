"""Logging in and out, for people and for wall screens."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import Field, SecretStr

from hub.api import shapes
from hub.api.auth import (
    DEVICE_AGE,
    DEVICE_COOKIE,
    SESSION_AGE,
    SESSION_COOKIE,
    Door,
    address_of,
    only_cookie,
    set_cookie,
)
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Name
from hub.api.rights import BOARD, EVERYBODY, Caller, public, requires
from hub.api.texts import TEXTS
from hub.api.tokens import csrf_of, new_token, token_hash
from hub.errors import NotAllowed
from hub.model.people import Role

router = APIRouter(prefix="/api")


class Login(Asked):
    person: Name
    password: SecretStr = Field(max_length=1024)


class NewDevice(Asked):
    name: Name
    scope: str = Field(max_length=200)


class DeviceLogin(Asked):
    token: SecretStr = Field(max_length=200)


def _door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


@router.post("/login")
@public
async def login(asked: Login, house: House, request: Request) -> Response:
    person, token = await _door(request).login(
        asked.person,
        asked.password.get_secret_value(),
        address_of(request),
        only_cookie(request, SESSION_COOKIE),
    )
    answer = json({"person": shapes.person(person), "csrf": csrf_of(token)})
    set_cookie(answer, SESSION_COOKIE, token, SESSION_AGE, secure=_secure(request, house))
    return answer


@router.post("/logout")
@requires(*EVERYBODY)
async def logout(caller: Who, request: Request) -> Response:
    await _door(request).logout(caller, address_of(request))
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return answer


@router.get("/me")
@requires(*BOARD.roles, devices=True)
async def me(caller: Who) -> Response:
    return json(_me(caller))


@router.post("/devices")
@requires(Role.ADMIN)
async def add_device(asked: NewDevice, house: House, caller: Who, request: Request) -> Response:
    """The token is shown this once; the database has its SHA-256."""
    if asked.scope not in house.plant.equipment or not caller.may_see(asked.scope):
        raise NotAllowed("outside-scope", TEXTS["outside-scope"].en)
    token, now = new_token(), house.clock.now()
    await house.people.add_device(token_hash(token), asked.name, asked.scope, now)
    await _door(request).note(caller.name, "device-added", about=asked.name, scope=asked.scope)
    return json({"token": token})


@router.post("/device-login")
@public
async def device_login(asked: DeviceLogin, house: House, request: Request) -> Response:
    token = asked.token.get_secret_value()
    await _door(request).device_login(token, address_of(request))
    answer = Response(status_code=204)
    set_cookie(answer, DEVICE_COOKIE, token, DEVICE_AGE, secure=_secure(request, house))
    return answer


def _me(caller: Caller) -> shapes.Json:
    if caller.person is None:
        return {"device": {"name": caller.device, "scope": caller.device_scope}}
    return {"person": shapes.person(caller.person), "csrf": csrf_of(caller.token)}


def _secure(request: Request, house: House) -> bool:
    return request.url.scheme == "https" or house.https
