"""Runners are kept running, and end when they are asked to."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from hub.errors import SourceUnavailable
from hub.supervisor import FIRST_PAUSE, LONGEST_PAUSE, Supervisor
from hub.testing.clock import HandClock
from hub.together import ASK_AGAIN

pytestmark = pytest.mark.anyio


async def loop_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Plot:
    """A runner that fails as often as it is told, then stays."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.lives = failures, error, 0

    async def run(self) -> None:
        self.lives += 1
        if self.lives <= self.failures:
            raise self.error
        await asyncio.Event().wait()


async def test_a_failed_runner_is_started_again_after_growing_pauses() -> None:
    clock, plot = HandClock(), Plot(3, SourceUnavailable("no answer from press"))
    supervisor = Supervisor(clock)
    supervisor.watch("press", plot.run)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    lives = [plot.lives]
    for _ in range(3):
        clock.turn(FIRST_PAUSE * 0.7)
        await loop_turns()
        lives.append(plot.lives)
        clock.turn(LONGEST_PAUSE * 1.3)
        await loop_turns()
        lives.append(plot.lives)
    assert lives == [1, 1, 2, 2, 3, 3, 4]
    running.cancel()
    await asyncio.wait([running])


async def test_the_reason_is_kept_and_the_part_is_down_meanwhile() -> None:
    clock, plot = HandClock(), Plot(1, SourceUnavailable("no answer from press"))
    supervisor = Supervisor(clock)
    supervisor.watch("press", plot.run)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    [part] = supervisor.health()
    assert (part.up, part.restarts, part.last_error) == (False, 1, "SourceUnavailable: no answer from press")
    clock.turn(LONGEST_PAUSE)
    await loop_turns()
    clock.turn(1)
    await loop_turns()
    assert supervisor.health()[0].up
    running.cancel()
    await asyncio.wait([running])


async def test_a_device_that_stays_dead_is_logged_once_in_ten_minutes_for_each_reason() -> None:
    clock, reasons = HandClock(), ["closed", "no answer"]
    supervisor = Supervisor(clock)

    async def dead() -> None:
        reasons.append(reasons.pop(0))
        raise SourceUnavailable(reasons[-1])

    supervisor.watch("press", dead, outside=True)
    with capture_logs() as lines:
        running = asyncio.create_task(supervisor.run())
        for _ in range(620 // 5):
            await loop_turns()
            clock.turn(5)
        await loop_turns()
        running.cancel()
        await asyncio.wait([running])
    told = [(line["reason"], line.get("times")) for line in lines if line["event"] == "part.down"]
    assert [reason for reason, _ in told] == ["closed", "no answer"] * 2
    assert [times for _, times in told][:2] == [None, None] and all(times > 50 for _, times in told[2:])


async def test_a_device_that_was_well_and_is_lost_again_is_logged_again() -> None:
    clock = HandClock()
    supervisor = Supervisor(clock)

    async def run() -> None:
        supervisor.proved("press")
        await clock.sleep(40)
        raise SourceUnavailable("closed")

    supervisor.watch("press", run, outside=True)
    with capture_logs() as lines:
        running = asyncio.create_task(supervisor.run())
        for _ in range(20):
            await loop_turns()
            clock.turn(5)
        await loop_turns()
        running.cancel()
        await asyncio.wait([running])
    assert [line["event"] for line in lines] == ["part.down", "part.down"]


async def test_one_broken_room_does_not_darken_the_house() -> None:
    clock, broken, well = HandClock(), Plot(99, KeyError("bug")), Plot(0, KeyError())
    supervisor = Supervisor(clock)
    supervisor.watch("broken", broken.run)
    supervisor.watch("well", well.run)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    clock.turn(LONGEST_PAUSE)
    await loop_turns()
    assert (broken.lives, well.lives) == (2, 1) and not running.done()
    assert supervisor.parts["broken"].last_error == "KeyError", "a bug may say anything: only its name"
    running.cancel()
    await asyncio.wait([running])


async def test_a_runner_that_swallows_its_cancellation_ends_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 1:
                    raise

    supervisor = Supervisor(HandClock())
    supervisor.watch("stubborn", stubborn)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    running.cancel()
    async with asyncio.timeout(20 * ASK_AGAIN):
        await asyncio.wait([running])
    assert running.cancelled() and swallowed == 2


async def test_a_runner_that_says_it_was_cancelled_and_was_not_is_started_again() -> None:
    """wait_for2 makes one of a timeout that meets a lost connection; it stopped the whole house."""
    clock, lives = HandClock(), 0

    async def run() -> None:
        nonlocal lives
        lives += 1
        if lives == 1:
            raise asyncio.CancelledError
        await asyncio.Event().wait()

    supervisor = Supervisor(clock)
    supervisor.watch("press", run)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    clock.turn(LONGEST_PAUSE * 1.3)
    await loop_turns()
    assert not running.done()
    assert lives == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_runner_that_fails_while_it_is_stopped_has_stopped() -> None:
    async def clumsy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise SourceUnavailable("the line broke while closing")

    supervisor = Supervisor(HandClock())
    supervisor.watch("clumsy", clumsy)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    running.cancel()
    async with asyncio.timeout(20 * ASK_AGAIN):
        await asyncio.wait([running])
    assert running.cancelled()


async def test_a_runner_that_is_watched_while_the_others_run_begins_at_once() -> None:
    clock, first, later = HandClock(), Plot(0, SourceUnavailable("")), Plot(1, SourceUnavailable("no answer"))
    supervisor = Supervisor(clock)
    supervisor.watch("first", first.run)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()
    supervisor.watch("later", later.run)
    await loop_turns()
    assert later.lives == 1
    clock.turn(FIRST_PAUSE * 1.3)
    await loop_turns()
    assert (first.lives, later.lives) == (1, 2)
    with pytest.raises(ValueError, match="later is watched already"):
        supervisor.watch("later", later.run)
    running.cancel()
    await asyncio.wait([running])
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "later"]
