"""The Kingdee connector against the simulated server: taken, refused, cut off, timed out, never doubled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from erp_bridge.kingdee_client import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused, ErpUnavailable
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
    assert Capability.REOPEN_TICKETS in KingdeeGalaxyConnector.capabilities


def test_a_configuration_without_a_secret_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"write \{env: NAME\}"):
        KingdeeGalaxyConnector.Config.model_validate(
            {"server_url": "http://erp/k3cloud", "acct_id": "a", "user": "u", "app_id": "i", "app_secret": ""}
        )
