"""Store and forward: in order, known again, forgotten when the record has it, marked when it is old."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.bus_sink import BusSink
from hub.bus.spool import DiskRefuses, Spool
from hub.bus.spooled import SpooledBus, _Held
from hub.errors import Transient
from hub.model.batch import SampleBatch
from hub.model.stamp import Stamp
from hub.ports import SAMPLES
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class Away(Transient):
    pass


class FarBus:
    """What arrived, in order; it may be away, and it may forget. What follows something it has not got from
    this sender is refused, as Redis does."""

    def __init__(self) -> None:
        self.up = True
        self.marks: dict[str, int] = {}
        self.got: list[tuple[SampleBatch, Stamp]] = []
        self.shown: list[bytes] = []
        self.waiting = 0

    async def publish(self, topic: str, body: bytes, stamp: Stamp | None = None) -> None:
        if not self.up:
            raise Away("bus: away")
        assert stamp is not None
        if stamp.follows and self.marks.get(stamp.origin) != stamp.follows:
            raise Away(f"bus: it has lost what batch {stamp.number} follows")
        self.marks[stamp.origin] = stamp.number
        self.got.append((SampleBatch.from_bytes(body), stamp))

    async def shout(self, topic: str, body: bytes) -> None:
        self.shown.append(body)

    async def behind(self, topic: str) -> dict[str, int]:
        return {"store": self.waiting}


class Line:
    def __init__(self, folder: Path, window: int = 1 << 20) -> None:
        self.clock, self.bus, self.record = HandClock(), FarBus(), 0
        self.record_up = True
        self.asked, self.answers = asyncio.Event(), asyncio.Event()  # the record, and it does so at once
        self.answers.set()
        self.spool = Spool(folder, 1 << 20)
        self.way = SpooledBus(self.bus, self.spool, self._reached, self.clock, window)  # type: ignore[arg-type]

    async def _reached(self, origin: str) -> int:
        self.asked.set()
        await self.answers.wait()
        if not self.record_up:
            raise Away("the record is away")
        return self.record if origin == self.spool.sender_of(max(self.record, 1)) else 0

    async def say(self, *seconds: int) -> None:
        """One batch that was so at each of these seconds; taken now."""
        for n in seconds:
            await self.way.publish(SAMPLES, reading(n).to_bytes())

    @property
    def values(self) -> list[float]:
        return [float(v) for batch, _ in self.bus.got for v in batch.values]

    async def until(self, true: Callable[[], bool]) -> None:
        """Turns the clock while it waits."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.clock.turn(0.05)
                await asyncio.sleep(0.001)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Under a supervisor: begun again whenever it ends."""

        async def kept() -> None:
            while True:
                with suppress(Transient):
                    await self.way.run()
                await asyncio.sleep(0.001)

        task = asyncio.create_task(kept())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class SlowDisk:
    """It takes one batch and does not say so before it may."""

    def __init__(self, spool: Spool, patch: pytest.MonkeyPatch) -> None:
        self.writes, self.may_go, self._append = threading.Event(), threading.Event(), spool.append
        patch.setattr(spool, "append", self.append)

    def append(self, *given: Any) -> int:
        self.writes.set()
        self.may_go.wait(PATIENCE)
        return self._append(*given)

    async def calls_off(self, put: Coroutine[Any, Any, None]) -> None:
        """Whoever puts is cancelled while it writes."""
        taken = asyncio.ensure_future(put)
        await asyncio.to_thread(self.writes.wait, PATIENCE)
        taken.cancel()
        await asyncio.gather(taken, return_exceptions=True)
        self.may_go.set()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "spool")
    yield made
    made.way.close()


async def test_samples_of_now_pass_at_once_and_unmarked(line: Line) -> None:
    async with line.running():
        await line.say(1, 2, 3)
        await line.until(lambda: len(line.bus.got) == 3)
    assert line.values == [1, 2, 3]
    assert not any(batch.historical for batch, _ in line.bus.got)
    assert [stamp.number for _, stamp in line.bus.got] == [1, 2, 3]
    assert [stamp.follows for _, stamp in line.bus.got] == [0, 1, 2]


async def test_what_was_taken_while_the_hub_was_away_comes_in_order_and_marked(line: Line) -> None:
    line.bus.up = False
    async with line.running():
        for n in range(20):
            await line.say(n)
            line.clock.turn(1)
        line.clock.turn(20)
        line.bus.up = True
        await line.until(lambda: len(line.bus.got) == 21)
    assert line.values == list(range(20))
    assert all(batch.historical for batch, _ in line.bus.got[:20])
    last, stamp = line.bus.got[-1]  # nothing to tell but this: from here on it is the present
    assert (len(last), last.historical, stamp.number) == (0, False, 21)
    assert line.way.replayed == 20


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_decides_nothing_of_what_is_history(line: Line, hours: int) -> None:
    line.bus.up = False
    async with line.running():
        await line.say(0)
        line.clock.turn(20)
        line.clock.set(NOON + timedelta(hours=hours))
        await line.say(20)
        line.bus.up = True
        await line.until(lambda: len(line.bus.got) >= 2)
    assert [batch.historical for batch, _ in line.bus.got[:2]] == [True, False]


async def test_a_spool_of_the_life_before_is_history_though_the_clock_was_set_back(tmp_path: Path) -> None:
    before = Line(tmp_path / "spool")
    for n in range(5):
        await before.say(n)
        before.clock.turn(60)
    before.way.close()
    line = Line(tmp_path / "spool")  # its clock says noon again
    line.clock.turn(65)
    async with line.running():
        await line.until(lambda: len(line.bus.got) == 6)
    line.way.close()
    assert all(batch.historical for batch, _ in line.bus.got[:5])


async def test_it_is_forgotten_when_the_record_has_it_and_not_before(line: Line) -> None:
    async with line.running():
        await line.say(1, 2, 3)
        await line.until(lambda: len(line.bus.got) == 3)
        await line.until(lambda: line.way.detail()["spool_age_seconds"] > 1)
        assert [kept.number for kept in line.spool.read(0)] == [1, 2, 3]
        line.record = 2
        await line.until(lambda: line.spool.first == 3)
        line.record = 3
        await line.until(lambda: line.way.detail()["spool_bytes"] == 0)


async def test_what_the_bus_lost_without_a_word_is_given_again(line: Line) -> None:
    async with line.running():
        await line.say(1, 2, 3)
        await line.until(lambda: len(line.bus.got) == 3)
        line.record = 1
        line.bus.got.clear()
        await line.until(lambda: len(line.bus.got) >= 2)
    assert [stamp.number for _, stamp in line.bus.got][:2] == [2, 3]
    assert line.bus.got[0][1].follows == 0


async def test_a_record_that_thinks_for_long_and_goes_on_meanwhile_is_no_other_one(line: Line) -> None:
    async with line.running():
        await line.say(1, 2)
        await line.until(lambda: len(line.bus.got) == 2)
        line.record = 2
        await line.until(lambda: line.spool.first == 3)
        line.answers.clear()
        line.asked.clear()
        await line.until(line.asked.is_set)
        await line.say(3, 4, 5)
        await line.until(lambda: len(line.bus.got) == 5)
        line.record = 5
        line.answers.set()
        await line.until(lambda: line.way.detail()["spool_bytes"] == 0)
        await line.say(6)
        await line.until(lambda: len(line.bus.got) == 6)
    assert line.values == [1, 2, 3, 4, 5, 6]
    assert len({stamp.origin for _, stamp in line.bus.got}) == 1


async def test_a_batch_that_cannot_be_read_is_stepped_over_and_the_next_ones_arrive(line: Line) -> None:
    await line.say(1, 2, 3, 4)
    line.way._held = _Held(0)  # it is read from the disk
    line.spool._file.db.execute("update spool set crc = crc + 1 where number = 2")
    async with line.running():
        await line.until(lambda: line.values == [1, 3, 4])
    assert line.spool.damaged == 1


@pytest.mark.parametrize("which", [1, 2, 3])
@pytest.mark.parametrize("taken", [1 << 61, 4_102_444_800_000_000])  # no time at all; the year 2100
async def test_a_batch_whose_time_the_disk_changed_is_history_and_holds_nothing_up(
    tmp_path: Path, which: int, taken: int
) -> None:
    before = Line(tmp_path / "spool")
    await before.say(1, 2, 3)
    before.spool._file.db.execute("update spool set taken = ? where number = ?", (taken, which))
    before.way.close()
    line = Line(tmp_path / "spool")
    async with line.running():
        await line.until(lambda: line.values == [1, 2, 3])
    line.way.close()
    assert line.bus.got[which - 1][0].historical


async def test_a_taker_that_was_called_off_while_the_disk_wrote_leaves_no_hole(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk has is given, also when nobody waited for that any more."""
    await line.say(1)
    await SlowDisk(line.spool, monkeypatch).calls_off(line.say(2))
    await line.say(3)
    async with line.running():
        await line.until(lambda: line.values == [1, 2, 3])


async def test_what_the_disk_has_is_not_taken_again_from_whoever_was_called_off(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The taker keeps its parcel, which may have arrived, and gives it again under the number it had."""
    sink = BusSink(line.way)
    await sink.put(reading(1))
    await SlowDisk(line.spool, monkeypatch).calls_off(sink.put(reading(2)))
    await line.say(3)
    await sink.put(reading(4))
    await sink.put(reading(5))
    async with line.running():
        await line.until(lambda: len(line.values) >= 5)
    assert line.values == [1, 2, 3, 4, 5]
    assert not any(batch.historical for batch, _ in line.bus.got)


async def test_whoever_waits_hears_of_a_batch_when_it_is_given_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line.running():
        await line.say(1)
        await line.until(lambda: line.values == [1])
        disk, again = SlowDisk(line.spool, monkeypatch), (SAMPLES, reading(2).to_bytes(), Stamp("a", 1))
        await disk.calls_off(line.way.publish(*again))
        await line.way.publish(*again)
        await line.until(lambda: line.values == [1, 2])
    assert not line.bus.got[-1][0].historical


async def test_each_taker_has_numbers_of_its_own_and_who_has_none_is_never_taken_for_a_repeat(
    line: Line,
) -> None:
    told = [("a", 1), ("b", 1), None, None, ("a", 2), ("a", 2), ("a", 1), ("a", 3)]
    seconds = [1, 2, 3, 3, 5, 5, 1, 6]
    for given, second in zip(told, seconds, strict=True):
        await line.way.publish(SAMPLES, reading(second).to_bytes(), Stamp(*given) if given else None)
    async with line.running():
        await line.until(lambda: len(line.values) >= 6)
    assert line.values == [1, 2, 3, 3, 5, 6]


async def test_what_the_disk_refused_is_taken_when_it_comes_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise DiskRefuses("spool: full")

    line.bus.up = False
    with monkeypatch.context() as full:
        full.setattr(line.spool, "append", refuse)
        with pytest.raises(Away):
            await line.way.publish(SAMPLES, reading(1).to_bytes(), Stamp("a", 1))
    await line.way.publish(SAMPLES, reading(1).to_bytes(), Stamp("a", 1))
    assert line.spool.last == 1


def reading(seconds: int) -> SampleBatch:
    return SampleBatch.at([1], NOON + timedelta(seconds=seconds), [float(seconds)])


async def test_what_still_waits_on_the_bus_is_not_given_again(line: Line) -> None:
    line.bus.waiting = 3
    async with line.running():
        await line.say(1, 2, 3)
        await line.until(lambda: len(line.bus.got) == 3)
        began = line.clock.monotonic()
        await line.until(lambda: line.clock.monotonic() > began + 20)
    assert len(line.bus.got) == 3


async def test_a_record_that_is_away_stops_the_way_before_the_bus_is_full(tmp_path: Path) -> None:
    line = Line(tmp_path / "spool", window=200)
    async with line.running():
        await line.say(0)
        line.record = 1
        await line.until(lambda: line.spool.first == 2)
        line.record_up = False
        await line.say(*range(1, 30))
        await line.until(lambda: line.way._out >= 200)
        held = len(line.bus.got)
        assert held < 15
        line.record_up, line.record = True, held
        await line.until(lambda: len(line.bus.got) > held)
    line.way.close()


async def test_before_the_record_has_told_how_far_it_is_nothing_is_sent(tmp_path: Path) -> None:
    before = Line(tmp_path / "spool")
    await before.say(1)
    before.way.close()
    line = Line(tmp_path / "spool")
    line.record_up = False
    async with line.running():
        await line.say(2)
        await line.until(lambda: line.clock.monotonic() > 5)
        assert line.bus.got == []
        line.record_up, line.record = True, 1
        await line.until(lambda: line.values == [2])
    line.way.close()


async def test_screens_see_the_present_while_the_record_is_away(line: Line) -> None:
    line.record_up = False
    async with line.running():
        await line.way.shout(SAMPLES, b"now")
        await line.until(lambda: line.bus.shown == [b"now"])


async def test_a_disk_that_refuses_sends_past_it_under_another_name(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise DiskRefuses("spool: full")

    monkeypatch.setattr(line.spool, "append", refuse)
    await line.say(1, 2)
    assert line.values == [1, 2]
    assert [stamp.number for _, stamp in line.bus.got] == [1, 2]
    assert line.bus.got[0][1].origin != line.spool.origin
    assert line.way.detail()["spool_unwritten"] == 2
