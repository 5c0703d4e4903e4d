"""Oracle's books: the simulated pod, read and written as a clerk would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from erp_bridge.oracle import OracleConnector
from hub.model.erp import PostingKind
from hub.ports import Clock
from tests.contract.erp.world import LAG_SECONDS, ODD, ClerkPosting, ClerkTicket, Facts
from tests.simulators.oracle import seed
from tests.simulators.oracle.books import Row
from tests.simulators.oracle.schema import INT, TEXT, Attribute, Resource
from tests.simulators.oracle.server import TOKEN, OracleSimulator
from tests.simulators.oracle.system import Account

CUSTOM = "andonFaultCode"  # a segment of the plant's flexfield
QUALITY = "M1_Inspections_c"  # a resource of the plant's own
RESOURCES = {
    "ticket": ["maintenanceWorkOrders"],
    "report": ["operationTransactions"],
    "posting": ["materialTransactions", "resourceTransactions", QUALITY],
    "": [],
}
SAME = (
    "drop_before", "drop_after_commit", "error_after_commit", "garbage_after_commit", "unavailable",
    "rate_limited", "locked", "session_dead",
)  # fmt: skip


class OracleBooks:
    facts = Facts(
        equipment=seed.ASSET, order=seed.ORDER, operation="20", item=seed.ITEM, order_quantity=400,
        orders=seed.ON_FLOOR, sales_order="SO-3001", component=seed.COMPONENT, lot=seed.LOT, warehouse="RAW",
    )  # fmt: skip

    def __init__(self, erp: OracleSimulator) -> None:
        self.erp = erp
        self._system = erp.system

    def block(self, **changes: Any) -> dict[str, Any]:
        account = self.erp.account
        return {
            "url": self.erp.url, "organization": seed.ORGANIZATION, "timeout": "5s", "page_rows": 4,
            "quality": {"resource": QUALITY, "key": "AndonKey"},
            "flex_context": "ANDON", "other_asset": seed.OTHER,
            "oauth": {"token_url": self.erp.url + TOKEN, "client_id": account.client_id,
                      "client_secret": account.client_secret},
        } | changes  # fmt: skip

    def connector(self, clock: Clock, **changes: Any) -> OracleConnector:
        return OracleConnector(OracleConnector.Config.model_validate(self.block(**changes)), clock)

    # ------------------------------------------------------------------ what a clerk sees
    async def tickets(self) -> Sequence[ClerkTicket]:
        with self._system.books.lock:
            rows = list(self._system.books.rows("maintenanceWorkOrders"))
        return [
            ClerkTicket(
                row["WorkOrderNumber"], row["WorkOrderNumber"], row.get("AssetNumber") or "",
                row["WorkOrderDescription"],
                row["WorkOrderSystemStatusCode"] in ("ORA_COMPLETED", "ORA_CLOSED", "ORA_CANCELED"),
                row | (row["WorkOrderDFF"] or [{}])[0],
            )
            for row in rows
        ]  # fmt: skip

    async def reports(self) -> Sequence[ClerkPosting]:
        return [
            ClerkPosting("", r["WorkOrderNumber"], str(r["WoOperationSequenceNumber"]), good, scrap, r)
            for r, good, scrap in self._reported()
        ]

    def _reported(self) -> list[tuple[Row, float, float]]:
        """Good pieces and the scrap of the same report: rows that came together."""
        found: list[tuple[Row, float, float]] = []
        for row in self._booked("operationTransactions"):
            quantity = row["TransactionQuantity"]
            if row["ToDispatchState"] == "COMPLETE":
                found.append((row, quantity, 0))
            elif found:
                found[-1] = (found[-1][0], found[-1][1], found[-1][2] + quantity)
        return found

    async def postings(self, kind: PostingKind) -> Sequence[ClerkPosting]:
        match kind:
            case PostingKind.RECEIPT:
                rows = self._booked("materialTransactions", TransactionTypeCode="PRODUCT_COMPLETION")
            case PostingKind.ISSUE:
                rows = self._booked("materialTransactions", TransactionTypeCode="MATERIAL_ISSUE")
            case PostingKind.HOURS:
                rows = self._booked("resourceTransactions", ResourceCode="OPERATOR")
            case PostingKind.SCRAP:
                rows = self._booked("operationTransactions", ToDispatchState="SCRAP")
            case PostingKind.QUALITY:
                with self._system.books.lock:
                    return [ClerkPosting("", "", "", 0, 0, r) for r in self._system.books.rows(QUALITY)]
        return [ClerkPosting("", r["WorkOrderNumber"], "", r["TransactionQuantity"], 0, r) for r in rows]

    def _booked(self, name: str, **values: Any) -> list[Row]:
        with self._system.books.lock:
            rows = [row for booked, row in self._system.transactions.booked if booked == name]
        return [r for r in rows if all(r.get(k) == v for k, v in values.items())]

    async def order(self, number: str) -> Mapping[str, Any]:
        row = self.work_order(number)
        return {
            "priority": row["WorkOrderPriority"], "due_at": row["PlannedCompletionDate"],
            "quantity": row["PlannedStartQuantity"],
        }  # fmt: skip

    # ------------------------------------------------------------------ what a clerk does
    async def close_ticket(self, key: str) -> None:
        with self._system.books.lock:
            (row,) = self._system.books.where("maintenanceWorkOrders", WorkOrderNumber=key)
            self._put("maintenanceWorkOrders", row | _status("ORA_COMPLETED"))

    async def change_order(self, number: str, quantity: int, due_at: datetime) -> None:
        changed = {"PlannedStartQuantity": quantity, "PlannedCompletionDate": due_at}
        self._put("workOrders", self.work_order(number) | changed)

    async def cancel_order(self, number: str) -> None:
        self._put("workOrders", self.work_order(number) | _status("ORA_CANCELED"))

    def work_order(self, number: str) -> Row:
        with self._system.books.lock:
            (row,) = self._system.books.where("workOrders", WorkOrderNumber=number)
        return row

    def _put(self, resource: str, row: Row) -> None:
        with self._system.books.lock:
            now = self._system.books.now()
            self._system.books.put(resource, row["WorkOrderId"], row | {"LastUpdateDate": now})

    # ------------------------------------------------------------------ what goes wrong
    async def fail(self, kind: str, on: str = "", times: int = 1) -> None:
        if kind == "lag":
            self.erp.faults.add("lag", seconds=LAG_SECONDS)
        elif kind == "down":
            self.erp.faults.add("down")
        else:
            self.erp.faults.add(kind, resources=RESOURCES[on], times=times)

    async def clear(self) -> None:
        self.erp.faults.clear()


def _status(code: str) -> Row:
    return {
        "WorkOrderStatusCode": code, "WorkOrderSystemStatusCode": code,
        "WorkOrderStatusName": seed.STATUSES[code][1],
    }  # fmt: skip


def add_inspections(erp: OracleSimulator) -> None:
    """What a plant makes for itself, since Oracle's own results cannot be read back."""
    texts = ("AndonKey", "OrganizationCode", "WorkOrderNumber", "ItemNumber", "LotNumber")
    results = ("CharacteristicName", "ResultValue", "DispositionStatus", "InspectionDate")
    numbers = ("Id", "OperationSequenceNumber", "SampleSize")
    attributes = {n: Attribute(TEXT) for n in texts + results} | {n: Attribute(INT) for n in numbers}
    erp.system.resources[QUALITY] = Resource(QUALITY, "Id", attributes, writable=True)


class OracleWorld:
    name = "oracle-fusion"
    faults = frozenset({*SAME, "down", "lag", *ODD})
    broken_orders: Mapping[str, Any] = {"documents": {"order": {"read": {"quantity": "number(ItemNumber)"}}}}
    secret = "client-secret-that-nobody-may-read"

    @property
    def wrong_login(self) -> Mapping[str, Any]:
        return {"oauth": None, "user": "ANDON_INTEGRATION", "password": "another-secret"}

    @asynccontextmanager
    async def books(self, clock: Clock) -> AsyncIterator[OracleBooks]:
        with OracleSimulator(account=Account(client_secret=self.secret), now=clock.now) as simulator:
            add_inspections(simulator)
            yield OracleBooks(simulator)

    def custom_field(self) -> tuple[Mapping[str, Any], str]:
        return {"documents": {"ticket": {"write": {f"WorkOrderDFF.{CUSTOM}": "filled(fault_code)"}}}}, CUSTOM


WORLD = OracleWorld()
