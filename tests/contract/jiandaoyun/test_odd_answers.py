"""Answers beside the question: pages, wrong shapes, filters and cursors that nobody heeds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.shapes import Call, endure
from tests.contract.jiandaoyun.case import KEY, closing, receipt, report, ticket
from tests.contract.jiandaoyun.conftest import Connect
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

pytestmark = pytest.mark.anyio

CALLS: dict[str, Call] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_copies": lambda c: c.ticket_copies([KEY]),
    "find_report": lambda c: c.find_report("R-1"),
    "find_posting": lambda c: c.find_posting(PostingKind.RECEIPT, "P-1"),
    "orders": lambda c: c.orders(None),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
    "reported": lambda c: c.reported([seed.ORDER]),
    "stock": lambda c: c.stock([seed.COMPONENT]),
    "fields": lambda c: c.fields("order"),
    "samples": lambda c: c.samples("order"),
    "open": lambda c: c.open_ticket("AH-9", ticket()),
    "report": lambda c: c.report_operation("R-9", report()),
    "receipt": lambda c: c.post(PostingKind.RECEIPT, "P-9", receipt()),
}
PROGRESS = ("orders", "report")  # its sums are written later where they cannot be now


def through(connect: Connect, wire: httpx.AsyncBaseTransport, **more: Any) -> Any:
    made = connect(**more)
    made._client._http = httpx.AsyncClient(transport=wire)
    return made


@pytest.mark.parametrize("name", CALLS)
async def test_an_answer_in_a_wrong_shape_is_no_crash(
    connector: JiandaoyunConnector, connect: Connect, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.open_ticket(KEY, ticket())
    await connector.report_operation("R-1", report())
    await connector.post(PostingKind.RECEIPT, "P-1", receipt())
    tried = await endure(
        lambda wire: through(connect, wire, page_rows=100), CALLS[name], seed=len(name), most=2,
        monkeypatch=monkeypatch, by_the_way=name in PROGRESS,
    )  # fmt: skip
    assert tried


@pytest.mark.parametrize("flow", [True])
@pytest.mark.parametrize("name", ["states", "close"])
async def test_a_workflow_in_a_wrong_shape_is_no_crash(
    connect: Connect, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connect(ticket={"workflow": True})
    erp_id, _ = await made.open_ticket(KEY, ticket())
    calls: dict[str, Call] = {
        "states": lambda c: c.ticket_states([erp_id]),
        "close": lambda c: c.close_ticket(erp_id, closing()),
    }
    more = {"ticket": {"workflow": True}}
    assert await endure(
        lambda wire: through(connect, wire, **more),
        calls[name],
        seed=len(name),
        most=3,
        monkeypatch=monkeypatch,
    )


# ------------------------------------------------------------------ pages for people
@pytest.mark.parametrize("status", [200, 302, 403, 404, 502, 503])
async def test_a_page_is_an_outage_whatever_its_status_is(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, status: int
) -> None:
    await connector.open_ticket(KEY, ticket())
    erp.faults.add("page", status=status)
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.find_ticket(KEY)
    assert not trouble.value.in_doubt
    with pytest.raises(ErpUnavailable):
        await connector.probe()


@pytest.mark.parametrize("status", [200, 403, 404, 502])
async def test_a_page_after_a_write_leaves_a_doubt(
    erp: JiandaoyunSimulator, connect: Connect, status: int
) -> None:
    page = httpx.Response(status, content="<!doctype html><p>登录</p>", headers={"Content-Type": "text/html"})
    real = httpx.AsyncHTTPTransport()

    async def answer(request: httpx.Request) -> httpx.Response:
        return page if "create" in request.url.path else await real.handle_async_request(request)

    connector = through(connect, httpx.MockTransport(answer))
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, ticket())
    assert trouble.value.in_doubt
    await real.aclose()


# ------------------------------------------------------------------ paging
async def test_a_limit_that_is_not_heeded_shortens_no_list(
    erp: JiandaoyunSimulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their own limit is ten where ours does not reach them."""
    for n in range(20):
        seed.add(erp.platform.books, "ah_item", item_code=f"X{n}", item_name="螺栓")
    listed = erp.platform._list
    monkeypatch.setattr(erp.platform, "_list", lambda form, body: listed(form, body | {"limit": 10}))
    connector = connect(page_rows=100)
    assert len([i for i in await connector.items(None) if i.number.startswith("X")]) == 20


async def test_a_list_of_forms_that_goes_round_is_not_believed(connect: Connect) -> None:
    forms = [{"name": f"f{n}", "entry_id": f"{n:024x}"} for n in range(100)]
    connector = through(connect, httpx.MockTransport(lambda _: httpx.Response(200, json={"forms": forms})))
    with pytest.raises(ErpUnavailable, match="circles"):
        await connector.find_ticket(KEY)


# ------------------------------------------------------------------ look-ups
async def test_nothing_is_written_where_filters_are_not_heeded(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    await connector.open_ticket(KEY, ticket())
    await connector.report_operation("R-1", report())
    writes = erp.faults.writes
    erp.faults.add("any_document")
    for call in (connector.open_ticket("AH-2", ticket()), connector.report_operation("R-2", report())):
        with pytest.raises(ErpUnavailable, match="ignored"):
            await call
    assert await connector.ticket_copies(["AH-2"]) == {}
    assert await connector.reported(["NO-SUCH-1"]) == []
    assert {s.item for s in await connector.stock([seed.COMPONENT])} == {seed.COMPONENT}
    assert erp.faults.writes == writes


async def test_progress_of_other_orders_is_left_alone_where_filters_are_not_heeded(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    await connector.report_operation("R-1", report(operation="20"))
    before = {r["wo_no"]: r["done_qty"] for r in erp.desk.rows("ah_work_order")}
    erp.faults.add("any_document")
    connector._postings._owing.add("WO-2026-0002")
    await connector.orders(None)
    assert {r["wo_no"]: r["done_qty"] for r in erp.desk.rows("ah_work_order")} == before


async def test_all_records_with_one_number_are_told(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    for _ in range(2):
        seed.add(erp.platform.books, "ah_repair", ext_key=KEY, state="待处理")
    _, number = await connector.open_ticket(KEY + "8", ticket())
    found = await connector.ticket_copies([KEY, KEY + "8", "AH-NONE"])
    assert {key: len(numbers) for key, numbers in found.items()} == {KEY: 2, KEY + "8": 1}
    assert found[KEY + "8"] == [number]
    assert await connector.ticket_copies([]) == {}


async def test_a_form_made_anew_is_found_at_the_next_try(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    await connector.open_ticket(KEY, ticket())
    forms = erp.platform.books.forms
    old = erp.platform.books.form("ah_repair")
    del forms[old.entry_id]
    old.entry_id = "65a0000000000000000000ee"
    forms[old.entry_id] = old
    with pytest.raises(ErpUnavailable, match="made anew"):
        await connector.find_ticket(KEY)
    assert await connector.find_ticket(KEY) is not None
    del forms[old.entry_id]
    with pytest.raises(ErpRefused, match=r"documents\.ticket\.form"):
        await connector.find_ticket(KEY)


# ------------------------------------------------------------------ what cannot be read
@pytest.mark.parametrize(
    ("read", "says"),
    [
        ({"due_at": "`null`"}, "documents.order.read.due_at gives nothing"),
        ({"due_at": "'2026-01-05T08:00:00'"}, "time zone"),
        ({"state": "'weird'"}, "weird"),
        ({"quantity": "'1,5'"}, "1,5"),
        ({"priority": "'high'"}, "high"),
    ],
)
async def test_what_is_left_out_of_orders_says_why(connect: Connect, read: dict[str, str], says: str) -> None:
    with left_out.gathered() as lost:
        assert await connect(documents={"order": {"read": read}}).orders(None) == []
    assert {x.document for x in lost} == {"order"}
    assert says in lost[0].reason
    assert lost[0].record.startswith("WO-2026-")


async def test_sales_orders_items_machines_and_stock_are_told_when_left_out(connect: Connect) -> None:
    broken = {
        "sales_order": {"read": {"customer": "number(customer)"}}, "item": {"read": {"number": "`null`"}},
        "equipment": {"read": {"name": "number(equip_name)"}}, "stock": {"read": {"quantity": "'many'"}},
    }  # fmt: skip
    connector = connect(documents=broken)
    with left_out.gathered() as lost:
        assert await connector.sales_orders(None) == []
        assert await connector.items(None) == []
        assert await connector.equipment() == []
        assert await connector.stock([seed.COMPONENT]) == []
    assert {x.document for x in lost} == set(broken)


async def test_a_report_that_cannot_be_read_keeps_the_sum_as_it_was(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    connector = connect(documents={"report": {"read": {"good": "number(state || good_qty)"}}})
    await connector.report_operation("R-1", report(operation="20"))
    more = {"wo_no": seed.ORDER, "op_no": "20", "good_qty": 9, "scrap_qty": 0, "state": "many"}
    seed.add(erp.platform.books, "ah_op_report", ext_key="CLERK", **more)
    with left_out.gathered() as lost:
        await connector.report_operation("R-2", report(operation="20"))
    assert {x.document for x in lost} == {"report"}
    order = next(r for r in erp.desk.rows("ah_work_order") if r["wo_no"] == seed.ORDER)
    assert order["done_qty"] == 3
    assert await connector.reported([seed.ORDER]) == []


async def test_one_ticket_that_cannot_be_read_hides_no_other(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    connector = connect(documents={"ticket": {"read": {"closed": "number(result || '0') > `0`"}}})
    bad, _ = await connector.open_ticket("AH-BAD", ticket())
    good, _ = await connector.open_ticket(KEY, ticket())
    erp.desk.edit("ah_repair", bad, {"result": "等零件"})
    with left_out.gathered() as lost:
        assert await connector.ticket_states([bad, good]) == {good: "open"}
    assert [(x.document, x.record) for x in lost] == [("ticket", "BX000001")]


async def test_a_report_for_an_order_that_cannot_be_read_says_so(connect: Connect) -> None:
    connector = connect(documents={"order": {"read": {"quantity": "number(item_code)"}}})
    with pytest.raises(ErpRefused, match=r"cannot be read: .*documents\.order\.read"):
        await connector.report_operation("R-1", report())


# ------------------------------------------------------------------ deleted orders
async def test_a_deleted_order_is_told_again_as_long_as_a_change_would_be(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, clock: HandClock
) -> None:
    """Whoever asked may have failed to write it down."""
    await connector.orders(None)
    gone = next(r for r in erp.desk.rows("ah_work_order") if r["wo_no"] == seed.ORDER)
    erp.desk.delete("ah_work_order", gone["_id"])
    since, told = clock.now(), []
    for _ in range(3):
        clock.turn(60)
        told.append([(o.number, o.state.value) for o in await connector.orders(since)])
    assert told == [[(seed.ORDER, "cancelled")]] * 3
    clock.turn(11 * 60)
    assert await connector.orders(clock.now() - timedelta(seconds=30)) == []


# ------------------------------------------------------------------ the map's editor
async def test_fields_are_told_with_their_titles_and_records_with_their_values(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    books = erp.platform.books
    books.form("ah_work_order").widgets.append(books.widget("", "急单等级", "combo"))
    fields = {f.title: f for f in await connector.fields("order")}
    assert (fields["工单号"].write, fields["工单号"].read, fields["工单号"].type) == ("wo_no",) * 2 + (
        "text",
    )
    assert (fields["工序名称"].group, fields["工序名称"].write) == ("工序", "ops[].op_name")
    assert fields["急单等级"].write.startswith("_widget_")
    assert fields["更新时间"].write == ""
    assert {f.title: f.write for f in await connector.fields("ticket")}["报修单号"] == ""  # it counts itself
    first, *_ = await connector.samples("order")
    assert first["工单号"] == first["wo_no"] == seed.ORDER
    assert len(await connector.samples("stock")) == 2
