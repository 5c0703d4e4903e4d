"""One tap makes an order a rush order: what was foreseen, what is written with it, and its undoing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from hub.model.intent import IntentKind
from hub.model.people import Person, Role
from hub.store.erp_book import PgErpBook
from tests.integration.rush_house import ANNA, BO, ORDERS, RushHouse, order, rush_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[RushHouse]:
    async with rush_house(dsn) as made:
        yield made


# ------------------------------------------------------------------ before the tap
async def test_before_the_tap_it_says_who_gains_and_who_slips_by_how_long_and_whose_customer(
    house: RushHouse,
) -> None:
    answer = await house.preview()
    seen = answer["preview"]
    assert answer["order"]["number"] == "C"
    assert (seen["winner"]["minutes"], seen["winner"]["to"]) == (-120, "2026-01-05T13:30:00Z")
    first, second = seen["losers"]
    assert (first["order"], first["customer"], first["minutes"]) == ("A", "C-A", 90)
    assert (first["from"], first["to"]) == ("2026-01-05T13:00:00Z", "2026-01-05T14:30:00Z")
    assert (first["becomes_late"], first["late_after"]) == (True, 75)
    assert (second["order"], second["minutes"], second["becomes_late"]) == ("B", 90, False)
    assert {s["id"] for s in first["sellers"]} == {"anna", "sales-1"}
    assert seen["newly_late"] == 1


async def test_losers_elsewhere_are_counted_and_not_named(house: RushHouse) -> None:
    far = order("F", 60, 5, line="p1/machining/l2")
    two = order("W", 30, 20)
    step = replace(far.jobs[0], order="W", operation="20", quantity=45)
    await house.says(far, replace(two, jobs=(*two.jobs, step)))
    async with house.who(Role.OPERATOR) as client:
        seen = (await client.get("/api/orders/W/rush")).json()["preview"]
    assert [s["order"] for s in seen["losers"]] == ["A", "B", "C"]
    assert seen["elsewhere"] == {"count": 1, "newly_late": 0, "minutes": 75}
    everybody = (await house.preview("W"))["preview"]
    assert [s["order"] for s in everybody["losers"]] == ["A", "F", "B", "C"]
    assert "elsewhere" not in everybody


async def test_a_number_with_slashes_is_rushed_and_undone_like_any_other(house: RushHouse) -> None:
    await house.says(order("MO/2026/rush", 30, 20))
    number = quote("MO/2026/rush", safe="")
    assert (await house.preview(number))["order"]["number"] == "MO/2026/rush"
    assert (await house.tap(number=number)).json()["rush"]["state"] == "made"
    assert (await house.undo(number=number)).status_code == 200


async def test_what_cannot_be_rushed_says_why(house: RushHouse) -> None:
    await house.says(order("R", 10, 5, rush=True, priority=1))
    answer = await house.preview("R")
    assert "preview" not in answer
    assert answer["why_not"]["code"] == "rush"
    assert answer["why_not"]["text"]["zh"] == "该工单已是急单"


# ------------------------------------------------------------------ the tap
async def test_a_tap_changes_the_order_here_at_once_and_in_the_erp_and_tells_everybody(
    house: RushHouse,
) -> None:
    answer = await house.tap(reason="客户催货")
    assert answer.status_code == 200
    rush = answer.json()["rush"]
    assert (rush["state"], rush["by"]["id"], rush["erp"]) == ("made", "bo", {"state": "waiting"})
    assert rush["undo_until"] == "2026-01-05T12:10:00Z"
    assert await house.now() == (True, 1)
    assert {"kind": "order", "order": "C"} in house.shouted
    change = await house.erp()
    assert change == {
        "key": f"rush:{rush['id']}", "order": "C", "priority": 1, "rush": True, "due_at": None,
        "reason": "客户催货",
    }  # fmt: skip
    said = await house.messages()
    assert [key for key, _, _ in said] == [
        f"notice:rush:{rush['id']}:made:{who}:group" for who in ("floor", "sales")
    ]
    assert said[0][1] == "Order C is a rush order, 2 h earlier; 2 orders later, 1 of them late"
    assert [people for *_, people in said] == [["operator-1"], ["anna", "sales-1"]]
    [audit] = await house.rows("select who, about, detail from audit where what = 'rush'")
    assert (audit["who"], audit["about"], audit["detail"]["losers"]) == ("bo", "order:C", ["A", "B"])
    assert audit["detail"]["before"]["priority"] == 5


async def test_receipts_say_who_was_told_when_and_what_failed(house: RushHouse) -> None:
    await house.tap()
    floor = await house.outbox.claim([IntentKind.TELL], "n", timedelta(hours=1))
    sales = await house.outbox.claim([IntentKind.TELL], "n", timedelta(hours=1))
    assert floor is not None
    assert sales is not None
    house.clock.turn(5)
    await house.outbox.done(floor, {"carrier_id": "42"})
    await house.outbox.give_up(sales, "errcode 93000")
    await house.erp()
    rush = (await house.preview())["rush"]
    first, second = rush["told"]
    assert (first["audience"], first["state"], first["at"]) == ("floor", "done", "2026-01-05T12:00:05Z")
    assert (second["audience"], second["state"], second["reason"]) == ("sales", "failed", "errcode 93000")
    assert {p["id"] for p in second["people"]} == {"anna", "sales-1"}
    assert rush["erp"]["state"] == "done"
    async with house.who(BO) as client:
        listed = (await client.get("/api/rushes")).json()["rushes"]
    assert listed == [rush]


async def test_who_was_told_and_has_looked_is_known_once_and_anew_when_it_is_undone(house: RushHouse) -> None:
    async def looks(who: Person | Role) -> None:
        async with house.who(who) as client:
            assert (await client.post("/api/orders/C/rush/seen")).status_code == 204

    async def seen() -> list[tuple[str, str, str]]:
        found = (await house.preview())["rush"]["seen"]
        return [(s["event"], s["person"]["id"], s["at"][11:19]) for s in found]

    await looks(ANNA)
    await house.tap()
    for who in (ANNA, ANNA, BO, Role.OPERATOR):
        house.clock.turn(10)
        await looks(who)
    made = [("made", "anna", "12:00:10"), ("made", "operator-1", "12:00:40")]
    assert await seen() == made, "the planner, who tapped, was not told"
    await house.undo()
    house.clock.turn(1)
    await looks(ANNA)
    assert await seen() == [*made, ("undone", "anna", "12:00:41")]


async def test_a_customer_with_a_seller_of_their_own_is_that_sellers(dsn: str) -> None:
    async with rush_house(dsn, sellers={"C-A": "anna", "C-B": "anna", "C-C": "anna"}) as house:
        await house.tap()
        assert [people for *_, people in await house.messages()] == [["operator-1"], ["anna"]]


async def test_a_stale_preview_is_refused_with_a_fresh_one(house: RushHouse) -> None:
    old = (await house.preview())["preview"]["digest"]
    await house.says(order("N", 60, 0.5))
    answer = await house.tap(digest=old)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "rush-stale"
    fresh = answer.json()["preview"]
    assert [s["order"] for s in fresh["losers"]] == ["A", "B", "N"]
    assert await house.now() == (False, 5)
    assert await house.messages() == []
    assert (await house.tap(digest=fresh["digest"])).status_code == 200


async def test_time_that_only_passes_makes_no_preview_stale(house: RushHouse) -> None:
    seen = (await house.preview())["preview"]["digest"]
    house.clock.turn(45)
    assert (await house.tap(digest=seen)).status_code == 200


async def test_the_same_tap_sent_twice_is_one(house: RushHouse) -> None:
    seen = (await house.preview())["preview"]["digest"]
    first = await house.tap(digest=seen, tap="t-1")
    again = await house.tap(digest=seen, tap="t-1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["rush"]["id"] == first.json()["rush"]["id"]
    assert len(await house.messages()) == 2
    assert len(await house.rows("select id from rushes")) == 1


async def test_of_two_phones_one_is_first_and_the_other_is_told_who(house: RushHouse) -> None:
    seen = (await house.preview())["preview"]["digest"]
    answers = await asyncio.gather(
        house.tap(BO, digest=seen, tap="t-1"), house.tap(Role.PLANNER, "C", digest=seen, tap="t-2"),
        house.tap(Role.MANAGER, "C", digest=seen, tap="t-3"),
    )  # fmt: skip
    assert sorted(a.status_code for a in answers) == [200, 409, 409]
    [won] = [a.json()["rush"]["by"] for a in answers if a.status_code == 200]
    for lost in (a.json()["error"] for a in answers if a.status_code == 409):
        assert lost["code"] == "rush-taken"
        assert won["name"]["zh"] in lost["text"]["zh"]
    assert len(await house.rows("select id from rushes")) == 1
    assert len(await house.rows("select id from outbox where kind = 'change-order'")) == 1


async def test_an_earlier_date_goes_with_it(house: RushHouse) -> None:
    async with house.who(BO) as client:
        due = "2026-01-05T14:00:00Z"
        seen = (await client.get("/api/orders/C/rush", params={"due_at": due})).json()["preview"]
        asked = {"digest": seen["digest"], "due_at": due}
        assert (await client.post("/api/orders/C/rush", json=asked)).status_code == 200
    assert (await house.erp())["due_at"] == "2026-01-05T14:00:00+00:00"
    assert (await house.preview())["order"]["due_at"] == due
    await house.undo()
    assert (await house.erp())["due_at"] == "2026-01-05T22:00:00+00:00"
    assert (await house.preview())["order"]["due_at"] == "2026-01-05T22:00:00Z"


# ------------------------------------------------------------------ undoing
async def test_undone_within_the_window_the_erp_and_the_same_people_hear_the_opposite(
    house: RushHouse,
) -> None:
    made = (await house.tap()).json()["rush"]
    house.clock.turn(599)
    answer = await house.undo(Role.OPERATOR)
    assert answer.status_code == 200
    assert answer.json()["rush"]["state"] == "undone"
    assert answer.json()["rush"]["undone_by"]["id"] == "operator-1"
    assert await house.now() == (False, 5)
    assert (await house.erp())["rush"] is True, "in the order in which it was decided"
    assert await house.erp() == {
        "key": f"rush:{made['id']}:undo", "order": "C", "priority": 5, "rush": False, "due_at": None,
        "reason": "撤销插单",
    }  # fmt: skip
    said = await house.messages()
    assert [people for *_, people in said] == [["operator-1"], ["anna", "sales-1"]] * 2
    assert said[2][1] == "The rush of order C is undone"
    again = await house.undo(Role.OPERATOR)
    assert again.status_code == 200
    assert len(await house.messages()) == 4, "twice undone is once"
    assert (await house.undo(BO)).json()["error"]["code"] == "rush-undone"


async def test_after_the_window_nobody_undoes_it(house: RushHouse) -> None:
    await house.tap()
    house.clock.turn(600)
    refused = await house.undo()
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "rush-window")
    assert await house.now() == (True, 1)
    assert "undo_until" not in (await house.preview())["rush"]


async def test_nothing_rushed_is_nothing_to_undo(house: RushHouse) -> None:
    assert (await house.undo()).json()["error"]["code"] == "rush-none"
    assert (await house.undo(number="Z")).status_code == 404


async def test_a_hub_that_was_started_again_knows_the_window_and_the_tap(house: RushHouse, dsn: str) -> None:
    made = (await house.tap(tap="t-1")).json()["rush"]
    async with rush_house(dsn) as later:
        later.clock.turn(300)
        assert await later.now() == (True, 1), "the ERP's old word, said again at its start, changes nothing"
        again = await later.tap(digest="anything", tap="t-1")
        assert again.json()["rush"]["id"] == made["id"]
        assert (await later.undo()).json()["rush"]["state"] == "undone"


async def test_undone_it_may_be_rushed_again(house: RushHouse) -> None:
    first = (await house.tap()).json()["rush"]["id"]
    await house.undo()
    second = (await house.tap(Role.OPERATOR)).json()["rush"]
    assert second["id"] != first
    assert await house.now() == (True, 1)


# ------------------------------------------------------------------ what ERP and MES say meanwhile
async def test_the_erps_old_word_does_not_take_the_rush_away_its_later_one_does(house: RushHouse) -> None:
    [*_, c] = ORDERS
    rushed = order("C", 90, 10, rush=True, priority=1)
    await house.tap()
    await house.says(c)
    assert await house.now() == (True, 1), "asked before it had heard of it"
    await house.erp()
    await house.says(c)
    assert await house.now() == (True, 1), "its own view may lag behind"
    await house.says(rushed)
    await house.says(c)
    assert await house.now() == (False, 5), "the office has taken it back"


async def test_the_erps_echo_of_our_change_is_no_change_for_the_floor_to_confirm(house: RushHouse) -> None:
    async def known() -> bool:
        [found] = await PgErpBook(house.pool).orders(["C"])
        return found.rush

    await house.tap()
    assert not await known(), "it has not been told yet: its old word is no change"
    await house.erp()
    assert await known(), "it has been told: the new word is none either"


async def test_an_erp_that_refuses_is_told_to_people_and_the_order_is_what_the_erp_says(
    house: RushHouse,
) -> None:
    made = (await house.tap()).json()["rush"]
    await house.erp(refusal="单据已锁定")
    for rush in await house.rushes.refused():
        await house.desk._tell_refusal(rush)
        await house.desk._tell_refusal(rush)  # another process has seen it as well
    assert await house.rushes.refused() == []
    assert len(await house.rows("select id from audit where what = 'rush-refused'")) == 1
    assert await house.now() == (False, 5)
    rush = (await house.preview())["rush"]
    assert (rush["state"], rush["erp"]["reason"]) == ("refused", "单据已锁定")
    said = (await house.messages())[2:]
    assert [key for key, *_ in said] == [
        f"notice:rush:{made['id']}:refused:{who}:group" for who in ("floor", "sales")
    ]
    assert [t["event"] for t in rush["told"]] == ["made", "made", "refused", "refused"]
    assert (await house.undo()).json()["error"]["code"] == "rush-refused"
    [letter] = await house.rows("select id from outbox where state = 'dead'")
    assert await PgErpBook(house.pool).set_aside(letter["id"], "done by hand")
    assert await house.now() == (False, 5), "a letter put aside is no consent"
    assert (await house.preview())["rush"]["state"] == "refused"
    assert (await house.tap()).status_code == 200, "and may be tried again"


async def test_a_refused_date_is_nobodys_rush(house: RushHouse) -> None:
    await house.says(order("R", 30, 20, rush=True, priority=1))
    due = "2026-01-05T20:00:00Z"
    async with house.who(BO) as client:
        seen = (await client.get("/api/orders/R/rush", params={"due_at": due})).json()["preview"]["digest"]
    assert (await house.tap(BO, "R", seen, due_at=due)).status_code == 200
    await house.erp(refusal="locked")
    answer = await house.tap(Role.PLANNER, "R", seen)
    assert answer.json()["error"]["code"] == "rush", "the ERP's own rush, not somebody's here"


async def test_without_an_erp_the_rush_holds_here(dsn: str) -> None:
    async with rush_house(dsn, erp=False) as house:
        assert (await house.tap()).json()["rush"]["erp"] == {"state": "none"}
        assert await house.rows("select id from outbox where kind = 'change-order'") == []
        assert await house.now() == (True, 1)
        await house.undo()
        assert await house.now() == (False, 5)


async def test_the_watch_finds_a_refusal_by_itself(house: RushHouse) -> None:
    await house.tap()
    await house.erp(refusal="locked")
    task = asyncio.create_task(house.desk.watch())
    async with asyncio.timeout(20):
        while len(await house.messages()) < 4:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ANNA.id in (await house.messages())[3][2]
