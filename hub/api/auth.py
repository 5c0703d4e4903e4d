"""The door: who is it, and may they come in."""

from __future__ import annotations

import asyncio
import unicodedata
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from hub.api import passwords
from hub.api.errors import NotLoggedIn, TooMany
from hub.api.limits import household
from hub.api.passwords import ensure_passwords
from hub.api.rights import BOARD, Caller
from hub.api.texts import TEXTS
from hub.api.tokens import new_token, same, token_hash
from hub.errors import NotAllowed, Refused
from hub.model.people import Person, WallScreen
from hub.ports import Clock, PeopleStore

__all__ = ["DEVICE_COOKIE", "SESSION_COOKIE", "Door", "Viewer", "ensure_passwords"]

SESSION_COOKIE, DEVICE_COOKIE = "andon_session", "andon_device"
SESSION_AGE, DEVICE_AGE = timedelta(hours=12), timedelta(days=400)  # the longest a browser keeps a cookie
ONCE = timedelta(hours=24)  # a one-time password is good
WINDOW = timedelta(minutes=15)  # PeopleStore counts failures of the last quarter of an hour
_WAITING = 20  # logins in the queue; argon2 takes a core and 64 MiB each, so they go one by one


class Door:
    """Knows people by their session cookie and wall screens by their device cookie."""

    def __init__(self, people: Mapping[str, Person], store: PeopleStore, clock: Clock) -> None:
        self._people = people
        self._store = store
        self._clock = clock
        self._one_by_one = asyncio.Lock()
        self._waiting = 0
        self._viewers: weakref.WeakSet[Viewer] = weakref.WeakSet()

    # ------------------------------------------------------------- who is it
    async def caller(self, connection: HTTPConnection) -> Caller | None:
        """A person before a device; None for neither. A cookie that is there twice is nobody's."""
        token = only_cookie(connection, SESSION_COOKIE)
        if token and (found := await self._person(token)):
            return found
        token = only_cookie(connection, DEVICE_COOKIE)
        return await self._device(token) if token else None

    async def _person(self, token: str) -> Caller | None:
        person = self._people.get(await self._store.session(token_hash(token), self._clock.now()) or "")
        return Caller(token, person) if person else None

    async def _device(self, token: str) -> Caller | None:
        found = await self._store.device(token_hash(token), self._clock.now())
        return Caller(token, device=found[0], device_scope=found[1]) if found else None

    async def again(self, caller: Caller) -> Caller | None:
        """The same caller as they stand now; None when logged out, out of the configuration or revoked."""
        return await (self._person(caller.token) if caller.person else self._device(caller.token))

    async def authenticate(self, websocket: WebSocket) -> Viewer | None:
        """Who looks at the board through this socket; None has to be turned away before `accept`."""
        caller = websocket.scope.get("andon.caller") or await self.caller(websocket)
        if caller is None or not caller.may_use(BOARD):
            return None
        viewer = Viewer(caller, self)
        self._viewers.add(viewer)
        return viewer

    # ------------------------------------------------------------- coming in
    async def login(
        self, name: str, password: str, address: str, old_token: str, new_password: str = ""
    ) -> tuple[Person, str]:
        """The person and a new session token; with `new_password` that is theirs from now on.

        Raises NotLoggedIn, TooMany with the time to wait, NotAllowed when the password was a one-time one and
        no new one came with it, or Refused with what is wrong with the new one.
        """
        person = await self.prove(name, password, address)
        until = await self._store.once_until(person.id)
        if until is not None and until <= self._clock.now():
            raise NotLoggedIn("password-once-over", TEXTS["password-once-over"].en)
        if new_password:
            await self.change_password(person, password, new_password, address)
        elif until is not None:
            raise NotAllowed("password-once", TEXTS["password-once"].en)
        if old_token:
            await self._store.end_session(token_hash(old_token))
        token = await self.admit(person)
        await self.note(person.id, "login", address=address)
        return person, token

    async def prove(self, name: str, password: str, address: str) -> Person:
        """Whose password this is. Raises NotLoggedIn, or TooMany with the time to wait."""
        name = unicodedata.normalize("NFKC", name).strip().casefold()
        keys = throttles(name, address)
        await self._not_throttled(keys)
        if self._waiting >= _WAITING:
            raise TooMany("too-many-tries", timedelta(seconds=5))
        self._waiting += 1
        try:
            async with self._one_by_one:  # or a thousand tries at once would all find the count at nought
                await self._not_throttled(keys)
                return await self._check(name, password, keys, address)
        finally:
            self._waiting -= 1

    async def admit(self, person: Person) -> str:
        """A new session's token."""
        token = new_token()
        await self._store.add_session(token_hash(token), person.id, self._clock.now())
        return token

    async def change_password(self, person: Person, old: str, new: str, address: str) -> None:
        """`old` has been proved. Ends every session of theirs; raises Refused when `new` will not do."""
        code = "password-same" if passwords.normal(old) == passwords.normal(new) else ""
        if code := code or passwords.fault(new, person):
            raise Refused(code, TEXTS[code].en)
        await self._store.set_password(person.id, await passwords.hashed(new))
        await self.end_sessions(person)
        await self.note(person.id, "password-changed", address=address)

    async def one_time_password(self, person: Person, by: Caller, address: str) -> tuple[str, datetime]:
        """A password that is good for one login until then, to be replaced at it. Ends every session of
        theirs.
        """
        password, until = passwords.readable(), self._clock.now() + ONCE
        await self._store.set_password(person.id, await passwords.hashed(password), until)
        await self.end_sessions(person)
        await self.note(by.name, "password-reset", about=person.id, address=address)
        return password, until

    # ------------------------------------------------------------- going out
    async def end_sessions(self, person: Person) -> None:
        await self._store.end_sessions(person.id)
        self._cut(lambda viewer: viewer.is_of(person))

    async def end_device(self, screen: WallScreen, by: Caller, address: str) -> None:
        """Its token is worthless and its socket is cut."""
        hashed = await self._store.remove_device(screen.id)
        self._cut(lambda viewer: viewer.came_with(hashed or ""))
        await self.note(by.name, "device-revoked", about=screen.name, scope=screen.scope, address=address)

    def _cut(self, which: Callable[[Viewer], bool]) -> None:
        for viewer in [v for v in self._viewers if which(v)]:
            viewer.over.set()

    async def _check(self, name: str, password: str, keys: Sequence[Throttle], address: str) -> Person:
        person = self._people.get(name)
        stored = await self._store.password(name)  # asked for everybody: a stranger's name takes as long
        stored = stored if person else None
        if not await passwords.matches(stored, password) or person is None:
            await self.note(name, "login-failed", address=address)
            await self._failed(keys, name, address)
            raise NotLoggedIn("login-failed", TEXTS["login-failed"].en)
        await self._store.clear_failures(keys[0].key)
        if stored and passwords.outdated(stored):
            await self._store.set_password(person.id, await passwords.hashed(password))
        return person

    async def _failed(self, keys: Sequence[Throttle], name: str, address: str) -> None:
        for key in keys:
            if await self._store.note_failure(key.key, self._clock.now()) == key.most:
                await self.note(name, "login-throttled", about=key.key, address=address)

    async def _not_throttled(self, keys: Sequence[Throttle]) -> None:
        """Turned away without a look at the password, uncounted and unwritten: an attack must not fill our
        disk.
        """
        now = self._clock.now()
        for key in keys:
            if await self._store.failures(key.key, now) >= key.most:
                raise TooMany("too-many-tries", WINDOW)

    async def device_login(self, token: str, address: str) -> Caller:
        """Raises NotLoggedIn when no such token was given out."""
        keys = (Throttle(f"address:{household(address)}", 30),)
        await self._not_throttled(keys)
        found = await self._device(token)
        if found is None:
            await self.note("device", "device-login-failed", address=address)
            await self._failed(keys, "device", address)
            raise NotLoggedIn("device-unknown", TEXTS["device-unknown"].en)
        await self.note(found.name, "device-login", about=found.device_scope, address=address)
        return found

    async def logout(self, caller: Caller, address: str) -> None:
        hashed = token_hash(caller.token)
        await self._store.end_session(hashed)
        self._cut(lambda viewer: viewer.came_with(hashed))
        await self.note(caller.name, "logout", address=address)

    async def note(self, who: str, what: str, about: str = "", **detail: str | int) -> None:
        """One line of the audit trail. A name that was typed in is cut: somebody may send us a novel."""
        await self._store.audit(self._clock.now(), who[:64], what, about, detail)


@dataclass(frozen=True, slots=True)
class Throttle:
    key: str
    most: int  # failures in a quarter of an hour


def throttles(name: str, address: str) -> tuple[Throttle, ...]:
    """The first is this account from this address, and is forgotten after a right password.

    An account alone has a higher mark: who hammers on it from one address must not keep its owner out at
    another.
    """
    home, name = household(address), name[:64]
    return (
        Throttle(f"account:{name}@{home}", 5),
        Throttle(f"address:{home}", 30),
        Throttle(f"account:{name}", 50),
    )


class Viewer:
    """Somebody at an open socket."""

    def __init__(self, caller: Caller, door: Door) -> None:
        self._caller = caller
        self._door = door
        self.over = asyncio.Event()  # set by the door; by another process it is noticed at the next look

    def is_of(self, person: Person) -> bool:
        return self._caller.person is not None and self._caller.person.id == person.id

    def came_with(self, hashed: str) -> bool:
        return same(token_hash(self._caller.token), hashed)

    @property
    def scopes(self) -> tuple[str, ...]:
        return self._caller.scopes

    @property
    def name(self) -> str:
        return self._caller.name

    async def still_valid(self) -> bool:
        """False once they logged out, timed out, were removed or have other scopes: close the socket."""
        now = await self._door.again(self._caller)
        return now is not None and now.scopes == self._caller.scopes and now.may_use(BOARD)


# ------------------------------------------------------------- cookies
def only_cookie(connection: HTTPConnection, name: str) -> str:
    """The cookie's value; "" when it is missing, or there twice, which only a trick does."""
    found = [
        value.strip()
        for header in connection.headers.getlist("cookie")
        for key, _, value in (pair.partition("=") for pair in header.split(";"))
        if key.strip() == name
    ]
    return found[0] if len(found) == 1 else ""


def set_cookie(response: Response, name: str, token: str, age: timedelta, *, secure: bool) -> None:
    response.set_cookie(
        name,
        token,
        max_age=int(age.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"
