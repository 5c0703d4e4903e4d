"""The Kingdee connector against the simulated server: taken, refused, cut off, timed out, never doubled."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from erp_bridge.kingdee_client import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.kingdee_maps import DOCUMENTS
from erp_bridge.mapping import Capability
from hub.errors import ConfigError, ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.model.production import WorkOrderState
from hub.testing.clock import NOON, HandClock
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.sessions import Account

pytestmark = pytest.mark.anyio

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


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def erp(clock: HandClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(account=Account(app_secret=SECRET), now=clock.now, order_start=NOON) as simulator:
        yield simulator


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


@pytest.fixture
async def connector(erp: KingdeeSimulator, clock: HandClock) -> AsyncIterator[KingdeeGalaxyConnector]:
    made = KingdeeGalaxyConnector(config(erp), clock)
    yield made
    await made.close()


async def another(erp: KingdeeSimulator, clock: HandClock, **more: Any) -> KingdeeGalaxyConnector:
    return KingdeeGalaxyConnector(config(erp, **more), clock)


# ------------------------------------------------------------------ taken
async def test_a_ticket_arrives_with_everything_a_clerk_needs(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, number = await connector.open_ticket(KEY, FIELDS)
    (ticket,) = erp.tickets()
    assert (ticket["id"], ticket["number"]) == (int(erp_id), number)
    assert (ticket["key"], ticket["equipment"], ticket["level"]) == (KEY, "EQ-CNC-03", "4")
    assert (ticket["title"], ticket["order"], ticket["fault_code"]) == ("主轴温度超限 82℃", "MO0001", "17")
    assert (ticket["state"], ticket["status"]) == ("OPEN", "A")
    assert ticket["reported_at"] == "2026-01-05T08:30:00"  # the server's local time
    assert await connector.find_ticket(KEY) == (erp_id, number)


async def test_nothing_is_found_where_nothing_is(connector: KingdeeGalaxyConnector) -> None:
    assert await connector.find_ticket("AH-20260105-0099") is None
    assert await connector.find_ticket("it's nothing") is None
    assert await connector.find_report("nothing") is None


async def test_opening_twice_makes_one(erp: KingdeeSimulator, connector: KingdeeGalaxyConnector) -> None:
    first = await connector.open_ticket(KEY, FIELDS)
    assert await connector.open_ticket(KEY, FIELDS) == first
    assert len(erp.tickets()) == 1


async def test_a_ticket_goes_through_its_life_and_ends_approved(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    at = datetime(2026, 1, 5, 1, tzinfo=UTC)
    for state, code in (
        ("accepted", "ACK"),
        ("on-site", "ON_SITE"),
        ("repairing", "DOING"),
        ("verifying", "VERIFYING"),
    ):
        step = {"state": state, "person": "tech-a", "person_name": "值班技师甲", "at": at, "note": ""}
        await connector.update_ticket(erp_id, step)
        assert erp.tickets()[0]["state"] == code
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    end = {
        "state": "closed", "person": "tech-a", "person_name": "值班技师甲", "at": at,
        "cause_class": "mechanical", "cause": "更换冷却泵", "downtime": timedelta(minutes=95), "photo": "p1",
        "photo_data": b"\xff\xd8jpeg",
        "photo_name": "p1.jpg",
    }  # fmt: skip
    await connector.close_ticket(erp_id, end)
    await connector.close_ticket(erp_id, end)
    (ticket,) = erp.tickets()
    assert (ticket["state"], ticket["status"]) == ("DONE", "C")
    assert (ticket["accepted_at"], ticket["closed_at"]) == ("2026-01-05T09:00:00",) * 2
    assert (ticket["result"], ticket["downtime_minutes"]) == ("更换冷却泵", 95.0)
    assert (ticket["worker_name"], ticket["attachments"]) == ("值班技师甲", ["p1.jpg"])
    assert await connector.ticket_states([erp_id, "999"]) == {erp_id: "closed"}


async def test_a_ticket_that_the_office_has_closed_is_left_alone(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    erp.close_ticket_by_hand(int(erp_id))
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, {"state": "accepted"})
    assert erp.tickets()[0]["state"] == "DONE"
    await connector.update_ticket(erp_id, {"state": "reopened"})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("REOPENED", "D")


async def test_a_tenant_that_submits_at_once_still_takes_updates(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, ticket={"submit_on_create": True})
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    assert erp.tickets()[0]["status"] == "B"
    await connector.update_ticket(erp_id, {"state": "accepted", "at": NOON})
    await connector.close_ticket(erp_id, {"state": "closed", "at": NOON})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("DONE", "C")
    await connector.close()


async def test_a_machine_unknown_to_the_erp_is_named_in_the_text(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.open_ticket(KEY, FIELDS | {"equipment": ""})
    assert erp.tickets()[0]["title"] == "主轴温度超限 82℃ (2号线 加工中心03)"


async def test_a_technician_with_an_employee_number_is_referred_to(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, employees={"tech-a": "E001"})
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    await connector.update_ticket(erp_id, {"state": "accepted", "person": "tech-a"})
    record = erp.books.get("AH_EquipRepair", int(erp_id))
    worker = erp.books.numbered("BD_Empinfo", "E001")
    assert record is not None
    assert worker is not None
    assert record.values["f_ah_worker"] == worker.id
    await connector.close()


# ------------------------------------------------------------------ reports
async def test_a_report_is_pushed_filled_and_approved_once(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    number = await connector.report_operation("R-1", REPORT)
    assert await connector.find_report("R-1") == number
    assert await connector.report_operation("R-1", REPORT) == number
    (report,) = erp.reports()
    assert (report["key"], report["status"], report["order"], report["operation"]) == (
        "R-1",
        "C",
        "MO0001",
        "20",
    )
    assert (report["good"], report["scrap"], report["finished"]) == (12, 1, 13)
    assert plan_line(erp, "20") == (330 + 12, 1)


def plan_line(erp: KingdeeSimulator, operation: str, order: str = "MO0001") -> tuple[float, float]:
    """(good, scrap) that the operation plan has been told of."""
    plan = erp.books.numbered("SFC_OperationPlanning", "OP" + order)
    assert plan is not None
    line = next(r for r in plan.rows["fsubentity"] if r.values["fopernumber"] == operation)
    return line.values["fqualifiedqty"], line.values.get("fprocessfailqty") or 0.0


@pytest.mark.parametrize("service", ["Push", "Save", "Submit", "Audit"])
@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before", "error_500_after_commit", "busy"])
async def test_a_report_that_broke_off_half_way_is_finished_not_repeated(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, service: str, fault: str
) -> None:
    erp.faults.add(fault, services=[service])
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", REPORT)
    assert await connector.find_report("R-1") in (None, erp.reports()[0]["number"] if erp.reports() else None)
    await connector.report_operation("R-1", REPORT)
    assert [(r["key"], r["status"]) for r in erp.reports()] == [("R-1", "C")]
    assert plan_line(erp, "20") == (342, 1)


async def test_a_clerks_own_draft_is_not_taken_for_ours(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.report_operation("R-1", REPORT)
    (ours,) = erp.reports()
    record = erp.books.get("SFC_OperationReport", ours["id"])
    assert record is not None
    draft = record.copy()
    draft.id, draft.values = erp.books.next_id(), record.values | {"fbillno": "CLERK", "f_ah_rptkey": ""}
    draft.values |= {"fcreatorid": None, "fdocumentstatus": "A"}
    erp.books.put(draft)
    await connector.report_operation("R-2", REPORT)
    by_number = {r["number"]: r for r in erp.reports()}
    assert (by_number["CLERK"]["key"], by_number["CLERK"]["status"]) == ("", "A")
    assert len(by_number) == 3


async def test_a_half_done_report_is_not_overwritten_by_the_next(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp.faults.add("busy", services=["Submit"])
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", REPORT)
    await connector.report_operation("R-2", REPORT)
    assert sorted((r["key"], r["status"]) for r in erp.reports()) == [("R-1", "A"), ("R-2", "C")]
    await connector.report_operation("R-1", REPORT)
    assert sorted((r["key"], r["status"]) for r in erp.reports()) == [("R-1", "C"), ("R-2", "C")]
    assert plan_line(erp, "20") == (330 + 24, 2)


async def test_a_report_without_a_plan_is_refused_with_the_remedy(connector: KingdeeGalaxyConnector) -> None:
    with pytest.raises(ErpRefused, match="no operation plan for MO0001 operation 99: release it"):
        await connector.report_operation("R-1", REPORT | {"operation": "99"})


# ------------------------------------------------------------------ orders
async def test_orders_come_with_operations_customer_priority_and_rush(
    connector: KingdeeGalaxyConnector,
) -> None:
    orders = {o.number: o for o in await connector.orders(None)}
    assert len(orders) == 10
    rush = orders["MO0005"]
    assert (rush.product, rush.product_name.zh, rush.quantity) == ("C100", "端盖", 300)
    assert (rush.rush, rush.priority, rush.sales_order) == (True, 1, "SO2002")
    assert rush.due_at == NOON + timedelta(hours=0.4)
    assert [(j.operation, j.work_center, j.quantity) for j in rush.jobs] == [
        ("10", "p1/stamping/l1", 300), ("20", "p1/assembly/l3", 300), ("30", "p1/assembly/l4", 300),
    ]  # fmt: skip
    assert not orders["MO0004"].rush
    assert rush.erp_id
    assert rush.erp_entry_id == "100005"


async def test_only_what_changed_is_asked_for_again_with_an_overlap(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, clock: HandClock
) -> None:
    clock.turn(3600)
    assert await connector.orders(NOON + timedelta(minutes=30)) == []
    order = erp.books.numbered("PRD_MO", "MO0002")
    assert order is not None
    erp.books.put(order.copy())
    seen = await connector.orders(clock.now() + timedelta(minutes=9))
    assert [o.number for o in seen] == ["MO0002"]


async def test_a_rush_set_on_the_sales_order_is_a_change_of_the_production_order(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, clock: HandClock
) -> None:
    clock.turn(3600)
    sale = erp.books.numbered("SAL_SaleOrder", "SO2003")
    assert sale is not None
    changed = sale.copy()
    for row in changed.rows["fsaleorderentry"]:
        row.values["f_ah_rush"] = True
    erp.books.put(changed)
    seen = await connector.orders(NOON + timedelta(minutes=30))
    assert [(o.number, o.rush) for o in seen] == [("MO0006", True), ("MO0007", True)]


async def test_pages_are_put_together_and_missing_optional_columns_left_out(
    erp: KingdeeSimulator, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    connector = await another(
        erp,
        clock,
        page_rows=3,
        documents={
            "sales_order": {"read": {"rush": "F_NOT_HERE"}},
            "order": {"read": {"product_name_en": "FMaterialId.F_AH_NameEn"}},
        },
    )
    orders = await connector.orders(None)
    assert sorted(o.number for o in orders) == [f"MO{n:04d}" for n in range(1, 11)]
    assert orders[0].product_name.en
    assert "no F_NOT_HERE on SAL_SaleOrder" in caplog.text
    await connector.close()


async def test_a_column_that_must_be_there_is_a_refusal_that_names_it(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, documents={"plan": {"read": {"order": "F_NOT_HERE"}}})
    with pytest.raises(KingdeeRefusal, match="F_NOT_HERE"):
        await connector.orders(None)
    await connector.close()


# ------------------------------------------------------------------ unknown outcomes
@pytest.mark.parametrize("fault", AFTER_COMMIT)
async def test_created_but_never_told_is_found_not_repeated(
    erp: KingdeeSimulator, clock: HandClock, fault: str
) -> None:
    connector = await another(erp, clock, timeout=timedelta(seconds=0.3 if fault == "hold" else 5))
    erp.faults.add(fault, services=["Save"])
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert trouble.value.in_doubt
    erp.faults.clear()
    (ticket,) = erp.tickets()
    assert await connector.open_ticket(KEY, FIELDS) == (str(ticket["id"]), ticket["number"])
    assert len(erp.tickets()) == 1
    await connector.close()


@pytest.mark.parametrize("fault", NOT_DONE)
async def test_not_created_is_tried_again_and_made_once(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, fault: str
) -> None:
    erp.faults.add(fault, services=["Save"], times=1)
    with pytest.raises(ErpUnavailable):
        await connector.open_ticket(KEY, FIELDS)
    assert erp.tickets() == []
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1


async def test_only_a_call_that_may_have_been_done_is_in_doubt(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    for fault, service, in_doubt in (
        ("busy", "Save", False), ("quota", "Save", False), ("bad_gateway", "Save", True),
        ("drop_before", "ExecuteBillQuery", False), ("bad_gateway", "ExecuteBillQuery", False),
    ):  # fmt: skip
        erp.faults.add(fault, services=[service])
        with pytest.raises(ErpUnavailable) as trouble:
            await connector.open_ticket(KEY, FIELDS)
        assert trouble.value.in_doubt is in_doubt, fault
    assert erp.tickets() == []


async def test_a_used_up_quota_says_when_to_come_back(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp.faults.add("quota")
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.find_ticket(KEY)
    assert trouble.value.retry_after == timedelta(hours=1)


async def test_a_server_that_does_not_show_its_newest_writes_still_gets_one_ticket(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, clock: HandClock
) -> None:
    erp.faults.add("lag", seconds=5)
    erp.faults.add("drop_after_commit", services=["Save"])
    for _ in range(2):
        with pytest.raises(ErpUnavailable) as trouble:
            await connector.open_ticket(KEY, FIELDS)
        assert trouble.value.in_doubt
    clock.turn(6)
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1


async def test_a_closing_that_broke_off_is_finished(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    for service in ("Save", "Submit", "Audit"):
        erp.faults.add("drop_after_commit", services=[service])
        with pytest.raises(ErpUnavailable):
            await connector.close_ticket(erp_id, {"state": "closed", "at": NOON, "cause": "更换"})
    await connector.close_ticket(erp_id, {"state": "closed", "at": NOON, "cause": "更换"})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("DONE", "C")


async def test_a_server_that_is_not_there_is_unavailable_and_not_in_doubt(clock: HandClock) -> None:
    gone = KingdeeSimulator()
    connector = await another(gone, clock)
    gone.start()
    gone.stop()
    with pytest.raises(ErpUnavailable, match="cannot be reached") as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert not trouble.value.in_doubt
    await connector.close()


# ------------------------------------------------------------------ refused
async def test_a_refusal_carries_the_servers_words(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    with pytest.raises(KingdeeRefusal, match="EQ-NOWHERE 不存在") as refusal:
        await connector.open_ticket(KEY, FIELDS | {"equipment": "EQ-NOWHERE"})
    assert refusal.value.code == 9
    with pytest.raises(ErpRefused, match="not in Kingdee any more"):
        await connector.update_ticket("999999", {"state": "accepted"})
    with pytest.raises(ErpRefused, match="is not the id"):
        await connector.close_ticket("1 or 1=1", {"state": "closed"})
    assert erp.tickets() == []


async def test_wrong_credentials_lose_nothing_and_name_the_remedy(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, app_secret=SecretStr("wrong"))
    with pytest.raises(ErpUnavailable, match="check acct_id, user, app_id and app_secret") as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert trouble.value.retry_after
    await connector.close()


async def test_a_dead_session_is_replaced_within_the_call(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.find_ticket(KEY)
    erp.faults.add("session_death", services=["Save"])
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1
    assert len(erp.service.sessions.open) == 1


@pytest.mark.parametrize("fault", ["context_lost", "unauthorized"])
async def test_a_server_that_has_lost_our_context_is_asked_once_more(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, fault: str
) -> None:
    erp.faults.add(fault, services=["Save"])
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1
    erp.faults.add(fault, services=["ExecuteBillQuery"], times=2)
    with pytest.raises(ErpUnavailable, match="check acct_id"):
        await connector.find_ticket(KEY)


async def test_a_wrong_address_is_a_refusal_that_names_the_setting(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, server_url=erp.origin + "/elsewhere/")
    with pytest.raises(ErpRefused, match="HTTP 404; check server_url"):
        await connector.find_ticket(KEY)
    await connector.close()


# ------------------------------------------------------------------ postings
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


@pytest.mark.parametrize("kind", POSTED)
@pytest.mark.parametrize("service", ["Push", "Save", "Submit", "Audit"])
async def test_a_posting_that_broke_off_half_way_is_finished_not_repeated(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, kind: PostingKind, service: str
) -> None:
    form, more = POSTED[kind]
    if service == "Push" and kind is PostingKind.QUALITY:
        service = "Save"  # an inspection is saved by itself
    erp.faults.add("error_500_after_commit", services=[service])
    with pytest.raises(ErpUnavailable):
        await connector.post(kind, "P-1", COMMON | more)
    number = await connector.post(kind, "P-1", COMMON | more)
    assert [status for status, _ in bills(erp, form)] == ["C"]
    assert await connector.find_posting(kind, "P-1") == number


async def test_stock_and_order_move_with_receipts_and_issues(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    for kind in (PostingKind.RECEIPT, PostingKind.ISSUE):
        await connector.post(kind, "P-1", COMMON | POSTED[kind][1])
    assert (on_hand(erp, "A100", "FG-01"), on_hand(erp, "R-STEEL", "L2601")) == (2.0, 49_998.0)
    order, needs = erp.books.numbered("PRD_MO", "MO0001"), erp.books.numbered("PRD_PPBOM", "PPBOMMO0001")
    assert order is not None
    assert needs is not None
    assert order.rows["ftreeentity"][0].values["fstockinquaqty"] == 2.0
    assert [r.values["fpickedqty"] for r in needs.rows["fentity"]] == [2.0, 0.0]
    lots = {(s.lot, s.quantity) for s in await connector.stock(["R-STEEL"])}
    assert lots == {("L2601", 49_998.0), ("L2602", 50_000.0)}


async def test_hours_are_a_report_of_no_pieces(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.post(PostingKind.HOURS, "P-1", COMMON | POSTED[PostingKind.HOURS][1])
    ((status, values),) = bills(erp, "PRD_MORPT")
    assert (status, values["ffinishqty"], values["fhrworktime"], values["fmacworktime"]) == ("C", 0, 1.5, 0.5)
    order = erp.books.numbered("PRD_MO", "MO0001")
    assert order is not None
    assert not order.rows["ftreeentity"][0].values.get("frptfinishqty")


async def test_scrap_and_a_report_may_have_the_same_number(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.report_operation("X-1", REPORT)
    await connector.post(PostingKind.SCRAP, "X-1", COMMON | POSTED[PostingKind.SCRAP][1])
    assert sorted((r["key"], r["good"], r["scrap"]) for r in erp.reports()) == [
        ("X-1", 12, 1), ("X-1#scrap", 0, 2),
    ]  # fmt: skip
    assert plan_line(erp, "20") == (342, 3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"item": "R-STEEL", "lot": "NO-LOT"}, "NO-LOT 不存在"),
        ({"item": "R-STEEL", "lot": ""}, "批号"),
        ({"item": "R-STEEL", "lot": "L2601", "warehouse": ""}, "仓库"),
        ({"item": "R-STEEL", "lot": "L2601", "quantity": 60_000.0}, "即时库存不足"),
        ({"item": "A999", "lot": ""}, "no material list line for MO0001 operation 20 item A999: release it"),
    ],
)
async def test_what_stock_refuses_is_told_in_its_words(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ErpRefused, match=said):
        await connector.post(PostingKind.ISSUE, "P-1", COMMON | more)
    assert "C" not in [status for status, _ in bills(erp, "PRD_PickMtrl")]
    assert await connector.find_posting(PostingKind.ISSUE, "P-1") is None


async def test_a_rule_that_the_tenant_names_is_used_and_no_other(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    block = {"source": "PRD_MO", "rule": "NO-SUCH-RULE"}
    connector = await another(erp, clock, postings={"receipt": block})
    with pytest.raises(KingdeeRefusal, match="NO-SUCH-RULE"):
        await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"lot": "FG-01"})
    assert [form for service, form in erp.calls if service == "Push"] == ["PRD_MO"]
    await connector.close()


async def test_without_a_default_rule_the_usual_name_is_tried(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erp.service.pusher, "defaults", False)
    await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"lot": "FG-01"})
    assert [status for status, _ in bills(erp, "PRD_INSTOCK")] == ["C"]


async def test_a_tenant_whose_clerks_approve_gets_submitted_bills(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, postings={"receipt": {"until": "submitted"}})
    number = await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"lot": "FG-01"})
    assert [status for status, _ in bills(erp, "PRD_INSTOCK")] == ["B"]
    assert await connector.find_posting(PostingKind.RECEIPT, "P-1") == number
    assert await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"lot": "FG-01"}) == number
    await connector.close()


async def test_another_form_stands_in_where_the_site_says_so(erp: KingdeeSimulator, clock: HandClock) -> None:
    """Inspections of the stamping shop go into the repair bill's form: fields and form are data."""
    quality = {
        "form": "AH_EquipRepair",
        "write": {
            **dict.fromkeys(
                [*DOCUMENTS["quality"].write], ""
            ),
            "F_AH_ExtKey": "key", "F_AH_FaultDesc": "join(' ', [check, value])",
            "F_AH_ReportTime": "local(at, '%Y-%m-%d')",
        },
        "variants": [
            {"when": "starts_with(operation, '2')", "write": {"F_AH_FaultCode": "'STAMPING'"}}
        ],
    }  # fmt: skip
    connector = await another(erp, clock, documents={"quality": quality})
    await connector.post(PostingKind.QUALITY, "P-1", COMMON | POSTED[PostingKind.QUALITY][1])
    (bill,) = erp.tickets()
    assert (bill["key"], bill["title"], bill["fault_code"]) == ("P-1", "外径 20.013", "STAMPING")
    await connector.close()


# ------------------------------------------------------------------ changes of orders
RUSH: dict[str, Any] = {"priority": 1, "rush": True, "due_at": NOON + timedelta(hours=1), "reason": "催货"}


def finish_of(erp: KingdeeSimulator, number: str) -> str:
    order = erp.books.numbered("PRD_MO", number)
    assert order is not None
    return str(order.rows["ftreeentity"][0].values["fplanfinishdate"])


async def test_a_rush_goes_to_the_sales_order_and_by_a_change_bill_to_the_order(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.change_order("MO0004", RUSH)
    assert finish_of(erp, "MO0004") == "2026-01-05T21:00:00"
    ((status, values),) = bills(erp, "PRD_MOChange")
    assert (status, values["f_ah_reason"]) == ("C", "催货")
    (order,) = [o for o in await connector.orders(None) if o.number == "MO0004"]
    assert (order.priority, order.rush, order.due_at) == (1, True, RUSH["due_at"])
    await connector.change_order("MO0004", RUSH)
    assert len(bills(erp, "PRD_MOChange")) == 1


async def test_a_change_may_be_taken_back_and_made_again(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    before = {"due_at": NOON + timedelta(hours=4), "priority": None, "rush": None, "reason": ""}
    for change in (RUSH, before, RUSH):
        await connector.change_order("MO0004", change)
    assert finish_of(erp, "MO0004") == "2026-01-05T21:00:00"
    assert [status for status, _ in bills(erp, "PRD_MOChange")] == ["C"] * 3


@pytest.mark.parametrize("service", ["Save", "Submit", "Audit"])
@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before"])
async def test_a_change_that_broke_off_is_finished_by_the_same_bill(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, service: str, fault: str
) -> None:
    erp.faults.add(fault, services=[service], forms=["PRD_MOChange"])
    with pytest.raises(ErpUnavailable):
        await connector.change_order("MO0004", RUSH)
    await connector.change_order("MO0004", RUSH)
    assert [status for status, _ in bills(erp, "PRD_MOChange")] == ["C"]
    assert finish_of(erp, "MO0004") == "2026-01-05T21:00:00"


async def test_a_tenant_without_change_bills_hears_why_the_order_cannot_be_changed(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, documents={"order_change": {"form": "NO_SUCH_BILL"}})
    with pytest.raises(KingdeeRefusal, match="MO0004 状态为已审核，不允许修改"):
        await connector.change_order("MO0004", RUSH)
    await connector.close()


async def test_an_order_field_that_may_change_is_simply_saved(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"order": {"write": {"FTreeEntity[].F_AH_Priority": "priority"},
                           "read": {"priority": "number(F_AH_Priority)"}}}  # fmt: skip
    connector = await another(erp, clock, documents=documents)
    await connector.change_order("MO0004", RUSH | {"due_at": None})
    assert bills(erp, "PRD_MOChange") == []
    order = erp.books.numbered("PRD_MO", "MO0004")
    assert order is not None
    assert order.rows["ftreeentity"][0].values["f_ah_priority"] == 1
    await connector.change_order("MO0004", RUSH | {"priority": 2})
    order = erp.books.numbered("PRD_MO", "MO0004")
    assert order is not None
    assert order.rows["ftreeentity"][0].values["f_ah_priority"] == 2
    assert finish_of(erp, "MO0004") == "2026-01-05T21:00:00"
    await connector.close()


async def test_an_order_for_stock_has_nowhere_for_its_priority(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    order = erp.books.numbered("PRD_MO", "MO0004")
    assert order is not None
    changed = order.copy()
    changed.rows["ftreeentity"][0].values["fsaleorderno"] = ""
    erp.books.put(changed)
    with pytest.raises(ErpRefused, match=r"priority and rush of MO0004.*documents\.order\.write"):
        await connector.change_order("MO0004", RUSH | {"due_at": None})
    await connector.change_order("MO0004", RUSH)
    assert finish_of(erp, "MO0004") == "2026-01-05T21:00:00"


# ------------------------------------------------------------------ what the office decides
@pytest.mark.parametrize(
    ("head", "line", "state"),
    [
        ({"fcancelstatus": "B"}, {}, WorkOrderState.CANCELLED),
        ({}, {"fstatus": "5"}, WorkOrderState.COMPLETED),
        ({}, {"fstatus": "6"}, WorkOrderState.COMPLETED),
        ({}, {"fstatus": "2"}, WorkOrderState.HELD),
        ({"fdocumentstatus": "D"}, {}, WorkOrderState.HELD),
        ({}, {"fstatus": "3"}, WorkOrderState.RELEASED),
    ],
)
async def test_an_order_that_leaves_the_floor_is_told_with_the_reason(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, clock: HandClock,
    head: dict[str, Any], line: dict[str, Any], state: WorkOrderState,
) -> None:  # fmt: skip
    clock.turn(3600)
    order = erp.books.numbered("PRD_MO", "MO0002")
    assert order is not None
    changed = order.copy()
    changed.values |= head
    changed.rows["ftreeentity"][0].values |= line
    erp.books.put(changed)
    seen = await connector.orders(NOON + timedelta(minutes=30))
    assert [(o.number, o.state) for o in seen] == [("MO0002", state)]
    released = [o.number for o in await connector.orders(None)]
    assert ("MO0002" in released) is (state is WorkOrderState.RELEASED)


async def test_the_second_line_of_an_order_is_an_order_of_its_own(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    order, plan = (
        erp.books.numbered("PRD_MO", "MO0001"),
        erp.books.numbered("SFC_OperationPlanning", "OPMO0001"),
    )
    assert order is not None
    assert plan is not None
    changed, second = order.copy(), plan.copy()
    row = order.copy().rows["ftreeentity"][0]
    row.id, row.values["fqty"] = 990_001, 50.0
    changed.rows["ftreeentity"].append(row)
    second.id, second.values["fbillno"] = erp.books.next_id(), "OPMO0001-2"
    second.values["fmoentryid"] = 990_001.0
    for line in second.rows["fsubentity"]:
        line.id += 500_000
    erp.books.put(changed)
    erp.books.put(second)
    orders = {o.number: o for o in await connector.orders(None)}
    assert (orders["MO0001.2"].quantity, len(orders["MO0001.2"].jobs)) == (50, 3)
    await connector.report_operation("R-1", REPORT | {"order": "MO0001.2"})
    await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"order": "MO0001.2", "lot": "FG-01"})
    assert plan_line(erp, "20") == (330, 0)
    (receipt,) = bills(erp, "PRD_INSTOCK")
    assert receipt[1]["fmoentryid"] == 990_001
    (claim,) = [c for c in await connector.reported(["MO0001.2"]) if c.operation == "20"]
    assert (claim.order, claim.good, claim.scrap) == ("MO0001.2", 342, 1)


async def test_sales_orders_items_and_machines_come_with_what_people_ask_for(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    sales = await connector.sales_orders(None)
    sale = next(s for s in sales if (s.number, s.product) == ("SO2002", "C100"))
    assert (sale.rush, sale.priority, sale.open, sale.seller) == (True, 1, True, "王芳")
    assert len({(s.number, s.line) for s in sales}) == len(sales)
    items = {i.number: i for i in await connector.items(None)}
    assert (items["R-STEEL"].name.zh, items["R-STEEL"].family, items["R-STEEL"].unit) == (
        "钢板", "RAW", "Pcs",
    )  # fmt: skip
    machines = {m.number: m for m in await connector.equipment()}
    assert machines["EQ-CNC-03"].active


async def test_a_closed_sales_order_is_told_once_and_a_forbidden_item_no_more(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, clock: HandClock
) -> None:
    clock.turn(3600)
    for form, number, values in (
        ("SAL_SaleOrder", "SO2002", {"fclosestatus": "B"}), ("BD_MATERIAL", "R-SEAL", {"fforbidstatus": "B"}),
    ):  # fmt: skip
        record = erp.books.numbered(form, number)
        assert record is not None
        changed = record.copy()
        changed.values |= values
        erp.books.put(changed)
    changed_sales = await connector.sales_orders(NOON + timedelta(minutes=30))
    assert {(s.number, s.open) for s in changed_sales} == {("SO2002", False)}
    assert "SO2002" not in {s.number for s in await connector.sales_orders(None)}
    assert "R-SEAL" not in {i.number for i in await connector.items(None)}


async def test_one_order_that_cannot_be_read_does_not_hide_the_others(
    erp: KingdeeSimulator, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    documents = {"order": {"read": {"quantity": "number(if(FBillNo == 'MO0002', 'many', text(FQty)))"}}}
    connector = await another(erp, clock, documents=documents)
    assert len(await connector.orders(None)) == 9
    assert "'many' is not a number" in caplog.text
    await connector.close()


# ------------------------------------------------------------------ what tenants differ in
async def test_a_ticket_under_approval_whose_fields_may_not_change_is_taken_back(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"ticket": {"write": {"F_AH_FaultCode": "'R'"}}}  # a field that is fixed after submit
    connector = await another(erp, clock, documents=documents, ticket={"submit_on_create": True})
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    await connector.update_ticket(erp_id, {"state": "accepted", "at": NOON})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("ACK", "B")
    await connector.close_ticket(erp_id, {"state": "closed", "at": NOON})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("DONE", "C")
    await connector.close()


@pytest.mark.parametrize("spelling", ["excuteoperation", "executeoperation"])
async def test_a_ticket_may_end_by_an_operation_of_its_form(
    erp: KingdeeSimulator, clock: HandClock, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.setattr(erp.service, "operation_services", (spelling,))
    life = {"close_operation": "BillClose", "reopen_operation": "Unclose"}
    closed = {"ticket": {"read": {"closed": "FCloseStatus == 'B'"}}}
    connector = await another(erp, clock, ticket=life, documents=closed)
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    for _ in range(2):
        await connector.close_ticket(erp_id, {"state": "closed", "at": NOON})
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, {"state": "reopened", "at": NOON})
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    await connector.close()


async def test_what_a_tenant_does_not_have_is_neither_asked_for_nor_probed(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"quality": {"form": "NO_SUCH_FORM"}, "sales_order": {"form": "NO_SUCH_FORM"}}
    without = ["quality", "sales-orders", "change-orders"]
    connector = await another(erp, clock, documents=documents, without=without)
    assert not set(without) & connector.capabilities
    assert [said for said in (await connector.probe()).values() if said.startswith("✗")] == []
    assert len(await connector.orders(None)) == 10
    await connector.close()


async def test_a_probe_tells_a_missing_form_from_a_missing_field(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"quality": {"form": "NO_SUCH_FORM"}, "equipment": {"read": {"place": "FNowhere"}}}
    connector = await another(erp, clock, documents=documents)
    found = await connector.probe()
    assert found["quality"].startswith("✗ NO_SUCH_FORM")
    assert found["equipment"] == "✗ ENG_Equipment has no FNowhere"
    assert found["receipt.source"].startswith("PRD_MO: ")
    wrong = await another(erp, clock, app_secret=SecretStr("wrong"))
    with pytest.raises(ErpUnavailable, match="check acct_id"):
        await wrong.probe()
    await wrong.close()
    await connector.close()


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ({"ticket": {"write": {"F_X": "cut(title"}}}, "erp.with.documents.ticket.write.F_X"),
        ({"ticket": {"write": {"F_AH_ExtKey": ""}}}, "no field carries `key`"),
        ({"receipt": {"write": {"F_AH_ExtKey": "order"}}}, "documents.receipt.write: no field carries"),
    ],
)
def test_a_map_that_cannot_work_is_refused_at_the_start(
    clock: HandClock, documents: dict[str, Any], said: str
) -> None:
    block = {"server_url": "http://erp/k3cloud", "acct_id": "a", "user": "u", "app_id": "i",
             "app_secret": "s", "documents": documents}  # fmt: skip
    with pytest.raises(ConfigError, match=re.escape(said)):
        KingdeeGalaxyConnector(KingdeeGalaxyConnector.Config.model_validate(block), clock)


async def test_our_number_may_be_the_bill_number_itself(erp: KingdeeSimulator, clock: HandClock) -> None:
    documents = {"ticket": {"write": {"F_AH_ExtKey": "", "FBillNo": "key"}}}
    connector = await another(erp, clock, documents=documents)
    first = await connector.open_ticket(KEY, FIELDS)
    assert first[1] == KEY
    assert await connector.open_ticket(KEY, FIELDS) == first
    await connector.close()


async def test_a_form_without_a_date_of_change_is_read_whole(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.simulators.kingdee.columns._simple", without("FModifyDate", "BD_MATERIAL"))
    assert "R-STEEL" in {i.number for i in await connector.items(NOON + timedelta(days=1))}


def without(key: str, form_id: str) -> Any:
    from tests.simulators.kingdee.columns import _simple

    def lacking(form: Any, asked: str) -> Any:
        return None if (form.id, asked) == (form_id, key) else _simple(form, asked)

    return lacking


# ------------------------------------------------------------------ cancelled, and silent about secrets
async def test_a_cancelled_call_leaves_nothing_behind(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp.faults.add("hold", services=["ExecuteBillQuery"])
    call = asyncio.create_task(connector.find_ticket(KEY))
    while not erp.calls:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    erp.faults.clear()
    assert await connector.find_ticket(KEY) is None


async def test_no_secret_is_told_in_any_log_line_or_error(
    erp: KingdeeSimulator, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # as hub.log does
    connector = await another(erp, clock)
    told = [repr(connector), repr(connector.Config), repr(config(erp))]
    for fault in [*NOT_DONE, *AFTER_COMMIT[:-1], "session_death"]:
        erp.faults.add(fault, services=["Save"], times=1)
        try:
            await connector.open_ticket(KEY + fault, FIELDS)
        except ErpUnavailable as trouble:
            told += [str(trouble), repr(trouble), repr(trouble.__cause__)]
    wrong = await another(erp, clock, app_secret=SecretStr("another-secret"))
    await connector.close()
    with pytest.raises(ErpUnavailable) as refused:
        await wrong.find_ticket(KEY)
    await wrong.close()
    text = "\n".join([*told, str(refused.value), caplog.text])
    sessions = list(erp.service.sessions.open)
    assert sessions
    for secret in (SECRET, "another-secret", "MDE3N2I2PzBrPzg4OD45N3IhK3B1InIk", *sessions):
        assert secret not in text


def test_it_says_what_it_can_do() -> None:
    assert KingdeeGalaxyConnector.capabilities == set(Capability) - {Capability.WEBHOOKS}


def test_a_configuration_without_a_secret_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"write \{env: NAME\}"):
        KingdeeGalaxyConnector.Config.model_validate(
            {"server_url": "http://erp/k3cloud", "acct_id": "a", "user": "u", "app_id": "i", "app_secret": ""}
        )
