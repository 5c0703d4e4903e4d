"""What the office decides: orders, sales orders, items, machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from erp_bridge.kingdee_answers import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.model.erp import PostingKind
from hub.model.production import WorkOrderState
from hub.testing.clock import NOON, HandClock
from tests.contract.kingdee.case import COMMON, REPORT, another, bills, plan_line
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio


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
