"""A whole day, cut off at each of its writes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from erp_bridge.erpnext import ErpNextConnector
from hub.errors import ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erpnext.said import AT, FACTS, KEY, Connect, Step, closing, posting, report, step, ticket
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator

pytestmark = pytest.mark.anyio


def _day(key: str) -> list[Step]:
    """Every kind of document once, each step as the bridge would send it again."""

    async def live(connector: ErpNextConnector, what: str) -> None:
        found = await connector.find_ticket(key)
        assert found is not None
        match what:
            case "close":
                await connector.close_ticket(found[0], closing())
            case state:
                await connector.update_ticket(found[0], step(state))

    return [
        lambda c: c.open_ticket(key, ticket()),
        partial(live, what="accepted"),
        lambda c: c.report_operation("R-1", report(good=345, scrap=2)),
        lambda c: c.report_operation("R-2", report(good=3)),
        lambda c: c.post(PostingKind.RECEIPT, "P-1", posting()),
        lambda c: c.post(PostingKind.ISSUE, "P-2", posting(item=seed.COMPONENT, lot=seed.LOT)),
        lambda c: c.post(PostingKind.QUALITY, "P-3", posting(check="外径", value="20", passed=True, lot="")),
        lambda c: c.post(PostingKind.SCRAP, "P-4", posting(operation=seed.NEXT_OPERATION, reason="毛刺")),
        partial(live, what="close"),
        partial(live, what="reopened"),
        lambda c: c.change_order(FACTS.order, {"priority": 1, "rush": True, "due_at": AT, "reason": "催"}),
    ]  # fmt: skip


def _books(erp: ErpNextSimulator) -> dict[str, list[Any]]:
    site = erp.site
    return {
        "repairs": [(r["name"], r["docstatus"], r["actions_performed"]) for r in site.every("Asset Repair")],
        "cards": [(c["docstatus"], [(r[seed.REF], r["completed_qty"]) for r in c["time_logs"]])
                  for c in site.every("Job Card")],
        "stock": [(e["purpose"], e["docstatus"]) for e in site.every("Stock Entry")],
        "bins": sorted((b["item_code"], b["warehouse"], b["actual_qty"]) for b in site.every("Bin")),
        "quality": [q["docstatus"] for q in site.every("Quality Inspection")],
        "comments": [c["content"] for c in site.every("Comment")],
        "order": [site.get("Work Order", FACTS.order)[n]
                  for n in ("custom_priority", "expected_delivery_date", "status")],
    }  # fmt: skip


async def _lived(clock: HandClock, connect: Connect, fault: str = "", nth: int = 0) -> tuple[Any, int]:
    """(the books at the end, how many writes there were) of a day whose nth write fails; whoever goes on
    after a failure is a new process, which remembers nothing."""
    with ErpNextSimulator(now=clock.now) as erp:
        if fault:
            erp.faults.add(fault, skip=nth)
        connector = connect(erp, page_rows=500)
        for one in _day(KEY):
            for _ in range(3):
                try:
                    await one(connector)
                    break
                except ErpUnavailable:
                    connector = connect(erp, page_rows=500)
            else:
                raise AssertionError("three tries were not enough")
        return _books(erp), sum(not r.startswith("GET") for r in erp.requests)


async def test_a_day_that_is_cut_off_at_any_write_ends_the_same(clock: HandClock, connect: Connect) -> None:
    """To be cut off before a write is to be cut off after the one before it."""
    wanted, writes = await _lived(clock, connect)
    assert writes > 15
    assert (await _lived(clock, connect, "drop_before"))[0] == wanted
    for nth in range(writes):
        assert (await _lived(clock, connect, "drop_after_commit", nth))[0] == wanted, nth
