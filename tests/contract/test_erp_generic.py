"""What only the connector without an ERP of its own has: other ways to log in, to page, to say no; SQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from erp_bridge.generic import GenericConnector
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused, ErpUnavailable, NotAllowed, Refused
from hub.model.erp import ErpPush, ErpSubject, PostingKind
from hub.testing.clock import NOON, HandClock
from hub.webhooks import signature
from tests.contract.erp.test_erp_connectors import KEY, closing, posting, report, step, ticket
from tests.contract.erp.worlds.generic_rest import WORLD, RestBooks, laid_over, mapping
from tests.contract.erp.worlds.generic_sql import WORLD as SQL_WORLD
from tests.contract.erp.worlds.generic_sql import SqlBooks
from tests.simulators.generic import seed
from tests.simulators.generic.server import SECRET, USER, Dialect, HomeMadeErp

pytestmark = pytest.mark.anyio

PAGINGS: dict[str, dict[str, Any] | None] = {
    "page": {"style": "page", "size_param": "size"},
    "offset": {"style": "offset", "size_param": "size", "size": 2},
    "next": {"style": "next", "next": "next"},
    "link": {"style": "next"},
    "cursor": {"style": "cursor", "next": "next_cursor"},
    "none": None,
}
AUTHS: dict[str, dict[str, Any]] = {
    "login": {"kind": "login", "user": USER, "password": SECRET, "token": "data.token"},
    "cookie": {"kind": "login", "user": USER, "password": SECRET, "success": "code == `0`"},
    "oauth2": {"kind": "oauth2", "client_id": USER, "client_secret": SECRET},
    "basic": {"kind": "basic", "user": USER, "password": SECRET},
    "bearer": {"kind": "bearer", "token": SECRET},
    "api-key": {"kind": "api-key", "key": SECRET},
    "none": {"kind": "none"},
}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def books(clock: HandClock) -> AsyncIterator[RestBooks]:
    async with WORLD.books(clock) as made:
        yield made


@pytest.fixture
async def sql_books(clock: HandClock) -> AsyncIterator[SqlBooks]:
    async with SQL_WORLD.books(clock) as made:
        yield made


@asynccontextmanager
async def joined(made: Any, clock: HandClock, **changes: Any) -> AsyncIterator[GenericConnector]:
    connector: GenericConnector = made.connector(clock, **changes)
    try:
        yield connector
    finally:
        await connector.close()


@asynccontextmanager
async def spoken(dialect: Dialect, clock: HandClock) -> AsyncIterator[tuple[HomeMadeErp, GenericConnector]]:
    """The same ERP with other ways; only `rest:` of the mapping differs, and where rows stand."""
    with HomeMadeErp(clock.now, dialect) as erp:
        block = mapping("mapping_rest.yaml")
        rest = block["rest"] | {"url": erp.url, "auth": dict(AUTHS[dialect.auth])}
        if dialect.auth == "oauth2":
            rest["auth"]["token_url"] = f"{erp.url}/oauth/token"
        rest["paging"] = PAGINGS[dialect.paging]
        if not dialect.envelope:
            rest["answers"] = {"duplicate_statuses": [409]}
            rows = "rows" if dialect.paging != "link" else ""
            for name, call in block["operations"].items():
                call["rows"] = rows if call["call"].startswith("GET") and name != "ticket" else ""
        connector = GenericConnector(GenericConnector.Config.model_validate(block | {"rest": rest}), clock)
        try:
            yield erp, connector
        finally:
            await connector.close()


# ------------------------------------------------------------------ ways to log in and to page
WAYS = [
    ("login", "page", True), ("cookie", "offset", True), ("oauth2", "next", False), ("basic", "link", False),
    ("bearer", "cursor", False), ("api-key", "cursor", True), ("none", "none", True), ("none", "page", False),
]  # fmt: skip


@pytest.mark.parametrize(("auth", "paging", "envelope"), WAYS)
async def test_each_usual_way_is_only_a_matter_of_the_mapping(
    clock: HandClock, auth: Any, paging: Any, envelope: bool
) -> None:
    async with spoken(Dialect(auth, paging, envelope), clock) as (erp, connector):
        orders = await connector.orders(None)
        assert sorted(o.number for o in orders) == [f"WO-{1001 + n}" for n in range(seed.ORDERS)]
        made = RestBooks(erp)
        erp_id, _ = await connector.open_ticket(KEY, ticket(made))
        await connector.close_ticket(erp_id, closing())
        assert await connector.ticket_states([erp_id, "4711"]) == {erp_id: "closed"}
        assert [t.closed for t in await made.tickets()] == [True]
        with pytest.raises(ErpRefused, match="NO-SUCH-1"):
            await connector.report_operation("R-1", report(made) | {"order": "NO-SUCH-1"})


@pytest.mark.parametrize("auth", ["login", "cookie", "oauth2"])
async def test_many_at_once_log_in_once_and_again_once(clock: HandClock, auth: Any) -> None:
    async with spoken(Dialect(auth, "page"), clock) as (erp, connector):
        await asyncio.gather(*(connector.find_ticket(f"K-{n}") for n in range(6)))
        assert erp.logins == 1
        erp.tokens.clear()
        await asyncio.gather(*(connector.find_ticket(f"K-{n}") for n in range(6)))
        assert erp.logins == 2


async def test_a_token_is_renewed_before_it_ends(clock: HandClock) -> None:
    async with spoken(Dialect("oauth2", "page"), clock) as (erp, connector):
        await connector.find_ticket(KEY)
        clock.turn(3600 - 29)
        await connector.find_ticket(KEY)
        assert erp.logins == 2


@pytest.mark.parametrize("auth", ["basic", "bearer", "api-key", "oauth2", "cookie"])
async def test_a_wrong_secret_names_the_field_and_says_nothing_of_it(clock: HandClock, auth: Any) -> None:
    field = {"basic": "password", "bearer": "token", "api-key": "key", "oauth2": "client_secret"}
    async with spoken(Dialect(auth, "page"), clock) as (_, connector):
        block = connector._config.model_dump()
        block["rest"]["auth"][field.get(auth, "password")] = "wrong-secret"
        other = GenericConnector(GenericConnector.Config.model_validate(block), clock)
        with pytest.raises(ErpUnavailable, match=r"rest\.auth") as told:
            await other.find_ticket(KEY)
        assert told.value.retry_after
        assert "wrong-secret" not in str(told.value)
        await other.close()


# ------------------------------------------------------------------ what a server may do to us
class Server:
    """Answers what a test says; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answers: list[httpx.Response] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def bare(server: Server, clock: HandClock, **changes: Any) -> GenericConnector:
    block = {
        "rest": {"url": "https://erp.example.cn/api"},
        "operations": {
            "find_ticket": {"call": "GET repairs", "query": {"ext": "{key}"}, "rows": "rows"},
            "open_ticket": {"call": "POST repairs"},
            "ticket": {"call": "GET repairs/{erp_id}"},
            "update_ticket": {"call": "PUT repairs/{erp_id}", "headers": {"If-Match": "{version}"}},
            "items": {"call": "GET items", "rows": "rows"},
        },
        "documents": {
            "ticket": {"read": {"erp_id": "id", "key": "ext", "closed": "closed", "version": "etag"}}
        },
    }  # fmt: skip
    connector = GenericConnector(GenericConnector.Config.model_validate(laid_over(block, changes)), clock)
    rest = connector._records.rest
    assert rest is not None
    rest._http = httpx.AsyncClient(transport=httpx.MockTransport(server), follow_redirects=False)
    return connector


@pytest.fixture
def server() -> Server:
    return Server()


async def test_a_redirect_is_not_followed(server: Server, clock: HandClock) -> None:
    server.answers = [httpx.Response(302, headers={"Location": "http://169.254.169.254/"})]
    with pytest.raises(ErpUnavailable, match=r"rest\.url"):  # a portal's log-on, perhaps: nothing is given up
        await bare(server, clock).find_ticket(KEY)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "link",
    ["http://169.254.169.254/x", "https://evil.example/api/items", "http://erp.example.cn/api/items",
     "https://erp.example.cn:8443/x", "https://me@erp.example.cn/x", "//evil.example/x"],
)  # fmt: skip
async def test_a_next_link_leads_nowhere_that_is_not_listed(
    server: Server, clock: HandClock, link: str
) -> None:
    server.answers = [httpx.Response(200, json={"rows": [{"number": "A"}], "next": link})]
    connector = bare(server, clock, rest={"paging": {"style": "next", "next": "next"}})
    with pytest.raises(ErpRefused, match=r"rest\.hosts"):
        await connector.items(None)
    assert len(server.asked) == 1


async def test_a_listed_host_may_have_the_next_page(server: Server, clock: HandClock) -> None:
    first = {"rows": [{"number": "A"}], "next": "https://pages.example.cn/2"}
    server.answers = [httpx.Response(200, json=first), httpx.Response(200, json={"rows": [{"number": "B"}]})]
    paging = {"style": "next", "next": "next"}
    connector = bare(server, clock, rest={"paging": paging, "hosts": ["pages.example.cn"]})
    assert [i.number for i in await connector.items(None)] == ["A", "B"]


@pytest.mark.parametrize("style", [{"style": "next", "next": "next"}, {"style": "cursor", "next": "next"}])
async def test_pages_that_go_round_in_circles_are_noticed(
    server: Server, clock: HandClock, style: dict[str, str]
) -> None:
    pages = [{"rows": [{"number": n}], "next": "/api/items?p=1"} for n in ("A", "B", "C")]
    server.answers = [httpx.Response(200, json=p) for p in pages]
    with pytest.raises(ErpUnavailable, match="over and over"):
        await bare(server, clock, rest={"paging": style}).items(None)


async def test_a_server_that_knows_no_pages_is_told_of_and_asked_for_the_whole_list(
    server: Server, clock: HandClock
) -> None:
    """Its one page may be the first of many."""
    server.answers = [httpx.Response(200, json={"rows": [{"number": "A"}]})]
    paging = {"paging": {"style": "page"}}
    with pytest.raises(ErpUnavailable, match=r"passes over 'page'.*operations\.items\.one_page"):
        await bare(server, clock, rest=paging).items(None)
    assert len(server.asked) == 2
    connector = bare(server, clock, rest=paging, operations={"items": {"one_page": True}})
    assert [i.number for i in await connector.items(None)] == ["A"]


async def test_a_server_that_gives_its_last_page_again_has_come_to_the_end(
    server: Server, clock: HandClock
) -> None:
    server.answers = [httpx.Response(200, json={"rows": [{"number": n}]}) for n in ("A", "B")]
    connector = bare(server, clock, rest={"paging": {"style": "page"}})
    assert [i.number for i in await connector.items(None)] == ["A", "B"]


async def test_our_ticket_is_found_where_pages_are_not_known_and_not_made_where_it_is_not_seen(
    server: Server, clock: HandClock
) -> None:
    connector = bare(server, clock, rest={"paging": {"style": "page"}})
    server.answers = [httpx.Response(200, json={"rows": [{"id": 1, "ext": KEY}]})]
    assert await connector.find_ticket(KEY) == ("1", "1")
    server.answers = [httpx.Response(200, json={"rows": [{"id": 1, "ext": "OTHER"}]})]
    with pytest.raises(ErpUnavailable, match="over and over"):
        await connector.open_ticket(KEY, {"title": "x"})
    assert {request.method for request in server.asked} == {"GET"}


async def test_a_wrong_address_is_not_taken_for_no_ticket(server: Server, clock: HandClock) -> None:
    server.answers = [httpx.Response(404, json={"message": "no route"})]
    with pytest.raises(ErpRefused, match=r"operations\.find_ticket\.call"):
        await bare(server, clock).find_ticket(KEY)


async def test_a_server_that_ignores_our_question_does_not_give_us_another_ticket(
    server: Server, clock: HandClock
) -> None:
    server.answers = [httpx.Response(200, json={"rows": [{"id": 1, "ext": "OTHER"}, {"id": 2}]})]
    assert await bare(server, clock).find_ticket(KEY) is None


async def test_a_change_names_the_version_it_rests_on(server: Server, clock: HandClock) -> None:
    row = {"id": 7, "ext": KEY, "closed": False, "etag": 'W/"3"'}
    server.answers = [httpx.Response(200, json=row), httpx.Response(204)]
    await bare(server, clock).update_ticket("7", step("accepted"))
    assert server.asked[1].headers["If-Match"] == 'W/"3"'


async def test_a_version_may_stand_in_the_etag_header(server: Server, clock: HandClock) -> None:
    row = httpx.Response(200, json={"id": 7, "ext": KEY, "closed": False}, headers={"ETag": '"5"'})
    server.answers = [row, httpx.Response(204)]
    connector = bare(server, clock, documents={"ticket": {"read": {"version": "_etag"}}})
    await connector.update_ticket("7", step("accepted"))
    assert server.asked[1].headers["If-Match"] == '"5"'


async def test_a_query_may_be_sent_as_a_body(server: Server, clock: HandClock) -> None:
    """The key stays a value of the JSON whatever it holds; pages are asked for in the body too."""
    send = {"filter": [{"field": "ext", "value": "{key}"}], "limit": 2, "since": "{employee}"}
    find = {"find_ticket": {"call": "POST query", "query": {}, "send": send, "rows": "rows"}}
    paging = {"style": "offset"}
    connector = bare(server, clock, operations=find, rest={"paging": paging})
    rows = [{"id": 1, "ext": KEY}]
    server.answers = [httpx.Response(200, json={"rows": rows}), httpx.Response(200, json={"rows": []})]
    assert await connector.find_ticket(KEY) == ("1", "1")
    bodies = [json.loads(r.content) for r in server.asked]
    assert bodies[0] == {"filter": [{"field": "ext", "value": KEY}], "limit": 2, "offset": 0}
    assert bodies[1]["offset"] == 1


async def test_several_secret_headers_go_along(server: Server, clock: HandClock) -> None:
    auth = {"kind": "api-key", "header": "AppKey", "key": "app-key", "also": {"AppSecret": "app-secret"}}
    server.answers = [httpx.Response(200, json={"rows": []})]
    connector = bare(server, clock, rest={"auth": auth})
    await connector.find_ticket(KEY)
    assert (server.asked[0].headers["AppKey"], server.asked[0].headers["AppSecret"]) == (
        "app-key",
        "app-secret",
    )
    assert "app-secret" not in repr(connector._config)


async def test_somebody_else_was_faster_is_tried_again(server: Server, clock: HandClock) -> None:
    row = {"id": 7, "ext": KEY, "closed": False, "etag": "3"}
    server.answers = [httpx.Response(200, json=row), httpx.Response(412, json={"message": "changed"})]
    with pytest.raises(ErpUnavailable) as told:
        await bare(server, clock).update_ticket("7", step("accepted"))
    assert not told.value.in_doubt


@pytest.mark.parametrize(("status", "well"), [(204, True), (200, False)])
async def test_an_empty_answer_of_a_system_that_says_how_it_went(
    server: Server, clock: HandClock, status: int, well: bool
) -> None:
    row = {"code": 0, "id": 7, "ext": KEY, "closed": False}
    server.answers = [httpx.Response(200, json=row), httpx.Response(status)]
    connector = bare(server, clock, rest={"answers": {"success": "code == `0`"}})
    if well:
        await connector.update_ticket("7", step("accepted"))
        return
    with pytest.raises(ErpUnavailable) as told:
        await connector.update_ticket("7", step("accepted"))
    assert told.value.in_doubt


@pytest.mark.parametrize(
    ("answer", "in_doubt", "said"),
    [
        (httpx.Response(200, json={"code": 7, "msg": "单据正在处理"}), False, "正在处理"),
        (httpx.Response(200, json={"code": 9, "msg": "no"}), None, "no"),
        (httpx.Response(400, json={"error": {"message": "wrong field"}}), None, "wrong field"),
        (httpx.Response(403, json={"detail": "no right"}), None, r"no right.*rest\.auth"),
        (httpx.Response(502, text="<html>"), True, "502"),
        (httpx.Response(423, json={}), False, "423"),
        (httpx.Response(200, json=[1, 2]), True, "200"),
        (httpx.Response(200, json={"code": 9}), None, "200"),
        *(
            (httpx.Response(s, html="<!DOCTYPE html><p>portal"), True, "page")
            for s in (200, 403, 404, 409, 503)
        ),
    ],
)
async def test_every_no_is_sorted_after_what_can_be_done(
    server: Server, clock: HandClock, answer: httpx.Response, in_doubt: bool | None, said: str
) -> None:
    """`None`: a person has to look at it."""
    server.answers = [httpx.Response(200, json={"code": 0, "rows": []}), answer]
    connector = bare(server, clock, rest={"answers": {"success": "code == `0`"}})
    with pytest.raises(ErpRefused if in_doubt is None else ErpUnavailable, match=said) as told:
        await connector.open_ticket(KEY, {"title": "x"})
    assert getattr(told.value, "in_doubt", None) is in_doubt


async def test_a_create_that_says_nothing_is_looked_up(server: Server, clock: HandClock) -> None:
    there = {"rows": [{"id": 9, "ext": KEY}]}
    server.answers = [
        httpx.Response(200, json={"rows": []}), httpx.Response(202), httpx.Response(200, json=there),
    ]  # fmt: skip
    assert await bare(server, clock).open_ticket(KEY, {"title": "x"}) == ("9", "9")


async def test_an_accepted_create_that_is_not_shown_stays_in_doubt(server: Server, clock: HandClock) -> None:
    server.answers = [
        httpx.Response(200, json={"rows": []}), httpx.Response(202), httpx.Response(200, json={"rows": []}),
    ]  # fmt: skip
    with pytest.raises(ErpUnavailable) as told:
        await bare(server, clock).open_ticket(KEY, {"title": "x"})
    assert told.value.in_doubt


async def test_a_value_that_would_change_the_address_is_refused(server: Server, clock: HandClock) -> None:
    server.answers = [httpx.Response(200, json=[])]
    connector = bare(server, clock)
    for erp_id in ("", "..", "."):
        with pytest.raises(ErpRefused):
            await connector.update_ticket(erp_id, step("accepted"))
    assert server.asked == []
    with pytest.raises(ErpRefused):
        await connector.update_ticket("../items?x=1#", step("accepted"))
    assert server.asked[0].url.raw_path == b"/api/repairs/..%2Fitems%3Fx%3D1%23"


async def test_one_bad_record_does_not_hide_the_others(
    server: Server, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [httpx.Response(200, json={"rows": [{"number": "A"}, {"name": "none"}, {"number": 2}]})]
    assert [i.number for i in await bare(server, clock).items(None)] == ["A", "2"]
    assert "left out" in caplog.text


# ------------------------------------------------------------------ exactly once
async def test_two_bridges_at_once_make_one_ticket(sql_books: SqlBooks, clock: HandClock) -> None:
    with HomeMadeErp(clock.now, Dialect(unique=True)) as erp:
        for made in (RestBooks(erp), sql_books):
            await _both_open(made, clock)


async def _both_open(made: RestBooks | SqlBooks, clock: HandClock) -> None:
    async with joined(made, clock) as one, joined(made, clock) as other:
        first, second = await asyncio.gather(
            one.open_ticket(KEY, ticket(made)), other.open_ticket(KEY, ticket(made))
        )
        assert first == second
        assert len(await made.tickets()) == 1


async def test_a_ticket_that_the_office_closed_is_not_touched(
    books: RestBooks, sql_books: SqlBooks, clock: HandClock
) -> None:
    for made in (books, sql_books):
        async with joined(made, clock) as connector:
            erp_id, _ = await connector.open_ticket(KEY, ticket(made))
            await made.close_ticket(KEY)
            await connector.update_ticket(erp_id, step("accepted"))
            await connector.close_ticket(erp_id, closing())
        (found,) = await made.tickets()
        assert (found.fields["status"], found.fields["result"]) == ("DONE", None)


async def test_a_draft_that_was_left_is_finished_and_not_made_again(
    books: RestBooks, clock: HandClock
) -> None:
    async with joined(books, clock) as connector:
        wanted = posting(books, PostingKind.RECEIPT)
        await books.fail("drop_after_commit", "posting")
        with pytest.raises(ErpUnavailable):
            await connector.post(PostingKind.RECEIPT, "P-1", wanted)
        assert await connector.find_posting(PostingKind.RECEIPT, "P-1") is None  # a draft counts for nothing
        await connector.post(PostingKind.RECEIPT, "P-1", wanted)
        assert [p.key for p in await books.postings(PostingKind.RECEIPT)] == ["P-1"]
        assert len(books.rows("posting")) == 1


async def test_every_create_carries_its_key_for_a_server_that_minds(
    books: RestBooks, clock: HandClock
) -> None:
    async with joined(books, clock) as connector:
        await connector.open_ticket(KEY, ticket(books))
        await connector.report_operation("R-1", report(books))
    said = [r["headers"].get("Idempotency-Key") for r in books.erp.seen if r["method"] == "POST"]
    assert said == [None, f"open_ticket:{KEY}", "report_operation:R-1"]


async def test_what_belongs_together_is_one_transaction(sql_books: SqlBooks, clock: HandClock) -> None:
    """Without the lot in stock the second statement fails, and the first one is not left behind."""
    async with joined(sql_books, clock) as connector:
        too_much = posting(sql_books, PostingKind.ISSUE) | {"quantity": 9999.0}
        with pytest.raises(ErpRefused, match="stock_quantity_check"):
            await connector.post(PostingKind.ISSUE, "P-1", too_much)
        assert await sql_books.postings(PostingKind.ISSUE) == []
        assert await connector.find_posting(PostingKind.ISSUE, "P-1") is None


@pytest.mark.parametrize("text", ["'; drop table repair; --", "%(key)s", ":key {key}", 'a"b\\', "100%"])
async def test_no_text_is_ever_part_of_a_statement(sql_books: SqlBooks, clock: HandClock, text: str) -> None:
    async with joined(sql_books, clock) as connector:
        await connector.open_ticket(text, ticket(sql_books, title=text))
        (found,) = await sql_books.tickets()
        assert (found.key, text in found.title) == (text, True)
        assert await connector.find_ticket(text) == (str(found.fields["id"]), found.number)
    assert not any(text.encode() in said for said in sql_books.gateway.seen)


async def test_a_look_cannot_write(sql_books: SqlBooks, clock: HandClock) -> None:
    """What begins like a select and deletes is refused by the database itself."""
    sneaky = {"operations": {"items": {"sql": "with x as (delete from item returning no) select * from x"}}}
    async with joined(sql_books, clock, **sneaky) as connector:
        with pytest.raises(ErpRefused, match="read-only"):
            await connector.items(None)


async def test_an_order_that_is_not_there_is_named(sql_books: SqlBooks, clock: HandClock) -> None:
    async with joined(sql_books, clock) as connector:
        with pytest.raises(ErpRefused, match="NO-SUCH-1"):
            await connector.change_order(
                "NO-SUCH-1", {"priority": 1, "rush": True, "due_at": None, "reason": ""}
            )


async def test_times_are_written_in_the_databases_own_time(sql_books: SqlBooks, clock: HandClock) -> None:
    """A column without a zone takes 12:00Z for 12:00 and says nothing: it has to be told 20:00."""
    change = {"priority": 2, "rush": True, "due_at": NOON, "reason": ""}
    plainly = {"documents": {"closing": {"write": {"status": "'DONE'", "stopped": "at", "result": "cause"}}}}
    async with joined(sql_books, clock, **plainly) as connector:
        await connector.change_order(seed.ORDER, change)
        assert (await sql_books.order(seed.ORDER))["due_at"] == NOON
        erp_id, _ = await connector.open_ticket(KEY, ticket(sql_books))
        await connector.close_ticket(erp_id, closing(at=NOON))
    (found,) = await sql_books.tickets()
    assert found.fields["stopped"] == NOON.astimezone(seed.ZONE).replace(tzinfo=None)


async def test_overlap_is_asked_for_in_the_erps_own_time(books: RestBooks, clock: HandClock) -> None:
    async with joined(books, clock) as connector:
        await connector.orders(NOON)
    (asked, *_) = [r["path"] for r in books.erp.seen if "changed_after" in r["path"]]
    assert "changed_after=2026-01-05%2019%3A55%3A00" in asked  # 12:00 UTC is 20:00 there, less five minutes


# ------------------------------------------------------------------ what follows from the mapping
def test_abilities_follow_from_what_is_described(clock: HandClock) -> None:
    connector = bare(Server(), clock)
    assert connector.capabilities == {
        Capability.OPEN_TICKETS, Capability.UPDATE_TICKETS, Capability.TICKET_STATES, Capability.ITEMS,
    }  # fmt: skip


async def test_what_is_not_described_is_refused_with_what_to_add(server: Server, clock: HandClock) -> None:
    with pytest.raises(ErpRefused, match=r"operations\.stock"):
        await bare(server, clock).stock(["A"])
    with pytest.raises(ErpRefused, match=r"operations\.reopen_ticket"):
        await bare(server, clock).update_ticket("7", step("reopened"))


async def test_names_that_are_ours_need_no_map(server: Server, clock: HandClock) -> None:
    row = {"number": "A-1", "name": "轴", "unit": "件", "family": "shaft"}
    server.answers = [httpx.Response(200, json={"rows": [row]})]
    (item,) = await bare(server, clock).items(None)
    assert (item.number, item.name.zh, item.unit, item.family, item.erp_id) == (
        "A-1",
        "轴",
        "件",
        "shaft",
        "A-1",
    )


async def test_a_photo_goes_along_once(server: Server, clock: HandClock) -> None:
    more = {
        "close_ticket": {"call": "POST repairs/{erp_id}/close"},
        "find_photo": {
            "call": "GET repairs/{erp_id}/photos", "query": {"name": "{photo_name}"}, "rows": "rows",
        },
        "attach_photo": {"call": "POST repairs/{erp_id}/photos", "body": "multipart", "file": "picture"},
    }  # fmt: skip
    connector = bare(server, clock, operations=more, documents={"photo": {"write": {"name": "photo_name"}}})
    assert Capability.ATTACHMENTS in connector.capabilities
    row = httpx.Response(200, json={"id": 7, "ext": KEY, "closed": False})
    server.answers = [row, httpx.Response(200, json={"rows": []}), httpx.Response(201, json={}),
                      httpx.Response(200, json={})]  # fmt: skip
    photo = closing(photo="p-1", photo_data=b"\xff\xd8jpeg", photo_name="p-1.jpg")
    await connector.close_ticket("7", photo)
    body = server.asked[2].content
    assert b'name="picture"; filename="p-1.jpg"' in body
    assert b"\xff\xd8jpeg" in body
    server.answers = [row, httpx.Response(200, json={"rows": [{"id": 3}]}), httpx.Response(200, json={})]
    await connector.close_ticket("7", photo)
    assert [r.method for r in server.asked[4:]] == ["GET", "GET", "POST"]


# ------------------------------------------------------------------ pushes
PUSH = {
    "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    "subject": "event",
    "subjects": {"order.changed": "orders"},
    "documents": "data[].no",
}


def push(connector: GenericConnector, body: dict[str, Any], at: datetime = NOON) -> ErpPush:
    block = connector._config.push
    assert block is not None
    raw = json.dumps(body).encode()
    said = signature("msg_1", at, raw, block.secrets[0])
    stamp = str(int(at.timestamp()))
    return ErpPush({"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": said}, {}, raw)


async def test_a_signed_push_says_where_to_look(clock: HandClock) -> None:
    connector = bare(Server(), clock, push=PUSH)
    assert Capability.WEBHOOKS in connector.capabilities
    news = connector.pushed(push(connector, {"event": "order.changed", "data": [{"no": "WO-1"}, {"no": 2}]}))
    assert (news.id, news.subject, news.documents) == ("msg_1", ErpSubject.ORDERS, ("WO-1", "2"))
    with pytest.raises(Refused, match=r"push\.subject"):
        connector.pushed(push(connector, {"event": "salary.changed"}))
    with pytest.raises(NotAllowed):
        connector.pushed(push(connector, {"event": "order.changed"}, NOON - timedelta(minutes=6)))
    with pytest.raises(NotAllowed):
        bare(Server(), clock).pushed(push(connector, {"event": "order.changed"}))
