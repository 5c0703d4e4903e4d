"""Reports 报工 and hours 工时: lines of an operation's time tracking, one for each key.

A report is made in two steps, each repeated without harm: the line with its key, unique by its external id,
says what the operation's total will be; then the total is written. Odoo adds nothing up for us, and writes
whatever comes last: two hubs that report on one operation at the same time read the same total and promise
the same. So what an operation is due follows from all its lines, in the order of their ids, each adding its
pieces at least; after each write it is read again, until nothing is missing. A line is booked when its
operation has all of what its lines promise.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.odoo_floor import LIVE, OPERATIONS, Floor, Operation
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_values import Row
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

LINES, LOSSES = "mrp.workcenter.productivity", "mrp.workcenter.productivity.loss"
_TOTAL = re.compile(r"\btotal=(\d+(?:\.\d+)?)\b")
_SCRAP = re.compile(r"\bscrap=(\d+)\b")
_GOOD = re.compile(r"\bgood=(\d+)\b")
_LOOKS = 8  # at an operation that others write to at the same time
_IDLE = ("ready", "blocked", "pending", "waiting")


class Lines:
    """What reports and hours have in common."""

    kind = ""

    def __init__(self, records: Records, floor: Floor, clock: Clock) -> None:
        self.records = records
        self.floor = floor
        self.clock = clock

    def marker(self, key: str) -> str:
        return f"[{self.kind}:{key}]"

    async def found(self, key: str) -> Row | None:
        names = ("description", "workorder_id", "workorder_id.qty_produced", "workorder_id.state")
        rows = await self.records.marked(LINES, "description", self.marker(key), names)
        if len(rows) > 1:
            log.error("%s %s is in Odoo more than once", self.kind, key)
        return rows[0] if rows else None

    async def line(self, key: str, fields: Mapping[str, Any], on: Operation) -> int:
        more = {"key": key, "marker": self.marker(key), "workorder": on.row, "loss": await self._loss()}
        at = fields.get("at") or self.clock.now()
        values = await self.records.written(self.kind, {**fields, "at": at, **more})
        return await self.records.made(LINES, self.kind, key, values)

    async def _loss(self) -> int:
        """What productive time is filed under."""
        rows = await self.records.search(LOSSES, [["loss_type", "=", "productive"]], ["loss_type"])
        rows = [row for row in rows if row.get("loss_type") == "productive"]
        if not rows:
            raise ErpRefused(
                "Odoo has no productive loss reason: make one under Manufacturing > Configuration"
            )
        return int(rows[0]["id"])


class Reports(Lines):
    kind = "report"

    def __init__(self, records: Records, floor: Floor, clock: Clock) -> None:
        super().__init__(records, floor, clock)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, key: str) -> str | None:
        row = await self.found(key)
        if row is None:
            return None
        work = row.get("workorder_id")
        if work is not None and not _ended(work) and _made(work) < due(await self._lines(int(work["id"]))):
            return None
        return str(row["id"])

    def turn(self, order: str) -> asyncio.Lock:
        return self._turns.setdefault(order, asyncio.Lock())

    async def report(self, key: str, fields: Mapping[str, Any]) -> str:
        """One at a time on an order, as far as this process goes."""
        number = str(fields["order"])
        async with self.turn(number):
            row = await self.found(key)
            if row is None:
                await self.settle(number, {})
                row = await self._promised(key, number, fields)
            if row.get("workorder_id") is not None:
                await self._reach(int(row["workorder_id"]["id"]))
            return str(row["id"])

    async def _promised(self, key: str, number: str, fields: Mapping[str, Any]) -> Row:
        """The line, and what it says that the total will be. The operation is read before its lines: while
        those do not show our key, what it has made is without our pieces, whoever else sends them."""
        on = await self.floor.operation(number, str(fields["operation"]))
        lines = await self._lines(int(on.row["id"]))
        made_meanwhile = [row for row in lines if _says(row).startswith(self.marker(key))]
        if made_meanwhile:
            return made_meanwhile[0]
        total = max(float(on.row.get("qty_produced") or 0), due(lines)) + int(fields["good"])
        plain = int(total) if total == int(total) else total
        return {"id": await self.line(key, {**fields, "total": plain}, on), "workorder_id": on.row}

    async def settle(self, number: str, beyond: Mapping[str, float]) -> None:
        """What was reported beyond the parts that are done counts on the part that is worked on. Without
        such parts there is nothing to do."""
        family = await self.floor.family(number)
        if len(family) < 2 or family[0]["state"] not in LIVE:
            return
        operations = await self.floor.operations(family, ["qty_produced"])
        good = await self._good({int(one.row["id"]): one.name for one in operations})
        live = family[0]["id"]
        for one in operations:
            if one.order["id"] != live or one.row.get("state") == "done":
                continue
            done = sum(
                float(other.row.get("qty_produced") or 0)
                for other in operations
                if other.name == one.name and other.order["id"] != live
            )
            least = max(good.get(one.name, 0.0) - done, beyond.get(one.name, 0.0))
            if _made(one.row) < least:
                await self._reach(int(one.row["id"]), least)

    async def _good(self, names: Mapping[int, str]) -> dict[str, float]:
        """Pieces of our reports, by the operation's name."""
        out: dict[str, float] = {}
        domain = [["workorder_id", "in", list(names)]]
        for row in await self.records.search(LINES, domain, ["workorder_id", "description"]):
            name = names.get(int((row.get("workorder_id") or {}).get("id") or 0), "")
            out[name] = out.get(name, 0.0) + _pieces(_GOOD, row)
        return out

    async def _lines(self, operation: int) -> list[Row]:
        """Those of our reports, in the order in which they were made."""
        domain = [["workorder_id", "=", operation], ["description", "=like", "[report:%"]]
        rows = await self.records.search(LINES, domain, ["workorder_id", "description"])
        here = [row for row in rows if (row.get("workorder_id") or {}).get("id") == operation]
        return [row for row in here if _says(row).startswith("[report:")]

    async def _reach(self, operation: int, least: float = 0.0) -> None:
        """Until the operation shows what its lines promise, and `least`: another hub may have read before
        our write and written after it. Only ever up: what people have entered beyond it stays."""
        for _ in range(_LOOKS):
            work = await self.records.by_id(OPERATIONS, operation, ["qty_produced", "state"])
            wanted = max(least, due(await self._lines(operation)))
            if _ended(work) or _made(work) >= wanted:
                return
            if self.records.config.start_operations and work.get("state") in _IDLE:
                await self._start(operation)
            await self.records.write(OPERATIONS, operation, {"qty_produced": wanted})
        raise ErpUnavailable(
            f"others write to operation {operation} in Odoo as often as we do", in_doubt=True
        )

    async def _start(self, operation: int) -> None:
        """So that the office sees the order in progress; nobody's stopwatch is left running."""
        await self.records.press(OPERATIONS, "button_start", operation)
        await self.records.press(OPERATIONS, "button_pending", operation)


class Hours(Lines):
    kind = "hours"

    async def find(self, key: str) -> str | None:
        row = await self.found(key)
        return None if row is None else str(row["id"])

    async def book(self, key: str, fields: Mapping[str, Any]) -> str:
        row = await self.found(key)
        if row is not None:
            return str(row["id"])
        on = await self.floor.operation(str(fields["order"]), str(fields["operation"]))
        at = fields.get("at") or self.clock.now()
        end = at.astimezone(UTC) if isinstance(at, datetime) else self.clock.now()
        spans = {
            f"{whose}_from": end - timedelta(seconds=float(fields.get(f"{whose}_seconds") or 0))
            for whose in ("labour", "machine")
        }
        return str(await self.line(key, {**fields, **spans}, on))


def scrapped(row: Row) -> float:
    return _pieces(_SCRAP, row)


def _pieces(what: re.Pattern[str], row: Row) -> float:
    text = _says(row)
    found = what.search(text) if text.startswith("[report:") else None
    return float(found[1]) if found else 0.0


def due(lines: Sequence[Row]) -> float:
    """What these lines, by their ids, promise of their operation: each its total, and no less than what was
    promised before it and its own pieces. What came between (entered by people) is in the totals."""
    promised = 0.0
    for row in lines:
        promised = max(_total(row), promised + _pieces(_GOOD, row))
    return promised


def _total(row: Row) -> float:
    found = _TOTAL.search(_says(row))
    return float(found[1]) if found else 0.0


def _says(row: Row) -> str:
    return str(row.get("description") or "")


def _made(work: Row) -> float:
    return float(work.get("qty_produced") or 0)


def _ended(work: Row) -> bool:
    """An operation that is done has what it has: its total is not written any more."""
    return work.get("state") in ("done", "cancel")
