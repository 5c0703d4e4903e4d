"""A press with its rules on a real record, put together for tests: samples in, what follows on the record.

Time stands still until a test turns it. What a collector says goes onto the record (as the writer does) and
onto the bus (as the collectors do) with the same source times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from alert_rules.casebook import Casebook
from alert_rules.desk import AlarmDesk
from alert_rules.evaluator import Evaluator
from alert_rules.limit import HighLimit
from alert_rules.rulebook import RuleKind, rulebook
from alert_rules.runner import RuleRunner
from alert_rules.stale import NoDataRule
from hub.bus.memory import MemoryBus
from hub.model.alarm import Alarm, AlarmLine
from hub.model.batch import SampleBatch
from hub.model.equipment import Equipment, EquipmentLevel, EquipmentState
from hub.model.people import Person, Role, Shift
from hub.model.sample import Tag
from hub.model.stamp import Stamp
from hub.model.ticket import MaintenanceTicket
from hub.model.words import Words
from hub.ports import SAMPLES, Bus, Plant
from hub.store.ledger import PgLedger
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_table import TagTable
from hub.testing.clock import NOON, HandClock
from tests.buses import MakeBus

PRESS = "p1/a/l/press"
OIL = f"{PRESS}/oil_temp"
TAGS = ("oil_temp", "state", "fault", "good")
EXECUTING, FAULTED = 1, 7
TICKERS = 3  # loops of the runner that sleep between two looks
KINDS: Mapping[str, type[RuleKind]] = {
    "high-limit": HighLimit,
    "no-data": NoDataRule,
}

LI = Person("li", Words("李强", "Li Qiang"), frozenset({Role.TECHNICIAN}), ("p1",))
WANG = Person("wang", Words("王芳", "Wang Fang"), frozenset({Role.TECHNICIAN}), ("p1/a",))
BOSS = Person("boss", Words("厂长", "Manager"), frozenset({Role.MANAGER}), ("p1",))
STRANGER = Person("far", Words("远", "Far"), frozenset({Role.TECHNICIAN}), ("p2",))

HOT: Mapping[str, Any] = {
    "name": "hot", "kind": "high-limit", "tag": OIL, "limit": 80, "deadband": 5, "priority": "critical",
    "ticket": True, "tell": ["robot"],
}  # fmt: skip
NOT_HEARD: Mapping[str, Any] = {
    "name": "not-heard", "kind": "no-data", "equipment": PRESS, "after": "10s", "tell": ["robot"],
}  # fmt: skip


class StillClock(HandClock):
    """Knows how many sleep, so that a test can wait until everybody does."""

    @property
    def asleep(self) -> int:
        return sum(not woken.done() for _, woken in self._sleepers)


async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    """What the loop and the servers bring about; nobody turns the clock for it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while not await true():
                await asyncio.sleep(0.001)
            return
    raise AssertionError(f"did not happen: {what}")


def plant() -> Plant:
    site = Equipment("p1", EquipmentLevel.SITE, Words("厂", "Plant"))
    press = Equipment(
        PRESS, EquipmentLevel.WORK_UNIT, Words("压机", "Press"), erp_id="EQ-1", verify_cycles=3,
        state_tag=f"{PRESS}/state", good_tag=f"{PRESS}/good", fault_tag=f"{PRESS}/fault",
        state_map={EXECUTING: EquipmentState.EXECUTING, FAULTED: EquipmentState.FAULT},
    )  # fmt: skip
    tags = {
        f"{PRESS}/{n}": Tag(0, f"{PRESS}/{n}", Words(n, n), stale_after=timedelta(seconds=5)) for n in TAGS
    }
    people = {p.id: p for p in (LI, WANG, BOSS, STRANGER)}
    day = Shift(Words("白班", "Day"), time(0), time(0), on_duty={"p1": LI.id})
    return Plant(site, {"p1": site, PRESS: press}, tags, shifts=(day,), people=people)


class RuleHouse:
    """One plant on one record. `running` is one life of the rules; between two lives is a crash."""

    def __init__(
        self,
        pool: Pool,
        here: Plant,
        make_bus: MakeBus | None = None,
        groups: tuple[str, ...] = ("rules",),
    ) -> None:
        self.clock = StillClock()
        self.plant = here
        self.pool = pool
        self.ledger = PgLedger(pool, here.time_zone, self.clock)
        self.samples = PgSampleStore(pool)
        self.bus: Bus = (make_bus or MemoryBus)({SAMPLES: groups}, clock=self.clock)
        self.shouted: list[dict[str, Any]] = []
        self.life: asyncio.Task[None] | None = None
        self.furnish(HOT)

    def furnish(self, *blocks: Mapping[str, Any]) -> None:
        """The rules of the next life."""
        self.rules = rulebook(blocks, self.plant, KINDS, ["robot"])
        by_key = {(r.name, r.subject): r for r in self.rules}
        self.book = Casebook(self.plant, by_key, self.ledger, self.clock, self._shout, "http://hub/phone")
        self.desk = AlarmDesk(self.book)

    async def _shout(self, event: dict[str, Any]) -> None:
        self.shouted.append(event)

    # ---------------------------------------------------------------- the rules' lives
    @asynccontextmanager
    async def running(self) -> AsyncIterator[RuleRunner]:
        """Warm start, then at rest; at the end it is gone without a word, as after kill -9."""
        evaluator = Evaluator(self.plant, self.rules, self.clock.now())
        runner = RuleRunner(evaluator, self.book, self.bus, self.samples)
        self.life = asyncio.create_task(runner.run())
        try:
            await self._rest()
            yield runner
        finally:
            self.life.cancel()
            await asyncio.gather(self.life, return_exceptions=True)
            self.life = None

    async def _rest(self) -> None:
        """Every sample taken in and every ticker asleep; at once when nobody lives."""

        async def still() -> bool:
            if self.life is None:
                return True
            if self.life.done():
                self.life.result()
            return self.clock.asleep == TICKERS and (await self.bus.behind(SAMPLES)).get("rules") == 0

        await until(still, "the rules are at rest")

    async def turn(self, seconds: float) -> None:
        """Time passes in steps that wake every ticker."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            self.clock.turn(min(left, 0.5))
            await self._rest()

    # ---------------------------------------------------------------- what the machine says
    async def say(
        self,
        seconds: float,
        value: float,
        tag: str = "oil_temp",
        *,
        bad: bool = False,
        stored: bool = True,
        stamp: Stamp | None = None,
    ) -> None:
        """At this source time; the clock is turned there first when it is ahead. `stored`: the writer has put
        it on record when it reaches the bus."""
        at = NOON + timedelta(seconds=seconds)
        if at > self.clock.now():
            await self.turn((at - self.clock.now()).total_seconds())
        batch = SampleBatch.at([self.plant.tags[f"{PRESS}/{tag}"].number], at, [value],
                               status=0x80310000 if bad else 0)  # fmt: skip
        if stored:
            await self.samples.write([batch])
        await self.bus.publish(SAMPLES, batch.to_bytes(), stamp)
        await self._rest()

    # ---------------------------------------------------------------- what is on the record
    async def alarms(self) -> list[Alarm]:
        return list(reversed(await self.ledger.recent_alarms(100)))

    async def only_alarm(self) -> Alarm:
        [alarm] = await self.alarms()
        return alarm

    async def lines(self, alarm: Alarm) -> list[AlarmLine]:
        return await self.ledger.alarm_lines(alarm.id)

    async def events(self, alarm: Alarm) -> list[str]:
        return [line.event for line in await self.lines(alarm)]

    async def ticket(self) -> MaintenanceTicket:
        [ticket] = await self.ledger.recent_tickets(10)
        return ticket

    async def intents(self) -> list[tuple[str, str]]:
        """(kind, event or state) of everything in the outbox, oldest first."""
        async with self.pool.connection() as connection:
            rows = await (await connection.execute("select kind, payload from outbox order by id")).fetchall()
        return [(r["kind"], r["payload"].get("event") or r["payload"].get("state") or "") for r in rows]


@asynccontextmanager
async def rule_house(
    dsn: str,
    make_bus: MakeBus | None = None,
    connections: int = 6,
    groups: tuple[str, ...] = ("rules",),
) -> AsyncIterator[RuleHouse]:
    pool = await open_pool(dsn, max_size=connections, timeout=5.0)
    try:
        bare = plant()
        numbers = await TagTable(pool).number(bare.tags)
        tags = {p: replace(t, number=numbers[p]) for p, t in bare.tags.items()}
        yield RuleHouse(pool, replace(bare, tags=tags), make_bus, groups)
    finally:
        await pool.close()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
