"""Reports are rows of job cards; cards that are full are submitted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from erp_bridge.erpnext import ErpNextConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.erpnext import ErpNextBooks
from tests.contract.erpnext.said import AT, FACTS, Connect, cards, posting, report
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator

pytestmark = pytest.mark.anyio


async def test_two_reports_at_once_are_two_rows(
    books: ErpNextBooks, erp: ErpNextSimulator, connect: Connect
) -> None:
    """Whoever read the card first writes; the other is told to look again, and then both are there."""
    both = {"R-1": connect(erp), "R-2": connect(erp)}
    for _ in range(3):
        tries = (c.report_operation(k, report()) for k, c in both.items())
        for outcome in await asyncio.gather(*tries, return_exceptions=True):
            assert isinstance(outcome, str | ErpUnavailable)
    assert sorted(r.key for r in await books.reports()) == ["R-1", "R-2"]


async def test_a_card_that_somebody_has_written_meanwhile_is_read_again(
    erp: ErpNextSimulator, connector: ErpNextConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, save = erp.site, erp.site.save
    clerks = {"completed_qty": 1.0}

    def overtaken(doctype: str, name: str, data: Any, user: Any) -> Any:
        monkeypatch.setattr(site, "save", save)
        save(doctype, name, {"time_logs": [clerks]}, seed.CLERK)
        site.committed()
        return save(doctype, name, data, user)

    monkeypatch.setattr(site, "save", overtaken)
    with pytest.raises(ErpUnavailable, match="TimestampMismatchError") as trouble:
        await connector.report_operation("R-1", report())
    assert not trouble.value.in_doubt
    await connector.report_operation("R-1", report())
    assert [row["completed_qty"] for row in cards(erp)[-1]["time_logs"]] == [1, 3]


async def test_a_card_with_all_its_pieces_is_submitted_and_counts(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    await connector.report_operation("R-1", report(good=340, scrap=4))
    assert [c["docstatus"] for c in cards(erp)] == [1, 0]
    erp.faults.add("drop_after_commit", skip=1, on=["Job Card"])
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.report_operation("R-2", report(good=6))
    assert trouble.value.in_doubt
    await connector.report_operation("R-2", report(good=6))
    assert [c["docstatus"] for c in cards(erp)] == [1, 1]
    (turning, _) = erp.site.get("Work Order", FACTS.order)["operations"]
    assert (turning["completed_qty"], turning["process_loss_qty"]) == (396, 4)
    (claim, _) = await connector.reported([FACTS.order])
    assert (claim.good, claim.scrap) == (396, 4)


async def test_pieces_beyond_the_plan_get_a_card_of_their_own(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    await connector.report_operation("R-1", report(good=355))
    await connector.report_operation("R-2", report(good=2))
    assert [(c["for_quantity"], c["docstatus"]) for c in cards(erp)] == [(50, 1), (355, 1), (2, 1)]


async def test_hours_after_the_last_piece_are_refused_in_their_words(connector: ErpNextConnector) -> None:
    await connector.report_operation("R-1", report(good=350))
    hours = posting(labour_seconds=600.0, at=AT + timedelta(hours=2))
    assert (await connector.post(PostingKind.HOURS, "H-1", hours)).startswith("PO-JOB")


async def test_a_report_may_be_a_card_of_its_own(erp: ErpNextSimulator, connect: Connect) -> None:
    """Then the Work Order counts at once, and finished goods can be received while the order runs."""
    connector = connect(erp, report_as="card")
    for key, good in (("R-1", 30), ("R-2", 20)):
        for operation in (seed.OPERATION, seed.NEXT_OPERATION):
            await connector.report_operation(key + operation, report(good=good, scrap=1, operation=operation))
    assert [(c["for_quantity"], c["docstatus"]) for c in cards(erp)] == [(50, 1), (31, 1), (21, 1)]
    assert await connector.post(PostingKind.RECEIPT, "P-1", posting(quantity=90.0)) == "MAT-STE-2026-00001"


async def test_goods_before_their_operations_are_refused_in_their_words(connector: ErpNextConnector) -> None:
    with pytest.raises(ErpRefused, match="Operation Turning is not completed for 90"):
        await connector.post(PostingKind.RECEIPT, "P-1", posting(quantity=90.0))


async def test_a_minute_that_is_taken_costs_the_time_not_the_pieces(
    erp: ErpNextSimulator, books: ErpNextBooks, connector: ErpNextConnector
) -> None:
    other = report(order="MFG-WO-2026-00002")
    await connector.report_operation("R-1", report())
    await connector.report_operation("R-2", other)
    rows = {r.key: r.fields for r in await books.reports()}
    assert rows["R-1"]["from_time"] == "2026-01-05 12:00:00"
    assert (rows["R-2"]["from_time"], rows["R-2"]["completed_qty"]) == (None, 3)


@pytest.mark.parametrize("word", ["Turning", "1"])
async def test_an_operation_is_found_by_name_or_place(
    erp: ErpNextSimulator, connector: ErpNextConnector, word: str
) -> None:
    await connector.report_operation("R-1", report(operation=word))
    assert cards(erp)[-1]["total_completed_qty"] == 3


async def test_an_operation_that_is_not_there_is_told_with_those_that_are(
    connector: ErpNextConnector,
) -> None:
    with pytest.raises(ErpRefused, match="no operation '30' in ERPNext; there are: Turning, Grinding"):
        await connector.report_operation("R-1", report(operation="30"))


async def test_a_report_for_a_draft_waits_for_a_while(connector: ErpNextConnector, clock: HandClock) -> None:
    draft = f"MFG-WO-2026-{seed.ON_FLOOR + 2:05d}"
    with pytest.raises(ErpUnavailable, match="is a draft"):
        await connector.report_operation("R-1", report(order=draft, at=clock.now()))
    with pytest.raises(ErpRefused, match="is a draft"):
        await connector.report_operation("R-1", report(order=draft, at=clock.now() - timedelta(hours=2)))


async def test_a_row_that_loses_its_number_or_scrap_is_taken_out_again(
    clock: HandClock, connect: Connect
) -> None:
    with ErpNextSimulator(now=clock.now, bare=True) as erp:
        connector = connect(erp)
        with pytest.raises(ErpRefused, match="no field custom_andon_ref on Job Card Time Log"):
            await connector.report_operation("R-1", report())
        seed.add(erp.site, "Job Card Time Log", seed.REF)
        with pytest.raises(ErpRefused, match="no field custom_andon_scrap"):
            await connector.report_operation("R-1", report(scrap=1))
        assert [c["time_logs"] for c in cards(erp) if not c["docstatus"]] == [[]]
        assert await connector.report_operation("R-1", report())
