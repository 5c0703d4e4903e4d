"""A small plant, a record kept in memory and a clock turned by hand: the stage that feed tests play on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import orjson

from hub.bus.memory import MemoryBus
from hub.errors import Transient
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.batch import SampleBatch
from hub.model.equipment import Count, Equipment, EquipmentLevel, EquipmentState, StateSpan
from hub.model.production import JobProgress, OrderChange, WorkOrder
from hub.model.sample import Tag
from hub.model.ticket import MaintenanceTicket
from hub.model.words import Words
from hub.ports import EVENTS, SAMPLES, Bus, Ledger, Plant, SampleStore
from hub.testing.clock import NOON, HandClock
from screens import merge
from screens.channel import Subscription
from screens.feed import Feed
from tests.buses import Overheard

L1, L2 = "p1/a/l1", "p1/a/l2"
M1, M2 = "p1/a/l1/m1", "p1/a/l2/m2"
TEMP1, TEMP2 = f"{M1}/temp", f"{M2}/temp"


def small_plant() -> Plant:
    nodes = [
        Equipment("p1", EquipmentLevel.SITE, Words("厂", "plant")),
        Equipment("p1/a", EquipmentLevel.AREA, Words("间", "area")),
        Equipment(L1, EquipmentLevel.WORK_CENTER, Words("一线", "line 1")),
        Equipment(
            M1,
            EquipmentLevel.WORK_UNIT,
            Words("冲压机", "press"),
            ideal_cycle=timedelta(minutes=1),
            state_tag=TEMP1,
        ),
        Equipment(L2, EquipmentLevel.WORK_CENTER, Words("二线", "line 2")),
        Equipment(M2, EquipmentLevel.WORK_UNIT, Words("铣床", "mill")),
    ]
    tags = [Tag(1, TEMP1, Words("温度", "temp"), "℃"), Tag(2, TEMP2, Words("温度", "temp"), "℃")]
    return Plant(nodes[0], {n.path: n for n in nodes}, {t.path: t for t in tags}, "UTC", targets={L1: 60})


@dataclass
class PaperLedger:
    """Only the reading half, and only what screens ask for. `away` makes every question fail."""

    alarms: list[Alarm] = field(default_factory=list)
    ended: list[Alarm] = field(default_factory=list)
    tickets: list[MaintenanceTicket] = field(default_factory=list)
    closed: list[MaintenanceTicket] = field(default_factory=list)
    spans: list[StateSpan] = field(default_factory=list)
    counted: list[Count] = field(default_factory=list)
    booked: list[WorkOrder] = field(default_factory=list)
    done: list[JobProgress] = field(default_factory=list)
    changes: list[OrderChange] = field(default_factory=list)
    away: bool = False
    questions: int = 0

    def _ask(self) -> None:
        self.questions += 1
        if self.away:
            raise Transient("the database is away: test")

    async def open_alarms(self) -> list[Alarm]:
        self._ask()
        return list(self.alarms)

    async def recent_alarms(self, limit: int) -> list[Alarm]:
        self._ask()
        return [*self.alarms, *self.ended][:limit]

    async def open_tickets(self) -> list[MaintenanceTicket]:
        self._ask()
        return list(self.tickets)

    async def recent_tickets(self, limit: int) -> list[MaintenanceTicket]:
        self._ask()
        return [*self.closed, *self.tickets][:limit]

    async def current_states(self) -> dict[str, StateSpan]:
        self._ask()
        return {s.equipment: replace(s, until=None) for s in self.spans}

    async def states(self, since: datetime, until: datetime) -> list[StateSpan]:
        self._ask()
        return [replace(s, since=max(s.since, since), until=s.until or until) for s in self.spans]

    async def counts(self, since: datetime, until: datetime) -> list[Count]:
        self._ask()
        return [c for c in self.counted if since <= c.at < until]

    async def orders(self) -> list[WorkOrder]:
        self._ask()
        return list(self.booked)

    async def order_changes(self) -> list[OrderChange]:
        self._ask()
        return list(self.changes)

    async def progress(self) -> list[JobProgress]:
        self._ask()
        return list(self.done)


@dataclass
class PaperSamples:
    batch: SampleBatch | None = None

    async def newest(self, tags: Sequence[int]) -> SampleBatch:
        return self.batch or SampleBatch.at([], NOON, [])


class Reader:
    """A browser: keeps the board it would show, and complains as it would about a gap."""

    def __init__(self, place: Subscription) -> None:
        self.place = place
        self.board: dict[str, Any] = {}
        self.seq = 0
        self.frames: list[dict[str, Any]] = []

    def take(self, text: str) -> dict[str, Any]:
        frame: dict[str, Any] = orjson.loads(text)
        if frame["type"] == "snapshot":
            self.board = frame["board"]
        elif frame["type"] == "patch":
            assert frame["seq"] == self.seq + 1, "a gap in the sequence"
            self.board = merge.apply(frame["board"], self.board)
        else:
            assert frame["seq"] == self.seq
        self.seq = frame["seq"]
        self.frames.append(frame)
        return frame

    async def next(self, kind: str = "") -> dict[str, Any]:
        """The next frame (of a kind); what comes before it is taken as well."""
        async with asyncio.timeout(5):
            while True:
                text = await self.place.take()
                assert text is not None, "let go"
                frame = self.take(text)
                if not kind or frame["type"] == kind:
                    return frame

    async def drain(self) -> list[dict[str, Any]]:
        """Everything that waits now."""
        out = []
        while self.place.waiting:
            out.append(await self.next())
        return out


class Stage:
    def __init__(self, bus: Bus | None = None) -> None:
        self.plant = small_plant()
        self.clock = HandClock()
        self.ledger = PaperLedger()
        self.samples = PaperSamples()
        self.bus = Overheard(bus or MemoryBus({}))
        self.health: dict[str, Any] = {"sources": {}, "outbox_oldest": 0, "parts_down": []}
        self.feed = Feed(
            self.plant,
            cast(Ledger, self.ledger),
            cast(SampleStore, self.samples),
            self.bus,
            self.clock,
            lambda: self.health,
            reads={"silent": (2,)},
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Stage]:
        task = asyncio.create_task(self.feed.run())
        try:
            async with asyncio.timeout(5):
                await self.feed.ready.wait()
            await self.bus.listening()
            await self.settle()
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    @asynccontextmanager
    async def reader(self, *scopes: str) -> AsyncIterator[Reader]:
        async with self.feed.watch(scopes or ("p1",)) as place:
            yield Reader(place)

    async def turn(self, seconds: float) -> None:
        """Time passes in steps, and everybody who is due gets their turn in each."""
        await self.settle()
        for _ in range(round(seconds / 0.05)):
            self.clock.turn(0.05)
            await self.settle()

    async def settle(self) -> None:
        await self.bus.taken_in()
        await settle()

    async def say(self, tag: int, value: float, source: str = "plc", status: int = 0) -> None:
        batch = SampleBatch.at([tag], self.clock.now(), [value], source, status)
        await self.bus.shout(SAMPLES, batch.to_bytes())
        await self.settle()

    async def hint(self, kind: str) -> None:
        await self.bus.shout(EVENTS, orjson.dumps({"kind": kind}))
        await self.settle()


async def settle() -> None:
    """Let everybody run until they wait for something."""
    for _ in range(40):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for real I/O to have had its effect."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def alarm(number: int = 1, equipment: str = M1, priority: Priority = Priority.HIGH) -> Alarm:
    title = Words(f"油温高 {equipment}", f"oil hot {equipment}")
    return Alarm(
        "hot", f"{equipment}/temp", equipment, priority, title, AlarmState.UNACKED, number, condition=True,
        raised_at=NOON,
    )  # fmt: skip


def executing(machines: Iterable[str] = (M1, M2)) -> list[StateSpan]:
    return [StateSpan(m, EquipmentState.EXECUTING, NOON - timedelta(hours=1)) for m in machines]
