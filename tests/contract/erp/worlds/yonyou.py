"""U9's books: the simulated site, read and written as a clerk would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.yonyou_u9 import YonyouU9Connector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import LAG_SECONDS, ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.yonyou import seed
from tests.simulators.yonyou.books import Row
from tests.simulators.yonyou.orders import code_of
from tests.simulators.yonyou.server import YonyouSimulator
from tests.simulators.yonyou.sessions import Account

ZONE = ZoneInfo("Asia/Shanghai")
CUSTOM = "DescFlexField.PrivateDescSeg7"  # a custom field that the plant's key user has set up
PATHS = {
    "ticket": ["AHEquipRepair/"],
    "report": ["CompleteDoc/", "OpTransferDoc/", "MODoc/"],
    "posting": ["CompleteDoc/", "IssueDoc/", "QCDoc/", "MESAPIMOWorkHour/"],
    "": [],
}
SAME = (
    "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
    "rate_limited", "locked", "session_dead",
)  # fmt: skip


class YonyouBooks:
    facts = Facts(
        equipment=seed.EQUIPMENT, order=seed.ORDER, operation="30", item=seed.ITEM,
        order_quantity=seed.ORDERED,
        orders=seed.RELEASED, sales_order=seed.SALES_ORDER, component=seed.COMPONENT, lot=seed.LOT,
        warehouse=seed.WAREHOUSE,
    )  # fmt: skip

    def __init__(self, erp: YonyouSimulator) -> None:
        self.erp = erp
        self._system = erp.system

    def connector(self, clock: Clock, **changes: Any) -> YonyouU9Connector:
        account = self.erp.account
        block = {
            "server_url": self.erp.url, "client_id": account.client_id,
            "client_secret": account.client_secret,
            "ent_code": account.ent_code, "user_code": account.user_code, "org_code": account.org_code,
            "timeout": "5s", "rows_at_once": 3, "employees": {"op-a": "E001"},
            "services": {"order_change": {"modify": "AHMOChange/Modify"}},
        }  # fmt: skip
        return YonyouU9Connector(YonyouU9Connector.Config.model_validate(block | changes), clock)

    def _rows(self, shelf: str) -> list[Row]:
        with self._system.lock:
            return self._system.books.rows(shelf)

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        return [
            ClerkTicket(
                row["OtherID"], row["DocNo"], row.get("EquipCode", ""), row["FaultDesc"],
                row["DocState"] == 3,
                row | {f"DescFlexField.{n}": v for n, v in (row.get("DescFlexField") or {}).items()},
            )
            for row in self._rows("repair")
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        found = [*self._approved("completion"), *self._approved("transfer")]
        return [
            ClerkPosting(
                row["OtherID"], code_of(row, "MO"), row.get("CompleteOp") or row.get("SrcOpNum", ""),
                row["EligibleQty"], row["ScrapQty"], row,
            )
            for row in found
            if not row.get("CompleteRptRcvLines") and row["EligibleQty"]
        ]  # fmt: skip

    def _approved(self, shelf: str) -> list[Row]:
        return [row for row in self._rows(shelf) if row["DocState"] >= 2]

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        match kind:
            case PostingKind.RECEIPT:
                rows = [r for r in self._approved("completion") if r["DocState"] == 3]
                return [_posting(r, code_of(r, "MO"), r["EligibleQty"]) for r in rows]
            case PostingKind.ISSUE:
                lines = [(r, r["IssueDocLines"][0]) for r in self._approved("issue")]
                return [_posting(r, code_of(li, "MO"), li["IssueQty"]) for r, li in lines]
            case PostingKind.QUALITY:
                return [_posting(r, code_of(r, "MO"), 0) for r in self._approved("quality")]
            case PostingKind.SCRAP:
                rows = [r for r in self._approved("completion") if r["ScrapQty"]]
                return [_posting(r, code_of(r, "MO"), r["ScrapQty"]) for r in rows]
        return [_posting(r, code_of(r, "MO"), r["RunLaborHours"]) for r in self._rows("hours")]

    async def order(self, number: str) -> Mapping[str, Any]:
        row = self._order(number)
        due = datetime.fromisoformat(row["CompleteDate"]).replace(tzinfo=ZONE)
        return {
            "priority": row["Priority"],
            "due_at": due.astimezone(UTC),
            "quantity": int(row["ProductQty"]),
        }

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        with self._system.lock:
            row = self._system.books.one("repair", OtherID=key)
            assert row is not None
            self._system.books.put("repair", row | {"DocState": 3})

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        local = f"{due_at.astimezone(ZONE):%Y-%m-%dT%H:%M:%S}"
        self._put(self._order(number) | {"ProductQty": float(quantity), "CompleteDate": local})

    async def cancel_order(self, number: str) -> None:
        self._put(self._order(number) | {"Canceled": True})

    def _order(self, number: str) -> Row:
        with self._system.lock:
            found = self._system.books.one("order", DocNo=number)
        assert found is not None
        return found

    def _put(self, row: Row) -> None:
        with self._system.lock:
            self._system.books.put("order", row)

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "lag":
            self.erp.faults.add("lag", seconds=LAG_SECONDS)
        elif kind in ("down", *ODD):
            self.erp.faults.add(kind)
        else:
            self.erp.faults.add(kind, paths=PATHS[on], times=times)

    async def clear(self) -> None:
        self.erp.faults.clear()


def _posting(row: Row, order: str, quantity: float) -> ClerkPosting:
    return ClerkPosting(str(row["OtherID"]), order, "", quantity, 0.0, row)


class YonyouWorld:
    name = "yonyou-u9"
    faults = frozenset({*SAME, *ODD, "down", "lag"})
    secret = Account().client_secret
    wrong_login: Mapping[str, Any] = {"client_secret": "another-secret"}
    broken_orders: Mapping[str, Any] = {
        "documents": {"order": {"read": {"quantity": "number(ItemMaster.Name)"}}}
    }

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[YonyouBooks]:
        with YonyouSimulator(now=clock.now, cap=5) as simulator:
            yield YonyouBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = YonyouWorld()
