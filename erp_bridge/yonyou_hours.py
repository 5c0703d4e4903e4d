"""Labour and machine hours 工时: no interface tells of them, but one deletes them by our number.

So they are replaced: what may be there under our number is deleted, then made. Where the site's table of
hours can be searched by segment, what is there is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import kind_of, known, reference, service_of
from erp_bridge.yonyou_orders import Orders
from erp_bridge.yonyou_search import SegmentSearch
from erp_bridge.yonyou_writing import Writer
from hub.errors import ErpRefused

Row = dict[str, Any]


class Hours:
    def __init__(self, config: YonyouConfig, client: U9Client, orders: Orders) -> None:
        self._config = config
        self._orders = orders
        self.kind = kind_of(config, "hours")
        self.service = service_of(config, "hours")
        self._writer = Writer(config, client)
        table = self.service.block.look_up or ""
        self._search = SegmentSearch(config, client, table, self.kind.segment, must=False)
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, key: str) -> str | None:
        """None also where the site's hours cannot be searched: making them again replaces them."""
        known_as = reference("hours", key)
        return known_as if await self._search.numbers(known_as) else None

    async def post(self, key: str, fields: Mapping[str, Any]) -> str:
        known_as = reference("hours", key)
        async with self._making.setdefault(known_as, asyncio.Lock()):
            if await self.find(key) is not None:
                return known_as
            row = await self._row(key, known_as, fields)
            await self._writer.deleted(self.service, [known_as])
            await self._writer.made(self.service, row, known_as, self._again(known_as))
        return known_as

    async def _row(self, key: str, known_as: str, fields: Mapping[str, Any]) -> Row:
        card = await self._orders.one(str(fields.get("order") or ""))
        step = card.step(str(fields.get("operation") or "")) if card else None
        if card is None:
            raise ErpRefused(f"U9 has no production order {fields.get('order')}")
        step_said = step.operation if step else str(fields.get("operation") or "")
        more = {"key": key, "reference": known_as, "mo": card.ours.get("erp_id"), "step": step_said or None}
        return self.kind.map.written(
            known(self._config, fields, doc_type=self.service.block.doc_type, **more)
        )

    def _again(self, known_as: str) -> Any:
        async def look() -> Row | None:
            """After a lost token: whatever was made goes, so that it may be made."""
            if await self._search.numbers(known_as):
                return {"number": known_as}
            await self._writer.deleted(self.service, [known_as])
            return None

        return look
