"""Stock entries and inspections: drafts that carry our number, then submitted."""

from __future__ import annotations

import pytest

from erp_bridge.erpnext import ErpNextConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from tests.contract.erpnext.said import Connect, posting
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator

pytestmark = pytest.mark.anyio


async def test_what_is_consumed_is_worked_out_by_erpnext(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    await connector.post(PostingKind.RECEIPT, "P-1", posting())
    (entry,) = erp.site.every("Stock Entry")
    moved = [(r["item_code"], r["qty"], r["batch_no"], r["s_warehouse"] or "") for r in entry["items"]]
    assert moved == [(seed.COMPONENT, 2, seed.LOT, seed.WIP), (seed.ITEM, 2, "FG-1", "")]
    assert {s.warehouse: s.quantity for s in await connector.stock([seed.ITEM])} == {seed.FINISHED: 2}


async def test_a_posting_that_was_half_made_is_taken_up_again(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    erp.faults.add("drop_before", skip=1, on=["Stock Entry"])
    with pytest.raises(ErpUnavailable):
        await connect(erp).post(PostingKind.RECEIPT, "P-1", posting())
    assert [e["docstatus"] for e in erp.site.every("Stock Entry")] == [0]
    assert await connect(erp).find_posting(PostingKind.RECEIPT, "P-1") is None
    assert await connect(erp).post(PostingKind.RECEIPT, "P-1", posting()) == "MAT-STE-2026-00001"
    assert [e["docstatus"] for e in erp.site.every("Stock Entry")] == [1]


async def test_what_the_office_has_cancelled_is_not_booked_again(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    number = await connector.post(PostingKind.RECEIPT, "P-1", posting())
    with erp.site.lock:
        erp.site.save("Stock Entry", number, {"docstatus": 2}, seed.CLERK)
    with pytest.raises(ErpRefused, match="cancelled in ERPNext by hand"):
        await connector.post(PostingKind.RECEIPT, "P-1", posting())


async def test_material_that_is_not_there_is_refused_in_their_words(connector: ErpNextConnector) -> None:
    much = posting(item=seed.COMPONENT, lot=seed.LOT, quantity=9000.0)
    with pytest.raises(ErpRefused, match=r"NegativeStockError: 4000\.0 units of Item BAR-20 needed"):
        await connector.post(PostingKind.ISSUE, "P-1", much)


async def test_an_inspection_belongs_to_its_card(erp: ErpNextSimulator, connector: ErpNextConnector) -> None:
    await connector.post(
        PostingKind.QUALITY, "Q-1", posting(check="外径", passed=False, value="20.013", lot="")
    )
    (found,) = erp.site.every("Quality Inspection")
    assert (found["status"], found["readings"][0]["specification"]) == ("Rejected", "外径")
    assert erp.site.get("Job Card", found["reference_name"])["quality_inspection"] == found["name"]
