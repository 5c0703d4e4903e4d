"""Pushes: whose they are, when they were sent, what they are about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from erp_bridge.jiandaoyun import JiandaoyunConnector
from erp_bridge.jiandaoyun_push import LONGEST, opened, signature
from hub.errors import NotAllowed, Refused
from hub.model.erp import ErpPush, ErpSubject
from hub.testing.clock import NOON, HandClock
from tests.contract.jiandaoyun.case import KEY
from tests.contract.jiandaoyun.conftest import Connect
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

pytestmark = pytest.mark.anyio

SECRET = "test-secret"
BODY = (
    b'{"op":"data_update","data":{"_id":"64b7f0c2a1b2c3d4e5f60718",'
    b'"ah_key":"AH-20260101-0001","flowState":1}}'
)
THEN = datetime.fromtimestamp(1_700_000_000, UTC)


def push(body: bytes = BODY, at: datetime = THEN, secret: str = SECRET, **query: str) -> ErpPush:
    stamp, nonce = str(int(at.timestamp())), "n0nce"
    headers = {"x-jdy-signature": signature(nonce, body, secret, stamp), "x-jdy-deliverid": "d-1"}
    return ErpPush(headers, {"timestamp": stamp, "nonce": nonce} | query, body)


def test_the_signature_is_the_vendors() -> None:
    assert signature("n0nce", BODY, SECRET, "1700000000") == "8b9c9fb393919d24cc0c7d94eaccb8f485423c47"


def test_a_push_tells_its_record() -> None:
    told = opened(push(), ["another", SECRET], THEN)
    assert (told.id, told.op, told.record["ah_key"]) == ("d-1", "data_update", "AH-20260101-0001")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"body": BODY + b" "}, "bad-signature"),
        ({"query": {"timestamp": "1700000001", "nonce": "n0nce"}}, "bad-signature"),
        ({"query": {"timestamp": "1700000000", "nonce": "other"}}, "bad-signature"),
        ({"query": {}}, "bad-signature"),
        ({"headers": {}}, "bad-signature"),
        ({"headers": {"x-jdy-signature": "é"}}, "bad-signature"),
        ({"body": b"x" * (LONGEST + 1)}, "too-long"),
    ],
)
def test_a_push_that_was_touched_is_not_taken(changed: dict[str, Any], code: str) -> None:
    true = push()
    touched = replace(true, **changed)
    with pytest.raises(NotAllowed) as told:
        opened(touched, [SECRET], THEN)
    assert told.value.code == code
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("away", [timedelta(seconds=301), -timedelta(seconds=301)])
def test_an_old_push_sent_again_is_not_taken(away: timedelta) -> None:
    with pytest.raises(NotAllowed, match="five minutes"):
        opened(push(), [SECRET], THEN + away)
    assert opened(push(), [SECRET], THEN + away * 299 / 301)


def test_nobody_can_push_to_a_hub_without_secrets() -> None:
    with pytest.raises(NotAllowed, match="push_secrets") as told:
        opened(push(secret=""), [], THEN)
    assert told.value.code == "no-webhooks"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"op": "data_update"}', b'{"data": []}'])
def test_a_push_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as told:
        opened(push(body), [SECRET], THEN)
    assert told.value.code == "unreadable"


def test_without_a_number_of_its_own_a_push_is_known_by_its_content() -> None:
    bare = ErpPush({"x-jdy-signature": push().headers["x-jdy-signature"].upper()}, push().query, BODY)
    assert len(opened(bare, [SECRET], THEN).id) == 64


# ------------------------------------------------------------------ what a connector makes of it
@pytest.fixture
def connector(connect: Connect) -> JiandaoyunConnector:
    return connect(push_secrets=[SECRET])


@pytest.mark.parametrize(
    ("data", "query", "subject", "documents"),
    [
        ({"_id": "1", "fault_desc": "漏油", "wo_no": "W"}, {}, ErpSubject.TICKETS, ("1",)),
        ({"_id": "1", "wo_no": "W", "good_qty": 3}, {}, ErpSubject.ORDERS, ("W",)),
        ({"_id": "1", "so_no": "S"}, {}, ErpSubject.SALES_ORDERS, ("S",)),
        ({"_id": "1", "item_code": "I", "item_name": "轴"}, {}, ErpSubject.ITEMS, ("I",)),
        ({"_id": "1", "_widget_1": "x"}, {"form": "sales_order"}, ErpSubject.SALES_ORDERS, ("1",)),
        ({"_id": "1", "_widget_1": "x"}, {}, ErpSubject.TICKETS, ("1",)),
    ],
)
async def test_what_a_push_is_about(
    connector: JiandaoyunConnector,
    data: Mapping[str, object],
    query: dict[str, str],
    subject: ErpSubject,
    documents: tuple[str, ...],
) -> None:
    news = connector.pushed(push(json.dumps({"op": "data_update", "data": data}).encode(), NOON, **query))
    assert (news.subject, news.documents) == (subject, documents)


async def test_an_edit_in_the_browser_is_heard_and_a_write_of_ours_is_not(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, clock: HandClock
) -> None:
    heard = []

    def receive(url: str, headers: Mapping[str, str], body: bytes) -> int:
        query = dict(parse_qsl(urlsplit(url).query))
        heard.append(connector.pushed(ErpPush({k.lower(): v for k, v in headers.items()}, query, body)))
        return 200 if len(heard) > 1 else 503

    pusher, form = erp.platform.pusher, erp.platform.books.form("ah_repair")
    pusher.send, pusher.targets[form.entry_id] = receive, ("https://hub.invalid/push?form=order", SECRET)
    erp_id, _ = await connector.open_ticket(KEY, {"title": "油温高", "equipment": seed.EQUIPMENT})
    assert heard == []
    erp.desk.edit("ah_repair", erp_id, {"state": "已完成"})
    clock.turn(60)
    pusher.again()  # its first delivery was not taken
    assert [(n.id, n.subject, n.documents) for n in heard] == [
        ("deliver-000001", ErpSubject.TICKETS, (erp_id,))
    ] * 2
    assert pusher.waiting == []


async def test_a_push_of_a_deleted_order_is_followed_by_whoever_looks(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector, connect: Connect
) -> None:
    """The push is heard by the web's connector; orders are read by the bridge's, in another process."""
    bridge = connect(push_secrets=[SECRET])
    await bridge.orders(None)
    gone = next(r for r in erp.desk.rows("ah_work_order") if r["wo_no"] == seed.ORDER)
    erp.desk.delete("ah_work_order", gone["_id"])
    body = {"op": "data_remove", "data": {"_id": gone["_id"], "wo_no": seed.ORDER}}
    news = connector.pushed(push(json.dumps(body).encode(), NOON))
    assert (news.subject, news.documents) == (ErpSubject.ORDERS, (seed.ORDER,))
    told = {o.number: o.state.value for o in await bridge.orders(NOON)}
    assert told == {seed.ORDER: "cancelled"}


async def test_a_changed_form_is_looked_at_again_at_once(erp: JiandaoyunSimulator, connect: Connect) -> None:
    connector = connect(
        push_secrets=[SECRET], documents={"ticket": {"write": {"急停": "if(priority > `3`, '是', '否')"}}}
    )
    await connector.open_ticket(KEY, {"title": "油温高", "equipment": "", "priority": 4})
    books = erp.platform.books
    books.form("ah_repair").widgets.append(books.widget("stop", "急停", "radiogroup"))
    connector.pushed(push(b'{"op": "form_update", "data": {}}', NOON))
    await connector.open_ticket(KEY + "8", {"title": "油温高", "equipment": "", "priority": 4})
    assert erp.desk.rows("ah_repair")[-1]["stop"] == "是"


async def test_webhooks_are_an_ability_only_with_a_secret(
    connect: Connect, connector: JiandaoyunConnector
) -> None:
    assert "webhooks" in connector.capabilities
    assert "webhooks" not in connect().capabilities
