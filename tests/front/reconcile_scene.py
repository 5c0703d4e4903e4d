"""A reconciliation for looking at the console without a hub, in the shape of docs/api.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.api import shapes
from hub.model.discrepancy import (
    Comparison,
    Discrepancy,
    DiscrepancyKind,
    Divergence,
    OpenDiscrepancy,
    Repair,
    RepairState,
)
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.words import Words
from hub.ports import Plant

K = DiscrepancyKind
PLANT = Plant(Equipment("p1", EquipmentLevel.SITE, Words("一厂", "Plant 1")), {}, {})


def discrepancies(now: datetime) -> list[dict[str, Any]]:
    """One that can be sent again, one that a person has to decide, one that was mended, one put aside."""
    hours = timedelta(hours=1)
    found = (
        _open(1, now - 2 * hours, Discrepancy(
            K.REPORT_NOT_IN_ERP, "MO0001/10", "R-1042", "5 + 1",
            divergence=Divergence("R-1042", now - 3 * hours), repair=Repair.SEND_AGAIN)),
        _open(2, now - 30 * hours, Discrepancy(K.REPORT_UNKNOWN, "MO0002/20", "", "310", "314")),
        _open(3, now - hours, Discrepancy(
            K.ORDER_DUE, "MO0006", "", "2026-01-05T16:00:00Z", "2026-03-01T00:00:00Z",
            repair=Repair.TAKE_THEIRS)),
        _open(4, now - hours, Discrepancy(
            K.TICKET_STATE, "AH-20260105-0002", "", "open", "closed", repair=Repair.CLOSE_HERE)),
        _open(5, now - 80 * hours, Discrepancy(K.EQUIPMENT_NOT_HERE, "EQ-FORK-07", "", "", "叉车 07")),
    )  # fmt: skip
    mended = replace(
        found[3], repair_state=RepairState.DONE, repair_result="closed", repaired_by="boss", repaired_at=now
    )
    aside = replace(found[4], aside_by="boss", aside_at=now, aside_reason="叉车不接入安灯")
    return [shapes.discrepancy(o, PLANT) | {"may": True} for o in (*found[:3], mended, aside)]


def run(now: datetime) -> dict[str, Any]:
    return shapes.comparison(
        Comparison(
            now - timedelta(minutes=2), now - timedelta(minutes=1), "",
            {"orders": 10, "operations": 27, "tickets": 3, "equipment": 12},
            {"stock": "mes-cannot", "mes-sum": "mes-cannot"}, 5,
        )
    )  # fmt: skip


def _open(number: int, since: datetime, what: Discrepancy) -> OpenDiscrepancy:
    owner = {"tickets": "technician", "equipment": "admin"}.get(what.kind.book.value, "planner")
    return OpenDiscrepancy(number, what, owner, since, since)
