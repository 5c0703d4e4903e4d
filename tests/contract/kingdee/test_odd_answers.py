"""Answers beside the question: pages, wrong shapes, filters and paging that nobody heeds."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.errors import ErpRefused, ErpUnavailable, NotAllowed
from hub.model.erp import ErpPush, PostingKind
from hub.testing.clock import NOON, HandClock
from tests.contract.erp.shapes import Call, Recorder, endure
from tests.contract.kingdee.case import COMMON, FIELDS, KEY, POSTED, REPORT, another, bills, config
from tests.simulators.kingdee.books import Row
from tests.simulators.kingdee.queries import run_query
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio

READS: dict[str, Call] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_states": lambda c: c.ticket_states(["100001", "100002"]),
    "ticket_copies": lambda c: c.ticket_copies([KEY, "AH-2"]),
    "find_report": lambda c: c.find_report("R-1"),
    "find_posting": lambda c: c.find_posting(PostingKind.RECEIPT, "P-1"),
    "orders": lambda c: c.orders(None),
    "changed orders": lambda c: c.orders(NOON),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
    "reported": lambda c: c.reported(["MO0001"]),
    "stock": lambda c: c.stock(["R-STEEL"]),
    "fields": lambda c: c.fields("order"),
    "samples": lambda c: c.samples("order", ["FCreatorId.FNumber"]),
}
WRITES: dict[str, Call] = {
    "open": lambda c: c.open_ticket("AH-9", FIELDS),
    "report": lambda c: c.report_operation("R-9", REPORT),
    "receipt": lambda c: c.post(PostingKind.RECEIPT, "P-9", COMMON | POSTED[PostingKind.RECEIPT][1]),
}


@pytest.mark.parametrize("name", READS)
async def test_an_answer_in_a_wrong_shape_is_no_crash(
    erp: KingdeeSimulator,
    connector: KingdeeGalaxyConnector,
    clock: HandClock,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await connector.open_ticket(KEY, FIELDS)
    await connector.report_operation("R-1", REPORT)
    await connector.post(PostingKind.RECEIPT, "P-1", COMMON | POSTED[PostingKind.RECEIPT][1])
    assert await endure(
        lambda wire: through(erp, clock, wire), READS[name], seed=len(name), most=2, monkeypatch=monkeypatch
    )


@pytest.mark.parametrize("name", WRITES)
async def test_an_answer_to_a_write_in_a_wrong_shape_is_no_crash(
    erp: KingdeeSimulator, clock: HandClock, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await endure(
        lambda wire: through(erp, clock, wire), WRITES[name], seed=len(name), most=2, monkeypatch=monkeypatch
    )


def through(erp: KingdeeSimulator, clock: HandClock, wire: httpx.AsyncBaseTransport, **more: Any) -> Any:
    made = KingdeeGalaxyConnector(config(erp, **more), clock)
    made._client._http = httpx.AsyncClient(transport=wire)
    return made


# ------------------------------------------------------------------ pages for people
@pytest.mark.parametrize("status", [200, 403, 404, 502, 503])
async def test_a_page_is_an_outage_whatever_its_status_is(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, status: int
) -> None:
    erp.faults.add("page", status=status)
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.find_ticket(KEY)
    assert not trouble.value.in_doubt
    with pytest.raises(ErpUnavailable):
        await connector.probe()
    erp.faults.clear()
    erp.faults.add("page", status=status, services=["Save"])
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert trouble.value.in_doubt


async def test_a_page_that_says_not_there_drops_no_column(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp.faults.add("page", times=3)
    with pytest.raises(ErpUnavailable):
        await connector.orders(None)
    erp.faults.clear()
    assert all(o.product_name.zh for o in await connector.orders(None))


# ------------------------------------------------------------------ paging
async def test_a_server_that_gives_fewer_rows_than_it_is_asked_for_is_read_to_the_end(
    erp: KingdeeSimulator, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.simulators.kingdee.service.run_query", partial(run_query, cap=100))
    one = erp.books.numbered("BD_MATERIAL", "A100")
    assert one is not None
    for n in range(250):
        more = one.copy()
        more.id, more.values = erp.books.next_id(), one.values | {"fnumber": f"X{n}"}
        erp.books.put(more)
    connector = await another(erp, clock, page_rows=5000)
    assert len([i for i in await connector.items(None) if i.number.startswith("X")]) == 250
    await connector.close()


async def test_a_page_cut_short_by_the_server_is_not_the_end(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.simulators.kingdee.service.run_query", partial(run_query, cap=3))
    assert len(await connector.orders(None)) == 10
    before = len(erp.calls)
    await connector.items(None)  # their last page is shorter than what this server is known to give
    assert len(erp.calls) - before == len(list(erp.books.all("BD_MATERIAL"))) // 3 + 1


async def test_rows_that_move_to_the_next_page_are_told_once(
    erp: KingdeeSimulator, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is entered while we read moves the others on."""

    def moving(books: Any, data: dict[str, Any], seen: Any) -> Any:
        back = 1 if data["FormId"] == "PRD_MO" and data["StartRow"] else 0
        return run_query(books, data | {"StartRow": int(data["StartRow"]) - back}, seen)

    monkeypatch.setattr("tests.simulators.kingdee.service.run_query", moving)
    connector = await another(erp, clock, page_rows=4)
    assert len(await connector.orders(None)) == 10
    await connector.close()


# ------------------------------------------------------------------ look-ups
@pytest.mark.parametrize(
    "row",
    [
        [None, "AHR1", "A", None, KEY],
        [100021, None, "A", None, KEY],
        [100021, "AHR1", None, None, KEY],
        [{"Id": 1}, "AHR1", "A", None, KEY],
    ],
)
async def test_a_ticket_without_id_number_or_state_is_no_ticket(
    erp: KingdeeSimulator, clock: HandClock, row: list[Any]
) -> None:
    connector = through(erp, clock, httpx.MockTransport(lambda _: httpx.Response(200, json=[row])))
    with pytest.raises(ErpUnavailable, match="AH_EquipRepair"):
        await connector.find_ticket(KEY)
    await connector.close()


async def test_a_cell_that_is_no_value_is_no_row(erp: KingdeeSimulator, clock: HandClock) -> None:
    def nested(request: httpx.Request) -> httpx.Response:
        columns = json.loads(request.content)["data"]["FieldKeys"].split(",")
        return httpx.Response(200, json=[["EQ-1", ["x"], *[None] * (len(columns) - 2)]])

    connector = through(erp, clock, httpx.MockTransport(nested))
    with pytest.raises(ErpUnavailable, match="words we do not know"):
        await connector.equipment()
    await connector.close()


async def test_a_key_in_another_case_is_another_key(
    erp: KingdeeSimulator, clock: HandClock, connector: KingdeeGalaxyConnector
) -> None:
    """Their database may not tell a from A."""
    row = [100021, "AHR1", "A", None, KEY.lower()]
    loose = through(erp, clock, httpx.MockTransport(lambda _: httpx.Response(200, json=[row])))
    assert await loose.find_ticket(KEY) is None
    await loose.close()


async def test_nothing_is_written_where_filters_are_not_heeded(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.open_ticket(KEY, FIELDS)
    await connector.report_operation("R-1", REPORT)
    erp.faults.add("any_document")
    for call in (
        connector.open_ticket("AH-2", FIELDS),
        connector.report_operation("R-2", REPORT),
        connector.ticket_copies(["AH-2"]),
    ):
        with pytest.raises(ErpUnavailable, match="ignored"):
            await call
    assert (len(erp.tickets()), len(erp.reports())) == (1, 1)
    assert await connector.reported(["NO-SUCH-1"]) == []
    assert {s.item for s in await connector.stock(["R-STEEL"])} == {"R-STEEL"}


async def test_the_order_of_another_plant_is_not_taken_for_ours(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    """Two plants in one data centre, each with an order MO0001."""
    ours = erp.books.numbered("PRD_MO", "MO0001")
    assert ours is not None
    line = ours.rows["ftreeentity"][0]
    theirs = ours.copy()
    theirs.id, theirs.values = 99_000, ours.values | {"fprdorgid": None}  # before ours in every list
    theirs.rows["ftreeentity"] = [Row(990_000, line.values | {"fqty": 7.0})]
    erp.books.put(theirs)
    connector = await another(erp, clock, filters={"order": "FPrdOrgId.FNumber='100'"})
    assert {o.quantity for o in await connector.orders(None) if o.number == "MO0001"} == {400}
    await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"lot": "FG-01"})
    ((_, values),) = bills(erp, "PRD_INSTOCK")
    assert values["fmoentryid"] == line.id
    await connector.close()


# ------------------------------------------------------------------ what cannot be read
@pytest.mark.parametrize(
    ("document", "read", "says"),
    [
        ("order", {"due_at": "`null`"}, "documents.order.read.due_at gives nothing"),
        ("order", {"due_at": "FPlanFinishDate"}, "time zone"),
        ("order", {"state": "'weird'"}, "weird"),
        ("order", {"quantity": "'1,5'"}, "1,5"),
        ("order", {"state": "`null`"}, "documents.order.read.state gives nothing"),
        ("plan", {"operation": "`null`"}, "documents.plan.read.operation gives nothing"),
        ("sales_order", {"priority": "'high'"}, "high"),
    ],
)
async def test_what_is_left_out_of_orders_says_why(
    erp: KingdeeSimulator, clock: HandClock, document: str, read: dict[str, str], says: str
) -> None:
    connector = await another(erp, clock, documents={document: {"read": read}})
    with left_out.gathered() as lost:
        orders = await connector.orders(None)
    assert {x.document for x in lost} == {document}
    assert says in lost[0].reason
    assert lost[0].record not in ("", "?")
    assert (len(orders) == 0) is (document == "order")
    await connector.close()


async def test_sales_orders_items_machines_and_stock_are_told_when_left_out(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    broken = {
        "sales_order": {"read": {"due_at": "`null`"}}, "item": {"read": {"number": "number(FName)"}},
        "equipment": {"read": {"number": "`null`"}}, "stock": {"read": {"quantity": "'many'"}},
    }  # fmt: skip
    connector = await another(erp, clock, documents=broken)
    with left_out.gathered() as lost:
        assert await connector.sales_orders(None) == []
        assert await connector.items(None) == []
        assert await connector.equipment() == []
        assert await connector.stock(["R-STEEL"]) == []
    assert {x.document for x in lost} == set(broken)
    await connector.close()


async def test_a_change_of_an_order_that_cannot_be_read_says_so(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(
        erp, clock, documents={"order": {"read": {"quantity": "number(FMaterialId.FName)"}}}
    )
    with pytest.raises(ErpRefused, match=r"MO0001 cannot be read: .*documents\.order\.read"):
        await connector.change_order("MO0001", {"priority": 1, "rush": True, "due_at": None, "reason": ""})
    await connector.close()


# ------------------------------------------------------------------ the map's editor
async def test_a_path_is_followed_to_its_end_before_it_is_asked_for(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    wire = Recorder()
    connector = through(erp, clock, wire)
    asked = [
        "FCreatorId.FName", "FCreatorId.FNope", "FCreatorId.FNumber,FPrdOrgId.FName", "FBillNo.FName",
        "FPrdOrgId.FName", "FNowhere", "FTreeEntity_FSeq", "1=1", "FMaterialId.FBaseUnitId.FName",
    ]  # fmt: skip
    (record, *_) = await connector.samples("order", asked)
    await connector.close()
    bodies = [json.loads(q.partition(" ")[2]) for q, _ in wire.heard if "ExecuteBillQuery" in q]
    (keys,) = [b["data"]["FieldKeys"].split(",") for b in bodies]
    known = {"FCreatorId.FName", "FPrdOrgId.FName", "FTreeEntity_FSeq", "FMaterialId.FBaseUnitId.FName"}
    assert set(keys) & set(asked) == known
    assert set(keys) - known <= set(connector._kinds["order"].columns)
    assert record["FCreatorId"]["FName"] is None or record["FCreatorId"]["FName"]


@pytest.mark.parametrize(
    "document", ["order_change", "report", "receipt", "issue", "quality", "hours", "scrap"]
)
async def test_a_document_that_is_only_written_is_shown_by_what_is_written(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, document: str
) -> None:
    await connector.samples(document)
    if document == "report":
        await connector.report_operation("R-1", REPORT)
        (record,) = await connector.samples(document)
        assert record["FID"]
        assert (record["F_AH_RptKey"], record["FQuaQty"]) == ("R-1", 12)


async def test_a_push_without_a_secret_is_told_which_field_is_empty(
    connector: KingdeeGalaxyConnector,
) -> None:
    with pytest.raises(NotAllowed, match=r"no secret is configured.*push_secrets"):
        connector.pushed(ErpPush({}, {}, b"{}"))


async def test_an_operation_that_is_planned_in_two_parts_is_one_sum(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    plan = erp.books.numbered("SFC_OperationPlanning", "OPMO0001")
    assert plan is not None
    (before,) = [c for c in await connector.reported(["MO0001"]) if c.operation == "20"]
    second = plan.copy()
    second.id, second.values = erp.books.next_id(), plan.values | {"fbillno": "OPMO0001-2"}
    for row in second.rows["fsubentity"]:
        row.id += 500_000
    erp.books.put(second)
    (after,) = [c for c in await connector.reported(["MO0001"]) if c.operation == "20"]
    assert (after.quantity, after.good) == (2 * before.quantity, 2 * before.good)
    (order,) = [o for o in await connector.orders(None) if o.number == "MO0001"]
    assert [(j.operation, j.quantity) for j in order.jobs] == [("10", 800), ("20", 800), ("30", 800)]


async def test_a_change_that_made_another_bill_is_no_success(
    erp: KingdeeSimulator, clock: HandClock, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    made = {"IsSuccess": True, "Errors": [], "SuccessEntitys": [{"Id": 7, "Number": "X", "DIndex": 0}]}
    real = httpx.AsyncHTTPTransport()

    async def answer(request: httpx.Request) -> httpx.Response:
        if "Save" in request.url.path:
            return httpx.Response(200, json={"Result": {"ResponseStatus": made, "Id": 7, "Number": "X"}})
        return await real.handle_async_request(request)

    odd = through(erp, clock, httpx.MockTransport(answer))
    with pytest.raises(ErpUnavailable, match="has saved 7") as trouble:
        await odd.update_ticket(erp_id, {"state": "accepted", "at": NOON})
    assert trouble.value.in_doubt
    await odd.close()
    await real.aclose()
