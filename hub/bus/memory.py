"""The bus of one process: bounded queues, the same promises as the streams of Redis."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.bus.standing import Standing
from hub.clock import SystemClock
from hub.model.stamp import Stamp
from hub.ports import Clock, Delivery

DURABLE_LIMIT = 2_000  # entries a group may be behind before publishers wait
LISTENER_LIMIT = 1_000  # entries a listener may be behind before it loses the oldest
LOOK_AGAIN = 1.0  # seconds between looks at who keeps a publisher waiting


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    body: bytes
    stamp: Stamp | None
    at: datetime
    since: float  # monotonic


class _Group:
    """Entries not yet acknowledged, oldest first, and how many of them are out with the consumer."""

    def __init__(self) -> None:
        self.entries: deque[_Entry] = deque()
        self.handed = self.acked = 0
        self.gone = 0  # entries that went on without it, and it does not know yet
        self.changed = asyncio.Condition()


class MemoryBus:
    """`groups` names the consumer groups of each durable topic, so that nothing published before a consumer
    has come is lost to it. The first one puts what it acknowledges on record; one of the others that stands
    still while the bus is full is not given what is on record (see hub.bus.standing)."""

    def __init__(
        self, groups: Mapping[str, Sequence[str]], limit: int = DURABLE_LIMIT, clock: Clock | None = None
    ) -> None:
        self._groups = {topic: {name: _Group() for name in names} for topic, names in groups.items()}
        self._limit = limit
        self._clock = clock or SystemClock()
        self._standing = Standing()
        self._next = 0
        self._listeners: dict[str, set[_Listener]] = {}

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None:
        self._next += 1
        entry = _Entry(self._next, body, stamp, self._clock.now(), self._clock.monotonic())
        for name, group in self._groups.get(topic, {}).items():
            async with group.changed:
                while len(group.entries) >= self._limit:
                    if not self._left_behind(topic, name):
                        await self._something_acknowledged(group)
                group.entries.append(entry)
                group.changed.notify_all()

    async def _something_acknowledged(self, group: _Group) -> None:
        """Or it is time to look again."""
        watch = asyncio.create_task(self._in_a_while(group))
        try:
            await group.changed.wait()
        finally:
            watch.cancel()

    async def _in_a_while(self, group: _Group) -> None:
        await self._clock.sleep(LOOK_AGAIN)
        async with group.changed:
            group.changed.notify_all()

    def _left_behind(self, topic: str, name: str) -> bool:
        """Whether there is room in the group's queue, because it stands still and what is on record went."""
        keeper, group = next(iter(self._groups[topic].values())), self._groups[topic][name]
        if group is keeper or len(keeper.entries) > self._limit // 2:
            return False
        if not self._standing.still(topic, name, group.acked, self._clock.monotonic()):
            return False
        not_on_record = {entry.number for entry in keeper.entries}
        before = len(group.entries)
        while group.entries and group.entries[0].number not in not_on_record:
            group.entries.popleft()
        gone = before - len(group.entries)
        group.handed = max(group.handed - gone, 0)
        group.gone += gone
        self._standing.tell(topic, name, gone)
        return gone > 0

    async def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        queue = self._groups[topic][group]
        queue.handed = 0  # a new consumer: what the last one never acknowledged comes again
        while True:
            async with queue.changed:
                while queue.handed >= len(queue.entries):
                    await queue.changed.wait()
                entry = queue.entries[queue.handed]
                queue.handed += 1
            yield self._delivery(queue, entry)

    def _delivery(self, queue: _Group, entry: _Entry) -> Delivery:
        age = self._clock.monotonic() - entry.since + (entry.stamp.age if entry.stamp else 0.0)
        gone = queue.gone
        return Delivery(
            entry.body, "", lambda: self._ack(queue, entry.number, gone), entry.stamp, entry.at, age, gone > 0
        )

    async def _ack(self, queue: _Group, number: int, told: int) -> None:
        queue.acked += 1
        queue.gone = max(queue.gone - told, 0)
        async with queue.changed:
            for at, entry in enumerate(queue.entries):
                if entry.number == number:
                    del queue.entries[at]
                    queue.handed -= 1
                    queue.changed.notify_all()
                    return

    async def ahead(self, topic: str, group: str, of: str) -> list[bytes]:
        groups = self._groups.get(topic, {})
        if group not in groups or of not in groups:
            return []
        waiting = {entry.number for entry in groups[group].entries}
        return [e.body for e in groups[of].entries if e.number not in waiting]

    async def behind(self, topic: str) -> dict[str, int]:
        return {name: len(g.entries) for name, g in self._groups.get(topic, {}).items()}

    async def shout(self, topic: str, body: bytes) -> None:
        for listener in self._listeners.get(topic, ()):
            listener.put(body)

    async def listen(self, topic: str) -> AsyncIterator[bytes]:
        listener = _Listener()
        self._listeners.setdefault(topic, set()).add(listener)
        try:
            while True:
                yield await listener.get()
        finally:
            self._listeners[topic].discard(listener)

    async def healthy(self) -> bool:
        return True

    async def close(self) -> None:
        return None


class _Listener:
    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque(maxlen=LISTENER_LIMIT)
        self._there = asyncio.Event()

    def put(self, body: bytes) -> None:
        self._waiting.append(body)
        self._there.set()

    async def get(self) -> bytes:
        while not self._waiting:
            self._there.clear()
            await self._there.wait()
        return self._waiting.popleft()
