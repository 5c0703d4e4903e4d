"""What only Odoo has: two protocols, refusals by name, questions for answers, orders that are split."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import httpx
import pytest
from pydantic import ValidationError

from erp_bridge.odoo import OdooConnector
from erp_bridge.odoo_values import columns, markup, typed, words
from hub.errors import AndonError, ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind as Kind
from hub.model.production import WorkOrderState
from hub.testing.clock import HandClock
from tests.contract.erp.test_erp_connectors import KEY, closing, posting, report, step, ticket
from tests.contract.erp.worlds.odoo import OdooBooks, OdooWorld
from tests.simulators.odoo import seed
from tests.simulators.odoo.server import Account, OdooSimulator

pytestmark = pytest.mark.anyio

ORDER = "WH/MO/00001"
DUE = datetime(2026, 1, 7, 4, tzinfo=UTC)
RUSH = {"priority": 1, "rush": True, "due_at": DUE, "reason": "客户催货"}
Connect = Callable[..., OdooConnector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=[19])
async def erp(request: pytest.FixtureRequest, clock: HandClock) -> AsyncIterator[OdooBooks]:
    world = OdooWorld()
    world.release = request.param
    async with world.books(clock) as books:
        yield books


@pytest.fixture
async def connect(erp: OdooBooks, clock: HandClock) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as open_ones:

        def made(**changes: Any) -> OdooConnector:
            connector = erp.connector(clock, **changes)
            open_ones.push_async_callback(connector.close)
            return connector

        yield made


@pytest.fixture
def connector(connect: Connect) -> OdooConnector:
    return connect()


older = pytest.mark.parametrize("erp", [18, 16], indirect=True)
both = pytest.mark.parametrize("erp", [19, 18], indirect=True)


# ------------------------------------------------------------------ protocols
async def test_from_19_on_it_is_json2_with_a_key_alone(erp: OdooBooks, connect: Connect) -> None:
    found = await connect(database="", user="").probe()
    assert found["login"] == "✓ Odoo 19.0, json2"


@older
async def test_before_19_it_is_json_rpc_and_says_what_that_needs(erp: OdooBooks, connect: Connect) -> None:
    assert (await connect().probe())["login"].endswith("jsonrpc")
    with pytest.raises(ErpRefused, match="database and user"):
        await connect(database="", user="").find_ticket(KEY)


@older
async def test_older_releases_take_all_there_is(erp: OdooBooks, connector: OdooConnector) -> None:
    assert [said for said in (await connector.probe()).values() if said.startswith("✗")] == []
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    await connector.update_ticket(erp_id, step("accepted", note="<b> & co"))
    await connector.update_ticket(erp_id, step("accepted", note="<b> & co"))
    await connector.close_ticket(erp_id, closing())
    await connector.report_operation("R-1", report(erp))
    for kind in Kind:
        await connector.post(kind, "P-1", posting(erp, kind))
        assert len(await erp.postings(kind)) == 1
    assert len([m for m in erp.rows("mail.message") if "accepted" in m["body"]]) == 1
    (order,) = [o for o in await connector.orders(None) if o.number == ORDER]
    assert order.quantity == seed.ORDER_QUANTITY


@older
@pytest.mark.parametrize("fault", ["drop_after_commit", "error_after_commit", "garbage_after_commit"])
async def test_by_json_rpc_too_what_was_done_is_found(
    erp: OdooBooks, connector: OdooConnector, fault: str
) -> None:
    await erp.fail(fault, "ticket")
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, ticket(erp))
    assert trouble.value.in_doubt
    await connector.open_ticket(KEY, ticket(erp))
    assert len(await erp.tickets()) == 1


@older
async def test_by_json_rpc_too_a_lock_is_waited_for_and_a_wrong_key_is_named(
    erp: OdooBooks, connect: Connect
) -> None:
    await erp.fail("locked", "ticket")
    with pytest.raises(ErpUnavailable) as trouble:
        await connect().open_ticket(KEY, ticket(erp))
    assert not trouble.value.in_doubt
    with pytest.raises(ErpUnavailable, match="api_key"):
        await connect(api_key="wrong").find_ticket(KEY)
    with pytest.raises(ErpUnavailable, match=r"no database 'nope'"):
        await connect(database="nope").find_ticket(KEY)


async def test_a_database_that_is_not_there_is_named(connect: Connect) -> None:
    with pytest.raises(ErpUnavailable, match=r"no database 'nope'.*database"):
        await connect(database="nope").find_ticket(KEY)


async def test_a_refusal_has_odoos_words_and_no_traceback(
    erp: OdooBooks, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    unfit = {"documents": {"ticket": {"write": {"priority": "'9'"}}}}
    with pytest.raises(ErpRefused, match="'9' not found in selection field") as told:
        await connect(**unfit).open_ticket(KEY, ticket(erp))
    unknown = connect(filters={"ticket": [["no_such_field", "=", 1]]})
    with pytest.raises(ErpRefused, match="no_such_field"):
        await unknown.ticket_states(["1"])
    assert "Traceback" not in str(told.value) + caplog.text


# ------------------------------------------------------------------ the simulator is what the contract says
HEAD = {"Content-Type": "application/json"}


REQUESTS = "maintenance.request"
ERRORS, WERKZEUG = "odoo.exceptions.", "werkzeug.exceptions."


@pytest.mark.parametrize(
    ("path", "body", "status", "name"),
    [
        (f"{REQUESTS}/search_read", '{"domain": [["nope", "=", 1]], "fields": ["name"]}', 500,
         "builtins.ValueError"),
        (f"{REQUESTS}/search_read", "{}", 403, f"{ERRORS}AccessError"),
        (f"{REQUESTS}/_write", "{}", 403, f"{ERRORS}AccessError"),
        ("ir.model.data/search_read", '{"fields": ["name"]}', 403, f"{ERRORS}AccessError"),
        ("no.model/search_read", "{}", 404, f"{WERKZEUG}NotFound"),
        (f"{REQUESTS}/no_method", "{}", 404, f"{WERKZEUG}NotFound"),
        (f"{REQUESTS}/write", '{"ids": [99], "vals": {"name": "x"}}', 404, f"{ERRORS}MissingError"),
        (f"{REQUESTS}/create", '{"vals_list": [{"priority": "1"}]}', 422, f"{ERRORS}ValidationError"),
        ("maintenance.equipment/create", '{"vals_list": [{"name": "x", "serial_no": "CNC-03"}]}', 422,
         f"{ERRORS}ValidationError"),
        ("mrp.workcenter/unblock", '{"ids": [1]}', 422, f"{ERRORS}UserError"),
        (f"{REQUESTS}/create", '{"vals_list": [{"name": "x", "nope": 1}]}', 500, "builtins.ValueError"),
        (f"{REQUESTS}/create", "{", 400, f"{WERKZEUG}BadRequest"),
    ],
)  # fmt: skip
async def test_json2_refuses_as_it_was_measured(
    erp: OdooBooks, path: str, body: str, status: int, name: str
) -> None:
    headers = HEAD | {"Authorization": f"bearer {erp.erp.account.key}"}
    reply = await asyncio.to_thread(
        httpx.post, f"{erp.erp.url}/json/2/{path}", content=body, headers=headers, trust_env=False
    )
    assert (reply.status_code, reply.json()["name"]) == (status, name)


async def test_json2_turns_away_without_json(erp: OdooBooks) -> None:
    where = f"{erp.erp.url}/json/2/res.users/context_get"
    known = HEAD | {"Authorization": f"bearer {erp.erp.account.key}"}
    async with httpx.AsyncClient(trust_env=False) as http:
        strangers = await http.post(where, headers=HEAD, content="{}")
        elsewhere = await http.post(where, headers=known | {"X-Odoo-Database": "nope"}, content="{}")
        unlike = await http.post(where, headers=known | {"Content-Type": "text/plain"}, content="{}")
        gotten = await http.get(where, headers=known)
    assert (strangers.status_code, strangers.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert [r.status_code for r in (elsewhere, unlike, gotten)] == [404, 415, 404]
    assert "json" not in elsewhere.headers["Content-Type"] + unlike.headers["Content-Type"]


async def test_what_a_message_says_is_in_the_language_that_was_asked_for(
    erp: OdooBooks, connect: Connect
) -> None:
    for language, words_of in (("en_US", "does not exist"), ("", "记录不存在")):
        with pytest.raises(ErpRefused, match=words_of):
            await connect(language=language)._client.write(
                "maintenance.request", "write", [99], vals={"name": "x"}
            )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_vendor_s_own_client_works_against_the_simulator(erp: OdooBooks) -> None:
    odoolib = pytest.importorskip("odoolib", reason="odoo-client-lib of requirements/dev.in is not installed")

    def talk(protocol: str) -> list[str]:
        account = erp.erp.account
        odoo = odoolib.get_connection(
            hostname="127.0.0.1", port=erp.erp.port, protocol=protocol, database=account.database,
            login=account.login, password=account.key,
        )  # fmt: skip
        requests = odoo.get_model("maintenance.request")
        made = requests.create([{"name": f"by {protocol}"}])
        requests.write(made, {"priority": "2"})
        found = [r["name"] for r in requests.search_read([["priority", "=", "2"]], ["name"])]
        del odoo, requests
        gc.collect()  # it leaves its connections to the collector
        return found

    assert await asyncio.to_thread(talk, "json2") == ["by json2"]
    assert await asyncio.to_thread(talk, "jsonrpc") == ["by json2", "by jsonrpc"]
    assert await asyncio.to_thread(talk, "xmlrpc") == ["by json2", "by jsonrpc", "by xmlrpc"]


@both
async def test_odoorpc_and_plain_xmlrpc_work_against_the_simulator(erp: OdooBooks) -> None:
    odoorpc = pytest.importorskip("odoorpc", reason="odoorpc of requirements/dev.in is not installed")
    account = erp.erp.account

    def talk() -> list[str]:
        odoo = odoorpc.ODOO("127.0.0.1", port=erp.erp.port)
        odoo.login(account.database, account.login, account.key)
        made = odoo.execute("maintenance.request", "create", {"name": "by odoorpc"})
        with ServerProxy(f"{erp.erp.url}/xmlrpc/2/object", allow_none=True) as proxy:
            who = (account.database, 2, account.key, "maintenance.request")
            proxy.execute_kw(*who, "write", [[made], {"priority": "3"}])
            with pytest.raises(Fault) as told:
                proxy.execute_kw(account.database, 2, "wrong", "maintenance.request", "search", [[]])
            assert told.value.faultCode == 3
        rows = odoo.env["maintenance.request"].search_read([["priority", "=", "3"]], ["name"])
        return [row["name"] for row in rows]

    assert await asyncio.to_thread(talk) == ["by odoorpc"]


# ------------------------------------------------------------------ tickets
async def test_two_who_open_the_same_ticket_at_once_get_the_same(erp: OdooBooks, connect: Connect) -> None:
    await erp.fail("clash", "ticket", times=2)
    opened = await asyncio.gather(*(connect().open_ticket(KEY, ticket(erp)) for _ in range(4)))
    assert len(set(opened)) == 1
    assert len(await erp.tickets()) == 1


async def test_a_load_that_always_clashes_is_given_up_for_later(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    await erp.fail("clash", "ticket", times=50)
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, ticket(erp))
    assert not trouble.value.in_doubt


async def test_a_request_that_a_clerk_has_renamed_is_still_the_one(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    erp.write("maintenance.request", int(erp_id), name="spindle")
    assert (await connector.open_ticket(KEY, ticket(erp)))[0] == erp_id
    assert len(erp.rows("maintenance.request")) == 1


async def test_where_external_ids_are_not_allowed_the_name_keeps_it_one(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    erp.erp.service.no_load = True
    erp.erp.faults.add("drop_after_commit", on=("maintenance.request.create",))
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, ticket(erp))
    assert trouble.value.in_doubt
    await connector.open_ticket(KEY, ticket(erp))
    assert [t.key for t in await erp.tickets()] == [KEY]
    for _ in range(2):
        await connector.report_operation("R-1", report(erp))
        await connector.post(Kind.SCRAP, "P-1", posting(erp, Kind.SCRAP))
    assert (len(await erp.reports()), len(await erp.postings(Kind.SCRAP))) == (1, 1)


async def test_stages_are_chosen_by_what_they_mean_not_by_name(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    seen = []
    for state in ("accepted", "wait-parts", "verifying"):
        await connector.update_ticket(erp_id, step(state))
        (row,) = erp.rows("maintenance.request")
        seen.append((row["stage_id"], row["kanban_state"]))
    assert seen == [(2, "normal"), (2, "blocked"), (2, "done")]
    await connector.close_ticket(erp_id, closing())
    (row,) = erp.rows("maintenance.request")
    assert (row["stage_id"], row["close_date"], row["duration"]) == (3, "2026-01-05", 1.5833)
    await connector.update_ticket(erp_id, step("reopened"))
    (row,) = erp.rows("maintenance.request")
    assert (row["stage_id"], row["close_date"]) == (2, False)


async def test_a_stage_of_the_site_s_own_is_named_in_the_map(erp: OdooBooks, connect: Connect) -> None:
    named = {"documents": {"step": {"tables": {"stages": {"accepted": seed.STAGES[3][0]}}}}}
    erp_id, _ = await connect().open_ticket(KEY, ticket(erp))
    await connect(**named).update_ticket(erp_id, step("accepted"))
    assert erp.rows("maintenance.request")[0]["stage_id"] == 4
    unknown = {"documents": {"step": {"tables": {"stages": {"reopened": "待接单"}}}}}
    with pytest.raises(ErpRefused, match=r"待接单.*documents\.step\.write\.stage_id"):
        await connect(**unknown).update_ticket(erp_id, step("reopened"))


async def test_an_archived_request_is_closed_and_opening_it_brings_it_back(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    erp.write("maintenance.request", int(erp_id), archive=True)
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, step("reopened"))
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}


async def test_a_photo_is_attached_once(erp: OdooBooks, connector: OdooConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    end = closing(photo="ph-1") | {"photo_data": b"\xff\xd8jpeg", "photo_name": "ph-1.jpg"}
    await erp.fail("drop_before", "ticket")
    with pytest.raises(ErpUnavailable):
        await connector.close_ticket(erp_id, end)
    await connector.close_ticket(erp_id, end)
    (photo,) = erp.rows("ir.attachment")
    assert (photo["name"], photo["res_id"], photo["datas"]) == ("ph-1.jpg", int(erp_id), "/9hqcGVn")


# ------------------------------------------------------------------ the floor
async def test_a_part_is_received_not_the_whole_and_the_floor_still_sees_one_order(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    for at in (1, 2):
        await connector.report_operation(f"R-{at}", report(erp, good=3))
    await connector.report_operation("R-3", report(erp) | {"operation": "20"})
    assert await connector.post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT)) == f"{ORDER}-001"
    assert [r["qty_produced"] for r in erp.rows("mrp.production") if r["state"] == "done"] == [2.0]
    (order,) = [o for o in await connector.orders(None) if o.number.startswith(ORDER)]
    assert (order.number, order.quantity, order.state) == (ORDER, 400, WorkOrderState.RELEASED)
    assert (order.erp_id, order.sales_order, len(order.jobs)) == ("1", seed.SALE, 2)
    await connector.report_operation("R-4", report(erp, good=5))
    claims = {c.operation: c for c in await connector.reported([ORDER])}
    assert (claims["10"].good, claims["10"].scrap, claims["10"].quantity) == (11, 3, 400)
    assert (claims["20"].good, claims["20"].scrap) == (3, 1)
    more = posting(erp, Kind.RECEIPT) | {"quantity": 7.0}
    assert await connector.post(Kind.RECEIPT, "P-2", more) == f"{ORDER}-002"
    assert await connector.post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT)) == f"{ORDER}-001"
    assert sum(s.quantity for s in await connector.stock([seed.ITEM])) == 9


async def test_what_was_issued_is_consumed_not_what_the_list_says(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    for operation in ("10", "20"):
        await connector.report_operation(f"R-{operation}", report(erp) | {"operation": operation})
    number = await connector.post(Kind.ISSUE, "P-1", posting(erp, Kind.ISSUE))
    await connector.post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT))
    assert await connector.find_posting(Kind.ISSUE, "P-1") == number
    consumed = [
        r["quantity"] for r in erp.rows("stock.move.line") if r["product_id"] == 2 and r["state"] == "done"
    ]
    assert consumed == [2.0]


async def test_a_completion_that_asks_is_answered_only_where_the_site_said_so(
    erp: OdooBooks, connect: Connect
) -> None:
    careful = connect(skip_consumption_warning=False)
    await careful.post(Kind.ISSUE, "P-1", posting(erp, Kind.ISSUE))
    with pytest.raises(ErpRefused, match=r"mrp\.consumption\.warning"):
        await careful.post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT))
    assert await erp.postings(Kind.RECEIPT) == []
    await connect().post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT))
    assert len(await erp.postings(Kind.RECEIPT)) == 1


async def test_nothing_is_written_on_an_order_that_is_done(erp: OdooBooks, connector: OdooConnector) -> None:
    whole = posting(erp, Kind.RECEIPT) | {"quantity": float(seed.ORDER_QUANTITY)}
    await connector.post(Kind.RECEIPT, "P-1", whole)
    before = erp.rows("mrp.production")
    for attempt in (
        connector.post(Kind.RECEIPT, "P-2", posting(erp, Kind.RECEIPT)),
        connector.report_operation("R-1", report(erp)),
        connector.change_order(ORDER, RUSH),
    ):
        with pytest.raises(ErpRefused, match=r"done|finished"):
            await attempt
    assert erp.rows("mrp.production") == before


async def test_goods_of_another_product_or_without_their_lot_are_refused(
    erp: OdooBooks, connector: OdooConnector
) -> None:
    for wrong, why in (({"item": seed.COMPONENT}, "makes"), ({"lot": ""}, "a lot is wanted")):
        with pytest.raises(ErpRefused, match=why):
            await connector.post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT) | wrong)
    with pytest.raises(ErpRefused, match="no lot L-99"):
        await connector.post(Kind.ISSUE, "P-1", posting(erp, Kind.ISSUE) | {"lot": "L-99"})
    assert await erp.postings(Kind.RECEIPT) == []


async def test_an_operation_that_only_changed_its_pieces_brings_its_order(
    erp: OdooBooks, connector: OdooConnector, clock: HandClock
) -> None:
    clock.turn(3600)
    since = clock.now()
    erp.write("mrp.workorder", 3, qty_produced=5.0)  # the order's own write_date stays
    assert [o.number for o in await connector.orders(since)] == ["WH/MO/00002"]


async def test_a_first_report_starts_the_operation_and_leaves_no_stopwatch_running(
    erp: OdooBooks, connect: Connect
) -> None:
    await connect().report_operation("R-1", report(erp))
    work, order = erp.rows("mrp.workorder")[0], erp.rows("mrp.production")[0]
    assert (work["state"], work["is_user_working"], order["state"]) == ("progress", False, "progress")
    quiet = connect(start_operations=False)
    await quiet.report_operation("R-2", report(erp) | {"order": "WH/MO/00002"})
    assert erp.rows("mrp.workorder")[2]["state"] == "ready"


async def test_a_rush_order_is_told_once_and_said_why(erp: OdooBooks, connector: OdooConnector) -> None:
    for _ in range(2):
        await connector.change_order(ORDER, RUSH)
    (note,) = [m["body"] for m in erp.rows("mail.message")]
    assert "客户催货" in note
    (order,) = [o for o in await connector.orders(None) if o.number == ORDER]
    assert (order.priority, order.rush, order.due_at) == (1, True, DUE)


async def test_the_star_of_a_delivery_makes_a_sale_urgent(connector: OdooConnector) -> None:
    (sale,) = await connector.sales_orders(None)
    assert (sale.rush, sale.priority, sale.product, sale.quantity) == (True, 1, seed.ITEM, 400)


# ------------------------------------------------------------------ cut off at every write
async def _ticket(connector: OdooConnector, erp: OdooBooks) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.close_ticket(erp_id, closing())
    await connector.update_ticket(erp_id, step("reopened"))


async def _floor(connector: OdooConnector, erp: OdooBooks) -> None:
    await connector.report_operation("R-1", report(erp))
    await connector.post(Kind.ISSUE, "P-1", posting(erp, Kind.ISSUE))
    await connector.post(Kind.RECEIPT, "P-1", posting(erp, Kind.RECEIPT))
    await connector.report_operation("R-2", report(erp))


async def _rest(connector: OdooConnector, erp: OdooBooks) -> None:
    for kind in (Kind.HOURS, Kind.QUALITY, Kind.SCRAP):
        await connector.post(kind, "P-1", posting(erp, kind))
    await connector.change_order(ORDER, RUSH)


def _sight(erp: OdooBooks) -> list[Any]:
    """Everything that counts in the books, without times and without what was tried and left."""
    return [
        [(t["name"], t["stage_id"], t["description"]) for t in erp.rows("maintenance.request")],
        sorted(words(m["body"]) for m in erp.rows("mail.message")),
        [(o["name"], o["state"], o["qty_produced"], o["product_qty"], o["priority"], o["date_deadline"])
         for o in erp.rows("mrp.production")],
        [(w["production_id"], w["state"], w["qty_produced"]) for w in erp.rows("mrp.workorder")],
        sorted(r["description"] for r in erp.rows("mrp.workcenter.productivity") if "[" in r["description"]),
        sorted((q["product_id"], q["lot_id"], q["quantity"]) for q in erp.rows("stock.quant")),
        [(s["name"], s["state"], s["scrap_qty"]) for s in erp.rows("stock.scrap")],
    ]  # fmt: skip


Work = Callable[[OdooConnector, OdooBooks], Awaitable[None]]


async def _insist(work: Work, erp: OdooBooks, connector: OdooConnector) -> None:
    for _ in range(4):
        try:
            await work(connector, erp)
        except AndonError as trouble:
            assert isinstance(trouble, ErpUnavailable), trouble
        else:
            return
    raise AssertionError("four tries were not enough")


@pytest.mark.parametrize("work", [_ticket, _floor, _rest])
@pytest.mark.parametrize(("fault", "every"), [("drop_after_commit", 1), ("drop_before", 4)])
async def test_cut_off_at_any_write_it_ends_as_if_nothing_had_happened(
    clock: HandClock, work: Work, fault: str, every: int
) -> None:
    wanted: list[Any] = []
    writes = 1
    at = -every
    while at < writes:
        async with OdooWorld().books(clock) as erp:
            if at >= 0:
                erp.erp.faults.add(fault, spare=at)
            connector = erp.connector(clock, page_rows=500)
            await _insist(work, erp, connector)
            await connector.close()
            if at < 0:
                wanted, writes = _sight(erp), len(erp.erp.faults.seen)
            assert _sight(erp) == wanted, f"cut off at write {at}: {erp.erp.faults.seen[: at + 1][-1:]}"
        at += every
    assert writes > 3


# ------------------------------------------------------------------ care
async def test_a_key_that_ends_soon_is_told_before_it_does(
    erp: OdooBooks, connector: OdooConnector, clock: HandClock
) -> None:
    ends = clock.now() + timedelta(days=5)
    values = {"name": "andon", "expiration_date": ends.strftime("%Y-%m-%d %H:%M:%S"), "user_id": 2}
    erp.erp.service.call("res.users.apikeys", "create", {"vals_list": [values]})
    assert (await connector.probe())["api key"].startswith("✗ a key of this user ends on 2026-01-10")


async def test_inspections_go_where_the_site_says(erp: OdooBooks, connect: Connect) -> None:
    other = {"documents": {"quality": {"form": "maintenance.request", "write": {"name": "marker"}}}}
    for _ in range(2):
        await connect(**other).post(Kind.QUALITY, "P-1", posting(erp, Kind.QUALITY))
    assert [r["name"] for r in erp.rows("maintenance.request")] == ["[quality:P-1]"]


async def test_what_a_site_does_not_have_is_not_looked_for(connect: Connect) -> None:
    lacking = {"documents": {"quality": {"form": "no.such.model"}}}
    assert (await connect(**lacking).probe())["quality"].startswith("✗ no.such.model")
    connector = connect(without=["quality"], **lacking)
    assert "quality" not in connector.capabilities
    assert "quality" not in await connector.probe()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"api_key": ""}, "is empty"),
        ({"time_zone": "Peking"}, "IANA"),
        ({"documents": {"tikcet": {}}}, "no such document"),
        ({"protocol": "jsonrpc"}, "database and user"),
    ],
)
def test_a_bad_configuration_says_what_to_write(change: dict[str, Any], said: str) -> None:
    block = {"url": "http://erp.example", "api_key": "k"} | change
    with pytest.raises(ValidationError, match=said):
        OdooConnector.Config.model_validate(block)


def test_values_are_what_odoo_takes() -> None:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert typed("datetime", at.isoformat(), "") == "2026-01-05 12:00:00"
    assert typed("many2many", [3, 4], "") == [[6, 0, [3, 4]]]
    assert typed("char", 17.0, "") == "17"
    assert typed("html", "a < b\nc", "") == "<p>a &lt; b<br/>c</p>"
    assert words(markup("a < b\nc & d")) == "a < b c & d"
    kinds = {"a": "many2one", "b": "many2many", "c": "boolean"}
    names, cells = columns({"a": 5, "b": [[6, 0, [1, 2]]], "c": True, "d": 1.5}, kinds)
    assert (names, cells) == (["a/.id", "b/.id", "c", "d"], [5, "1,2", "1", "1.5"])
    with pytest.raises(ErpRefused, match="x: 'soon'"):
        typed("date", "soon", "x")


async def test_a_second_simulator_is_a_world_of_its_own(clock: HandClock) -> None:
    with OdooSimulator(account=Account(key="k"), now=clock.now) as one, OdooSimulator(now=clock.now) as two:
        assert one.url != two.url
        assert one.service.books is not two.service.books
