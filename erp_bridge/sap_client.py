"""HTTP to one SAP system: who we are, the token against forged requests with its session, errors sorted.

A write needs a token (`X-CSRF-Token`) and the cookies it came with (SAP note 3048103). A token that is not
taken any more is fetched anew once; nothing was done then, so the write may be repeated. No other write is.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from erp_bridge.bearer import Bearer
from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE, is_page
from erp_bridge.sap_answers import complaint, told
from erp_bridge.sap_config import SapConfig
from hub.errors import ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

Query = Mapping[str, str]
_WHO = "SAP does not accept who we say we are; check user, password, oauth and client"


class SapClient:
    """Opens nothing before the first call."""

    def __init__(self, config: SapConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._root = str(config.url).rstrip("/")
        limits = httpx.Limits(max_connections=config.parallel)
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), limits=limits, follow_redirects=False, trust_env=False
        )
        self._tokens: dict[str, str] = {}
        self._age = 0  # of the session: how often it was begun anew
        self._renewal = asyncio.Lock()
        self._bearer = Bearer(config.oauth, self._http) if config.oauth else None
        self._basic = httpx.BasicAuth(config.user, config.password.get_secret_value())

    async def close(self) -> None:
        await self._http.aclose()

    async def get(
        self, path: str, query: Query | None = None, accept: str = "application/json"
    ) -> httpx.Response:
        """A 2xx answer, or 404 for the caller to judge."""
        reply = await self._sent("GET", path, query, {"Accept": accept})
        if reply.is_success or (reply.status_code == 404 and not is_page(reply)):
            return reply
        raise self._complaint(reply, "GET", path, write=False)

    async def write(
        self,
        method: str,
        service: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Query | None = None,
        version: str = "",
    ) -> httpx.Response:
        """`version`: the ETag that it rests on. `service`: root of the service, where tokens are had."""
        headers = {"Accept": "application/json"}
        if version:
            headers["If-Match"] = version
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, ensure_ascii=False).encode()
        age, token = await self._token(service)
        reply = await self._sent(method, path, query, headers | token, content, write=True)
        if _token_lost(reply):
            await self._renew(age)
            _, token = await self._token(service)
            reply = await self._sent(method, path, query, headers | token, content, write=True)
        if reply.is_success:
            return reply
        if _token_lost(reply):  # a session that dies again and again is no trouble of the document
            raise ErpUnavailable(f"SAP does not keep our session: {method} {path.rpartition('/')[2]}")
        raise self._complaint(reply, method, path, write=True)

    def _complaint(self, reply: httpx.Response, method: str, path: str, *, write: bool) -> Exception:
        what = f"{method} {path.rpartition('/')[2]}"
        return complaint(reply, what, self._clock.now(), self._config.busy_words, write=write)

    # ------------------------------------------------------------------ the token and its session
    async def _token(self, service: str) -> tuple[int, dict[str, str]]:
        if service not in self._tokens:
            async with self._renewal:
                if service not in self._tokens:
                    self._tokens[service] = await self._fetched(service)
        token = self._tokens.get(service, "")
        return self._age, {"X-CSRF-Token": token} if token else {}

    async def _fetched(self, service: str) -> str:
        """From the service's root; one that keeps it to itself may give it with its metadata."""
        for path, accept in ((f"{service}/", "application/json"), (f"{service}/$metadata", "*/*")):
            reply = await self._sent("GET", path, None, {"Accept": accept, "X-CSRF-Token": "Fetch"})
            token = str(reply.headers.get("X-CSRF-Token", ""))
            if reply.is_success and token and token.lower() != "required":
                return token
            if reply.status_code >= 500 or reply.status_code == 429 or is_page(reply):
                raise self._complaint(reply, "GET", path, write=False)
        return ""  # perhaps none is wanted; the write will tell

    async def _renew(self, age: int) -> None:
        """Once for all who have met the same dead session."""
        async with self._renewal:
            if self._age == age:
                self._age += 1
                self._tokens.clear()
                self._http.cookies.clear()

    # ------------------------------------------------------------------ one request
    async def _sent(
        self,
        method: str,
        path: str,
        query: Query | None,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        write: bool = False,
    ) -> httpx.Response:
        reply = await self._once(method, path, query, headers, content, write=write)
        if reply.status_code == 401 and self._bearer:
            self._bearer.forget()
            reply = await self._once(method, path, query, headers, content, write=write)
        if reply.status_code == 401:
            raise ErpUnavailable(_WHO, CREDENTIALS_PAUSE)
        if reply.is_success and is_page(reply):
            what = f"{method} {path.rpartition('/')[2]}"
            raise ErpUnavailable(
                f"SAP answered {what} with a page; check url: a log-on page or a proxy may stand before it",
                AWAY_PAUSE, in_doubt=write,
            )  # fmt: skip
        return reply

    async def _once(
        self,
        method: str,
        path: str,
        query: Query | None,
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        write: bool,
    ) -> httpx.Response:
        said = {"Accept-Language": self._config.language.lower(), **headers}
        auth: httpx.Auth | None = self._basic
        if self._bearer:
            said["Authorization"] = f"Bearer {await self._bearer.token()}"
            auth = None
        what = f"{method} {path.rpartition('/')[2]}"
        try:
            return await self._http.request(
                method, self._url(path, query), headers=said, content=content, auth=auth
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"SAP cannot be reached: {type(cause).__name__}") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            raise ErpUnavailable(
                f"SAP did not answer {what}: {type(cause).__name__}", in_doubt=write
            ) from None

    def _url(self, path: str, query: Query | None) -> str:
        """Blanks as %20, a plus as %2B: + is read as either. Paths come encoded: a key may hold anything."""
        asked = dict(query or {})
        if self._config.client:
            asked["sap-client"] = self._config.client
        rest = "&".join(
            f"{quote(name, safe='$')}={quote(value, safe='/(),:')}" for name, value in asked.items()
        )
        return f"{self._root}{path}?{rest}" if rest else self._root + path


def _token_lost(reply: httpx.Response) -> bool:
    """403 for want of a token, not for want of a right."""
    if reply.status_code != 403:
        return False
    said = reply.headers.get("X-CSRF-Token", "").lower() == "required"
    return said or "csrf" in told(reply)[1].lower()


def read_json(reply: httpx.Response, what: str, *, write: bool) -> Any:
    """A 2xx answer that cannot be read leaves open what was done; a page is somebody between us and SAP."""
    try:
        return reply.json()
    except ValueError:
        text = f"SAP answered {what} with {' '.join(reply.text[:80].split())!r}"
        hint = "; check url: a log-on page or a proxy may stand before it" if "<" in reply.text[:80] else ""
        raise ErpUnavailable(text + hint, in_doubt=write) from None
