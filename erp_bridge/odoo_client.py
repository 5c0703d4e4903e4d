"""Calls to Odoo: JSON-2 from release 19 on, JSON-RPC before; each sent once, one transaction each.

A refusal rolls its transaction back. So what is neither refused nor answered may have been done.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Literal

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE, asked_pause, is_page
from erp_bridge.odoo_answers import CROWDED_PAUSE, Elsewhere, OdooRefused, no_database, trouble, unwelcome
from erp_bridge.odoo_config import OdooConfig
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

Protocol = Literal["json2", "jsonrpc"]
JSON2_SINCE = 19
_PLACES: Mapping[str, tuple[str, ...]] = {  # JSON-RPC: releases name these arguments differently
    "create": ("vals_list",),
    "write": ("vals",),
    "load": ("fields", "data"),
    "search_count": ("domain",),
}
_GONE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class OdooClient:
    """Opens nothing before the first call."""

    def __init__(self, config: OdooConfig) -> None:
        self._config = config
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), follow_redirects=False, trust_env=False,
            verify=config.url.scheme == "https",
        )  # fmt: skip  # without https there are no certificates to load
        self._meeting = asyncio.Lock()
        self._protocol: Protocol | None = None if config.protocol == "auto" else config.protocol
        self._uid = 0
        self._warned = False
        self.release = (0, 0)  # known after `meet` where the protocol was asked for

    async def close(self) -> None:
        await self._http.aclose()

    async def read(self, model: str, method: str, ids: list[int] | None = None, **named: Any) -> Any:
        """A call that changes nothing: however it fails, it may be repeated."""
        return await self._call(model, method, ids, named, write=False)

    async def write(self, model: str, method: str, ids: list[int] | None = None, **named: Any) -> Any:
        """A call that changes something: ErpUnavailable is `in_doubt` when it may have been done."""
        return await self._call(model, method, ids, named, write=True)

    # ------------------------------------------------------------------ who is there
    async def meet(self) -> Protocol:
        """Which protocol, and for JSON-RPC who we are; asked once however many calls wait for it."""
        async with self._meeting:
            if self._protocol is None or self.release == (0, 0):
                await self._ask_release()
            protocol = self._protocol or "jsonrpc"
            if protocol == "jsonrpc" and not self._uid:
                self._uid = await self._authenticate()
            return protocol

    async def _ask_release(self) -> None:
        self.release = await self._web_version() or await self._common_version()
        if self._protocol is None:
            self._protocol = "json2" if self.release[0] >= JSON2_SINCE else "jsonrpc"
        if self._protocol == "jsonrpc" and not (self._config.database and self._config.user):
            self._protocol = None if self._config.protocol == "auto" else "jsonrpc"
            raise ErpRefused(
                f"Odoo {self.release[0]} is spoken to by JSON-RPC, which needs database and user: set them"
            )
        log.info("Odoo %d.%d, by %s", *self.release, self._protocol)

    async def _web_version(self) -> tuple[int, int] | None:
        """None before release 19, whose servers may also send such a question elsewhere."""
        try:
            reply = await self._exchange("GET", "/web/version", None, {}, write=False)
        except (Elsewhere, ErpRefused):
            return None
        try:
            return _release(reply.json()) if reply.status_code == 200 else None
        except ValueError:
            return None

    async def _common_version(self) -> tuple[int, int]:
        answer = await self._service("common", "version", [])
        found = _release(answer)
        if found is None:
            raise ErpUnavailable("Odoo did not say which release it is; check url")
        return found

    async def _authenticate(self) -> int:
        config = self._config
        who = [config.database, config.user, config.api_key.get_secret_value(), {}]
        uid = await self._service("common", "authenticate", who)
        if not isinstance(uid, int) or not uid:
            raise self._turned_away("jsonrpc")
        return uid

    def _turned_away(self, protocol: Protocol) -> ErpUnavailable:
        if not self._warned:
            log.warning("Odoo turned us away: has the API key expired?")
        self._warned = True
        return unwelcome(protocol)

    # ------------------------------------------------------------------ one call
    async def _call(
        self, model: str, method: str, ids: list[int] | None, named: dict[str, Any], *, write: bool
    ) -> Any:
        context = {**({"lang": self._config.language} if self._config.language else {})}
        context |= named.pop("context", None) or {}
        named = {**named, **({"context": context} if context else {})}
        protocol = self._protocol if self._protocol == "json2" and self.release[0] else await self.meet()
        if protocol == "json2":
            return await self._json2(model, method, ids, named, write)
        return await self._execute(model, method, ids, named, write)

    async def _json2(
        self, model: str, method: str, ids: list[int] | None, named: dict[str, Any], write: bool
    ) -> Any:
        call, body = f"{model}.{method}", named if ids is None else {"ids": ids, **named}
        headers = {"Authorization": f"bearer {self._config.api_key.get_secret_value()}"}
        if self._config.database:
            headers["X-Odoo-Database"] = self._config.database
        reply = await self._exchange("POST", f"/json/2/{model}/{method}", body, headers, write=write)
        answer = self._body(call, reply, write)
        if reply.status_code == 200:
            return answer
        said = answer if isinstance(answer, dict) else {}
        raise self._told(
            trouble(call, str(said.get("name") or ""), said, reply.status_code, "json2", write=write)
        )

    async def _execute(
        self, model: str, method: str, ids: list[int] | None, named: dict[str, Any], write: bool
    ) -> Any:
        placed = [named.pop(name) for name in _PLACES.get(method, ()) if name in named]
        args = [*([] if ids is None else [ids]), *placed]
        config = self._config
        who = [config.database, self._uid, config.api_key.get_secret_value()]
        return await self._service("object", "execute_kw", [*who, model, method, args, named], write=write)

    async def _service(self, service: str, method: str, args: list[Any], *, write: bool = False) -> Any:
        call = f"{args[3]}.{args[4]}" if service == "object" else f"{service}.{method}"
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}
        reply = await self._exchange("POST", "/jsonrpc", body, {}, write=write)
        answer = self._body(call, reply, write)
        if reply.status_code != 200 or not isinstance(answer, dict) or "jsonrpc" not in answer:
            raise ErpUnavailable(f"Odoo answered {call} in words we do not know; check url", in_doubt=write)
        error = answer.get("error")
        if not error:
            return answer.get("result")  # a method that returns nothing has no result
        data = error.get("data") if isinstance(error, dict) else None
        said = data if isinstance(data, dict) else {}
        name = str(said.get("name") or "")
        if name == "psycopg2.OperationalError" and service == "common":
            raise no_database(self._config.database)
        raise self._told(trouble(call, name, said, 200, "jsonrpc", write=write))

    def _told(self, found: Exception) -> Exception:
        if isinstance(found, ErpUnavailable) and "api_key" in str(found):
            self._uid = 0  # a new password or key may have come with a new user
            return self._turned_away(self._protocol or "json2")
        return found

    # ------------------------------------------------------------------ one exchange
    async def _exchange(
        self, verb: str, path: str, body: Any, headers: dict[str, str], *, write: bool
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        sent = {"Accept": "application/json", **headers}
        if content is not None:
            sent["Content-Type"] = "application/json"
        try:
            reply = await self._http.request(verb, self._config.base + path, content=content, headers=sent)
        except _GONE as cause:
            raise ErpUnavailable(f"Odoo cannot be reached: {type(cause).__name__}; check url") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            raise ErpUnavailable(
                f"Odoo did not answer {path}: {type(cause).__name__}", in_doubt=write
            ) from None
        if reply.status_code == 429:
            pause = asked_pause(reply) or CROWDED_PAUSE
            raise ErpUnavailable("Odoo has had too many calls from us", pause)
        if 300 <= reply.status_code < 400:
            text = "Odoo sends us to another address, where we do not go; check url (http, https)"
            raise Elsewhere(text, CREDENTIALS_PAUSE)
        return reply

    def _body(self, call: str, reply: httpx.Response, write: bool) -> Any:
        """What was answered as JSON; what is not JSON does not come from Odoo's own code."""
        status = reply.status_code
        try:
            return reply.json()
        except ValueError:
            pass
        if status == 401:
            raise self._turned_away(self._protocol or "json2")
        if status == 404:
            raise no_database(self._config.database, in_doubt=write)
        page = is_page(reply)
        if 400 <= status < 500 and status not in (408, 423, 425) and not page:
            raise OdooRefused(f"Odoo refused {call} with HTTP {status}; check url", "")
        pause = asked_pause(reply) or (AWAY_PAUSE if page else None)
        what = "a page for people: something stands before it; check url" if page else "no JSON"
        raise ErpUnavailable(f"Odoo answered {call} with HTTP {status} and {what}", pause, in_doubt=write)


def _release(answer: Any) -> tuple[int, int] | None:
    """`{"version_info": [19, 0, 0, "final", 0, ""]}`; the online service says "saas~18" for 18."""
    info = (
        (answer.get("version_info") or answer.get("server_version_info"))
        if isinstance(answer, dict)
        else None
    )
    if not isinstance(info, list) or not info:
        return None
    major = re.search(r"\d+", str(info[0]))
    minor = re.search(r"\d+", str(info[1])) if len(info) > 1 else None
    return (int(major[0]), int(minor[0]) if minor else 0) if major else None
