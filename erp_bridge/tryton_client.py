"""Calls to Tryton's JSON-RPC: one session, each call sent once, answers told apart from refusals.

A refusal is HTTP 200 with `error`; the transaction it came from is rolled back. Every call runs in one
transaction, so what is not refused and not answered may have been done.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE, is_page
from erp_bridge.tryton_config import TrytonConfig
from erp_bridge.tryton_values import plain
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

CROWDED_PAUSE = timedelta(minutes=1)
_NO_KEY = re.compile(r"'[\w.]+'")  # what Python says of a name that is not in Tryton's pool
# What databases say when the transaction was undone, or the line to them died: trying again will help.
_UPSET = (
    "database is locked", "could not serialize", "deadlock detected", "could not obtain lock",
    "canceling statement", "terminating connection", "connection to server", "server closed the connection",
    "connection already closed", "ssl connection has been closed", "too many clients", "too many connections",
)  # fmt: skip


class TrytonWarning(ErpRefused):
    """Tryton asks a person "are you sure?". `name` is what a yes is filed under."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        super().__init__(text)


class TrytonClient:
    """Opens nothing before the first call."""

    def __init__(self, config: TrytonConfig) -> None:
        self._config = config
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), http2=False, follow_redirects=False, trust_env=False,
            verify=config.url.scheme == "https",
        )  # fmt: skip  # without https there are no certificates to load
        self._session = ""
        self._entering = asyncio.Lock()
        self._numbers = itertools.count(1)
        self.user_id = 0
        self.context: dict[str, Any] = {}
        self.places: Mapping[str, str] = {}  # model -> where the configuration names it

    async def close(self) -> None:
        await self._http.aclose()

    async def welcome(self) -> None:
        """Logged in, so that `user_id` and `context` are known."""
        if not self.user_id:
            await self._enter()

    async def read(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """A call that changes nothing: however it fails, it may be repeated."""
        return await self._plain(method, params, context or {}, write=False)

    async def write(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """A call that changes something: ErpUnavailable is `in_doubt` when it may have been done."""
        try:
            return await self._plain(method, params, context or {}, write=True)
        except TrytonWarning as warning:
            if not {*warning.name.split(".")} & {*self._config.accept_warnings}:
                raise
            log.warning("Tryton asked, and accept_warnings says yes: %s", warning)
            await self._call("model.res.user.warning.skip", (warning.name, False), {}, write=True)
            return await self._plain(method, params, context or {}, write=True)

    async def _plain(
        self, method: str, params: tuple[Any, ...], context: Mapping[str, Any], *, write: bool
    ) -> Any:
        answer = await self._call(method, params, context, write=write)
        try:
            return plain(answer)
        except (LookupError, TypeError, ValueError, ArithmeticError):
            raise _riddle(method, in_doubt=write) from None

    # ------------------------------------------------------------------ the session
    async def _call(
        self, method: str, params: tuple[Any, ...], more: Mapping[str, Any], *, write: bool
    ) -> Any:
        for last in (False, True):
            session = self._session or await self._enter()
            reply = await self._send(method, [*params, {**self.context, **more}], write, session)
            if reply.status_code != 401:
                return self._result(method, reply, write)
            if self._session == session:  # nobody has renewed it meanwhile; nothing was done
                self._session = ""
            if last:
                break
        raise self._unwelcome()

    async def _enter(self) -> str:
        """One log-in, however many calls wait for it."""
        async with self._entering:
            if self._session:
                return self._session
            user, password = self._config.user, self._config.password.get_secret_value()
            reply = await self._send("common.db.login", [user, {"password": password}], False, "")
            if reply.status_code == 401:
                raise self._unwelcome()
            answer = self._result("common.db.login", reply, False)
            match answer:
                case [int(user_id), str(token), *_] if user_id and token:
                    pass
                case _:
                    raise _riddle("the log-in")
            session = "Session " + base64.b64encode(f"{user}:{user_id}:{token}".encode()).decode()
            await self._settle_in(user_id, session)
            return session

    async def _settle_in(self, user_id: int, session: str) -> None:
        """Without the company and its employee in the context, Tryton refuses to create most documents."""
        method = "model.res.user.get_preferences"
        reply = await self._send(method, [True, {}], False, session)
        if reply.status_code == 401:
            raise self._unwelcome()
        preferences = self._result(method, reply, False)
        if not isinstance(preferences, dict):
            raise _riddle(method)
        wanted = ("company", "employee", "language", "companies", "company_filter", "groups")
        self.context = {name: preferences[name] for name in wanted if preferences.get(name) is not None}
        self.user_id, self._session = user_id, session

    def _unwelcome(self) -> ErpUnavailable:
        text = "Tryton does not accept who we say we are; check database, user and password"
        return ErpUnavailable(text, CREDENTIALS_PAUSE)

    # ------------------------------------------------------------------ one exchange
    async def _send(self, method: str, params: list[Any], write: bool, session: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if session:
            headers["Authorization"] = session
        number = next(self._numbers)
        body = json.dumps({"id": number, "method": method, "params": params}, ensure_ascii=False).encode()
        try:
            reply = await self._http.post(self._config.endpoint, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"Tryton cannot be reached: {type(cause).__name__}; check url") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"Tryton did not answer {method}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=write) from None
        reply.extensions[_NUMBER] = number
        return reply

    def _result(self, method: str, reply: httpx.Response, write: bool) -> Any:
        status = reply.status_code
        if status == 429:
            raise ErpUnavailable(f"Tryton has had too many log-ins: {method}", _pause(reply) or CROWDED_PAUSE)
        if status in (408, 423) or status >= 500:
            text = f"Tryton answered {method} with HTTP {status}"
            raise ErpUnavailable(text, _pause(reply), in_doubt=write)
        if status == 404:
            text = f"Tryton has no database {self._config.database!r}; check url and database"
            raise ErpUnavailable(text, CREDENTIALS_PAUSE, in_doubt=write)
        if status == 403 or 300 <= status < 400 or (status != 200 and is_page(reply)):
            # Tryton itself says so of a method that it does not have, which is none of ours
            text = f"Tryton, or something before it, does not let {method} pass: HTTP {status}; check url"
            raise ErpUnavailable(text, AWAY_PAUSE, in_doubt=write)
        if status != 200:
            raise ErpRefused(f"Tryton answered {method} with HTTP {status}; check url")
        return self._told(method, reply, write)

    def _told(self, method: str, reply: httpx.Response, write: bool) -> Any:
        try:
            answer = reply.json()
        except (ValueError, RecursionError):
            head = " ".join(reply.text[:80].split())
            raise ErpUnavailable(f"Tryton answered {method} with {head!r}", in_doubt=write) from None
        if not isinstance(answer, dict):
            raise _riddle(method, in_doubt=write)
        if answer.get("id", reply.extensions[_NUMBER]) != reply.extensions[_NUMBER]:
            text = f"what came back for {method} is the answer to another call: something before Tryton mixes"
            raise ErpUnavailable(f"{text} them up", in_doubt=write)
        if answer.get("error") is not None:
            place = self.places.get(_model(method), "")
            raise complaint(method, answer["error"], place, in_doubt=write)
        if "result" not in answer:
            raise _riddle(method, in_doubt=write)
        return answer["result"]


_NUMBER = "andon-number"


def _riddle(what: str, *, in_doubt: bool = False) -> ErpUnavailable:
    return ErpUnavailable(f"Tryton answered {what} in words we do not know", in_doubt=in_doubt)


def complaint(method: str, error: Any, place: str = "", *, in_doubt: bool = False) -> Exception:
    """What `error` is: `[kind, [words..]]`, or `[what Python said, traceback]`. `place`: where the
    configuration names the model."""
    kind, said = (error[0], error[1]) if isinstance(error, list) and len(error) > 1 else (str(error), "")
    words = [str(w) for w in said] if isinstance(said, list) and said else [str(said or "")]
    if isinstance(kind, str) and _NO_KEY.fullmatch(kind) and ("." in kind or kind[1:-1] == _model(method)):
        mend = f"; see {place}" if place else ""
        return ErpRefused(f"Tryton has no model {kind}, so it refused {method}{mend}")
    if isinstance(kind, str) and any(word in kind.lower() for word in _UPSET):
        return ErpUnavailable(f"Tryton's database gave up in {method}: {_joined([kind])}", in_doubt=in_doubt)
    if kind == "UserError":
        return ErpRefused(_joined(words[:2]))
    if kind == "UserWarning":
        return TrytonWarning(f"Tryton asks: {_joined(words[1:3])} (warning {words[0]})", words[0])
    if kind == "ConcurrencyException":
        return ErpUnavailable(f"{method}: somebody else has changed it in Tryton: {_joined(words[:1])}")
    if kind == "LoginException":
        return ErpRefused(
            f"Tryton wants more than a password from this user: {_joined(words[:2])}; check user"
        )
    return ErpRefused(f"Tryton failed in {method}: {' '.join(str(kind).split())[:300]}")


def _model(method: str) -> str:
    """`project.work` of `model.project.work.create`"""
    return method.removeprefix("model.").rpartition(".")[0]


def _joined(words: list[str]) -> str:
    return " - ".join(" ".join(w.split()) for w in words if w)


def _pause(reply: httpx.Response) -> timedelta | None:
    seconds = reply.headers.get("Retry-After", "")
    return timedelta(seconds=int(seconds)) if seconds.isdigit() else None
