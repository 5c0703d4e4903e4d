"""Passwords and wall screens from the command line, on the machine where the record is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Callable
from zoneinfo import ZoneInfo

import yaml

from hub.api.passwords import complaint, hashed
from hub.api.tokens import new_token, token_hash
from hub.clock import SystemClock
from hub.errors import ConfigError
from hub.house import Record, bring_up, database_of, open_record
from hub.model.people import Role
from hub.settings import Settings


@contextlib.asynccontextmanager
async def record_of(settings: Settings) -> AsyncIterator[Record]:
    """The record of this configuration, brought up to date, also while a hub has it open; an embedded server
    that none has running is started for as long."""
    async with contextlib.AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(database_of(settings))
        await bring_up(dsn)
        record = await open_record(dsn, settings.plant.time_zone, SystemClock())
        stack.push_async_callback(record.close)
        yield record


def refuse_unknown(settings: Settings, person: str) -> None:
    """Raises ConfigError for a person the configuration does not know, with the lines that add them."""
    known = settings.plant.people
    if person in known:
        return
    block = {"id": person, "name": person, "roles": ["operator" if known else "admin"]}
    line = yaml.safe_dump(
        {**block, "scopes": [settings.plant.site.path]}, default_flow_style=True, allow_unicode=True,
        sort_keys=False, width=math.inf,
    )  # fmt: skip
    lines = f"- {line}" if known else f"people:\n- {line}"
    where = "below people: of" if known else "at the end of"
    raise ConfigError(
        f"people: no {person!r} in {settings.source}; "
        + (f"known are {', '.join(known)}" if known else "nobody can log in yet")
        + f"\nFor a new person write {where} {settings.source}, "
        f"with the real name and roles ({', '.join(Role)}):\n\n{lines}\n"
        f"Then type this command again; a hub that runs has to be started anew."
    )


def login_of(settings: Settings) -> str:
    """Where people of this configuration log in."""
    return f"{_address(settings)}/console"


def _address(settings: Settings) -> str:
    hub = settings.file.hub
    return (hub.public_url or f"http://{hub.host}:{hub.port}").rstrip("/")


async def set_password(settings: Settings, person: str, password: str) -> None:
    """Raises ConfigError for a person the configuration does not know and for too weak a password."""
    refuse_unknown(settings, person)
    if wrong := complaint(password, settings.plant.people[person]):
        raise ConfigError(f"{wrong.zh} / {wrong.en}")
    async with record_of(settings) as record:
        await record.people.set_password(person, await hashed(password))
        await record.people.end_sessions(person)
        await record.people.audit(SystemClock().now(), "command line", "password-reset", person, {})


async def make_wall(settings: Settings, name: str, scope: str, show: Callable[[str], None]) -> None:
    """A device token for one wall screen; `show` gets the address once, it is stored as a hash."""
    scope = scope or settings.plant.site.path
    if scope not in settings.plant.equipment:
        raise ConfigError(f"--scope: no node {scope!r} in the plant")
    token = new_token()
    async with record_of(settings) as record:
        now = SystemClock().now()
        await record.people.add_device(token_hash(token), name, scope, now)
        await record.people.audit(now, "command line", "device-added", name, {"scope": scope})
    show(f"{_address(settings)}/wall#device={token}")


async def list_walls(settings: Settings, show: Callable[[str], None]) -> None:
    """One line for each wall screen: number, name, what it sees, when it was last seen."""
    zone = ZoneInfo(settings.plant.time_zone)
    async with record_of(settings) as record:
        for screen in await record.people.devices():
            seen = f"{screen.seen_at.astimezone(zone):%Y-%m-%d %H:%M}" if screen.seen_at else "never"
            show(f"{screen.id:>4}  {screen.name}  {screen.scope}  last seen {seen}")


async def revoke_wall(settings: Settings, number: int) -> None:
    """Its token is worthless from now on; a hub that is running cuts its socket within five seconds."""
    async with record_of(settings) as record:
        known = {screen.id: screen for screen in await record.people.devices()}
        if number not in known or await record.people.remove_device(number) is None:
            raise ConfigError(f"--revoke: there is no wall screen {number}; andon wall --list shows them")
        await record.people.audit(
            SystemClock().now(), "command line", "device-revoked", known[number].name, {}
        )
