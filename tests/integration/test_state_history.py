"""The states of the past derived anew by the table in use: on a real record, beside rules that run."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from alert_rules.state_again import StateHistoryDesk
from alert_rules.stop_desk import StopReasonDesk
from hub.errors import Conflict, RecordAway, Refused, Transient
from hub.model.batch import SampleBatch
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan
from hub.store.state_history import PgStateHistory
from hub.store.stops import PgStops
from tests.integration import rule_house as house_of
from tests.integration.rule_house import BOSS, LI, PRESS, at, rule_house
from tests.integration.test_state_tables import HARSH, WIDER, StateHouse

pytestmark = pytest.mark.anyio


class PastHouse(StateHouse):
    """With a desk at which the past is derived anew."""

    @property
    def past(self) -> StateHistoryDesk:
        return StateHistoryDesk(
            self.plant, self.states_desk.used, PgStateHistory(self.pool), PgStops(self.pool), self.ledger,
            self.clock, self._shout,
        )  # fmt: skip

    @property
    def stop_desk(self) -> StopReasonDesk:
        return StopReasonDesk(self.plant, PgStops(self.pool), self.clock, self._shout)

    async def codes(self, *said: tuple[float, float]) -> None:
        """Each stands until the next one, told every two seconds."""
        for (begin, code), (end, _) in zip(said, [*said[1:], (said[-1][0] + 1, 0)], strict=True):
            second = begin
            while second < end:
                await self.state(second, code)
                second += 2

    async def activate(self, number: int, table: dict[str, Any], active: int = 0) -> None:
        await self.states_desk.save(PRESS, table, number - 1, "boss", "")
        await self.states_desk.activate(PRESS, number, active, "boss")

    async def told(self, upto: float) -> list[tuple[S, float]]:
        spans = await self.ledger.states(at(0), at(upto))
        return [(s.state, (s.since - at(0)).total_seconds()) for s in spans]

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query.encode())).fetchall()


@pytest.fixture
async def house(dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PastHouse]:
    monkeypatch.setattr(house_of, "TICKERS", house_of.TICKERS + 1)
    async with rule_house(dsn) as made:
        yield PastHouse(made.pool, made.plant)


async def a_day(house: PastHouse) -> None:
    """It runs (1), does what nobody has named (3), runs; then 3 is named, and it does it again."""
    await house.codes((1, 1), (10, 3), (20, 1), (30, 1))
    await house.activate(1, WIDER)
    await house.codes((31, 1), (36, 3), (40, 3))


def seconds(report: dict[str, Any], name: str) -> dict[str, float]:
    return {str(k): v for k, v in report["seconds"][name].items()}


async def test_the_past_is_told_by_the_new_table_and_the_present_stays_the_rules(house: PastHouse) -> None:
    async with house.running():
        await a_day(house)
        before = await house.told(41)
        assert (S.UNKNOWN, 10.0) in before and (S.SETUP, 36.0) in before
        seen = await house.past.preview(PRESS, at(5))
        assert (await house.told(41)) == before, "looking changes nothing"
        assert (seconds(seen, "recorded")["unknown"], seconds(seen, "derived")["setup"]) == (10.0, 10.0)
        assert not seen["same"] and seen["changed"] > 0
        done = await house.past.apply(PRESS, at(5), seen["key"], "boss")
        assert done["done"]
        after = await house.told(41)
        assert after == [(S.SETUP if s is S.UNKNOWN else s, t) for s, t in before]
        assert {"kind": "past", "equipment": PRESS} in house.shouted
        again = await house.past.apply(PRESS, at(5), seen["key"], "boss")
        assert not again["done"] and again["same"], "asked for twice, done once"
        await house.codes((42, 3), (46, 1), (48, 1))
        assert (await house.told(50)) == [*after, (S.EXECUTING, 46.0)], (
            "the rules went on from what they knew"
        )
        assert await house.alarms() == [] and await house.intents() == []
    [line] = await house.rows("select * from audit where what = 'state-history.rederive'")
    assert (line["who"], line["about"], line["detail"]["number"]) == ("boss", PRESS, 1)
    assert line["detail"]["seconds"]["recorded"]["unknown"] == 10.0
    [book] = await house.past.done(PRESS)
    assert (book["by"], book["since"], book["report"]["seconds"]["derived"]["setup"]) == ("boss", at(5), 10.0)


async def test_with_the_same_table_nothing_changes(house: PastHouse) -> None:
    async with house.running():
        await house.codes((1, 1), (4, 7), (9, 1))
        await house.turn(9)  # silent for too long
        await house.codes((20, 3), (24, 1), (30, 1))
        await house.activate(1, WIDER)
        await house.codes((31, 1), (36, 1))
        await house.past.apply(PRESS, at(0), (await house.past.preview(PRESS, at(0)))["key"], "boss")
        told = await house.told(40)
        await house.activate(2, HARSH, 1)
        await house.codes((38, 1), (44, 1))
        await house.states_desk.activate(PRESS, 1, 2, "boss")
        await house.codes((46, 1), (52, 1))
        for since in (0, 3, 12, 21.5, 40):
            seen = await house.past.preview(PRESS, at(since))
            assert seen["same"], since
        assert (await house.told(40)) == told and (S.UNKNOWN, 14.0) in told


KILLED = """
import asyncio, sys
from tests.integration.rule_house import PRESS, at, rule_house
from tests.integration.test_state_history import PastHouse

async def main() -> None:
    dsn, now, key = sys.argv[1:]
    async with rule_house(dsn) as made:
        house = PastHouse(made.pool, made.plant)
        house.clock.turn(float(now))
        await house.past.apply(PRESS, at(5), key, "boss")

asyncio.run(main())
"""


async def test_a_kill_in_the_middle_leaves_the_record_as_it_was(house: PastHouse, dsn: str) -> None:
    async with house.running():
        await a_day(house)
    before = await house.rows("select * from equipment_states order by since")
    seen = await house.past.preview(PRESS, at(5))
    now = (house.clock.now() - at(0)).total_seconds()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, dsn, str(now), seen["key"],
        env=os.environ | {"ANDON_FAILPOINTS": "states.rederived:exit"},
    )  # fmt: skip
    assert await process.wait() == 137
    assert await house.rows("select * from equipment_states order by since") == before
    assert await house.rows("select * from state_histories") == []
    assert (await house.past.apply(PRESS, at(5), seen["key"], "boss"))["done"]
    assert (S.SETUP, 10.0) in await house.told(41)


async def test_what_changed_between_looking_and_doing_is_told_and_nothing_is_written(
    house: PastHouse,
) -> None:
    async with house.running():
        await a_day(house)
        seen = await house.past.preview(PRESS, at(5))
        async with house.ledger.begin() as tx:
            await tx.add_states(
                [StateSpan(PRESS, S.IDLE, at(25))]
            )  # told late, by a collector that was cut off
        with pytest.raises(Conflict) as refused:
            await house.past.apply(PRESS, at(5), seen["key"], "boss")
        assert refused.value.code == "states-moved"
        assert (S.UNKNOWN, 10.0) in await house.told(41)


async def test_where_others_write_for_long_it_gives_up_and_has_written_nothing(
    house: PastHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.state_history.NOT_FOR_LONG", "set local lock_timeout = '50ms'")
    history = PgStateHistory(house.pool)
    async with house.pool.connection() as other, other.transaction():
        await other.execute("lock table equipment_states in row exclusive mode")
        with pytest.raises(Transient, match="others are writing") as told:
            async with history.begin(PRESS) as tx:
                await tx.replace(at(0), at(9), [])
        assert not isinstance(told.value, RecordAway)
    async with history.begin(PRESS) as tx:
        assert await tx.changes(at(0), at(9)) == []


async def test_a_table_that_the_rules_have_not_taken_up_is_waited_for(house: PastHouse) -> None:
    with pytest.raises(Conflict) as refused:
        await house.past.preview(PRESS, at(0))
    assert refused.value.code == "states-not-taken-up"
    async with house.running():
        await house.codes((1, 1), (4, 1))
        await house.activate(1, WIDER)
        with pytest.raises(Conflict):
            await house.past.preview(PRESS, at(1))
        await house.turn(2)
        await house.past.preview(PRESS, at(1))
        with pytest.raises(Refused) as late:
            await house.past.preview(PRESS, at(500))
        assert late.value.code == "states-since"
        assert "2026-01-05 20:00:04" in str(late.value), "as the plant's clocks show it"


async def test_where_raw_samples_are_gone_the_record_stays(house: PastHouse) -> None:
    async with house.running():
        await a_day(house)
        async with house.pool.connection() as connection:
            await connection.execute("insert into horizons (source, since) values ('raw', %s)", [at(15)])
            await connection.execute("delete from samples where ts < %s", [at(15)])
        seen = await house.past.preview(PRESS, at(0))
        assert (seen["since"], seen["raw_gone"]) == (at(16), at(16))
        await house.past.apply(PRESS, at(0), seen["key"], "boss")
        assert (await house.told(41))[:4] == [
            (S.EXECUTING, 1.0), (S.UNKNOWN, 10.0), (S.SETUP, 16.0), (S.EXECUTING, 20.0),
        ]  # fmt: skip


async def test_a_device_whose_clock_is_ahead_is_refused(house: PastHouse) -> None:
    async with house.running():
        await a_day(house)
        await house.samples.write([sample(house, house.clock.now() + timedelta(hours=8))])
        with pytest.raises(Refused) as refused:
            await house.past.preview(PRESS, at(5))
        assert refused.value.code == "states-clock-ahead"


def sample(house: PastHouse, at_: datetime) -> SampleBatch:
    return SampleBatch.at([house.plant.tags[f"{PRESS}/state"].number], at_, [1])


async def test_a_reason_is_never_lost_when_its_stop_goes_and_holds_when_it_comes_back(
    house: PastHouse,
) -> None:
    async with house.running():
        await house.codes((1, 1), (4, 7), (10, 1), (20, 7), (30, 1), (40, 1))
        stop_desk = house.stop_desk
        for second in (5, 25):
            await stop_desk.explain(house.plant.equipment[PRESS], at(second), 0, LI, "jam", "as always")
        runs = {"numbering": "own", "map": {"1": "executing", "7": "executing", "9": "fault"}}
        await house.activate(1, runs)
        await house.codes((41, 1), (46, 1))
        seen = await house.past.preview(PRESS, at(15))
        assert (seen["reasons_touched"], seen["reasons_left"]) == (1, 1)
        [left] = seen["reasons"]
        assert (left["reason"], left["by"], left["after"]) == ("jam", LI.id, [])
        assert left["before"] == [(at(20), at(30))]
        assert seen["figures"]["recorded"]["stops"] == 1 and seen["figures"]["derived"]["stops"] == 0
        await house.past.apply(PRESS, at(15), seen["key"], BOSS.id)
        [one] = await stop_desk.seen([house.plant.equipment[PRESS]], at(0), at(60))
        assert one.stop.start == at(4), "the other one was before, and stays"
        [book] = await house.past.done(PRESS)
        assert book["report"]["reasons"][0]["reason"] == "jam"
        await house.states_desk.activate(PRESS, 0, 1, "boss")
        await house.codes((48, 1), (54, 1))
        back = await house.past.preview(PRESS, at(15))
        await house.past.apply(PRESS, at(15), back["key"], BOSS.id)
        seen_again = await stop_desk.seen([house.plant.equipment[PRESS]], at(0), at(60))
        assert [[p.reason for p in s.parts] for s in seen_again] == [["jam"], ["jam"]]
    assert len(await house.rows("select * from stop_parts where replaced_at is null")) == 2


async def test_a_stop_of_the_past_is_asked_of_nobody(house: PastHouse) -> None:
    async with house.running():
        await house.codes((1, 1), (10, 3), (20, 1), (30, 1))
        await house.activate(1, HARSH)
        await house.codes((31, 1), (36, 1))
        seen = await house.past.preview(PRESS, at(5))
        assert seen["figures"]["derived"]["stops"] == 1
        await house.past.apply(PRESS, at(5), seen["key"], "boss")
        assert await PgStops(house.pool).asked(at(0)) == [(PRESS, at(10), at(20))]
        assert await house.alarms() == [] and await house.intents() == []


async def test_a_table_taken_up_at_a_restart_tells_the_past_as_well(house: PastHouse) -> None:
    async with house.running():
        await house.codes((1, 1), (10, 3), (20, 3), (24, 3))
    await house.activate(1, WIDER)
    async with house.running():
        await house.codes((30, 3), (34, 3), (40, 1))
        seen = await house.past.preview(PRESS, at(5))
        await house.past.apply(PRESS, at(5), seen["key"], "boss")
        told = await house.told(41)
        assert (S.SETUP, 10.0) in told and told[-1] == (S.EXECUTING, 40.0)
        assert (await house.past.preview(PRESS, at(5)))["same"]
