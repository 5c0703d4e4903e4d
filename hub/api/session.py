"""Logging in and out, for people and for wall screens."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import Field, SecretStr

from hub.api import record, shapes
from hub.api.auth import (
    DEVICE_AGE,
    DEVICE_COOKIE,
    SESSION_AGE,
    SESSION_COOKIE,
    address_of,
    only_cookie,
    set_cookie,
)
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Name
from hub.api.rights import BOARD, EVERYBODY, Caller, public, requires
from hub.api.tokens import csrf_of

router = APIRouter(prefix="/api")


class Login(Asked):
    """`new_password` replaces the password at this login; after a one-time password there must be one."""

    person: Name
    password: SecretStr = Field(max_length=1024)
    new_password: SecretStr = Field(SecretStr(""), max_length=1024)


class DeviceLogin(Asked):
    token: SecretStr = Field(max_length=200)


@router.post("/login")
@public
async def login(asked: Login, house: House, request: Request) -> Response:
    person, token = await record.door(request).login(
        asked.person,
        asked.password.get_secret_value(),
        address_of(request),
        only_cookie(request, SESSION_COOKIE),
        asked.new_password.get_secret_value(),
    )
    answer = json({"person": shapes.person(person), "csrf": csrf_of(token)})
    set_cookie(answer, SESSION_COOKIE, token, SESSION_AGE, secure=secure(request, house))
    return answer


@router.post("/logout")
@requires(*EVERYBODY)
async def logout(caller: Who, request: Request) -> Response:
    await record.door(request).logout(caller, address_of(request))
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return answer


@router.get("/me")
@requires(*BOARD.roles, devices=True)
async def me(caller: Who) -> Response:
    return json(_me(caller))


@router.post("/device-login")
@public
async def device_login(asked: DeviceLogin, house: House, request: Request) -> Response:
    token = asked.token.get_secret_value()
    await record.door(request).device_login(token, address_of(request))
    answer = Response(status_code=204)
    set_cookie(answer, DEVICE_COOKIE, token, DEVICE_AGE, secure=secure(request, house))
    return answer


def _me(caller: Caller) -> shapes.Json:
    if caller.person is None:
        return {"device": {"name": caller.device, "scope": caller.device_scope}}
    return {"person": shapes.person(caller.person), "csrf": csrf_of(caller.token)}


def secure(request: Request, house: House) -> bool:
    """Whether the browser may send our cookies over https alone."""
    return request.url.scheme == "https" or house.https
