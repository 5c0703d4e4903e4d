"""Odoo's books: the simulated server, read and written as a clerk would."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from erp_bridge.odoo import OdooConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import ClerkPosting, ClerkTicket, Facts
from tests.simulators.odoo import seed
from tests.simulators.odoo.books import STAMP, Row
from tests.simulators.odoo.schema import Field
from tests.simulators.odoo.server import Account, OdooSimulator

CUSTOM = "x_fault_code"  # a field that the plant's key user has added
LINES = "mrp.workcenter.productivity"
MODELS = {
    "ticket": ("maintenance.request",),
    "report": (LINES, "mrp.workorder"),
    "posting": ("mrp.production", "stock.lot", "stock.scrap", "stock.move.line"),
    "": (),
}
_KEY = re.compile(r"\[(?:\w+:)?([^\]]+)\]")
_REPORT = re.compile(r"^\[report:([^\]]+)\] good=(\d+) scrap=(\d+) total=(\d+)")


class OdooBooks:
    def __init__(self, erp: OdooSimulator) -> None:
        self.erp = erp
        self._books = erp.service.books
        self.facts = Facts(
            equipment=seed.MACHINE, order="WH/MO/00001", operation="10", item=seed.ITEM,
            order_quantity=seed.ORDER_QUANTITY, orders=seed.ORDERS, sales_order=seed.SALE,
            component=seed.COMPONENT, lot=seed.LOT, warehouse="WH",
        )  # fmt: skip

    def connector(self, clock: Clock, **changes: Any) -> OdooConnector:
        account = self.erp.account
        block = {
            "url": self.erp.url, "database": account.database, "user": account.login, "api_key": account.key,
            "timeout": "5s", "page_rows": 3,
        }  # fmt: skip
        return OdooConnector(OdooConnector.Config.model_validate(block | changes), clock)

    def rows(self, model: str) -> list[Row]:
        with self.erp.service.lock:
            return [dict(row) for row in self._books.tables[model].values()]

    def of(self, model: str, record: Any) -> Row:
        return self._books.tables[model].get(record, {})

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        return [
            ClerkTicket(
                _KEY.findall(row["name"])[0], str(row["id"]),
                self.of("maintenance.equipment", row.get("equipment_id")).get("serial_no", ""),
                f"{row['name']}\n{row.get('description')}", bool(row["done"]), row,
            )
            for row in self.rows("maintenance.request")
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        """A line counts when its operation has got there."""
        out = []
        for row in self.rows(LINES):
            found = _REPORT.match(row.get("description") or "")
            work = self.of("mrp.workorder", row.get("workorder_id"))
            if found and work["qty_produced"] >= int(found[4]):
                order = self.of("mrp.production", work["production_id"])["name"]
                place = str(10 * (work["sequence"] - 99))
                out.append(ClerkPosting(found[1], order, place, float(found[2]), float(found[3]), row))
        assert sum(r.quantity for r in out) == sum(w["qty_produced"] for w in self.rows("mrp.workorder"))
        return out

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        if kind is PostingKind.RECEIPT:
            return [self._receipt(r) for r in self.rows("mrp.production") if r["state"] == "done"]
        if kind is PostingKind.ISSUE:
            ours = {i for model, i in self._books.externals.values() if model == "stock.move.line"}
            return [self._issue(r) for r in self.rows("stock.move.line") if r["id"] in ours]
        if kind is PostingKind.SCRAP:
            return [
                ClerkPosting(_KEY.findall(r["origin"])[0], "", "", r["scrap_qty"], 0.0, r)
                for r in self.rows("stock.scrap") if r["state"] == "done"
            ]  # fmt: skip
        if kind is PostingKind.QUALITY:
            return [
                ClerkPosting(_KEY.findall(r["body"])[0], "", "", 0.0, 0.0, r)
                for r in self.rows("mail.message") if "[quality:" in r["body"]
            ]  # fmt: skip
        return [
            ClerkPosting(_KEY.findall(r["description"])[0], "", "", _hours(r), 0.0, r)
            for r in self.rows(LINES) if str(r.get("description")).startswith("[hours:")
        ]  # fmt: skip

    def _receipt(self, row: Row) -> ClerkPosting:
        lots = [self.of("stock.lot", i)["name"] for i in row.get("lot_producing_ids") or []]
        lots += [self.of("stock.lot", row["lot_producing_id"])["name"]] if row.get("lot_producing_id") else []
        number = row["name"].removesuffix("-001")
        return ClerkPosting(
            _KEY.findall(row["origin"])[0], number, "", row["qty_produced"], 0.0, row | {"lots": lots}
        )

    def _issue(self, row: Row) -> ClerkPosting:
        move = self.of("stock.move", row["move_id"])
        order = self.of("mrp.production", move["raw_material_production_id"])
        key = next(n for n, found in self._books.externals.items() if found == ("stock.move.line", row["id"]))
        lot = self.of("stock.lot", row["lot_id"]).get("name")
        return ClerkPosting(key, order["name"], "", row["quantity"], 0.0, row | {"lot": lot})

    async def order(self, number: str) -> Mapping[str, Any]:
        row = self._order(number)
        due = datetime.strptime(row["date_deadline"], STAMP).replace(tzinfo=UTC)
        return {
            "priority": 1 if row["priority"] == "1" else 5, "due_at": due, "quantity": int(row["product_qty"])
        }  # fmt: skip

    # ------------------------------------------------------------------ what a clerk does
    def write(self, model: str, record: int, **values: Any) -> None:
        self.erp.service.call(model, "write", {"ids": [record], "vals": values})

    async def close_ticket(self, key: str) -> None:
        row = next(t.fields for t in await self.tickets() if t.key == key)
        self.write("maintenance.request", row["id"], stage_id=3)

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        due = due_at.astimezone(UTC).strftime(STAMP)
        self.write(
            "mrp.production", self._order(number)["id"], product_qty=float(quantity), date_deadline=due
        )

    async def cancel_order(self, number: str) -> None:
        self.erp.service.call("mrp.production", "action_cancel", {"ids": [self._order(number)["id"]]})

    def _order(self, number: str) -> Row:
        (found,) = [r for r in self.rows("mrp.production") if r["name"] == number]
        return found

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        self.erp.faults.add(kind, MODELS[on], times)

    async def clear(self) -> None:
        self.erp.faults.clear()


def _hours(row: Row) -> float:
    begin, end = (datetime.strptime(row[n], STAMP).replace(tzinfo=UTC) for n in ("date_start", "date_end"))
    return (end - begin).total_seconds() / 3600


class OdooWorld:
    name = "odoo"
    beside_reports = (PostingKind.HOURS,)  # a receipt makes up for what operations lack: their sums move
    faults = frozenset(
        {
            "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable", "drop_before",
            "rate_limited", "locked", "down", "page", "same_page", "any_document", "renamed",
        }
    )  # fmt: skip
    secret = "api-key-that-nobody-may-read"
    wrong_login: Mapping[str, Any] = {"api_key": "another-secret"}
    hidden_keys, nothing = ("name", "description"), False
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(name)"}}}}
    release = 19

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[OdooBooks]:
        with OdooSimulator(
            account=Account(key=self.secret), now=clock.now, release=self.release
        ) as simulator:
            simulator.service.books.schema["maintenance.request"][CUSTOM] = Field(CUSTOM, "char")
            yield OdooBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = OdooWorld()
