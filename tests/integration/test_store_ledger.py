"""The record keeps its promises on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from hub.errors import Conflict, NotFound
from hub.model.alarm import Alarm, AlarmLine, AlarmState, Priority
from hub.model.equipment import Count, EquipmentState, StateSpan
from hub.model.intent import Intent, IntentKind
from hub.model.production import JobOrder, JobResponse, JobState, WorkOrder
from hub.model.ticket import MaintenanceTicket, TicketLine, TicketState
from hub.model.words import Words
from hub.store.ledger import PgLedger, PgTx
from hub.store.pool import open_pool

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PRESS = "p1/stamping/l1/press-01"
OIL_HOT = Alarm(
    rule="oil-hot",
    subject=f"{PRESS}/oil_temp",
    equipment=PRESS,
    priority=Priority.CRITICAL,
    title=Words("油温过高", "Oil too hot"),
    state=AlarmState.UNACKED,
    condition=True,
    value=81.5,
    limit=80.0,
    unit="℃",
    raised_at=NOON,
    condition_at=NOON,
    count=1,
    rule_version="1",
    opened_at=NOON + timedelta(seconds=1),
)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture
async def ledger(any_dsn: str) -> AsyncIterator[PgLedger]:
    pool = await open_pool(any_dsn)
    yield PgLedger(pool)
    await pool.close()


# ------------------------------------------------------------------ one transaction
async def test_alarm_line_and_intent_stand_together(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        alarm = await tx.save_alarm(OIL_HOT)
        line = AlarmLine(alarm.id, NOON, "raised", AlarmState.NORMAL, AlarmState.UNACKED, "", "", NOON, 81.5)
        await tx.add_alarm_line(line)
        await tx.intend(Intent(IntentKind.TELL, "tell:1", "alarm:1", {"who": "张伟"}))
        await tx.set_mark("rules", "17-0")
    assert await ledger.open_alarms() == [replace(OIL_HOT, id=alarm.id)]
    assert await ledger.alarm_lines(alarm.id) == [line]
    assert await ledger.mark("rules") == "17-0"


async def test_alarm_line_and_intent_fall_together(ledger: PgLedger, any_dsn: str) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        async with ledger.begin() as tx:
            alarm = await tx.save_alarm(OIL_HOT)
            await tx.add_alarm_line(
                AlarmLine(alarm.id, NOON, "raised", AlarmState.NORMAL, AlarmState.UNACKED)
            )
            await tx.intend(Intent(IntentKind.TELL, "tell:1", "alarm:1"))
            await tx.set_mark("rules", "17-0")
            raise RuntimeError("power cut")
    with psycopg.connect(any_dsn) as connection:
        for table in ("alarms", "alarm_lines", "outbox", "marks"):
            assert connection.execute(f"select count(*) from {table}".encode()).fetchone() == (0,)


# ------------------------------------------------------------------ alarms
async def test_a_second_open_alarm_of_a_rule_and_subject_is_refused_by_the_database(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        await tx.save_alarm(OIL_HOT)
    async with ledger.begin() as tx:
        with pytest.raises(Conflict):
            await tx.save_alarm(OIL_HOT)
        await tx.set_mark("still", "usable")
    assert len(await ledger.open_alarms()) == 1
    assert await ledger.mark("still") == "usable"


async def test_two_who_raise_at_once_make_one_alarm(ledger: PgLedger) -> None:
    both_have_looked = asyncio.Barrier(2)

    async def raise_it() -> str:
        try:
            async with ledger.begin() as tx:
                assert await tx.alarm_for("oil-hot", OIL_HOT.subject) is None
                await both_have_looked.wait()
                await tx.save_alarm(OIL_HOT)
        except Conflict as refused:
            return refused.code
        return "raised"

    assert sorted(await asyncio.gather(raise_it(), raise_it())) == ["alarm-open", "raised"]
    assert len(await ledger.open_alarms()) == 1


async def test_a_closed_alarm_makes_room_for_the_next_one(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        first = await tx.save_alarm(OIL_HOT)
        await tx.save_alarm(replace(first, state=AlarmState.NORMAL, condition=False, cleared_at=at(5)))
        second = await tx.save_alarm(OIL_HOT)
    async with ledger.begin() as tx:
        assert await tx.alarm_for("oil-hot", OIL_HOT.subject) == second
        assert (await tx.alarm(first.id)).cleared_at == at(5)
    assert [a.id for a in await ledger.recent_alarms(10)] == [second.id, first.id]
    assert await ledger.recent_alarms(1) == [second]


async def test_opening_an_old_alarm_again_beside_an_open_one_is_a_conflict(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        first = await tx.save_alarm(replace(OIL_HOT, state=AlarmState.NORMAL))
        await tx.save_alarm(OIL_HOT)
    with pytest.raises(Conflict):
        async with ledger.begin() as tx:
            await tx.save_alarm(replace(first, state=AlarmState.UNACKED))


async def test_an_alarm_that_is_being_changed_makes_the_next_one_wait(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        alarm = await tx.save_alarm(OIL_HOT)
    seen: list[str] = []
    first_holds = asyncio.Event()

    async def first() -> None:
        async with ledger.begin() as tx:
            held = await tx.alarm(alarm.id)
            first_holds.set()
            await _until_somebody_waits(tx)
            await tx.save_alarm(replace(held, acked_by="li"))

    async def second() -> None:
        await first_holds.wait()
        async with ledger.begin() as tx:
            seen.append((await tx.alarm(alarm.id)).acked_by)

    async with asyncio.timeout(20):
        await asyncio.gather(first(), second())
    assert seen == ["li"]


WAITING = "select count(*) as n from pg_locks where not granted and locktype = 'transactionid'"


async def _until_somebody_waits(tx: PgTx) -> None:
    while True:
        row = await (await tx._connection.execute(WAITING)).fetchone()
        if row and row["n"]:
            return


async def test_what_is_not_there_is_said_to_be_missing(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        with pytest.raises(NotFound):
            await tx.alarm(999)
        with pytest.raises(NotFound):
            await tx.ticket("AH-1")
        with pytest.raises(NotFound):
            await tx.save_alarm(replace(OIL_HOT, id=999))
    with pytest.raises(NotFound):
        await ledger.ticket_of("AH-1")
    with pytest.raises(NotFound):
        await ledger.photo("none")
    assert await ledger.mark("never") == ""


# ------------------------------------------------------------------ tickets
async def _ticket(tx: PgTx, **changes: object) -> MaintenanceTicket:
    alarm = await tx.alarm_for("oil-hot", OIL_HOT.subject) or await tx.save_alarm(OIL_HOT)
    ticket = MaintenanceTicket(
        id=await tx.next_ticket_id(NOON),
        alarm_id=alarm.id,
        equipment=PRESS,
        state=TicketState.NEW,
        opened_at=NOON,
        stopped_at=at(-1),
    )
    return replace(ticket, **changes)  # type: ignore[arg-type]


async def test_a_machine_has_one_open_ticket(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        first = await _ticket(tx)
        await tx.save_ticket(first)
    with pytest.raises(Conflict):
        async with ledger.begin() as tx:
            await tx.save_ticket(await _ticket(tx))
    async with ledger.begin() as tx:
        assert await tx.open_ticket_of(PRESS) == first
        done = replace(first, state=TicketState.CLOSED, closed_at=at(30), cause="密封圈", photo="p1")
        await tx.save_ticket(done)
        assert await tx.open_ticket_of(PRESS) is None
        second = await _ticket(tx)
        await tx.save_ticket(second)
    assert await ledger.open_tickets() == [second]
    assert await ledger.recent_tickets(9) == [second, done]
    assert await ledger.ticket_of(first.id) == done


@pytest.mark.parametrize(
    ("state", "open_alarm", "expected"),
    [
        (TicketState.REPAIRING, False, ([], False)),
        (TicketState.VERIFYING, False, ([], True)),
        (TicketState.REPAIRING, True, ([OIL_HOT], False)),
        (TicketState.VERIFYING, True, ([OIL_HOT], True)),
    ],
)
async def test_one_question_tells_the_open_alarms_and_whether_a_proof_is_wanted(
    ledger: PgLedger, state: TicketState, open_alarm: bool, expected: tuple[list[Alarm], bool]
) -> None:
    async with ledger.begin() as tx:
        await tx.save_ticket(await _ticket(tx, state=state))
        alarm = await tx.alarm_for("oil-hot", OIL_HOT.subject)
        assert alarm is not None
        if not open_alarm:
            await tx.save_alarm(replace(alarm, state=AlarmState.NORMAL))
    alarms, proof_wanted = await ledger.standing()
    assert ([replace(a, id=OIL_HOT.id) for a in alarms], proof_wanted) == expected


async def test_a_record_without_alarms_and_tickets_wants_no_proof(ledger: PgLedger) -> None:
    assert await ledger.standing() == ([], False)


async def test_ticket_numbers_count_within_the_plants_day(ledger: PgLedger) -> None:
    before_midnight = datetime(2026, 1, 5, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    async with ledger.begin() as tx:
        assert await tx.next_ticket_id(before_midnight) == "AH-20260105-0001"
        assert await tx.next_ticket_id(before_midnight) == "AH-20260105-0002"
        assert await tx.next_ticket_id(before_midnight + timedelta(minutes=1)) == "AH-20260106-0001"


async def test_two_who_open_tickets_at_once_get_different_numbers(ledger: PgLedger) -> None:
    async def number() -> str:
        async with ledger.begin() as tx:
            return await tx.next_ticket_id(NOON)

    assert len(set(await asyncio.gather(*(number() for _ in range(5))))) == 5


async def test_ticket_lines_keep_both_times(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        ticket = await _ticket(tx)
        await tx.save_ticket(ticket)
        line = TicketLine(
            ticket.id, NOON, TicketState.NEW, TicketState.ACCEPTED, "wang", "phone", at(-2), "在路上"
        )
        await tx.add_ticket_line(line)
    assert await ledger.ticket_lines(ticket.id) == [line]


async def test_a_photo_comes_back_as_it_was(ledger: PgLedger) -> None:
    await ledger.save_photo("p1", "image/jpeg", b"\xff\xd8\x00")
    assert await ledger.photo("p1") == ("image/jpeg", b"\xff\xd8\x00")


# ------------------------------------------------------------------ machines
def span(state: EquipmentState, since: float, until: float | None = None) -> StateSpan:
    return StateSpan(PRESS, state, at(since), None if until is None else at(until))


RUN, FAULT, IDLE = EquipmentState.EXECUTING, EquipmentState.FAULT, EquipmentState.IDLE


async def test_each_state_ends_the_one_before_it(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        await tx.add_states([span(RUN, 0), span(FAULT, 10), span(RUN, 25)])
    assert await ledger.states(at(0), at(60)) == [
        span(RUN, 0, 10),
        span(FAULT, 10, 25),
        span(RUN, 25, 60),
    ]
    assert await ledger.current_states() == {PRESS: span(RUN, 25)}


async def test_states_in_any_order_and_twice_are_the_same_history(ledger: PgLedger) -> None:
    for spans in ([span(RUN, 25)], [span(FAULT, 10)], [span(RUN, 0), span(FAULT, 10)], [span(IDLE, 10)]):
        async with ledger.begin() as tx:
            await tx.add_states(spans)
    assert await ledger.states(at(0), at(60)) == [
        span(RUN, 0, 10),
        span(FAULT, 10, 25),
        span(RUN, 25, 60),
    ]


async def test_states_are_clipped_to_what_was_asked_for(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        await tx.add_states([span(RUN, 0), span(FAULT, 10), span(IDLE, 20)])
        await tx.add_states([StateSpan("p1/a/l/m", EquipmentState.OFF, at(-99))])
    assert await ledger.states(at(5), at(15)) == [
        StateSpan("p1/a/l/m", EquipmentState.OFF, at(5), at(15)),
        span(RUN, 5, 10),
        span(FAULT, 10, 15),
    ]
    assert await ledger.states(at(10), at(20)) == [
        StateSpan("p1/a/l/m", EquipmentState.OFF, at(10), at(20)),
        span(FAULT, 10, 20),
    ]


async def test_a_state_reported_again_has_lasted_since_its_beginning(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        await tx.add_states([span(FAULT, 0), span(RUN, 5), span(RUN, 10), span(RUN, 15)])
    assert await ledger.current_states() == {PRESS: span(RUN, 5)}
    assert await ledger.states(at(0), at(20)) == [span(FAULT, 0, 5), span(RUN, 5, 20)]


async def test_counts_taken_in_twice_count_once(ledger: PgLedger) -> None:
    good, scrap = Count(PRESS, at(1), True, 3, 103), Count(PRESS, at(1), False, 1, 7)
    later = Count(PRESS, at(2), True, 2, 105)
    for counts in ([good, scrap], [scrap, later], [good]):
        async with ledger.begin() as tx:
            await tx.add_counts(counts)
    assert await ledger.counts(at(1), at(2)) == [scrap, good]
    assert await ledger.counts(at(0), at(3)) == [scrap, good, later]
    assert await ledger.last_counts() == {(PRESS, True): later, (PRESS, False): scrap}


# ------------------------------------------------------------------ orders
def order(**changes: object) -> WorkOrder:
    jobs = tuple(
        JobOrder("MO-1", op, Words(zh, en), "p1/stamping/l1", 100)
        for op, zh, en in (("10", "冲压", "Stamping"), ("20", "清洗", "Washing"), ("100", "包装", "Packing"))
    )
    made = WorkOrder("MO-1", "A-7", Words("支架", "Bracket"), 100, at(600), jobs=jobs, customer="甲")
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_an_order_is_saved_once_and_changed_when_it_differs(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        assert await tx.save_order(order())
        assert not await tx.save_order(order())
        assert await tx.save_order(order(rush=True))
        shorter = order(rush=True, jobs=order().jobs[:2])
        assert await tx.save_order(shorter)
        assert not await tx.save_order(shorter)
    assert await ledger.orders() == [shorter]


async def test_urgent_orders_come_first(ledger: PgLedger) -> None:
    async with ledger.begin() as tx:
        await tx.save_order(order(number="C", jobs=(), due_at=at(1)))
        await tx.save_order(order(number="B", jobs=(), priority=1))
        await tx.save_order(order(number="A", jobs=(), rush=True))
    assert [o.number for o in await ledger.orders()] == ["A", "B", "C"]


async def test_progress_is_the_sum_of_the_reports_each_counted_once(ledger: PgLedger) -> None:
    reports = [
        JobResponse("r2", "MO-1", "10", at(20), 30, 2, JobState.DONE),
        JobResponse("r1", "MO-1", "10", at(10), 50, 1, JobState.RUNNING, PRESS, "li", 12.5),
        JobResponse("r3", "MO-1", "20", at(30), 5, 0, JobState.RUNNING),
        JobResponse("r0", "MO-1", "20", at(30), 0, 0, JobState.INSPECTION),  # at one instant: further on
    ]
    async with ledger.begin() as tx:
        await tx.save_order(order())
        assert [await tx.add_response(r) for r in reports] == reports
        assert [await tx.add_response(r) for r in reports] == [None] * 4
    first, second, third = await ledger.progress()
    assert (first.job, first.good, first.scrap, first.state) == (order().jobs[0], 80, 3, JobState.DONE)
    assert (first.started_at, first.last_at) == (at(10), at(20))
    assert (second.good, second.state) == (5, JobState.INSPECTION)
    assert (third.job.operation, third.good, third.state, third.started_at) == (
        "100",
        0,
        JobState.WAITING,
        None,
    )


async def test_a_database_that_answers_is_healthy_and_one_that_is_gone_is_not(ledger: PgLedger) -> None:
    assert await ledger.healthy()
    await ledger._pool.close()
    assert not await ledger.healthy()
