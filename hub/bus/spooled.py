"""Store and forward: onto the collector's own disk first, from there to the bus, as soon as there is one.

A sample counts as taken when the disk has it, and is forgotten when the *record* has it (not when the bus
has): a Redis that comes back empty, a hub that dies, a database that is away cost nothing. What is not on
record yet is given again, in order, under the numbers it had, and whoever takes it leaves out what is known.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from hub.bus.ages import Ages
from hub.bus.numbers import Numbering
from hub.bus.recent import Told
from hub.bus.spool import DiskRefuses, Kept, Spool
from hub.errors import Transient
from hub.model.batch import SampleBatch, as_historical, from_micros
from hub.model.gap import SampleGap
from hub.model.recent import Recent
from hub.model.stamp import Stamp
from hub.ports import SAMPLES, Bus, Clock
from hub.ports.bus import LATE
from hub.together import together

log = logging.getLogger(__name__)

WINDOW = 16_777_216  # bytes of batches on the bus that are not on record yet
LOOK = 2.0  # seconds between looks at how far the record is ...
BUSY_LOOK = 0.25  # ... and when a good part of WINDOW is under way
HELD = 4_194_304  # bytes of newest batches that need not be read from the disk again
LOST = 5.0  # seconds: on the bus nothing waits, and the record has not moved: the bus has lost it
FRESH = 16  # batches that wait to be shown; a bus that hangs shows the newest

Reached = Callable[[str], Awaitable[int]]  # origin -> its last batch on record, 0 when there is none
Tell = Callable[[Sequence[SampleGap]], Awaitable[None]]  # onto the record; telling twice is harmless
T = TypeVar("T")


class _Put(NamedTuple):
    """A batch that the disk has: the number its taker gave it, its own, and when it came."""

    of_taker: int
    number: int
    elapsed: float


class _BeginsAgain(Transient):
    """What is under way is of no use."""


class SpooledBus:
    """The publishing half of a bus for the collectors of one process. `run` does the forwarding."""

    def __init__(
        self,
        bus: Bus,
        spool: Spool,
        reached: Reached,
        clock: Clock,
        window: int = WINDOW,
        tell: Tell | None = None,
        numbering: Numbering | None = None,
    ) -> None:
        """`numbering`: what the batches' numbers mean, where the record may mean something else by them; it
        has to be known by the time that `reached` answers."""
        self._bus, self._spool, self._reached, self._clock = bus, spool, reached, clock
        self._window, self._tell, self._numbering = window, tell, numbering
        self._disk = ThreadPoolExecutor(1, "spool")
        self._changed = asyncio.Condition()  # a new batch, or the record has moved
        self._puts: dict[str, _Put] = {}  # the last one of each origin
        self._held = _Held(HELD)
        self._fresh: deque[bytes] = deque(maxlen=FRESH)
        self._shown = asyncio.Event()
        self._on_record = 0
        self._met = asyncio.Event()  # in this life of the process the record has told how far it is
        self._moved = clock.monotonic()
        newest = spool.newest
        self._opened = spool.last
        self._ages = Ages(LATE, clock.now(), clock.monotonic(), spool.last, newest)
        self._under_way: deque[tuple[int, int]] = deque()  # (number, bytes) on the bus and not on record
        self._out = 0  # those bytes
        self._bare = Stamp(uuid4().hex, 0)  # for what the disk refuses
        self._numbered_for = ""  # the record, under its name
        self._sender = ""  # of the batch that was given last
        self._oldest: datetime | None = None
        self.replayed = self.refused = self.bare = 0

    def detail(self) -> dict[str, Any]:
        """For the status page."""
        age = (self._clock.now() - self._oldest).total_seconds() if self._oldest else 0.0
        return {
            "spool_age_seconds": round(max(age, 0.0), 1),
            "spool_bytes": self._spool.fill,
            "spool_fill": round(self._spool.fill / max(self._spool.limit, 1), 4),
            "spool_forgotten": self._spool.forgotten,
            "spool_dropped_samples": self._spool.dropped.total(),
            "spool_dropped_of": dict(self._spool.dropped),
            "spool_damaged": self._spool.damaged,
            "spool_unwritten": self.bare,
            "replayed": self.replayed,
        }

    async def publish(
        self, topic: str, body: bytes, stamp: Stamp | None = None, recent: Sequence[tuple[str, Recent]] = ()
    ) -> None:
        """Returns once the disk has it. Where the disk refuses: once the bus has it; it may raise, too.

        The spool numbers batches itself, over all lives of the process. By its `stamp` a batch is known that
        comes again because its taker was called off while the disk wrote.
        """
        taken, elapsed = self._clock.now(), self._clock.monotonic()
        try:
            put = await self._on_disk(partial(self._put, body, taken, elapsed, stamp, recent))
            self._ages.took(put.number, put.elapsed)
            if stamp is None or stamp.number == put.of_taker:  # else a later one
                self._held.add(Kept(put.number, taken, body))
        except DiskRefuses as cause:
            log.error("%s: a batch goes to the bus without it", cause)
            number = self._bare.number + 1
            record = self._numbering.record if self._numbering is not None else ""
            bare = self._bare._replace(number=number, record=record)
            await self._bus.publish(topic, self._meant(body), bare)
            self.bare += 1
            self._bare = self._bare._replace(number=number)
        async with self._changed:
            self._changed.notify_all()

    def _put(self, body: bytes, taken: datetime, elapsed: float, stamp: Stamp | None, recent: Told) -> _Put:
        """On the disk's thread, which goes on when nobody waits any more and knows what the disk has."""
        known = self._puts.get(stamp.origin) if stamp is not None else None
        if stamp is not None and known is not None and stamp.number <= known.of_taker:
            return known
        number = self._spool.append(body, taken, recent)
        put = _Put(stamp.number if stamp is not None else 0, number, elapsed)
        if stamp is not None:
            self._puts[stamp.origin] = put
        return put

    async def recall(self, source: str) -> Recent:
        return await self._on_disk(lambda: self._spool.recent(source))

    async def shout(self, topic: str, body: bytes) -> None:
        """Samples are shown as they come, also while the record is away or old ones are told; never waits."""
        if topic != SAMPLES:
            await self._bus.shout(topic, body)
            return
        self._fresh.append(body)
        self._shown.set()

    async def run(self) -> None:
        """One life of the way to the bus. It begins behind what is on record; raises what the bus raises."""
        self._under_way.clear()
        self._out = 0
        self._numbered_for = self._numbering.record if self._numbering is not None else ""
        await together(self._show(), self._follow(), self._forward())

    def close(self) -> None:
        self._disk.shutdown(wait=True)
        self._spool.close()

    # ---------------------------------------------------------------- three tasks
    async def _show(self) -> None:
        while True:
            await self._shown.wait()
            self._shown.clear()
            while self._fresh:
                body = self._fresh.popleft()
                if self._numbering is None or self._numbering.is_known:  # else nobody would know the tags
                    await self._bus.shout(SAMPLES, self._meant(body))

    async def _follow(self) -> None:
        """How far the record is; what it has is forgotten here. A record that is away tells nothing."""
        self._moved = self._clock.monotonic()
        while True:
            try:
                number = await self._how_far()
            except _BeginsAgain:
                raise
            except Transient:
                self._moved = self._clock.monotonic()
            else:
                self._refuse_another_record()
                await self._is_on_record(number)
                await self._tell_gaps()
                self._met.set()
                await self._refuse_a_loss()
            self._oldest = await self._on_disk(lambda: self._spool.oldest)
            await self._clock.sleep(BUSY_LOOK if self._out > self._window // 8 else LOOK)

    async def _how_far(self) -> int:
        """The last number of ours that is on record, in whosever name it went."""
        senders = self._spool.senders
        number = await self._reached(senders[-1].origin)
        end = self._spool.last if self._met.is_set() else self._opened  # it goes on while the record thinks
        if number > end:
            return await self._parted(number)
        for before, sender in zip(reversed(senders[:-1]), reversed(senders), strict=False):
            if number > sender.after:
                break
            number = min(await self._reached(before.origin), sender.after)
        return number or await self._unheard_of()

    def _refuse_another_record(self) -> None:
        """What is under way was numbered for the one before, and is refused there."""
        record = self._numbering.record if self._numbering is not None else ""
        before, self._numbered_for = self._numbered_for, record
        if before not in ("", record):
            raise _BeginsAgain("spool: the database is another one; what is under way is numbered anew")

    async def _parted(self, number: int) -> int:
        """The record has batches in our name that are not ours: the spool is an older copy of the one they
        come from, or there are two of it. What it held when it was opened is the same in both."""
        ours = self._on_record if self._met.is_set() else self._opened
        log.error(
            "the spool %s is a copy of another one, of which batches up to %d are on record: what it has "
            "taken after batch %d is sent under another name", self._spool.path, number, ours,
        )  # fmt: skip
        return await self._go_on_behind(ours)

    async def _unheard_of(self) -> int:
        """A record that knows nothing of us, though it had something: it is another one, or has forgotten."""
        first = await self._on_disk(lambda: self._spool.first)
        gone = self._on_record if self._met.is_set() else first - 1
        forgotten = 0 if self._met.is_set() else self._spool.forgotten
        if gone - forgotten <= max(s.after for s in self._spool.senders if s.after <= gone):
            return 0
        log.warning("the record knows nothing of what the spool %s has told before", self._spool.path)
        return await self._go_on_behind(gone)

    async def _go_on_behind(self, number: int) -> int:
        await self._on_disk(lambda: self._spool.begin_again(number))
        if self._met.is_set():
            raise _BeginsAgain(f"spool: what came after batch {number} is given in another name")
        return number

    async def _tell_gaps(self) -> None:
        """What a full disk has cost: noted there, told here, and struck out when it is on record."""
        if self._tell is None or not (gaps := await self._on_disk(self._spool.gaps)):
            return
        try:
            await self._tell(gaps)
        except Transient as cause:
            log.warning("%d gaps in the samples are told later: %s", len(gaps), cause)
        else:
            await self._on_disk(partial(self._spool.told, gaps))

    async def _is_on_record(self, number: int) -> None:
        if number <= self._on_record:
            return
        await self._on_disk(lambda: self._spool.trim(number))
        async with self._changed:
            self._on_record, self._moved = number, self._clock.monotonic()
            while self._under_way and self._under_way[0][0] <= number:
                self._out -= self._under_way.popleft()[1]
            self._changed.notify_all()

    async def _refuse_a_loss(self) -> None:
        if not self._under_way or self._clock.monotonic() - self._moved < LOST:
            return
        self._moved = self._clock.monotonic()
        if (await self._bus.behind(SAMPLES)).get("store") != 0:
            return
        before = self._on_record
        await self._is_on_record(await self._how_far())  # it may have moved between two looks
        if self._on_record == before:
            raise Transient(
                f"spool: the bus has lost what came after batch {self._on_record}; it is given again"
            )

    async def _forward(self) -> None:
        await self._met.wait()
        sent, follows, late = self._on_record, 0, False
        while True:
            kept = self._held.after(sent) or await self._on_disk(partial(self._spool.read, sent))
            if not kept and late:
                late = False  # what follows is the present; whoever waits for it must not wait for a change
                await self.publish(SAMPLES, NOTHING)
                continue
            if not kept:
                await self._something_after(sent)
            for batch in kept:
                if batch.body is not None:
                    late = await self._give(batch, follows)
                    follows = batch.number  # what cannot be read never reached the bus
                sent = batch.number

    async def _give(self, batch: Kept, follows: int) -> bool:
        """Whether it was history."""
        assert batch.body is not None
        async with self._changed:
            await self._changed.wait_for(lambda: self._out < self._window)
            self._under_way.append((batch.number, len(batch.body)))
            self._out += len(batch.body)
        age = self._ages.of(batch.number, batch.taken, self._clock.now(), self._clock.monotonic())
        late = age > LATE.total_seconds()
        body = as_historical(batch.body) if late else batch.body
        body = self._meant(body, batch.number)
        origin = self._spool.sender_of(batch.number)
        if origin != self._sender:  # the bus knows of none before it in this name
            self._sender, follows = origin, 0
        record = self._numbering.record if self._numbering is not None else ""
        stamp = Stamp(origin, batch.number, follows, 0.0 if late else age, record)
        await self._bus.publish(SAMPLES, body, stamp)
        self.replayed += late
        return late

    def _meant(self, body: bytes, number: int | None = None) -> bytes:
        if self._numbering is None:
            return body
        if not self._numbering.is_known:
            raise Transient("spool: the record has not said yet how it numbers the tags")
        return self._numbering.on_record(body, number)

    async def _something_after(self, sent: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._spool.last > sent)

    async def _on_disk(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._disk, work)
        except sqlite3.Error as cause:
            raise Transient(f"spool: {cause}") from None


class _Held:
    """The newest batches, in memory too: whoever keeps up is given them from here."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._batches: deque[Kept] = deque()

    def add(self, batch: Kept) -> None:
        while self._batches and self._batches[-1].number + 1 != batch.number:
            self._drop()  # the disk has one between them, whose taker did not wait for it
        self._batches.append(batch)
        self._bytes += len(batch.body or b"")
        while self._bytes > self._limit:
            self._drop()

    def after(self, number: int) -> list[Kept]:
        """Those that follow this one without a gap; none where the next is on the disk alone."""
        while self._batches and self._batches[0].number <= number:
            self._drop()
        if not self._batches or self._batches[0].number != number + 1:
            return []
        return list(self._batches)

    def _drop(self) -> None:
        self._bytes -= len(self._batches.popleft().body or b"")


NOTHING = SampleBatch.at([], from_micros(0), []).to_bytes()
