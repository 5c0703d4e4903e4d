"""A document looked for by the custom field that carries our number: where numbers are U9's, or changed."""

from __future__ import annotations

import logging
from typing import Any

from erp_bridge.yonyou_answers import U9Refusal, U9Trouble, about_columns, about_tables, rows_in, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_lists import SQL
from erp_bridge.yonyou_records import alias_of
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

Row = dict[str, Any]


class SegmentSearch:
    """Looks for a document by the custom field that carries our number."""

    def __init__(
        self, config: YonyouConfig, client: U9Client, table: str, segment: str, *, must: bool
    ) -> None:
        self._config = config
        self._client = client
        self._table = table
        self._segment = segment
        self._must = must  # there is no other way to find it
        self.possible = bool(table and segment)

    @property
    def place(self) -> str:
        return f"{self._table.split()[0] if self._table else '?'}.DescFlexField_{self._segment}"

    async def numbers(self, reference: str) -> list[Row]:
        """{"docno", "id"} of each. Raises ErpRefused where nothing else finds it and this cannot."""
        if not self.possible:
            return self._impossible("services.*.look_up names no table")
        try:
            return await self._search(reference)
        except (U9Refusal, U9Trouble) as refusal:
            known = (
                isinstance(refusal, U9Refusal) or about_columns(refusal.said) or about_tables(refusal.said)
            )
            if not known and not await self._fails_alone(reference):
                raise
            return self._impossible(str(refusal))

    async def _fails_alone(self, reference: str) -> bool:
        """Some answer a statement about a missing table like any other failure; others pass then."""
        try:
            await self._client.read(SQL, {"SqlString": "SELECT 1 AS ID"})
        except (ErpRefused, U9Trouble):
            return False
        try:
            await self._search(reference)
        except U9Trouble:
            return True
        return False

    def _impossible(self, why: str) -> list[Row]:
        if self._must:
            raise ErpRefused(
                f"our number cannot be looked for in {self.place}: {why}; name the table in"
                " services.*.look_up, or let the document type take numbers of ours and write"
                " DocNo: reference"
            )
        if self.possible:
            log.info("U9 cannot be searched at %s: by number alone", self.place)
        self.possible = False
        return []

    async def _search(self, reference: str) -> list[Row]:
        if self._config.reads == "sql" and "." not in self._table:
            table = alias_of(self._table)
            numbered = "" if self._hours else f"{table}.DocNo AS DocNo, "
            column = f"{table}.DescFlexField_{self._segment}"
            statement = (
                f"SELECT {numbered}{table}.ID AS ID, {column} AS Segment FROM {self._table}"  # noqa: S608 constants
                f" WHERE {column} = '{reference}'"  # and a plain word
            )
            rows = rows_in(await self._client.read(SQL, {"SqlString": statement}), self.place)
            return [self._carrying({str(k).lower(): v for k, v in row.items()}, reference) for row in rows]
        return self._impossible("lists are not read by SQL here")

    def _carrying(self, row: Row, reference: str) -> Row:
        carried = text(row.get("segment"))
        if carried.casefold() != reference.casefold():
            raise ErpUnavailable(f"U9 was asked for {self.place} = {reference} and shows {carried or 'none'}")
        return row

    @property
    def _hours(self) -> bool:
        return "WorkHour" in self._table
