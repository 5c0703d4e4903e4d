"""Maintenance tickets 设备报修 in the form that the site has set aside for them (services.ticket).

U9 has no repair form of its own. Whatever stands in, a repair is known by our number: in OtherID, which stays
when a clerk renames the document, and in DocNo.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge import left_out
from erp_bridge.yonyou_answers import U9Refusal, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import kind_of, known, reference, service_of
from erp_bridge.yonyou_writing import Writer
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

Row = dict[str, Any]
YOUNG = 1000


class Tickets:
    def __init__(self, config: YonyouConfig, client: U9Client) -> None:
        self._config = config
        self._client = client
        self._ticket, self._step, self._closing = (kind_of(config, n) for n in ("ticket", "step", "closing"))
        self._service = service_of(config, "ticket")
        self._writer = Writer(config, client)
        self._young: dict[str, None] = {}  # made by us not long ago: not seeing one means little
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # ------------------------------------------------------------------ made once
    async def find(self, key: str) -> tuple[str, str] | None:
        row = await self._current(key)
        return _identity(row) if row else None

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        async with self._making.setdefault(key, asyncio.Lock()):
            more = {"key": key, "reference": reference("ticket", key), "headline": _headline(fields)}
            row = self._ticket.map.written(known(self._config, fields, **more))

            async def look() -> Row | None:
                return await self._current(key)

            found = await look() or await self._writer.made(self._service, row, key, look)
            if not found.get("number"):
                raise ErpUnavailable(f"{key} was made in U9, which does not show it yet", in_doubt=True)
            self._young[key] = None
            while len(self._young) > YOUNG:
                self._young.pop(next(iter(self._young)))
            return _identity({"key": key, **found})

    async def _current(self, key: str) -> Row | None:
        """By OtherID and then by number, or as the site says."""
        for name in self._config.find_by:
            value = key if name == "OtherID" else reference("ticket", key)
            with left_out.gathered() as lost:
                rows = await self._asked([{name: value}])
            if lost and not rows:  # it is there: to make another would be wrong
                raise ErpRefused(f"the repair with {name} {value} cannot be read: {lost[0]}")
            found = [row for row in rows if _carries(row, name, value)]
            strange = [r for r in rows if _value(r, name).casefold() not in ("", value.casefold())]
            if strange and not found:
                raise ErpUnavailable(
                    f"U9 was asked at {self._service.path('query')} for {name} {value} and shows"
                    f" {_value(strange[0], name)}: where the service does not look by {name}, leave it out of"
                    " find_by"
                )
            if len(found) > 1:
                log.warning("U9 has %d repairs with %s %s: the first counts", len(found), name, value)
            if found:
                return found[0]
        return None

    async def _asked(self, keys: list[dict[str, str]]) -> list[Row]:
        try:
            data = await self._client.read(self._service.path("query"), self._service.body("query", keys))
        except U9Refusal as refusal:
            raise self._service.absent(refusal, "ticket") from None
        rows = [row for r in self._service.rows(data) if (row := self._ticket.read(r)) is not None]
        if nameless := [row for row in rows if not text(row.get("number"))]:
            shown = text(nameless[0].get("key")) or "a repair"
            raise ErpUnavailable(f"U9 shows {shown} at {self._service.path('query')} without its number")
        return rows

    # ------------------------------------------------------------------ its life
    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has closed is left as they want it, unless we open it again."""
        now = await self._must_be_there(erp_id)
        reopened = fields.get("state") == "reopened"
        if now.get("closed") and not reopened:
            log.info("repair %s was closed in U9 by hand: not updated", erp_id)
            return
        if reopened and now.get("closed") and self._service.path("reopen"):
            await self._changed("reopen", self._closing.map.written(self._of(now, {"at": None})), now)
        row = self._step.map.written(self._of(now, fields))
        if not reopened and _state(row.get("DocState")) < _state(now.get("doc_state")):
            row["DocState"] = now["doc_state"]  # an older step that comes late
        await self._changed("modify", row, now)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        now = await self._must_be_there(erp_id)
        if now.get("closed"):
            return
        try:
            await self._changed("close", self._closing.map.written(self._of(now, fields)), now)
        except U9Refusal:
            if not (await self._must_be_there(erp_id)).get("closed"):
                raise

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        out: dict[str, str] = {}
        for name in self._config.find_by:
            missing = [i for i in erp_ids if i not in out]
            value_of = {(i if name == "OtherID" else reference("ticket", i)): i for i in missing}
            values, most = sorted(value_of), self._config.rows_at_once
            for at in range(0, len(values), most):
                for row in await self._asked([{name: v} for v in values[at : at + most]]):
                    value = _value(row, name)
                    if value in value_of:
                        out.setdefault(value_of[value], "closed" if row.get("closed") else "open")
        return out

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Numbers of all documents that carry each key, in OtherID or as their number."""
        numbers: dict[str, set[str]] = {}
        for name in self._config.find_by:
            value_of = {(k if name == "OtherID" else reference("ticket", k)): k for k in keys}
            values, most = sorted(value_of), self._config.rows_at_once
            for at in range(0, len(values), most):
                for row in await self._asked([{name: v} for v in values[at : at + most]]):
                    key = value_of.get(_value(row, name))
                    if key:
                        numbers.setdefault(key, set()).add(text(row.get("number")))
        return {key: sorted(found) for key, found in numbers.items()}

    async def _must_be_there(self, erp_id: str) -> Row:
        now = await self._current(erp_id)
        if now is None and erp_id in self._young:
            raise ErpUnavailable(f"U9 does not show repair {erp_id} yet")
        if now is None:
            raise ErpRefused(f"repair {erp_id} is not in U9 any more")
        return now

    def _of(self, now: Row, fields: Mapping[str, Any]) -> dict[str, Any]:
        return known(
            self._config, fields, key=now.get("key"), number=now.get("number"), document_id=now.get("erp_id")
        )

    async def _changed(self, action: str, row: Row, now: Row) -> None:
        await self._writer.changed(self._service, action, row, text(now.get("key")))


def _identity(row: Row) -> tuple[str, str]:
    """Our number stays when theirs is changed, so it is what we know the document by."""
    return text(row.get("key")) or text(row["number"]), text(row["number"])


def _carries(row: Row, name: str, value: str) -> bool:
    return _value(row, name) == value


def _value(row: Row, name: str) -> str:
    return text(row.get("key" if name == "OtherID" else "number"))


def _state(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return -1.0


def _headline(fields: Mapping[str, Any]) -> str | None:
    """A machine without a number in U9 is named in the text."""
    title = str(fields.get("title") or "")
    if title and not fields.get("equipment"):
        return f"{title[:180]} ({fields.get('equipment_name') or fields.get('equipment_path') or '?'})"
    return title or None
