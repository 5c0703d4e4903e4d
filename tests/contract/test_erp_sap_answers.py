"""SAP's odd answers: JSON that makes no sense, pages for people, half of what was to be written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.sap_s4 import SapConnector
from hub.errors import ErpUnavailable
from hub.testing.clock import HandClock
from tests.contract.erp.test_erp_connectors import KEY, closing, report, ticket
from tests.contract.erp.worlds.sap import SapBooks, SapWorld
from tests.simulators.sap import seed
from tests.simulators.sap.orders import SET as ORDERS

pytestmark = pytest.mark.anyio

READS: dict[str, Callable[[SapConnector], Awaitable[Any]]] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_copies": lambda c: c.ticket_copies([KEY]),
    "ticket_states": lambda c: c.ticket_states(["10000001"]),
    "find_report": lambda c: c.find_report("R-1"),
    "orders": lambda c: c.orders(None),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
    "reported": lambda c: c.reported([seed.ORDER]),
    "change_order": lambda c: c.change_order(seed.ORDER, {"priority": 1}),
    "samples": lambda c: c.samples("sales_order"),
}
ROWS: tuple[Any, ...] = (
    [None],
    ["text"],
    [{}],
    [{"ManufacturingOrder": None, "SalesOrder": None}],
    {},
    "x",
    7,
)
ODD: tuple[Any, ...] = (
    None,
    [],
    "text",
    7,
    {},
    {"d": None},
    {"d": []},
    *({"d": {"results": rows}} for rows in ROWS),
)


@pytest.fixture
async def erp(clock: HandClock) -> AsyncIterator[SapBooks]:
    async with SapWorld().books(clock) as books:
        yield books


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def connector(erp: SapBooks, clock: HandClock) -> AsyncIterator[SapConnector]:
    made = erp.connector(clock)
    yield made
    await made.close()


def answering(patch: pytest.MonkeyPatch, connector: SapConnector, reply: httpx.Response) -> None:
    """Whatever is asked from now on."""

    async def answer(*_: Any, **__: Any) -> httpx.Response:
        return reply

    patch.setattr(connector._client._http, "request", answer)


@pytest.mark.parametrize("name", READS)
async def test_an_answer_that_makes_no_sense_is_an_outage(
    connector: SapConnector, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in connector._records.services.values():
        if service.name not in ("batch", "product"):
            await service.metadata()
    for odd in ODD:
        if name == "change_order" and isinstance(odd, dict) and odd.get("d"):
            continue  # a list where one record belongs
        answering(monkeypatch, connector, httpx.Response(200, content=json.dumps(odd)))
        if odd in ([], {"d": []}) and name != "change_order":
            continue  # an empty list
        with pytest.raises(ErpUnavailable):
            await READS[name](connector)


@pytest.mark.parametrize("status", [200, 403, 404, 502, 503])
async def test_a_page_is_an_outage_and_nothing_is_given_up(
    connector: SapConnector, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.find_ticket(KEY)
    path = connector._records.services["notification"].path
    await connector._client._token(path)
    answering(monkeypatch, connector, httpx.Response(status, html="<!DOCTYPE html><h1>503</h1>"))
    with pytest.raises(ErpUnavailable) as trouble:
        await connector._client.get(f"{path}/MaintenanceNotification")
    assert not trouble.value.in_doubt
    with pytest.raises(ErpUnavailable) as trouble:
        await connector._client.write("POST", path, f"{path}/MaintenanceNotification", body={})
    assert trouble.value.in_doubt


async def test_a_page_where_the_token_is_had_is_an_outage(erp: SapBooks, connector: SapConnector) -> None:
    await erp.fail("page")
    with pytest.raises(ErpUnavailable, match="page"):
        await connector._client._token(connector._records.services["notification"].path)


async def test_fields_have_the_labels_of_the_metadata(connector: SapConnector) -> None:
    told = {field.name: field for field in await connector.fields("ticket")}
    assert told["NotificationText"].title == "NotificationText 标题"
    assert told["NotificationText"].write == "NotificationText"
    assert told["MaintenanceNotification"].write == ""
    lines = {field.name: field for field in await connector.fields("report")}
    assert lines["to_ProdnOrdConfMatlDocItm.Batch"].write == "to_ProdnOrdConfMatlDocItm[].Batch"
    assert {f.group for f in await connector.fields("sales_order")} == {"order", "item", "line"}
    assert "ManufacturingOrderOperation" in {f.name for f in await connector.fields("operation")}
    for document in connector.own_maps:
        if document not in ("item", "sales_change"):
            assert await connector.fields(document), document
            await connector.samples(document)


async def test_copies_of_a_ticket_are_told(erp: SapBooks, connector: SapConnector) -> None:
    first, _ = await connector.open_ticket(KEY, ticket(erp))
    (row,) = erp._system.books.rows("MaintenanceNotification")
    erp._system.books.put(
        "MaintenanceNotification", ("10009999",), row | {"MaintenanceNotification": "10009999"}
    )
    assert await connector.ticket_copies([KEY, "AH-NONE"]) == {KEY: [first, "10009999"]}


async def test_an_order_that_comes_in_the_place_of_another_is_not_changed(
    erp: SapBooks, connector: SapConnector
) -> None:
    numbers = [row["ManufacturingOrder"] for row in erp._system.books.rows(ORDERS)]
    await erp.fail("any_document")
    with pytest.raises(ErpUnavailable, match="another one"):
        await connector.change_order(numbers[-1], {"priority": 1, "rush": True, "due_at": None, "reason": ""})


async def test_an_order_without_a_date_is_told_with_the_field(erp: SapBooks, connector: SapConnector) -> None:
    gone = dict.fromkeys(("MfgOrderPlannedEndDate", "MfgOrderScheduledEndDate"))
    erp._put(erp._order(seed.ORDER) | gone)
    with left_out.gathered() as lost:
        found = await connector.orders(None)
    assert len(found) == erp.facts.orders - 1
    assert [str(x) for x in lost] == [f"order {seed.ORDER}: documents.order.read.due_at gives nothing"]


async def test_a_closing_that_is_cut_off_half_way_is_ended_once(
    erp: SapBooks, connector: SapConnector
) -> None:
    """The text is written, then the connection dies before the function is called."""
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    erp.erp.faults.add("drop_before", sets=["CompleteMaintNotification"])
    with pytest.raises(ErpUnavailable):
        await connector.close_ticket(erp_id, closing())
    (half,) = await erp.tickets()
    assert not half.closed
    assert "更换冷却泵" in half.title
    await connector.close_ticket(erp_id, closing())
    (whole,) = await erp.tickets()
    assert whole.closed
    assert whole.title.count("更换冷却泵") == 1


async def test_a_report_of_another_key_is_not_ours(erp: SapBooks, connector: SapConnector) -> None:
    await connector.report_operation("R-1", report(erp))
    await erp.fail("any_document")
    assert await connector.find_report("R-1")
    assert await connector.find_report("R-2") is None
