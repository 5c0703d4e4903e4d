"""A link without a login shows one order, to nobody who guesses, and no longer than its maker may see it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from hub.api.tokens import token_hash
from hub.model.people import Person, Role
from hub.model.production import JobOrder, JobProgress, JobState
from hub.testing.clock import NOON
from tests.api_house import ELSEWHERE, HERE, House, house, w
from tests.api_sales_book import MemorySales

pytestmark = pytest.mark.anyio


@pytest.fixture
def it() -> House:
    return house()


def book(it: House) -> MemorySales:
    assert isinstance(it.deps.sales, MemorySales)
    return it.deps.sales


async def share(it: House, order: str = "MO-1", role: Role = Role.SALES) -> dict[str, Any]:
    async with it.as_role(role) as client:
        answer = await client.post(f"/api/orders/{order}/links")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def look(it: House, token: str, address: str = "203.0.113.9") -> httpx.Response:
    async with it.client(address) as client:
        return await client.get("/api/shared-order", headers={"X-Andon-Link": token})


def token_of(made: dict[str, Any]) -> str:
    return str(made["path"]).removeprefix("/o/")


# ------------------------------------------------------------------ what it shows
async def test_a_link_shows_how_far_its_order_is(it: House) -> None:
    job = JobOrder("MO-1", "10", w("冲压", "Stamping"), "p1/stamping/l1", 100)
    book(it).told = [JobProgress(job, 40, 2, JobState.RUNNING, NOON, NOON + timedelta(minutes=5))]
    answer = await look(it, token_of(await share(it)))
    told = answer.json()
    (line,) = told["lines"]
    assert (told["number"], told["customer"], told["stale"]) == ("SO-1", "华东机械", "")
    assert (line["ordered"], line["made"], line["stage"]) == (100.0, 40, "running")
    assert line["operation"]["name"]["en"] == "Stamping"
    assert line["changed_at"] == "2026-01-05T12:05:00Z"
    assert answer.headers["cache-control"] == "no-store"


async def test_nothing_of_the_floor_or_of_people_is_in_it(it: House) -> None:
    text = (await look(it, token_of(await share(it)))).text
    for secret in ("scrap", "sales-1", "stamping/l1", "MO-2", "SO-2", "press"):
        assert secret not in text, secret


async def test_a_link_opens_nothing_else(it: House) -> None:
    token = token_of(await share(it))
    async with it.client(**{"X-Andon-Link": token, "Authorization": f"Bearer {token}"}) as client:
        client.cookies.set("andon_session", token)
        for path in (
            "/api/board",
            "/api/me",
            "/api/sales",
            "/api/orders/MO-1/links",
            "/api/orders/MO-1/rush",
        ):
            assert (await client.get(path)).status_code == 401, path


async def test_old_facts_are_said_to_be_old(it: House) -> None:
    token = token_of(await share(it))
    heard = it.clock.now() - timedelta(minutes=20)
    it.ledger.marks["erp:orders"] = heard.isoformat()
    told = (await look(it, token)).json()
    assert (told["stale"], told["as_of"]) == ("erp", "2026-01-05T11:40:00Z")


async def test_an_mes_that_is_away_makes_progress_old() -> None:
    it = house()
    lost = {"mes": {"up": False, "since": "2026-01-05T11:30:00Z"}, "press": {"up": False, "since": ""}}
    object.__setattr__(it.deps, "status", lambda: {"sources": lost})
    object.__setattr__(it.deps, "mes", ("mes",))
    told = (await look(it, token_of(await share(it)))).json()
    assert (told["stale"], told["as_of"]) == ("mes", "2026-01-05T11:30:00Z")


# ------------------------------------------------------------------ who may open it, and for how long
async def test_the_token_is_told_once_and_kept_as_a_hash(it: House) -> None:
    made = await share(it)
    token = token_of(made)
    assert len(token) == 22  # 128 bits
    assert set(book(it).hashes) == {token_hash(token)}
    async with it.as_role(Role.SALES) as client:
        assert token not in (await client.get("/api/orders/MO-1/links")).text
    assert token not in str(it.people.trail)
    assert it.audited()["order-link-made"] == 1


async def test_a_link_ends_after_ninety_days(it: House) -> None:
    token = token_of(await share(it))
    it.clock.turn(timedelta(days=90).total_seconds() - 1)
    assert (await look(it, token)).status_code == 200
    it.clock.turn(1)
    assert (await look(it, token)).status_code == 404


async def test_a_revoked_link_is_as_one_that_never_was(it: House) -> None:
    made = await share(it)
    async with it.as_role(Role.PLANNER) as client:
        assert (await client.delete(f"/api/order-links/{made['link']['id']}")).status_code == 204
    gone, never = await look(it, token_of(made)), await look(it, "x" * 22)
    assert gone.status_code == never.status_code == 404
    assert gone.json()["error"]["text"] == never.json()["error"]["text"]


async def test_a_link_shows_no_more_than_its_maker_may_see_today(it: House) -> None:
    token = token_of(await share(it))
    people = it.deps.plant.people
    maker = people["sales-1"]
    for changed in (replace(maker, scopes=(ELSEWHERE,)), replace(maker, roles=frozenset({Role.VIEWER}))):
        object.__setattr__(it.deps.plant, "people", {**people, "sales-1": changed})
        assert (await look(it, token)).status_code == 404
    object.__setattr__(it.deps.plant, "people", {k: p for k, p in people.items() if k != "sales-1"})
    assert (await look(it, token)).status_code == 404
    object.__setattr__(it.deps.plant, "people", people)
    assert (await look(it, token)).status_code == 200


# ------------------------------------------------------------------ guessing
async def test_who_guesses_is_slowed_and_a_colleague_with_a_link_is_not(it: House) -> None:
    token = token_of(await share(it))
    answers = [(await look(it, f"{n:022}")).status_code for n in range(30)]
    assert answers[:20] == [404] * 20
    assert set(answers[20:]) == {429}
    assert (await look(it, token)).status_code == 200


async def test_one_address_asks_only_so_often(it: House) -> None:
    token = token_of(await share(it))
    answers = [(await look(it, token)).status_code for _ in range(65)]
    assert answers.count(429) >= 4
    assert (await look(it, token, "203.0.113.77")).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "x" * 23, "x" * 21 + "/", "%00" * 8, "../" * 8])
async def test_what_is_no_token_is_not_even_looked_up(it: House, token: str) -> None:
    await share(it)
    assert (await look(it, token)).status_code == 404


async def test_the_token_stands_in_no_log(it: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = token_of(await share(it))
    await look(it, token)
    said = [r.getMessage() for r in caplog.records if r.name.partition(".")[0] != "httpx"]
    assert token not in "\n".join(said)


# ------------------------------------------------------------------ sellers
ANNA = Person("anna", w("安娜", "Anna"), frozenset({Role.SALES}), (HERE,), erp_id="SA01")
BERT = Person("bert", w("李波", "Bert"), frozenset({Role.SALES}), (HERE,))


async def test_a_seller_sees_and_shares_their_own_customers_orders_alone() -> None:
    it = house(ANNA, BERT)
    orders = book(it).orders
    orders["MO-1"] = replace(orders["MO-1"], seller="SA01")
    for seller, status in (("anna", 200), ("bert", 404)):
        async with it.as_person(seller) as client:
            assert (await client.post("/api/orders/MO-1/links")).status_code == status


async def test_the_sellers_list_has_what_is_sold_and_not_planned_yet() -> None:
    it = house(ANNA, BERT)
    (sold, _), unplanned = book(it).sold, "SO-9"
    book(it).sold = [
        replace(sold, number=unplanned, seller="SA01"),
        replace(sold, number="SO-8", seller="Bert"),
    ]
    async with it.as_person("anna") as client:
        found = (await client.get("/api/sales")).json()["sales"]
    assert {s["number"]: [x["stage"] for x in s["lines"]] for s in found} == {
        "MO-1": ["waiting"], unplanned: ["unplanned"],
    }  # fmt: skip
