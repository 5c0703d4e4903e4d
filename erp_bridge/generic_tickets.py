"""The life of a ticket in a system of any kind: opened once, what the office has closed left alone."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from erp_bridge.generic_reading import flag, text
from erp_bridge.generic_records import Ours, Records
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)


class Tickets:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def find(self, key: str) -> tuple[str, str] | None:
        found = await self._records.found("find_ticket", {"key": key})
        return _identity(found[0]) if found else None

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        ours = await self._records.make("open_ticket", "find_ticket", key, fields)
        identity = _identity(ours)
        if self._records.has("finish_ticket") and not flag(ours.get("finished")):
            now = {"erp_id": identity[0], "number": identity[1], "key": key}
            await self._records.change("finish_ticket", {**fields, **now})
        return identity

    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        again = fields.get("state") == "reopened"
        current = await self._current(erp_id)
        if flag(current.get("closed")) is not again:
            log.info("%s: ticket %s is %s already: left as it is", self._records.config.name, erp_id,
                     "open" if again else "closed")  # fmt: skip
            return
        await self._records.change(
            "reopen_ticket" if again else "update_ticket", {**fields, **_now(erp_id, current)}
        )

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        current = await self._current(erp_id)
        if flag(current.get("closed")):
            return
        more = {**fields, **_now(erp_id, current)}
        await self._attach(more)
        await self._records.change("close_ticket", more)

    async def _attach(self, fields: Mapping[str, Any]) -> None:
        """Before the ticket is closed, and once."""
        data = fields.get("photo_data")
        if not data or not self._records.has("attach_photo"):
            return
        if await self._records.found("find_photo", {n: v for n, v in fields.items() if n != "photo_data"}):
            return
        encoded = base64.b64encode(bytes(data)).decode()
        await self._records.change("attach_photo", {**fields, "photo_base64": encoded})

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        out: dict[str, list[str]] = {}
        for key in keys:
            found = await self._records.found("find_ticket", {"key": key})
            numbers = {_identity(ours)[0]: _identity(ours)[1] for ours in found}
            out |= {key: [*numbers.values()]} if numbers else {}
        return out

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        if not erp_ids:
            return {}
        name = "ticket_states" if self._records.has("ticket_states") else "ticket"
        found = await self._records.one_by_one(name, "erp_ids", erp_ids)
        states = {_identity(o)[0]: "closed" if flag(o.get("closed")) else "open" for o in found}
        return {i: states[i] for i in erp_ids if i in states}

    async def _current(self, erp_id: str) -> Ours:
        name = "ticket" if self._records.has("ticket") else "ticket_states"
        found = await self._records.one_of(name, "erp_ids", erp_id)
        ours = next((o for o in found if _identity(o)[0] == erp_id), None)
        if ours is None:
            raise ErpRefused(f"{self._records.config.name} has no ticket {erp_id} any more")
        return ours


def _identity(ours: Ours) -> tuple[str, str]:
    """(id, number); a system that has only one of them calls it both."""
    erp_id, number = text(ours, "erp_id"), text(ours, "number")
    if not (erp_id or number):
        raise ErpUnavailable("a ticket came with neither id nor number; see documents.ticket.read.erp_id")
    return erp_id or number, number or erp_id


def _now(erp_id: str, current: Ours) -> Ours:
    return {"erp_id": erp_id, "number": text(current, "number"), "version": text(current, "version")}
