"""What the tests of this folder say and look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.simulators.kingdee.server import KingdeeSimulator

SECRET = "app-secret-that-nobody-may-read"
KEY = "AH-20260105-0007"
FIELDS: dict[str, Any] = {
    "equipment": "EQ-CNC-03",
    "equipment_name": "2号线 加工中心03",
    "title": "主轴温度超限 82℃",
    "priority": 4,
    "fault_code": "17",
    "order": "MO0001",
    "state": "sent",
    "opened_at": datetime(2026, 1, 5, 0, 30, tzinfo=UTC),
    "stopped_at": datetime(2026, 1, 5, 0, 29, tzinfo=UTC),
}
REPORT: dict[str, Any] = {
    "order": "MO0001",
    "operation": "20",
    "good": 12,
    "scrap": 1,
    "at": datetime(2026, 1, 5, 4, tzinfo=UTC),
    "equipment": "p1/stamping/l2/cnc-01",
    "person": "op-l2",
}
AFTER_COMMIT = [
    "drop_after_commit",
    "cut_answer",
    "error_500_after_commit",
    "response_error_after_commit",
    "garbage_after_commit",
    "hold",
]
NOT_DONE = ["drop_before", "bad_gateway", "busy", "quota", "response_error", "down"]
COMMON: dict[str, Any] = {
    "order": "MO0001", "operation": "20", "item": "A100", "quantity": 2.0, "unit": "", "lot": "",
    "warehouse": "CK01", "reason": "", "check": "", "passed": None, "value": "", "sample_size": 0,
    "labour_seconds": 0.0, "machine_seconds": 0.0, "at": REPORT["at"], "equipment": "", "person": "op-l2",
}  # fmt: skip
POSTED: dict[PostingKind, tuple[str, dict[str, Any]]] = {
    PostingKind.RECEIPT: ("PRD_INSTOCK", {"lot": "FG-01"}),
    PostingKind.ISSUE: ("PRD_PickMtrl", {"item": "R-STEEL", "lot": "L2601"}),
    PostingKind.HOURS: ("PRD_MORPT", {"labour_seconds": 5400.0, "machine_seconds": 1800.0}),
    PostingKind.SCRAP: ("SFC_OperationReport", {"reason": "毛刺"}),
    PostingKind.QUALITY: ("QM_InspectBill", {"check": "外径", "passed": False, "value": "20.013"}),
}


def config(erp: KingdeeSimulator, **more: Any) -> Any:
    account = erp.account
    known = {
        "server_url": erp.url,
        "acct_id": account.acct_id,
        "user": account.user,
        "app_id": account.app_id,
        "app_secret": SECRET,
        "timeout": timedelta(seconds=5),
        "org_num": 100,
    }
    return KingdeeGalaxyConnector.Config.model_validate(known | more)


async def another(erp: KingdeeSimulator, clock: HandClock, **more: Any) -> KingdeeGalaxyConnector:
    return KingdeeGalaxyConnector(config(erp, **more), clock)


def plan_line(erp: KingdeeSimulator, operation: str, order: str = "MO0001") -> tuple[float, float]:
    """(good, scrap) that the operation plan has been told of."""
    plan = erp.books.numbered("SFC_OperationPlanning", "OP" + order)
    assert plan is not None
    line = next(r for r in plan.rows["fsubentity"] if r.values["fopernumber"] == operation)
    return line.values["fqualifiedqty"], line.values.get("fprocessfailqty") or 0.0


def bills(erp: KingdeeSimulator, form: str) -> list[tuple[str, dict[str, Any]]]:
    """(status, values of head and first line) of every bill of this form."""
    return [(r.status, r.values | r.rows["fentity"][0].values) for r in erp.books.all(form)]


def on_hand(erp: KingdeeSimulator, item: str, lot: str) -> float:
    def number(form: str, record_id: Any) -> str:
        found = erp.books.get(form, record_id or 0)
        return found.number if found else ""

    return sum(
        float(r.values["fbaseqty"])
        for r in erp.books.all("STK_Inventory")
        if number("BD_MATERIAL", r.values["fmaterialid"]) == item
        and number("BD_BatchMainFile", r.values["flot"]) == lot
    )
