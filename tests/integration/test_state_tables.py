"""State tables activated while machines run: on the real record, through a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alert_rules.evaluator import Evaluator
from alert_rules.rule import Rule
from alert_rules.rulebook import rulebook
from alert_rules.runner import RuleRunner
from alert_rules.state import StateRule
from alert_rules.state_desk import StateTableDesk
from alert_rules.tables_in_use import MARK, TablesInUse, as_activated
from hub.model.alarm import AlarmState
from hub.model.equipment import EquipmentState as S
from hub.ports import Plant
from hub.store.mappings import PgMappings
from hub.store.raw_span import PgRawStates
from tests.buses import MakeBus
from tests.integration import rule_house as house_of
from tests.integration.rule_house import PRESS, RuleHouse, at, rule_house

pytestmark = pytest.mark.anyio
DOWN: Mapping[str, Any] = {
    "name": "down", "kind": "state", "equipment": PRESS, "states": ["fault"],
}  # fmt: skip


class StateHouse(RuleHouse):
    """Its rules follow the tables that people activate."""

    def furnish(self, *blocks: Mapping[str, Any]) -> None:
        super().furnish()
        self.rules = self.rules_of(self.plant)
        self.book.rules = {(r.name, r.subject): r for r in self.rules}
        self.tables = PgMappings(self.pool)
        self.states_desk = StateTableDesk(
            self.plant, self.tables, TablesInUse(self.plant, self.tables, self.rules_of),
            PgRawStates(self.pool), self.ledger, self.clock,
        )  # fmt: skip

    def rules_of(self, plant: Plant) -> list[Rule]:
        return rulebook([DOWN], plant, {"state": StateRule}, ["robot"])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RuleRunner]:
        tables = TablesInUse(self.plant, self.tables, self.rules_of)
        begun = await tables.resume(await self.ledger.mark(MARK))
        laid = replace(self.plant, equipment=self.plant.equipment | {m.path: m for m in begun.machines})
        evaluator = Evaluator(laid, as_activated(self.rules, begun.codes), self.clock.now())
        runner = RuleRunner(evaluator, self.book, self.bus, self.samples, tables)
        self.life = asyncio.create_task(runner.run())
        try:
            await self._rest()
            yield runner
        finally:
            self.life.cancel()
            await asyncio.gather(self.life, return_exceptions=True)
            self.life = None

    async def state(self, seconds: float, code: float) -> None:
        await self.say(seconds, code, "state")

    async def spans(self) -> list[tuple[S, datetime]]:
        told = await self.ledger.states(at(0), self.clock.now() + timedelta(seconds=1))
        return [(s.state, s.since) for s in told]


@pytest.fixture
async def house(dsn: str, make_bus: MakeBus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StateHouse]:
    monkeypatch.setattr(house_of, "TICKERS", house_of.TICKERS + 1)
    async with rule_house(dsn, make_bus) as made:
        yield StateHouse(made.pool, made.plant, make_bus)


def table(**codes: str) -> dict[str, Any]:
    return {"numbering": "own", "map": {code.removeprefix("c"): state for code, state in codes.items()}}


WIDER = table(c1="executing", c3="setup", c7="fault")
HARSH = table(c1="executing", c3="fault", c7="fault")


async def test_a_table_holds_from_its_activation_and_what_was_stays(house: StateHouse) -> None:
    async with house.running() as runner:
        await house.state(1, 1)
        await house.state(2, 3)
        await house.turn(0.5)
        seen = await house.states_desk.preview(PRESS, WIDER, 1)
        assert [(c["code"], c["current"]) for c in seen["codes"]] == [(1, "executing"), (3, None)]
        assert seen["seconds"]["current"] == seen["seconds"]["recorded"]
        await house.states_desk.save(PRESS, WIDER, 0, "boss", "3 is setup")
        await house.turn(2)
        assert (await house.spans())[-1] == (S.UNKNOWN, at(2)), "saved is not activated"
        await house.states_desk.activate(PRESS, 1, 0, "boss")
        assert runner.health()["state_tables"] == 0
        await house.state(5, 3)
        await house.turn(2)
        assert runner.health()["state_tables"] == 1
        (_, then), (_, unknown), (state, since) = (await house.spans())[-3:]
        assert (then, unknown, state) == (at(1), at(2), S.SETUP) and at(4) <= since <= at(7)
        before = await house.spans()
        await house.states_desk.activate(PRESS, 0, 1, "boss")
        await house.state(7, 3)
        await house.turn(2)
        assert (await house.spans())[:-1] == before and (await house.spans())[-1][0] is S.UNKNOWN


async def test_a_rule_on_a_state_raises_and_recovers_with_the_table(house: StateHouse) -> None:
    async with house.running():
        await house.state(1, 3)
        await house.states_desk.save(PRESS, HARSH, 0, "boss", "")
        await house.states_desk.activate(PRESS, 1, 0, "boss")
        await house.state(2, 3)
        await house.turn(2)
        assert (await house.only_alarm()).state is AlarmState.UNACKED
        await house.states_desk.activate(PRESS, 0, 1, "boss")
        await house.state(5, 3)
        await house.turn(2)
        assert (await house.only_alarm()).state is AlarmState.RTN_UNACKED


async def test_a_table_outlives_a_crash_and_one_activated_meanwhile_rewrites_nothing(
    house: StateHouse,
) -> None:
    async with house.running():
        await house.state(1, 3)
        await house.states_desk.save(PRESS, WIDER, 0, "boss", "")
        await house.states_desk.activate(PRESS, 1, 0, "boss")
        await house.state(2, 3)
        await house.turn(3)
        told = await house.spans()
        assert told[-1][0] is S.SETUP
    await house.states_desk.save(PRESS, HARSH, 1, "boss", "")
    await house.states_desk.activate(PRESS, 2, 1, "boss")
    async with house.running():
        await house.state(6, 3)
        await house.turn(1)
        assert (await house.spans())[: len(told)] == told
        state, since = (await house.spans())[-1]
        assert state is S.FAULT and since > at(5)


async def test_a_version_that_the_rules_cannot_use_leaves_the_files_table_and_says_so(
    house: StateHouse,
) -> None:
    await house.tables.save(f"states:{PRESS}", table(c1="executing"), 0, "boss", "", at(0))
    await house.tables.activate(f"states:{PRESS}", 1, 0, "boss", at(0))
    async with house.running() as runner:
        await house.state(1, 7)
        assert "no code of p1/a/l/press means fault" in runner.health()["state_tables_trouble"]
        assert (await house.spans())[-1][0] is S.FAULT
    assert "fault" in (await house.states_desk.machine(PRESS))["trouble"]


async def test_deleted_raw_samples_are_told_of(house: StateHouse) -> None:
    await house.state(1, 1)
    async with house.pool.connection() as connection:
        await connection.execute("insert into horizons (source, since) values ('raw', %s)", [at(0.5)])
    rows, gone = await PgRawStates(house.pool).span(
        house.plant.tags[f"{PRESS}/state"].number, at(0), at(9), 5
    )
    assert (len(rows), gone) == (1, at(0.5))
