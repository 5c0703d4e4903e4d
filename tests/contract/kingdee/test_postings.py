"""Reports and postings: pushed, filled, approved, once."""

from __future__ import annotations

from typing import Any

import pytest

from erp_bridge.kingdee_answers import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.kingdee_maps import DOCUMENTS
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.kingdee.case import COMMON, POSTED, REPORT, another, bills, on_hand, plan_line
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio


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


# ------------------------------------------------------------------ postings
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
