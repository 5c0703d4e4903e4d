"""Two hubs on one operation: Odoo keeps what is written last, and nothing that was reported is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from erp_bridge.odoo import OdooConnector
from erp_bridge.odoo_reports import due
from hub.errors import ErpUnavailable
from hub.model.erp import PostingKind
from tests.contract.erp.test_erp_connectors import posting, report
from tests.contract.erp.worlds.odoo import OdooBooks
from tests.contract.odoo.conftest import Connect

pytestmark = pytest.mark.anyio

LINES, OPERATIONS, ORDERS = "mrp.workcenter.productivity", "mrp.workorder", "mrp.production"
Meanwhile = Callable[[], Awaitable[Any]]


def interrupted(
    hub: OdooConnector, model: str, method: str, meanwhile: Meanwhile, *, dies: bool = False
) -> None:
    """Right before this call of the hub reaches Odoo, once, something else happens; `dies`: and then, when
    the call is done, the hub does not hear of it."""
    write, met = hub._client.write, list[str]()

    async def interrupted_write(asked: str, called: str, ids: list[int] | None = None, **named: Any) -> Any:
        if (asked, called) != (model, method) or met:
            return await write(asked, called, ids, **named)
        met.append(called)
        await meanwhile()
        answer = await write(asked, called, ids, **named)
        if dies:
            raise ErpUnavailable("the hub was killed", in_doubt=True)
        return answer

    hub._client.write = interrupted_write  # type: ignore


def made(erp: OdooBooks) -> float:
    return max(float(work["qty_produced"]) for work in erp.rows(OPERATIONS))


@pytest.mark.parametrize("at", [(LINES, "load"), (OPERATIONS, "write"), (OPERATIONS, "button_start")])
async def test_reports_that_read_the_same_total_are_both_counted(
    erp: OdooBooks, connect: Connect, at: tuple[str, str]
) -> None:
    one, other = connect(), connect()
    interrupted(one, *at, lambda: other.report_operation("R-2", report(erp, good=4)))
    await one.report_operation("R-1", report(erp, good=3))
    assert made(erp) == 7
    assert await one.find_report("R-1")
    assert await other.find_report("R-2")


async def test_a_hub_that_dies_on_a_stale_total_leaves_it_to_the_next_look(
    erp: OdooBooks, connect: Connect
) -> None:
    one, other = connect(), connect()
    interrupted(
        one, OPERATIONS, "write", lambda: other.report_operation("R-2", report(erp, good=4)), dies=True
    )
    with pytest.raises(ErpUnavailable):
        await one.report_operation("R-1", report(erp, good=3))
    assert made(erp) == 3  # what Odoo was told last
    assert await other.find_report("R-1") is None
    await other.report_operation("R-1", report(erp, good=3))
    assert made(erp) == 7
    assert len(await erp.reports()) == 2


async def test_the_same_report_of_two_hubs_is_one(erp: OdooBooks, connect: Connect) -> None:
    one, other = connect(), connect()
    interrupted(one, LINES, "load", lambda: other.report_operation("R-1", report(erp, good=3)))
    await one.report_operation("R-1", report(erp, good=3))
    assert made(erp) == 3
    assert len(await erp.reports()) == 1


async def test_many_at_once_add_up(erp: OdooBooks, connect: Connect) -> None:
    hubs = [connect(), connect(), connect()]
    reports = [(hub, f"R-{n}-{i}") for n, hub in enumerate(hubs) for i in (1, 2)]
    await asyncio.gather(*(hub.report_operation(key, report(erp, good=2)) for hub, key in reports))
    assert made(erp) == 12


async def test_what_people_have_entered_beside_it_stays(erp: OdooBooks, connect: Connect) -> None:
    hub = connect()
    await hub.report_operation("R-1", report(erp, good=3))
    work = next(w["id"] for w in erp.rows(OPERATIONS) if w["qty_produced"])
    erp.write(OPERATIONS, work, qty_produced=10.0)
    await hub.report_operation("R-2", report(erp, good=4))
    assert made(erp) == 14


async def test_a_report_of_another_hub_does_not_swell_a_receipt(erp: OdooBooks, connect: Connect) -> None:
    """It makes Odoo forget the quantity that was set for the completion, and set its own."""
    one, other = connect(), connect()
    await one.report_operation("R-1", report(erp, good=3))
    interrupted(one, ORDERS, "write", lambda: other.report_operation("R-2", report(erp, good=4)))
    await one.post(PostingKind.RECEIPT, "P-1", posting(erp, PostingKind.RECEIPT))
    (receipt,) = await erp.postings(PostingKind.RECEIPT)
    assert receipt.quantity == 2
    (claim,) = [c for c in await one.reported([erp.facts.order]) if c.operation == erp.facts.operation]
    assert claim.good == 7


@pytest.mark.parametrize("at", ["write", "button_mark_done"])
async def test_receipts_of_two_hubs_are_both_received(erp: OdooBooks, connect: Connect, at: str) -> None:
    one, other = connect(), connect()
    two, five = posting(erp, PostingKind.RECEIPT), posting(erp, PostingKind.RECEIPT) | {"quantity": 5.0}
    interrupted(one, ORDERS, at, lambda: other.post(PostingKind.RECEIPT, "P-2", five))
    with pytest.raises(ErpUnavailable):
        await one.post(PostingKind.RECEIPT, "P-1", two)
    assert await one.find_posting(PostingKind.RECEIPT, "P-1") is None
    await one.post(PostingKind.RECEIPT, "P-1", two)
    assert sorted((r.key, r.quantity) for r in await erp.postings(PostingKind.RECEIPT)) == [
        ("P-1", 2.0), ("P-2", 5.0),
    ]  # fmt: skip


def test_lines_promise_their_total_and_no_less_than_their_pieces() -> None:
    def line(good: int, total: int) -> dict[str, Any]:
        return {"description": f"[report:R] good={good} scrap=0 total={total}"}

    assert due([]) == 0
    assert due([line(3, 3), line(4, 7)]) == 7
    assert due([line(3, 3), line(4, 4)]) == 7  # both had read zero
    assert due([line(3, 3), line(4, 17)]) == 17  # ten were entered by people
    assert due([line(3, 3), line(4, 14), line(2, 5)]) == 16
