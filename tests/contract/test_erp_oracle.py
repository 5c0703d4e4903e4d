"""What only Oracle has: two query languages, versions, statuses, transactions that lie and have no key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from erp_bridge import oracle_mark
from erp_bridge.oracle import OracleConnector
from erp_bridge.oracle_mark import Begun, Mark, Move, Verdict
from erp_bridge.oracle_tickets import LONGEST, reference
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.model.production import WorkOrderState
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.oracle import QUALITY, OracleBooks
from tests.simulators.oracle import seed
from tests.simulators.oracle.books import FIRST_ID, Row
from tests.simulators.oracle.schema import TEXT, Attribute, Resource
from tests.simulators.oracle.server import OracleSimulator
from tests.simulators.oracle.system import ITEM

pytestmark = pytest.mark.anyio

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
KEY = "AH-20260105-0007"
REST = "/fscmRestApi/resources/11.13.18.05"
Connect = Callable[..., OracleConnector]
Act = Callable[[OracleConnector], Awaitable[Any]]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def books(clock: HandClock) -> Iterator[OracleBooks]:
    with OracleSimulator(now=clock.now) as simulator:
        yield OracleBooks(simulator)


@pytest.fixture
async def connect(books: OracleBooks, clock: HandClock) -> AsyncIterator[Connect]:
    made: list[OracleConnector] = []

    def connector(**changes: Any) -> OracleConnector:
        made.append(books.connector(clock, **changes))
        return made[-1]

    yield connector
    for one in made:
        await one.close()


class Clerk:
    """Plain HTTP, as anybody's client would speak it."""

    def __init__(self, erp: OracleSimulator, framework: int = 4) -> None:
        account = erp.account
        self.http = httpx.Client(
            base_url=erp.url + REST, auth=(account.user, account.password), trust_env=False,
            headers={"REST-Framework-Version": str(framework)},
        )  # fmt: skip

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.http.get(path, params=query)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.http.patch(path, json=body, headers=headers)


@pytest.fixture
def clerk(books: OracleBooks) -> Iterator[Clerk]:
    clerk = Clerk(books.erp)
    yield clerk
    clerk.http.close()


def opened(**more: Any) -> dict[str, Any]:
    return {
        "equipment": seed.ASSET, "equipment_path": "p1/l2/cnc-03", "equipment_name": "加工中心03",
        "title": "主轴温度超限", "priority": 4, "fault_code": "17", "order": "", "state": "sent",
        "opened_at": AT, "stopped_at": AT,
    } | more  # fmt: skip


def step(state: str, **more: Any) -> dict[str, Any]:
    return {
        "state": state, "person": "tech-a", "person_name": "值班技师甲", "at": AT, "note": ""
    } | more  # fmt: skip


def closing() -> dict[str, Any]:
    return step("closed", cause_class="mechanical", cause="更换冷却泵", downtime=timedelta(minutes=95))


def reported(**more: Any) -> dict[str, Any]:
    return {
        "order": seed.ORDER, "operation": "20", "good": 3, "scrap": 1, "at": AT, "equipment": "",
        "person": "op-a",
    } | more  # fmt: skip


def posted(kind: PostingKind, **more: Any) -> dict[str, Any]:
    fields = {
        "order": seed.ORDER, "operation": "20", "item": seed.ITEM, "quantity": 2.0, "unit": "", "lot": "",
        "warehouse": "FG", "reason": "", "check": "", "passed": None, "value": "", "sample_size": 0,
        "labour_seconds": 0.0, "machine_seconds": 0.0, "at": AT, "equipment": "", "person": "op-a",
    }  # fmt: skip
    own: dict[PostingKind, dict[str, Any]] = {
        PostingKind.RECEIPT: {"lot": "FG-LOT-01"},
        PostingKind.ISSUE: {"item": seed.COMPONENT, "lot": seed.LOT, "warehouse": "RAW"},
        PostingKind.HOURS: {"labour_seconds": 5400.0, "machine_seconds": 3601.0},
        PostingKind.SCRAP: {"reason": "毛刺"},
        PostingKind.QUALITY: {"check": "外径", "passed": False, "value": "20.013", "sample_size": 5},
    }
    return fields | own[kind] | more


def refused(reply: httpx.Response, status: int = 400) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["o:errorDetails"][0]["detail"])


def operation(books: OracleBooks, sequence: int = 20) -> Row:
    steps = books.work_order(seed.ORDER)["WorkOrderOperation"]
    return next(s for s in steps if s["OperationSequenceNumber"] == sequence)


def by_hand(books: OracleBooks, quantity: int = 5) -> None:
    """Somebody else reports pieces of operation 20."""
    row = {
        "SourceSystemCode": "FUSION_MOBILE", "OrganizationCode": "M1", "WorkOrderNumber": seed.ORDER,
        "WoOperationSequenceNumber": 20, "TransactionQuantity": quantity,
        "TransactionUnitOfMeasure": "Ea", "FromDispatchState": "READY", "ToDispatchState": "COMPLETE",
    }  # fmt: skip
    with books.erp.system.books.lock:
        books.erp.system.transactions.take("operationTransactions", {"OperationTransactionDetail": [row]})


# ------------------------------------------------------------------ the simulated pod is as strict as Oracle
NEW = {
    "OrganizationCode": "M1", "WorkOrderNumber": "AH-1", "AssetNumber": seed.ASSET, "WorkOrderTypeCode":
    "CORRECTIVE", "WorkOrderDescription": "spindle",
}  # fmt: skip
TICKETS = "/maintenanceWorkOrders"


def test_nobody_is_let_in_without_a_name_and_the_answer_is_a_page(books: OracleBooks) -> None:
    reply = httpx.get(f"{books.erp.url}{REST}/workOrders", trust_env=False)
    assert (reply.status_code, reply.text[:6]) == (401, "<html>")


def test_what_there_is_not_is_named(clerk: Clerk) -> None:
    assert clerk.get("/workOrdersV9").status_code == 404
    assert "Colour" in refused(clerk.post(TICKETS, NEW | {"Colour": "red"}))
    assert "Colour" in refused(clerk.get("/workOrders", q="Colour='red'"))
    assert "Colour" in refused(clerk.get("/workOrders", fields="WorkOrderId,Colour"))
    assert "WorkOrderTypeCode" in refused(clerk.post(TICKETS, {"AssetNumber": seed.ASSET}))
    assert "240" in refused(clerk.post(TICKETS, NEW | {"WorkOrderDescription": "x" * 241}))
    assert "InventoryItemId" in refused(clerk.post(TICKETS, {**NEW, "AssetNumber": None}))
    assert "NO-SUCH" in refused(clerk.post(TICKETS, NEW | {"AssetNumber": "NO-SUCH"}))


def test_each_framework_has_its_own_query_language(books: OracleBooks, clerk: Clerk) -> None:
    first = Clerk(books.erp, framework=1)
    example = f"OrganizationCode=M1;WorkOrderNumber={seed.ORDER}"
    expression = f"OrganizationCode='M1' and WorkOrderNumber='{seed.ORDER}'"
    assert first.get("/workOrders", q=example).json()["count"] == 1
    assert clerk.get("/workOrders", q=expression).json()["count"] == 1
    assert first.get("/workOrders", q=expression).status_code == 400
    assert clerk.get("/workOrders", q=example).status_code == 400
    assert first.get("/workOrders", q="WorkOrderNumber=M1-12*").json()["count"] == seed.ON_FLOOR
    assert clerk.get("/workOrders", q="WorkOrderNumber like 'M1-12%'").json()["count"] == seed.ON_FLOOR
    assert clerk.get("/workOrders", q="WorkOrderPriority in (1,5) or WorkOrderId > 1").status_code == 200
    shown = first.get("/workOrders", q=example, expand="WorkOrderOperation").json()["items"][0]
    assert isinstance(shown["WorkOrderOperation"], list)
    assert first.get("/workOrdersV9").headers["Content-Type"].startswith("text/plain")
    first.http.close()


def test_a_collection_comes_in_pages(clerk: Clerk) -> None:
    page = clerk.get("/workOrders", limit="2", offset="1", totalResults="true", onlyData="true").json()
    assert (page["count"], page["hasMore"], page["limit"], page["offset"]) == (2, True, 2, 1)
    assert page["totalResults"] == seed.ON_FLOOR + 2
    assert "links" not in page["items"][0]
    assert clerk.get("/workOrders", limit="900").json()["limit"] == 500
    assert clerk.get("/workOrders", fields="WorkOrderId", expand="WorkOrderOperation").status_code == 400
    newest = clerk.get("/workOrders", orderBy="WorkOrderNumber:desc", limit="1").json()["items"][0]
    assert newest["WorkOrderNumber"] == "M1-1300"
    nothing = clerk.get("/workOrders", fields="", limit="1").json()["items"][0]
    assert set(nothing) == {"links"}


def test_ids_are_larger_than_a_double_and_versions_are_kept(clerk: Clerk) -> None:
    made = clerk.post(TICKETS, NEW).json()
    assert made["WorkOrderId"] > FIRST_ID > 2**53
    path = f"{TICKETS}/{made['WorkOrderId']}"
    version = clerk.get(path).headers["ETag"]
    assert clerk.get(path).json()["links"][0]["properties"]["changeIndicator"] == version
    assert clerk.patch(path, {"WorkOrderPriority": 2}, **{"If-Match": version}).status_code == 200
    assert clerk.patch(path, {"WorkOrderPriority": 3}, **{"If-Match": version}).status_code == 412
    assert clerk.patch(path, {"WorkOrderPriority": 3}).status_code == 200
    assert "already exists" in refused(clerk.post(TICKETS, NEW))


def test_statuses_follow_their_order(clerk: Clerk) -> None:
    path = f"{TICKETS}/{clerk.post(TICKETS, NEW).json()['WorkOrderId']}"
    assert "ORA_UNRELEASED" in refused(clerk.patch(path, {"WorkOrderStatusCode": "ORA_COMPLETED"}))
    assert "reason" in refused(clerk.patch(path, {"WorkOrderStatusCode": "ORA_CANCELED"}))
    assert "not a valid" in refused(clerk.patch(path, {"WorkOrderStatusCode": "DONE"}))
    cancel = {"WorkOrderStatusCode": "ORA_CANCELED", "CanceledReason": "double"}
    assert clerk.patch(path, cancel).status_code == 200
    assert "ORA_CANCELED" in refused(clerk.patch(path, {"WorkOrderPriority": 1}))


def test_transactions_answer_201_whatever_becomes_of_them(clerk: Clerk) -> None:
    row: Row = {"OrganizationCode": "M1", "WorkOrderNumber": seed.ORDER, "WoOperationSequenceNumber": 20,
           "TransactionQuantity": 1, "TransactionUnitOfMeasure": "Ea", "FromDispatchState": "READY",
           "ToDispatchState": "COMPLETE"}  # fmt: skip
    wrong: list[Row] = [
        {"TransactionQuantity": 9999},
        {"WorkOrderNumber": "M1-1300"},
        {"SourceSystemCode": "X"},
    ]
    shapes = set()
    for change in wrong:
        body = {"SourceSystemCode": "ANDON_HUB", "OperationTransactionDetail": [row | change, row]}
        reply = clerk.post("/operationTransactions", body)
        detail = reply.json()["OperationTransactionDetail"]
        shapes.add(type(detail))
        rows = detail["items"] if isinstance(detail, dict) else detail
        assert (reply.status_code, reply.json()["ErrorsExistFlag"]) == (201, "true")
        assert [bool(r["ErrorMessages"]) for r in rows] == [True, False]
    assert shapes == {list, dict}
    assert "not supported" in refused(clerk.get("/operationTransactions"), 405)


def test_a_media_type_nobody_knows_is_refused(clerk: Clerk) -> None:
    reply = clerk.http.post(TICKETS, content=b"{}", headers={"Content-Type": "text/plain"})
    assert reply.status_code == 415
    reply = clerk.http.post(TICKETS, json=NEW, headers={"Content-Type": ITEM})
    assert reply.status_code == 201


# ------------------------------------------------------------------ every framework
@pytest.mark.parametrize("framework", [1, 2, 9])
async def test_all_is_done_in_every_framework(books: OracleBooks, connect: Connect, framework: int) -> None:
    connector = connect(framework=framework)
    erp_id, number = await connector.open_ticket(KEY, opened())
    assert await connector.find_ticket(KEY) == (erp_id, number)
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.close_ticket(erp_id, closing())
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    booked = await connector.report_operation("R-1", reported())
    assert await connect(framework=framework).find_report("R-1") == booked
    assert len(await connector.orders(None)) == seed.ON_FLOOR
    assert len(await connector.reported([seed.ORDER, "M1-1209"])) == 6
    assert {s.item for s in await connector.stock([seed.ITEM, seed.COMPONENT])} == {seed.ITEM, seed.COMPONENT}
    assert await connector.probe()


async def test_an_error_in_any_form_is_told_in_its_own_words(connect: Connect) -> None:
    for framework in (1, 3, 4):
        with pytest.raises(ErpRefused, match="NO-SUCH-ASSET does not exist"):
            await connect(framework=framework).open_ticket(KEY, opened(equipment="NO-SUCH-ASSET"))


# ------------------------------------------------------------------ tickets
async def test_a_key_that_is_no_number_is_told_by_its_digest() -> None:
    assert reference(KEY) == KEY
    assert reference("it's * ;nothing").startswith("AH-")
    assert reference("a;b") != reference("a;c")


async def test_an_expired_log_on_that_answers_200_with_a_page_is_noticed(
    books: OracleBooks, connect: Connect
) -> None:
    connector = connect()
    await books.fail("login_page", "ticket")
    with pytest.raises(ErpUnavailable, match="log-on page") as told:
        await connector.open_ticket(KEY, opened())
    assert told.value.in_doubt
    await connector.open_ticket(KEY, opened())
    assert len(await books.tickets()) == 1


async def test_one_token_is_asked_for_however_many_wait(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    await asyncio.gather(*(connector.find_ticket(f"AH-{n}") for n in range(6)))
    bearers = {r.headers["Authorization"] for r in books.erp.system.seen}
    assert len(bearers) == 1


async def test_user_and_password_do_where_there_is_no_oauth(books: OracleBooks, connect: Connect) -> None:
    account = books.erp.account
    connector = connect(oauth=None, user=account.user, password=account.password)
    await connector.open_ticket(KEY, opened())
    assert account.password not in repr(connector) + repr(connector._config)


async def test_flexfields_come_with_the_ticket_or_after_it(books: OracleBooks, connect: Connect) -> None:
    maps = {"ticket": {"write": {"WorkOrderDFF.andonFaultCode": "fault_code"}},
            "step": {"write": {"WorkOrderDFF.andonTechnician": "person_name"}}}  # fmt: skip
    for at, inline in enumerate((True, False)):
        books.erp.system.inline_children = inline
        connector = connect(documents=maps)
        erp_id, _ = await connector.open_ticket(f"AH-{at}", opened())
        for _ in range(2):
            await connector.update_ticket(erp_id, step("accepted"))
        found = (await books.tickets())[at].fields
        assert (found["andonFaultCode"], found["andonTechnician"]) == ("17", "值班技师甲")
        assert found["__FLEX_Context"] == "ANDON"


async def test_operations_are_reported_where_a_ticket_is_not_completed_otherwise(
    books: OracleBooks, connect: Connect
) -> None:
    books.erp.system.complete_needs_operations = True
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.close_ticket(erp_id, closing())
    (found,) = await books.tickets()
    assert found.closed
    assert found.fields["WorkOrderOperation"][0]["CompletedQuantity"] == 1
    other, _ = await connector.open_ticket("AH-2", opened())
    with pytest.raises(ErpRefused, match="aren't complete"):
        await connect(report_ticket_operations=False).close_ticket(other, closing())


async def test_what_is_closed_for_good_is_not_opened_again(connect: Connect, clerk: Clerk) -> None:
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.close_ticket(erp_id, closing())
    assert clerk.patch(f"{TICKETS}/{erp_id}", {"WorkOrderStatusCode": "ORA_CLOSED"}).status_code == 200
    with pytest.raises(ErpRefused, match="for good"):
        await connector.update_ticket(erp_id, step("reopened"))


async def test_a_change_in_between_is_read_and_kept(
    books: OracleBooks, connect: Connect, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened())
    write = connector._client.write

    async def interrupted(*args: Any, **how: Any) -> Any:
        monkeypatch.setattr(connector._client, "write", write)
        changed = {"WorkOrderDescription": "clerk's own words"}
        assert clerk.patch(f"{TICKETS}/{erp_id}", changed).status_code == 200
        return await write(*args, **how)

    monkeypatch.setattr(connector._client, "write", interrupted)
    await connector.update_ticket(erp_id, step("accepted"))
    (found,) = await books.tickets()
    assert found.title.startswith("clerk's own words | ")
    assert "已接单" in found.title


async def test_many_steps_keep_the_title_and_the_newest(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened(title="油温过高 " * 60))
    for n in range(12):
        await connector.update_ticket(erp_id, step("repairing", note=f"note number {n}"))
    (found,) = await books.tickets()
    assert len(found.title) <= LONGEST
    assert found.title.startswith("油温过高")
    assert found.title.endswith("note number 11")


# ------------------------------------------------------------------ orders
async def test_a_sites_own_status_is_read_by_what_it_comes_down_to(
    books: OracleBooks, connect: Connect
) -> None:
    orders = {o.number: o.state for o in await connect().orders(None)}
    assert orders["M1-1211"] is WorkOrderState.RELEASED
    assert orders["M1-1213"] is WorkOrderState.HELD
    assert not {"M1-1100", "M1-1300"} & set(orders)


async def test_a_pod_without_system_statuses_is_asked_by_their_codes(
    books: OracleBooks, connect: Connect
) -> None:
    del books.erp.system.resources["workOrders"].attributes["WorkOrderSystemStatusCode"]
    assert len(await connect().orders(None)) == seed.ON_FLOOR - 1


async def test_more_operations_than_come_along_are_fetched(books: OracleBooks, connect: Connect) -> None:
    books.erp.system.child_limit = 2
    (order,) = [o for o in await connect().orders(None) if o.number == seed.ORDER]
    assert [job.operation for job in order.jobs] == ["10", "20", "30"]


async def test_a_collection_that_moves_while_it_is_read_is_read_again(
    books: OracleBooks, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    get, asked = connector._client.get, 0

    async def moving(path: str, query: Any = None) -> Any:
        nonlocal asked
        found = await get(path, query)
        asked += 1
        if asked == 1:  # the first order leaves the floor: everything behind it moves up by one
            await books.cancel_order(seed.ORDER)
        return found

    monkeypatch.setattr(connector._client, "get", moving)
    numbers = [o.number for o in await connector.orders(None)]
    assert sorted(numbers) == sorted(f"M1-{1208 + n}" for n in range(1, seed.ON_FLOOR))


async def test_an_earlier_end_takes_the_beginning_along(books: OracleBooks, connect: Connect) -> None:
    end = books.work_order(seed.ORDER)["PlannedStartDate"] - timedelta(days=1)
    await connect().change_order(seed.ORDER, {"priority": 1, "rush": True, "due_at": end, "reason": ""})
    row = books.work_order(seed.ORDER)
    assert (row["PlannedStartDate"], row["PlannedCompletionDate"], row["WorkOrderPriority"]) == (end, end, 1)


# ------------------------------------------------------------------ transactions, booked once
async def test_a_report_that_was_booked_in_part_is_completed(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    await books.fail("row_failure", "report")
    with pytest.raises(ErpRefused, match="could not be processed"):
        await connector.report_operation("R-1", reported())
    assert (operation(books)["CompletedQuantity"], operation(books)["ScrappedQuantity"]) == (40, 1)
    await connector.report_operation("R-1", reported())
    assert (operation(books)["CompletedQuantity"], operation(books)["ScrappedQuantity"]) == (43, 1)


async def test_what_somebody_else_booked_meanwhile_is_for_a_person(
    books: OracleBooks, connect: Connect, clerk: Clerk
) -> None:
    connector = connect()
    await books.fail("drop_before", "report")
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", reported())
    by_hand(books)
    for one in (connector, connect()):
        with pytest.raises(ErpRefused, match="question mark"):
            await one.report_operation("R-1", reported())
    assert await connector.find_report("R-1") is None
    await connector.report_operation("R-2", reported())  # the others go on
    row = books.work_order(seed.ORDER)
    known_as = oracle_mark.digest("report", "R-1")
    without = row["WorkOrderDescription"].replace(f"?{known_as} ", "")
    assert without != row["WorkOrderDescription"]
    path = f"/workOrders/{row['WorkOrderId']}"
    assert clerk.patch(path, {"WorkOrderDescription": without}).status_code == 200
    await connector.report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 40 + 5 + 3 + 3


async def test_of_two_workers_with_one_report_one_books(books: OracleBooks, connect: Connect) -> None:
    ends = await asyncio.gather(
        *(connect().report_operation("R-1", reported()) for _ in range(4)), return_exceptions=True
    )
    assert all(isinstance(end, str | ErpUnavailable) for end in ends)
    assert operation(books)["CompletedQuantity"] == 43


async def test_a_worker_that_slept_between_marking_and_sending_does_not_send(
    books: OracleBooks, connect: Connect, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    write = connector._client.write

    async def slow(method: str, *args: Any, **how: Any) -> Any:
        made = await write(method, *args, **how)
        if method == "PATCH":
            clock.turn(60)
        return made

    monkeypatch.setattr(connector._client, "write", slow)
    with pytest.raises(ErpUnavailable, match="too long"):
        await connector.report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 40
    await connect().report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 43


async def test_after_a_crash_nothing_is_sent_while_it_may_be_under_way(
    books: OracleBooks, connect: Connect, clock: HandClock
) -> None:
    dying = connect()
    kill(dying, at=2, after=False)
    with pytest.raises(Killed):
        await dying.report_operation("R-1", reported())
    with pytest.raises(ErpUnavailable, match="under way") as told:
        await connect().report_operation("R-1", reported())
    assert told.value.retry_after is not None
    clock.turn(told.value.retry_after.total_seconds() + 1)
    await connect().report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 43


async def test_a_transaction_that_takes_too_long_is_not_taken_for_over(
    books: OracleBooks, connect: Connect, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    request = connector._client._http.request

    async def late(method: str, *args: Any, **how: Any) -> Any:
        if method == "POST":
            raise httpx.ReadTimeout("late")
        return await request(method, *args, **how)

    await connector.find_ticket(KEY)  # has its token
    monkeypatch.setattr(connector._client._http, "request", late)
    with pytest.raises(ErpUnavailable) as told:
        await connector.report_operation("R-1", reported())
    assert told.value.in_doubt
    monkeypatch.undo()
    with pytest.raises(ErpUnavailable, match="under way"):
        await connector.report_operation("R-1", reported())
    clock.turn(20)
    await connector.report_operation("R-1", reported())
    assert operation(books)["CompletedQuantity"] == 43


async def test_people_s_words_stay_beside_the_mark(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    before = books.work_order(seed.ORDER)["WorkOrderDescription"]
    for n in range(15):
        await connector.report_operation(f"R-{n}", reported(good=1, scrap=0))
    text = books.work_order(seed.ORDER)["WorkOrderDescription"]
    assert text.startswith(before + " [AH ")
    assert len(text) <= 240
    fresh = connect()
    assert await fresh.find_report("R-14") and await fresh.find_report("R-6")
    assert operation(books)["CompletedQuantity"] == 55


async def test_the_mark_may_stand_in_a_flexfield(books: OracleBooks, connect: Connect) -> None:
    mark = {"attribute": "andonMark", "child": "WorkOrderDFF", "context": "ANDON", "length": 400}
    before = books.work_order(seed.ORDER)["WorkOrderDescription"]
    for key in ("R-1", "R-2", "R-1"):
        await connect(mark=mark).report_operation(key, reported())
    assert await connect(mark=mark).find_report("R-1")
    assert operation(books)["CompletedQuantity"] == 46
    assert books.work_order(seed.ORDER)["WorkOrderDescription"] == before


async def test_without_a_mark_a_process_still_books_once(books: OracleBooks, connect: Connect) -> None:
    connector = connect(mark={"attribute": ""})
    await books.fail("drop_after_commit", "report")
    with pytest.raises(ErpUnavailable):
        await connector.report_operation("R-1", reported())
    for key in ("R-1", "R-2"):
        await connector.report_operation(key, reported())
    assert await connector.find_report("R-2")
    assert operation(books)["CompletedQuantity"] == 46


async def test_an_order_that_may_not_be_marked_names_what_to_mend(connect: Connect) -> None:
    with pytest.raises(ErpRefused, match=r"mark\.attribute"):
        await connect(mark={"attribute": "Colour"}).report_operation("R-1", reported())


async def test_the_floor_may_be_quicker_than_the_office(
    books: OracleBooks, connect: Connect, clock: HandClock
) -> None:
    connector, now = connect(), clock.now()
    early = [reported(order="M1-1300"), reported(order="NOT-YET"), reported(operation="30")]
    for fields in early:
        with pytest.raises(ErpUnavailable):
            await connector.report_operation("R-1", fields | {"at": now})
        with pytest.raises(ErpRefused):
            await connector.report_operation("R-1", fields)
    assert await books.reports() == []


async def test_hours_need_a_resource_of_the_operation(books: OracleBooks, connect: Connect) -> None:
    fields = posted(PostingKind.HOURS)
    with pytest.raises(ErpRefused, match=r"resource_codes\.labour"):
        await connect(resource_codes={"labour": "WELDER"}).post(PostingKind.HOURS, "H-1", fields)
    await connect().post(PostingKind.HOURS, "H-1", fields)
    used = [r["ActualResourceUsage"] for r in operation(books)["WorkOrderOperationResource"]]
    assert used == [pytest.approx(3601 / 3600, abs=1e-4), 1.5]


async def test_inspections_need_a_resource_that_can_be_asked(books: OracleBooks, connect: Connect) -> None:
    with pytest.raises(ErpRefused, match="quality"):
        await connect().post(PostingKind.QUALITY, "Q-1", posted(PostingKind.QUALITY))
    assert "quality" not in connect().capabilities
    names = ["AndonKey", "OrganizationCode", "WorkOrderNumber", "ItemNumber", "CharacteristicName",
             "ResultValue", "DispositionStatus", "InspectionDate"]  # fmt: skip
    attributes = {name: Attribute(TEXT) for name in names}
    attributes |= {name: Attribute("int") for name in ("Id", "OperationSequenceNumber", "SampleSize")}
    books.erp.system.resources[QUALITY] = Resource(QUALITY, "Id", attributes, writable=True)
    connector = connect(quality={"resource": QUALITY, "key": "AndonKey"})
    assert "quality" in connector.capabilities
    await books.fail("drop_after_commit", "posting")
    with pytest.raises(ErpUnavailable):
        await connector.post(PostingKind.QUALITY, "Q-1", posted(PostingKind.QUALITY))
    await connector.post(PostingKind.QUALITY, "Q-1", posted(PostingKind.QUALITY))
    assert await connector.find_posting(PostingKind.QUALITY, "Q-2") is None
    (found,) = await books.postings(PostingKind.QUALITY)
    assert (found.fields["ResultValue"], found.fields["DispositionStatus"]) == ("20.013", "REJECT")


# ------------------------------------------------------------------ killed at every write
class Killed(BaseException):
    """The process is gone."""


def kill(connector: OracleConnector, at: int, *, after: bool) -> None:
    """It dies at its write number `at`, before it is sent or when it has been done."""
    write, made = connector._client.write, 0

    async def dying(*args: Any, **how: Any) -> Any:
        nonlocal made
        made += 1
        if made == at and not after:
            raise Killed
        answer = await write(*args, **how)
        if made == at:
            raise Killed
        return answer

    connector._client.write = dying  # type: ignore[method-assign]


async def _ticket(connector: OracleConnector) -> Any:
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.close_ticket(erp_id, closing())


def _posting(kind: PostingKind) -> Act:
    return lambda connector: connector.post(kind, "P-1", posted(kind))


WRITES: dict[str, Act] = {
    "ticket": _ticket,
    "report": lambda connector: connector.report_operation("R-1", reported()),
} | {k.value: _posting(k) for k in PostingKind if k is not PostingKind.QUALITY}


@pytest.mark.parametrize("what", WRITES)
async def test_killed_at_any_write_it_is_done_once(
    books: OracleBooks, connect: Connect, clock: HandClock, what: str
) -> None:
    for at in (1, 2, 3, 4) if what == "ticket" else (1, 2):
        for after in (False, True):
            with OracleSimulator(now=clock.now) as simulator:
                mine = OracleBooks(simulator)
                await _die_and_go_on(mine, clock, WRITES[what], at, after=after)
                assert await _done(mine, what) == 1, (at, after)


async def _die_and_go_on(
    books: OracleBooks,
    clock: HandClock,
    act: Callable[[OracleConnector], Awaitable[Any]],
    at: int,
    *,
    after: bool,
) -> None:
    dying, next_one = books.connector(clock), books.connector(clock)
    kill(dying, at, after=after)
    with contextlib.suppress(Killed):
        await act(dying)
    for _ in range(4):
        try:
            await act(next_one)
            break
        except ErpUnavailable as trouble:
            clock.turn((trouble.retry_after or timedelta(seconds=6)).total_seconds())
    await dying.close()
    await next_one.close()


async def _done(books: OracleBooks, what: str) -> int:
    if what == "ticket":
        (found,) = await books.tickets()
        return found.title.count("已修复")
    return len(await books.reports() if what == "report" else await books.postings(PostingKind(what)))


# ------------------------------------------------------------------ the mark itself
BEGUN = Begun(
    oracle_mark.digest("report", "R-9"), AT,
    (Move("c20", Decimal(40), Decimal("3")), Move("s20", None, Decimal("0.5"))),
)  # fmt: skip


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark((oracle_mark.digest("report", "R-1"),), (oracle_mark.digest("report", "R-2"),), BEGUN)
    text = oracle_mark.written("轴承座 [急]", mark, 240)
    assert oracle_mark.read(text) == ("轴承座 [急]", mark)
    assert oracle_mark.read("轴承座 [AH nonsense !x]") == ("轴承座", Mark())


def test_a_text_that_is_too_long_is_not_cut_for_the_mark() -> None:
    with pytest.raises(ErpRefused, match=r"mark\.child"):
        oracle_mark.written("x" * 200, Mark(begun=BEGUN), 240)


def test_counters_tell_what_became_of_it() -> None:
    moves = (Move("c20", Decimal(40), Decimal(3)), Move("s20", Decimal(0), Decimal(1)))
    begun = Begun("X", AT, moves)
    assert begun.verdict({"c20": Decimal(43), "s20": Decimal(1)}) is Verdict.DONE
    assert begun.verdict({"c20": Decimal(40), "s20": Decimal(0)}) is Verdict.UNDONE
    assert begun.verdict({"c20": Decimal(43), "s20": Decimal(0)}) is Verdict.PART
    assert begun.verdict({"c20": Decimal(45), "s20": Decimal(0)}) is Verdict.UNCLEAR
    assert begun.verdict({"c20": Decimal(43)}) is Verdict.UNCLEAR


# ------------------------------------------------------------------ the page for key users
def test_the_block_in_the_manual_is_a_configuration() -> None:
    text = (Path(__file__).parents[2] / "docs/erp/oracle.md").read_text(encoding="utf-8")
    block = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["erp"]
    with_ = block["with"] | {"password": "x"}
    config = OracleConnector.Config.model_validate(with_)
    OracleConnector(config, HandClock())
    assert block["kind"] == "oracle-fusion"
