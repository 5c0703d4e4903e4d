"""Passwords of one's own, and of people who have forgotten theirs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, SecretStr

from hub.api import record, shapes
from hub.api.auth import SESSION_AGE, SESSION_COOKIE, address_of, set_cookie
from hub.api.deps import House, Who
from hub.api.errors import NotLoggedIn, json
from hub.api.fields import Asked
from hub.api.rights import EVERYBODY, Caller, requires
from hub.api.session import secure
from hub.api.texts import TEXTS
from hub.api.tokens import csrf_of
from hub.errors import Refused
from hub.model.people import Account, Person, Role

router = APIRouter(prefix="/api")

PersonId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class NewPassword(Asked):
    old: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)


@router.post("/password")
@requires(*EVERYBODY)
async def change(asked: NewPassword, house: House, caller: Who, request: Request) -> Response:
    """Ends every session of this person, this one included, and begins a new one."""
    door, person, address = record.door(request), record.person(caller), address_of(request)
    old = asked.old.get_secret_value()
    try:
        await door.prove(person.id, old, address)
    except NotLoggedIn:  # who asks is logged in: only the password is wrong
        raise Refused("password-wrong", TEXTS["password-wrong"].en) from None
    await door.change_password(person, old, asked.new.get_secret_value(), address)
    token = await door.admit(person)
    answer = json({"csrf": csrf_of(token)})
    set_cookie(answer, SESSION_COOKIE, token, SESSION_AGE, secure=secure(request, house))
    return answer


@router.get("/people")
@requires(Role.ADMIN)
async def people(house: House, caller: Who) -> Response:
    accounts = await house.people.accounts(house.clock.now())
    mine = (p for p in house.plant.people.values() if _may_reset(caller, p))
    return json({"people": [shapes.account(p, accounts.get(p.id, Account())) for p in mine]})


@router.post("/people/{person_id}/one-time-password")
@requires(Role.ADMIN)
async def reset(person_id: PersonId, house: House, caller: Who, request: Request) -> Response:
    """A password for one login, shown this once; the person chooses their own at it."""
    person = house.plant.people.get(person_id)
    if person is None or not _may_reset(caller, person):
        raise record.missing()
    if person.id == caller.name:  # or a session that was left open would be enough to take an account over
        raise Refused("password-own", TEXTS["password-own"].en)
    password, until = await record.door(request).one_time_password(person, caller, address_of(request))
    return json({"password": password, "until": until})


def _may_reset(caller: Caller, person: Person) -> bool:
    """Nobody gets at an account that reaches further than their own."""
    return all(caller.may_see(scope) for scope in person.scopes)
