"""One suite for all ERPs: taken once, whatever fails on the way; told back what the office decides."""

from __future__ import annotations

import contextlib
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from erp_bridge import left_out
from erp_bridge.mapping import POSTINGS, Capability
from hub.errors import AndonError, ErpRefused, ErpUnavailable
from hub.model.erp import OperationClaim, PostingKind
from hub.model.production import WorkOrderState
from hub.ports import ErpConnector
from hub.testing.clock import NOON, HandClock
from tests.contract.erp.world import (
    AFTER_COMMIT,
    LAG_SECONDS,
    NOT_DONE,
    UNNOTICED,
    Books,
    ClerkPosting,
    World,
    known_worlds,
)

pytestmark = pytest.mark.anyio

KEY = "AH-20260105-0007"
AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
WORLDS = {world.name: world for world in known_worlds()}
SEEDS = range(6)  # test_exactly_once has worse days, through the whole bridge


@pytest.fixture(params=[pytest.param(n, marks=getattr(w, "marks", ())) for n, w in WORLDS.items()])
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def erp(world: World, clock: HandClock) -> AsyncIterator[Books]:
    async with world.books(clock) as books:
        yield books


Connect = Callable[..., ErpConnector]


@pytest.fixture
async def connect(erp: Books, clock: HandClock) -> AsyncIterator[Connect]:
    """A connector with these changes to its configuration; closed at the end, however the test ends."""
    async with AsyncExitStack() as open_ones:

        def made(**changes: Any) -> ErpConnector:
            connector = erp.connector(clock, **changes)
            open_ones.push_async_callback(connector.close)
            return connector

        yield made


@pytest.fixture
def connector(connect: Connect) -> ErpConnector:
    return connect()


def ticket(erp: Books, **more: Any) -> dict[str, Any]:
    fields = {
        "equipment": erp.facts.equipment, "equipment_path": "p1/machining/l2/cnc-03",
        "equipment_name": "2号线 加工中心03", "title": "主轴温度超限 82℃", "priority": 4, "fault_code": "17",
        "order": erp.facts.order, "state": "sent", "opened_at": AT, "stopped_at": AT - timedelta(minutes=1),
    }  # fmt: skip
    return fields | more


def step(state: str, **more: Any) -> dict[str, Any]:
    return {
        "state": state, "person": "tech-a", "person_name": "值班技师甲", "at": AT, "note": ""
    } | more  # fmt: skip


def closing(**more: Any) -> dict[str, Any]:
    return step(
        "closed", cause_class="mechanical", cause="更换冷却泵", downtime=timedelta(minutes=95), photo=""
    ) | more  # fmt: skip


def report(erp: Books, good: int = 3, scrap: int = 1) -> dict[str, Any]:
    return {
        "order": erp.facts.order, "operation": erp.facts.operation, "good": good, "scrap": scrap, "at": AT,
        "equipment": erp.facts.equipment, "person": "op-a",
    }  # fmt: skip


def posting(erp: Books, kind: PostingKind) -> dict[str, Any]:
    facts = erp.facts
    common = {
        "order": facts.order, "operation": facts.operation, "item": facts.item, "quantity": 2.0, "unit": "",
        "lot": "", "warehouse": facts.warehouse, "reason": "", "check": "", "passed": None, "value": "",
        "sample_size": 0, "labour_seconds": 0.0, "machine_seconds": 0.0, "at": AT,
        "equipment": facts.equipment, "person": "op-a",
    }  # fmt: skip
    more: dict[PostingKind, dict[str, Any]] = {
        PostingKind.RECEIPT: {"lot": "FG-LOT-01"},
        PostingKind.ISSUE: {"item": facts.component, "lot": facts.lot},
        PostingKind.QUALITY: {"check": "外径", "passed": False, "value": "20.013", "sample_size": 5},
        PostingKind.HOURS: {"labour_seconds": 5400.0, "machine_seconds": 3600.0},
        PostingKind.SCRAP: {"reason": "毛刺"},
    }
    return common | more[kind]


def needs(connector: ErpConnector, *capabilities: Capability) -> None:
    missing = [c for c in capabilities if c not in connector.capabilities]
    if missing:
        pytest.skip(f"this ERP cannot: {', '.join(missing)}")


def can_fail(world: World, fault: str) -> None:
    if fault not in world.faults:
        pytest.skip(f"this ERP has no such failure: {fault}")


# ------------------------------------------------------------------ tickets
async def test_a_ticket_arrives_with_what_a_clerk_needs(erp: Books, connector: ErpConnector) -> None:
    erp_id, number = await connector.open_ticket(KEY, ticket(erp))
    (found,) = await erp.tickets()
    assert (found.key, found.number, found.equipment) == (KEY, number, erp.facts.equipment)
    assert "主轴温度超限 82℃" in found.title
    assert not found.closed
    assert await connector.find_ticket(KEY) == (erp_id, number)


async def test_a_machine_the_erp_does_not_have_is_named_in_the_text(
    erp: Books, connector: ErpConnector
) -> None:
    await connector.open_ticket(KEY, ticket(erp, equipment=""))
    (found,) = await erp.tickets()
    assert "2号线 加工中心03" in found.title


@pytest.mark.parametrize("key", ["AH-20260105-0099", "it's nothing", 'x" or "1"="1', "%", "*", "' or 1=1 --"])
async def test_nothing_is_found_where_nothing_is(erp: Books, connector: ErpConnector, key: str) -> None:
    await connector.open_ticket(KEY, ticket(erp))
    assert await connector.find_ticket(key) is None


async def test_a_key_is_not_found_by_its_beginning(erp: Books, connector: ErpConnector) -> None:
    await connector.open_ticket(KEY + "1", ticket(erp))
    assert await connector.find_ticket(KEY) is None


async def test_opening_twice_makes_one(erp: Books, connector: ErpConnector) -> None:
    first = await connector.open_ticket(KEY, ticket(erp))
    assert await connector.open_ticket(KEY, ticket(erp)) == first
    assert len(await erp.tickets()) == 1


async def test_awkward_texts_arrive_as_they_are(erp: Books, connector: ErpConnector) -> None:
    title = """主轴 "A" & 'B' <b>粗体</b> \\ 100% ; 82 ℃"""
    await connector.open_ticket(KEY, ticket(erp, title=title))
    (found,) = await erp.tickets()
    assert title in found.title or title.replace("<", "&lt;").replace(">", "&gt;") in found.title


async def test_a_text_that_is_too_long_is_cut_not_refused(erp: Books, connector: ErpConnector) -> None:
    await connector.open_ticket(KEY, ticket(erp, title="油温过高 " * 200))
    (found,) = await erp.tickets()
    assert "油温过高" in found.title


async def test_a_repair_goes_through_its_steps_and_ends(erp: Books, connector: ErpConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    for state in ("accepted", "on-site", "repairing", "verifying"):
        await connector.update_ticket(erp_id, step(state))
        assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    await connector.close_ticket(erp_id, closing())
    (found,) = await erp.tickets()
    assert found.closed
    assert "更换冷却泵" in str(found.fields)
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}


async def test_closing_twice_is_closing(erp: Books, connector: ErpConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    await connector.close_ticket(erp_id, closing())
    await connector.close_ticket(erp_id, closing())
    assert [t.closed for t in await erp.tickets()] == [True]


async def test_a_relapse_opens_the_same_ticket_again(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.REOPEN_TICKETS)
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    await connector.close_ticket(erp_id, closing())
    await connector.update_ticket(erp_id, step("reopened"))
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    await connector.close_ticket(erp_id, closing())
    assert [t.closed for t in await erp.tickets()] == [True]


async def test_what_the_office_closed_is_told_and_not_touched(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.TICKET_STATES)
    erp_id, _ = await connector.open_ticket(KEY, ticket(erp))
    other, _ = await connector.open_ticket(KEY + "8", ticket(erp))
    await erp.close_ticket(KEY)
    assert await connector.ticket_states([erp_id, other]) == {erp_id: "closed", other: "open"}
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.close_ticket(erp_id, closing())
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}


async def test_no_ticket_is_asked_for_when_there_is_none(connector: ErpConnector) -> None:
    assert await connector.ticket_states([]) == {}


async def test_a_new_field_of_theirs_needs_no_release_of_ours(
    world: World, erp: Books, connect: Connect
) -> None:
    changes, name = world.custom_field()
    await connect(**changes).open_ticket(KEY, ticket(erp))
    (found,) = await erp.tickets()
    assert str(found.fields[name]) == "17"


# ------------------------------------------------------------------ reports and postings
async def test_a_report_is_booked_once(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.REPORT_OPERATIONS)
    number = await connector.report_operation("R-1", report(erp))
    assert await connector.find_report("R-1") == number
    assert await connector.report_operation("R-1", report(erp)) == number
    (booked,) = await erp.reports()
    assert (booked.order, booked.operation) == (erp.facts.order, erp.facts.operation)
    assert (booked.quantity, booked.scrap) == (3, 1)


async def test_equal_reports_with_different_numbers_are_two(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.REPORT_OPERATIONS)
    for key in ("R-1", "R-2"):
        await connector.report_operation(key, report(erp))
    assert sum(r.quantity for r in await erp.reports()) == 6
    assert await connector.find_report("R-3") is None


async def test_a_report_for_an_order_that_is_not_there_is_refused(
    erp: Books, connector: ErpConnector
) -> None:
    needs(connector, Capability.REPORT_OPERATIONS)
    with pytest.raises((ErpRefused, ErpUnavailable)) as told:
        await connector.report_operation(
            "R-1", report(erp) | {"order": "NO-SUCH-1", "at": NOON - timedelta(days=9)}
        )
    assert "NO-SUCH-1" in str(told.value)
    assert await erp.reports() == []


@pytest.mark.parametrize("kind", PostingKind)
async def test_a_posting_is_booked_once(erp: Books, connector: ErpConnector, kind: PostingKind) -> None:
    needs(connector, POSTINGS[kind])
    number = await connector.post(kind, "P-1", posting(erp, kind))
    assert await connector.find_posting(kind, "P-1") == number
    assert await connector.find_posting(kind, "P-2") is None
    assert await connector.post(kind, "P-1", posting(erp, kind)) == number
    (booked,) = await erp.postings(kind)
    assert_booked(erp, kind, booked)


def assert_booked(erp: Books, kind: PostingKind, booked: ClerkPosting) -> None:
    wanted = posting(erp, kind)
    assert booked.order in (wanted["order"], "")
    if kind in (PostingKind.RECEIPT, PostingKind.ISSUE, PostingKind.SCRAP):
        assert booked.quantity == wanted["quantity"]
    if kind in (PostingKind.RECEIPT, PostingKind.ISSUE):
        assert wanted["lot"] in str(booked.fields)
    if kind is PostingKind.HOURS:
        assert booked.quantity == pytest.approx(1.5)
    if kind is PostingKind.QUALITY:
        assert wanted["value"] in str(booked.fields)


@pytest.mark.parametrize("kind", [PostingKind.RECEIPT, PostingKind.ISSUE])
async def test_a_posting_for_an_order_that_is_not_there_is_refused(
    erp: Books, connector: ErpConnector, kind: PostingKind
) -> None:
    needs(connector, POSTINGS[kind])
    lost = posting(erp, kind) | {"order": "NO-SUCH-1", "at": NOON - timedelta(days=9)}
    with pytest.raises((ErpRefused, ErpUnavailable), match="NO-SUCH-1"):
        await connector.post(kind, "P-1", lost)
    assert await erp.postings(kind) == []


async def test_the_books_say_what_was_reported(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.REPORTED, Capability.REPORT_OPERATIONS)
    (before,) = await _claims(erp, connector)
    await connector.report_operation("R-1", report(erp, good=3, scrap=1))
    (after,) = await _claims(erp, connector)
    assert (after.good - before.good, after.scrap - before.scrap) == (3, 1)
    assert after.quantity == before.quantity
    assert await connector.reported(["NO-SUCH-1"]) == []
    assert await connector.reported([]) == []


async def _claims(erp: Books, connector: ErpConnector) -> list[OperationClaim]:
    found = await connector.reported([erp.facts.order])
    return [c for c in found if (c.order, c.operation) == (erp.facts.order, erp.facts.operation)]


async def test_the_books_say_what_is_in_stock(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.STOCK, Capability.RECEIPTS)
    before = sum(s.quantity for s in await connector.stock([erp.facts.item]))
    await connector.post(PostingKind.RECEIPT, "P-1", posting(erp, PostingKind.RECEIPT))
    after = await connector.stock([erp.facts.item])
    assert sum(s.quantity for s in after) - before == 2
    assert {s.item for s in after} == {erp.facts.item}


# ------------------------------------------------------------------ what goes wrong
Write = Callable[[ErpConnector, Books], Awaitable[Any]]


async def _open(connector: ErpConnector, erp: Books) -> Any:
    return await connector.open_ticket(KEY, ticket(erp))


async def _report(connector: ErpConnector, erp: Books) -> Any:
    return await connector.report_operation("R-1", report(erp))


async def _receipt(connector: ErpConnector, erp: Books) -> Any:
    return await connector.post(PostingKind.RECEIPT, "P-1", posting(erp, PostingKind.RECEIPT))


WRITES = {"ticket": _open, "report": _report, "posting": _receipt}
NEEDED = {
    "ticket": Capability.OPEN_TICKETS,
    "report": Capability.REPORT_OPERATIONS,
    "posting": Capability.RECEIPTS,
}


async def made(erp: Books, what: str) -> int:
    if what == "ticket":
        return len(await erp.tickets())
    return len(await erp.reports() if what == "report" else await erp.postings(PostingKind.RECEIPT))


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("fault", AFTER_COMMIT)
async def test_done_but_never_told_is_found_not_repeated(
    world: World, erp: Books, connector: ErpConnector, fault: str, what: str
) -> None:
    needs(connector, NEEDED[what])
    can_fail(world, fault)
    await erp.fail(fault, what)
    with pytest.raises(ErpUnavailable) as trouble:
        await WRITES[what](connector, erp)
    assert trouble.value.in_doubt
    await WRITES[what](connector, erp)
    assert await made(erp, what) == 1


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("fault", NOT_DONE)
async def test_not_done_is_tried_again_and_made_once(
    world: World, erp: Books, connector: ErpConnector, fault: str, what: str
) -> None:
    needs(connector, NEEDED[what])
    can_fail(world, fault)
    await erp.fail(fault, what)
    with pytest.raises(ErpUnavailable):
        await WRITES[what](connector, erp)
    await erp.clear()
    await WRITES[what](connector, erp)
    assert await made(erp, what) == 1


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("fault", UNNOTICED)
async def test_a_dead_session_is_not_noticed(
    world: World, erp: Books, connector: ErpConnector, fault: str, what: str
) -> None:
    needs(connector, NEEDED[what])
    can_fail(world, fault)
    await connector.find_ticket(KEY)
    await erp.fail(fault)
    await WRITES[what](connector, erp)
    assert await made(erp, what) == 1


async def test_what_is_not_shown_yet_is_waited_for(
    world: World, erp: Books, connector: ErpConnector, clock: HandClock
) -> None:
    """A bridge never tries again at once; a connector that sees nothing must not pretend that it looked."""
    can_fail(world, "lag")
    await erp.fail("lag")
    await erp.fail("drop_after_commit", "ticket")
    with pytest.raises(ErpUnavailable):
        await connector.open_ticket(KEY, ticket(erp))
    clock.turn(LAG_SECONDS + 1)
    await connector.open_ticket(KEY, ticket(erp))
    assert len(await erp.tickets()) == 1


async def test_nobody_there_is_unavailable_and_not_in_doubt(
    world: World, erp: Books, connector: ErpConnector
) -> None:
    can_fail(world, "down")
    await erp.fail("down")
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.find_ticket(KEY)
    assert not trouble.value.in_doubt
    await erp.clear()
    assert await connector.find_ticket(KEY) is None


async def test_being_limited_is_told_with_a_pause(world: World, erp: Books, connector: ErpConnector) -> None:
    can_fail(world, "rate_limited")
    await erp.fail("rate_limited", "ticket")
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, ticket(erp))
    assert trouble.value.retry_after
    assert not trouble.value.in_doubt


async def test_a_wrong_login_names_what_to_check_and_no_secret(
    world: World, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connector = connect(**world.wrong_login)
    with pytest.raises((ErpUnavailable, ErpRefused)) as told:
        await connector.find_ticket(KEY)
    assert any(name in str(told.value) for name in connector.Config.model_fields)
    said = str(told.value) + caplog.text
    assert world.secret not in said
    assert not any(str(v) in said for v in world.wrong_login.values() if "secret" in str(v))


async def test_no_secret_is_in_any_line(
    world: World, erp: Books, connector: ErpConnector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await connector.open_ticket(KEY, ticket(erp))
    assert world.secret not in caplog.text
    assert world.secret not in repr(connector)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_bad_day_ends_like_a_good_one(
    world: World, erp: Books, connector: ErpConnector, clock: HandClock, seed: int
) -> None:
    """Random failures under incidents and reports, tried again as the bridge would."""
    dice, size = random.Random(seed), getattr(world, "bad_day_size", 3)
    tickets, reports = [f"AH-{n}" for n in range(size)], [f"R-{n}" for n in range(size)]
    if Capability.REPORT_OPERATIONS not in connector.capabilities:
        reports = []
    for key in tickets:
        await insist(world, erp, clock, dice, partial(connector.open_ticket, key, ticket(erp)))
    for key in reports:
        await insist(world, erp, clock, dice, partial(connector.report_operation, key, report(erp)))
    assert sorted(t.key for t in await erp.tickets()) == tickets
    assert sum(r.quantity for r in await erp.reports()) == 3 * len(reports)  # pieces of each


async def insist(
    world: World, erp: Books, clock: HandClock, dice: random.Random, write: Callable[[], Awaitable[Any]]
) -> None:
    possible = sorted(world.faults & {*AFTER_COMMIT, *NOT_DONE, *UNNOTICED, "lag"})
    for _ in range(dice.randrange(4)):
        await erp.fail(dice.choice(possible))
    for _ in range(12):
        try:
            await write()
        except AndonError as trouble:
            assert isinstance(trouble, ErpUnavailable), trouble
            pause = trouble.retry_after or timedelta(seconds=LAG_SECONDS + 1)
            clock.turn(pause.total_seconds())
        else:
            await erp.clear()
            return
    raise AssertionError("twelve tries were not enough")


# ------------------------------------------------------------------ what the office decides
async def test_all_orders_come_however_many_pages(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.ORDERS)
    orders = await connector.orders(None)
    assert len(orders) == len({o.number for o in orders}) == erp.facts.orders
    one = next(o for o in orders if o.number == erp.facts.order)
    assert (one.product, one.quantity) == (erp.facts.item, erp.facts.order_quantity)
    assert one.state is WorkOrderState.RELEASED
    assert one.due_at.tzinfo is not None
    assert erp.facts.operation in [job.operation for job in one.jobs]
    assert [job.order for job in one.jobs] == [one.number] * len(one.jobs)


async def test_a_changed_order_is_told_with_its_change(
    erp: Books, connector: ErpConnector, clock: HandClock
) -> None:
    needs(connector, Capability.ORDERS)
    clock.turn(3600)
    due = clock.now().replace(microsecond=0) + timedelta(days=2)
    since = clock.now()
    await erp.change_order(erp.facts.order, erp.facts.order_quantity + 10, due)
    changed = {o.number: o for o in await connector.orders(since)}
    assert erp.facts.order in changed
    assert len(changed) < erp.facts.orders
    assert changed[erp.facts.order].quantity == erp.facts.order_quantity + 10
    assert abs(changed[erp.facts.order].due_at - due) < timedelta(days=1)  # some know only the day


async def test_a_cancelled_order_is_told(erp: Books, connector: ErpConnector, clock: HandClock) -> None:
    needs(connector, Capability.ORDERS)
    clock.turn(3600)
    since = clock.now()
    await erp.cancel_order(erp.facts.order)
    changed = {o.number: o.state for o in await connector.orders(since)}
    assert changed.get(erp.facts.order) is WorkOrderState.CANCELLED
    assert erp.facts.order not in [
        o.number for o in await connector.orders(None) if o.state is WorkOrderState.RELEASED
    ]


async def test_a_rush_order_is_made_urgent_and_earlier(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.CHANGE_ORDERS)
    before = await erp.order(erp.facts.order)
    due = before["due_at"] - timedelta(days=1)
    change = {"priority": 1, "rush": True, "due_at": due, "reason": "客户催货"}
    await connector.change_order(erp.facts.order, change)
    await connector.change_order(erp.facts.order, change)
    after = await erp.order(erp.facts.order)
    assert abs(after["due_at"] - due) < timedelta(days=1)
    assert after["due_at"] != before["due_at"]
    assert after["priority"] in (1, None)
    assert after["quantity"] == before["quantity"]


async def test_a_change_to_an_order_that_is_not_there_is_refused(connector: ErpConnector) -> None:
    needs(connector, Capability.CHANGE_ORDERS)
    with pytest.raises(ErpRefused, match="NO-SUCH-1"):
        await connector.change_order("NO-SUCH-1", {"priority": 1, "rush": True, "due_at": None, "reason": ""})


async def test_sales_orders_carry_customer_and_date(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.SALES_ORDERS)
    found = {s.number: s for s in await connector.sales_orders(None)}
    assert erp.facts.sales_order in found
    assert found[erp.facts.sales_order].customer
    assert found[erp.facts.sales_order].due_at.tzinfo is not None


async def test_items_and_machines_are_told(erp: Books, connector: ErpConnector) -> None:
    needs(connector, Capability.ITEMS, Capability.EQUIPMENT)
    assert erp.facts.item in {i.number for i in await connector.items(None)}
    assert erp.facts.equipment in {e.number for e in await connector.equipment()}


async def test_a_probe_finds_everything_where_everything_is(connector: ErpConnector) -> None:
    found = await connector.probe()
    assert found
    assert [name for name, said in found.items() if said.startswith("✗")] == []


async def test_a_probe_names_the_field_that_is_not_there(world: World, connect: Connect) -> None:
    changes, name = world.custom_field()
    found = await connect(**misspelt(dict(changes), name, "F_NOT_HERE")).probe()
    assert [said for said in found.values() if said.startswith("✗") and "F_NOT_HERE" in said]


def misspelt(value: Any, before: str, after: str) -> Any:
    """The same configuration with one of their field names written otherwise, wherever it stands."""
    if isinstance(value, dict):
        return {misspelt(k, before, after): misspelt(v, before, after) for k, v in value.items()}
    if isinstance(value, list):
        return [misspelt(v, before, after) for v in value]
    return value.replace(before, after) if isinstance(value, str) else value


# ------------------------------------------------------------------ odd answers
async def test_a_page_for_people_is_an_outage(world: World, erp: Books, connector: ErpConnector) -> None:
    can_fail(world, "page")
    await connector.find_ticket(KEY)  # logged in already
    await erp.fail("page")
    with pytest.raises(ErpUnavailable):
        await connector.find_ticket(KEY)
    with pytest.raises(ErpUnavailable):
        await connector.open_ticket(KEY, ticket(erp))
    if Capability.ORDERS in connector.capabilities:
        with pytest.raises(ErpUnavailable):
            await connector.orders(None)
    await erp.clear()
    assert await connector.find_ticket(KEY) is None


async def test_a_list_that_goes_round_in_circles_ends_and_is_not_believed(
    world: World, erp: Books, connector: ErpConnector
) -> None:
    can_fail(world, "same_page")
    needs(connector, Capability.ORDERS)
    await erp.fail("same_page")
    with pytest.raises(ErpUnavailable):
        await connector.orders(None)


async def test_another_document_is_not_taken_for_ours(
    world: World, erp: Books, connector: ErpConnector
) -> None:
    can_fail(world, "any_document")
    await connector.open_ticket("AH-20260105-0001", ticket(erp))
    await erp.fail("any_document")
    with contextlib.suppress(ErpUnavailable):  # to say that the answer makes no sense is right too
        assert await connector.find_ticket(KEY) is None
    if Capability.REPORT_OPERATIONS in connector.capabilities:
        await erp.clear()
        await connector.report_operation("R-1", report(erp))
        await erp.fail("any_document")
        with contextlib.suppress(ErpUnavailable):
            assert await connector.find_report("R-2") is None


def hiding(patch: pytest.MonkeyPatch, connector: Any, field: str, nothing: Any) -> None:
    """From now on the ERP finds by the field and shows nothing in it, as for a user without the right."""
    http: httpx.AsyncClient = connector._client._http
    send = http.send

    def emptied(told: Any) -> Any:
        if isinstance(told, dict):
            return {n: nothing if n == field and isinstance(v, str) else emptied(v) for n, v in told.items()}
        return [emptied(one) for one in told] if isinstance(told, list) else told

    async def sent(request: httpx.Request, **how: Any) -> httpx.Response:
        reply = await send(request, **how)
        if "json" not in reply.headers.get("Content-Type", ""):
            return reply
        headers = {n: v for n, v in reply.headers.items() if not n.startswith("content-")}
        return httpx.Response(
            reply.status_code, headers=headers, json=emptied(json.loads(reply.content)), request=request
        )

    patch.setattr(http, "send", sent)


async def test_what_does_not_show_our_number_is_not_taken_for_absent(
    world: World, erp: Books, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(world, "hidden_keys"):
        pytest.skip("its own tests have it")
    of_tickets, of_reports = world.hidden_keys
    nothing = getattr(world, "nothing", None)
    first = connect()
    await first.open_ticket(KEY, ticket(erp))
    await first.report_operation("R-1", report(erp))
    blind = connect()
    hiding(monkeypatch, blind, of_tickets, nothing)
    for ask in (blind.find_ticket(KEY), blind.open_ticket(KEY, ticket(erp)), blind.ticket_copies([KEY])):
        with pytest.raises(ErpUnavailable, match=f"{of_tickets}.*(documents|key_field)"):
            await ask
    blind = connect()
    hiding(monkeypatch, blind, of_reports, nothing)
    for posted in (blind.find_report("R-1"), blind.report_operation("R-1", report(erp))):
        with pytest.raises(ErpUnavailable, match=f"{of_reports}.*(documents|key_field)"):
            await posted
    assert len(await erp.tickets()) == len(await erp.reports()) == 1


async def test_a_renamed_document_is_named(world: World, erp: Books, connector: ErpConnector) -> None:
    can_fail(world, "renamed")
    await erp.fail("renamed")
    with pytest.raises(ErpRefused, match=getattr(world, "ticket_place", r"documents\.ticket")):
        await connector.open_ticket(KEY, ticket(erp))
    assert any(said.startswith("✗") for said in (await connector.probe()).values())


async def test_orders_that_no_map_can_read_are_told_as_left_out(world: World, connect: Connect) -> None:
    if not hasattr(world, "broken_orders"):
        pytest.skip("no broken map is known here")
    connector = connect(**world.broken_orders)
    needs(connector, Capability.ORDERS)
    with left_out.gathered() as lost:
        orders = await connector.orders(None)
    assert list(orders) == []
    assert lost
    assert {x.document for x in lost} <= {"order", "orders"}
    assert all(x.record and x.reason for x in lost)


# ------------------------------------------------------------------ the suite itself
def test_every_connector_has_a_world_of_its_own() -> None:
    from importlib.metadata import entry_points

    kinds = {getattr(world, "kind", world.name) for world in WORLDS.values()}
    assert kinds == {e.name for e in entry_points(group="andon_hub.erp_connectors")}


def test_no_world_leaves_out_the_failures_that_matter() -> None:
    for world in WORLDS.values():
        assert {"drop_after_commit", "error_after_commit", "drop_before", "down"} <= world.faults, world.name
