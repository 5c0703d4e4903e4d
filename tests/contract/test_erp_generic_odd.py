"""Odd answers, records that no map can read, and what the map editor is shown: by REST and by SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.generic import GenericConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.shapes import OFFICE, Call, endure
from tests.contract.erp.test_erp_connectors import posting, report, step, ticket
from tests.contract.erp.worlds import generic_sql
from tests.contract.erp.worlds.generic_rest import FACTS, RestBooks
from tests.contract.erp.worlds.generic_sql import SqlBooks
from tests.contract.test_erp_generic import Server, bare
from tests.simulators.generic.server import Dialect, HomeMadeErp

pytestmark = pytest.mark.anyio

KEY = "AH-20260105-0007"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def books(clock: HandClock) -> Iterator[RestBooks]:
    with HomeMadeErp(clock.now, Dialect(unique=False)) as erp:
        yield RestBooks(erp)


@pytest.fixture
async def sql_books(clock: HandClock) -> AsyncIterator[SqlBooks]:
    async with generic_sql.WORLD.books(clock) as books:
        yield books


@asynccontextmanager
async def joined(books: Any, clock: HandClock, **changes: Any) -> AsyncIterator[GenericConnector]:
    connector = books.connector(clock, **changes)
    try:
        yield connector
    finally:
        await connector.close()


ASKED: dict[str, Call] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_states": lambda c: c.ticket_states(["1"]),
    "ticket_copies": lambda c: c.ticket_copies([KEY]),
    "find_report": lambda c: c.find_report("R-1"),
    "find_posting": lambda c: c.find_posting(PostingKind.RECEIPT, "P-1"),
    **OFFICE,
    "reported": lambda c: c.reported([FACTS.order]),
    "stock": lambda c: c.stock([FACTS.item]),
    "fields": lambda c: c.fields("ticket"),
    "samples": lambda c: c.samples("order"),
    "open_ticket": lambda c: c.open_ticket("AH-9", {"title": "x", "priority": 1}),
}


async def test_an_answer_of_another_shape_is_an_outage_or_a_refusal(
    books: RestBooks, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with joined(books, clock) as connector:
        await connector.open_ticket(KEY, ticket(books))
        await connector.report_operation("R-1", report(books))
        await connector.post(PostingKind.RECEIPT, "P-1", posting(books, PostingKind.RECEIPT))

    def over(wire: httpx.AsyncBaseTransport) -> GenericConnector:
        made = books.connector(clock)
        rest = made._records.rest
        assert rest is not None
        rest._http = rest._identity._http = httpx.AsyncClient(transport=wire)
        return made

    for at, call in enumerate(ASKED.values()):
        assert await endure(over, call, seed=at, most=4, monkeypatch=monkeypatch) > 10


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_a_page_is_no_yes_though_any_answer_would_be_one(clock: HandClock, kind: str) -> None:
    """A portal that wants somebody to log on answers 200 to whatever is sent."""
    server = Server()
    page = httpx.Response(200, text="<!DOCTYPE html><form>log on", headers={"Content-Type": kind})
    server.answers = [httpx.Response(200, json={"id": 7, "ext": KEY, "closed": False}), page]
    connector = bare(server, clock, operations={"update_ticket": {"answer": "none"}})
    with pytest.raises(ErpUnavailable, match="page") as trouble:
        await connector.update_ticket("7", step("accepted"))
    assert trouble.value.in_doubt


async def test_a_page_may_say_that_a_record_is_not_there_where_the_site_has_said_so(clock: HandClock) -> None:
    server = Server()
    server.answers = [httpx.Response(404, html="<html>Page not found</html>")]
    with pytest.raises(ErpUnavailable):
        await bare(server, clock).update_ticket("7", step("accepted"))
    told = {"ticket": {"answers": {"missing_statuses": [404]}}}
    with pytest.raises(ErpRefused, match="no ticket 7 any more"):
        await bare(server, clock, operations=told).update_ticket("7", step("accepted"))


@pytest.mark.parametrize("answer", [None, "?", {}, [], 0])
async def test_an_answer_that_says_nothing_is_not_one_that_there_is_nothing(
    clock: HandClock, answer: Any
) -> None:
    server = Server()
    server.answers = [httpx.Response(200, json=answer)]
    with pytest.raises(ErpUnavailable, match="find_ticket"):
        await bare(server, clock).open_ticket(KEY, {"title": "x"})
    assert {request.method for request in server.asked} == {"GET"}


async def test_records_without_a_key_are_nobody_s(clock: HandClock) -> None:
    """No map says where the key stands, and the server passes over the question."""
    server = Server()
    server.answers = [httpx.Response(200, json={"rows": [{"erp_id": 1, "number": "R-1"}]})]
    connector = bare(server, clock)
    connector._records.config.documents.clear()
    with pytest.raises(ErpUnavailable, match=r"documents\.ticket\.read\.key"):
        await connector.open_ticket(KEY, {"title": "x"})


async def test_an_answer_to_a_create_that_tells_of_another_record_is_not_believed(clock: HandClock) -> None:
    server = Server()
    server.answers = [
        httpx.Response(200, json={"rows": []}),
        httpx.Response(201, json={"id": 1, "ext": "OTHER"}),
        httpx.Response(200, json={"rows": [{"id": 2, "ext": KEY}]}),
    ]
    assert await bare(server, clock).open_ticket(KEY, {"title": "x"}) == ("2", "2")


async def test_another_order_is_not_changed_in_place_of_ours(clock: HandClock) -> None:
    server = Server()
    server.answers = [httpx.Response(200, json={"rows": [{"number": "WO-1"}, {"number": "WO-2"}]})]
    operations = {
        "order": {"call": "GET orders", "query": {"no": "{number}"}, "rows": "rows"},
        "change_order": {"call": "PATCH orders/{number}"},
    }
    connector = bare(server, clock, operations=operations)
    with pytest.raises(ErpRefused, match="no production order WO-3"):
        await connector.change_order("WO-3", {"priority": 1, "rush": True, "due_at": None, "reason": ""})
    assert len(server.asked) == 1


async def test_a_ticket_that_its_map_cannot_read_is_refused_with_the_field(
    books: RestBooks, clock: HandClock
) -> None:
    async with joined(books, clock) as connector:
        erp_id, _ = await connector.open_ticket(KEY, ticket(books))
    broken = {"ticket": {"read": {"closed": "number(title) == `1`"}}}
    async with joined(books, clock, documents=broken) as connector:
        with pytest.raises(ErpRefused, match=r"documents\.ticket\.read: field closed"):
            await connector.update_ticket(erp_id, step("accepted"))
        with left_out.gathered() as lost:
            assert await connector.ticket_states([erp_id]) == {}
        assert [one.document for one in lost] == ["ticket"]


async def test_an_order_with_an_operation_that_cannot_be_read_is_left_out_and_told(
    sql_books: SqlBooks, clock: HandClock
) -> None:
    broken = {"operation": {"read": {
        "order": '"order"', "operation": "text(operation)", "quantity": "number(name)",
    }}}  # fmt: skip
    sql_books.rows("update prod_operation set name = '30' where order_no <> %(no)s", no=FACTS.order)
    async with joined(sql_books, clock, documents=broken) as connector:
        with left_out.gathered() as lost:
            numbers = {order.number for order in await connector.orders(None)}
    assert FACTS.order not in numbers
    assert len(numbers) == FACTS.orders - 1
    assert ("order", FACTS.order) in [(one.document, one.record) for one in lost]


async def test_copies_are_all_that_carry_the_number(sql_books: SqlBooks, clock: HandClock) -> None:
    async with joined(sql_books, clock) as connector:
        _, first = await connector.open_ticket(KEY, ticket(sql_books))
        assert await connector.ticket_copies([KEY, "AH-NONE"]) == {KEY: [first]}


async def test_columns_come_with_what_their_people_wrote_beside_them(
    sql_books: SqlBooks, clock: HandClock
) -> None:
    async with joined(sql_books, clock) as connector:
        columns = {f.name: f for f in await connector.fields("ticket")}
        assert (columns["title"].title, columns["title"].write) == ("标题", "title")
        assert columns["u_fault"].type == "text"
        read = {f.name: f for f in await connector.fields("order")}
        assert read["due"].write == ""
        with pytest.raises(ErpRefused, match=r"operations\.describe"):
            await connector.fields("step")


async def test_without_a_description_fields_are_those_of_the_records(clock: HandClock) -> None:
    server = Server()
    server.answers = [httpx.Response(200, json={"rows": [{"no": "A", "kind": {"name": "轴"}, "n": 3}]})]
    told = await bare(server, clock).fields("item")
    assert [(f.name, f.type) for f in told] == [("no", "str"), ("kind.name", "str"), ("n", "int")]
