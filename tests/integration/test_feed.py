"""The feed on a stage: snapshot, numbered patches, hints and healing, slow readers, scopes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import cast

import orjson
import pytest

from hub.errors import Transient
from hub.model.alarm import AlarmState
from hub.model.batch import SampleBatch
from hub.model.equipment import Count, EquipmentState, StateSpan
from hub.model.production import WorkOrder
from hub.model.stop import OldPart, StopPart
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.ports import EVENTS, SAMPLES, Ledger
from hub.testing.clock import NOON
from screens.channel import PATIENCE, QUEUE
from screens.record import Record
from tests.api_stops import MemoryStops
from tests.buses import MakeBus
from tests.integration.feed_stage import L1, L2, M1, M2, TEMP1, TEMP2, Stage, alarm, executing, settle

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(make_bus: MakeBus) -> AsyncIterator[Stage]:
    async with Stage(make_bus({})).running() as stage:
        yield stage


# ------------------------------------------------------------------ what comes first
async def test_the_first_frame_is_the_board_as_the_record_has_it() -> None:
    stage = Stage()
    stage.ledger.alarms, stage.ledger.spans = [alarm()], executing()
    stage.samples.batch = SampleBatch.at([1], NOON - timedelta(seconds=3), [71.5])
    async with stage.running(), stage.reader() as reader:
        frame = await reader.next()
    assert (frame["type"], frame["at"]) == ("snapshot", "2026-01-05T12:00:00Z")
    machine = frame["board"]["machines"][M1]
    assert (machine["state"], machine["alarm"]) == ("executing", "high")
    assert machine["values"][TEMP1] == {
        "label": {"zh": "温度", "en": "temp"},
        "unit": "℃",
        "decimals": 1,
        "stale_after": 5.0,
        "value": 71.5,
        "at": "2026-01-05T11:59:57.000Z",
        "status": "good",
    }


async def test_before_the_record_has_been_read_there_is_no_board_to_be_believed() -> None:
    with pytest.raises(Transient):
        Stage().feed.snapshot(("p1",))


async def test_a_record_that_is_away_at_the_start_is_the_supervisors_business() -> None:
    stage = Stage()
    stage.ledger.away = True
    with pytest.raises(ExceptionGroup) as raised:
        await stage.feed.run()
    assert raised.group_contains(Transient)
    assert not stage.feed.ready.is_set()


# ------------------------------------------------------------------ patches
async def test_patches_add_up_to_the_snapshot_that_a_newcomer_gets(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        for n in range(12):
            await stage.say(1 + n % 2, 70.0 + n)
            if n == 3:
                stage.ledger.alarms = [alarm()]
                await stage.hint("alarm")
            if n == 7:
                stage.ledger.alarms, stage.ledger.spans = [], executing()
                await stage.hint("alarm")
                await stage.hint("state")
            await stage.turn(0.4)
        await reader.drain()
        async with stage.reader() as newcomer:
            fresh = await newcomer.next()
    assert reader.board == fresh["board"] == stage.feed.snapshot(("p1",))["board"] | {}
    assert reader.board["machines"][M2]["values"][TEMP2]["value"] == 81.0
    assert reader.board["alarms"] == {}


async def test_at_most_four_patches_a_second_are_made_of_numbers(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        for n in range(40):
            await stage.say(1, 70.0 + n)
            await stage.turn(0.05)
        patches = [f for f in await reader.drain() if f["type"] == "patch"]
    assert 7 <= len(patches) <= 11  # two seconds; a beat may add one
    assert reader.board["machines"][M1]["values"][TEMP1]["value"] >= 105


async def test_an_alarm_is_on_the_screen_without_waiting_for_the_pace(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        await stage.say(1, 70.0)
        await reader.next("patch")  # the next numbers have to wait now
        await stage.say(1, 71.0)
        stage.ledger.alarms = [alarm()]
        await stage.hint("alarm")  # the clock stands still
        frame = await reader.next("patch")
    frame["board"]["machines"][M1].pop("values")
    assert list(frame["board"]["alarms"]) == ["1"]
    assert frame["board"]["machines"] == {M1: {"alarm": "high"}}


async def test_an_alarm_does_not_wait_for_a_long_reading_of_something_else(stage: Stage) -> None:
    reading, done = asyncio.Event(), asyncio.Event()

    async def slow() -> list[WorkOrder]:
        reading.set()
        await done.wait()
        return []

    stage.ledger.orders = slow  # type: ignore[method-assign]
    async with stage.reader() as reader:
        await reader.next()
        await stage.hint("order")
        async with asyncio.timeout(5):
            await reading.wait()
        stage.ledger.alarms = [alarm()]
        await stage.hint("alarm")
        await reader.next("patch")
        assert list(reader.board["alarms"]) == ["1"]
        await stage.turn(6.5)
        await reader.drain()
        assert reader.board["health"]["parts_down"] == ["record"]  # it hangs, and the board says so
        done.set()
        await stage.turn(1.5)
        await reader.drain()
    assert reader.board["health"]["parts_down"] == []


async def test_an_alarm_flood_is_told_at_most_twenty_times_a_second(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        for n in range(1, 101):
            stage.ledger.alarms = [alarm(i) for i in range(1, n + 1)]
            await stage.hint("alarm")
            if n % 5 == 0:
                await stage.turn(0.05)  # a hundred within a second
            await reader.drain()
        patches = [f for f in reader.frames if f["type"] == "patch"]
    assert len(patches) <= 20 + 4
    assert len(reader.board["alarms"]) == 100


async def test_a_hint_that_was_lost_is_healed_within_ten_seconds(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        stage.ledger.alarms = [alarm()]
        await stage.turn(10.5)
        await reader.drain()
    assert list(reader.board["alarms"]) == ["1"]


async def test_a_ticket_and_its_alarm_appear_together_and_go_together(stage: Stage) -> None:
    ticket = MaintenanceTicket("AH-1", 1, M1, TicketState.SENT, NOON, NOON)
    async with stage.reader() as reader:
        await reader.next()
        stage.ledger.alarms, stage.ledger.tickets = [alarm()], [ticket]
        await stage.hint("ticket")
        await reader.next("patch")
        assert reader.board["alarms"]["1"]["ticket"] == "AH-1"
        stage.ledger.ended = [replace(alarm(), state=AlarmState.NORMAL, cleared_at=NOON)]
        stage.ledger.alarms, stage.ledger.tickets = [], []
        await stage.turn(0.1)
        await stage.hint("alarm")
        await reader.drain()
    assert (reader.board["alarms"], reader.board["tickets"]) == ({}, {})
    assert reader.board["last_calm_since"] == "2026-01-05T12:00:00Z"


async def test_pieces_are_on_the_machine_within_two_seconds_and_on_the_line_within_six(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        stage.ledger.spans = executing()
        stage.ledger.counted = [Count(M1, NOON - timedelta(seconds=30), True, 45, 45)]
        await stage.hint("state")
        await stage.hint("count")
        await stage.turn(2)
        await reader.drain()
        assert reader.board["machines"][M1]["good"] == 45
        await stage.turn(4)
        await reader.drain()
    line = reader.board["lines"][L1]
    assert (line["good"], line["target"]) == (45, 60)  # planned since the record begins, five minutes ago
    assert line["oee"]["performance"] == pytest.approx(0.75, abs=0.01)
    assert line["oee"]["coverage"] == pytest.approx(1 / 12, abs=0.001)  # one hour of twelve


async def test_late_counts_are_found_by_reading_the_whole_shift_again(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        stage.ledger.counted = [Count(M1, NOON - timedelta(hours=5), True, 8, 8)]
        for _ in range(320):
            stage.clock.turn(1)
            await settle()
            await reader.drain()
    assert reader.board["machines"][M1]["good"] == 8


async def test_states_that_came_late_are_found_by_reading_the_shift_again(stage: Stage) -> None:
    fault = StateSpan(M1, EquipmentState.FAULT, NOON - timedelta(minutes=20))
    stage.ledger.spans = [fault]
    await stage.hint("state")
    running = StateSpan(M1, EquipmentState.EXECUTING, NOON - timedelta(minutes=60), fault.since)
    stage.ledger.spans = [running, fault]
    for _ in range(300):
        stage.clock.turn(1)
        await settle()
    oee = stage.feed.snapshot(("p1",))["board"]["lines"][L1]["oee"]
    assert oee["availability"] == pytest.approx(40 / 65, abs=0.01)


async def test_a_past_that_was_derived_anew_is_in_the_figures_at_once(stage: Stage) -> None:
    began, half = NOON - timedelta(hours=1), NOON - timedelta(minutes=30)
    present = StateSpan(M1, EquipmentState.EXECUTING, half)
    stage.ledger.spans = [StateSpan(M1, EquipmentState.IDLE, began, half), present]
    await stage.hint("state")
    await stage.turn(21)  # the present span stays as it is
    assert _availability(stage) == pytest.approx(0.5, abs=0.01)
    stage.ledger.spans = [StateSpan(M1, EquipmentState.EXECUTING, began, half), present]
    await stage.hint("past")
    await stage.turn(5.5)
    assert _availability(stage) == 1


def _availability(stage: Stage) -> float:
    found: float = stage.feed.snapshot(("p1",))["board"]["lines"][L1]["oee"]["availability"]
    return found


async def test_a_state_that_changed_without_a_hint_is_in_the_figures_too(stage: Stage) -> None:
    stage.ledger.spans = executing([M1])
    await stage.hint("state")
    stage.ledger.spans = [
        replace(stage.ledger.spans[0], until=NOON - timedelta(minutes=30)),
        StateSpan(M1, EquipmentState.FAULT, NOON - timedelta(minutes=30)),
    ]
    await stage.turn(16)
    board = stage.feed.snapshot(("p1",))["board"]
    assert board["machines"][M1]["state"] == "fault"
    assert board["lines"][L1]["oee"]["availability"] == pytest.approx(0.5, abs=0.01)


# ------------------------------------------------------------------ heartbeat and health
async def test_a_quiet_plant_still_has_a_heart(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        await stage.turn(4.3)
        await reader.drain()
    beats = [f for f in reader.frames if f["type"] == "heartbeat"]
    assert len(beats) == 4
    assert len({b["at"][:19] for b in beats}) == 4


async def test_no_machine_runs_on_a_board_that_calls_its_source_lost(stage: Stage) -> None:
    """The record keeps the state until the signal's limit is over; a wall shows both or neither."""
    stage.ledger.spans = executing([M1])
    await stage.hint("state")
    async with stage.reader() as reader:
        await stage.say(1, 2.0)
        for up, state in ((True, "executing"), (False, "unknown"), (True, "executing")):
            stage.health["sources"] = {"plc": {"up": up, "since": NOON}}
            await stage.hint("source")
            await stage.turn(1)
            await reader.drain()
            assert reader.board["machines"][M1]["state"] == state
            assert reader.board["health"]["sources"]["plc"]["up"] is up


async def test_a_lost_source_shows_with_the_next_beat_and_sensor_to_screen_time_is_told(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        await stage.say(1, 70.0)
        stage.health["sources"] = {"plc": {"up": False, "since": NOON}}
        stage.health["outbox_oldest"] = 2.5
        await stage.turn(1.2)
        await reader.drain()
    assert reader.board["health"] == {
        "latency": {"p50": 0.0, "p99": 0.0},
        "sources": {"plc": {"up": False, "since": "2026-01-05T12:00:00Z", "machines": [M1]}},
        "outbox_oldest": 2,
        "parts_down": [],
    }


async def test_a_source_that_was_lost_before_we_came_is_missed_by_the_wall_of_its_line(stage: Stage) -> None:
    stage.health["sources"] = {"silent": {"up": False, "since": NOON}}
    await stage.hint("source")
    await stage.turn(1)
    for scope, seen in ((L2, ["silent"]), (L1, [])):
        assert list(stage.feed.snapshot([scope])["board"]["health"]["sources"]) == seen


async def test_latency_is_from_source_time_to_the_patch(stage: Stage) -> None:
    for n in range(10):
        await stage.say(1, float(n))
        await stage.turn(0.1)
    assert 0.0 < stage.feed.latency()["p99"] <= 0.25


# ------------------------------------------------------------------ when things are away
async def test_numbers_go_on_while_the_record_is_away_and_the_board_says_so(stage: Stage) -> None:
    async with stage.reader() as reader:
        await reader.next()
        stage.ledger.away = True
        await stage.hint("alarm")
        await stage.say(1, 75.0)
        await stage.turn(2.5)
        await reader.drain()
        assert reader.board["health"]["parts_down"] == ["record"]
        assert reader.board["machines"][M1]["values"][TEMP1]["value"] == 75.0
        stage.ledger.away, stage.ledger.alarms = False, [alarm()]
        await stage.turn(2.5)
        await reader.drain()
    assert reader.board["health"]["parts_down"] == []
    assert list(reader.board["alarms"]) == ["1"]


async def test_a_bus_that_is_away_means_asking_the_store() -> None:
    stage = Stage()

    async def broken(topic: str) -> AsyncIterator[bytes]:
        raise Transient(f"bus: nobody there for {topic}")
        yield b""

    stage.bus.listen = broken  # type: ignore[method-assign]
    async with stage.running(), stage.reader() as reader:
        await reader.next()
        stage.samples.batch = SampleBatch.at([1], stage.clock.now(), [66.0])
        stage.ledger.alarms = [alarm()]
        await stage.turn(10.5)
        await reader.drain()
    assert reader.board["machines"][M1]["values"][TEMP1]["value"] == 66.0
    assert list(reader.board["alarms"]) == ["1"]
    assert reader.board["health"]["parts_down"] == ["bus"]


async def _others_are_heard(stage: Stage, seconds: int) -> None:
    for n in range(seconds):
        await stage.say(2, 20.0 + n)
        await stage.turn(1.0)


async def test_what_changed_before_we_listened_is_shown_once_the_record_has_it() -> None:
    stage = Stage()
    async with stage.running(), stage.reader() as reader:
        await _others_are_heard(stage, 5)
        stage.samples.batch = SampleBatch.at([1], NOON - timedelta(seconds=2), [71.0])  # on its way till now
        await _others_are_heard(stage, 10)
        await reader.drain()
    assert reader.board["machines"][M1]["values"][TEMP1]["value"] == 71.0


async def test_what_changed_while_the_bus_was_away_for_a_moment_is_shown_too() -> None:
    stage = Stage()
    listen, torn = stage.bus.listen, asyncio.Event()

    async def tearing(topic: str) -> AsyncIterator[bytes]:
        async with aclosing(listen(topic)) as heard:
            async for body in heard:
                yield body
                if topic == SAMPLES and torn.is_set():
                    torn.clear()
                    raise Transient("bus: the connection is gone")

    stage.bus.listen = tearing  # type: ignore[method-assign]
    async with stage.running(), stage.reader() as reader:
        await _others_are_heard(stage, 20)
        await reader.drain()
        torn.set()
        await _others_are_heard(stage, 5)
        stage.samples.batch = SampleBatch.at([1], stage.clock.now() - timedelta(seconds=5), [72.0])
        await _others_are_heard(stage, 10)
        await reader.drain()
    assert reader.board["machines"][M1]["values"][TEMP1]["value"] == 72.0


async def test_the_record_which_is_behind_hides_nothing_that_was_heard() -> None:
    stage = Stage()
    async with stage.running(), stage.reader() as reader:
        stage.samples.batch = SampleBatch.lost([1], stage.clock.now())
        await stage.turn(0.5)
        await stage.say(1, 55.0)  # it is back; the record will hear of that later
        await _others_are_heard(stage, 12)
        await reader.drain()
    shown = reader.board["machines"][M1]["values"][TEMP1]
    assert (shown["value"], shown["status"]) == (55.0, "good")


async def test_what_is_no_batch_and_no_hint_does_no_harm(stage: Stage) -> None:
    for body in (b"", b"AHB1 nonsense", b"\xff" * 40):
        await stage.bus.shout(SAMPLES, body)
        await stage.bus.shout(EVENTS, body)
    await stage.bus.shout(EVENTS, orjson.dumps(["alarm"]))
    await stage.say(1, 77.0)
    await stage.turn(0.3)
    assert stage.feed.snapshot(("p1",))["board"]["machines"][M1]["values"][TEMP1]["value"] == 77.0


# ------------------------------------------------------------------ readers
async def test_a_frame_is_encoded_once_for_all_who_see_the_same(stage: Stage) -> None:
    async with stage.feed.watch(("p1",)) as a, stage.feed.watch(("p1", "p1")) as b:
        assert await a.take() is await b.take()
        await stage.say(1, 70.0)
        await stage.turn(0.3)
        assert await a.take() is await b.take()


async def test_a_reader_that_falls_behind_gets_the_board_as_it_stands_and_no_backlog(stage: Stage) -> None:
    async with stage.reader() as slow, stage.reader() as quick:
        await slow.next()
        for n in range(QUEUE * 2):
            await stage.say(1, float(n))
            await stage.turn(0.25)
            await quick.drain()
        frame = await slow.next()
        assert frame["type"] == "snapshot"
        assert slow.place.skipped >= 1
        await stage.say(1, 500.0)
        await stage.turn(0.3)
        await slow.drain()
        await quick.drain()
    assert slow.board == quick.board
    assert len([f for f in quick.frames if f["type"] == "snapshot"]) == 1


async def test_a_reader_that_takes_nothing_is_let_go_after_half_a_minute_and_others_are_not(
    stage: Stage,
) -> None:
    async with stage.reader() as frozen, stage.reader() as quick:
        await frozen.next()
        for _ in range(int(PATIENCE) - 1):
            await stage.turn(1)
            await quick.drain()
        assert not frozen.place.closed.is_set()
        await stage.turn(3)
        assert frozen.place.closed.is_set()
        assert await frozen.place.take() is None
        assert not quick.place.closed.is_set()
        assert stage.feed.readers == 1


async def test_a_reader_that_takes_one_frame_a_second_is_kept(stage: Stage) -> None:
    async with stage.reader() as slow:
        for n in range(60):
            await stage.say(1, float(n))
            await slow.next()
            await stage.turn(1)
        assert not slow.place.closed.is_set()


async def test_a_narrow_reader_hears_nothing_of_other_lines(stage: Stage) -> None:
    async with stage.reader(L1) as narrow, stage.reader() as whole:
        for reader in (narrow, whole):
            await reader.next()
        stage.ledger.alarms = [alarm(7, M2)]
        stage.health["sources"] = {"plc-2": {"up": False}}
        await stage.hint("alarm")
        await stage.say(2, 70.0, "plc-2")
        await stage.turn(1.5)
        await narrow.drain()
        await whole.drain()
        assert M2 not in str(narrow.frames)
        assert "plc-2" not in str(narrow.frames)
        assert "plc-2" in str(whole.frames) and whole.board["alarms"]["7"]["equipment"] == M2
        await stage.say(1, 44.0, "plc-1")
        await stage.turn(0.3)
        await narrow.drain()
    assert narrow.board["machines"][M1]["values"][TEMP1]["value"] == 44.0


async def test_a_channel_nobody_looks_at_is_given_up(stage: Stage) -> None:
    async with stage.reader(L1):
        assert stage.feed.readers == 1
    assert stage.feed.readers == 0
    assert not stage.feed._channels


async def test_readers_stay_while_the_runner_is_restarted() -> None:
    stage = Stage()
    async with stage.running():
        pass
    async with stage.reader() as reader:
        await reader.next()
        stage.ledger.alarms = [alarm()]
        async with stage.running():
            await reader.drain()
    assert list(reader.board["alarms"]) == ["1"]


# ------------------------------------------------------------------ documents
async def test_the_timeline_is_cut_and_the_present_span_has_no_end(stage: Stage) -> None:
    stage.ledger.spans = [
        StateSpan(M1, EquipmentState.IDLE, NOON - timedelta(hours=2), NOON - timedelta(hours=1)),
        StateSpan(M1, EquipmentState.EXECUTING, NOON - timedelta(hours=1)),
        StateSpan(M2, EquipmentState.FAULT, NOON - timedelta(hours=1)),
    ]
    assert await stage.feed.timeline(8, (L1,)) == {
        "spans": [
            {
                "equipment": M1,
                "state": "idle",
                "since": "2026-01-05T10:00:00Z",
                "until": "2026-01-05T11:00:00Z",
            },
            {"equipment": M1, "state": "executing", "since": "2026-01-05T11:00:00Z"},
        ]
    }


async def test_the_snapshot_over_http_is_the_one_that_sockets_get(stage: Stage) -> None:
    async with stage.reader(L1) as reader:
        frame = await reader.next()
    assert stage.feed.snapshot((L1,))["board"] == frame["board"]


async def test_a_ticket_that_was_closed_in_this_shift_still_counts_its_maintenance_as_lost(
    stage: Stage,
) -> None:
    hour = timedelta(hours=1)
    stage.ledger.spans = [
        StateSpan(M1, EquipmentState.EXECUTING, NOON - 4 * hour, NOON - 2 * hour),
        StateSpan(M1, EquipmentState.MAINTENANCE, NOON - 2 * hour, NOON - hour),
        StateSpan(M1, EquipmentState.EXECUTING, NOON - hour),
    ]
    record = Record(stage.plant, cast(Ledger, stage.ledger), stage.clock)

    async def availability() -> float:
        await record.read({"state", "count"})
        await record.rake()
        await record.reckon()
        found: float = record.facts.lines[L1]["oee"]["availability"]
        return found

    assert await availability() == 1.0, "nobody has a ticket: it was planned"
    stopped, reset = NOON - 2 * hour, NOON - hour
    stage.ledger.closed = [
        MaintenanceTicket("AH-1", 1, M1, TicketState.CLOSED, stopped, stopped, reset_at=reset, closed_at=NOON)
    ]
    record = Record(stage.plant, cast(Ledger, stage.ledger), stage.clock)
    assert await availability() == 0.75


async def test_a_stop_that_needs_a_reason_is_marked_on_its_machine_until_it_has_one(stage: Stage) -> None:
    minute = timedelta(minutes=1)
    stage.ledger.spans = [
        StateSpan(M1, EquipmentState.EXECUTING, NOON - 60 * minute, NOON - 4 * minute),
        StateSpan(M1, EquipmentState.FAULT, NOON - 4 * minute),
    ]
    stops = MemoryStops()
    record = Record(stage.plant, cast(Ledger, stage.ledger), stage.clock, stops)

    async def unexplained() -> dict[str, int]:
        await record.read({"state", "stop"})
        await record.reckon()
        return dict(record.facts.unexplained)

    assert await unexplained() == {}, "four minutes are no stop yet that needs a reason"
    stage.clock.turn(61)
    assert await unexplained() == {M1: 1}, "time alone has made it one"
    said = StopPart(M1, NOON - 4 * minute, NOON, "jam", "", "op", NOON, True, True, 1)
    stops.kept.append(OldPart(said, None, ""))
    assert await unexplained() == {}
