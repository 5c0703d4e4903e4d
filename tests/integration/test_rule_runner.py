"""Samples and time through the rules onto the real record, through crashes that happen half-way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time

import orjson
import pytest

from alert_rules.line_rules import LineTold, with_lines
from hub.errors import Transient
from hub.model.alarm import AlarmState
from hub.model.batch import SampleBatch
from hub.model.device import Device
from hub.model.equipment import EquipmentState
from hub.model.line import Line
from hub.model.people import Break, Shift
from hub.model.ticket import TicketState
from hub.model.words import Words
from hub.ports import ROLL, SAMPLES
from hub.testing.clock import NOON
from tests.buses import MakeBus
from tests.integration.rule_house import (
    BOSS,
    EXECUTING,
    FAULTED,
    HOT,
    LI,
    NOT_HEARD,
    PRESS,
    RuleHouse,
    at,
    rule_house,
    until,
)

pytestmark = pytest.mark.anyio

DELAYED = {**HOT, "on_delay": "5s"}


@pytest.fixture
async def house(dsn: str, make_bus: MakeBus) -> AsyncIterator[RuleHouse]:
    async with rule_house(dsn, make_bus) as made:
        yield made


# ------------------------------------------------------------------ the way through
async def test_a_sample_over_the_limit_becomes_an_alarm_a_ticket_and_a_message(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 62)
        await house.say(2, 92.4)
    alarm = await house.only_alarm()
    assert (alarm.state, alarm.raised_at, alarm.value) == (AlarmState.UNACKED, at(2), 92.4)
    assert (await house.ticket()).alarm_id == alarm.id
    assert await house.intents() == [("open-ticket", ""), ("tell", "raised")]
    assert {"kind": "alarm", "id": alarm.id, "equipment": PRESS} in house.shouted


async def test_what_the_record_refuses_costs_nothing_that_happened_beside_it(house: RuleHouse) -> None:
    async with house.pool.connection() as connection:
        await connection.execute("alter table counts alter column reading type smallint")
    together = [house.plant.tags[f"{PRESS}/{n}"].number for n in ("good", "oil_temp", "state")]
    async with house.running() as runner:
        for second, shown, hot in ((1, 32_000, 60), (2, 40_000, 92.4)):
            batch = SampleBatch.at(together, at(second), [shown, hot, EXECUTING])
            await house.bus.publish(SAMPLES, batch.to_bytes())
            await house._rest()
        assert runner.refused == 1
    assert (await house.only_alarm()).raised_at == at(2)
    counts = await house.ledger.counts(at(0), at(9))
    assert [(c.reading, c.delta) for c in counts] == [(32_000, 0)]


async def test_a_delay_runs_out_in_silence(house: RuleHouse) -> None:
    house.furnish(DELAYED)
    async with house.running():
        await house.say(1, 92)
        await house.turn(4.5)
        assert await house.alarms() == []
        await house.turn(1)
    assert (await house.only_alarm()).raised_at == at(6)


async def test_a_value_that_was_fine_again_as_the_delay_ran_out_leaves_no_alarm_standing(
    house: RuleHouse,
) -> None:
    """The device polled at 6.0 s and answered a little later than the clock had ended the delay."""
    house.furnish(DELAYED)
    async with house.running():
        for second in range(1, 6):
            await house.say(second, 92)
        await house.turn(1.5)
        await house.say(6, 60)
        alarm = await house.only_alarm()
        assert (alarm.condition, alarm.state) == (False, AlarmState.RTN_UNACKED)
    assert await house.events(alarm) == ["raised", "cleared"]


async def test_states_and_pieces_are_on_the_record_once(house: RuleHouse) -> None:
    async with house.running():
        for second, state in enumerate([EXECUTING, EXECUTING, FAULTED, EXECUTING], 1):
            await house.say(second, state, "state")
        for second, shown in enumerate([100, 100, 103, 2], 5):
            await house.say(second, shown, "good")
    spans = await house.ledger.states(at(0), at(60))
    assert [(s.state, s.since) for s in spans] == [
        (EquipmentState.EXECUTING, at(1)),
        (EquipmentState.FAULT, at(3)),
        (EquipmentState.EXECUTING, at(4)),
    ]
    assert [(c.at, c.delta, c.reading) for c in await house.ledger.counts(at(0), at(60))] == [
        (at(5), 0, 100), (at(7), 3, 103), (at(8), 2, 2),
    ]  # fmt: skip


# ------------------------------------------------------------------ all or nothing
@pytest.mark.parametrize("where", ["alert_rules.telling.tells", "alert_rules.runner.failpoint"])
async def test_what_a_sample_brings_about_stands_or_falls_together(
    house: RuleHouse, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def power_cut(*_: object) -> None:
        raise Transient("power cut")

    with monkeypatch.context() as broken:
        async with house.running() as runner:
            broken.setattr(where, power_cut)
            with pytest.raises(ExceptionGroup):
                await house.say(1, 92)
            assert runner.evaluated
    assert await house.alarms() == []
    assert await house.ledger.open_tickets() == []
    assert await house.intents() == []
    assert house.shouted == [], "nothing is told that is not on the record"

    async with house.running():  # the sample was never acknowledged: it comes again
        pass
    assert await house.events(await house.only_alarm()) == ["raised"]
    assert await house.intents() == [("open-ticket", ""), ("tell", "raised")]


# ------------------------------------------------------------------ after a crash
async def test_a_restart_in_the_middle_of_a_delay_gives_the_same_alarm_at_the_same_time(
    house: RuleHouse,
) -> None:
    house.furnish(DELAYED)
    async with house.running():
        await house.say(1, 92)
        await house.say(2, 93)
    house.clock.turn(1)
    async with house.running():
        await house.say(4, 94)
        await house.say(5, 94)
        await house.say(6, 94)
    alarm = await house.only_alarm()
    assert (alarm.raised_at, alarm.condition_at, alarm.count) == (at(6), at(6), 1)


@pytest.mark.parametrize("crashes", [1, 3])
async def test_samples_that_are_read_again_raise_and_clear_nothing_again(
    house: RuleHouse, crashes: int
) -> None:
    house.furnish(DELAYED)
    async with house.running():
        for second, value in enumerate([60, 92, 92, 92, 92, 92, 92, 60, 92, 60], 1):
            await house.say(second, value)
    before, told = await house.only_alarm(), await house.intents()
    assert (before.state, before.count) == (AlarmState.RTN_UNACKED, 1)
    for _ in range(crashes):
        async with house.running():
            pass
    assert await house.only_alarm() == before
    assert await house.events(before) == ["raised", "cleared"]
    assert await house.intents() == told


async def test_an_alarm_that_is_over_and_acknowledged_stays_over_after_a_crash(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 92)
        alarm = await house.only_alarm()
        await house.desk.acknowledge(alarm.id, LI)
        await house.say(2, 60)
    async with house.running():
        await house.turn(3)
    assert (await house.only_alarm()).state is AlarmState.NORMAL
    assert [e for _, e in await house.intents()] == ["", "raised", "cleared"]


async def test_old_samples_do_not_end_an_alarm_that_came_after_them(house: RuleHouse) -> None:
    """The warm start reads back further than the alarm: the low values from before it are its past."""
    house.furnish(DELAYED)
    async with house.running():
        await house.say(1, 60)
        await house.say(2, 92)
        await house.turn(6)
        assert (await house.only_alarm()).condition
    async with house.running():
        assert (await house.only_alarm()).condition
        await house.say(9, 60)
        alarm = await house.only_alarm()
    assert (alarm.condition, alarm.cleared_at) == (False, at(9)), "and its end is seen after the crash"
    assert await house.events(alarm) == ["raised", "cleared"]


async def test_the_end_of_an_alarm_during_the_outage_is_seen_at_its_own_time(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 92)
    await house.say(2, 60)  # on the record and on the belt, with nobody to think about it
    async with house.running():
        alarm = await house.only_alarm()
    assert (alarm.condition, alarm.cleared_at) == (False, at(2))


async def test_pieces_and_states_survive_crashes_without_repeats_or_losses(house: RuleHouse) -> None:
    shown = [100, 101, 101, 102, 104, 104, 104, 105, 3, 4]
    for second, reading in enumerate(shown, 1):
        async with house.running():
            await house.say(second, reading, "good")
            await house.say(second + 0.25, FAULTED if second == 5 else EXECUTING, "state")
    counts = await house.ledger.counts(at(0), at(60))
    assert sum(c.delta for c in counts) == 5 + 3 + 1
    assert [c.reading for c in counts] == [100, 101, 102, 104, 105, 3, 4]
    spans = await house.ledger.states(at(0), at(60))
    assert [(s.state, s.since) for s in spans] == [
        (EquipmentState.EXECUTING, at(1.25)),
        (EquipmentState.FAULT, at(5.25)),
        (EquipmentState.EXECUTING, at(6.25)),
    ]


async def test_pieces_that_were_made_during_the_outage_are_counted(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 100, "good")
    await house.say(2, 107, "good")
    async with house.running():
        await house.say(3, 108, "good")
    assert [(c.at, c.delta) for c in await house.ledger.counts(at(0), at(60))] == [
        (at(1), 0), (at(2), 7), (at(3), 1),
    ]  # fmt: skip


async def test_a_silent_device_stays_an_alarm_through_a_restart_and_ends_by_being_heard(
    house: RuleHouse,
) -> None:
    house.furnish(NOT_HEARD)
    async with house.running():
        await house.say(1, 50)
        await house.turn(11)
        assert (await house.only_alarm()).raised_at == at(11)
    async with house.running():
        await house.turn(2)
        assert (await house.only_alarm()).condition, "a restart is not a sign of life"
        await house.turn(20)
        assert (await house.only_alarm()).condition
        await house.say(40, 50)
        await house.turn(0.5)
        alarm = await house.only_alarm()
    assert not alarm.condition
    assert await house.events(alarm) == ["raised", "cleared"]


async def test_our_own_outage_is_not_the_silence_of_a_device(house: RuleHouse) -> None:
    house.furnish(NOT_HEARD)
    async with house.running():
        await house.say(1, 50)
    house.clock.turn(600)
    async with house.running():
        await house.turn(9)
        assert await house.alarms() == []
        await house.turn(2)
    assert (await house.only_alarm()).raised_at == at(611)


async def test_an_alarm_of_a_rule_that_is_gone_is_retired_with_a_word(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 92)
    house.furnish({**HOT, "name": "other", "limit": 99})
    async with house.running():
        alarm = await house.only_alarm()
    assert (alarm.state, alarm.condition) == (AlarmState.NORMAL, False)
    [*_, last] = await house.lines(alarm)
    assert (last.event, last.note) == ("retired", "rule removed")


# ------------------------------------------------------------------ shelves
async def test_a_shelf_ends_by_itself(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 92)
        alarm = await house.only_alarm()
        await house.desk.shelve(alarm.id, LI, at(60), "sensor is being changed")
        await house.turn(58)
        assert (await house.only_alarm()).state is AlarmState.SHELVED
        await house.turn(2)
        assert (await house.only_alarm()).state is AlarmState.UNACKED
    assert await house.events(alarm) == ["raised", "shelved", "unshelved"]


async def test_a_shelf_that_ended_during_an_outage_is_cleared_away(house: RuleHouse) -> None:
    async with house.running():
        await house.say(1, 92)
        alarm = await house.only_alarm()
        await house.desk.shelve(alarm.id, LI, at(60), "x")
        await house.say(2, 60)
    house.clock.turn(3600)
    async with house.running():
        await house.turn(1)
    assert (await house.only_alarm()).state is AlarmState.NORMAL


# ------------------------------------------------------------------ the machine's proof
async def repaired(house: RuleHouse) -> str:
    """Fault, technician, repair: now the machine has to prove it. It stands, cold, at 6 s."""
    await house.say(1, FAULTED, "state")
    await house.say(2, 92)
    number = (await house.ticket()).id
    await house.desk.arrive(number, LI, None)
    await house.say(5, 10, "good")
    await house.say(6, 60)
    await house.desk.repaired(number, LI, "mechanical", "pump", "", None)
    return number


async def test_a_ticket_closes_by_the_machines_own_proof(house: RuleHouse) -> None:
    async with house.running():
        number = await repaired(house)
        await house.say(7, EXECUTING, "state")
        await house.say(8, 12, "good")
        await house.turn(1)
        proving = await house.ticket()
        assert (proving.state, proving.good_cycles, proving.reset_at) == (TicketState.VERIFYING, 2, at(7))
        await house.say(10, 13, "good")
        await house.turn(1)
    ticket = await house.ticket()
    assert (ticket.state, ticket.good_cycles) == (TicketState.CLOSED, 3)
    async with house.pool.connection() as connection:
        row = await (
            await connection.execute("select payload from outbox where kind = 'close-ticket'")
        ).fetchone()
    assert row is not None
    assert (row["payload"]["ticket"], row["payload"]["downtime_seconds"]) == (number, 5.0)


async def test_the_time_of_a_break_is_no_downtime(house: RuleHouse) -> None:
    """Down from the second second to the seventh, of which three lie in the break."""
    begins = time(NOON.hour, 0, 4)
    pause = Break(begins, time(NOON.hour, 30))
    day = Shift(Words("白班", "Day"), time(6), time(22), breaks=(pause,))
    house.book.plant = replace(house.plant, time_zone="UTC", shifts=(day,))
    async with house.running():
        await repaired(house)
        await house.say(7, EXECUTING, "state")
        await house.say(8, 13, "good")
        await house.turn(1)
    ticket = await house.ticket()
    assert (ticket.state, ticket.reset_at) == (TicketState.CLOSED, at(7))
    assert ticket.downtime_seconds == (NOON.replace(second=4) - ticket.stopped_at).total_seconds() > 0


async def test_a_transaction_needs_no_second_connection(dsn: str) -> None:
    """Of a pool of one: whoever asked for another within a transaction would wait for himself."""
    async with rule_house(dsn, connections=1) as house:
        async with house.running():
            await repaired(house)
            await house.say(7, EXECUTING, "state")
            await house.say(8, 13, "good")
            await house.turn(1)
        assert (await house.ticket()).state is TicketState.CLOSED


async def test_a_proof_goes_on_after_a_crash(house: RuleHouse) -> None:
    async with house.running():
        await repaired(house)
        await house.say(7, EXECUTING, "state")
        await house.say(8, 12, "good")
    async with house.running():
        await house.say(10, 13, "good")
        await house.turn(1)
    assert (await house.ticket()).state is TicketState.CLOSED
    assert [k for k, _ in await house.intents()].count("close-ticket") == 1


async def test_a_relapse_sends_the_technician_back_to_work(house: RuleHouse) -> None:
    async with house.running():
        number = await repaired(house)
        await house.say(7, EXECUTING, "state")
        await house.say(8, 92)
        relapsed = await house.ticket()
        assert (relapsed.id, relapsed.state, relapsed.repaired_at) == (number, TicketState.REPAIRING, None)
        for second in range(9, 15):
            await house.say(second, second, "good")
        await house.turn(1)
        assert (await house.ticket()).state is TicketState.REPAIRING, "pieces alone prove nothing"
    assert (await house.ledger.ticket_lines(number))[-1].note == "relapse"
    assert len(await house.ledger.recent_tickets(10)) == 1


async def test_a_machine_that_runs_hot_again_has_proved_nothing(house: RuleHouse) -> None:
    """The relapse is a new alarm; the ticket still carries the number of the first."""
    async with house.running():
        number = await repaired(house)
        await house.say(7, EXECUTING, "state")
        await house.say(8, 92)
        await house.desk.repaired(number, LI, "mechanical", "pump again", "", None)
        for second in range(9, 15):
            await house.say(second, second + 10, "good")
            await house.say(second + 0.5, EXECUTING, "state")
        await house.turn(1)
        assert (await house.ticket()).state is TicketState.VERIFYING
        await house.say(16, 60)
        await house.turn(1)
        assert (await house.ticket()).state is TicketState.VERIFYING, "made while it ran hot: no proof"
        for second in range(18, 22):
            await house.say(second, second + 10, "good")
            await house.say(second + 0.5, EXECUTING, "state")
        await house.turn(1)
        assert (await house.ticket()).state is TicketState.CLOSED


async def test_a_managers_word_ends_what_the_machine_cannot_prove(house: RuleHouse) -> None:
    async with house.running():
        number = await repaired(house)
        await house.desk.close(number, BOSS, "the line is scrapped")
        await house.say(7, EXECUTING, "state")
        await house.turn(1)
    assert (await house.ticket()).state is TicketState.CLOSED
    assert [k for k, _ in await house.intents()].count("close-ticket") == 1


# ------------------------------------------------------------------ lines to the sources
async def say_of_line(house: RuleHouse, line: Line, alarms: int, *, open_ones: int) -> None:
    """As the roll-call tells it again and again; until so many alarms are on record, and so many hold."""
    word = orjson.dumps({"sources": {"cnc": {"up": True, "line": line.as_json()}, "plc": {"up": True}}})

    async def there() -> bool:
        await house.bus.shout(ROLL, word)
        found = await house.alarms()
        return (len(found), sum(a.condition for a in found)) == (alarms, open_ones)

    await until(there, f"{alarms} alarms, {open_ones} of them hold")


async def test_an_open_line_is_one_alarm_through_reconnects_and_restarts_and_ends_when_it_is_mended(
    house: RuleHouse,
) -> None:
    rules = with_lines([], [Device("cnc", (1,), PRESS)], LineTold(tell=("robot",)), ["robot"])
    house.furnish()
    house.rules = rules
    house.book.rules = {(r.name, r.subject): r for r in rules}
    ending = Line("none", None, None)
    for _ in range(2):  # lives of the rules
        async with house.running():
            await house.bus.shout(ROLL, b"not what a process of ours says")
            await say_of_line(house, ending, 1, open_ones=1)
    [alarm] = await house.alarms()
    assert (alarm.rule, alarm.subject, alarm.equipment) == ("line-open", "cnc", PRESS)
    async with house.running():
        await house.turn(1)
        good = Line("", at(90 * 86_400), at(20 * 86_400))
        await say_of_line(house, good, 2, open_ones=1)
    [first, second] = await house.alarms()
    assert await house.events(first) == ["raised", "cleared"]
    assert (second.rule, second.value, await house.events(second)) == (
        "server-certificate-ends",
        20,
        ["raised"],
    )
    assert await house.intents() == [("tell", "raised"), ("tell", "cleared"), ("tell", "raised")]
