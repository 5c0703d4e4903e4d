"""What is to be done is done in order, by one worker, and never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from hub.claims import Claims
from hub.model.alarm import Priority
from hub.model.intent import Errand, Intent, IntentKind
from hub.store.ledger import PgLedger
from hub.store.outbox import PgOutbox
from hub.store.pool import Pool, open_pool
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio

TELL, OPEN, CLOSE = IntentKind.TELL, IntentKind.OPEN_TICKET, IntentKind.CLOSE_TICKET
LEASE = timedelta(minutes=1)


class Office:
    """An outbox with a hand-turned clock and the ledger that fills it."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        self.clock = HandClock()
        self.outbox = PgOutbox(pool, dsn, self.clock)
        self.ledger = PgLedger(pool, clock=self.clock)

    async def intend(
        self,
        key: str,
        lane: str = "",
        kind: IntentKind = TELL,
        after: float = 0,
        priority: Priority = Priority.MEDIUM,
    ) -> None:
        due = NOON + timedelta(seconds=after) if after else None
        async with self.ledger.begin() as tx:
            await tx.intend(Intent(kind, key, lane or key, {"text": f"消息 {key}"}, due, priority))

    async def claim(self, worker: str = "w1", *kinds: IntentKind) -> Errand | None:
        return await self.outbox.claim(kinds or (TELL,), worker, LEASE)

    async def key(self, worker: str = "w1", *kinds: IntentKind) -> str:
        errand = await self.claim(worker, *kinds)
        return errand.intent.key if errand else ""


@pytest.fixture
async def office(any_dsn: str) -> AsyncIterator[Office]:
    pool = await open_pool(any_dsn)
    office = Office(pool, any_dsn)
    yield office
    await office.outbox.close()
    await pool.close()


async def test_an_errand_is_the_intent_as_it_was_written(office: Office) -> None:
    await office.intend("a", "lane-1")
    errand = await office.claim()
    assert errand is not None
    assert errand.intent == Intent(TELL, "a", "lane-1", {"text": "消息 a"})
    assert (errand.attempts, errand.in_doubt, errand.written_at) == (1, False, NOON)


async def test_the_same_key_twice_is_one_intent(office: Office) -> None:
    await office.intend("a")
    await office.intend("a")
    assert [await office.key(), await office.key()] == ["a", ""]


async def test_oldest_first_and_only_of_the_kinds_asked_for(office: Office) -> None:
    await office.intend("t", kind=OPEN)
    await office.intend("a")
    await office.intend("b")
    assert [await office.key(), await office.key(), await office.key()] == ["a", "b", ""]
    assert await office.key("w2", OPEN, CLOSE) == "t"


async def test_within_a_lane_the_next_one_waits_until_the_first_is_finished(office: Office) -> None:
    await office.intend("open", "ticket-1", OPEN)
    await office.intend("close", "ticket-1", CLOSE)
    await office.intend("other", "ticket-2", CLOSE)
    first = await office.claim("w1", OPEN, CLOSE)
    assert first is not None
    assert first.intent.key == "open"
    assert await office.key("w2", OPEN, CLOSE) == "other"
    assert await office.key("w2", OPEN, CLOSE) == ""
    assert await office.outbox.done(first, {"erp_id": "7"})
    assert await office.key("w2", OPEN, CLOSE) == "close"


async def test_an_intent_put_back_holds_its_lane_until_it_is_due_again(office: Office) -> None:
    await office.intend("a", "lane")
    await office.intend("b", "lane")
    errand = await office.claim()
    assert errand is not None
    assert await office.outbox.put_back(errand, "busy", NOON + timedelta(seconds=30), counted=True)
    assert await office.key() == ""
    office.clock.turn(30)
    again = await office.claim()
    assert again is not None
    assert (again.intent.key, again.attempts, again.in_doubt) == ("a", 2, False)


async def test_being_limited_does_not_use_up_an_attempt(office: Office) -> None:
    await office.intend("a")
    for _ in range(3):
        errand = await office.claim()
        assert errand is not None
        assert errand.attempts == 1
        await office.outbox.put_back(errand, "limited", NOON, counted=False)


async def test_not_before_its_time(office: Office) -> None:
    await office.intend("a", after=60)
    assert await office.key() == ""
    office.clock.turn(60)
    assert await office.key() == "a"


async def test_giving_up_is_recorded_and_the_lane_goes_on(office: Office) -> None:
    await office.intend("a", "lane")
    await office.intend("b", "lane")
    errand = await office.claim()
    assert errand is not None
    assert await office.outbox.give_up(errand, "no such robot")
    assert await office.key() == "b"
    assert (await office.outbox.stats())["dead"] == 1


async def test_a_worker_that_lost_its_lease_cannot_report_any_more(office: Office) -> None:
    await office.intend("a")
    late = await office.claim("slow")
    assert late is not None
    office.clock.turn(59)
    assert await office.claim("quick") is None
    office.clock.turn(1)
    taken = await office.claim("quick")
    assert taken is not None
    assert taken.in_doubt
    assert taken.fence > late.fence
    assert not await office.outbox.done(late, {})
    assert not await office.outbox.put_back(late, "", NOON, counted=True)
    assert not await office.outbox.give_up(late, "")
    assert await office.outbox.done(taken, {})
    assert not await office.outbox.done(taken, {})


async def test_what_a_dead_worker_held_is_due_at_once_and_in_doubt(office: Office) -> None:
    for key in ("a", "b", "c"):
        await office.intend(key)
    await office.claim("dead")
    await office.claim("alive")
    assert await office.outbox.release("dead") == 1
    again = await office.claim("dead")
    assert again is not None
    assert (again.intent.key, again.in_doubt, again.attempts) == ("a", True, 2)
    fresh = await office.claim("dead")
    assert fresh is not None
    assert (fresh.intent.key, fresh.in_doubt) == ("c", False)


async def test_doubt_stays_until_the_end_is_known(office: Office) -> None:
    await office.intend("a")
    await office.claim("w1")
    await office.outbox.release("w1")
    errand = await office.claim("w1")
    assert errand is not None
    await office.outbox.put_back(errand, "limited", NOON, counted=False)
    again = await office.claim("w1")
    assert again is not None
    assert again.in_doubt


async def test_many_workers_share_the_work_without_taking_anything_twice(office: Office) -> None:
    for n in range(30):
        await office.intend(f"k{n}", f"lane{n % 10}")
    done: list[str] = []

    async def work(name: str) -> None:
        while len(done) < 30:
            errand = await office.claim(name)
            if errand is not None:
                done.append(errand.intent.key)
                await office.outbox.done(errand, {})

    async with asyncio.timeout(30):
        await asyncio.gather(*(work(f"w{n}") for n in range(4)))
    assert len(set(done)) == len(done) == 30
    for lane in range(10):
        assert [k for k in done if int(k[1:]) % 10 == lane] == [f"k{lane}", f"k{lane + 10}", f"k{lane + 20}"]


async def test_a_waiter_hears_what_another_connection_writes(office: Office) -> None:
    assert await office.claim() is None
    waiter = asyncio.create_task(_wait_for_work(office))
    async with asyncio.timeout(10):
        await office.outbox._ear._ready.wait()
        await office.intend("a")
        assert await waiter == "a"


async def _wait_for_work(office: Office) -> str:
    while True:
        key = await office.key()
        if key:
            return key
        await office.outbox.wait(3600)


async def test_what_is_written_between_looking_and_waiting_is_heard(office: Office) -> None:
    async def look_then_wait() -> str:
        await office.outbox.wait(0)
        await office.outbox._ear._ready.wait()
        assert await office.claim() is None
        heard = office.outbox._ear._heard
        await office.intend("a")
        while office.outbox._ear._heard == heard:
            await asyncio.sleep(0)
        await office.outbox.wait(3600)
        return await office.key()

    async with asyncio.timeout(10):
        assert await look_then_wait() == "a"


async def test_figures_for_the_status_page(office: Office) -> None:
    await office.intend("a")
    office.clock.turn(5)
    await office.intend("b")
    await office.intend("t", kind=OPEN)
    office.clock.turn(5)
    stats = await office.outbox.stats()
    assert stats == {
        "waiting": {"tell": 2, "open-ticket": 1},
        "oldest_seconds": {"tell": 10.0, "open-ticket": 5.0},
        "dead": 0,
    }


async def test_without_a_clock_the_databases_time_counts(office: Office) -> None:
    outbox = PgOutbox(office.outbox._pool, "")
    await office.intend("past", after=1)
    errand = await outbox.claim((TELL,), "w", LEASE)
    assert errand is not None
    assert errand.intent.key == "past"


# ------------------------------------------------------------------ urgency
async def test_the_urgent_comes_first_and_within_a_lane_the_order_stays(office: Office) -> None:
    await office.intend("report", priority=Priority.LOW)
    await office.intend("told", "lane", priority=Priority.MEDIUM)
    await office.intend("told again", "lane", priority=Priority.CRITICAL)
    await office.intend("high", priority=Priority.HIGH)
    keys = []
    while (errand := await office.claim()) is not None:
        keys.append(errand.intent.key)
        await office.outbox.done(errand, {})
    assert keys == ["told", "told again", "high", "report"]


async def test_an_errand_knows_its_urgency(office: Office) -> None:
    await office.intend("a", priority=Priority.CRITICAL)
    errand = await office.claim()
    assert errand is not None
    assert errand.intent.priority is Priority.CRITICAL


# ------------------------------------------------------------------ what may have been delivered
async def test_what_may_have_been_done_is_in_doubt_for_whoever_is_next(office: Office) -> None:
    await office.intend("a")
    errand = await office.claim("first")
    assert errand is not None
    await office.outbox.put_back(errand, "no answer", NOON, counted=True, in_doubt=True)
    again = await office.claim("second")
    assert again is not None
    assert again.in_doubt
    await office.outbox.put_back(again, "busy", NOON, counted=True)
    assert [e.in_doubt for e in [await office.claim("third")] if e] == [True]


# ------------------------------------------------------------------ leases
async def test_a_worker_that_lives_keeps_what_it_holds(office: Office) -> None:
    claims = Claims(office.outbox, "w1", office.clock, LEASE)
    await office.intend("a")
    mine = await claims.claim((TELL,))
    assert mine is not None
    beating = asyncio.create_task(claims.keep())
    try:
        for _ in range(6):
            async with asyncio.timeout(20):
                await _renewed(office, by=20)
            assert await office.claim("w2") is None
    finally:
        beating.cancel()
    assert await claims.done(mine, {})


async def _renewed(office: Office, by: float) -> None:
    """Turn the clock and wait for the heartbeat it brings."""
    before = await _leased_until(office)
    await asyncio.sleep(0)
    while await _leased_until(office) == before:
        if office.clock._sleepers:
            office.clock.turn(by)
            by = 0
        await asyncio.sleep(0)


async def _leased_until(office: Office) -> datetime:
    async with office.outbox._pool.connection() as connection:
        row = await (await connection.execute("select leased_until from outbox")).fetchone()
    assert row is not None
    until: datetime = row["leased_until"]
    return until


async def test_a_worker_that_slept_too_long_neither_delivers_nor_marks(office: Office) -> None:
    asleep, awake = (Claims(office.outbox, name, office.clock, LEASE) for name in ("asleep", "awake"))
    await office.intend("a")
    old = await asleep.claim((TELL,))
    office.clock.turn(LEASE.total_seconds())
    new = await awake.claim((TELL,))
    assert old is not None and new is not None
    assert new.in_doubt, "the sleeper may have done it before it slept"
    assert not await asleep.still_ours(old)
    assert await awake.still_ours(new)
    assert not await asleep.done(old, {})
    assert not await asleep.put_back(old, "", NOON, counted=True)
    assert await awake.done(new, {})


async def test_a_worker_that_slept_while_nobody_came_goes_on_with_what_it_holds(office: Office) -> None:
    claims = Claims(office.outbox, "w1", office.clock, LEASE)
    await office.intend("a")
    mine = await claims.claim((TELL,))
    assert mine is not None
    office.clock.turn(10 * LEASE.total_seconds())
    assert await claims.claim((TELL,)) is None, "not taken from itself"
    assert await claims.still_ours(mine)
    assert await office.claim("w2") is None, "asking is holding on"


async def test_a_second_life_of_the_same_name_is_not_renewed_by_the_first(office: Office) -> None:
    first, second = (Claims(office.outbox, "w1", office.clock, LEASE) for _ in range(2))
    await office.intend("a")
    old = await first.claim((TELL,))
    assert await second.release() == 1
    new = await second.claim((TELL,))
    assert old is not None and new is not None
    assert not await first.still_ours(old)
    assert await second.still_ours(new)
