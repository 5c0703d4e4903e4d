"""Why machines stood, on a real server: two people at once, late data, and being asked once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from alert_rules.stop_asking import StopAsker
from alert_rules.stop_desk import StopReasonDesk
from hub.errors import Conflict, Refused
from hub.kpi.stops import laid_out, version
from hub.model.equipment import Equipment, EquipmentLevel, StateSpan
from hub.model.equipment import EquipmentState as S
from hub.model.people import Person, Role
from hub.model.words import Words
from hub.notices import Notices
from hub.ports import Plant, SeenStop
from hub.store import machines
from hub.store.pool import Pool, open_pool
from hub.store.stops import PgStops
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


def person(who: str, role: Role = Role.OPERATOR) -> Person:
    return Person(who, Words(who, who), frozenset({role}), ("p1",))


ANNA, BO = person("anna"), person("bo")
SITE = Equipment("p1", EquipmentLevel.SITE, Words("一厂", "Plant 1"))
MILL, SAW = (
    Equipment(f"p1/a/l/{name}", EquipmentLevel.WORK_UNIT, Words(name, name), "mill")
    for name in ("mill", "saw")
)
PLANT = Plant(SITE, {n.path: n for n in (SITE, MILL, SAW)}, {}, people={p.id: p for p in (ANNA, BO)})


def at(minutes: float) -> datetime:
    return NOON + minutes * MINUTE


class Floor:
    """The record, a desk and an asker as one start of the hub makes them."""

    def __init__(self, pool: Pool, clock: HandClock) -> None:
        self.pool, self.clock = pool, clock
        self.shouted: list[dict[str, Any]] = []
        self.restart()

    def restart(self) -> None:
        self.record = PgStops(self.pool)
        self.desk = StopReasonDesk(PLANT, self.record, self.clock, self._shout)
        notices = Notices(PLANT, ("robot",), "http://hub/phone")
        self.asker = StopAsker(PLANT, self.desk, self.record, self.clock, notices)

    async def _shout(self, event: dict[str, Any]) -> None:
        self.shouted.append(event)

    async def was(self, machine: Equipment, *changes: tuple[float, S]) -> None:
        async with self.pool.connection() as connection:
            await machines.add_states(connection, [StateSpan(machine.path, s, at(m)) for m, s in changes])

    async def stops(self, machine: Equipment = MILL) -> list[SeenStop]:
        return await self.desk.seen([machine], at(-600), self.clock.now())

    async def told(self) -> list[str]:
        async with self.pool.connection() as connection:
            rows = await (await connection.execute("select payload from outbox order by id")).fetchall()
        return [row["payload"]["title"]["en"] for row in rows]


def parts(seen: SeenStop) -> list[tuple[float, float, str]]:
    return [
        ((p.start - NOON) / MINUTE, (p.end - NOON) / MINUTE, p.reason)
        for p in laid_out(seen.stop, seen.parts)
    ]


def seen_version(seen: SeenStop) -> int:
    return version(seen.stop, seen.parts)


@pytest.fixture
async def floor(any_dsn: str) -> AsyncIterator[Floor]:
    pool = await open_pool(any_dsn)
    clock = HandClock()
    clock.turn(3600)  # NOON + 60 min
    made = Floor(pool, clock)
    await made.was(MILL, (0, S.EXECUTING), (10, S.FAULT), (20, S.IDLE), (40, S.EXECUTING))
    yield made
    await pool.close()


async def test_a_reason_is_given_split_changed_and_merged_and_nothing_is_forgotten(floor: Floor) -> None:
    [before] = await floor.stops()
    assert before.waits
    said = await floor.desk.explain(MILL, at(10), 0, ANNA, "jam", "feeder")
    said = await floor.desk.split(MILL, at(10), seen_version(said), BO, at(25))
    said = await floor.desk.explain(MILL, at(10), seen_version(said), BO, "tooling", part=at(25))
    assert parts(said) == [(10, 25, "jam"), (25, 40, "tooling")]
    said = await floor.desk.merge(MILL, at(10), seen_version(said), ANNA, at(25), keep_later=True)
    assert parts(said) == parts((await floor.stops())[0]) == [(10, 40, "tooling")]
    lines = await floor.desk.history(MILL, at(10))
    assert [(x.part.reason, x.replaced_by) for x in lines] == [
        ("jam", "bo"), ("jam", "anna"), ("jam", "bo"), ("tooling", "anna"), ("tooling", ""),
    ]  # fmt: skip
    assert floor.shouted == [{"kind": "stop", "equipment": MILL.path}] * 4


async def test_of_two_people_at_once_one_is_told_who_was_faster(floor: Floor) -> None:
    tries = await asyncio.gather(
        *(floor.desk.explain(MILL, at(10), 0, who, why) for who, why in ((ANNA, "jam"), (BO, "other"))),
        return_exceptions=True,
    )
    [lost] = [t for t in tries if isinstance(t, Conflict)]
    [won] = [t for t in tries if isinstance(t, SeenStop)]
    assert (lost.code, str(lost)) == ("stop-changed", won.parts[0].by)
    assert (await floor.stops())[0].parts == won.parts


async def test_many_hands_on_one_stop_leave_no_overlap_and_no_gap(floor: Floor) -> None:
    async def hand(n: int) -> None:
        for _ in range(4):
            [seen] = await floor.stops()
            try:
                await floor.desk.split(MILL, at(10), seen_version(seen), ANNA, at(11 + n))
                return
            except Conflict:
                continue
            except Refused:
                return

    await asyncio.gather(*(hand(n) for n in range(6)))
    [seen] = await floor.stops()
    pieces = laid_out(seen.stop, seen.parts)
    assert len(pieces) > 2
    assert [p.end for p in pieces[:-1]] == [p.start for p in pieces[1:]]
    assert (pieces[0].start, pieces[-1].end) == (at(10), at(40))


async def test_the_database_itself_takes_no_two_parts_of_one_time(floor: Floor) -> None:
    add = (
        "insert into stop_parts (equipment, since, until, reason, note, by, at, opens, closes) "
        "values (%s, %s, %s, 'jam', '', 'x', now(), true, true)"
    )
    async with floor.pool.connection() as connection:
        await connection.execute(add, [MILL.path, at(10), at(20)])
        await connection.execute(add, [MILL.path, at(20), at(30)])  # they meet
        await connection.execute(add, [SAW.path, at(10), at(20)])
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await connection.execute(add, [MILL.path, at(19), at(21)])


async def test_late_data_moves_the_edges_and_keeps_the_reasons(floor: Floor) -> None:
    said = await floor.desk.explain(MILL, at(10), 0, ANNA, "jam")
    said = await floor.desk.split(MILL, at(10), seen_version(said), ANNA, at(25))
    await floor.desk.explain(MILL, at(10), seen_version(said), ANNA, "tooling", part=at(25))
    await floor.was(MILL, (8, S.HELD), (30, S.EXECUTING), (33, S.FAULT))
    first, second = await floor.stops()
    assert parts(first) == [(8, 25, "jam"), (25, 30, "tooling")]
    assert parts(second) == [(33, 40, "tooling")]


async def test_a_stop_that_is_not_there_any_more_is_a_conflict(floor: Floor) -> None:
    with pytest.raises(Conflict) as moved:
        await floor.desk.explain(MILL, at(45), 0, ANNA, "jam")
    assert moved.value.code == "stop-moved"


async def test_a_reason_that_is_not_of_this_machine_is_refused(floor: Floor) -> None:
    with pytest.raises(Refused) as unknown:
        await floor.desk.explain(MILL, at(10), 0, ANNA, "sunshine")
    assert unknown.value.code == "stop-reason-unknown"


async def test_what_is_usually_said_of_a_machine_comes_first(floor: Floor) -> None:
    await floor.desk.explain(MILL, at(10), 0, ANNA, "tooling")
    usual = await floor.desk.usual([MILL, SAW])
    assert [r.code for r in usual[MILL.path]][:2] == ["tooling", "mechanical"]
    assert usual[SAW.path][0].code == "mechanical"


# ------------------------------------------------------------------ asked once
async def test_whoever_is_there_is_asked_once_also_by_a_hub_that_started_again(floor: Floor) -> None:
    await floor.asker.round()
    await floor.asker.round()
    floor.restart()
    await floor.asker.round()
    assert await floor.told() == ["mill has stood for 30 min: say why"]
    assert floor.asker.detail() == {"waiting_for_reason": 1}


async def test_late_data_on_a_stop_that_was_asked_about_asks_nobody_again(floor: Floor) -> None:
    await floor.asker.round()
    await floor.was(MILL, (7, S.HELD))
    await floor.asker.round()
    assert len(await floor.told()) == 1


async def test_a_short_stop_an_explained_one_and_an_old_one_are_asked_of_nobody(floor: Floor) -> None:
    await floor.desk.explain(MILL, at(10), 0, ANNA, "jam")
    await floor.was(SAW, (-900, S.FAULT), (-800, S.EXECUTING), (10, S.IDLE), (12, S.EXECUTING))
    await floor.asker.round()
    assert await floor.told() == []


async def test_a_stop_that_lasts_is_asked_about_when_its_minutes_are_over(floor: Floor) -> None:
    await floor.desk.explain(MILL, at(10), 0, ANNA, "jam")
    await floor.was(SAW, (0, S.EXECUTING), (57, S.FAULT))
    await floor.asker.round()
    assert await floor.told() == []
    floor.clock.turn(121)
    await floor.asker.round()
    floor.clock.turn(600)
    await floor.asker.round()
    assert await floor.told() == ["saw has stood for 5 min: say why"]


async def test_what_was_said_early_reaches_as_far_as_the_stop_is_known(floor: Floor) -> None:
    await floor.was(SAW, (0, S.EXECUTING), (59, S.FAULT))
    await floor.desk.explain(SAW, at(59), 0, ANNA, "jam")
    floor.clock.turn(1200)
    await floor.asker.round()
    await floor.was(SAW, (59.5, S.EXECUTING), (65, S.FAULT))  # it had run on for a while
    [_, late] = await floor.stops(SAW)
    assert parts(late) == [(65, 80, "jam")]


async def test_a_stop_that_moves_while_its_parts_are_settled_waits_for_the_next_round(floor: Floor) -> None:
    await floor.desk.explain(MILL, at(10), 0, ANNA, "jam")
    await floor.was(MILL, (8, S.HELD))
    seen = await floor.stops()
    assert seen[0].stop.start == at(8)
    async with floor.pool.connection() as connection:
        await connection.execute("delete from equipment_states where since < %s", [at(20)])
    await floor.desk.settle(seen)
    assert await floor.record.parts([MILL.path], at(0), at(9)) == []
