"""OAuth 2.0 client credentials (RFC 6749 4.4): one token, asked for once however many wait for it."""

from __future__ import annotations

import asyncio

import httpx
from pydantic import Field, HttpUrl, SecretStr

from erp_bridge.bystanders import CREDENTIALS_PAUSE
from hub.config import Block
from hub.errors import ErpUnavailable


class OauthBlock(Block):
    """Client credentials instead of user and password."""

    token_url: HttpUrl
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    scope: str = ""


class Bearer:
    """An access token. Raises ErpUnavailable where none is to be had."""

    def __init__(self, block: OauthBlock, http: httpx.AsyncClient) -> None:
        self._block = block
        self._http = http
        self._held = ""
        self._asking = asyncio.Lock()

    def forget(self) -> None:
        self._held = ""

    async def token(self) -> str:
        async with self._asking:
            self._held = self._held or await self._granted()
            return self._held

    async def _granted(self) -> str:
        form = {"grant_type": "client_credentials"}
        if self._block.scope:
            form["scope"] = self._block.scope
        who = httpx.BasicAuth(self._block.client_id, self._block.client_secret.get_secret_value())
        try:
            reply = await self._http.post(str(self._block.token_url), data=form, auth=who)
        except httpx.HTTPError as cause:
            raise ErpUnavailable(f"oauth.token_url cannot be reached: {type(cause).__name__}") from None
        if reply.status_code >= 500 or reply.status_code == 429:
            raise ErpUnavailable(f"oauth.token_url answers HTTP {reply.status_code}")
        try:
            token = reply.json()["access_token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token:
            raise ErpUnavailable(
                f"oauth.token_url gives no token (HTTP {reply.status_code}); check oauth.client_id,"
                " client_secret and scope",
                CREDENTIALS_PAUSE,
            )
        return token
