"""What the office decides reaches the floor, also when it deletes or leaves things out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.errors import ErpRefused
from hub.model.production import WorkOrderState
from hub.testing.clock import NOON, HandClock
from tests.contract.jiandaoyun.conftest import Connect
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

pytestmark = pytest.mark.anyio


def id_of(erp: JiandaoyunSimulator, number: str) -> str:
    return next(str(r["_id"]) for r in erp.desk.rows("ah_work_order") if r["wo_no"] == number)


async def test_an_order_brings_what_other_forms_say_of_it(connect: Connect) -> None:
    connector = connect(work_centers={"CNC-L2": "p1/machining/l2"})
    one = next(o for o in await connector.orders(None) if o.number == seed.ORDER)
    assert (one.product_name.zh, one.customer, one.sales_order) == ("轴承座", "华东电机", seed.SALES_ORDER)
    assert [(j.operation, j.name.zh, j.work_center, j.quantity) for j in one.jobs] == [
        ("10", "车削", "p1/machining/l2", seed.QUANTITY),
        ("20", "磨削", "p1/machining/l2", seed.QUANTITY),
    ]


async def test_orders_come_also_where_there_are_no_items_and_no_sales_orders(connect: Connect) -> None:
    connector = connect(documents={"item": {"form": "无"}, "sales_order": {"form": "无"}})
    assert len(await connector.orders(None)) == seed.ORDERS


async def test_a_deleted_order_is_told_as_cancelled(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    await connector.orders(None)
    erp.desk.delete("ah_work_order", id_of(erp, seed.ORDER))
    states = {o.number: o.state for o in await connector.orders(None)}
    assert states.pop(seed.ORDER) is WorkOrderState.CANCELLED
    assert set(states.values()) == {WorkOrderState.RELEASED}
    assert seed.ORDER not in {o.number for o in await connector.orders(None)}


@pytest.mark.parametrize(
    ("state", "done", "meant"),
    [
        ("已完工", 400, WorkOrderState.COMPLETED),
        ("已关闭", 400, WorkOrderState.COMPLETED),
        ("已关闭", 3, WorkOrderState.CANCELLED),
        ("已取消", 0, WorkOrderState.CANCELLED),
        ("等待审批", 0, WorkOrderState.HELD),
    ],
)
async def test_what_a_state_means(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, state: str, done: int, meant: WorkOrderState
) -> None:
    erp.desk.edit("ah_work_order", id_of(erp, seed.ORDER), {"state": state, "done_qty": done})
    told = {o.number: o.state for o in await connector.orders(NOON)}
    assert told == {seed.ORDER: meant}


async def test_an_order_without_an_end_is_left_out_and_told(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, caplog: pytest.LogCaptureFixture
) -> None:
    erp.desk.edit("ah_work_order", id_of(erp, seed.ORDER), {"plan_end": None})
    assert len(await connector.orders(None)) == seed.ORDERS - 1
    assert seed.ORDER in caplog.text


async def test_a_site_sees_only_what_it_has_chosen(connect: Connect) -> None:
    chosen = connect(filters={"order": [{"field": "工单号", "method": "in", "value": ["WO-2026-0002"]}]})
    assert [o.number for o in await chosen.orders(None)] == ["WO-2026-0002"]


async def test_changes_are_asked_for_with_an_overlap(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, clock: HandClock
) -> None:
    erp.desk.edit("ah_work_order", id_of(erp, seed.ORDER), {"qty": 5})
    clock.turn(9 * 60)
    assert [o.number for o in await connector.orders(clock.now())] == [seed.ORDER]
    clock.turn(2 * 60)
    assert await connector.orders(clock.now()) == []


async def test_a_rush_that_stands_there_already_writes_nothing(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    change = {"priority": 1, "rush": True, "due_at": NOON + timedelta(days=1), "reason": ""}
    await connector.change_order(seed.ORDER, change)
    row = next(r for r in erp.desk.rows("ah_work_order") if r["wo_no"] == seed.ORDER)
    assert (row["priority"], row["rush"], row["plan_end"]) == (1, "是", NOON + timedelta(days=1))
    before = erp.faults.writes
    await connector.change_order(seed.ORDER, change)
    assert erp.faults.writes == before
    await connector.change_order(seed.ORDER, {"priority": None, "rush": False, "due_at": None, "reason": ""})
    row = next(r for r in erp.desk.rows("ah_work_order") if r["wo_no"] == seed.ORDER)
    assert (row["priority"], row["rush"]) == (1, "否")


async def test_a_rush_that_there_is_no_field_for_is_refused(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    form = erp.platform.books.form("ah_work_order")
    form.widgets = [w for w in form.widgets if w.alias not in ("priority", "rush")]
    wish = {"priority": 1, "rush": True, "due_at": None, "reason": ""}
    with pytest.raises(ErpRefused, match=r"priority and rush.*documents\.order\.write"):
        await connector.change_order(seed.ORDER, wish)


async def test_each_line_of_a_sales_order_is_one(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    (line,) = await connector.sales_orders(None)
    assert (line.line, line.product, line.quantity, line.priority) == ("1", seed.ITEM, seed.QUANTITY, 3)
    (head,) = erp.desk.rows("ah_sales_order")
    erp.desk.edit("ah_sales_order", head["_id"], {"state": "已完成"})
    assert await connector.sales_orders(None) == []
    assert [s.open for s in await connector.sales_orders(NOON)] == [False]


async def test_a_field_of_theirs_is_read_by_its_title(
    erp: JiandaoyunSimulator, connect: Connect, clock: HandClock
) -> None:
    books = erp.platform.books
    books.form("ah_work_order").widgets.append(books.widget("", "急单等级", "combo"))
    title = books.form("ah_work_order").widgets[-1].name
    erp.desk.edit("ah_work_order", id_of(erp, seed.ORDER), {title: "特急"})
    table = {"特急": 1, "普通": 5}
    order = {"read": {"priority": "table('急', 急单等级) || `5`"}, "tables": {"急": table}}
    connector = connect(documents={"order": order})
    told = {o.number: o.priority for o in await connector.orders(None)}
    assert (told[seed.ORDER], told["WO-2026-0002"]) == (1, 5)
    assert not (await connector.probe())["order"].startswith("✗")
