"""Both buses for whoever needs one: in process, and a real Valkey server, one for the session."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import pytest

from hub.bus.memory import DURABLE_LIMIT, MemoryBus
from hub.bus.redis_streams import RedisBus
from hub.ports import Bus, Clock

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
