"""Alarms put aside, latched and forgotten, on the real record, with a crash in every state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from alert_rules.lifecycle import Cleared, Raised
from hub.errors import Conflict, NotFound, Refused
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.equipment import EquipmentState
from hub.model.people import Shift
from hub.model.words import Words
from tests.buses import MakeBus
from tests.integration.rule_house import (
    BOSS,
    EXECUTING,
    HOT,
    LI,
    OIL,
    PRESS,
    STRANGER,
    WANG,
    RuleHouse,
    at,
    rule_house,
)

pytestmark = pytest.mark.anyio

OFF = 0
WHILE_OFF: Mapping[str, Any] = {**HOT, "suppressed_when": {"state": [False, "maintenance"]}}
BOILING: Mapping[str, Any] = {"name": "boiling", "kind": "high-limit", "tag": OIL, "limit": 95}
LATCHED: Mapping[str, Any] = {**HOT, "latched": True}
FORGOTTEN: Mapping[str, Any] = {**HOT, "realarm_after": "10min"}
S = AlarmState


@pytest.fixture
async def house(dsn: str, make_bus: MakeBus) -> AsyncIterator[RuleHouse]:
    async with rule_house(dsn, make_bus) as made:
        press = made.plant.equipment[PRESS]
        codes = {**press.state_map, OFF: EquipmentState.OFF, 8: EquipmentState.MAINTENANCE}
        nodes = {**made.plant.equipment, PRESS: replace(press, state_map=codes)}
        made.plant = replace(made.plant, equipment=nodes)
        made.furnish(HOT)
        yield made


async def told(house: RuleHouse) -> list[str]:
    return [event for kind, event in await house.intents() if kind == "tell"]


async def said_again(house: RuleHouse) -> list[bool]:
    async with house.pool.connection() as connection:
        rows = await connection.execute("select payload from outbox where kind = 'tell' order by id")
        return [row["payload"]["again"] for row in await rows.fetchall()]


async def of(house: RuleHouse, rule: str) -> Alarm:
    [found] = [a for a in await house.alarms() if a.rule == rule]
    return found


# ------------------------------------------------------------------ F: suppressed by design
async def test_what_is_raised_while_the_machine_is_off_is_on_record_and_says_nothing(
    house: RuleHouse,
) -> None:
    house.furnish(WHILE_OFF)
    async with house.running():
        await house.say(1, OFF, "state")
        await house.say(2, 92)
        alarm = await house.only_alarm()
        assert (alarm.state, alarm.condition, alarm.count) == (S.SUPPRESSED, True, 1)
        assert alarm.suppressed == Words("设备处于停机、保养", "the machine is off or in maintenance")
        await house.say(3, 60)
        await house.say(4, 93)
        assert (await house.only_alarm()).count == 2, "its history is complete"
        assert await house.intents() == [], "neither message nor ticket"
        await house.say(5, EXECUTING, "state")
        await house.turn(1)
    assert (await house.only_alarm()).state is S.UNACKED
    assert await house.intents() == [("open-ticket", ""), ("tell", "raised")]
    assert await house.events(alarm) == [
        "suppressed", "raised", "cleared", "raised", "unsuppressed",
    ]  # fmt: skip


async def test_an_alarm_in_hand_falls_silent_with_the_machine_and_wants_to_be_seen_again_after(
    house: RuleHouse,
) -> None:
    house.furnish(WHILE_OFF)
    async with house.running():
        await house.say(1, EXECUTING, "state")
        await house.say(2, 92)
        await house.desk.acknowledge((await house.only_alarm()).id, LI)
        await house.say(3, OFF, "state")
        await house.turn(1)
        assert (await house.only_alarm()).state is S.SUPPRESSED
        await house.say(5, EXECUTING, "state")
        await house.turn(1)
    alarm = await house.only_alarm()
    assert (alarm.state, alarm.acked_by, alarm.aside_at) == (S.UNACKED, "", None)


async def test_what_went_away_while_the_machine_was_off_is_over_when_it_runs(house: RuleHouse) -> None:
    house.furnish(WHILE_OFF)
    async with house.running():
        await house.say(1, OFF, "state")
        await house.say(2, 92)
        await house.say(3, 60)
        await house.say(4, EXECUTING, "state")
        await house.turn(1)
    assert (await house.only_alarm()).state is S.NORMAL
    assert await house.intents() == []


async def test_a_machine_needs_time_to_start(house: RuleHouse) -> None:
    house.furnish({**HOT, "suppressed_when": {"state": [False], "off_delay": "30s"}})
    async with house.running():
        await house.say(1, OFF, "state")
        await house.say(2, EXECUTING, "state")
        await house.say(3, 92)
        assert (await house.only_alarm()).state is S.SUPPRESSED
        await house.turn(20)
        assert (await house.only_alarm()).state is S.SUPPRESSED
        await house.turn(12)
    assert (await house.only_alarm()).state is S.UNACKED


async def test_the_consequence_keeps_quiet_while_its_cause_holds_and_counts(house: RuleHouse) -> None:
    house.furnish({**HOT, "suppressed_when": {"rule": "boiling"}}, BOILING)
    async with house.running():
        await house.say(1, 97)
        await house.turn(1)
        hot, boiling = await of(house, "hot"), await of(house, "boiling")
        assert (hot.state, boiling.state) == (S.SUPPRESSED, S.UNACKED), "one cause, one alarm"
        await house.desk.shelve(boiling.id, LI, at(600), "sensor")
        await house.turn(2.5)
        assert (await of(house, "hot")).state is S.UNACKED, "a cause that nobody sees silences nothing"


async def test_a_shelf_that_ends_while_the_machine_is_off_makes_no_sound(house: RuleHouse) -> None:
    house.furnish(WHILE_OFF)
    async with house.running():
        await house.say(1, EXECUTING, "state")
        await house.say(2, 92)
        alarm = await house.only_alarm()
        await house.desk.shelve(alarm.id, LI, at(60), "cleaning")
        await house.say(3, 60)
        await house.say(4, OFF, "state")
        await house.turn(1)
        await house.say(6, 95)
        before = await house.intents()
        assert (await house.desk.unshelve(alarm.id, LI)).state is S.SUPPRESSED
        assert await house.intents() == before
        await house.say(8, EXECUTING, "state")
        await house.turn(1)
    assert (await house.only_alarm()).state is S.UNACKED


# ------------------------------------------------------------------ G: out of service
async def test_a_machine_is_taken_out_of_service_before_anything_is_wrong(house: RuleHouse) -> None:
    [out] = await house.desk.take_out(PRESS, LI, "overhaul")
    assert (out.state, out.aside_by, out.aside_reason, out.count) == (
        S.OUT_OF_SERVICE, LI.id, "overhaul", 0,
    )  # fmt: skip
    assert await house.only_alarm() == out, "all of it is on record"
    assert out.aside_at == at(0)
    async with house.running():
        await house.say(1, 92)
        assert (await house.only_alarm()).condition, "watched all the same"
        assert await house.intents() == []
        [back] = await house.desk.put_back(PRESS, WANG)
    assert (back.state, back.opened_at) == (S.UNACKED, at(1)), "it began when it was raised"
    assert await house.intents() == [("open-ticket", ""), ("tell", "raised")]
    assert [(x.event, x.by, x.note) for x in await house.lines(back)] == [
        ("out-of-service", LI.id, "overhaul"),
        ("raised", "", ""),
        ("returned", WANG.id, ""),
    ]


async def test_who_returns_what_was_never_raised_finds_it_normal(house: RuleHouse) -> None:
    await house.desk.take_out(PRESS, LI, "overhaul", "hot", OIL)
    [back] = await house.desk.put_back(PRESS, LI)
    assert back.state is S.NORMAL
    assert await house.ledger.open_alarms() == []


async def test_a_shelved_alarm_is_taken_out_of_service_without_a_sound(house: RuleHouse) -> None:
    [rule] = house.rules
    async with house.ledger.begin() as tx:
        alarm = await house.book.condition(tx, rule, Raised(at(1), 92))
    assert alarm is not None
    await house.desk.shelve(alarm.id, LI, at(60), "sensor")
    before = await house.intents()
    out = await house.desk.out_of_service(alarm.id, LI, "overhaul")
    assert (out.state, out.shelved_until, out.aside_reason) == (S.OUT_OF_SERVICE, None, "overhaul")
    assert await house.intents() == before


async def test_rules_and_people_who_open_the_same_alarm_at_once_make_one(house: RuleHouse) -> None:
    [rule] = house.rules

    async def raised() -> None:
        async with house.ledger.begin() as tx:
            await house.book.condition(tx, rule, Raised(at(1), 92))

    await asyncio.gather(*(house.desk.take_out(PRESS, who, "x") for who in (LI,)), raised())
    [alarm] = await house.ledger.open_alarms()
    assert (alarm.state, alarm.condition) == (S.OUT_OF_SERVICE, True)


async def test_refusals_say_what_would_help_and_write_nothing(house: RuleHouse) -> None:
    [out] = await house.desk.take_out(PRESS, LI, "overhaul")
    for wish, code in (
        (house.desk.acknowledge(out.id, LI), "alarm-out-of-service"),
        (house.desk.shelve(out.id, LI, at(60), "x"), "alarm-out-of-service"),
        (house.desk.unshelve(out.id, LI), "not-shelved"),
        (house.desk.out_of_service(out.id, LI, "x"), "alarm-out-of-service"),
        (house.desk.take_out(PRESS, LI, "x"), "alarm-out-of-service"),
        (house.desk.reset(out.id, LI), "not-latched"),
    ):
        with pytest.raises(Conflict) as no:
            await wish
        assert no.value.code == code
    with pytest.raises(Refused):
        await house.desk.out_of_service(out.id, LI, "  ")
    for far in (house.desk.return_to_service(out.id, STRANGER), house.desk.take_out(PRESS, STRANGER, "x"),
                house.desk.take_out(PRESS, LI, "x", "no-such-rule")):  # fmt: skip
        with pytest.raises(NotFound):
            await far
    await house.desk.return_to_service(out.id, LI)
    with pytest.raises(Conflict):
        await house.desk.put_back(PRESS, LI)
    assert await house.events(out) == ["out-of-service", "returned"]
    assert (len(house.desk.watched(LI)), house.desk.watched(STRANGER)) == (1, [])


# ------------------------------------------------------------------ latched
async def test_a_latched_alarm_stays_until_somebody_resets_it(house: RuleHouse) -> None:
    house.furnish(LATCHED)
    async with house.running():
        await house.say(1, 92)
        alarm = await house.only_alarm()
        with pytest.raises(Conflict) as no:
            await house.desk.reset(alarm.id, LI)
        assert no.value.code == "still-active"
        await house.desk.acknowledge(alarm.id, LI)
        await house.say(2, 60)
        assert (await house.only_alarm()).state is S.ACKED
        await house.say(3, 92)
        assert (await house.only_alarm()).state is S.UNACKED
        assert await told(house) == ["raised", "cleared", "raised"], "raised anew is said anew"
        assert await said_again(house) == [False, False, False]
        await house.say(4, 60)
    async with house.running():
        assert (await house.only_alarm()).state is S.RTN_UNACKED
        assert (await house.desk.reset(alarm.id, WANG)).state is S.NORMAL
    [*_, last] = await house.lines(alarm)
    assert (last.event, last.by) == ("reset", WANG.id)


# ------------------------------------------------------------------ sounding again
async def test_what_is_acknowledged_and_forgotten_sounds_again_even_after_a_crash(house: RuleHouse) -> None:
    house.furnish(FORGOTTEN)
    async with house.running():
        await house.say(1, 92)
        alarm = await house.only_alarm()
        await house.desk.acknowledge(alarm.id, LI)
        await house.turn(5)
    house.clock.turn(580)
    async with house.running():
        await house.turn(10)
        assert (await house.only_alarm()).state is S.ACKED
        await house.turn(10)
        again = await house.only_alarm()
        assert (again.state, again.acked_by, again.owner) == (S.UNACKED, "", LI.id)
        await house.turn(5)
    assert await told(house) == ["raised", "raised"], "and only once"
    assert await said_again(house) == [False, True]
    assert await house.events(alarm) == ["raised", "acked", "realarmed"]
    assert (await house.intents()).count(("open-ticket", "")) == 1


async def test_an_alarm_whose_rule_has_become_more_urgent_sounds_again(house: RuleHouse) -> None:
    house.furnish({**HOT, "priority": "high"})
    async with house.running():
        await house.say(1, 92)
        await house.desk.acknowledge((await house.only_alarm()).id, LI)
    house.furnish(HOT)
    async with house.running():
        await house.turn(1)
        alarm = await house.only_alarm()
    assert (alarm.state, alarm.priority) == (S.UNACKED, Priority.CRITICAL)
    assert (await house.events(alarm))[-1] == "priority"


# ------------------------------------------------------------------ who answers for it
async def test_raised_again_a_shift_later_it_belongs_to_who_is_on_duty_then(house: RuleHouse) -> None:
    """Noon in UTC is eight in the evening in Shanghai."""
    early = Shift(Words("白班", "Day"), time(8), time(21), on_duty={"p1": LI.id})
    late = Shift(Words("夜班", "Night"), time(21), time(8), on_duty={"p1": WANG.id})
    house.plant = replace(house.plant, shifts=(early, late))
    house.furnish(HOT)
    [rule] = house.rules

    async def happens(event: Raised | Cleared) -> Alarm:
        async with house.ledger.begin() as tx:
            alarm = await house.book.condition(tx, rule, event)
        assert alarm is not None
        return alarm

    assert (await happens(Raised(at(1), 92))).owner == LI.id
    await happens(Cleared(at(2), 60))
    house.clock.turn(2 * 3600)
    again = await happens(Raised(at(7200), 93))
    assert (again.owner, again.count) == (WANG.id, 2)
    await house.desk.acknowledge(again.id, BOSS)
    await house.desk.shelve(again.id, BOSS, house.clock.now() + timedelta(hours=1), "x")
    assert (await house.desk.unshelve(again.id, BOSS)).owner == BOSS.id, "acknowledged in this shift"


# ------------------------------------------------------------------ a crash in every state
@pytest.mark.parametrize(
    "state", [S.UNACKED, S.ACKED, S.RTN_UNACKED, S.SHELVED, S.SUPPRESSED, S.OUT_OF_SERVICE]
)
async def test_a_crash_changes_nothing_in_any_state(house: RuleHouse, state: AlarmState) -> None:
    house.furnish(WHILE_OFF)
    async with house.running():
        await house.say(1, EXECUTING, "state")
        await house.say(2, 92)
        alarm = await house.only_alarm()
        match state:
            case S.ACKED:
                await house.desk.acknowledge(alarm.id, LI)
            case S.RTN_UNACKED:
                await house.say(3, 60)
            case S.SHELVED:
                await house.desk.shelve(alarm.id, LI, at(3600), "x")
            case S.SUPPRESSED:
                await house.say(3, OFF, "state")
                await house.turn(1)
            case S.OUT_OF_SERVICE:
                await house.desk.out_of_service(alarm.id, LI, "x")
        before, intents = await house.only_alarm(), await house.intents()
        assert before.state is state
    for _ in range(2):
        async with house.running():
            await house.turn(2)
    assert await house.only_alarm() == before
    assert await house.intents() == intents


async def test_a_machine_that_is_off_and_then_not_heard_is_still_off_after_a_crash(house: RuleHouse) -> None:
    house.furnish(WHILE_OFF)
    async with house.running():
        await house.say(1, OFF, "state")
        await house.say(2, 92)
        await house.turn(30)
    assert (await house.ledger.current_states())[PRESS].state is EquipmentState.UNKNOWN
    async with house.running():
        await house.turn(30)
        assert (await house.only_alarm()).state is S.SUPPRESSED
    assert await house.intents() == []
