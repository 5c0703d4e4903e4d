"""The Sparkplug B collector between a real broker and edge nodes that do not always keep to the book."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from collectors.mqtt_line import Message
from collectors.sparkplug import SparkplugCollector
from collectors.sparkplug_rows import GOOD_ENTRY_INSERTED
from hub.clock import SystemClock
from hub.model.sample import BAD_NO_COMMUNICATION, Tag
from hub.model.words import Words
from tests.simulators.devices import Heard
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice
from tests.simulators.sparkplug.edge import EdgeNode
from tests.simulators.sparkplug.wire import DATASET, INT16, STRING, Entry, payload

pytestmark = pytest.mark.anyio

NAMES = ("oil", "state", "parts", "table")
OIL, STATE, PARTS, TABLE = 1, 2, 3, 4
TAGS = {f"p1/a/l1/m/{n}": Tag(k, f"p1/a/l1/m/{n}", Words("", n)) for k, n in enumerate(NAMES, 1)}
PRESS = "press"


@pytest.fixture(scope="module")
async def broker() -> AsyncIterator[MqttBroker]:
    async with MqttBroker() as one:
        yield one


@pytest.fixture
async def edge(broker: MqttBroker, request: pytest.FixtureRequest) -> AsyncIterator[EdgeNode]:
    values = {
        "": {"Oil/Temp": Entry("Oil/Temp", 1, value=61.5), "State": Entry("State", 2, STRING, "RUN")},
        PRESS: {"Parts": Entry("Parts", 3, INT16, -7), "Table": Entry("Table", 4, DATASET, b"")},
    }
    one = EdgeNode(broker.port, SystemClock().now, values, name=request.node.name[:40])
    yield one
    await one._mqtt.stop()


def config(port: int, node: EdgeNode, **more: Any) -> Any:
    at = f"{node.group}/{node.name}"
    settings = {
        "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "reorder": "1s", "ask_every": "1s",
        "metrics": [
            {"tag": "p1/a/l1/m/oil", "node": at, "metric": "Oil/Temp", "scale": 2},
            {"tag": "p1/a/l1/m/state", "node": at, "metric": "State", "codes": {"RUN": 1, "STOP": 0}},
            {"tag": "p1/a/l1/m/parts", "node": at, "device": PRESS, "metric": "Parts"},
        ],
        **more,
    }  # fmt: skip
    return SparkplugCollector.Config.model_validate(settings)


@asynccontextmanager
async def listening(settings: Any) -> AsyncIterator[Heard]:
    sink, one = Heard(), SparkplugCollector(settings, SystemClock(), TAGS, "edge")
    task = asyncio.create_task(one.run(sink))
    try:
        yield sink
        assert not task.done() or task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_birth_brings_values_and_data_come_by_alias(broker: MqttBroker, edge: EdgeNode) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        assert (await sink.said(OIL, 123)).status.is_good
        await sink.said(STATE, 1)
        await sink.said(PARTS, -7)
        await edge.show(**{"Oil/Temp": 80.0})
        await edge.show(State="STOP")
        await edge.show(PRESS, Parts=-8)
        await sink.said(OIL, 160)
        await sink.said(STATE, 0)
        await sink.said(PARTS, -8)
    assert edge.rebirths <= 1  # a start may ask once


async def test_a_death_turns_everything_bad_at_once_and_a_birth_brings_it_back(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.said(PARTS, -7)
        before = len(sink.batches)
        await edge.die()
        await sink.until(lambda: sink.last(PARTS).status == BAD_NO_COMMUNICATION)
        dead = [b for b in sink.batches[before:] if (b.statuses == BAD_NO_COMMUNICATION).any()]
        assert sorted(dead[0].tags) == [OIL, STATE, PARTS]  # one batch: nobody sees half a death
        await edge.start()
        assert (await sink.said(PARTS, -7)).status.is_good
        assert (await sink.said(OIL, 123)).status.is_good
        times = [s.source_time for s in sink.of(PARTS)]
        assert times == sorted(times)


@pytest.mark.parametrize("verb", ["NBIRTH", "NDEATH", "NDATA"])
async def test_what_a_broker_has_kept_speaks_for_no_node_and_the_node_is_asked(
    broker: MqttBroker, edge: EdgeNode, verb: str
) -> None:
    """It may be of any age: a dead node would look alive, and a living one that stands still dead."""
    kept = {
        "NBIRTH": payload(edge.ms(), 0, [Entry("bdSeq", value=9), Entry("Oil/Temp", 1, value=99.0)]),
        "NDEATH": payload(edge.ms(), None, [Entry("bdSeq", value=9)]),
        "NDATA": payload(edge.ms(), 1, [Entry("Oil/Temp", value=99.0)]),
    }
    await edge.start(birth=False)
    await edge._mqtt.say(edge.topic(verb), kept[verb], retained=True)
    async with listening(config(broker.port, edge, reorder="100ms")) as sink:
        await sink.said(OIL, 123)
        told = len(sink.of(OIL))
        await edge._mqtt.say(edge.topic(verb), b"", retained=True)  # deletes it, and comes to us as well
        await edge.show(**{"Oil/Temp": 80.0})
        await sink.said(OIL, 160)
    assert edge.rebirths <= 2
    assert all(sample.value != 198 for sample in sink.of(OIL))
    assert verb == "NDEATH" or all(sample.status.is_good for sample in sink.of(OIL)[told:])


async def test_the_will_of_a_session_that_is_over_kills_nobody(broker: MqttBroker, edge: EdgeNode) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.said(OIL, 123)
        await edge.stop()
        await sink.until(lambda: sink.last(OIL).status == BAD_NO_COMMUNICATION)
        await edge.start()
        await sink.said(OIL, 123)
        await edge.late_will(0)
        await edge.show(**{"Oil/Temp": 70.0})
        await sink.said(OIL, 140)
        assert sum(s.status == BAD_NO_COMMUNICATION for s in sink.of(OIL)) == 1


async def test_a_device_dies_alone(broker: MqttBroker, edge: EdgeNode) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.said(PARTS, -7)
        await edge.device_dies(PRESS)
        await sink.until(lambda: sink.last(PARTS).status == BAD_NO_COMMUNICATION)
        await edge.show(**{"Oil/Temp": 70.0})
        await sink.said(OIL, 140)
        await edge.device_born(PRESS)
        await sink.said(PARTS, -7)


async def test_a_lost_message_asks_for_births_and_no_alias_is_guessed_meanwhile(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    """What was lost was a birth that gave the oil's alias to something else."""
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.said(PARTS, -7)
        edge.obeys, asked = False, edge.rebirths
        edge.lose()
        await edge.send("", Entry(alias=1, value=9999.0, at=edge.ms(), told_kind=False))
        await edge.until(lambda: edge.rebirths > asked)
        edge.values[""]["Oil/Temp"] = Entry("Oil/Temp", 11, value=50.0)
        edge.values[""]["Speed"] = Entry("Speed", 1, value=9999.0)
        await edge.be_born()
        await sink.said(OIL, 100)
    assert 19998.0 not in [s.value for s in sink.of(OIL)]


async def test_what_came_in_doubt_counts_when_its_alias_means_the_same(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.said(PARTS, -7)
        edge.lose(3)
        await edge.show(**{"Oil/Temp": 90.0})
        edge.values[""]["Oil/Temp"] = Entry("Oil/Temp", 1, value=91.0)
        await sink.said(OIL, 182, 15)
        await sink.until(lambda: 180 in [s.value for s in sink.of(OIL)])
    waited = next(s for s in sink.of(OIL) if s.value == 180)
    assert waited.status == GOOD_ENTRY_INSERTED


async def test_messages_that_overtake_one_another_are_put_in_order(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    async with listening(config(broker.port, edge, reorder="5s")) as sink:
        await edge.meet()
        await sink.said(PARTS, -7)
        asked = edge.rebirths
        await edge.swapped({"Oil/Temp": 71.0}, {"Oil/Temp": 72.0})
        await sink.until(lambda: {142, 144} <= {s.value for s in sink.of(OIL)})
        assert edge.rebirths == asked


async def test_a_message_that_is_too_large_counts_as_lost_and_the_line_goes_on(
    broker: MqttBroker, edge: EdgeNode, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(config(broker.port, edge, largest=1024)) as sink:
        await edge.start()
        await sink.said(OIL, 123)
        await edge.show(State="R" * 5000)
        await edge.show(State="RUN")
        await edge.show(**{"Oil/Temp": 70.0})
        await sink.said(OIL, 140)
    assert "a message of more than 1024 bytes is left out; make largest: larger" in caplog.text


async def test_data_without_a_birth_ask_for_one(broker: MqttBroker, edge: EdgeNode) -> None:
    await edge.start(birth=False)
    async with listening(config(broker.port, edge, reorder="1h")) as sink:
        await edge.until(lambda: edge.states[-1:] == [True])  # the host is there
        await edge.show(**{"Oil/Temp": 33.0})
        await sink.said(OIL, 66)
    assert edge.rebirths == 1


async def test_history_is_kept_with_its_times_and_is_never_the_newest(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.said(OIL, 123)
        then = edge.ms() - 3_600_000
        await edge.send(
            "", *(Entry(alias=1, value=200.0 + n, at=then + n * 1000, historical=True) for n in range(50))
        )
        await sink.until(lambda: 498 in [s.value for s in sink.of(OIL)])
    past = [s for s in sink.of(OIL) if s.status == GOOD_ENTRY_INSERTED]
    assert [s.value for s in past] == [400.0 + 2 * n for n in range(50)]
    assert past[1].source_time - past[0].source_time == timedelta(seconds=1)
    first = next(i for i, s in enumerate(sink.of(OIL)) if s.status == GOOD_ENTRY_INSERTED)
    assert max(s.source_time for s in sink.of(OIL)[:first]) > max(s.source_time for s in past)


async def test_a_value_that_stands_still_is_said_again_before_it_looks_stale(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    async with listening(config(broker.port, edge)) as sink:
        await edge.meet()
        await sink.until(lambda: len([s for s in sink.of(PARTS) if s.value == -7]) >= 2, 15)


async def test_what_is_no_number_is_bad_with_a_reason_and_the_rest_goes_on(
    broker: MqttBroker, edge: EdgeNode, caplog: pytest.LogCaptureFixture
) -> None:
    more = {"tag": "p1/a/l1/m/table", "node": f"{edge.group}/{edge.name}", "device": PRESS, "metric": "Table"}
    settings = config(broker.port, edge)
    settings = config(broker.port, edge, metrics=[*(m.model_dump() for m in settings.metrics), more])
    with caplog.at_level(logging.WARNING):
        async with listening(settings) as sink:
            await edge.meet()
            await sink.until(lambda: bool(sink.of(TABLE)))
            assert sink.last(TABLE).status.is_bad
            await edge.raw("NDATA", b"\xff\xff\xff")
            await edge.send("", Entry("State", 2, STRING, "DANCE"))
            await sink.until(lambda: sink.last(STATE).status.is_bad)
            await edge.show(**{"Oil/Temp": 10.0})
            await sink.said(OIL, 20)
    assert "is a dataset" in caplog.text
    assert "no Sparkplug B payload" in caplog.text
    assert "'DANCE'" in caplog.text


async def test_the_host_is_seen_to_come_and_to_go(broker: MqttBroker, edge: EdgeNode) -> None:
    await edge.start()
    async with listening(config(broker.port, edge, host_id="hub-7")):
        await edge.until(lambda: edge.states[-1:] == [True])
    await edge.until(lambda: edge.states[-1:] == [False])


async def test_a_host_that_is_called_dead_by_mistake_says_that_it_lives(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    await edge.start()
    async with listening(config(broker.port, edge, host_id="hub-8")), MqttDevice(broker.port, "old") as old:
        await edge.until(lambda: edge.states[-1:] == [True])
        await old.say("spBv1.0/STATE/hub-8", '{"online":false,"timestamp":1}', retained=True)
        await edge.until(lambda: edge.states[-2:] == [False, True])


async def test_a_node_that_took_a_newer_word_hears_one_that_is_no_older(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    await edge.start()
    late = int(SystemClock().now().timestamp() * 1000) + 3_600_000
    async with (
        listening(config(broker.port, edge, host_id="hub-10")),
        MqttDevice(broker.port, "twin") as twin,
    ):
        await edge.until(lambda: edge.states[-1:] == [True])
        await twin.say(
            "spBv1.0/STATE/hub-10", json.dumps({"online": False, "timestamp": late}), retained=True
        )
        await edge.until(lambda: edge.state_at >= late and edge.states[-1:] == [True])


async def test_nodes_of_an_older_book_hear_the_host_come_go_and_die_in_words(
    broker: MqttBroker, edge: EdgeNode
) -> None:
    said: list[str] = []

    async def hear(message: Message) -> None:
        said.append(message.payload.decode())

    old = MqttDevice(broker.port, "node-2.2")
    old.on_message = hear
    await old.start("STATE/hub-11", "spBv1.0/STATE/hub-11")
    settings = config(broker.port, edge, host_id="hub-11", state="2.2")
    async with listening(settings):
        await old.until(lambda: said == ["ONLINE"])
        await old.say("STATE/hub-11", "OFFLINE", retained=True)
        await old.until(lambda: said == ["ONLINE", "OFFLINE", "ONLINE"])
    await old.until(lambda: said[3:] == ["OFFLINE"])
    await old.stop()


async def test_a_look_at_the_broker_publishes_nothing(broker: MqttBroker, edge: EdgeNode) -> None:
    await edge.start()
    settings = config(broker.port, edge, host_id="hub-9")
    one = SparkplugCollector(settings, SystemClock(), TAGS, "edge")
    looking = asyncio.create_task(one.probe())
    for n in range(200):
        if looking.done():
            break
        await edge.show(**{"Oil/Temp": float(n)})
        await asyncio.wait({looking}, timeout=0.05)
    found = await looking
    assert "1 of 1 edge nodes heard" in next(iter(found.values()))
    assert edge.rebirths == 0
    assert True not in edge.states
