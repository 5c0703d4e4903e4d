"""What people may do to alarms and tickets, on the real record: each wish whole, each told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from alert_rules.lifecycle import Cleared, Raised
from hub.errors import Conflict, NotAllowed, NotFound, Refused, Transient
from hub.model.alarm import Alarm, AlarmState
from hub.model.ticket import MaintenanceTicket, TicketState
from tests.integration.rule_house import BOSS, HOT, LI, OIL, PRESS, STRANGER, WANG, RuleHouse, at, rule_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(any_dsn: str) -> AsyncIterator[RuleHouse]:
    async with rule_house(any_dsn) as made:
        yield made


async def happens(house: RuleHouse, event: Raised | Cleared) -> Alarm:
    [rule] = house.rules
    async with house.ledger.begin() as tx:
        alarm = await house.book.condition(tx, rule, event)
    assert alarm is not None
    return alarm


async def hot(house: RuleHouse, seconds: float = 1) -> tuple[Alarm, MaintenanceTicket]:
    alarm = await happens(house, Raised(at(seconds), 92.4))
    return alarm, await house.ticket()


# ------------------------------------------------------------------ alarms
async def test_an_alarm_its_line_its_ticket_and_its_messages_are_written_together(house: RuleHouse) -> None:
    alarm, ticket = await hot(house)
    assert (alarm.state, alarm.value, alarm.limit, alarm.owner) == (AlarmState.UNACKED, 92.4, 80.0, LI.id)
    assert await house.events(alarm) == ["raised"]
    assert (ticket.state, ticket.alarm_id, ticket.stopped_at) == (TicketState.NEW, alarm.id, at(1))
    assert await house.intents() == [("open-ticket", ""), ("tell", "raised")]


async def test_two_people_who_acknowledge_at_once_write_one_line(house: RuleHouse) -> None:
    alarm, _ = await hot(house)
    answers = await asyncio.gather(*(house.desk.acknowledge(alarm.id, who) for who in (LI, WANG) * 4))
    [raised, acked] = await house.lines(alarm)
    assert (raised.event, acked.event) == ("raised", "acked")
    assert acked.by in {LI.id, WANG.id}
    assert {a.acked_by for a in answers} == {acked.by}, "everybody is told who was first"
    assert {a.state for a in answers} == {AlarmState.ACKED}


async def test_who_acknowledges_is_responsible(house: RuleHouse) -> None:
    alarm, _ = await hot(house)
    assert (await house.desk.acknowledge(alarm.id, WANG, "on my way")).owner == WANG.id
    [found] = await house.ledger.open_alarms()
    assert (found.owner, found.acked_by, found.note) == (WANG.id, WANG.id, "on my way")


async def test_nobody_acknowledges_what_is_not_theirs_or_not_there_or_over(house: RuleHouse) -> None:
    alarm, _ = await hot(house)
    for number in (alarm.id, 4711):
        with pytest.raises(NotFound):
            await house.desk.acknowledge(number, STRANGER)
    await house.desk.acknowledge(alarm.id, LI)
    await happens(house, Cleared(at(2), 60.0))
    for wish in (
        house.desk.acknowledge(alarm.id, LI),
        house.desk.shelve(alarm.id, LI, at(3600), "late"),
        house.desk.unshelve(alarm.id, LI),
    ):
        with pytest.raises(Conflict):
            await wish
    assert await house.events(alarm) == ["raised", "acked", "cleared"]


async def test_a_closed_alarm_cannot_be_brought_back_beside_the_open_one(house: RuleHouse) -> None:
    first, _ = await hot(house)
    await house.desk.acknowledge(first.id, LI)
    await happens(house, Cleared(at(2)))
    second, _ = await hot(house, 3)
    assert second.id != first.id
    with pytest.raises(Conflict):
        await house.desk.shelve(first.id, LI, at(3600), "wrong one")
    assert [a.id for a in await house.ledger.open_alarms()] == [second.id]


# ------------------------------------------------------------------ shelving
async def test_shelving_needs_a_reason_and_an_end_within_a_day(house: RuleHouse) -> None:
    alarm, _ = await hot(house)
    now = house.clock.now()
    for until, reason in (
        (now + timedelta(hours=1), "  "),
        (now, "x"),
        (now - timedelta(seconds=1), "x"),
        (now + timedelta(hours=24, seconds=1), "x"),
    ):
        with pytest.raises(Refused):
            await house.desk.shelve(alarm.id, LI, until, reason)
    assert await house.events(alarm) == ["raised"]


async def test_a_shelved_alarm_is_quiet_and_comes_back_as_unacknowledged(house: RuleHouse) -> None:
    alarm, _ = await hot(house)
    shelved = await house.desk.shelve(alarm.id, LI, at(3600), "sensor is being changed")
    assert (shelved.state, shelved.shelved_until, shelved.condition) == (AlarmState.SHELVED, at(3600), True)
    told = await house.intents()
    back = await house.desk.unshelve(alarm.id, WANG)
    assert (back.state, back.shelved_until) == (AlarmState.UNACKED, None)
    assert await house.intents() == told, "it had been told before"
    assert [(x.event, x.by, x.note) for x in await house.lines(alarm)] == [
        ("raised", "", ""),
        ("shelved", LI.id, "sensor is being changed"),
        ("unshelved", WANG.id, ""),
    ]


async def test_what_was_raised_on_the_shelf_is_told_and_sent_for_when_it_is_back(house: RuleHouse) -> None:
    house.furnish({**HOT, "ticket": True})
    alarm = await happens(house, Raised(at(1), 92))
    await house.desk.shelve(alarm.id, LI, at(3600), "test run")
    await happens(house, Cleared(at(2), 60))
    ticket = await house.ticket()
    await house.desk.close(ticket.id, BOSS, "test run")
    await happens(house, Raised(at(3), 95))
    assert (await house.intents())[-1] != ("tell", "raised"), "nothing is told from the shelf"
    await house.desk.unshelve(alarm.id, LI)
    assert (await house.intents())[-2:] == [("open-ticket", ""), ("tell", "raised")]
    [again] = await house.ledger.open_tickets()
    assert again.id != ticket.id


async def test_an_alarm_that_went_away_on_the_shelf_is_over_when_it_is_back(house: RuleHouse) -> None:
    alarm, _ = await hot(house)
    await house.desk.shelve(alarm.id, LI, at(3600), "x")
    await happens(house, Cleared(at(2)))
    assert (await house.desk.unshelve(alarm.id, LI)).state is AlarmState.NORMAL
    assert await house.ledger.open_alarms() == []


# ------------------------------------------------------------------ tickets
async def test_of_two_technicians_one_has_the_ticket_and_the_other_is_told_who(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    answers = await asyncio.gather(
        *(house.desk.accept(ticket.id, who, None) for who in (LI, WANG)), return_exceptions=True
    )
    [mine] = [a for a in answers if isinstance(a, MaintenanceTicket)]
    [told] = [a for a in answers if isinstance(a, Conflict)]
    assert (told.code, str(told)) == ("ticket-taken", mine.technician)
    lines = await house.ledger.ticket_lines(ticket.id)
    assert [(x.after, x.by) for x in lines] == [
        (TicketState.NEW, ""),
        (TicketState.ACCEPTED, mine.technician),
    ]


async def test_who_accepts_has_seen_the_alarm_too(house: RuleHouse) -> None:
    alarm, ticket = await hot(house)
    device_time = at(-30)
    await house.desk.accept(ticket.id, WANG, device_time)
    [found] = await house.ledger.open_alarms()
    assert (found.state, found.acked_by, found.owner) == (AlarmState.ACKED, WANG.id, WANG.id)
    assert await house.events(alarm) == ["raised", "acked"]
    assert (await house.ledger.ticket_lines(ticket.id))[-1].device_time == device_time
    assert {e["kind"] for e in house.shouted} == {"alarm", "ticket"}


async def test_acceptance_and_acknowledgement_stand_or_fall_together(
    house: RuleHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm, ticket = await hot(house)
    before = await house.intents()

    async def power_cut(*_: object) -> None:
        raise Transient("power cut")

    monkeypatch.setattr(house.book, "change", power_cut)
    with pytest.raises(Transient):
        await house.desk.accept(ticket.id, LI, None)
    assert (await house.ticket()).state is TicketState.NEW
    assert await house.events(alarm) == ["raised"]
    assert len(await house.ledger.ticket_lines(ticket.id)) == 1
    assert await house.intents() == before
    assert house.shouted == []


async def test_accepting_while_the_rules_write_about_the_same_machine_locks_nobody_out(
    house: RuleHouse,
) -> None:
    """The rules lock the alarm, then the ticket; whoever did it the other way round would meet them."""
    alarm, ticket = await hot(house)
    async with house.ledger.begin() as rules:
        await rules.alarm(alarm.id)
        accepting = asyncio.create_task(house.desk.accept(ticket.id, LI, None))
        await waiting_for_a_lock(house)
        assert await rules.open_ticket_of(PRESS) == ticket
    assert (await accepting).state is TicketState.ACCEPTED


async def waiting_for_a_lock(house: RuleHouse) -> None:
    async with asyncio.timeout(20):
        while True:
            async with house.pool.connection() as connection:
                row = await (await connection.execute(WAITING)).fetchone()
            if row is not None and row["n"]:
                return
            await asyncio.sleep(0.01)


WAITING = """
select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
"""


async def test_the_way_of_a_ticket_on_the_phone_and_what_the_erp_learns(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    await house.desk.sent_to_erp(ticket.id, "E1", "WO-1")
    await house.desk.accept(ticket.id, LI, None)
    house.clock.turn(60)
    await house.desk.arrive(ticket.id, LI, None)
    house.clock.turn(60)
    with pytest.raises(Refused):
        await house.desk.repaired(ticket.id, LI, "magic", "x", "", None)
    done = await house.desk.repaired(ticket.id, LI, "mechanical", "pump", "", None)
    assert (done.state, done.erp_number, done.cause) == (TicketState.VERIFYING, "WO-1", "pump")
    assert [state for kind, state in await house.intents() if kind == "update-ticket"] == [
        "accepted", "on-site", "verifying",
    ]  # fmt: skip
    assert [x.channel for x in await house.ledger.ticket_lines(ticket.id)] == [
        "hub", "erp", "phone", "phone", "phone", "phone",
    ]  # fmt: skip


async def test_every_step_of_a_ticket_is_told_with_who_when_and_from_where(house: RuleHouse) -> None:
    """The technician is quicker than the ERP, and his phone's clock is five minutes slow."""
    T, slow = TicketState, timedelta(minutes=5)
    _, ticket = await hot(house)
    for step in (house.desk.accept, house.desk.arrive, house.desk.begin):
        house.clock.turn(60)
        await step(ticket.id, LI, house.clock.now() - slow)
    await house.desk.sent_to_erp(ticket.id, "E1", "WO-1")
    await house.desk.sent_to_erp(ticket.id, "E1", "WO-1")  # in doubt after a crash: the same again
    house.clock.turn(60)
    await house.desk.repaired(ticket.id, LI, "mechanical", "pump", "", house.clock.now() - slow)
    lines = await house.ledger.ticket_lines(ticket.id)
    assert [(x.before, x.after, x.by, x.channel, x.note) for x in lines] == [
        (T.NEW, T.NEW, "", "hub", ""),
        (T.NEW, T.ACCEPTED, LI.id, "phone", ""),
        (T.ACCEPTED, T.ON_SITE, LI.id, "phone", ""),
        (T.ON_SITE, T.REPAIRING, LI.id, "phone", ""),
        (T.REPAIRING, T.REPAIRING, "", "erp", "WO-1"),
        (T.REPAIRING, T.VERIFYING, LI.id, "phone", ""),
    ]
    by_phone = [x for x in lines if x.channel == "phone"]
    assert [x.at - x.device_time for x in by_phone if x.device_time] == [slow] * 4


async def test_what_a_technician_leaves_out_is_told_all_the_same(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    await house.desk.sent_to_erp(ticket.id, "E1", "WO-1")
    await house.desk.repaired(ticket.id, LI, "mechanical", "pump", "", None)
    assert [x.after.value for x in await house.ledger.ticket_lines(ticket.id)] == [
        "new", "sent", "accepted", "on-site", "repairing", "verifying",
    ]  # fmt: skip


async def test_a_second_tap_on_the_same_button_changes_nothing(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    first = await house.desk.accept(ticket.id, LI, None)
    told = await house.intents()
    house.clock.turn(5)
    assert await house.desk.accept(ticket.id, LI, None) == first
    assert await house.intents() == told
    assert len(await house.ledger.ticket_lines(ticket.id)) == 2


async def test_a_ticket_of_another_part_of_the_plant_is_not_found(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    for number in (ticket.id, "AH-20260105-9999"):
        with pytest.raises(NotFound):
            await house.desk.accept(number, STRANGER, None)
    assert (await house.ticket()).technician == ""


async def test_only_a_manager_closes_without_proof_and_only_with_a_reason(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    with pytest.raises(NotAllowed):
        await house.desk.close(ticket.id, LI, "I am sure")
    with pytest.raises(Refused):
        await house.desk.close(ticket.id, BOSS, " ")
    assert (await house.ticket()).is_open
    closed = await house.desk.close(ticket.id, BOSS, "scrapped the machine")
    assert closed.state is TicketState.CLOSED
    assert (await house.intents())[-1][0] == "close-ticket"
    [*_, line] = await house.ledger.ticket_lines(ticket.id)
    assert (line.by, line.note) == (BOSS.id, "scrapped the machine")
    with pytest.raises(Conflict):
        await house.desk.accept(ticket.id, LI, None)


async def test_the_office_closing_it_is_not_told_to_the_office(house: RuleHouse) -> None:
    _, ticket = await hot(house)
    before = await house.intents()
    assert (await house.desk.closed_in_erp(ticket.id)).state is TicketState.CLOSED
    assert (await house.desk.closed_in_erp(ticket.id)).state is TicketState.CLOSED
    assert await house.intents() == before


async def test_one_machine_has_one_open_ticket_whatever_is_wrong_with_it(house: RuleHouse) -> None:
    house.furnish(HOT, {**HOT, "name": "hotter", "limit": 90})
    for rule in house.rules:
        async with house.ledger.begin() as tx:
            assert await house.book.condition(tx, rule, Raised(at(1), 95)) is not None
    assert {a.rule for a in await house.ledger.open_alarms()} == {"hot", "hotter"}
    assert [a.subject for a in await house.ledger.open_alarms()] == [OIL, OIL]
    assert len(await house.ledger.open_tickets()) == 1
    assert [k for k, _ in await house.intents()].count("open-ticket") == 1
