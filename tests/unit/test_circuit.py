"""How the way to a device stands, and when it is tried again."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from hub import metrics
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.circuit import APART, LONGEST, REFUSED, Circuit, State, pause_of
from hub.rollcall import as_json
from hub.supervisor import Supervisor
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def away(failures: int) -> Circuit:
    way = Circuit().tried(NOON)
    for n in range(failures):
        way = way.failed(at(n), "no answer", at(n + 1), 0).tried(at(n + 1))
    return way


def test_it_is_open_from_the_loss_on_half_open_while_it_is_tried_and_closed_by_the_first_word() -> None:
    way = Circuit().tried(NOON).proved(at(1), 1.0)
    lost = way.failed(at(40), "no answer", at(41), 39.0)
    assert (lost.state, lost.since, lost.failures, lost.next_try) == (State.OPEN, at(40), 1, at(41))
    trying = lost.tried(at(41))
    assert (trying.state, trying.since, trying.next_try) == (State.HALF_OPEN, at(40), None)
    again = trying.failed(at(45), "refused", at(47), 0)
    assert (again.state, again.since, again.failures, again.last_error) == (State.OPEN, at(40), 2, "refused")
    back = again.tried(at(47)).proved(at(48), 48.0)
    assert (back.state, back.since, back.failures, back.last_error) == (State.CLOSED, at(48), 0, "refused")


def test_tries_are_two_seconds_apart_and_never_further_than_a_machine_may_wait() -> None:
    for failures in range(1, 40):
        for chance in (0.0, 0.5, 1.0):
            quick = pause_of(away(failures), 0.0, chance)
            assert APART <= quick <= APART + LONGEST < 5
            assert pause_of(away(failures), 4.0, chance) <= LONGEST


def test_pauses_grow_and_are_drawn_from_nothing_to_all_of_them() -> None:
    whole = [pause_of(away(n), 10.0, 1.0) for n in range(1, 6)]
    assert whole == [1.0, 2.0, 2.0, 2.0, 2.0]
    assert pause_of(away(5), 10.0, 0.0) == 0.0
    assert pause_of(away(9), 10.0, 1.0, refused=True) == REFUSED


def test_a_device_that_comes_and_goes_is_not_tried_faster_for_it_and_one_that_stayed_is() -> None:
    way = Circuit()
    for n in range(5):
        way = way.tried(at(n)).proved(at(n), n).failed(at(n + 1), "gone", at(n + 2), 1.0)
    assert (way.failures, way.pauses) == (1, 5)
    assert way.tried(at(9)).proved(at(9), 9.0).failed(at(99), "gone", at(100), 90.0).pauses == 1


# ------------------------------------------------------------------ as the supervisor runs it
async def loop_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Machine:
    """Refuses its first tries; then it is heard and stays."""

    def __init__(self, refuses: int, error: Exception, heard: asyncio.Event) -> None:
        self.refuses, self.error, self.lives, self.heard = refuses, error, 0, heard

    async def run(self) -> None:
        self.lives += 1
        if self.lives <= self.refuses:
            raise self.error
        await self.heard.wait()
        raise self.error


async def test_the_status_says_what_a_person_asks_of_a_device_that_is_away() -> None:
    clock, heard = HandClock(), asyncio.Event()
    machine = Machine(2, SourceUnavailable("press: no answer"), heard)
    supervisor = Supervisor(clock)
    supervisor.watch("collector press", machine.run, outside=True)
    running = asyncio.create_task(supervisor.run())
    await loop_turns()

    def told() -> dict[str, object]:
        found: dict[str, object] = as_json(supervisor.health()[0])["circuit"]
        return found

    first = told()
    assert (first["state"], first["failures"]) == ("open", 1)
    assert first["last_error"] == "SourceUnavailable: press: no answer"
    next_try = datetime.fromisoformat(str(first["next_try"]))
    assert at(APART) <= next_try <= at(APART + LONGEST)
    clock.turn((next_try - clock.now()).total_seconds() - 0.001)
    await loop_turns()
    assert machine.lives == 1
    clock.turn(0.002)
    await loop_turns()
    assert (machine.lives, told()["failures"]) == (2, 2)
    clock.turn(APART + LONGEST)
    await loop_turns()
    assert (machine.lives, told()["state"]) == (3, "half-open")
    clock.turn(10)
    await loop_turns()
    assert told()["state"] == "half-open", "a connection that is being made has proved nothing"
    supervisor.proved("collector press")
    assert (told()["state"], told()["failures"], told()["next_try"]) == ("closed", 0, None)
    heard.set()
    await loop_turns()
    assert told()["state"] == "open"
    running.cancel()
    await asyncio.wait([running])


async def test_no_device_is_tried_more_often_than_every_two_seconds_and_a_hundred_not_at_once() -> None:
    clock, begun = HandClock(), dict[int, list[float]]()
    supervisor = Supervisor(clock)

    def life(n: int) -> object:
        async def run() -> None:
            begun.setdefault(n, []).append(clock.monotonic())
            raise SourceUnavailable("no answer")

        return run

    for n in range(100):
        supervisor.watch(f"collector {n}", life(n), outside=True)  # type: ignore[arg-type]
    running = asyncio.create_task(supervisor.run())
    for _ in range(300):
        await asyncio.sleep(0)
        clock.turn(0.1)
        await asyncio.sleep(0)
    gaps = [b - a for times in begun.values() for a, b in pairwise(times)]
    assert gaps and min(gaps) >= APART - 0.001
    assert max(gaps) <= APART + LONGEST + 0.3
    lately = [round(times[-1], 1) for times in begun.values()]
    assert len(set(lately)) > 10, "spread over the seconds"
    running.cancel()
    await asyncio.wait([running])


async def test_a_part_of_our_own_has_no_circuit() -> None:
    supervisor = Supervisor(HandClock())
    supervisor.watch("rules", asyncio.Event().wait)  # type: ignore[arg-type]
    assert "circuit" not in as_json(supervisor.health()[0])


async def test_a_refusal_is_not_hammered_at() -> None:
    clock = HandClock()
    machine = Machine(99, SourceRefused("press: wrong password"), asyncio.Event())
    supervisor = Supervisor(clock)
    supervisor.watch("collector press", machine.run, outside=True)
    running = asyncio.create_task(supervisor.run())
    for _ in range(600):
        await asyncio.sleep(0)
        clock.turn(0.1)
        await asyncio.sleep(0)
    assert machine.lives < 18, "sixty seconds"
    running.cancel()
    await asyncio.wait([running])


def test_prometheus_sees_how_the_way_to_each_device_stands() -> None:
    way = {"state": "open", "since": NOON.isoformat(), "failures": 4, "next_try": at(3).isoformat()}
    metrics.circuits([{"name": "collector press", "circuit": way}, {"name": "rules"}])
    assert metrics.value("andon_circuit", part="collector press") == 2
    assert metrics.value("andon_circuit_failures", part="collector press") == 4
    assert metrics.value("andon_circuit_next_try_seconds", part="collector press") == at(3).timestamp()
    assert metrics.value("andon_circuit", part="rules") is None
    metrics.circuits([])
    assert metrics.value("andon_circuit", part="collector press") is None
