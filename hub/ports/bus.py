"""How samples and facts travel between processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from hub.model.recent import Recent
from hub.model.stamp import Stamp

LATE = timedelta(seconds=10)  # what has waited longer is history when it is told
T_contra = TypeVar("T_contra", contravariant=True)


class Sink(Protocol[T_contra]):
    async def put(self, item: T_contra) -> None:
        """Take one; wait while the house is full. Returns once the bus has it."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry of a durable topic. `position` orders entries and survives restarts; "" where nothing does.

    The entry is handed out again, to this group, after a crash before `ack`. It may also come twice when its
    sender could not know whether it had arrived: `stamp` (as it was published with) is then the same. `at` is
    when the bus took it, None where that is not known. `age`: seconds since it was taken at its
    source: by its sender's clock until the bus had it, then by the bus's; no other clock plays a part.
    `passed_over`: before it there were entries that this group was not given because it stood still; they are
    on record. Told until this one is acknowledged.
    """

    body: bytes
    position: str
    ack: Callable[[], Any]  # async; taken as `await delivery.ack()`
    stamp: Stamp | None = None
    at: datetime | None = None
    age: float = 0.0
    passed_over: bool = False

    @property
    def is_history(self) -> bool:
        """What it tells was so, and need not be so now."""
        return self.age > LATE.total_seconds()


class Publisher(Protocol):
    """The half of a bus that collectors need."""

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None: ...

    async def shout(self, topic: str, body: bytes) -> None: ...


@runtime_checkable
class RememberingPublisher(Publisher, Protocol):
    """One that keeps, with the samples, what their sources will know a repeat by."""

    async def publish(
        self, topic: str, body: bytes, stamp: Stamp | None = None, recent: Sequence[tuple[str, Recent]] = ()
    ) -> None: ...

    async def recall(self, source: str) -> Recent:
        """What was kept of this source, in this life of the process and the one before."""
        ...


class Bus(Protocol):
    """Two promises. `publish`/`consume`: at least once to every group, in order, with back-pressure; but what
    the first group of a topic has acknowledged is on record, and where the bus is full and another group
    stands still, it is let go: that group is told so, and reads there what it has missed.
    `shout`/`listen`: to whoever listens now, best effort, newest kept when a listener is slow.
    """

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None:
        """Returns once the bus has it. When it raises the bus may have it all the same: publish it again with
        the same stamp."""
        ...

    def consume(self, topic: str, group: str) -> AsyncIterator[Delivery]:
        """Entries this group has not acknowledged, oldest first, for ever. One consumer per group."""
        ...

    async def ahead(self, topic: str, group: str, of: str) -> list[bytes]:
        """What `group` has acknowledged and the group `of` has not, oldest first; nothing when there is no
        such group."""
        ...

    async def behind(self, topic: str) -> Mapping[str, int]:
        """How many entries each group has not acknowledged, never 0 where it was passed over without
        knowing it; empty when that cannot be told just now."""
        ...

    async def shout(self, topic: str, body: bytes) -> None: ...

    def listen(self, topic: str) -> AsyncIterator[bytes]: ...

    async def healthy(self) -> bool: ...

    async def close(self) -> None: ...


SAMPLES = "samples"  # durable: SampleBatch.to_bytes(); groups "store" and "rules"; also shouted for screens
# Shouted: JSON {"kind": "alarm|ticket|state|count|order|stop|source", ...}; a hint, never the record.
EVENTS = "events"
ROLL = "roll-call"  # shouted: JSON, what each process says of its parts and sources once a second
