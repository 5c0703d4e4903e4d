"""HTTP to one ERPNext site: who we are, each call sent once, answers told apart from refusals.

Every request is one transaction of the site's database: what was refused was not done. What was sent and not
answered, or answered with 5xx, may have been.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from erp_bridge.erpnext_answers import complaint, page
from erp_bridge.erpnext_config import ErpNextConfig
from hub.errors import ErpUnavailable
from hub.ports import Clock

Query = Mapping[str, str]
Row = dict[str, Any]


class ErpNextClient:
    """Opens nothing before the first call."""

    def __init__(self, config: ErpNextConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._root = str(config.url).rstrip("/")
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_connections=config.parallel), verify=config.url.scheme == "https",
        )  # fmt: skip  # without https there are no certificates to load

    async def close(self) -> None:
        await self._http.aclose()

    # ------------------------------------------------------------------ documents
    async def one(self, doctype: str, name: str) -> Row | None:
        """The whole document with its rows; None when there is none of this name."""
        path = _path(doctype, name)
        reply = await self._sent("GET", path, None, None, write=False)
        if reply.status_code == 404 and not page(reply):
            return None
        found = self._document(self._answer(reply, "GET", path, write=False), "GET", path, write=False)
        if _folded(found["name"]) != _folded(name):
            raise ErpUnavailable(f"ERPNext answered {_said('GET', path)} with {found['name']}, another one")
        return found

    async def rows(self, doctype: str, query: Query) -> list[Row]:
        path = _path(doctype)
        body = self._answer(await self._sent("GET", path, query, None, write=False), "GET", path, write=False)
        rows = body.get("data")
        if not isinstance(rows, list):
            raise ErpUnavailable(f"ERPNext answered {_said('GET', path)} without a list")
        if not all(_is_document(row) for row in rows):
            raise ErpUnavailable(f"ERPNext answered {_said('GET', path)} with rows that have no name")
        return rows

    async def create(self, doctype: str, values: Mapping[str, Any]) -> Row:
        return await self._written("POST", _path(doctype), values)

    async def change(self, doctype: str, name: str, values: Mapping[str, Any]) -> Row:
        """`values` with `modified` as it was read are refused when somebody has written since."""
        return await self._written("PUT", _path(doctype, name), values)

    async def _written(self, method: str, path: str, values: Mapping[str, Any]) -> Row:
        reply = await self._sent(method, path, None, values, write=True)
        return self._document(self._answer(reply, method, path, write=True), method, path, write=True)

    def _document(self, body: Row, method: str, path: str, *, write: bool) -> Row:
        document = body.get("data")
        if not isinstance(document, dict) or not _is_document(document):
            raise ErpUnavailable(f"ERPNext answered {_said(method, path)} without a document", in_doubt=write)
        return document

    # ------------------------------------------------------------------ methods
    async def ask(self, method: str, query: Query | None = None) -> Row:
        """A method that changes nothing; the whole body of its answer."""
        path = f"/api/method/{method}"
        return self._answer(await self._sent("GET", path, query, None, write=False), "GET", path, write=False)

    async def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        path = f"/api/method/{method}"
        reply = await self._sent("POST", path, None, arguments, write=True)
        return self._answer(reply, "POST", path, write=True).get("message")

    async def upload(self, fields: Mapping[str, str], name: str, data: bytes) -> None:
        path = "/api/method/upload_file"
        reply = await self._request(
            "POST", path, write=True, url=self._root + path, data=dict(fields), files={"file": (name, data)}
        )
        self._answer(reply, "POST", path, write=True)

    # ------------------------------------------------------------------ one exchange
    async def _sent(
        self, method: str, path: str, query: Query | None, body: Mapping[str, Any] | None, *, write: bool
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        return await self._request(method, path, write=write, url=self._url(path, query), content=content)

    async def _request(self, method: str, path: str, *, write: bool, url: str, **what: Any) -> httpx.Response:
        headers = {"Accept": "application/json", "Authorization": self._who()}
        if what.get("content") is not None:
            headers["Content-Type"] = "application/json"
        if self._config.site:
            headers["Host"] = self._config.site
        try:
            return await self._http.request(method, url, headers=headers, **what)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"ERPNext cannot be reached: {type(cause).__name__}; check url") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"ERPNext did not answer {_said(method, path)}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=write) from None

    def _who(self) -> str:
        key, secret = self._config.api_key, self._config.api_secret.get_secret_value()
        if self._config.scheme == "token":
            return f"token {key}:{secret}"
        return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()

    def _url(self, path: str, query: Query | None) -> str:
        """Blanks as %20, a plus as %2B: + is read as either."""
        rest = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in (query or {}).items())
        return f"{self._root}{path}?{rest}" if rest else self._root + path

    def _answer(self, reply: httpx.Response, method: str, path: str, *, write: bool) -> Row:
        what = _said(method, path)
        if not reply.is_success:
            raise complaint(reply, what, self._clock.now(), self._config.busy_words, write=write)
        try:
            body = reply.json()
        except ValueError:
            head = " ".join(reply.text[:80].split())
            raise ErpUnavailable(f"ERPNext answered {what} with {head!r}", in_doubt=write) from None
        if not isinstance(body, dict):
            raise ErpUnavailable(f"ERPNext answered {what} in words we do not know", in_doubt=write)
        return body


def _is_document(row: Any) -> bool:
    """Something with a name, and a docstatus where it tells one."""
    if not isinstance(row, dict) or not isinstance(row.get("name"), str | int) or row["name"] == "":
        return False
    return row.get("docstatus") in (None, 0, 1, 2, "0", "1", "2")


def _folded(name: Any) -> str:
    """As the database compares names: without case, and without blanks at the end."""
    return str(name).strip().casefold()


def _path(doctype: str, name: str = "") -> str:
    path = f"/api/resource/{quote(doctype, safe='')}"
    return f"{path}/{quote(name, safe='')}" if name else path


def _said(method: str, path: str) -> str:
    """`PUT Asset%20Repair/ACC-ASR-2026-00007`"""
    return f"{method} {path.removeprefix('/api/').partition('/')[2]}"
