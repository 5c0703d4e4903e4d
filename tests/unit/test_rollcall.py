"""Who is missing is known, wherever it ran, and nobody is missed who was only replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from hub.bus.memory import MemoryBus
from hub.model.circuit import Circuit
from hub.ports import PartHealth
from hub.rollcall import EVERY, LATE, MISSED, STALE, RollCall, leave_word, well
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "alive.json"
    monkeypatch.setenv("ANDON_ALIVE", str(file))
    return file


class House:
    """A hub that hears, and processes that speak when they are told to."""

    def __init__(self, elsewhere: tuple[str, ...] = ()) -> None:
        self.bus, self.clock = MemoryBus({}), HandClock()
        self.hub = RollCall(self.bus, self.clock, "h:hub", "hub", list, elsewhere)
        self.listening = asyncio.create_task(self.hub.hear())

    def process(self, host: str, job: str, *parts: PartHealth) -> RollCall:
        return RollCall(self.bus, self.clock, f"{host}:{job}", job, lambda: list(parts))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def speaking(self, who: RollCall) -> AsyncIterator[None]:
        task = asyncio.create_task(who.say())
        await self.settle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def turn(self, seconds: float) -> None:
        self.clock.turn(seconds)
        await self.settle()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with opened() as made:
        yield made


@asynccontextmanager
async def opened(*elsewhere: str) -> AsyncIterator[House]:
    made = House(elsewhere)
    await made.settle()
    try:
        yield made
    finally:
        made.listening.cancel()
        await asyncio.gather(made.listening, return_exceptions=True)
        await made.bus.close()


UP, DOWN = PartHealth("collector press", up=True, since=NOON), PartHealth("mes m", last_error="no answer")


async def test_what_a_process_says_of_its_parts_is_known(house: House) -> None:
    async with house.speaking(house.process("b", "collectors", UP, DOWN)):
        found = {p["name"]: (p["up"], p["process"], p["since"], p["last_error"]) for p in house.hub.parts()}
    assert found == {
        "collector press": (True, "b:collectors", "2026-01-05T12:00:00Z", ""),
        "mes m": (False, "b:collectors", None, "no answer"),
    }
    assert house.hub.down() == ["mes m"]


async def test_a_process_that_speaks_every_second_is_never_missed(house: House) -> None:
    async with house.speaking(house.process("b", "collectors", UP)):
        for _ in range(20):
            await house.turn(EVERY)
            assert house.hub.down() == []


async def test_a_process_that_fell_silent_is_down_with_all_its_parts_and_sources(house: House) -> None:
    collectors = house.process("b", "collectors", UP)
    await collectors.source("press", True, "")
    async with house.speaking(collectors):
        await house.turn(60)
    await house.turn(MISSED)
    assert house.hub.down() == [] and house.hub.sources["press"]["up"]
    await house.turn(0.1)
    assert house.hub.down() == ["collector press"]
    [part] = house.hub.parts()
    assert part["last_error"] == "not heard"
    assert house.hub.sources["press"] == {"up": False, "since": "2026-01-05T12:01:00Z", "error": "not heard"}


async def test_a_process_that_comes_back_is_up_again(house: House) -> None:
    async with house.speaking(house.process("b", "collectors", UP)):
        pass
    await house.turn(60)
    async with house.speaking(house.process("b", "collectors", UP)):
        assert house.hub.down() == []


async def test_a_container_made_anew_takes_the_place_of_the_one_before(house: House) -> None:
    async with house.speaking(house.process("3f2a", "collectors", PartHealth("collector old", up=True))):
        pass
    await house.turn(60)
    async with house.speaking(house.process("9b1c", "collectors", UP)):
        assert house.hub.down() == []
        assert [p["process"] for p in house.hub.parts()] == ["9b1c:collectors"]


async def test_two_living_processes_of_one_job_are_both_kept(house: House) -> None:
    first, second = (house.process(h, "workers", PartHealth("erp bridge", up=True)) for h in ("a", "b"))
    async with house.speaking(first), house.speaking(second):
        assert {p["process"] for p in house.hub.parts()} == {"a:workers", "b:workers"}
    async with house.speaking(second):
        await house.turn(MISSED + 1)
        assert house.hub.down() == [], "the other one still does it"


async def test_who_stands_by_does_not_do_it(house: House) -> None:
    ready = PartHealth("rules", up=True, detail={"standby": True})
    async with house.speaking(house.process("b", "hub", ready)):
        assert house.hub.down() == ["rules"], "nobody does it"
        async with house.speaking(house.process("a", "hub", PartHealth("rules", up=True))):
            assert house.hub.down() == []


async def test_rules_that_are_far_behind_are_said_to_be_down(house: House) -> None:
    rules = PartHealth("rules", up=True, detail={"behind_seconds": LATE})
    async with house.speaking(house.process("b", "hub", rules)):
        assert house.hub.down() == []
        rules.detail = {"behind_seconds": LATE + 1}
        await house.turn(EVERY)
        assert house.hub.down() == ["rules"]


async def test_our_own_parts_are_known_while_the_bus_is_away() -> None:
    clock = HandClock()
    alone = RollCall(MemoryBus({}), clock, "h:hub", "hub", lambda: [UP, DOWN])
    clock.turn(60)
    assert [(p["name"], p["up"], p["process"]) for p in alone.parts()] == [
        ("collector press", True, "h:hub"), ("mes m", False, "h:hub"),
    ]  # fmt: skip


async def test_what_nobody_has_spoken_of_is_down_from_the_start() -> None:
    async with opened("collector press", "erp bridge") as house:
        assert house.hub.down() == ["collector press", "erp bridge"]
        assert {p["last_error"] for p in house.hub.parts()} == {"not heard"}
        async with house.speaking(house.process("b", "collectors", UP)):
            assert house.hub.down() == ["erp bridge"]


async def test_a_lost_source_is_said_at_once_and_to_a_hub_that_starts_later(house: House) -> None:
    collectors = house.process("b", "collectors", UP)
    await collectors.source("press", False, "no route")
    await house.settle()
    assert house.hub.sources == {"press": {"up": False, "since": "2026-01-05T12:00:00Z", "error": "no route"}}
    later = RollCall(house.bus, house.clock, "h2:hub", "hub", list)
    hearing = asyncio.create_task(later.hear())
    await house.settle()
    async with house.speaking(collectors):
        assert later.sources["press"]["error"] == "no route"
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)


async def test_the_newest_reason_is_told_and_since_when_it_has_been_lost(house: House) -> None:
    collectors = house.process("b", "collectors", UP)
    for reason in ("no route", "no answer"):
        await collectors.source("press", False, reason)
        await house.settle()
        assert house.hub.sources["press"] == {"up": False, "since": "2026-01-05T12:00:00Z", "error": reason}
        await house.turn(1)
    await collectors.source("press", True, "")
    await house.settle()
    assert house.hub.sources["press"] == {"up": True, "since": "2026-01-05T12:00:02Z", "error": ""}


async def test_a_source_that_was_lost_before_its_process_was_keeps_its_own_reason(house: House) -> None:
    await house.process("b", "collectors", UP).source("press", False, "no route")
    await house.settle()
    await house.turn(60)
    assert house.hub.sources["press"]["error"] == "no route"


async def test_the_parts_of_a_dead_edge_say_what_its_sources_say(house: House) -> None:
    press = replace(UP, outside=True, circuit=Circuit().proved(NOON, 0.0))
    edge = house.process("edge", "collectors", press, PartHealth("spool", up=True, since=NOON))
    await edge.source("press", True, "")
    await house.settle()
    await house.turn(60)
    parts = {p["name"]: p for p in house.hub.parts()}
    source = house.hub.sources["press"]
    for part in parts.values():
        told = {key: part[key] for key in ("up", "since", "last_error")}
        assert told == {"up": False, "since": source["since"], "last_error": source["error"]}
        assert not part.get("circuit"), "nobody is on the way there"


async def test_a_reader_that_hangs_before_a_lost_source_is_not_up_beside_it(house: House) -> None:
    """It runs: it waits for an answer."""
    press = replace(UP, outside=True)
    edge = house.process("edge", "collectors", press, PartHealth("spool", up=True, since=NOON))
    here = RollCall(house.bus, house.clock, "h:hub", "hub", lambda: [press])
    await house.turn(30)
    for who in (edge, here):
        await who.source("press", False, "no answer")
    await house.settle()
    for roll in (house.hub, here):
        told = {p["name"]: (p["up"], p["since"], p["last_error"]) for p in roll.parts()}
        assert told["collector press"] == (False, "2026-01-05T12:00:30Z", "no answer")
    assert house.hub.down() == ["collector press"], "and what it has beside its sources is up"
    for who in (edge, here):
        await who.source("press", True, "")
    await house.settle()
    assert house.hub.down() == []


# ------------------------------------------------------------------ andon alive
async def test_a_process_that_says_all_is_up_is_well(house: House) -> None:
    async with house.speaking(house.process("b", "collectors", UP)):
        assert well(NOON) == ""
    assert well(NOON + timedelta(seconds=STALE)) == ""
    assert "not been heard for 16 s" in well(NOON + timedelta(seconds=STALE + 1))


async def test_the_word_is_written_anew_when_a_part_falls_and_before_it_gets_old(
    house: House, word: Path
) -> None:
    parts = [UP]
    who = RollCall(house.bus, house.clock, "b:collectors", "collectors", lambda: parts)
    written = []
    async with house.speaking(who):
        for _ in range(10):
            written.append(orjson.loads(word.read_bytes())["at"])
            await house.turn(EVERY)
        assert 3 <= len(set(written)) < 5, "what is no news is not on the disk every two seconds"
        parts[0] = replace(UP, up=False)
        await house.turn(EVERY)
        assert well(house.clock.now()) == "down: collector press"


async def test_a_machine_that_is_away_makes_its_reader_no_less_well(house: House) -> None:
    away = PartHealth("collector oven", up=False, outside=True)
    async with house.speaking(house.process("b", "collectors", UP, away)):
        assert well(NOON) == ""


async def test_the_reader_of_a_machine_that_is_away_is_missed_when_it_is_dead_itself(house: House) -> None:
    away = PartHealth("collector oven", up=False, outside=True)
    async with house.speaking(house.process("b", "collectors", away)):
        assert [p["outside"] for p in house.hub.parts()] == [True]
    await house.turn(MISSED + 1)
    assert [p["outside"] for p in house.hub.parts()] == [False]


async def test_a_process_with_a_part_down_is_not_well(house: House) -> None:
    async with house.speaking(house.process("b", "collectors", UP, DOWN)):
        assert well(NOON) == "down: mes m"


@pytest.mark.parametrize(
    "left", ["", "{", "[]", "null", "{}", '{"at":"x","parts":{}}', '{"at":1,"parts":[]}']
)
def test_a_word_that_cannot_be_read_is_not_taken_for_well(word: Path, left: str) -> None:
    assert well(NOON) == "no process has left word here"
    word.write_text(left, encoding="utf-8")
    assert well(NOON) == "no process has left word here"


def test_a_word_is_replaced_whole_and_nothing_is_left_beside_it(word: Path) -> None:
    word.write_bytes(b"old")
    with word.open("rb") as before:
        leave_word(NOON, {"a": False})
        assert before.read() == b"old", "who reads the old word reads all of it"
    assert orjson.loads(word.read_bytes()) == {"at": NOON.timestamp(), "parts": {"a": False}}
    assert list(word.parent.iterdir()) == [word]


def test_a_full_or_closed_disk_does_not_stop_the_roll_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_ALIVE", "/proc/nowhere/alive.json")
    leave_word(NOON, {"a": True})
    assert well(NOON) == "no process has left word here"


async def test_what_a_source_lost_is_added_up_over_connections_and_processes(house: House) -> None:
    lost = {"overflow": 3, "notification": 0}
    old, new = house.process("h1", "collectors"), house.process("h2", "collectors")
    old.about("cnc", lambda: {"lost": dict(lost), "line": {"opened": "none"}})
    new.about("cnc", lambda: {"lost": {"overflow": 2}})
    await old.source("cnc", True, "")
    await house.settle()
    assert house.hub.sources["cnc"]["lost"] == {"overflow": 3, "notification": 0}
    assert house.hub.sources["cnc"]["line"] == {"opened": "none"}
    lost["overflow"] = 1  # the process was started again under its name, and counts from the beginning
    await old.source("cnc", True, "")
    await house.settle()
    assert house.hub.sources["cnc"]["lost"] == {"overflow": 4, "notification": 0}
    await house.turn(MISSED + 1)
    await new.source("cnc", True, "")  # which replaces the silent one
    await house.settle()
    assert house.hub.sources["cnc"]["lost"] == {"overflow": 6, "notification": 0}
