"""Who may use a route. A route that does not say so is used by nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.routing import BaseRoute

from hub.model.equipment import within
from hub.model.people import Person, Role

F = TypeVar("F", bound=Callable[..., Any])

EVERYBODY = tuple(Role)  # "viewer+": every person who can log in
ACKNOWLEDGERS = (Role.OPERATOR, Role.TECHNICIAN, Role.MANAGER, Role.ADMIN)
REPAIRERS = (Role.TECHNICIAN, Role.MANAGER, Role.ADMIN)
LEADERS = (Role.MANAGER, Role.ADMIN)
RUSHERS = (Role.OPERATOR, Role.PLANNER, Role.MANAGER, Role.ADMIN)
SMALL_BODY = 1 << 20
_MARK = "_andon_right"


@dataclass(frozen=True, slots=True)
class Right:
    """`devices`: wall screens too. `public`: nobody need log in. `loopback`: nor need who is on this
    machine.
    """

    roles: frozenset[Role] = frozenset()
    devices: bool = False
    public: bool = False
    loopback: bool = False
    body: int = SMALL_BODY  # bytes a request may bring
    signed: bool = False  # a machine's request, which proves itself by its own signature


PUBLIC = Right(public=True)
SIGNED = Right(public=True, signed=True)
BOARD = Right(frozenset(EVERYBODY), devices=True)  # what a wall may see: the board and its socket


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Exactly one of `person` and `device` is there."""

    token: str
    person: Person | None = None
    device: str = ""
    device_scope: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.person.scopes if self.person else (self.device_scope,)

    @property
    def name(self) -> str:
        """As the audit trail writes it."""
        return self.person.id if self.person else f"device:{self.device}"

    def may_see(self, path: str) -> bool:
        return any(within(path, scope) for scope in self.scopes)

    def may_use(self, right: Right) -> bool:
        if self.person is None:
            return right.devices
        return bool(self.person.roles & right.roles)

    def __repr__(self) -> str:
        return f"Caller({self.name})"  # the token stays out of logs


def requires(
    *roles: Role, devices: bool = False, loopback: bool = False, body: int = SMALL_BODY
) -> Callable[[F], F]:
    right = Right(frozenset(roles), devices=devices, loopback=loopback, body=body)

    def mark(endpoint: F) -> F:
        setattr(endpoint, _MARK, right)
        return endpoint

    return mark


def public(endpoint: F) -> F:
    setattr(endpoint, _MARK, PUBLIC)
    return endpoint


def signed(endpoint: F) -> F:
    """The endpoint itself refuses what is not signed: nobody logs in, and no browser of ours sends it."""
    setattr(endpoint, _MARK, SIGNED)
    return endpoint


def right_of(route: BaseRoute, plugged: Mapping[str, Right]) -> Right | None:
    """What the endpoint declares, else what the roof declared for this path, else None: denied."""
    declared = getattr(getattr(route, "endpoint", None), _MARK, None)
    return declared if isinstance(declared, Right) else plugged.get(getattr(route, "path", ""))
