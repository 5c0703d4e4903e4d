"""Tryton's books: the real server, read in its database as a clerk would see them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from erp_bridge.tryton import TrytonConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.tryton import seed
from tests.simulators.tryton.proxy import FailingProxy, failing_proxy
from tests.simulators.tryton.rpc import Rpc, day
from tests.simulators.tryton.server import DATABASE, TrytonServer, Unavailable, server

ZONE = ZoneInfo("Asia/Shanghai")
CUSTOM = "sequence"  # a field of a task that our maps leave alone
_TICKETS = """
select work.*, machine.name as machine, status.progress as status_progress
from project_work work join project_work_status status on status.id = work.status
left join project_work machine on machine.id = work.parent where work.type = 'task' order by work.id
"""
_CYCLES = """
select note.message, cycle.state, work.sequence as operation, production.number as "order"
from ir_note note join production_work_cycle cycle on note.resource = 'production.work.cycle,' || cycle.id
join production_work work on work.id = cycle.work join production on production.id = work.production
where cycle.state = 'done' order by cycle.id
"""
_OUTPUTS = """
select note.message, move.quantity, move.lot as lot_id, lot.number as lot, production.number as "order",
       place.type as place
from ir_note note join stock_move move on note.resource = 'stock.move,' || move.id
join production on production.id = move.production_output
join stock_location place on place.id = move.to_location left join stock_lot lot on lot.id = move.lot
where move.state = 'done' and note.message like '%' || :mark || '%' order by move.id
"""
_SHIPMENTS = """
select shipment.reference, move.quantity, lot.number as lot
from stock_shipment_internal shipment join stock_move move
on move.shipment = 'stock.shipment.internal,' || shipment.id left join stock_lot lot on lot.id = move.lot
where shipment.state = 'done' and move.state = 'done' order by move.id
"""
_INSPECTIONS = """
select inspection.*, production.number as "order" from quality_inspection inspection
left join production on inspection.origin = 'production,' || production.id
where inspection.state <> 'pending' order by inspection.id
"""
_HOURS = """
select line.*, production.number as "order" from timesheet_line line
join timesheet_work sheet on sheet.id = line.work
join production_work work on sheet.origin = 'production.work,' || work.id
join production on production.id = work.production order by line.id
"""


class TrytonBooks:
    facts = Facts(
        equipment="CNC-03", order="MO0001", operation="10", item=seed.ITEM, component=seed.COMPONENT,
        order_quantity=seed.ORDER_QUANTITY, orders=seed.ORDERS, sales_order="SO0001", lot=seed.LOT,
        warehouse="WH",
    )  # fmt: skip

    def __init__(self, erp: TrytonServer, proxy: FailingProxy) -> None:
        self._erp = erp
        self.proxy = proxy

    def connector(self, clock: Clock, **changes: Any) -> TrytonConnector:
        block = {
            "url": self.proxy.url, "database": DATABASE, "user": seed.USER, "password": seed.PASSWORD,
            "page_rows": 6, "timeout": "30s", "employees": {"op-a": seed.EMPLOYEE},
        }  # fmt: skip
        return TrytonConnector(TrytonConnector.Config.model_validate(block | changes), clock)

    def clerk(self) -> Rpc:
        return Rpc(self._erp.url, DATABASE, seed.CLERK, seed.CLERK_PASSWORD)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self._erp.opened() as books:
            books.row_factory = sqlite3.Row
            return [dict(row) for row in books.execute(query, values)]

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        return [
            ClerkTicket(
                row["name"].split(" ")[0], row["number"], row["machine"] or "",
                f"{row['name']}\n{row['comment']}",
                row["status_progress"] == 1.0, row,
            )
            for row in self.rows(_TICKETS)
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        out = []
        for row in self.rows(_CYCLES):
            key, good, scrap = re.findall(r"^(\S+) good=(\d+) scrap=(\d+)", row["message"])[0]
            out.append(ClerkPosting(key, row["order"], str(row["operation"]), float(good), float(scrap), row))
        return out

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        if kind is PostingKind.ISSUE:
            rows = [
                row | {"key": row["reference"], "order": row["reference"].split()[1]}
                for row in self.rows(_SHIPMENTS)
            ]
        elif kind is PostingKind.QUALITY:
            rows = [row | {"key": row["reference"], "quantity": 0.0} for row in self.rows(_INSPECTIONS)]
        elif kind is PostingKind.HOURS:
            rows = [
                row | {"key": row["description"], "quantity": row["duration"] / 3600}
                for row in self.rows(_HOURS)
            ]
        else:
            place = "lost_found" if kind is PostingKind.SCRAP else "storage"
            found = self.rows(_OUTPUTS, mark=f"[{kind.value}]")
            assert {row["place"] for row in found} <= {place}
            rows = [row | {"key": row["message"]} for row in found]
        return [ClerkPosting(r["key"].split()[0], r["order"], "", r["quantity"], 0.0, r) for r in rows]

    async def order(self, number: str) -> Mapping[str, Any]:
        (row,) = self.rows("select * from production where number = :number", number=number)
        due = datetime.combine(date.fromisoformat(row["planned_date"]), time(23, 59), ZONE)
        return {"priority": None, "due_at": due, "quantity": int(row["quantity"]), "state": row["state"]}

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        clerk = self.clerk()
        done = clerk.one("project.work.status", ["progress", "=", 1.0])
        task = clerk.one("project.work", ["name", "like", f"{key} %"])
        clerk("project.work.write", [task], {"status": done, "progress": 1.0})
        clerk.close()

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        clerk = self.clerk()
        order = clerk.one("production", ["number", "=", number])
        due = due_at.astimezone(ZONE).date()
        clerk("production.draft", [order])
        values = {
            "quantity": float(quantity),
            "planned_date": day(due),
            "planned_start_date": day(due - timedelta(days=4)),
        }
        clerk("production.write", [order], values)
        clerk("production.wait", [order])
        clerk.close()

    async def cancel_order(self, number: str) -> None:
        clerk = self.clerk()
        clerk("production.cancel", [clerk.one("production", ["number", "=", number])])
        clerk.close()

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "down":
            await self.proxy.down()
        elif kind == "session_dead":
            with self._erp.opened() as books:
                books.execute("delete from ir_session")
                books.commit()
        elif kind in ODD:
            self.proxy.odd.add(kind)
        else:
            self.proxy.plan(kind, on, times)

    async def clear(self) -> None:
        self.proxy.forget()
        await self.proxy.up()


class TrytonWorld:
    name = "tryton"
    runs_in_tests, bad_day_size = 20, 1  # a real server: thirty milliseconds for each exchange
    marks = (pytest.mark.timeout(600),)  # the first to ask may have to prepare the database
    faults = frozenset(
        {
            "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable", "drop_before",
            "rate_limited", "locked", "session_dead", "down", *ODD,
        }
    )  # fmt: skip
    secret = seed.PASSWORD
    wrong_login: Mapping[str, Any] = {"password": "another-secret"}
    hidden_keys = ("name", "resource")  # of a ticket, of the note that makes a cycle our report
    broken_orders: Mapping[str, Any] = {
        "documents": {"order": {"read": {"quantity": "number(product.name)"}}}
    }

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[TrytonBooks]:
        """Tryton's own clock runs on: what was prepared is older than a test, what it does is later."""
        try:
            erp = server()
        except Unavailable as why:
            pytest.skip(f"no Tryton here: {why}")
        erp.reset()
        async with failing_proxy(erp.url) as proxy:
            yield TrytonBooks(erp, proxy)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "fault_code"}}}}, CUSTOM


WORLD = TrytonWorld()
