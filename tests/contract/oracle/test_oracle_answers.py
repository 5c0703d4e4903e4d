"""Oracle's odd answers: JSON that makes no sense, pages for people, records in the place of others."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.oracle import OracleConnector
from hub.errors import ErpRefused, ErpUnavailable
from tests.contract.erp.test_erp_connectors import KEY, closing, ticket
from tests.contract.erp.worlds.oracle import OracleBooks
from tests.contract.oracle.deeds import Connect
from tests.simulators.oracle import seed

pytestmark = pytest.mark.anyio

READS: dict[str, Callable[[OracleConnector], Awaitable[Any]]] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_copies": lambda c: c.ticket_copies([KEY]),
    "ticket_states": lambda c: c.ticket_states(["300100112987895"]),
    "find_report": lambda c: c.find_report("R-1"),
    "orders": lambda c: c.orders(None),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
    "reported": lambda c: c.reported([seed.ORDER]),
    "stock": lambda c: c.stock([seed.ITEM]),
    "change_order": lambda c: c.change_order(seed.ORDER, {"priority": 1}),
}
ROWS: tuple[Any, ...] = (None, {}, "x", [None], [7], [{}])
ODD: tuple[Any, ...] = (None, [], "text", 7, {}, *({"items": rows} for rows in ROWS))


def answering(patch: pytest.MonkeyPatch, connector: OracleConnector, reply: httpx.Response) -> None:
    """Whatever is asked from now on."""

    async def answer(*_: Any, **__: Any) -> httpx.Response:
        return reply

    patch.setattr(connector._client._http, "request", answer)


@pytest.fixture
def connector(connect: Connect) -> OracleConnector:
    return connect()


@pytest.mark.parametrize("name", READS)
async def test_an_answer_that_makes_no_sense_is_an_outage(
    connector: OracleConnector, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.find_ticket(KEY)  # with a token
    for odd in ODD:
        answering(monkeypatch, connector, httpx.Response(200, content=json.dumps(odd)))
        with pytest.raises(ErpUnavailable):
            await READS[name](connector)


@pytest.mark.parametrize("status", [200, 403, 404, 502, 503])
async def test_a_page_is_an_outage_and_nothing_is_given_up(
    connector: OracleConnector, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.find_ticket(KEY)
    answering(monkeypatch, connector, httpx.Response(status, html="<!DOCTYPE html><h1>503</h1>"))
    client = connector._client
    client._bearer = None
    with pytest.raises(ErpUnavailable) as trouble:
        await client.get("maintenanceWorkOrders")
    assert not trouble.value.in_doubt
    with pytest.raises(ErpUnavailable) as trouble:
        await client.write("POST", "maintenanceWorkOrders", {})
    assert trouble.value.in_doubt


async def test_a_number_without_an_id_is_no_ticket(
    connector: OracleConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.find_ticket(KEY)
    row = {"WorkOrderNumber": KEY, "WorkOrderId": None}
    answering(monkeypatch, connector, httpx.Response(200, json={"items": [row], "hasMore": False}))
    with pytest.raises(ErpUnavailable, match="without its WorkOrderId"):
        await connector.find_ticket(KEY)


async def test_a_list_that_says_more_for_ever_ends(
    connector: OracleConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.find_ticket(KEY)
    row = {"WorkOrderNumber": "1", "WorkOrderId": 1}
    answering(monkeypatch, connector, httpx.Response(200, json={"items": [row], "hasMore": True}))
    with pytest.raises(ErpUnavailable, match="the same rows again"):
        await connector.orders(None)


async def test_an_order_of_the_same_number_in_another_plant_is_not_ours(
    books: OracleBooks, connector: OracleConnector
) -> None:
    """Two plants in one pod, and a pod that forgets what it was asked for."""
    row = books.work_order(seed.ORDER)
    books._put("workOrders", row | {"OrganizationCode": "M9"})
    await books.fail("any_document")
    with pytest.raises(ErpRefused, match=seed.ORDER):
        await connector.change_order(seed.ORDER, {"priority": 1, "rush": True, "due_at": None, "reason": ""})
    assert await connector.reported([seed.ORDER]) == []


async def test_a_record_in_the_place_of_another_is_not_changed(
    books: OracleBooks, connector: OracleConnector
) -> None:
    await connector.open_ticket(KEY, ticket(books))
    second, _ = await connector.open_ticket(KEY + "1", ticket(books))
    await books.fail("any_document")
    with pytest.raises(ErpUnavailable, match="another record"):
        await connector.close_ticket(second, closing())
    assert [t.closed for t in await books.tickets()] == [False, False]


async def test_an_order_without_a_date_is_told_with_the_field(
    books: OracleBooks, connector: OracleConnector
) -> None:
    books._put("workOrders", books.work_order(seed.ORDER) | {"PlannedCompletionDate": None})
    with left_out.gathered() as lost:
        found = await connector.orders(None)
    assert len(found) == books.facts.orders - 1
    assert [str(x) for x in lost] == [f"order {seed.ORDER}: documents.order.read.due_at gives nothing"]


async def test_fields_are_told_with_their_titles(connector: OracleConnector) -> None:
    told = {field.name: field for field in await connector.fields("ticket")}
    assert told["WorkOrderDescription"].title == "WorkOrderDescription 标题"
    assert told["WorkOrderDFF.andonFaultCode"].write == "WorkOrderDFF.andonFaultCode"
    assert {field.group for field in await connector.fields("sales_order")} == {"order", "line"}
    for document in {*connector.own_maps} - {"quality"}:
        assert await connector.fields(document), document
        await connector.samples(document)


async def test_copies_of_a_ticket_are_told(books: OracleBooks, connector: OracleConnector) -> None:
    await connector.open_ticket(KEY, ticket(books))
    await connector.open_ticket(KEY + "1", ticket(books))
    assert await connector.ticket_copies([KEY, "AH-NONE"]) == {KEY: [KEY]}
