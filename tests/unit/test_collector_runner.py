"""What happens around a collector: its tags, its state, the bus, the record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from collectors.bus_sink import LINGER, BusSink
from collectors.runner import CollectorRunner, MesRunner, shouter, source_state
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.alarm import Priority
from hub.model.batch import SampleBatch
from hub.model.erp import PostingKind
from hub.model.intent import Intent, IntentKind
from hub.model.production import JobOrder, JobResponse, JobState, Posting, WorkOrder
from hub.model.sample import BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE
from hub.model.stamp import Stamp
from hub.model.words import Words
from hub.ports import EVENTS, SAMPLES
from hub.testing.clock import NOON, HandClock
from tests.simulators.devices import Heard

pytestmark = pytest.mark.anyio


def batch(*tags: int, at: Any = NOON) -> SampleBatch:
    return SampleBatch.at(list(tags), at, [float(t) for t in tags], "m")


class Acting:
    """A collector that does what the test says: puts batches, then ends with an error (or waits for ever)."""

    Config: Any = None
    tag_numbers = (1, 2)

    def __init__(self, puts: Sequence[SampleBatch], end: BaseException | None) -> None:
        self._puts, self._end = puts, end

    async def run(self, sink: Any) -> None:
        for item in self._puts:
            await sink.put(item)
        if self._end is None:
            await asyncio.Event().wait()
        else:
            raise self._end


class States:
    def __init__(self) -> None:
        self.told: list[tuple[bool, str]] = []

    async def __call__(self, up: bool, error: str) -> None:
        self.told.append((up, error))


class Plays:
    """Lives of one source, one after the other, through one runner."""

    def __init__(self, *lives: tuple[list[SampleBatch], BaseException | None]) -> None:
        self.sink, self.clock, self.states = Heard(), HandClock(), States()
        acts = iter([Acting(*life) for life in lives])
        make: Callable[[], Any] = lambda: next(acts)  # noqa: E731
        self.runner = CollectorRunner("m", make, self.sink, self.clock, self.states)

    async def live(self) -> None:
        await self.runner.run()


AWAY = SourceUnavailable("m: no answer")


async def test_a_lost_source_turns_its_tags_bad_once_and_the_error_goes_on() -> None:
    plays = Plays(([batch(1, 2)], AWAY), ([], AWAY), ([], AWAY))
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            await plays.live()
    assert [s.status for s in plays.sink.of(1)] == [0, BAD_NO_COMMUNICATION]
    assert plays.states.told == [(True, ""), (False, "m: no answer")]


async def test_another_reason_is_told_again() -> None:
    plays = Plays(([], AWAY), ([], SourceRefused("m: not trusted")))
    for _ in range(2):
        with pytest.raises((SourceUnavailable, SourceRefused)):
            await plays.live()
    assert plays.states.told == [(False, "m: no answer"), (False, "m: not trusted")]


async def test_a_source_that_comes_back_is_up_with_its_first_sample() -> None:
    plays = Plays(([], AWAY), ([batch(1)], AWAY))
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await plays.live()
    assert [up for up, _ in plays.states.told] == [False, True, False]


async def test_the_lost_mark_follows_the_clock_of_the_source() -> None:
    """A machine whose clock is an hour slow: a mark by our clock would outdate its samples for an hour."""
    slow = NOON - timedelta(hours=1)
    plays = Plays(([batch(1, at=slow)], AWAY))
    with pytest.raises(SourceUnavailable):
        await plays.live()
    assert plays.sink.last(1).source_time == slow + timedelta(microseconds=1)


async def test_the_lost_mark_follows_every_tag_though_the_last_batch_told_of_the_past() -> None:
    plays = Plays(([batch(1), batch(2, at=NOON - timedelta(hours=1))], AWAY))
    with pytest.raises(SourceUnavailable):
        await plays.live()
    assert plays.sink.last(1).source_time == NOON + timedelta(microseconds=1)


async def test_a_source_never_heard_is_marked_with_our_clock() -> None:
    plays = Plays(([], AWAY))
    with pytest.raises(SourceUnavailable):
        await plays.live()
    assert plays.sink.last(2).source_time == NOON


async def test_being_switched_off_is_not_a_loss() -> None:
    plays = Plays(([batch(1)], None))
    task = asyncio.create_task(plays.live())
    await plays.sink.said(1, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(plays.sink.batches) == 1
    assert plays.states.told == [(True, "")]


async def test_a_bug_in_a_collector_turns_its_tags_bad_too() -> None:
    plays = Plays(([batch(1, 2)], ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        await plays.live()
    assert plays.sink.last(2).status == BAD_NO_COMMUNICATION


# ------------------------------------------------------------------ the bus
class OneBus:
    """Remembers; holds publishers back while `gate` is closed; fails as often as told, also after it took."""

    def __init__(self) -> None:
        self.published: list[SampleBatch] = []
        self.stamps: list[Stamp] = []
        self.shouted: list[tuple[str, bytes]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = self.lost_answers = 0

    async def publish(self, topic: str, body: bytes, stamp: Stamp) -> None:
        assert topic == SAMPLES
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        self.published.append(SampleBatch.from_bytes(body))
        self.stamps.append(stamp)
        if self.lost_answers:
            self.lost_answers -= 1
            raise ConnectionError("no answer")

    async def shout(self, topic: str, body: bytes) -> None:
        self.shouted.append((topic, body))

    def tags(self) -> list[int]:
        return [tag for b in self.published for tag in b.tags.tolist()]


def bus_sink(bus: OneBus) -> BusSink:
    return BusSink(bus)  # type: ignore[arg-type]


async def test_batches_reach_the_bus_and_the_screens() -> None:
    bus = OneBus()
    await bus_sink(bus).put(batch(1, 2))
    assert bus.published[0].tags.tolist() == [1, 2]
    assert bus.published[0].source == "m"
    assert [topic for topic, _ in bus.shouted] == [SAMPLES]
    assert bus.shouted[0][1] == bus.published[0].to_bytes()


async def test_batches_put_at_once_travel_together_in_their_order() -> None:
    bus = OneBus()
    sink = bus_sink(bus)
    await asyncio.gather(*(sink.put(batch(n)) for n in range(100)))
    assert np.concatenate([b.tags for b in bus.published]).tolist() == list(range(100))
    assert len(bus.published) < 5


async def test_who_had_company_waits_a_moment_for_it_and_who_is_alone_never_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests, rest = [], asyncio.sleep

    async def noted(seconds: float) -> None:
        rests.append(seconds)
        await rest(0)

    bus = OneBus()
    sink = bus_sink(bus)
    monkeypatch.setattr(asyncio, "sleep", noted)
    for of_a_tick in ([1], [2], [3, 4, 5], [6, 7, 8], [9], [10]):
        await asyncio.gather(*(sink.put(batch(n)) for n in of_a_tick))
    assert rests == [0, 0, 0, LINGER, LINGER, 0]
    assert bus.tags() == list(range(1, 11))


async def test_put_waits_while_the_bus_is_full() -> None:
    bus = OneBus()
    bus.gate.clear()
    sink = bus_sink(bus)
    puts = [asyncio.create_task(sink.put(batch(n))) for n in (1, 2, 3)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(p.done() for p in puts)
    bus.gate.set()
    await asyncio.gather(*puts)
    assert sorted(np.concatenate([b.tags for b in bus.published]).tolist()) == [1, 2, 3]


async def test_a_bus_that_fails_tells_one_collector_and_loses_nobodys_samples() -> None:
    bus = OneBus()
    bus.failures = 1
    sink = bus_sink(bus)
    results = await asyncio.gather(*(sink.put(batch(n)) for n in (1, 2, 3)), return_exceptions=True)
    assert [type(r) for r in results] == [ConnectionError, type(None), type(None)]
    assert sorted(bus.tags()) == [1, 2, 3]


async def test_what_may_have_arrived_goes_out_again_first_and_under_its_number() -> None:
    bus = OneBus()
    bus.lost_answers = 2
    sink = bus_sink(bus)
    for n in (1, 2):
        with pytest.raises(ConnectionError):
            await sink.put(batch(n))
    await sink.put(batch(3))
    assert bus.tags() == [1, 1, 1, 3], "2 was refused: its collector knows, and nobody sent it"
    assert [s.number for s in bus.stamps] == [1, 1, 1, 2]
    assert len({s.origin for s in bus.stamps}) == 1
    assert len(bus.shouted) == 2, "screens are told once"


async def test_put_waits_until_what_was_sealed_has_arrived() -> None:
    bus = OneBus()
    bus.lost_answers = 1
    sink = bus_sink(bus)
    first, second = await asyncio.gather(sink.put(batch(1)), sink.put(batch(2)), return_exceptions=True)
    assert isinstance(first, ConnectionError) and second is None
    assert [s.number for s in bus.stamps] == [1, 1], "the second one tried again for both"
    assert set(bus.tags()) == {1, 2}


async def test_a_number_that_no_machine_means_goes_to_nobody_as_one() -> None:
    bus = OneBus()
    await bus_sink(bus).put(SampleBatch.at([1, 2], NOON, [1e200, 5.0]))
    [told] = bus.published
    assert told.statuses.tolist() == [BAD_OUT_OF_RANGE, 0]
    assert np.isnan(told.values[0]) and told.values[1] == 5.0


def test_every_process_is_an_origin_of_its_own() -> None:
    assert bus_sink(OneBus())._origin != bus_sink(OneBus())._origin


async def test_a_cancelled_leader_does_not_hold_up_the_others() -> None:
    bus = OneBus()
    bus.gate.clear()
    sink = bus_sink(bus)
    puts = [asyncio.create_task(sink.put(batch(n))) for n in (1, 2)]
    for _ in range(10):
        await asyncio.sleep(0)
    puts[0].cancel()
    bus.gate.set()
    await asyncio.gather(*puts, return_exceptions=True)
    assert 2 in np.concatenate([b.tags for b in bus.published]).tolist()


async def test_states_are_shouted_as_events() -> None:
    bus = OneBus()
    await source_state(shouter(bus), HandClock(), "press-01")(False, "no answer")  # type: ignore[arg-type]
    topic, body = bus.shouted[0]
    assert topic == EVENTS
    assert json.loads(body) == {
        "kind": "source", "name": "press-01", "up": False, "at": "2026-01-05T12:00:00Z", "error": "no answer",
    }  # fmt: skip


# ------------------------------------------------------------------ orders and reports
class Record:
    """A ledger of the few things an MES touches; a transaction that fails leaves nothing."""

    def __init__(self) -> None:
        self.book: dict[str, WorkOrder] = {}
        self.responses: dict[str, JobResponse] = {}
        self.postings: dict[str, Posting] = {}
        self.intents: dict[str, Intent] = {}
        self.marks: dict[str, str] = {}
        self.fail_at = ""

    async def orders(self) -> list[WorkOrder]:
        return list(self.book.values())

    async def mark(self, name: str) -> str:
        return self.marks.get(name, "")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Record]:
        before = [dict(d) for d in (self.book, self.responses, self.postings, self.intents, self.marks)]
        try:
            yield self
        except BaseException:
            self.book, self.responses, self.postings, self.intents, self.marks = before  # type: ignore[assignment]
            raise

    async def save_order(self, order: WorkOrder, *, keep_state: bool = False) -> bool:
        assert keep_state, "an MES does not know what the office has decided"
        changed = self.book.get(order.number) != order
        self.book[order.number] = order
        return changed

    async def add_response(self, response: JobResponse, source: str, peers: Any) -> JobResponse | None:
        new = response.id not in self.responses
        self.responses[response.id] = response
        return response if new else None

    async def add_posting(self, posting: Posting, source: str, peers: Any) -> Posting | None:
        new = posting.id not in self.postings
        self.postings[posting.id] = posting
        return posting if new else None

    async def note_unbound(self, order: str, operation: str) -> str:
        return ""

    async def intend(self, intent: Intent) -> None:
        if self.fail_at == "intend":
            raise ConnectionError("database away")
        self.intents.setdefault(intent.key, intent)

    async def set_mark(self, name: str, value: str) -> None:
        self.marks[name] = value


ORDER = WorkOrder(
    "WO-1",
    "A100",
    Words("油泵", "Pump"),
    100,
    NOON,
    jobs=(JobOrder("WO-1", "10", Words("", "Stamp"), "p1/a/l1", 100),),
)
REPORT = JobResponse("R1", "WO-1", "10", NOON, 3, 1, JobState.RUNNING, "p1/a/l1/m", "li", 60.0)


LOT = Posting("S1", PostingKind.RECEIPT, "WO-1", "10", NOON, "A100", 3.0, "Pcs", "L-7")


class Telling:
    """An MES that tells what it is given and then goes away."""

    Config: Any = None

    def __init__(self, *said: WorkOrder | JobResponse | Posting) -> None:
        self._said = said
        self.since: list[str] = []
        self.postings_since: list[str] = []

    async def run(self, sink: Any, orders: Any, postings: Any, since: str, postings_since: str) -> None:
        self.since.append(since)
        self.postings_since.append(postings_since)
        sinks = {WorkOrder: orders, JobResponse: sink, Posting: postings}
        for one in self._said:
            await sinks[type(one)].put(one)
        raise SourceUnavailable("mes: gone")


class Events:
    def __init__(self) -> None:
        self.all: list[Mapping[str, object]] = []

    async def __call__(self, event: Mapping[str, object]) -> None:
        self.all.append(event)

    def of(self, kind: str) -> list[Mapping[str, object]]:
        return [e for e in self.all if e["kind"] == kind]


async def tell(record: Record, *said: WorkOrder | JobResponse | Posting) -> tuple[Events, Telling]:
    events, mes = Events(), Telling(*said)
    runner = MesRunner("mes", lambda: mes, record, HandClock(), events)  # type: ignore[arg-type,return-value]
    with pytest.raises(SourceUnavailable):
        await runner.run()
    return events, mes


async def test_a_report_its_intent_and_the_mark_are_written_together_and_told() -> None:
    record = Record()
    events, mes = await tell(record, ORDER, REPORT)
    assert mes.since == [""]
    assert record.marks == {"mes:mes": "R1"}
    assert record.intents["report:R1"] == Intent(
        IntentKind.REPORT_OPERATION, "report:R1", "order:WO-1:10",
        {
            "response": "R1", "order": "WO-1", "operation": "10", "good": 3, "scrap": 1, "rework": 0,
            "state": "running",
            "at": "2026-01-05T12:00:00Z", "equipment": "p1/a/l1/m", "person": "li",
            "labour_seconds": REPORT.labour_seconds,
        },
        priority=Priority.LOW,
    )  # fmt: skip
    assert [e["number"] for e in events.of("order")] == ["WO-1", "WO-1"]


async def test_a_posting_its_intent_and_its_own_mark_are_written_together() -> None:
    record = Record()
    await tell(record, ORDER, LOT)
    assert record.marks == {"mes:mes:postings": "S1"}
    intent = record.intents["post:receipt:S1"]
    assert (intent.kind, intent.lane) == (IntentKind.POST, "order:WO-1:10"), (
        "behind the reports of its operation"
    )
    told = intent.payload
    assert (told["kind"], told["posting"], told["lot"]) == ("receipt", "S1", "L-7")
    assert (told["quantity"], told["at"]) == (3.0, "2026-01-05T12:00:00Z")
    _, mes = await tell(record, LOT)
    assert (mes.postings_since, len(record.intents)) == (["S1"], 1)


async def test_a_posting_that_cannot_be_passed_on_is_not_on_record() -> None:
    record = Record()
    record.fail_at = "intend"
    runner = MesRunner("mes", lambda: Telling(ORDER, LOT), record, HandClock(), Events())  # type: ignore[arg-type,return-value]
    with pytest.raises(ConnectionError):
        await runner.run()
    assert (record.postings, record.marks) == ({}, {})


async def test_reading_goes_on_behind_the_last_report_on_record() -> None:
    record = Record()
    await tell(record, ORDER, REPORT)
    _, mes = await tell(record)
    assert mes.since == ["R1"]


async def test_a_repeated_report_and_an_unchanged_order_change_nothing_and_tell_nobody() -> None:
    record = Record()
    await tell(record, ORDER, REPORT)
    events, _ = await tell(record, ORDER, REPORT)
    assert events.of("order") == []
    assert len(record.intents) == 1


async def test_what_cannot_be_written_whole_is_not_written_at_all() -> None:
    record = Record()
    record.fail_at = "intend"
    runner = MesRunner("mes", lambda: Telling(ORDER, REPORT), record, HandClock(), Events())  # type: ignore[arg-type,return-value]
    with pytest.raises(ConnectionError):
        await runner.run()
    assert (record.responses, record.marks) == ({}, {})


async def test_a_report_of_an_unknown_order_is_kept_and_flagged(caplog: pytest.LogCaptureFixture) -> None:
    record = Record()
    await tell(record, REPORT)
    assert record.responses == {"R1": REPORT}
    assert "operation 10 of order WO-1" in caplog.text


async def test_an_order_known_from_the_record_is_not_flagged(caplog: pytest.LogCaptureFixture) -> None:
    record = Record()
    await tell(record, ORDER)
    await tell(record, REPORT)
    assert "kept" not in caplog.text


async def test_the_mes_is_a_source_that_is_up_or_down() -> None:
    events, _ = await tell(Record(), ORDER)
    assert [(e["name"], e["up"], e["error"]) for e in events.of("source")] == [
        ("mes", True, ""), ("mes", False, "mes: gone"),
    ]  # fmt: skip
