"""Calls to Tryton's JSON-RPC: one session, each call sent once, answers told apart from refusals.

A refusal is HTTP 200 with `error`; the transaction it came from is rolled back. Every call runs in one
transaction, so what is not refused and not answered may have been done.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from erp_bridge.bystanders import CREDENTIALS_PAUSE
from erp_bridge.tryton_config import TrytonConfig
from erp_bridge.tryton_values import plain
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

CROWDED_PAUSE = timedelta(minutes=1)


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
        self.user_id = 0
        self.context: dict[str, Any] = {}

    async def close(self) -> None:
        await self._http.aclose()

    async def welcome(self) -> None:
        """Logged in, so that `user_id` and `context` are known."""
        if not self.user_id:
            await self._enter()

    async def read(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """A call that changes nothing: however it fails, it may be repeated."""
        return plain(await self._call(method, params, context or {}, write=False))

    async def write(self, method: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """A call that changes something: ErpUnavailable is `in_doubt` when it may have been done."""
        try:
            return plain(await self._call(method, params, context or {}, write=True))
        except TrytonWarning as warning:
            if not {*warning.name.split(".")} & {*self._config.accept_warnings}:
                raise
            log.warning("Tryton asked, and accept_warnings says yes: %s", warning)
            await self._call("model.res.user.warning.skip", (warning.name, False), {}, write=True)
            return plain(await self._call(method, params, context or {}, write=True))

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
            try:
                user_id, token = int(answer[0]), str(answer[1])
            except (TypeError, ValueError, IndexError, KeyError):
                raise ErpUnavailable("Tryton answered the log-in in words we do not know") from None
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
            raise ErpUnavailable("Tryton told our preferences in words we do not know")
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
        body = json.dumps({"id": 1, "method": method, "params": params}, ensure_ascii=False).encode()
        try:
            return await self._http.post(self._config.endpoint, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"Tryton cannot be reached: {type(cause).__name__}; check url") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"Tryton did not answer {method}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=write) from None

    def _result(self, method: str, reply: httpx.Response, write: bool) -> Any:
        status = reply.status_code
        if status == 429:
            raise ErpUnavailable(f"Tryton has had too many log-ins: {method}", _pause(reply) or CROWDED_PAUSE)
        if status in (408, 423) or status >= 500:
            text = f"Tryton answered {method} with HTTP {status}"
            raise ErpUnavailable(text, _pause(reply), in_doubt=write)
        if status == 404:
            text = f"Tryton has no database {self._config.database!r}; check url and database"
            raise ErpUnavailable(text, CREDENTIALS_PAUSE)
        if status == 403:
            raise ErpRefused(f"Tryton has no {method} for programs")
        if status != 200:
            raise ErpRefused(f"Tryton answered {method} with HTTP {status}; check url")
        try:
            answer = reply.json()
        except ValueError:
            head = " ".join(reply.text[:80].split())
            raise ErpUnavailable(f"Tryton answered {method} with {head!r}", in_doubt=write) from None
        if isinstance(answer, dict) and answer.get("error") is not None:
            raise complaint(method, answer["error"])
        if isinstance(answer, dict) and "result" in answer:
            return answer["result"]
        if isinstance(answer, list):  # releases before the envelope
            return answer
        raise ErpUnavailable(f"Tryton answered {method} in words we do not know", in_doubt=write)


def complaint(method: str, error: Any) -> Exception:
    """What `error` is: `[kind, [words..]]`, or `[what Python said, traceback]`."""
    kind, said = (error[0], error[1]) if isinstance(error, list) and len(error) > 1 else (str(error), "")
    words = [str(w) for w in said] if isinstance(said, list) else [str(said)]
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


def _joined(words: list[str]) -> str:
    return " - ".join(" ".join(w.split()) for w in words if w)


def _pause(reply: httpx.Response) -> timedelta | None:
    seconds = reply.headers.get("Retry-After", "")
    return timedelta(seconds=int(seconds)) if seconds.isdigit() else None
