"""SAP's books: the simulated system, read and written as a clerk would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from erp_bridge.sap_s4 import SapConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import LAG_SECONDS, ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.sap import seed
from tests.simulators.sap.books import Row
from tests.simulators.sap.confirmations import MOVEMENTS
from tests.simulators.sap.confirmations import SET as CONFIRMATIONS
from tests.simulators.sap.notifications import SET as NOTIFICATIONS
from tests.simulators.sap.orders import SET as ORDERS
from tests.simulators.sap.schema import Field
from tests.simulators.sap.server import SapSimulator
from tests.simulators.sap.sessions import Account

ZONE = ZoneInfo("Asia/Shanghai")
CUSTOM = "ZZ1_FaultCode_NTF"  # a field that the plant's key user has added
SETS = {
    "ticket": [NOTIFICATIONS, "SetMaintNotifToInProcess", "CompleteMaintNotification"],
    "report": [CONFIRMATIONS],
    "posting": [CONFIRMATIONS],
    "": [],
}
QUALITY = "M3"
SAME = (
    "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
    "rate_limited", "locked", "session_dead",
)  # fmt: skip


class SapBooks:
    facts = Facts(
        equipment=seed.EQUIPMENT, order=seed.ORDER, operation="20", item=seed.ITEM, order_quantity=400,
        orders=seed.ON_FLOOR, sales_order="3001", component=seed.COMPONENT, lot=seed.LOT, warehouse="171A",
    )  # fmt: skip

    def __init__(self, erp: SapSimulator) -> None:
        self.erp = erp
        self._system = erp.system

    def connector(self, clock: Clock, **changes: Any) -> SapConnector:
        account = self.erp.account
        block = {
            "url": self.erp.url, "client": account.client, "user": account.user,
            "password": account.password, "plants": [seed.PLANT], "timeout": "5s", "page_rows": 4,
            "quality_notification": QUALITY, "employees": {"op-a": "1203"},
        }  # fmt: skip
        return SapConnector(SapConnector.Config.model_validate(block | changes), clock)

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        with self._system.lock:
            rows = [r for r in self._system.books.rows(NOTIFICATIONS) if r["NotificationType"] != QUALITY]
        return [
            ClerkTicket(
                row["MaintNotifExtReferenceNumber"], row[NOTIFICATIONS], row.get("TechnicalObject", ""),
                f"{row['NotificationText']}\n{row.get('MaintNotifLongTextForEdit', '')}",
                row["NotifProcessingPhase"] in ("4", "5"), row,
            )
            for row in rows
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        return [
            ClerkPosting(
                row["ConfirmationText"], row["OrderID"], row["OrderOperation"].lstrip("0"),
                float(_amount(row, "ConfirmationYieldQuantity")),
                float(_amount(row, "ConfirmationScrapQuantity")), row,
            )
            for row in self._confirmed()
            if _amount(row, "ConfirmationYieldQuantity")
        ]  # fmt: skip

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        match kind:
            case PostingKind.RECEIPT:
                return self._moved("101")
            case PostingKind.ISSUE:
                return self._moved("261")
            case PostingKind.QUALITY:
                return self._inspected()
            case PostingKind.SCRAP:
                return self._counted("ConfirmationScrapQuantity")
        return self._counted("OpConfirmedWorkQuantity1", Decimal(60))

    def _confirmed(self) -> list[Row]:
        with self._system.lock:
            rows = list(self._system.books.rows(CONFIRMATIONS))
        return [r for r in rows if not r["IsReversed"] and not r["IsReversal"]]

    def _counted(self, name: str, per: Decimal = Decimal(1)) -> list[ClerkPosting]:
        return [
            ClerkPosting(r["ConfirmationText"], r["OrderID"], "", float(_amount(r, name) / per), 0.0, r)
            for r in self._confirmed()
            if _amount(r, name)
        ]

    def _moved(self, kind: str) -> list[ClerkPosting]:
        with self._system.lock:
            rows = self._system.books.where(MOVEMENTS, GoodsMovementType=kind)
        return [
            ClerkPosting("", r["OrderID"], "", float(_amount(r, "QuantityInEntryUnit")), 0.0, r) for r in rows
        ]

    def _inspected(self) -> list[ClerkPosting]:
        with self._system.lock:
            rows = self._system.books.where(NOTIFICATIONS, NotificationType=QUALITY)
        return [ClerkPosting(r["MaintNotifExtReferenceNumber"], "", "", 0.0, 0.0, r) for r in rows]

    async def order(self, number: str) -> Mapping[str, Any]:
        row = self._order(number)
        due = datetime.combine(row["MfgOrderPlannedEndDate"], row["MfgOrderPlannedEndTime"], ZONE)
        importance = row.get("ManufacturingOrderImportance")
        return {
            "priority": int(importance) if importance else None, "due_at": due.astimezone(UTC),
            "quantity": int(row["TotalQuantity"]),
        }  # fmt: skip

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        number = next(t.number for t in await self.tickets() if t.key == key)
        with self._system.lock:
            self._system.notifications.by_hand(number, "4")

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        local = due_at.astimezone(ZONE).replace(tzinfo=None)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        changed = {"MfgOrderPlannedEndDate": day, "MfgOrderPlannedEndTime": local.time()}
        self._put(self._order(number) | changed | {"TotalQuantity": Decimal(quantity)})

    async def cancel_order(self, number: str) -> None:
        self._put(self._order(number) | {"OrderIsMarkedForDeletion": "X"})

    def _order(self, number: str) -> Row:
        with self._system.lock:
            (found,) = self._system.books.where(ORDERS, ManufacturingOrder=number)
        return found

    def _put(self, row: Row) -> None:
        with self._system.lock:
            self._system.orders.put(row)

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "lag":
            self.erp.faults.add("lag", seconds=LAG_SECONDS)
        elif kind == "down":
            self.erp.faults.add("down")
        else:
            self.erp.faults.add(kind, sets=SETS[on], times=times)

    async def clear(self) -> None:
        self.erp.faults.clear()


def _amount(row: Row, name: str) -> Decimal:
    return Decimal(row.get(name) or 0)


class SapWorld:
    name = "sap-s4"
    faults = frozenset({*SAME, "down", "lag", *ODD})
    secret = "password-that-nobody-may-read"
    wrong_login: Mapping[str, Any] = {"password": "another-secret"}
    hidden_keys = ("MaintNotifExtReferenceNumber", "ExternalSystemConfirmation")
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(Material)"}}}}

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[SapBooks]:
        with SapSimulator(account=Account(password=self.secret), now=clock.now) as simulator:
            notifications = simulator.system.services["API_MAINTNOTIFICATION"]
            notifications.add_field("MaintenanceNotificationType", Field(CUSTOM, "Edm.String", 20))
            yield SapBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {CUSTOM: "filled(fault_code)"}}}}, CUSTOM


WORLD = SapWorld()
