"""Inspection results, where a site has a resource for them that can be asked by our key.

Oracle's own inspectionResults cannot: it is written to and never read (GET action not supported), and knows
no key of ours. So nothing is told to it, and the capability is there only with a `quality` block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from erp_bridge.fieldmap import MapBlock
from erp_bridge.oracle_answers import OracleRefusal
from erp_bridge.oracle_config import QualityBlock
from erp_bridge.oracle_records import Records


class Quality:
    def __init__(self, records: Records, block: QualityBlock) -> None:
        self._records = records
        self._block = block
        kind = records.kinds["quality"]
        keyed = MapBlock(form=block.resource, write={block.key: "key"})
        self.kind = replace(kind, block=keyed.over(kind.block), own=kind.own | {block.key})

    async def find(self, key: str) -> str | None:
        where = self._records.dialect.equal(self._block.key, key)
        rows = await self._records.rows(self._block.resource, where)
        return key if any(str(row.get(self._block.key)) == key for row in rows) else None

    async def post(self, key: str, fields: Mapping[str, Any]) -> str:
        if await self.find(key):
            return key
        known = {**fields, "key": key, "organization": self._records.config.organization}
        body = {**self.kind.written(known).body, self._block.key: key}
        try:
            await self._records.client.write("POST", self._block.resource, body)
        except OracleRefusal:
            if await self.find(key) is None:
                raise
        return key
