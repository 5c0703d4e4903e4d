"""Rows written one at a time, and what their results mean.

U9 takes a second document with the same OtherID without a word; what is made is looked for before, and after
everything that leaves a doubt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from erp_bridge.yonyou_answers import BAD_PARAMETER, Outcome, TokenGone, U9Refusal
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import Service
from hub.errors import ErpRefused, ErpUnavailable

Row = dict[str, Any]
Look = Callable[[], Awaitable[Row | None]]


class Writer:
    def __init__(self, config: YonyouConfig, client: U9Client) -> None:
        self._config = config
        self._client = client

    async def made(self, service: Service, row: Mapping[str, Any], key: str, look: Look) -> Row:
        """Make it; `look` has just found nothing. Returns {number, erp_id} or what `look` finds."""
        path = self._path(service, "create")
        body, answered = service.body("create", [row]), service.answered
        sent = str(row.get("OtherID") or key)
        try:
            told = await self._client.write(path, body, sent, repeat=False, answered=answered)
        except TokenGone:  # it may have gone in the middle of a batch
            found = await look()
            if found is not None:
                return found
            told = await self._client.write(path, body, sent, repeat=False, answered=answered)
        if told.done:
            return {"number": told.code or str(row.get("DocNo") or ""), "erp_id": told.id}
        if self._says(told, self._config.taken_words):
            found = await look()
            if found is not None:
                return found
            raise ErpUnavailable(f"{key} is in U9, which does not show it yet: {told.said}")
        raise self._refusal(path, told, row)

    async def changed(self, service: Service, action: str, row: Mapping[str, Any], key: str) -> None:
        """What may be done twice, or has just been seen not to be done."""
        path = self._path(service, action)
        told = await self._client.write(
            path, service.body(action, [row]), str(row.get("OtherID") or key), answered=service.answered
        )
        if not told.done:
            raise self._refusal(path, told, row)

    async def carried_on(self, service: Service, action: str, row: Mapping[str, Any], key: str) -> None:
        """As `changed`. What an approval looks like nobody outside has seen: where our guess is a wrong
        parameter, nothing was done, and the shape of all other operations is tried."""
        try:
            await self.changed(service, action, row, key)
        except U9Refusal as refusal:
            if refusal.code != BAD_PARAMETER or not (action == "approve" and service.guessed):
                raise
            rows = [{**row, "OperateType": True}]
            told = await self._client.write(self._path(service, action), rows, key, answered=service.answered)
            if not told.done:
                raise self._refusal(self._path(service, action), told, row) from None

    async def deleted(self, service: Service, keys: list[str]) -> None:
        """By OtherID; that there is nothing is as good."""
        path = self._path(service, "delete")
        told = await self._client.delete(path, keys, keys[0])
        if told is not None and not told.done and not self._says(told, self._config.missing_words):
            raise self._refusal(path, told, {})

    def _path(self, service: Service, action: str) -> str:
        path = service.path(action)
        if not path:
            raise ErpRefused(
                f"this site has no interface to {action} it; name one in services.{service.name}"
            )
        return path

    def _refusal(self, path: str, told: Outcome, row: Mapping[str, Any]) -> Exception:
        order = row.get("MO")
        about = f" ({order['Code']})" if isinstance(order, Mapping) and order.get("Code") else ""
        words = f"U9 refused {path}{about}: {told.said or 'without a word'}"
        if self._says(told, self._config.busy_words):
            return ErpUnavailable(words)
        return U9Refusal(words, said=told.said)

    @staticmethod
    def _says(told: Outcome, words: list[str]) -> bool:
        return any(word.lower() in told.said.lower() for word in words)
