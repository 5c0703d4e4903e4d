"""Jiandaoyun's books: the simulated platform, read and written as a clerk would in the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import LAG_SECONDS, ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.books import Values
from tests.simulators.jiandaoyun.keys import Key
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

SECRET = "api-key-that-nobody-may-read"
CUSTOM = "故障类别"  # a field that the plant's key user has added; it has a title and no alias
FORMS = {"ticket": ["ah_repair"], "report": ["ah_op_report"], "posting": ["ah_completion"], "": []}
POSTED = {
    PostingKind.RECEIPT: ("ah_completion", "qty"), PostingKind.ISSUE: ("ah_issue", "qty"),
    PostingKind.QUALITY: ("ah_quality", ""), PostingKind.HOURS: ("ah_hours", "labour_hours"),
    PostingKind.SCRAP: ("ah_scrap", "qty"),
}  # fmt: skip
SAME = (
    "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
    "rate_limited", "locked",
)  # fmt: skip
CLOSED = ("已完成", "已关闭")


class JiandaoyunBooks:
    facts = Facts(
        equipment=seed.EQUIPMENT, order=seed.ORDER, operation="10", item=seed.ITEM,
        order_quantity=seed.QUANTITY, orders=seed.ORDERS, sales_order=seed.SALES_ORDER,
        component=seed.COMPONENT, lot=seed.LOT, warehouse=seed.WAREHOUSE, employee={"tech-a": seed.WORKER},
    )  # fmt: skip

    def __init__(self, erp: JiandaoyunSimulator) -> None:
        self.erp = erp

    def connector(self, clock: Clock, **changes: Any) -> JiandaoyunConnector:
        """Receipts run 智能助手, which keeps the stock; all else is made in batches."""
        block = {
            "base_url": self.erp.url, "api_key": SECRET, "app_id": seed.APP, "timeout": "5s", "page_rows": 3,
            "pace": 0, "employees": dict(self.facts.employee), "without": [],
            "create": {"receipt": "single"},
        }  # fmt: skip
        return JiandaoyunConnector(JiandaoyunConnector.Config.model_validate(block | changes), clock)

    # ------------------------------------------------------------------ what a clerk sees
    def rows(self, form: str) -> list[Values]:
        return [r for r in self.erp.desk.rows(form) if r.get("state") != "重复"]

    async def tickets(self) -> Sequence[ClerkTicket]:
        form = self.erp.platform.books.form("ah_repair")
        return [
            ClerkTicket(
                row["ext_key"] or "", row["repair_no"], row["equip_code"] or "", row["fault_desc"] or "",
                row["state"] in CLOSED, row | {w.label: row[w.name] for w in form.widgets},
            )
            for row in self.rows("ah_repair")
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        return [
            ClerkPosting(
                row["ext_key"],
                row["wo_no"],
                row["op_no"],
                float(row["good_qty"]),
                float(row["scrap_qty"]),
                row,
            )
            for row in self.rows("ah_op_report")
        ]

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        form, quantity = POSTED[kind]
        return [
            ClerkPosting(
                row["ext_key"],
                row["wo_no"],
                row["op_no"] or "",
                float(row[quantity] if quantity else 0),
                0.0,
                row,
            )
            for row in self.rows(form)
        ]

    async def order(self, number: str) -> Mapping[str, Any]:
        row = self._order(number)
        return {
            "priority": row["priority"], "due_at": row["plan_end"], "quantity": row["qty"],
            "rush": row["rush"],
        }  # fmt: skip

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        found = next(r for r in self.rows("ah_repair") if r["ext_key"] == key)
        self.erp.desk.edit("ah_repair", found["_id"], {"state": "已完成"})

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        changed = {"qty": quantity, "plan_end": due_at.isoformat()}
        self.erp.desk.edit("ah_work_order", self._order(number)["_id"], changed)

    async def cancel_order(self, number: str) -> None:
        self.erp.desk.edit("ah_work_order", self._order(number)["_id"], {"state": "已关闭"})

    def _order(self, number: str) -> Values:
        return next(r for r in self.rows("ah_work_order") if r["wo_no"] == number)

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "lag":
            self.erp.faults.add("lag", seconds=LAG_SECONDS)
        elif kind in ("down", *ODD):
            self.erp.faults.add(kind)
        else:
            self.erp.faults.add(kind, forms=FORMS[on], times=times)

    async def clear(self) -> None:
        self.erp.faults.clear()


class JiandaoyunWorld:
    name = "jiandaoyun"
    faults = frozenset({*SAME, *ODD, "down", "lag"})
    secret = SECRET
    wrong_login: Mapping[str, Any] = {"api_key": "another-secret"}
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(item_code)"}}}}

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[JiandaoyunBooks]:
        with JiandaoyunSimulator(keys={SECRET: Key()}, now=clock.now) as simulator:
            yield JiandaoyunBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = JiandaoyunWorld()
