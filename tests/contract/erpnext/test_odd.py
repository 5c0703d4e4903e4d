"""Records that no map can read, pages where answers belong, answers of another shape; and what the map editor
is shown."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from erp_bridge import erpnext_tickets, left_out
from erp_bridge.erpnext import ErpNextConnector
from erp_bridge.left_out import LeftOut
from hub.errors import ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.shapes import OFFICE, Call, endure
from tests.contract.erp.worlds.erpnext import ErpNextBooks
from tests.contract.erpnext.said import FACTS, KEY, Connect, closing, posting, report, step, ticket
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.meta import Field
from tests.simulators.erpnext.server import ErpNextSimulator
from tests.simulators.erpnext.site import User

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------ left out, and told
def dated_by_hand(erp: ErpNextSimulator) -> LeftOut:
    erp.site.set("Work Order", FACTS.order, expected_delivery_date="next week")
    return LeftOut("order", FACTS.order, "field due_at")


def without_a_day(erp: ErpNextSimulator) -> LeftOut:
    gone = dict.fromkeys(("expected_delivery_date", "planned_end_date", "planned_start_date"))
    erp.site.set("Work Order", FACTS.order, **gone)
    return LeftOut("order", FACTS.order, "documents.order.read.due_at gives nothing")


def planned_in_words(erp: ErpNextSimulator) -> LeftOut:
    rows = erp.site.get("Work Order", FACTS.order)["operations"]
    erp.site.set("Work Order", FACTS.order, operations=[rows[0], rows[1] | {"bom": "1,5"}])
    return LeftOut("order", FACTS.order, "documents.operation.read: field quantity")


@pytest.mark.parametrize("spoil", [dated_by_hand, without_a_day, planned_in_words])
async def test_an_order_that_cannot_be_read_is_told_and_hides_no_other(
    erp: ErpNextSimulator, connect: Connect, spoil: Callable[[ErpNextSimulator], LeftOut]
) -> None:
    told = spoil(erp)
    connector = connect(erp, documents={"operation": {"read": {"quantity": "number(bom) || `400`"}}})
    with left_out.gathered() as lost:
        found = await connector.orders(None)
    assert len(found) == FACTS.orders - 1
    assert [(one.document, one.record) for one in lost] == [(told.document, told.record)]
    assert told.reason in lost[0].reason


async def test_a_line_of_a_sale_that_cannot_be_read_is_told_and_its_neighbours_come(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    before = await connector.sales_orders(None)
    first, second, *more = erp.site.get("Sales Order", FACTS.sales_order)["items"]
    rows = [first, second | {"delivery_date": "soon"}, *more]
    erp.site.set("Sales Order", FACTS.sales_order, items=rows)
    with left_out.gathered() as lost:
        assert len(await connector.sales_orders(None)) == len(before) - 1
    assert [(one.document, one.record) for one in lost] == [("sales_line", f"{FACTS.sales_order}/2")]


async def test_sums_of_an_order_with_a_card_that_cannot_be_read_are_not_told(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    connector = connect(erp, documents={"card": {"read": {"good": "number(workstation)"}}})
    with left_out.gathered() as lost:
        assert await connector.reported([FACTS.order]) == []
    assert [(one.document, one.record) for one in lost] == [("card", FACTS.order)]


# ------------------------------------------------------------------ pages for people
@pytest.mark.parametrize("status", [200, 302, 403, 404, 502, 503])
async def test_a_page_is_an_outage_and_a_write_that_met_it_is_in_doubt(
    erp: ErpNextSimulator, connector: ErpNextConnector, status: int
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    page = "<!DOCTYPE html><html><title>防火墙 refused</title></html>"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(
                200, json=httpx.get(str(request.url), headers=request.headers, verify=False).json()
            )
        return httpx.Response(status, html=page, headers={"Location": "https://sso.example/"})

    await answering(connector, answer)
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.update_ticket(erp_id, step("accepted"))
    assert trouble.value.in_doubt


async def answering(connector: ErpNextConnector, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    await connector.close()
    connector._client._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))


# ------------------------------------------------------------------ answers beside the question
async def test_another_machine_is_not_taken_for_ours(erp: ErpNextSimulator, connect: Connect) -> None:
    connector = connect(erp, asset_field="asset_name")
    erp.faults.add("any_document")
    asset = await connector._tickets._asset("NO-SUCH-MACHINE")
    assert asset is None


async def test_another_order_is_not_changed_in_place_of_ours(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    before = erp.site.every("Work Order")
    erp.faults.add("any_document")
    with pytest.raises(ErpUnavailable, match="another one"):
        await connector.change_order(FACTS.order, {"priority": 1, "rush": True, "due_at": None, "reason": ""})
    assert erp.site.every("Work Order") == before


async def test_orders_of_another_company_stay_there_though_the_site_tells_us_no_fields(
    clock: HandClock, connect: Connect
) -> None:
    """The user may not see what DocTypes look like: the filter is asked for all the same."""
    with ErpNextSimulator(now=clock.now, lacks=frozenset({"getdoctype"})) as erp:
        poor = User("poor@x", "poor-key", "poor-secret", roles=seed.BRIDGE.roles - {"System Manager"})
        erp.site.users.append(poor)
        erp.site.insert("Company", {"company_name": "Factory Two"}, seed.CLERK)
        erp.site.set("Work Order", FACTS.order, company="Factory Two")
        connector = connect(erp, api_key=poor.api_key, api_secret=poor.api_secret)
        assert FACTS.order not in {order.number for order in await connector.orders(None)}


async def test_stock_of_another_company_is_not_counted_as_ours(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    ours, *_ = before = await connector.stock([seed.COMPONENT])
    erp.site.insert("Company", {"company_name": "Factory Two"}, seed.CLERK)
    erp.site.set("Warehouse", ours.warehouse, company="Factory Two")
    left = await connector.stock([seed.COMPONENT])
    assert left == [claim for claim in before if claim.warehouse != ours.warehouse]


async def test_a_number_that_two_tickets_carry_is_told_with_both(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    _, first = await connector.open_ticket(KEY, ticket())
    await connector.open_ticket(KEY + "1", ticket())
    erp.site.types["Asset Repair"].own[seed.REF] = Field(seed.REF, "Data")
    values = {"asset": FACTS.equipment, "failure_date": "2026-01-05 08:00:00", seed.REF: KEY}
    second = erp.site.insert("Asset Repair", values, seed.CLERK)["name"]
    copies = await connector.ticket_copies([KEY, KEY + "1", "AH-NONE"])
    assert copies[KEY] == sorted([first, second])
    assert len(copies[KEY + "1"]) == 1
    assert "AH-NONE" not in copies


async def test_a_ticket_that_was_amended_is_one(connector: ErpNextConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    await connector.close_ticket(erp_id, closing())
    await connector.update_ticket(erp_id, step("reopened"))
    assert [len(names) for names in (await connector.ticket_copies([KEY])).values()] == [1]


async def test_however_many_tickets_were_opened_again_all_are_open(
    erp: ErpNextSimulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than fit into the searches that are made for one ticket's generations."""
    monkeypatch.setattr(erpnext_tickets, "AT_ONCE", 1)
    monkeypatch.setattr(erpnext_tickets, "_GENERATIONS", 3)
    connector = connect(erp, page_rows=500)
    ids = [(await connector.open_ticket(f"AH-{at}", ticket()))[0] for at in range(5)]
    for one in ids:
        await connector.close_ticket(one, closing())
        await connector.update_ticket(one, step("reopened"))
    assert await connector.ticket_states(ids) == dict.fromkeys(ids, "open")


ASKED: dict[str, Call] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_states": lambda c: c.ticket_states(["Asset Repair/ACC-ASR-2026-00001"]),
    "ticket_copies": lambda c: c.ticket_copies([KEY]),
    "find_report": lambda c: c.find_report("R-1"),
    "find_posting": lambda c: c.find_posting(PostingKind.RECEIPT, "P-1"),
    **OFFICE,
    "reported": lambda c: c.reported([FACTS.order]),
    "stock": lambda c: c.stock([seed.ITEM]),
    "samples": lambda c: c.samples("operation"),
}


async def test_an_answer_of_another_shape_is_an_outage_or_a_refusal(
    erp: ErpNextSimulator, books: ErpNextBooks, connector: ErpNextConnector, clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await connector.open_ticket(KEY, ticket())
    await connector.report_operation("R-1", report(scrap=1))
    await connector.post(PostingKind.RECEIPT, "P-1", posting())

    def over(wire: httpx.AsyncBaseTransport) -> ErpNextConnector:
        made = books.connector(clock, page_rows=100)
        made._client._http = httpx.AsyncClient(transport=wire)
        return made

    for at, call in enumerate(ASKED.values()):
        assert await endure(over, call, seed=at, most=4, monkeypatch=monkeypatch, by_the_way=True) > 10


# ------------------------------------------------------------------ for whoever edits a map
async def test_fields_come_with_their_captions_and_how_a_map_names_them(connector: ErpNextConnector) -> None:
    repair = {f.name: f for f in await connector.fields("repair")}
    assert (repair["failure_date"].title, repair["failure_date"].write) == ("故障日期", "failure_date")
    assert (repair["downtime"].write, repair["downtime"].read) == ("", "downtime")
    assert repair[seed.REF].type == "Data"
    card = {f.name: f for f in await connector.fields("card")}
    logged = card["time_logs.completed_qty"]
    assert (logged.group, logged.write, logged.title) == (
        "time_logs",
        "time_logs[].completed_qty",
        "完成数量",
    )


async def test_records_are_shown_as_the_map_will_see_them(connector: ErpNextConnector) -> None:
    (first, *others) = await connector.samples("operation")
    assert first["operation"] and first["order"]["doctype"] == "Work Order"
    assert len(others) < 3
    newest = await connector.samples("order")
    assert [row["name"] for row in newest] and "operations" in newest[0]
