"""Odd answers, records that no map can read, what the map editor is shown. Each look at the real server is
made once; what comes back is bent here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.tryton import TrytonConnector
from erp_bridge.tryton_orders import _unique
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.production import WorkOrder
from hub.model.words import Words
from hub.testing.clock import NOON, HandClock
from tests.contract.erp.shapes import Call, endure
from tests.contract.erp.test_erp_connectors import report, step, ticket
from tests.contract.erp.worlds.tryton import WORLD, TrytonBooks
from tests.simulators.tryton import seed

pytestmark = [pytest.mark.anyio, *WORLD.marks]

KEY = "AH-20260105-0007"
OPENING = {"title": "x", "state": "sent", "equipment": "", "equipment_path": "p1/l1", "priority": 1}
ORDER = "MO0001"


@pytest.fixture
async def erp() -> AsyncIterator[TrytonBooks]:
    async with WORLD.books(HandClock()) as books:
        yield books


def over(wire: httpx.AsyncBaseTransport, url: str = "http://127.0.0.1:1/") -> TrytonConnector:
    block = {
        "url": url, "database": "erp", "user": seed.USER, "password": seed.PASSWORD, "page_rows": 100,
    }  # fmt: skip
    made = TrytonConnector(TrytonConnector.Config.model_validate(block), HandClock())
    made._client._http = httpx.AsyncClient(transport=wire)
    return made


class Numbered(httpx.AsyncBaseTransport):
    """Between a connector, which numbers its calls, and what has heard the same question under one number."""

    def __init__(self, beyond: httpx.AsyncBaseTransport) -> None:
        self._beyond = beyond

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = json.loads(request.content)
        headers = {n: v for n, v in request.headers.items() if n != "content-length"}
        body = json.dumps({**call, "id": 0})
        asked = httpx.Request("POST", request.url, headers=headers, content=body)
        reply = await self._beyond.handle_async_request(asked)
        content = await reply.aread()
        answer = json.loads(content) if reply.status_code == 200 else None
        if isinstance(answer, dict) and answer.get("id") == 0:
            content = json.dumps({**answer, "id": call["id"]}).encode()
        return httpx.Response(reply.status_code, content=content)

    async def aclose(self) -> None:
        await self._beyond.aclose()


ASKED: dict[str, Call] = {
    "find_ticket": lambda c: c.find_ticket(KEY),
    "find_report": lambda c: c.find_report("R-1"),
    "orders": lambda c: c.orders(None),
    "sales_orders": lambda c: c.sales_orders(None),
    "reported": lambda c: c.reported([ORDER]),
    "stock": lambda c: c.stock([seed.ITEM]),
}


async def test_an_answer_of_another_shape_is_an_outage_or_a_refusal(
    erp: TrytonBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = erp.connector(HandClock())
    await connector.open_ticket(KEY, ticket(erp))
    await connector.report_operation("R-1", report(erp))
    await connector.close()
    for at, call in enumerate(ASKED.values()):
        tried = await endure(
            lambda wire: over(Numbered(wire), erp.proxy.url),
            call,
            seed=at,
            most=3,
            monkeypatch=monkeypatch,
            by_the_way=True,
        )  # what Tryton says of its fields is kept: a strange answer is met once
        assert tried > 10


# ------------------------------------------------------------------ pages, and answers to other calls
def answering(method: str, answer: httpx.Response) -> TrytonConnector:
    """Of a server that takes the log-in and has nothing; to one method it gives this answer."""
    usual = {"common.db.login": [7, "a-token", None], "model.res.user.get_preferences": {}}

    def reply(request: httpx.Request) -> httpx.Response:
        call = json.loads(request.content)
        if call["method"].endswith(method):
            return answer
        spec = {n: {"type": "char"} for n in ("name", "comment", "type", "status", "progress")}
        result = spec if call["method"].endswith("fields_get") else usual.get(call["method"], [])
        return httpx.Response(200, json={"id": call["id"], "result": result})

    return over(httpx.MockTransport(reply))


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 502, 503])
@pytest.mark.parametrize("method", ["login", "search_read", ".create"])
async def test_a_page_is_an_outage_and_a_write_that_met_it_is_in_doubt(method: str, status: int) -> None:
    page = httpx.Response(status, html="<!DOCTYPE html><title>防火墙 refused</title>")
    with pytest.raises(ErpUnavailable) as trouble:
        await answering(method, page).open_ticket(KEY, OPENING)
    assert trouble.value.in_doubt is (method == ".create")


@pytest.mark.parametrize(
    "answer",
    [{"id": 999, "result": []}, [], {"result": None}, {"id": None, "result": [{"id": 1}]},
     {"result": [{"id": "1", "name": KEY}]}, {"result": [{"name": KEY}]}],
)  # fmt: skip
async def test_what_does_not_answer_the_search_is_not_an_answer_that_there_is_nothing(answer: Any) -> None:
    connector = answering("search_read", httpx.Response(200, json=answer))
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, OPENING)
    assert not trouble.value.in_doubt  # nothing was made


async def test_a_session_without_a_token_is_none() -> None:
    connector = answering("login", httpx.Response(200, json={"result": [7, None, None]}))
    with pytest.raises(ErpUnavailable, match="log-in"):
        await connector.find_ticket(KEY)


# ------------------------------------------------------------------ left out, and told
async def test_what_cannot_be_read_is_told_and_what_needs_it_is_left_out(erp: TrytonBooks) -> None:
    connector = erp.connector(
        HandClock(),
        documents={
            "operation": {"read": {"quantity": "number(work_center.name)"}},
            "sales_order": {"read": {"due_at": "sale.party.name"}},
            "item": {"read": {"number": "filled(lot)"}},
        },
    )
    try:
        with left_out.gathered() as lost:
            assert await connector.orders(None) == []
            assert await connector.sales_orders(None) == []
            assert await connector.items(None) == []
        told = {(one.document, one.record) for one in lost}
        assert told >= {("order", ORDER), ("operation", ORDER), ("sales_order", "SO0001")}
        assert "item" in {document for document, _ in told}
        with pytest.raises(ErpRefused, match=r"documents\.operation\.read: field quantity"):
            await connector.report_operation("R-1", report(erp))
    finally:
        await connector.close()


def test_a_number_that_two_companies_have_given_is_nobody_s() -> None:
    def order(number: str, erp_id: str) -> WorkOrder:
        return WorkOrder(number, "A100", Words("", ""), 1, NOON, erp_id=erp_id)

    with left_out.gathered() as lost:
        told = _unique([order("MO1", "1"), order("MO2", "2"), order("MO1", "3")])
    assert [one.number for one in told] == ["MO2"]
    assert [(one.document, one.record) for one in lost] == [("order", "MO1")]


# ------------------------------------------------------------------ copies, fields, records
async def test_the_office_s_second_ticket_is_told_and_the_map_editor_is_shown_both(erp: TrytonBooks) -> None:
    connector = erp.connector(HandClock())
    try:
        erp_id, first = await connector.open_ticket(KEY, ticket(erp))
        clerk = erp.clerk()
        clerk.create("project.work", name=f"{KEY} again", type="task")
        clerk.create("project.work", name=f"{KEY}0 another", type="task")
        clerk.close()
        copies = await connector.ticket_copies([KEY, "AH-NONE"])
        assert {key: len(names) for key, names in copies.items()} == {KEY: 2}
        assert first in copies[KEY]
        await connector.update_ticket(erp_id, step("accepted"))

        told = {f.name: f for f in await connector.fields("ticket")}
        assert (told["comment"].title, told["comment"].write) == ("Comment", "comment")
        assert told["children"].write == told["number"].write == ""
        assert told["parent.rec_name"].read == "parent.rec_name"
        records = await connector.samples("ticket", ["sequence", "no_such_field"])
        assert [r["parent"]["name"] for r in records if r["id"] == int(erp_id)] == ["CNC-03"]
        assert "sequence" in records[0]
    finally:
        await connector.close()
