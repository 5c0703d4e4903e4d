"""Reports 报工 and hours 工时: lines of an operation's time tracking, one for each key.

A report is made in two steps, each repeated without harm: the line with its key, unique by its external id,
says what the operation's total will be; then the total is written. A line whose total is reached is booked.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.odoo_floor import LIVE, OPERATIONS, Floor, Operation
from erp_bridge.odoo_records import Records
from erp_bridge.odoo_values import Row
from hub.errors import ErpRefused
from hub.ports import Clock

log = logging.getLogger(__name__)

LINES, LOSSES = "mrp.workcenter.productivity", "mrp.workcenter.productivity.loss"
_TOTAL = re.compile(r"\btotal=(\d+(?:\.\d+)?)\b")
_SCRAP = re.compile(r"\bscrap=(\d+)\b")
_GOOD = re.compile(r"\bgood=(\d+)\b")
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
        rows = await self.records.search(LOSSES, [["loss_type", "=", "productive"]], [], most=1)
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
        return str(row["id"]) if row is not None and _booked(row) else None

    def turn(self, order: str) -> asyncio.Lock:
        return self._turns.setdefault(order, asyncio.Lock())

    async def report(self, key: str, fields: Mapping[str, Any]) -> str:
        """One at a time on an order: a total is read, then written."""
        number = str(fields["order"])
        async with self.turn(number):
            row = await self.found(key)
            if row is None:
                await self.settle(number, {})
                on = await self.floor.operation(number, str(fields["operation"]))
                total = await self._next_total(on, int(fields["good"]))
                line = await self.line(key, {**fields, "total": total}, on)
                await self._reach(int(on.row["id"]), total, str(on.row.get("state")))
                return str(line)
            if not _booked(row):
                work = row["workorder_id"]
                await self._reach(int(work["id"]), _total(row), str(work.get("state")))
            return str(row["id"])

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
            due = max(good.get(one.name, 0.0) - done, beyond.get(one.name, 0.0))
            if float(one.row.get("qty_produced") or 0) < due:
                await self._reach(int(one.row["id"]), due, str(one.row.get("state")))

    async def _good(self, names: Mapping[int, str]) -> dict[str, float]:
        """Pieces of our reports, by the operation's name."""
        out: dict[str, float] = {}
        domain = [["workorder_id", "in", list(names)]]
        for row in await self.records.search(LINES, domain, ["workorder_id", "description"]):
            name = names[int(row["workorder_id"]["id"])]
            out[name] = out.get(name, 0.0) + _pieces(_GOOD, row)
        return out

    async def _next_total(self, on: Operation, good: int) -> float | int:
        """Reports that have promised a total count, even if they were cut off before reaching it."""
        now = float(on.row.get("qty_produced") or 0)
        lines = await self.records.search(LINES, [["workorder_id", "=", on.row["id"]]], ["description"])
        promised = [_total(row) for row in lines if str(row.get("description") or "").startswith("[report:")]
        total = max([now, *promised[-1:]]) + good
        return int(total) if total == int(total) else total

    async def _reach(self, operation: int, total: float, state: str) -> None:
        if self.records.config.start_operations and state in _IDLE:
            await self._start(operation)
        await self.records.write(OPERATIONS, operation, {"qty_produced": total})

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
    text = str(row.get("description") or "")
    found = what.search(text) if text.startswith("[report:") else None
    return float(found[1]) if found else 0.0


def _total(row: Row) -> float:
    found = _TOTAL.search(str(row.get("description") or ""))
    return float(found[1]) if found else 0.0


def _booked(row: Row) -> bool:
    """An operation that is done has what it has: its total is not written any more."""
    on = row.get("workorder_id")
    if not isinstance(on, dict):
        return True
    return on.get("state") in ("done", "cancel") or float(on.get("qty_produced") or 0) >= _total(row)
