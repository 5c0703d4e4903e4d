"""Answers that are JSON and make no sense, fields and copies as Odoo tells them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from erp_bridge.odoo import OdooConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.test_erp_connectors import KEY, ticket
from tests.contract.erp.worlds.odoo import OdooBooks, OdooWorld
from tests.contract.odoo.conftest import Connect

pytestmark = pytest.mark.anyio

Read = Callable[[OdooConnector], Awaitable[Any]]
READS: dict[str, Read] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "ticket_copies": lambda c: c.ticket_copies([KEY]),
    "ticket_states": lambda c: c.ticket_states(["1"]),
    "find_report": lambda c: c.find_report("R-1"),
    "orders": lambda c: c.orders(None),
    "sales_orders": lambda c: c.sales_orders(None),
    "items": lambda c: c.items(None),
    "equipment": lambda c: c.equipment(),
    "reported": lambda c: c.reported(["WH/MO/00001"]),
    "stock": lambda c: c.stock(["A100"]),
    "samples": lambda c: c.samples("order"),
} | {kind.value: (lambda c, kind=kind: c.find_posting(kind, "P-1")) for kind in PostingKind}
ODD: tuple[Any, ...] = (
    {}, None, "text", 7, [None], ["text"], [{}], [{"id": None}], [{"id": False}], [{"id": "1"}],
    {"records": []},
)  # fmt: skip


def answering(patch: pytest.MonkeyPatch, connector: OdooConnector, reply: httpx.Response) -> None:
    """Whatever is asked from now on."""

    async def answer(*_: Any, **__: Any) -> httpx.Response:
        return reply

    patch.setattr(connector._client._http, "request", answer)


@pytest.mark.parametrize("name", READS)
async def test_an_answer_that_makes_no_sense_is_an_outage(
    connector: OdooConnector, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.probe()  # it knows the models
    for odd in ODD:
        answering(monkeypatch, connector, httpx.Response(200, content=json.dumps(odd)))
        with pytest.raises(ErpUnavailable, match="words we do not know"):
            await READS[name](connector)


@pytest.mark.parametrize("odd", [None, [], [None], {}, {"ids": None}, {"ids": [None]}, "text"])
async def test_a_write_whose_answer_makes_no_sense_is_in_doubt(
    erp: OdooBooks, connector: OdooConnector, odd: Any
) -> None:
    write = connector._client.write

    async def answered(model: str, method: str, ids: list[int] | None = None, **named: Any) -> Any:
        await write(model, method, ids, **named)
        return odd

    connector._client.write = answered  # type: ignore
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, ticket(erp))
    assert trouble.value.in_doubt
    connector._client.write = write  # type: ignore
    assert await connector.open_ticket(KEY, ticket(erp)) == ("1", "1")
    assert len(await erp.tickets()) == 1


@pytest.mark.parametrize("status", [200, 403, 404, 502, 503])
async def test_a_page_is_an_outage_and_nothing_is_given_up(
    connector: OdooConnector, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.probe()
    answering(monkeypatch, connector, httpx.Response(status, html="<!DOCTYPE html><h1>503</h1>"))
    for write in (False, True):
        call = connector._client.write if write else connector._client.read
        with pytest.raises(ErpUnavailable) as trouble:
            await call("maintenance.request", "write")
        assert trouble.value.in_doubt is write


async def test_fields_are_told_with_their_captions(connector: OdooConnector) -> None:
    told = {field.name: field for field in await connector.fields("ticket")}
    assert told["equipment_id"].read == "equipment_id.name"
    assert told["name"].write == "name"
    assert told["name"].title
    rows = await connector.samples("order", ["product_id.default_code", "no_such"])
    assert [row["product_id"]["default_code"] for row in rows] == ["A100"] * 3


async def test_copies_of_a_ticket_are_told(erp: OdooBooks, connector: OdooConnector) -> None:
    await connector.open_ticket(KEY, ticket(erp))
    await connector.open_ticket(KEY + "1", ticket(erp))
    (first, _) = erp.rows("maintenance.request")
    made = erp.erp.service.call(
        "maintenance.request",
        "create",
        {"vals_list": [{"name": f"[{KEY}] by hand", "maintenance_team_id": 1}]},
    )
    found = await connector.ticket_copies([KEY, KEY + "1", "AH-NONE", "%"])
    assert found == {KEY: [str(first["id"]), str(made[0])], KEY + "1": ["2"]}


async def test_records_left_out_name_their_field(erp: OdooBooks, connect: Connect) -> None:
    from erp_bridge import left_out

    erp.write("mrp.production", 1, date_deadline=False, date_start=False)
    with left_out.gathered() as lost:
        found = await connect().orders(None)
    assert len(found) == erp.facts.orders - 1
    assert [str(x) for x in lost] == ["order WH/MO/00001: documents.order.read.due_at gives nothing"]


async def test_a_machine_of_another_plant_is_not_taken(erp: OdooBooks, connect: Connect) -> None:
    """Two plants in one Odoo: `filters.equipment` says which machines are ours."""
    await connect(filters={"equipment": [["serial_no", "=", "PRESS-01"]]}).open_ticket(KEY, ticket(erp))
    (found,) = await erp.tickets()
    assert found.equipment == ""


async def test_a_model_that_is_gone_is_named_by_json_rpc_too(clock: HandClock) -> None:
    world = OdooWorld()
    world.release = 18
    async with world.books(clock) as books:
        connector = books.connector(clock)
        await connector.find_ticket(KEY)  # it has known the model
        await books.fail("renamed")
        with pytest.raises(ErpRefused, match=r"documents\.ticket"):
            await connector.open_ticket(KEY, ticket(books))
        assert (await connector.probe())["ticket"].startswith("✗")
        await connector.close()
