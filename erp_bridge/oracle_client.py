"""HTTP to one Fusion pod: who we are, versions, errors sorted.

A read or write that meets a dead bearer token (401) gets a new token once: nothing was done. No other write
is repeated. An answer that is no JSON is somebody else's: a log-on page comes with HTTP 200.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from erp_bridge.bearer import Bearer
from erp_bridge.bystanders import CREDENTIALS_PAUSE, is_page
from erp_bridge.oracle_answers import TimedOut, complaint
from erp_bridge.oracle_config import OracleConfig
from hub.errors import ErpUnavailable
from hub.ports import Clock

ITEM = "application/vnd.oracle.adf.resourceitem+json"
PLAIN = "application/json"  # what the transaction resources document
_ACCEPT = "application/json, application/vnd.oracle.adf.resourceitem+json, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Answer:
    body: dict[str, Any]
    version: str  # ETag; "" where there is none


class OracleClient:
    """Opens nothing before the first call. Paths begin behind `resources`."""

    def __init__(self, config: OracleConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._root = str(config.url).rstrip("/") + config.resources
        limits = httpx.Limits(max_connections=config.parallel)
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), limits=limits, follow_redirects=False, trust_env=False
        )
        self._room = asyncio.Semaphore(config.parallel)
        self._bearer = Bearer(config.oauth, self._http) if config.oauth else None
        self._basic = httpx.BasicAuth(config.user.encode(), config.password.get_secret_value().encode())

    async def close(self) -> None:
        await self._http.aclose()

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, language: str = ""
    ) -> Answer | None:
        """None when there is no such record (404). `language`: of captions."""
        reply = await self._sent("GET", path, query, {"Accept-Language": language} if language else None)
        if reply.status_code == 404 and not is_page(reply):
            return None
        return self._read(reply, "GET", path, write=False)

    async def write(
        self, method: str, path: str, body: Mapping[str, Any], *, version: str = "", media: str = ITEM
    ) -> Answer:
        """`version`: the ETag that it rests on; raises Stale when that is no longer the newest."""
        headers = {"Content-Type": media} | ({"If-Match": version} if version else {})
        content = json.dumps(body, ensure_ascii=False).encode()
        reply = await self._sent(method, path, None, headers, content, write=True)
        return self._read(reply, method, path, write=True)

    def refusal(self, path: str, hint: str = "") -> Exception:
        """Of a resource that is not there at all."""
        what = f"GET {_named(path)}{hint}"
        return complaint(httpx.Response(404), what, self._clock.now(), (), write=False)

    def _read(self, reply: httpx.Response, method: str, path: str, *, write: bool) -> Answer:
        what = f"{method} {_named(path)}"
        if not reply.is_success:
            raise complaint(reply, what, self._clock.now(), self._config.busy_words, write=write)
        if reply.status_code == 204 or not reply.content:
            return Answer({}, reply.headers.get("ETag", ""))
        try:
            body = reply.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._forget()
            raise ErpUnavailable(_not_json(reply, what), in_doubt=write)
        return Answer(body, reply.headers.get("ETag", ""))

    def _forget(self) -> None:
        if self._bearer:
            self._bearer.forget()

    # ------------------------------------------------------------------ one request
    async def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        *,
        write: bool = False,
    ) -> httpx.Response:
        async with self._room:
            reply = await self._once(method, path, query, headers or {}, content, write=write)
            if reply.status_code == 401 and self._bearer:
                self._forget()
                reply = await self._once(method, path, query, headers or {}, content, write=write)
        if reply.status_code == 401:
            wrong = "oauth and its user mapping" if self._bearer else "user and password"
            raise ErpUnavailable(
                f"Oracle does not accept who we say we are; check {wrong}", CREDENTIALS_PAUSE
            )
        return reply

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        write: bool,
    ) -> httpx.Response:
        said = {"Accept": _ACCEPT, "REST-Framework-Version": str(self._config.framework), **headers}
        auth: httpx.Auth | None = self._basic
        if self._bearer:
            said["Authorization"] = f"Bearer {await self._bearer.token()}"
            auth = None
        try:
            return await self._http.request(
                method, self._url(path, query), headers=said, content=content, auth=auth
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"Oracle cannot be reached: {type(cause).__name__}") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"Oracle did not answer {method} {_named(path)}: {type(cause).__name__}"
            late = isinstance(cause, httpx.TimeoutException)
            raise (TimedOut if late else ErpUnavailable)(text, in_doubt=write) from None

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        """A plus as %2B, a blank as %20: + is read as either."""
        rest = "&".join(f"{name}={quote(value, safe='(),:')}" for name, value in (query or {}).items())
        return f"{self._root}/{path}?{rest}" if rest else f"{self._root}/{path}"


def _named(path: str) -> str:
    """The resource, without keys that people might have written."""
    return "/".join(part for part in path.split("/") if part[:1].isalpha())


def _not_json(reply: httpx.Response, what: str) -> str:
    start = " ".join(reply.text[:80].split())
    hint = "; a log-on page or a proxy stands before it: check url, user and oauth" if "<" in start else ""
    return f"Oracle answered {what} with {start!r}, which is no record{hint}"
