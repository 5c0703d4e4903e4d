"""Operations by SQL: parameters bound, never formatted in; what belongs together in one transaction.

One connection in a thread of its own, so that the database sees our operations one after the other and no
loop waits for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from erp_bridge.fieldmap import plain
from erp_bridge.generic_answers import NotThere
from erp_bridge.generic_config import GenericConfig, OperationBlock
from erp_bridge.generic_session import Session, rows_of
from hub import sql_text as statements
from hub.databases import Driver, Failure, SqlBlock, driver
from hub.errors import ErpUnavailable

GRACE = 5.0  # seconds beyond the database's own time-out
LONG_AGO = "1970-01-01 00:00:00"
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
Fields = Mapping[str, Any]
T = TypeVar("T")


class SqlDoor:
    """Opens nothing before the first call."""

    def __init__(self, config: GenericConfig, block: SqlBlock) -> None:
        self._name = config.name
        self._zone = config.zone
        self._block = block
        self._driver: Driver = driver(block.driver)
        self._begin_anew()

    async def close(self) -> None:
        thread = self._thread
        thread.submit(self._session.let_go)
        await asyncio.get_running_loop().run_in_executor(None, thread.shutdown)

    # ------------------------------------------------------------------ what the connector asks
    async def read(self, name: str, call: OperationBlock, fields: Fields) -> list[dict[str, Any]]:
        values = self._values(fields)
        return await self._run(name, lambda c: rows_of(c, call.sql, values)[0], write=False)

    async def write(
        self, name: str, call: OperationBlock, fields: Fields, document: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The rows of the last statement, where it gives any (`returning`). Raises Duplicate and NotThere."""
        values = self._values(fields) | self._values(document)
        columns = self._values(document)
        texts = list(call.sql)
        if call.insert:
            texts = [statements.insertion(call.insert, list(columns), self._driver.quoted)]
        if call.update:
            texts = [statements.updating(call.update, list(columns), call.where, self._driver.quoted)]
        values |= statements.parameters(columns)

        def work(connection: Any) -> list[dict[str, Any]]:
            rows, touched = rows_of(connection, texts, values)
            if touched == 0 and texts[-1].lstrip()[:6].lower() == "update":
                raise NotThere(f"{self._name} has no such record: {name} changed nothing")
            return rows

        return await self._run(name, work, write=True)

    async def told(
        self, name: str, by_driver: Mapping[str, str], values: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """What this kind of database says of itself."""
        statement = by_driver[self._block.driver]
        return await self._run(name, lambda c: rows_of(c, [statement], values)[0], write=False)

    async def columns_there(self, name: str, table: str, columns: Sequence[str]) -> list[str]:
        """Those of the columns that the table does not have; raises ErpRefused when there is no table."""
        quoted = self._driver.quoted

        def look(connection: Any, wanted: Sequence[str]) -> bool:
            try:
                rows_of(connection, [statements.selection(table, wanted, quoted)], {})
            except self._driver.Error as cause:
                connection.rollback()
                if self._driver.failure(cause)[0] is not Failure.REFUSED:
                    raise
                return False
            return True

        def work(connection: Any) -> list[str]:
            if look(connection, columns):
                return []
            gone = [c for c in columns if not look(connection, [c])]
            if len(gone) == len(columns):
                rows_of(connection, [statements.selection(table, columns, quoted)], {})
            return gone

        return await self._run(name, work, write=False)

    async def explained(self, name: str, call: OperationBlock, known: Sequence[str]) -> bool:
        """Whether the database can do these statements, which are not done; False where it cannot tell."""
        if not self._driver.can_explain:
            return False
        values: dict[str, Any] = dict.fromkeys(known)
        texts = ["explain " + text for text in call.sql]

        def work(connection: Any) -> None:
            rows_of(connection, texts, values)
            connection.rollback()

        await self._run(name, work, write=True)  # some want that of a transaction to explain a write
        return True

    # ------------------------------------------------------------------ one transaction
    async def _run(self, name: str, work: Callable[[Any], T], *, write: bool) -> T:
        loop = asyncio.get_running_loop()
        limit = self._block.timeout.total_seconds() * 2 + GRACE
        try:
            async with asyncio.timeout(limit):
                return await loop.run_in_executor(self._thread, self._session.run, name, work, write)
        except TimeoutError:  # the thread may hang on a dead line: it is left to its fate
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._begin_anew()
            text = f"{self._name} did not answer {name} within {limit:g} s"
            raise ErpUnavailable(text, in_doubt=write) from None

    def _begin_anew(self) -> None:
        self._session = Session(self._driver, self._block, self._name, self._zone)
        self._thread = ThreadPoolExecutor(1, "erp-sql")

    def _values(self, fields: Fields) -> dict[str, Any]:
        values = {name: _value(value, self._zone) for name, value in fields.items()}
        if "changed_since" in values and values["changed_since"] is None:
            values["changed_since"] = LONG_AGO
        return values


def _value(value: Any, zone: ZoneInfo) -> Any:
    """As a database takes it: instants in the ERP's zone without naming it, spans in seconds."""
    if isinstance(value, str) and _INSTANT.match(value):  # an instant that went through a map as it is
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bytes | list | tuple):
        return value
    return plain(value)
