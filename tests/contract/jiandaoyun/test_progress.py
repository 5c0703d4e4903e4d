"""Reports and what becomes of them: progress on the order, lots, stock, orders that are not there yet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import NOON, HandClock
from tests.contract.jiandaoyun.case import receipt, report
from tests.contract.jiandaoyun.conftest import Connect
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

pytestmark = pytest.mark.anyio


def order(erp: JiandaoyunSimulator) -> dict[str, object]:
    return next(r for r in erp.desk.rows("ah_work_order") if r["wo_no"] == seed.ORDER)


async def test_the_order_shows_what_its_last_operation_made_and_all_scrap(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    before = order(erp)["ops"]
    await connector.report_operation("R-1", report(good=9, scrap=1))
    await connector.report_operation("R-2", report(good=5, scrap=2, operation="20"))
    await connector.report_operation("R-2", report(good=5, scrap=2, operation="20"))
    assert (order(erp)["done_qty"], order(erp)["scrap_qty"]) == (5, 3)
    assert order(erp)["ops"] == before  # a list would replace the sub-form as a whole


async def test_progress_that_could_not_be_written_is_written_with_the_next_look(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp.faults.add("locked", forms=["ah_work_order"])
    await connector.report_operation("R-1", report(operation="20"))
    assert order(erp)["done_qty"] == 0
    await connector.orders(NOON)
    assert order(erp)["done_qty"] == 3


async def test_a_site_takes_the_state_from_progress_and_leaves_the_sums(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    state = "if(done >= quantity, '已完工', '生产中')"
    connector = connect(documents={"progress": {"write": {"done_qty": "", "state": state}}})
    await connector.report_operation("R-1", report(good=seed.QUANTITY, operation="20"))
    assert (order(erp)["state"], order(erp)["done_qty"]) == ("已完工", 0)


async def test_a_report_carries_what_the_order_says_of_its_operation(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    await connector.report_operation("R-1", report(person="tech-a"))
    (row,) = erp.desk.rows("ah_op_report")
    assert (row["op_name"], row["work_center"], row["worker"]["name"]) == ("车削", "CNC-L2", "张工")


async def test_an_operation_that_is_not_there_is_refused(connector: JiandaoyunConnector) -> None:
    with pytest.raises(ErpRefused, match="no operation 99"):
        await connector.report_operation("R-1", report(operation="99"))


async def test_a_report_that_is_quicker_than_the_office_waits_for_an_hour(
    connector: JiandaoyunConnector, clock: HandClock
) -> None:
    early = report(order="WO-NEW", at=clock.now() - timedelta(minutes=10))
    with pytest.raises(ErpUnavailable, match="WO-NEW"):
        await connector.report_operation("R-1", early)
    clock.turn(3600)
    with pytest.raises(ErpRefused, match="WO-NEW"):
        await connector.report_operation("R-1", early)


async def test_a_lot_is_recorded_beside_its_receipt_where_there_is_a_form_for_it(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    await connect().post(PostingKind.RECEIPT, "P-1", receipt())
    (lot,) = erp.desk.rows("ah_lot")
    assert (lot["lot_no"], lot["item_code"], lot["wo_no"]) == ("FG-LOT-01", seed.ITEM, seed.ORDER)
    nowhere = connect(documents={"lot": {"form": "没有批次表"}})
    await nowhere.post(PostingKind.RECEIPT, "P-2", receipt(lot="FG-LOT-02"))
    assert len(erp.desk.rows("ah_lot")) == 1
    assert len(erp.desk.rows("ah_completion")) == 2


async def test_stock_follows_where_the_receipt_runs_their_assistant(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    await connector.post(PostingKind.RECEIPT, "P-1", receipt())
    found = {s.lot: s.quantity for s in await connector.stock([seed.ITEM])}
    assert found == {"FG-LOT-00": 12, "FG-LOT-01": 2}


async def test_an_app_without_stock_says_that_it_cannot_tell(connect: Connect) -> None:
    own = type(connect()).Config.model_fields["without"].get_default()
    assert "stock" in own
    assert "stock" not in connect(without=own).capabilities


async def test_what_was_reported_before_a_crash_is_on_the_order_after_it(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    erp.faults.add("locked", forms=["ah_work_order"])
    await connect().report_operation("R-1", report(operation="20"))
    await connect().orders(None)
    assert order(erp)["done_qty"] == 3
    writes = erp.faults.writes
    await connect().orders(None)
    assert erp.faults.writes == writes


async def test_what_clerks_have_booked_alone_is_not_written_to_their_orders(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    seed.add(erp.platform.books, "ah_op_report", wo_no=seed.ORDER, op_no="20", good_qty=8, scrap_qty=0)
    await connector.orders(None)
    assert order(erp)["done_qty"] == 0
    (claim,) = [c for c in await connector.reported([seed.ORDER]) if c.operation == "20"]
    assert claim.good == 8
