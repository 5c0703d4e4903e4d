"""Both buses for whoever needs one: in process, and a real Valkey server, one for the session."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pytest

from hub.bus.memory import DURABLE_LIMIT, MemoryBus
from hub.bus.redis_streams import RedisBus
from hub.ports import Bus, Clock

PATIENCE = 20.0  # seconds
_numbers = itertools.count(1)


class MakeBus(Protocol):
    """Buses of one test share the server, as the processes of one plant do; no other test sees theirs."""

    def __call__(
        self, groups: Mapping[str, Sequence[str]], *, limit: int = ..., clock: Clock | None = ...
    ) -> Bus: ...


@pytest.fixture(params=["memory", "valkey"])
async def make_bus(request: pytest.FixtureRequest) -> AsyncIterator[MakeBus]:
    """Asks for both kinds, one after the other; what it made is closed after the test."""
    made: list[Bus] = []
    prefix = f"t{next(_numbers)}:"

    def make(
        groups: Mapping[str, Sequence[str]], *, limit: int = DURABLE_LIMIT, clock: Clock | None = None
    ) -> Bus:
        if request.param == "memory":
            made.append(MemoryBus(groups, limit, clock))
        else:
            made.append(RedisBus(request.getfixturevalue("redis_server"), groups, limit, prefix))
        return made[-1]

    yield make
    for bus in made:
        await bus.close()


class Overheard:
    """A bus that knows when everybody who listens has taken in everything that was shouted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._said: Counter[str] = Counter()
        self._ears: list[_Ear] = []
        self.publish, self.consume = bus.publish, bus.consume
        self.ahead, self.behind = bus.ahead, bus.behind
        self.healthy, self.close = bus.healthy, bus.close

    async def shout(self, topic: str, body: bytes) -> None:
        self._said[topic] += 1
        await self._bus.shout(topic, body)

    async def listen(self, topic: str) -> AsyncIterator[bytes]:
        ear = _Ear(topic, self._said[topic])
        self._ears.append(ear)
        try:
            async for body in self._bus.listen(topic):
                yield body
                ear.taken += 1  # they have come back for more
        finally:
            self._ears.remove(ear)

    async def listening(self) -> None:
        """Until the server knows of everybody who listens."""
        if isinstance(self._bus, RedisBus):
            redis, prefix = self._bus._redis, self._bus._prefix
            async with asyncio.timeout(PATIENCE):
                for topic, ears in Counter(e.topic for e in self._ears).items():
                    while (await redis.pubsub_numsub(prefix + topic))[0][1] < ears:
                        await asyncio.sleep(0.001)

    async def taken_in(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while any(ear.taken < self._said[ear.topic] for ear in self._ears):
                await asyncio.sleep(0.001)


@dataclass(eq=False)
class _Ear:
    topic: str
    taken: int
