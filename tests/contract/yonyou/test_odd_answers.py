"""Answers beside the question: pages, wrong shapes, keys and pages that nobody heeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.yonyou_answers import rows_in
from erp_bridge.yonyou_u9 import YonyouU9Connector
from hub.errors import ErpRefused, ErpUnavailable, NotAllowed
from hub.model.erp import ErpPush, PostingKind
from hub.testing.clock import NOON
from tests.contract.erp.shapes import Call, endure
from tests.contract.erp.worlds.yonyou import YonyouBooks
from tests.simulators.yonyou import seed
from tests.simulators.yonyou.server import YonyouSimulator

pytestmark = pytest.mark.anyio

Connect = Callable[..., YonyouU9Connector]
Fields = Callable[..., dict[str, Any]]
KEY = "AH-20260105-0007"
READS: dict[str, Call] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_states": lambda c: c.ticket_states([KEY]),
    "ticket_copies": lambda c: c.ticket_copies([KEY, "AH-2"]),
    "find_report": lambda c: c.find_report("R-1"),
    "find_posting": lambda c: c.find_posting(PostingKind.RECEIPT, "P-1"),
    "orders": lambda c: c.orders(None),
    "changed orders": lambda c: c.orders(NOON),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
    "reported": lambda c: c.reported([seed.ORDER]),
    "stock": lambda c: c.stock([seed.COMPONENT]),
    "fields": lambda c: c.fields("operation"),
    "columns": lambda c: c.fields("order_list"),
    "samples": lambda c: c.samples("order_list", ["m.Priority"]),
}
BY_THE_WAY = ("columns",)  # a table that does not show itself is passed over


def through(connect: Connect, wire: httpx.AsyncBaseTransport, **more: Any) -> Any:
    made = connect(**more)
    vars(made._client)["_wire"] = wire  # the log-in's way, too
    made._client._http = httpx.AsyncClient(transport=wire)
    return made


@pytest.mark.parametrize("name", READS)
async def test_an_answer_in_a_wrong_shape_is_no_crash(
    connector: YonyouU9Connector,
    connect: Connect,
    fields: Fields,
    repair: dict[str, Any],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await connector.open_ticket(KEY, repair)
    await connector.report_operation("R-1", fields())
    await connector.post(PostingKind.RECEIPT, "P-1", fields(lot="FG-LOT-1"))
    assert await endure(
        lambda wire: through(connect, wire, rows_at_once=50), READS[name], seed=len(name), most=2,
        monkeypatch=monkeypatch, by_the_way=name in BY_THE_WAY,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["open", "report", "hours"])
async def test_an_answer_to_a_write_in_a_wrong_shape_is_no_crash(
    connect: Connect, fields: Fields, repair: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, Call] = {
        "open": lambda c: c.open_ticket("AH-9", repair),
        "report": lambda c: c.report_operation("R-9", fields()),
        "hours": lambda c: c.post(PostingKind.HOURS, "H-9", fields(labour_seconds=60.0)),
    }
    by_the_way = name == "hours"  # that there is nothing to delete may be said in any words
    assert await endure(
        lambda wire: through(connect, wire),
        calls[name],
        seed=len(name),
        most=4,
        monkeypatch=monkeypatch,
        by_the_way=by_the_way,
    )


@pytest.mark.parametrize("data", [None, {}, "", "nichts", [None], [{"DocNo": "A"}, None], [[]], 7])
def test_success_that_tells_no_rows_is_no_answer(data: Any) -> None:
    with pytest.raises(ErpUnavailable, match="MODoc/Query"):
        rows_in(data, "MODoc/Query")
    assert rows_in([], "MODoc/Query") == []
    assert rows_in({"Rows": [{"a": 1}], "Count": 1}, "MODoc/Query") == [{"a": 1}]


# ------------------------------------------------------------------ pages for people
@pytest.mark.parametrize("status", [200, 302, 403, 404, 502, 503])
async def test_a_page_is_an_outage_whatever_its_status_is(
    erp: YonyouSimulator, connector: YonyouU9Connector, connect: Connect, status: int
) -> None:
    await connector.find_ticket(KEY)
    erp.faults.add("page", status=status)
    for asked in (connector, connect()):  # with a token, and at its log-in
        with pytest.raises(ErpUnavailable) as trouble:
            await asked.find_ticket(KEY)
        assert not trouble.value.in_doubt


@pytest.mark.parametrize("status", [200, 403, 404, 502])
async def test_a_page_after_a_write_leaves_a_doubt(
    erp: YonyouSimulator, connector: YonyouU9Connector, repair: dict[str, Any], status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page = httpx.Response(status, content="<!doctype html><p>登录</p>", headers={"Content-Type": "text/html"})
    post = connector._client._http.post

    async def answer(url: str, **how: Any) -> httpx.Response:
        return page if url.endswith("/Create") else await post(url, **how)

    monkeypatch.setattr(connector._client._http, "post", answer)
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, repair)
    assert trouble.value.in_doubt


# ------------------------------------------------------------------ paging
async def test_entities_whose_pages_count_from_one_are_read_once(
    erp: YonyouSimulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    entity = erp.system.tables.entity
    monkeypatch.setattr(
        erp.system.tables, "entity", lambda b: entity(b | {"PageIndex": max(b["PageIndex"] - 1, 0)})
    )
    connector = connect(reads="entity", page_rows=4)
    assert len(await connector.orders(None)) == seed.RELEASED


@pytest.mark.parametrize("reads", ["sql", "entity"])
async def test_a_list_that_goes_round_is_not_believed(
    erp: YonyouSimulator, connect: Connect, reads: str
) -> None:
    erp.faults.add("same_page")
    connector = connect(reads=reads, page_rows=4)
    for call in (connector.orders, connector.items):
        with pytest.raises(ErpUnavailable, match="same rows"):
            await call(None)


async def test_two_equal_rows_of_stock_are_two(erp: YonyouSimulator, connect: Connect) -> None:
    (row,) = [r for r in erp.system.books.rows("stock") if r["Item"] == seed.COMPONENT]
    erp.system.books.add("stock", {n: v for n, v in row.items() if n not in ("ID", "ModifiedOn")})
    for reads in ("sql", "entity"):
        (claim,) = await connect(reads=reads).stock([seed.COMPONENT])
        assert claim.quantity == 2 * row["StoreQty"]


# ------------------------------------------------------------------ look-ups
async def test_nothing_is_written_where_keys_are_not_heeded(
    erp: YonyouSimulator, connector: YonyouU9Connector, fields: Fields, repair: dict[str, Any]
) -> None:
    await connector.open_ticket(KEY, repair)
    await connector.report_operation("R-1", fields())
    before = list(erp.seen)
    erp.faults.add("any_document")
    for call in (
        connector.open_ticket("AH-2", repair),
        connector.report_operation("R-2", fields()),
        connector.change_order("MO0003", {"priority": 1, "rush": True, "due_at": None, "reason": ""}),
        connector.items(None),
    ):
        with pytest.raises(ErpUnavailable, match="was asked"):
            await call
    assert erp.seen == before


async def test_a_repair_that_cannot_be_read_is_not_made_again(
    books: YonyouBooks, connector: YonyouU9Connector, connect: Connect, repair: dict[str, Any]
) -> None:
    await connector.open_ticket(KEY, repair)
    broken = connect(documents={"ticket": {"read": {"closed": "number(FaultDesc) == `1`"}}})
    with pytest.raises(ErpRefused, match=r"cannot be read: .*documents\.ticket\.read"):
        await broken.open_ticket(KEY, repair)
    assert len(await books.tickets()) == 1


async def test_the_state_of_another_organisations_order_is_not_taken_for_ours(
    erp: YonyouSimulator, connector: YonyouU9Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two plants in one U9: the list tells of both, MODoc/Query of ours alone."""
    listed = erp.system.tables._rows

    def both() -> Any:
        found = listed()
        ours = next(r for r in found["MO_MO"] if r["DocNo"] == seed.ORDER)
        return found | {"MO_MO": [ours | {"ID": 1, "DocState": 3, "TotalCompleteQty": 999}, *found["MO_MO"]]}

    monkeypatch.setattr(erp.system.tables, "_rows", both)
    orders = await connector.orders(None)
    assert [o.state.value for o in orders if o.number == seed.ORDER] == ["released"]
    assert max(c.good for c in await connector.reported([seed.ORDER])) < 999


# ------------------------------------------------------------------ what cannot be read
@pytest.mark.parametrize(
    ("document", "read", "says"),
    [
        ("order", {"due_at": "`null`"}, "documents.order.read.due_at gives nothing"),
        ("order", {"due_at": "CompleteDate"}, "time zone"),
        ("order", {"quantity": "'1,5'"}, "1,5"),
        ("order", {"number": "`null`"}, "documents.order.read.number gives nothing"),
        ("order_list", {"state": "'weird'"}, "weird"),
        ("order_list", {"number": "number(m.DocNo)"}, "documents.order_list.read"),
        ("operation", {"quantity": "number(OpDescription)"}, "documents.operation.read"),
    ],
)
async def test_what_is_left_out_of_orders_says_why(
    connect: Connect, document: str, read: dict[str, str], says: str
) -> None:
    with left_out.gathered() as lost:
        orders = await connect(documents={document: {"read": read}}).orders(None)
    assert says in lost[0].reason
    assert lost[0].record.startswith("MO00")
    assert (orders == []) is (document != "operation")


async def test_sales_orders_items_machines_and_stock_are_told_when_left_out(connect: Connect) -> None:
    broken = {
        "sales_order": {"read": {"quantity": "'many'"}}, "item": {"read": {"unit": "number(Name)"}},
        "equipment": {"read": {"number": "number(r.Code)"}}, "stock": {"read": {"quantity": "'many'"}},
    }  # fmt: skip
    connector = connect(documents=broken)
    with left_out.gathered() as lost:
        assert await connector.sales_orders(None) == []
        assert await connector.items(None) == []
        assert await connector.equipment() == []
        assert await connector.stock([seed.COMPONENT]) == []
    assert {x.document for x in lost} == set(broken)


async def test_sums_of_an_order_whose_operations_cannot_all_be_read_are_not_told(connect: Connect) -> None:
    read = {"quantity": "number(if(OperationNum == '20', OpDescription, text(PlanProductQty)))"}
    connector = connect(documents={"operation": {"read": read}})
    assert await connector.reported([seed.ORDER]) == []


async def test_a_report_for_an_order_that_cannot_be_read_says_so(connect: Connect, fields: Fields) -> None:
    connector = connect(documents={"order": {"read": {"quantity": "number(ItemMaster.Name)"}}})
    with pytest.raises(ErpRefused, match=r"cannot be read: .*documents\.order\.read"):
        await connector.report_operation("R-1", fields())


# ------------------------------------------------------------------ the map's editor, pushes
async def test_fields_are_told_by_model_by_table_and_by_record(connector: YonyouU9Connector) -> None:
    ticket = {f.write: f.title for f in await connector.fields("ticket")}
    assert (ticket["FaultDesc"], ticket["Org.Code"]) == ("故障描述", "组织")
    assert ticket["DescFlexField.PrivateDescSeg7"] == "私有扩展字段 7"
    receipt = {f.write: f.group for f in await connector.fields("receipt")}
    assert receipt["CompleteRptRcvLines[].Wh.Code"] == "入库行"
    columns = {f.read: f.title for f in await connector.fields("sales_order")}
    assert columns["o.DescFlexField_PrivateDescSeg3"] == "私有扩展字段 3"
    assert "s.RequireDate" in columns
    order = {f.read: f.title for f in await connector.fields("order")}
    assert (order["ItemMaster.Code"], order["ProductQty"]) == ("编码", "生产数量")
    assert "WorkCenter.Code" in {f.read for f in await connector.fields("operation")}
    with pytest.raises(ErpRefused):
        await connector.fields("quality")


async def test_records_are_shown_with_the_columns_that_a_draft_asks_for(
    connector: YonyouU9Connector, connect: Connect, erp: YonyouSimulator
) -> None:
    more = ["m.Priority", "m.Nope", "m.ID FROM X", "z.ID", "Priority"]
    first, *_ = await connector.samples("order_list", more)
    assert "Priority" in first["m"]
    assert "Nope" not in first["m"]
    assert not [s for s in erp.system.tables.statements if "FROM X" in s or "z." in s]
    assert (await connector.samples("order"))[0]["DocNo"].startswith("MO")
    assert (await connector.samples("operation"))[0]["OperationNum"]
    assert (await connector.samples("item"))[0]["Code"]
    assert await connect(reads="entity").samples("stock")
    row = erp.system.books.one("order", DocNo="MO0002") or {}
    chosen = connect(filters={"order_list": f"m.ID = {row['ID']}"})
    assert [r["m"]["DocNo"] for r in await chosen.samples("order_list")] == ["MO0002"]


async def test_a_push_without_a_secret_is_told_which_field_is_empty(connector: YonyouU9Connector) -> None:
    with pytest.raises(NotAllowed, match=r"no secret is configured.*push_secrets"):
        connector.pushed(ErpPush({}, {}, b"{}"))
