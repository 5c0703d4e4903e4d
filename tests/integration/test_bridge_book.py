"""What the bridge writes down for people: exchanges, changes to confirm, dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from collectors.runner import book
from erp_bridge import left_out
from erp_bridge.incoming import CONFIRM_WITHIN
from hub.errors import Conflict, ErpRefused, NotFound
from hub.model.erp import PostingKind
from hub.model.exchange import Direction, Exchange, Letter, Outcome
from hub.model.intent import Intent, IntentKind
from hub.model.production import Posting, WorkOrderState
from hub.testing.clock import NOON, HandClock
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house, until
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio

REPORTS, HANDS = 12, 4


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def erp(clock: QuickClock) -> Iterator[KingdeeSimulator]:
    with KingdeeSimulator(now=clock.now, order_start=NOON) as simulator:
        yield simulator


@pytest.fixture
async def house(dsn: str, erp: KingdeeSimulator, clock: QuickClock) -> AsyncIterator[BridgeHouse]:
    async with bridge_house(dsn, erp.url, clock) as made:
        yield made


def change(erp: KingdeeSimulator, number: str, **fields: Any) -> None:
    """As somebody in the office does on the order's screen."""
    order = erp.books.numbered("PRD_MO", number)
    assert order is not None
    changed = order.copy()
    changed.rows["ftreeentity"][0].values.update(fields)
    erp.books.put(changed)


# ------------------------------------------------------------------ exchanges
async def test_every_exchange_is_kept_as_it_was_before_and_after(house: BridgeHouse) -> None:
    ticket_id = await house.break_down()
    await house.repair(ticket_id)
    await house.drain()
    closing, *steps, opening = await house.book.exchanges(ticket_id)
    assert (opening.subject, opening.outcome, opening.before) == ("open-ticket", Outcome.DONE, None)
    assert opening.after is not None
    assert opening.after["title"]["zh"] == "油温过高"
    assert opening.erp_number == (await house.ledger.ticket_of(ticket_id)).erp_number
    assert [s.subject for s in steps] == ["update-ticket"] * len(steps)
    assert closing.subject == "close-ticket"
    assert closing.before == steps[0].after
    assert closing.after is not None
    assert (closing.after["title"]["zh"], closing.after["cause"]) == ("油温过高", "更换密封圈")


async def test_a_document_that_an_earlier_try_has_made_is_said_to_be_adopted(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    ticket_id = await house.break_down()
    erp.faults.add("error_500_after_commit", services=["Save"])
    await house.drain()
    (*_, first, last) = reversed(await house.book.exchanges(ticket_id))
    assert (first.outcome, last.outcome) == (Outcome.DEFERRED, Outcome.ADOPTED)
    assert len(erp.tickets()) == 1


async def test_a_refusal_is_kept_with_the_erps_words(house: BridgeHouse) -> None:
    await house.report("R-1", "MO0001", "99", 5)
    await house.drain()
    refused, deferred = await house.book.exchanges("report:R-1")
    assert deferred.outcome is Outcome.DEFERRED, "the office may only be late"
    assert refused.outcome is Outcome.REFUSED
    assert "operation 99" in refused.reason


async def test_messages_are_found_by_what_people_have_in_hand(house: BridgeHouse) -> None:
    """The ticket, the report's bare number, its order, and the number that the ERP has given."""
    ticket_id = await house.break_down()
    await house.report("R-1", "MO0001", "10", 5)
    await house.report("R-2", "MO0002", "10", 5)
    await house.drain()
    (report,) = await house.book.exchanges("R-1")
    assert report.document == "report:R-1"
    assert [e.document for e in await house.book.exchanges("MO0001")] == ["report:R-1"]
    number = (await house.ledger.ticket_of(ticket_id)).erp_number
    assert {e.document for e in await house.book.exchanges(number)} == {ticket_id}
    assert await house.book.exchanges("R-1", before=report.id) == []
    assert await house.book.exchanges("R-9") == []


# ------------------------------------------------------------------ postings
async def test_a_posting_is_booked_once_and_one_the_erp_has_no_document_for_is_skipped(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    lot = Posting("S1", PostingKind.RECEIPT, "MO0001", "30", NOON, "A100", 3.0, "Pcs", "L-7", "CK01")
    async with house.ledger.begin() as tx:
        assert await tx.add_posting(lot)
        assert not await tx.add_posting(lot)
        await tx.intend(book(lot))
    erp.faults.add("error_500_after_commit", services=["Save"])
    await house.drain()
    assert [x.reason for x in await house.book.letters()] == []
    receipts = [d for d in erp.books.all("PRD_INSTOCK") if d.values.get("f_ah_extkey") == "S1"]
    assert len(receipts) == 1
    assert await house.book.postings(NOON - timedelta(days=1)) == [lot]
    assert await house.dead() == 0
    house.connector.capabilities = house.connector.capabilities - {"quality"}
    async with house.ledger.begin() as tx:
        await tx.intend(book(Posting("Q1", PostingKind.QUALITY, "MO0001", "30", NOON, check="外径")))
    await house.drain()
    (skipped,) = await house.book.exchanges("quality:Q1")
    assert skipped.outcome is Outcome.SKIPPED


# ------------------------------------------------------------------ what the office changes
async def test_a_change_of_an_order_on_the_floor_waits_for_somebody_there(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.bridge.poll_orders()
    assert await house.ledger.order_changes() == [], "an order that is new needs no confirmation"
    before = {o.number: o.quantity for o in await house.ledger.orders()}["MO0003"]
    house.clock.turn(60)
    change(erp, "MO0003", fqty=999.0)
    await house.bridge.poll_orders()
    (waiting,) = await house.ledger.order_changes()
    assert waiting.order == "MO0003"
    assert waiting.changed["quantity"] == (before, 999)
    (taken,) = (e for e in await house.book.exchanges("order:MO0003") if e.before)
    assert (taken.direction, taken.outcome) == (Direction.IN, Outcome.TAKEN)
    assert taken.before is not None
    assert taken.after is not None
    assert (taken.before["quantity"], taken.after["quantity"]) == (before, 999)
    house.clock.turn(60)
    change(erp, "MO0003", fqty=float(before))
    await house.bridge.poll_orders()
    assert await house.ledger.order_changes() == [], "taken back before anybody had seen it"


async def test_a_change_is_confirmed_as_it_was_read_and_only_once(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.bridge.poll_orders()
    house.clock.turn(60)
    change(erp, "MO0003", fqty=999.0)
    await house.bridge.poll_orders()
    (seen,) = await house.ledger.order_changes()
    house.clock.turn(60)
    change(erp, "MO0003", fqty=998.0)
    await house.bridge.poll_orders()
    with pytest.raises(Conflict, match="changed again"):
        await house.book.confirm_change(seen.id, seen.at, "op-a", house.clock.now())
    (now,) = await house.ledger.order_changes()
    assert now.changed["quantity"][1] == 998
    await house.book.confirm_change(now.id, now.at, "op-a", house.clock.now())
    assert await house.ledger.order_changes() == []
    with pytest.raises(Conflict, match="op-a"):
        await house.book.confirm_change(now.id, now.at, "op-b", house.clock.now())
    with pytest.raises(NotFound):
        await house.book.confirm_change(4711, now.at, "op-b", house.clock.now())


async def test_what_nobody_confirms_is_escalated_once(house: BridgeHouse, erp: KingdeeSimulator) -> None:
    await house.bridge.poll_orders()
    house.clock.turn(60)
    change(erp, "MO0003", fqty=999.0)
    await house.bridge.poll_orders()
    assert not await house.bridge._incoming.escalate()
    house.clock.turn(CONFIRM_WITHIN.total_seconds())
    house.shouted.clear()
    assert await house.bridge._incoming.escalate() == 1
    assert house.shouted == [{"kind": "order", "order": "MO0003"}], "the walls look again"
    assert not await house.bridge._incoming.escalate()
    (told,) = await house.told()
    assert "MO0003" in told["title"]["zh"]
    assert "→ 999" in told["lines"][0]["text"]["zh"]


async def test_an_order_that_ended_stays_in_sight_until_the_floor_has_seen_it(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.bridge.poll_orders()
    house.clock.turn(60)
    change(erp, "MO0003", fqty=999.0)
    await house.bridge.poll_orders()
    (waiting,) = await house.ledger.order_changes()
    async with house.book._pool.connection() as connection:
        await connection.execute(
            "update work_orders set state = 'cancelled', ended_at = now() - interval '9 days'"
            " where number = 'MO0003'"
        )
    assert "MO0003" in {o.number for o in await house.ledger.orders()}
    await house.book.confirm_change(waiting.id, waiting.at, "op-a", house.clock.now())
    assert "MO0003" not in {o.number for o in await house.ledger.orders()}


async def test_an_order_that_left_the_floor_while_the_bridge_was_down_is_known_after_its_start(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.bridge.poll_orders()
    house.clock.turn(60)
    change(erp, "MO0003", fstatus="6", fcloseddate="2026-01-05T21:00:00")  # 结案
    await house.restart()
    house.clock.turn(60)
    await house.bridge.poll_orders()
    (order,) = await house.book.orders(["MO0003"])
    assert order.state in (WorkOrderState.COMPLETED, WorkOrderState.CANCELLED)


# ------------------------------------------------------------------ an ERP that is away
async def test_three_days_without_the_erp_lose_nothing_and_its_return_is_no_storm(
    dsn: str, erp: KingdeeSimulator
) -> None:
    clock = HandClock()
    async with bridge_house(dsn, erp.url, clock) as house:
        erp.faults.add("down")
        for n in range(REPORTS):
            await house.report(f"R-{n}", "MO0001", ("10", "20", "30")[n % 3], 1)
        running = asyncio.create_task(house.bridge.run())
        try:
            await until(lambda: bool(house.bridge.health()["away"]), turning=clock)
            begun = tries = house.bridge.health()["put_back"]
            for hours in range(1, 73):
                clock.turn(3600)
                await until(lambda before=tries: house.bridge.health()["put_back"] > before)  # type: ignore[misc]
                tries = house.bridge.health()["put_back"]
                assert tries - begun <= HANDS + hours, "each hour one hand looks whether it is back"
            erp.faults.clear()
            await until(lambda: house.bridge.health()["done"] == REPORTS, turning=clock)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert Counter(r["key"] for r in erp.reports()) == Counter(f"R-{n}" for n in range(REPORTS))
        assert await house.book.letters() == []


# ------------------------------------------------------------------ letters
async def test_what_is_not_done_is_counted_by_kind_and_told_by_lane(house: BridgeHouse) -> None:
    ticket_id = await house.break_down()
    (pile,) = await house.book.piles()
    assert (pile.kind, pile.waiting, pile.dead) == ("open-ticket", 1, 0)
    assert pile.oldest_at is not None
    (letter,) = await house.book.unfinished(f"ticket:{ticket_id}")
    assert (letter.kind, letter.state) == ("open-ticket", "waiting")
    assert await house.book.unfinished("ticket:AH-19990101-0001") == []
    await house.report("R-1", "MO0001", "99", 5)
    await house.drain()
    assert await house.book.unfinished(f"ticket:{ticket_id}") == []
    (pile,) = await house.book.piles()
    assert (pile.kind, pile.waiting, pile.oldest_at, pile.dead) == ("report-operation", 0, None, 1)
    (dead,) = await house.book.unfinished("order:MO0001:99")
    assert dead.state == "dead"


async def period_closed(key: str, fields: Mapping[str, Any]) -> str:
    raise ErpRefused("会计期间已关闭")


async def test_a_dead_letter_goes_out_again_once_its_cause_is_mended(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.report("R-1", "MO0001", "20", 5)
    with monkeypatch.context() as period:
        period.setattr(house.connector, "report_operation", period_closed)
        await house.drain()
    (letter,) = await house.book.letters()
    assert (letter.kind, letter.state) == ("report-operation", "dead")
    assert letter.reason == "会计期间已关闭"
    assert await house.book.send_again(letter.id)
    assert not await house.book.send_again(letter.id), "twice tapped is once"
    await house.drain()
    assert await house.book.letters() == []
    assert [r["key"] for r in erp.reports()] == ["R-1"]


async def test_pieces_that_are_taken_back_are_a_letter_for_a_person_and_no_booking(
    house: BridgeHouse, erp: KingdeeSimulator
) -> None:
    await house.report("R-1", "MO0001", "20", 5)
    await house.report("R-2", "MO0001", "20", -3)
    await house.drain()
    (letter,) = await house.book.letters()
    assert "R-2" in letter.reason and "-3" in letter.reason and "by hand" in letter.reason
    assert [r["key"] for r in erp.reports()] == ["R-1"]


@pytest.mark.parametrize("cause", [RecursionError("too deep"), KeyError("FID"), AttributeError("get")])
async def test_what_nobody_has_foreseen_costs_its_own_errand_and_not_the_bridge(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    async def broken(*_: Any) -> Any:
        raise cause

    await house.report("R-1", "MO0001", "20", 5)
    with monkeypatch.context() as bad:
        bad.setattr(house.connector, "report_operation", broken)
        await house.drain()
    (letter,) = await house.book.letters()
    assert type(cause).__name__ in letter.reason
    monkeypatch.setattr(house.connector, "orders", broken)
    await house.bridge._tried(house.bridge.poll_orders)
    assert type(cause).__name__ in house.bridge.health()["last_error"]
    await house.report("R-2", "MO0001", "20", 5)
    await house.drain()
    assert [r["key"] for r in erp.reports()] == ["R-2"]


async def test_nothing_is_made_beside_a_record_that_may_be_the_one_and_cannot_be_read(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(*_: Any) -> None:
        left_out.note("report", "RP-0007", "documents.report.in.key: no text")

    await house.report("R-1", "MO0001", "20", 5)
    with monkeypatch.context() as bad:
        bad.setattr(house.connector, "find_report", blind)
        await house.drain()
    (letter,) = await house.book.letters()
    assert "documents.report.in.key" in letter.reason
    assert erp.reports() == []
    assert await house.book.send_again(letter.id)
    await house.drain()
    assert [r["key"] for r in erp.reports()] == ["R-1"], "once the map is mended"


async def test_a_dead_letter_that_nobody_needs_is_set_aside_with_its_reason(house: BridgeHouse) -> None:
    await house.report("R-1", "MO0001", "99", 5)
    await house.drain()
    (letter,) = await house.book.letters()
    assert await house.book.set_aside(letter.id, "entered by hand")
    assert not await house.book.set_aside(letter.id, "again")
    assert await house.book.letters() == []
    assert await house.book.outcome(letter.key) == ("done", "entered by hand")


# ------------------------------------------------------------------ what stands behind a letter
async def document_locked(ticket_id: str, fields: Mapping[str, Any]) -> tuple[str, str]:
    raise ErpRefused("单据已锁定")


async def refused_opening(house: BridgeHouse, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Letter]:
    """A ticket repaired to its end, of which the ERP has refused the opening."""
    with monkeypatch.context() as bad:
        bad.setattr(house.connector, "open_ticket", document_locked)
        ticket_id = await house.break_down()
        await house.drain()
        await house.repair(ticket_id)
        await house.drain()
    (letter,) = await house.book.letters()
    assert (letter.kind, letter.reason) == ("open-ticket", "单据已锁定")
    return ticket_id, letter


async def test_steps_wait_behind_a_refused_opening_and_follow_it_in_order_when_it_goes(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a restart as well; none is tried, none dies, none goes twice."""
    ticket_id, letter = await refused_opening(house, monkeypatch)
    steps = await house.book.held([letter.id])
    assert [s.kind for s in steps] == ["update-ticket"] * (len(steps) - 1) + ["close-ticket"]
    assert len(steps) > 2
    assert {(s.state, s.attempts, s.held_by) for s in steps} == {("waiting", 0, letter.id)}
    assert await house.book.letters(dead=False) == [], "they are not under way"
    assert sum(p.held for p in await house.book.piles()) == len(steps)
    assert {p.waiting for p in await house.book.piles()} == {0}
    await house.restart()
    assert not await house.bridge.deliver_one()
    assert await house.book.send_again(letter.id)
    await house.drain()
    assert await house.book.letters() == []
    done = [e for e in reversed(await house.book.exchanges(ticket_id)) if e.outcome is Outcome.DONE]
    assert [e.errand for e in done] == [letter.id, *(s.id for s in steps)]
    (ticket,) = erp.tickets()
    assert (ticket["state"], ticket["status"]) == ("DONE", "C")


async def test_steps_are_set_aside_with_their_opening_and_leave_a_note_each(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id, letter = await refused_opening(house, monkeypatch)
    steps = await house.book.held([letter.id])
    assert await house.book.set_aside(letter.id, "planner: not for the ERP")
    assert not await house.book.send_again(letter.id)
    await house.drain()
    assert await house.book.unfinished(f"ticket:{ticket_id}") == []
    noted = {
        e.errand: e.reason for e in await house.book.exchanges(ticket_id) if e.outcome is Outcome.SKIPPED
    }
    assert noted == {s.id: "set aside with its opening: planner: not for the ERP" for s in steps}
    assert erp.tickets() == []


async def test_a_step_after_its_opening_was_set_aside_is_no_letter(
    house: BridgeHouse, erp: KingdeeSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as bad:
        bad.setattr(house.connector, "open_ticket", document_locked)
        ticket_id = await house.break_down()
        await house.drain()
    (letter,) = await house.book.letters()
    assert await house.book.set_aside(letter.id, "planner: not for the ERP")
    await house.repair(ticket_id)
    await house.drain()
    assert await house.book.letters() == []
    assert erp.tickets() == []
    skipped = [e for e in await house.book.exchanges(ticket_id) if e.outcome is Outcome.SKIPPED]
    assert {e.reason for e in skipped} == {"its opening was set aside: planner: not for the ERP"}


async def test_of_two_who_decide_at_once_the_second_touches_nothing_behind_the_letter(
    house: BridgeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, letter = await refused_opening(house, monkeypatch)
    book = house.book
    again, aside = await asyncio.gather(book.send_again(letter.id), book.set_aside(letter.id, "no"))
    assert again is not aside
    left = {s.state for s in await book.unfinished(letter.lane)}
    assert left == ({"waiting"} if again else set())


async def test_what_was_sent_of_a_kind_is_found_behind_any_number_of_others(house: BridgeHouse) -> None:
    def told(subject: str, document: str, after: dict[str, Any] | None) -> Exchange:
        return Exchange(NOON, Direction.OUT, subject, document, Outcome.DONE, after=after)

    for n in range(3):
        await house.book.note(told("open-ticket", f"AH-{n}", {"ticket": f"AH-{n}"}))
    await house.book.note(told("open-ticket", "AH-9", None))
    for n in range(250):
        await house.book.note(told("report-operation", f"report:R-{n}", {"order": "MO-1"}))
    found = await house.book.sent(["open-ticket", "report-operation", "post scrap"], 2)
    assert [e.document for e in found] == ["report:R-249", "report:R-248", "AH-2", "AH-1"]


# ------------------------------------------------------------------ pushes
async def test_a_push_makes_the_bridge_look_at_once(house: BridgeHouse, erp: KingdeeSimulator) -> None:
    await house.bridge.poll_orders()
    house.clock.turn(60)
    change(erp, "MO0003", fqty=999.0)
    news = Intent(IntentKind.ERP_NEWS, "push:1", "erp-news:orders", {"subject": "orders"})
    for _ in range(2):  # a replay is the same intent
        async with house.ledger.begin() as tx:
            await tx.intend(news)
    await house.drain()
    assert {o.number: o.quantity for o in await house.ledger.orders()}["MO0003"] == 999
