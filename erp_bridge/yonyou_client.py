"""One call to U9 cloud's OpenAPI: with a token, sent once, its answer told apart from its refusals.

A log-in of the same application makes every earlier token worthless, so there is one at a time, and none
while another one's token has just come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE, asked_pause, is_page
from erp_bridge.yonyou_answers import (
    BAD_PARAMETER,
    INVALID,
    NO_ROUTE,
    OK,
    REQUEST_EXPIRED,
    SET_UP_WRONG,
    TOKEN_GONE,
    Envelope,
    Outcome,
    TokenGone,
    U9Refusal,
    U9Trouble,
    envelope,
    outcome,
    unpacked,
)
from erp_bridge.yonyou_config import YonyouConfig
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

LIMITED_PAUSE = timedelta(seconds=30)
LOGIN = "OAuth2/AuthLogin"
_JSON = {"Accept": "application/json"}  # it speaks XML too
_LOST = Envelope(INVALID, False, "HTTP 401", None)


class U9Client:
    """Opens nothing before the first call."""

    def __init__(self, config: YonyouConfig) -> None:
        self._config = config
        seconds = config.timeout.total_seconds()
        # the log-in goes to this directly: a client would write its URL, which holds the secret, into the log
        self._wire = httpx.AsyncHTTPTransport(trust_env=False, verify=_authorities(config))
        self._http = httpx.AsyncClient(
            transport=self._wire, timeout=httpx.Timeout(seconds, connect=min(seconds, 10.0)),
            follow_redirects=False, trust_env=False,
        )  # fmt: skip
        self._token = ""
        self._login = asyncio.Lock()
        self._slots = asyncio.Semaphore(config.parallel)

    def __repr__(self) -> str:
        return f"U9Client({self._config.base_url})"

    async def close(self) -> None:
        await self._http.aclose()

    # ------------------------------------------------------------------ calls
    async def read(self, path: str, body: Any) -> Any:
        """A call that changes nothing: however it fails, it may be repeated. Returns `Data`."""
        return await self._call(path, body, write=False, repeat=True)

    async def write(
        self,
        path: str,
        body: Any,
        key: str,
        *,
        repeat: bool = True,
        answered: Callable[[Any], Any] = lambda data: data,
    ) -> Outcome:
        """One row that changes something; `in_doubt` when it may have been done. `repeat` False for what
        must not be made twice: it raises TokenGone where the token went."""
        found = outcome(answered(await self._call(path, body, write=True, repeat=repeat)), key)
        if found is None:
            raise ErpUnavailable(f"U9 answered {path} without saying what became of {key}", in_doubt=True)
        return found

    async def delete(self, path: str, body: Any, key: str) -> Outcome | None:
        """None where the answer says nothing of it: there was nothing."""
        return outcome(await self._call(path, body, write=True, repeat=True), key)

    async def _call(self, path: str, body: Any, *, write: bool, repeat: bool) -> Any:
        token = await self._valid_token("")
        said = await self._exchange(path, body, token, write)
        if said.code in TOKEN_GONE:
            token = await self._valid_token(token)
            if not repeat:
                raise TokenGone(f"U9's token went during {path}", in_doubt=True)
            said = await self._exchange(path, body, token, write)
        if said.code in TOKEN_GONE:
            raise ErpUnavailable(
                f"U9 gives a token and does not take it at {path} ({said.code}): another program logs in with"
                " this client_id (give each its own), or client_id has no right to this interface"
            )
        return self._data(path, said, write)

    def _data(self, path: str, said: Envelope, write: bool) -> Any:
        if said.code == OK and said.success:
            return unpacked(said.data)
        words = self._clean(said.message)
        told = f"U9 refused {path} ({said.code}): {words}"
        if said.code in (OK, NO_ROUTE, BAD_PARAMETER):
            raise U9Refusal(told, said.code, words)
        self._must_be_set_up(path, said)
        if said.code == REQUEST_EXPIRED:
            raise ErpUnavailable(told)
        raise U9Trouble(told, words, in_doubt=write)

    # ------------------------------------------------------------------ the token
    async def _valid_token(self, worthless: str) -> str:
        """The token, or a new one when it is the one that U9 has just refused."""
        async with self._login:
            if not self._token or self._token == worthless:
                self._token = ""
                self._token = await self._log_in()
            return self._token

    async def _log_in(self) -> str:
        config = self._config
        asked = {
            "clientid": config.client_id, "clientsecret": config.client_secret.get_secret_value(),
            "entCode": config.ent_code, "userCode": config.user_code, "orgCode": config.org_code,
            "loginType": config.login_type, "language": config.language,
        }  # fmt: skip
        request = self._http.build_request("GET", f"{config.base_url}{LOGIN}", params=asked, headers=_JSON)
        try:
            reply = await self._wire.handle_async_request(request)
            try:
                await reply.aread()
            finally:
                await reply.aclose()
        except httpx.HTTPError as cause:
            raise ErpUnavailable(f"U9 cannot be reached: {type(cause).__name__}") from None
        try:
            said = self._read(LOGIN, reply, write=False)
        except ErpRefused as refusal:  # nothing of ours is to be given up for it
            raise ErpUnavailable(str(refusal), CREDENTIALS_PAUSE) from None
        if said.code == OK and said.success and isinstance(said.data, str) and said.data:
            return said.data
        words = self._clean(said.message)
        if said.code in (NO_ROUTE, BAD_PARAMETER):
            text = f"U9 has no {LOGIN} at server_url ({said.code}): {words}"
            raise ErpUnavailable(text, CREDENTIALS_PAUSE)
        self._must_be_set_up(LOGIN, said)
        raise ErpUnavailable(f"U9 gave no token ({said.code}): {words}")

    def _must_be_set_up(self, path: str, said: Envelope) -> None:
        """What no second try mends: a person has to."""
        if said.code in SET_UP_WRONG:
            told = f"U9 does not let us use {path} ({said.code} {self._clean(said.message)})"
            raise ErpUnavailable(f"{told}: {SET_UP_WRONG[said.code]}", CREDENTIALS_PAUSE)

    def _clean(self, words: str) -> str:
        for secret in (self._config.client_secret.get_secret_value(), self._token):
            words = words.replace(secret, "***") if secret else words
        return " ".join(words.split())[:500]

    # ------------------------------------------------------------------ the wire
    async def _exchange(self, path: str, body: Any, token: str, write: bool) -> Envelope:
        try:
            async with self._slots:
                reply = await self._http.post(
                    f"{self._config.base_url}{path}",
                    content=json.dumps(body, ensure_ascii=False).encode(),
                    headers={
                        "token": token, "Content-Type": "application/json", "Accept": "application/json"
                    },
                )  # fmt: skip
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"U9 cannot be reached: {type(cause).__name__}") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            raise ErpUnavailable(
                f"U9 did not answer {path}: {type(cause).__name__}", in_doubt=write
            ) from None
        return self._read(path, reply, write)

    def _read(self, path: str, reply: httpx.Response, write: bool) -> Envelope:
        """Where an envelope came it counts, whatever the status above it says."""
        if reply.status_code == 429:
            raise ErpUnavailable(f"U9 is limiting us at {path}", asked_pause(reply) or LIMITED_PAUSE)
        said = _envelope(reply)
        if reply.status_code == 401 and (said is None or said.code == reply.status_code):
            return _LOST
        if said is not None:
            return said
        told = f"U9 answered {path} with HTTP {reply.status_code}"
        if reply.status_code == 408 or reply.status_code >= 500:
            raise ErpUnavailable(told, asked_pause(reply), in_doubt=write)
        if is_page(reply):
            pause = asked_pause(reply) or (None if reply.is_success else AWAY_PAUSE)
            raise ErpUnavailable(f"{told} and a page for people; check server_url", pause, in_doubt=write)
        if reply.status_code == 404:
            raise U9Refusal(f"{told}; check server_url and that this interface is published", NO_ROUTE)
        if not reply.is_success:
            raise ErpUnavailable(f"{told}; check server_url", asked_pause(reply) or AWAY_PAUSE)
        head = self._clean(reply.text[:80])
        raise ErpUnavailable(f"U9 answered {path} with {head!r}", in_doubt=write)

    async def published(self) -> Any:
        """What the service hub says is published; None where there is no hub."""
        try:
            reply = await self._http.get(f"{self._config.base_url}OpenAPIServiceHub/Describe", headers=_JSON)
            said = _envelope(reply)
        except httpx.HTTPError:
            return None
        return unpacked(said.data) if said and said.code == OK else None


def _authorities(config: YonyouConfig) -> ssl.SSLContext | bool:
    """Those that httpx trusts; none for a plain address, which has no use for them: reading takes long."""
    return config.server_url.scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _envelope(reply: httpx.Response) -> Envelope | None:
    try:
        answer: Any = reply.json()
    except (ValueError, RecursionError):
        return None
    return envelope(answer)
