"""Rush orders and dates: on the order, on the sales order, by a change bill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from erp_bridge.kingdee_answers import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.testing.clock import NOON, HandClock
from tests.contract.kingdee.case import another, bills
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio

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
