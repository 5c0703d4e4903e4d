"""Who we say we are over HTTP. A token or session is asked for once, however many wait, and renewed once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import jmespath
from jmespath.exceptions import JMESPathError

from erp_bridge.bystanders import CREDENTIALS_PAUSE
from erp_bridge.generic_config import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    LoginAuth,
    Oauth2Auth,
    RestBlock,
)
from erp_bridge.generic_templates import filled
from hub.errors import ErpUnavailable
from hub.ports import Clock

_EARLY = timedelta(seconds=30)  # a token is renewed this long before its end


class Identity:
    """`headers` before each request; `renew` after an answer that did not accept them."""

    def __init__(self, block: RestBlock, http: httpx.AsyncClient, clock: Clock, name: str) -> None:
        self._auth: Auth = block.auth
        self._root = str(block.url).rstrip("/")
        self._http = http
        self._clock = clock
        self._name = name
        self._held: dict[str, str] = _fixed(block.auth)
        self._age = 0  # how often we have become somebody anew
        self._ends_at: datetime | None = None
        self._asking = asyncio.Lock()

    @property
    def renewable(self) -> bool:
        return isinstance(self._auth, LoginAuth | Oauth2Auth)

    async def headers(self) -> tuple[int, Mapping[str, str]]:
        """(age, headers); the age is what `renew` wants back."""
        if not self.renewable:
            return 0, self._held
        async with self._asking:
            if self._age == 0 or (self._ends_at and self._clock.now() >= self._ends_at):
                await self._enter()
            return self._age, self._held

    async def renew(self, age: int) -> None:
        """Once for all who met the same dead session."""
        async with self._asking:
            if self._age == age:
                await self._enter()

    def unwelcome(self) -> ErpUnavailable:
        wanted = {
            "none": "rest.auth: this ERP wants to know who we are",
            "basic": "check rest.auth.user and rest.auth.password",
            "bearer": "check rest.auth.token",
            "api-key": "check rest.auth.key and rest.auth.header",
            "oauth2": "check rest.auth.client_id, client_secret and scope",
            "login": "check rest.auth.user and rest.auth.password",
        }[self._auth.kind]
        return ErpUnavailable(f"{self._name} does not accept who we say we are; {wanted}", CREDENTIALS_PAUSE)

    async def _enter(self) -> None:
        if isinstance(self._auth, Oauth2Auth):
            await self._grant(self._auth)
        elif isinstance(self._auth, LoginAuth):
            await self._log_in(self._auth)
        self._age += 1

    # ------------------------------------------------------------------ the two that ask
    async def _grant(self, auth: Oauth2Auth) -> None:
        secret = auth.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials"}
        form |= {n: v for n, v in (("scope", auth.scope), ("audience", auth.audience)) if v}
        who: httpx.Auth | None = httpx.BasicAuth(auth.client_id, secret)
        if auth.in_body:
            form, who = form | {"client_id": auth.client_id, "client_secret": secret}, None
        body = await self._asked(str(auth.token_url), "rest.auth.token_url", data=form, auth=who)
        token = body.get("access_token") if isinstance(body, dict) else None
        if not token:
            raise self.unwelcome()
        self._held = {"Authorization": f"Bearer {token}"}
        lasts = body.get("expires_in")
        known = isinstance(lasts, int | float) and not isinstance(lasts, bool)
        self._ends_at = self._clock.now() + _span(float(lasts)) if known else None

    async def _log_in(self, auth: LoginAuth) -> None:
        who = {"user": auth.user, "password": auth.password.get_secret_value()}
        body = {n: _verbatim(text, who) for n, text in auth.body.items()}
        self._http.cookies.clear()
        self._held = {}
        path = auth.call.partition(" ")[2].strip().lstrip("/")
        how: dict[str, Any] = {"data": body} if auth.form else {"json": body}
        answer = await self._asked(f"{self._root}/{path}", "rest.auth.call", **how)
        try:
            if auth.success and not jmespath.search(auth.success, answer):
                raise self.unwelcome()
            token = jmespath.search(auth.token, answer) if auth.token else None
        except JMESPathError:
            raise ErpUnavailable(f"{self._name} answered the log-in in words we do not know") from None
        if auth.token and not token:
            raise self.unwelcome()
        if token:
            self._held = {auth.header: _verbatim(auth.value, {"token": str(token)})}

    async def _asked(self, url: str, place: str, **how: Any) -> Any:
        try:
            reply = await self._http.post(url, **how)
        except httpx.HTTPError as cause:
            raise ErpUnavailable(f"{place} cannot be reached: {type(cause).__name__}") from None
        if reply.status_code in (400, 401, 403):
            raise self.unwelcome()
        if not reply.is_success:
            raise ErpUnavailable(f"{place} answers HTTP {reply.status_code}; is it the right address?")
        try:
            return reply.json() if reply.content.strip() else None
        except ValueError:
            raise ErpUnavailable(f"{place} answers in words we do not know") from None


def _fixed(auth: Auth) -> dict[str, str]:
    if isinstance(auth, BasicAuth):
        pair = f"{auth.user}:{auth.password.get_secret_value()}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    if isinstance(auth, BearerAuth):
        return {"Authorization": f"Bearer {auth.token.get_secret_value()}"}
    if isinstance(auth, ApiKeyAuth):
        also = {name: secret.get_secret_value() for name, secret in auth.also.items()}
        return also | {auth.header: auth.key.get_secret_value()}
    return {}


def _verbatim(template: str, values: Mapping[str, str]) -> str:
    return filled(template, values, ZoneInfo("UTC"), str)


def _span(seconds: float) -> timedelta:
    return max(timedelta(seconds=min(seconds, 86400 * 30)) - _EARLY, timedelta(seconds=1))
