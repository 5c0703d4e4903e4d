"""Kingdee Galaxy's books: the simulated server, read and written as a clerk would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from hub.testing.clock import NOON
from tests.contract.erp.world import LAG_SECONDS, ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.kingdee.books import SERVER_ZONE, Record
from tests.simulators.kingdee.seed import local
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.sessions import Account

TICKET = "AH_EquipRepair"
CUSTOM = "F_PLANT_Code"  # a field that the plant's key user has added to the bill
WRITES = ("Save", "Push", "Submit", "Audit", "UnAudit", "ExcuteOperation")
FORMS = {  # what of it is written, by the form that the calls name
    "ticket": (TICKET,),
    "report": ("SFC_OperationPlanning", "SFC_OperationReport"),
    "posting": ("PRD_MO", "PRD_INSTOCK"),
    "": (),
}
POSTINGS = {  # form, field of our key, field of the quantity
    PostingKind.RECEIPT: ("PRD_INSTOCK", "f_ah_extkey", "frealqty"),
    PostingKind.ISSUE: ("PRD_PickMtrl", "f_ah_extkey", "factualqty"),
    PostingKind.QUALITY: ("QM_InspectBill", "f_ah_extkey", "finspectqty"),
    PostingKind.HOURS: ("PRD_MORPT", "f_ah_rptkey", "fhrworktime"),
    PostingKind.SCRAP: ("SFC_OperationReport", "f_ah_rptkey", "fprocessfailqty"),
}
FAULTS = {
    "drop_after_commit": "drop_after_commit",
    "error_after_commit": "error_500_after_commit",
    "garbage_after_commit": "garbage_after_commit",
    "unavailable": "bad_gateway",
    "drop_before": "drop_before",
    "rate_limited": "quota",
    "locked": "busy",
    "session_dead": "session_death",
}


class KingdeeBooks:
    facts = Facts(
        equipment="EQ-CNC-03", order="MO0001", operation="20", item="A100", order_quantity=400, orders=10,
        sales_order="SO2001", component="R-STEEL", lot="L2601", warehouse="CK01",
    )  # fmt: skip

    def __init__(self, erp: KingdeeSimulator) -> None:
        self._erp = erp

    def connector(self, clock: Clock, **changes: Any) -> KingdeeGalaxyConnector:
        account = self._erp.account
        block = {
            "server_url": self._erp.url, "acct_id": account.acct_id, "user": account.user,
            "app_id": account.app_id, "app_secret": account.app_secret, "timeout": "5s", "page_rows": 4,
        }  # fmt: skip
        return KingdeeGalaxyConnector(KingdeeGalaxyConnector.Config.model_validate(block | changes), clock)

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        with self._erp.service.lock:
            shown = {t["id"]: t for t in self._erp.tickets()}
            return [
                ClerkTicket(
                    shown[r.id]["key"], r.number, shown[r.id]["equipment"], shown[r.id]["title"],
                    r.status == "C" or shown[r.id]["state"] in ("DONE", "CANCELLED"), _fields(r),
                )
                for r in self._erp.books.all(TICKET)
            ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        return [
            ClerkPosting(r["key"], r["order"], r["operation"], r["good"] or 0.0, r["scrap"] or 0.0, r)
            for r in self._erp.reports()
            if r["status"] == "C"
        ]

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        form, key, amount = POSTINGS[kind]
        with self._erp.service.lock:
            bills = [
                r for r in self._erp.books.all(form) if r.status == "C" and r.values["fcancelstatus"] != "B"
            ]
            return [self._posting(kind, r, key, amount) for r in bills]

    def _posting(self, kind: PostingKind, record: Record, key: str, amount: str) -> ClerkPosting:
        row = record.rows["fentity"][0].values
        lot = self._erp.books.get("BD_BatchMainFile", row.get("flot") or 0)
        order = row.get("fmobillno") or row.get("fmonumber") or row.get("f_ah_mono") or ""
        fields = row | {"flot": lot.number if lot else ""}
        operation = row.get("fopernumber") or row.get("f_ah_operno") or ""
        return ClerkPosting(record.values[key], order, operation, row[amount], 0.0, fields)

    async def order(self, number: str) -> Mapping[str, Any]:
        line = self._order(number).rows["ftreeentity"][0].values
        due = datetime.fromisoformat(line["fplanfinishdate"]).replace(tzinfo=SERVER_ZONE)
        with self._erp.service.lock:
            sale = self._erp.books.numbered("SAL_SaleOrder", line["fsaleorderno"])
            assert sale is not None
            wish = next(
                r for r in sale.rows["fsaleorderentry"] if r.values["fmaterialid"] == line["fmaterialid"]
            )
        return {
            "priority": int(wish.values["fpriority"]), "due_at": due, "quantity": int(line["fqty"]),
            "rush": wish.values["f_ah_rush"],
        }  # fmt: skip

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        self._erp.close_ticket_by_hand(next(t["id"] for t in self._erp.tickets() if t["key"] == key))

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        order = self._order(number)
        order.rows["ftreeentity"][0].values |= {"fqty": float(quantity), "fplanfinishdate": local(due_at)}
        self._put(order)

    async def cancel_order(self, number: str) -> None:
        order = self._order(number)
        order.values["fcancelstatus"] = "B"
        self._put(order)

    def _order(self, number: str) -> Record:
        with self._erp.service.lock:
            found = self._erp.books.numbered("PRD_MO", number)
            assert found is not None, number
            return found.copy()

    def _put(self, record: Record) -> None:
        with self._erp.service.lock:
            self._erp.books.put(record)
            self._erp.books.commit()

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "lag":
            self._erp.faults.add("lag", seconds=LAG_SECONDS)
        elif kind in ("down", *ODD):
            self._erp.faults.add(kind)
        else:
            self._erp.faults.add(FAULTS[kind], services=list(WRITES), forms=list(FORMS[on]), times=times)

    async def clear(self) -> None:
        self._erp.faults.clear()


def _fields(record: Record) -> dict[str, Any]:
    """By the field keys as the designer shows them."""
    return {f.key: record.values.get(f.key.lower()) for f in record.kind.all_fields}


class KingdeeWorld:
    name = "kingdee-galaxy"
    faults = frozenset({*FAULTS, *ODD, "down", "lag"})
    secret = "app-secret-that-nobody-may-read"
    wrong_login: Mapping[str, Any] = {"app_secret": "another-secret"}
    broken_orders: Mapping[str, Any] = {
        "documents": {"order": {"read": {"quantity": "number(FMaterialId.FName)"}}}
    }

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[KingdeeBooks]:
        account = Account(app_secret=self.secret, idle=timedelta(minutes=20))
        with KingdeeSimulator(account=account, now=clock.now, order_start=NOON) as simulator:
            yield KingdeeBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = KingdeeWorld()
