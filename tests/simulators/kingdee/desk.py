"""What the control interface and the clerk's page show: tickets and reports as plain values."""

from __future__ import annotations

from typing import Any

from tests.simulators.kingdee.books import Books, Record

_TICKET = {
    "key": "f_ah_extkey",
    "title": "f_ah_faultdesc",
    "fault_code": "f_ah_faultcode",
    "level": "f_ah_level",
    "order": "f_ah_mono",
    "state": "f_ah_state",
    "reported_at": "f_ah_reporttime",
    "stopped_at": "f_ah_stoptime",
    "accepted_at": "f_ah_acktime",
    "arrived_at": "f_ah_arrivetime",
    "closed_at": "f_ah_closetime",
    "worker_name": "f_ah_workername",
    "cause_class": "f_ah_causeclass",
    "result": "f_ah_result",
    "downtime_minutes": "f_ah_downmin",
    "photo": "f_ah_photo",
    "note": "f_ah_note",
}
_REPORT = {
    "order": "fmonumber",
    "operation": "fopernumber",
    "good": "fquaqty",
    "scrap": "fprocessfailqty",
    "finished": "ffinishqty",
    "worker": "f_ah_worker",
    "equipment": "f_ah_equip",
    "at": "f_ah_rpttime",
    "plan_line": "fsrcentryid",
}


def tickets(books: Books) -> list[dict[str, Any]]:
    """Newest first."""
    return sorted((_ticket(books, r) for r in books.all("AH_EquipRepair")), key=lambda t: -t["id"])


def reports(books: Books) -> list[dict[str, Any]]:
    """Operation reports, newest first."""
    return sorted((_report(r) for r in books.all("SFC_OperationReport")), key=lambda t: -t["id"])


def _ticket(books: Books, record: Record) -> dict[str, Any]:
    values = record.values
    machine = books.get("ENG_Equipment", values["f_ah_equip"]) if values.get("f_ah_equip") else None
    files = [
        a["name"] for a in books.attachments.values() if (a["form"], a["record"]) == (record.form, record.id)
    ]
    return (
        _document(record)
        | {name: values.get(key) for name, key in _TICKET.items()}
        | {
            "equipment": machine.number if machine else "",
            "equipment_name": str(machine.values.get("fname") or "") if machine else "",
            "attachments": files,
        }
    )


def _report(record: Record) -> dict[str, Any]:
    line = record.rows["fentity"][0].values if record.rows.get("fentity") else {}
    return (
        _document(record)
        | {"key": record.values.get("f_ah_rptkey")}
        | {n: line.get(k) for n, k in _REPORT.items()}
    )


def _document(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "number": record.number,
        "status": record.status,
        "created_at": record.values.get("fcreatedate"),
        "modified_at": record.values.get("fmodifydate"),
    }
