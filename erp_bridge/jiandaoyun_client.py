"""One call to Jiandaoyun: sent once, at a pace that the vendor allows, its answer judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from erp_bridge.bystanders import asked_pause, is_page
from erp_bridge.jiandaoyun_answers import read
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from hub.errors import ErpRefused, ErpUnavailable

DATA = "v5/app/entry/data/"
RATES = {  # calls per second, after the vendor's tables
    f"{DATA}create": 20, f"{DATA}update": 20, f"{DATA}delete": 20,
    f"{DATA}batch_create": 10, f"{DATA}batch_update": 10, "v5/app/entry/file/get_upload_token": 20,
    "v1/workflow/task/approve": 20, "v1/workflow/instance/activate": 20,
}  # fmt: skip
RATE, ALTOGETHER = 30, 50


class Brake:
    """At most `rate` a second on average, and as many at once. Real time: the vendor's, not the plant's."""

    def __init__(self, rate: float) -> None:
        self._every = 1 / rate
        self._slack = 1.0 - self._every
        self._next = 0.0

    def turn(self, now: float) -> float:
        """Take a turn; how many seconds it is away."""
        mine = max(self._next, now - self._slack)
        self._next = mine + self._every
        return max(mine - now, 0.0)


class JiandaoyunClient:
    """Opens nothing before the first call; keeps no session, for there is none."""

    def __init__(self, config: JiandaoyunConfig) -> None:
        self._config = config
        self._brakes: dict[str, Brake] = {}
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), http2=False, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def read(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A call that changes nothing: however it fails, it may be repeated."""
        return await self._call(path, body, write=False)

    async def write(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A call that changes something; `in_doubt` when it may have been done."""
        return await self._call(path, body, write=True)

    async def upload(self, url: str, token: str, name: str, data: bytes) -> str:
        """A file to where the vendor keeps them: its key. That place gets the token and nothing else of ours.

        Nothing is in doubt: a file that no record names is nothing.
        """
        place = httpx.URL(url)
        if place.scheme not in ("https", self._config.base_url.scheme):
            raise ErpRefused("Jiandaoyun wants files sent where nobody protects them: not over https")
        try:
            reply = await self._http.post(place, data={"token": token}, files={"file": (name, data)})
        except httpx.HTTPError as cause:
            raise ErpUnavailable(f"the file was not taken: {type(cause).__name__}") from None
        if reply.status_code >= 400:
            raise ErpUnavailable(f"the file was not taken: HTTP {reply.status_code}", asked_pause(reply))
        answer = read(self._config, "upload", reply.status_code, reply.text, asked_pause(reply), write=False)
        key = answer.get("key")
        if not key or not isinstance(key, str):
            raise ErpUnavailable("the file was taken without telling its key")
        return key

    # ------------------------------------------------------------------ one call
    async def _call(self, path: str, body: Mapping[str, Any], *, write: bool) -> dict[str, Any]:
        await self._in_turn(path)
        what = path.rpartition("data/")[2] or path
        try:
            reply = await self._http.post(
                f"{self._config.root}{path}",
                content=json.dumps(body, ensure_ascii=False).encode(),
                headers={
                    "Authorization": f"Bearer {self._config.api_key.get_secret_value()}",
                    "Content-Type": "application/json;charset=utf-8",
                },
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"Jiandaoyun cannot be reached: {type(cause).__name__}") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"Jiandaoyun did not answer {what}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=write) from None
        page, pause = is_page(reply), asked_pause(reply)
        return read(self._config, what, reply.status_code, reply.text, pause, write=write, page=page)

    async def _in_turn(self, path: str) -> None:
        if not self._config.pace:
            return
        for name, rate in ((path, RATES.get(path, RATE)), ("", ALTOGETHER)):
            brake = self._brakes.setdefault(name, Brake(rate * self._config.pace))
            if wait := brake.turn(asyncio.get_running_loop().time()):
                await asyncio.sleep(wait)
