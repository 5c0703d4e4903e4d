"""Work Orders, Sales Orders, machines, a rush order's fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from erp_bridge.erpnext import ErpNextConnector
from hub.errors import ErpRefused
from hub.model.production import WorkOrderState
from hub.testing.clock import HandClock
from tests.contract.erpnext.said import AT, FACTS, Connect, report
from tests.simulators.erpnext import seed, server
from tests.simulators.erpnext.meta import DocType
from tests.simulators.erpnext.query import listed
from tests.simulators.erpnext.server import ErpNextSimulator
from tests.simulators.erpnext.site import Doc, Site

pytestmark = pytest.mark.anyio


async def test_orders_say_who_waits_and_what_is_done_in_which_order(connector: ErpNextConnector) -> None:
    order = next(o for o in await connector.orders(None) if o.number == FACTS.order)
    assert (order.customer, order.sales_order) == ("东风精密", FACTS.sales_order)
    assert [(j.operation, j.work_center) for j in order.jobs] == [
        ("Turning", "CNC-03"),
        ("Grinding", "GRIND-01"),
    ]
    assert order.due_at == datetime(2026, 1, 10, 15, 59, tzinfo=UTC)


async def test_an_operation_that_comes_twice_is_told_apart(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    rows = erp.site.get("Work Order", FACTS.order)["operations"]
    erp.site.set("Work Order", FACTS.order, operations=[rows[0], rows[1] | {"operation": "Turning"}])
    order = next(o for o in await connector.orders(None) if o.number == FACTS.order)
    assert [j.operation for j in order.jobs] == ["Turning", "Turning/2"]


async def test_an_order_without_operations_has_those_of_its_cards(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    erp.site.set("Work Order", FACTS.order, operations=[])
    order = next(o for o in await connector.orders(None) if o.number == FACTS.order)
    assert [(j.operation, j.work_center) for j in order.jobs] == [
        ("Turning", "CNC-03"), ("Grinding", "GRIND-01")
    ]  # fmt: skip
    await connector.report_operation("R-1", report())
    assert [(c.operation, c.good) for c in await connector.reported([FACTS.order])] == [
        ("Turning", 53), ("Grinding", 50)
    ]  # fmt: skip


async def test_a_stopped_order_is_held_and_a_draft_is_nobodys(
    erp: ErpNextSimulator, connector: ErpNextConnector, clock: HandClock
) -> None:
    clock.turn(3600)
    since = clock.now()
    erp.site.set("Work Order", FACTS.order, status="Stopped")
    erp.site.set("Work Order", f"MFG-WO-2026-{seed.ON_FLOOR + 2:05d}", qty=5.0)
    assert [(o.number, o.state) for o in await connector.orders(since)] == [
        (FACTS.order, WorkOrderState.HELD)
    ]


async def test_an_order_that_has_not_changed_is_not_read_again(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    first = await connector.orders(None)
    erp.requests.clear()
    erp.site.set("Work Order", FACTS.order, qty=111.0)
    again = {o.number: o.quantity for o in await connector.orders(None)}
    assert len(again) == len(first) and again[FACTS.order] == 111
    assert [r for r in erp.requests if "Work Order/" in r] == [f"GET /api/resource/Work Order/{FACTS.order}"]


async def test_a_list_that_shrinks_between_two_pages_loses_nobody(
    erp: ErpNextSimulator, connector: ErpNextConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed_then_finished(site: Site, doctype: DocType, asked: Mapping[str, Any]) -> list[Doc]:
        rows = listed(site, doctype, asked)
        if doctype.name == "Work Order" and len(rows) > 1:
            monkeypatch.undo()
            site.set("Work Order", FACTS.order, status="Completed")
        return rows

    monkeypatch.setattr(server, "listed", listed_then_finished)
    found = [o.number for o in await connector.orders(None)]
    assert found == [f"MFG-WO-2026-{at:05d}" for at in range(2, seed.ON_FLOOR + 1)]


async def test_sales_orders_come_by_line_with_their_own_dates(connector: ErpNextConnector) -> None:
    first, second = await connector.sales_orders(None)
    assert (first.line, first.product, first.quantity) == ("1", seed.ITEM, 300)
    assert (first.due_at.day, second.due_at.day) == (20, 25)


async def test_a_field_that_a_rush_order_needs_is_asked_for_by_name(
    clock: HandClock, connect: Connect
) -> None:
    with ErpNextSimulator(now=clock.now, bare=True) as erp:
        change = {"priority": 1, "rush": True, "due_at": AT, "reason": "客户催货"}
        with pytest.raises(ErpRefused, match="did not take custom_priority on Work Order"):
            await connect(erp).change_order(FACTS.order, change)
        own = {"order": {"write": {"custom_priority": ""}}}
        await connect(erp, documents=own).change_order(FACTS.order, change)
        assert erp.site.get("Work Order", FACTS.order)["expected_delivery_date"] == "2026-01-05"
        assert [c["content"] for c in erp.site.every("Comment")] == ["加急 rush 客户催货"]


async def test_a_field_that_is_closed_after_submission_is_refused(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    connector = connect(erp, documents={"order": {"write": {"qty": "`7`"}}})
    with pytest.raises(ErpRefused, match="UpdateAfterSubmitError: Not allowed to change qty"):
        await connector.change_order(FACTS.order, {"priority": 1, "rush": True, "due_at": None, "reason": ""})


async def test_workstations_are_machines_where_the_site_says_so(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    alone = {e.number for e in await connect(erp).equipment()}
    both = {e.number for e in await connect(erp, workstations=True).equipment()}
    assert both - alone == {"CNC-03", "GRIND-01"}
