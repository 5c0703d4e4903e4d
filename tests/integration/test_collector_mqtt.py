"""The MQTT collector against a real broker, and against one that breaks the protocol."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from collectors.mqtt import MqttCollector
from collectors.mqtt_message import Message
from collectors.mqtt_values import BAD_DECODING, BAD_TYPE_MISMATCH
from collectors.source_times import UNCERTAIN_LAST_USABLE
from hub.clock import SystemClock
from hub.errors import ConfigError, SourceRefused, SourceUnavailable
from hub.model.batch import micros
from hub.model.line import Line
from hub.model.sample import Tag
from hub.model.words import Words
from hub.testing.clock import HandClock
from tests.certificates import Authority
from tests.simulators.devices import Heard, Proxy, RawServer
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice

pytestmark = pytest.mark.anyio

TAGS = {
    f"p1/a/{line}/m/{name}": Tag(10 * k + n, f"p1/a/{line}/m/{name}", Words("", name))
    for k, line in enumerate(("l1", "l2"), 1)
    for n, name in enumerate(("temp", "state", "parts"))
}
TEMP, STATE, PARTS, TEMP2 = 10, 11, 12, 20
PASSWORD = "broker-password-0815"


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MqttBroker]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority.make()
    owner = authority.issue(folder, "broker", "urn:test:broker", (-1, 30))
    pem = folder / "broker-chain.pem"
    pem.write_bytes(owner.content.public_bytes(serialization.Encoding.PEM))
    authority.put_into(folder)
    async with MqttBroker(pem, owner.key) as one:
        one.authority = folder / "authority.pem"
        yield one


@pytest.fixture
async def device(broker: MqttBroker) -> AsyncIterator[MqttDevice]:
    async with MqttDevice(broker.port, "device") as one:
        yield one


def config(port: int, *topics: dict[str, Any], **more: Any) -> Any:
    settings = {
        "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "timeout": "5s",
        "topics": list(topics), **more,
    }  # fmt: skip
    return MqttCollector.Config.model_validate(settings)


def topic(name: str, tag: str = "p1/a/l1/m/temp", **more: Any) -> dict[str, Any]:
    value = {key: more.pop(key) for key in ("value", "scale", "offset", "codes") if key in more}
    return {"topic": name, "values": [{"tag": tag, **value}], **more}


@asynccontextmanager
async def listening(settings: Any, sink: Any = None) -> AsyncIterator[Any]:
    sink = sink or Heard()
    task = asyncio.create_task(MqttCollector(settings, SystemClock(), TAGS, "line").run(sink))
    try:
        yield sink
        assert not task.done() or task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(device: MqttDevice, sink: Heard, where: str, payload: str, tag: int, value: float) -> None:
    """Said until it is heard: who subscribes just now may have missed the first."""
    for _ in range(100):
        await device.say(where, payload)
        try:
            await sink.said(tag, value, 0.2)
            return
        except TimeoutError:
            continue
    raise AssertionError(f"{payload} was never heard")


async def test_one_template_reads_every_machine_that_the_plant_has(
    broker: MqttBroker, device: MqttDevice
) -> None:
    where = topic("t1/{line}/{m}/temp", "p1/a/{line}/{m}/temp", scale=0.1)
    async with listening(config(broker.port, where)) as sink:
        await told(device, sink, "t1/l1/m/temp", "815", TEMP, 81.5)
        await device.say("t1/l9/m/temp", "1")  # no such line: nobody's
        await device.say("t1/l2/m/temp", " 7.5e1\n")
        await sink.said(TEMP2, 7.5)
    assert {int(t) for b in sink.batches for t in b.tags} == {TEMP, TEMP2}


async def test_version_5_and_every_quality_of_service(broker: MqttBroker) -> None:
    settings = config(broker.port5, topic("t2/+/temp", qos=2), version="5")
    async with MqttDevice(broker.port5, "five", "5") as device, listening(settings) as sink:
        await told(device, sink, "t2/x/temp", "0", TEMP, 0)
        for qos in (0, 1, 2):
            await device.say("t2/x/temp", str(qos + 1), qos=qos)
            await sink.said(TEMP, qos + 1)


async def test_what_the_broker_kept_is_marked_unless_it_tells_its_time(
    broker: MqttBroker, device: MqttDevice
) -> None:
    await device.say("t3/temp", "12.5", retained=True)
    await device.say("t3/parts", '{"n": 3, "at": "2026-03-01T08:00:00+08:00"}', retained=True)
    parts = topic("t3/parts", "p1/a/l1/m/parts", payload="json", value="n", time="at", time_unit="iso")
    async with listening(config(broker.port, topic("t3/temp"), parts)) as sink:
        assert (await sink.said(TEMP, 12.5)).status == UNCERTAIN_LAST_USABLE
        kept = await sink.said(PARTS, 3)
        assert (kept.status, kept.source_time.isoformat()) == (0, "2026-03-01T00:00:00+00:00")
        await device.say("t3/temp", "12.5")
        await sink.until(lambda: sink.last(TEMP).status.is_good)


async def test_a_message_that_cannot_be_read_is_bad_with_a_reason_and_the_next_one_counts(
    broker: MqttBroker, device: MqttDevice, caplog: pytest.LogCaptureFixture
) -> None:
    state = topic("t4", "p1/a/l1/m/state", payload="json", value="mode", codes={"RUN": 1})
    with caplog.at_level(logging.WARNING):
        async with listening(config(broker.port, state, topic("t4/plain"))) as sink:
            await told(device, sink, "t4", '{"mode": "RUN"}', STATE, 1)
            await device.say("t4", '{"mode": ')
            await sink.until(lambda: sink.last(STATE).status == BAD_DECODING)
            await device.say("t4/plain", "warm")
            await sink.until(lambda: bool(sink.of(TEMP)) and sink.last(TEMP).status == BAD_TYPE_MISMATCH)
            await device.say("t4/plain", b"\xff\xfe")
            await sink.until(lambda: sink.last(TEMP).status == BAD_DECODING)
            await device.say("t4", '{"mode": "RUN"}')
            await sink.said(STATE, 1)
    assert "is no JSON" in caplog.text
    assert "give it codes" in caplog.text


async def test_the_same_message_twice_is_one_sample_and_a_late_one_keeps_its_time(
    broker: MqttBroker, device: MqttDevice
) -> None:
    where = topic("t5", payload="json", value="v", time="ts", time_unit="s")
    async with listening(config(broker.port, where)) as sink:
        await told(device, sink, "t5", '{"v": 0, "ts": 1790000000}', TEMP, 0)
        for said in ('{"v": 1, "ts": 1790000001}',) * 2 + (
            '{"v": 2, "ts": 1789999999}',
            '{"v": 3, "ts": 1790000002}',
        ):
            await device.say("t5", said)
        await sink.said(TEMP, 3)
    values = [s.value for s in sink.of(TEMP)]
    assert values == [0, 1, 2, 3]
    late = sink.of(TEMP)[2]
    assert late.source_time < sink.of(TEMP)[1].source_time


def test_a_device_whose_clock_was_set_back_is_told_of_now(caplog: pytest.LogCaptureFixture) -> None:
    """The firmware's date after its battery died; an hour too much at the end of summer."""
    clock = HandClock()
    where = topic("t", payload="json", value="v", time="ts", time_unit="s")
    lives = MqttCollector(config(1, where), clock, TAGS, "line")
    patience = int(TAGS["p1/a/l1/m/temp"].stale_after.total_seconds())
    told = []
    for second in range(patience + 5):
        if second == 3:  # the line is cut meanwhile
            before, lives = lives, MqttCollector(config(1, where), clock, TAGS, "line")
            lives.follow(before, clock.now())
        said = clock.now().timestamp() - 3600 * (second > 0)
        payload = json.dumps({"v": second, "ts": said}).encode()
        told += [
            (r, micros(clock.now())) for r in lives._read(Message("t", payload, 0, False, False, second))
        ]
        clock.turn(1)
    assert [r.value for r, _ in told] == list(range(patience + 5))
    assert [(r.at == now, r.status) for r, now in told[-4:]] == [(True, UNCERTAIN_LAST_USABLE)] * 4
    assert not any(r.at == now for r, now in told[1:-4])
    assert "is told by a clock that was set back" in caplog.text


def test_two_changes_within_one_second_of_a_clock_that_tells_seconds_are_told_one_after_the_other() -> None:
    clock = HandClock()
    one = MqttCollector(
        config(1, topic("t", payload="json", value="v", time="ts", time_unit="s")), clock, TAGS, "line"
    )
    now = int(clock.now().timestamp())

    def read(value: int, at: int) -> list[tuple[float, int]]:
        message = Message("t", json.dumps({"v": value, "ts": at}).encode(), 1, False, False, 1)
        return [(r.value, r.at - now * 1_000_000) for r in one._read(message)]

    assert read(1, now) + read(7, now) + read(7, now) + read(9, now) == [(1, 0), (7, 1), (9, 2)]
    assert read(1, now + 1) == [(1, 1_000_000)]


async def test_what_the_house_did_not_take_comes_again_to_a_session_that_lasts(
    broker: MqttBroker, device: MqttDevice
) -> None:
    settings = config(broker.port, topic("t6"), session="1h", client_id="hub-of-test")
    heard = Heard()
    async with listening(settings, heard):
        await told(device, heard, "t6", "1", TEMP, 1)

    class Full:
        def __init__(self) -> None:
            self.asked = asyncio.Event()

        async def put(self, item: Any) -> None:
            self.asked.set()
            await asyncio.Event().wait()

    full = Full()
    async with listening(settings, full):
        await device.say("t6", "2")
        async with asyncio.timeout(10):
            await full.asked.wait()
    await device.say("t6", "3")  # while nobody is there
    async with listening(settings) as sink:
        await sink.said(TEMP, 3)
    assert [s.value for s in sink.of(TEMP)] == [2, 3]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_more_waits_in_a_session_than_a_broker_has_under_way_at_once(
    broker: MqttBroker, version: str
) -> None:
    """This one answers a subscription behind the hundred messages that nobody has acknowledged."""
    port = broker.port5 if version == "5" else broker.port
    where, numbers = f"backlog/{version}", range(300)
    settings = config(port, topic(where), version=version, session="1h", client_id=f"backlog-{version}")
    async with MqttDevice(port, f"backlog-device-{version}", version) as device:
        async with listening(settings) as sink:
            await told(device, sink, where, "-1", TEMP, -1)
        for n in numbers:
            await device.say(where, str(n))
    async with listening(settings) as sink:
        await sink.said(TEMP, numbers[-1])
    assert [s.value for s in sink.of(TEMP)] == [float(n) for n in numbers]


async def test_tls_trusts_the_authority_that_is_named_and_nobody_else(broker: MqttBroker) -> None:
    known = {"broker": f"mqtts://localhost:{broker.tls_port}", "security": {"ca": str(broker.authority)}}
    device_settings = config(broker.port, topic("t7"), **known)
    async with MqttDevice(broker.tls_port, "sayer", **known) as device:
        await device.say("t7", "5", retained=True)
        async with listening(device_settings) as sink:
            await sink.said(TEMP, 5)
    stranger = config(broker.port, topic("t7"), **(known | {"security": {}}))
    with pytest.raises(SourceRefused, match="its certificate is not good"):
        await MqttCollector(stranger, SystemClock(), TAGS, "line").run(Heard())
    elsewhere = config(
        broker.port, topic("t7"), **(known | {"broker": f"mqtts://127.0.0.1:{broker.tls_port}"})
    )
    with pytest.raises(SourceRefused, match="its certificate is not good"):
        await MqttCollector(elsewhere, SystemClock(), TAGS, "line").run(Heard())


@pytest.mark.parametrize(
    ("version", "answer"), [("3.1.1", b"\x20\x02\x00\x05"), ("5", b"\x20\x03\x00\x86\x00")]
)
async def test_a_refused_login_is_for_a_person_and_shows_no_password(
    version: str, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def refuse(data: bytes) -> bytes:
        asked.append(data)
        return answer

    with caplog.at_level(logging.DEBUG):
        async with RawServer(refuse) as server:
            settings = config(
                server.port,
                topic("x"),
                version=version,
                user="hub",
                password=PASSWORD,
                password_in_clear=True,
            )
            with pytest.raises(SourceRefused) as refused:
                await MqttCollector(settings, SystemClock(), TAGS, "line").run(Heard())
    assert PASSWORD.encode() in asked[0]
    assert PASSWORD not in f"{refused.value}{caplog.text}{settings!r}"
    assert "allow it on the broker" in str(refused.value) or "correct user" in str(refused.value)


async def test_an_open_line_is_told_and_one_with_tls_tells_when_both_certificates_end(
    broker: MqttBroker, tmp_path: Path
) -> None:
    authority = Authority.make()
    ours = authority.issue(tmp_path, "hub", "urn:test:hub", (-1, 20))
    pem = tmp_path / "hub-chain.pem"
    pem.write_bytes(ours.content.public_bytes(serialization.Encoding.PEM))
    security = {"ca": str(broker.authority), "certificate": str(pem), "key": str(ours.key)}
    known = {"broker": f"mqtts://localhost:{broker.tls_port}", "security": security}
    one = MqttCollector(config(broker.port, topic("t7"), **known), SystemClock(), TAGS, "line")
    assert one.line == Line(""), "nobody has seen a certificate yet"
    task = asyncio.create_task(one.run(Heard()))
    async with asyncio.timeout(10):
        while one.line.peer_until is None and not task.done():
            await asyncio.sleep(0.01)
    task.cancel()
    [ended] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended
    shown = x509.load_pem_x509_certificate((broker.authority.parent / "broker-chain.pem").read_bytes())
    assert one.line == Line("", ours.content.not_valid_after_utc, shown.not_valid_after_utc)
    again = MqttCollector(config(broker.port, topic("t7"), **known), SystemClock(), TAGS, "line")
    again.follow(one, SystemClock().now())
    assert again.line == one.line, "what was seen holds while the broker is away"
    renewed = authority.issue(tmp_path, "renewed", "urn:test:hub", (-1, 300))
    pem.write_bytes(renewed.content.public_bytes(serialization.Encoding.PEM))
    again._protection.look(SystemClock().monotonic() + 100)
    assert again.line.own_until == renewed.content.not_valid_after_utc
    assert MqttCollector(config(broker.port, topic("t7")), SystemClock(), TAGS, "line").line.opened == "none"


@pytest.mark.parametrize(("version", "qos"), [("3.1.1", 1), ("3.1.1", 2), ("5", 1)])
async def test_a_message_larger_than_allowed_is_left_out_and_the_line_goes_on(
    broker: MqttBroker, caplog: pytest.LogCaptureFixture, version: str, qos: int
) -> None:
    """One that a session keeps, and one that the broker keeps: both come again until somebody has them."""
    port = broker.port5 if version == "5" else broker.port
    name = f"t8/{version}/{qos}"
    where = [topic(f"{name}/a", qos=qos), topic(f"{name}/kept", "p1/a/l1/m/state")]
    settings = config(
        port, *where, version=version, largest=1024, session="1h", client_id=f"hub-{version}-{qos}"
    )
    async with MqttDevice(port, f"loud-{version}-{qos}", version) as device:
        async with listening(settings) as sink:
            await told(device, sink, f"{name}/a", "1", TEMP, 1)
        await device.say(f"{name}/kept", "7" * 3000, retained=True)
        await device.say(f"{name}/a", "9" * 300_000, qos=qos)
        await device.say(f"{name}/a", "2", qos=qos)
        async with listening(settings) as sink:
            await sink.said(TEMP, 2)
            await told(device, sink, f"{name}/a", "3", TEMP, 3)
            if version != "5":  # a broker of MQTT 5 may keep it to itself: it knows what we take
                await sink.until(lambda: sink.of(TEMP)[0].status == BAD_DECODING)
                await sink.until(lambda: sink.last(STATE).status == BAD_DECODING)
        async with listening(settings) as sink:
            await told(device, sink, f"{name}/a", "4", TEMP, 4)
        assert not any(s.status.is_bad for s in sink.of(TEMP)), "the broker knows that we are through with it"
        await device.say(f"{name}/kept", "", retained=True)
    if version != "5":
        assert caplog.text.count(f"{name}/a has a message of more than 1024 bytes") == 1
        assert "it is left out; make largest: larger" in caplog.text


async def test_a_broker_that_speaks_nonsense_ends_the_line_with_an_error_of_ours() -> None:
    async with RawServer(lambda data: b"\x20\x02\x00\x00\xf0\x00" if data[:1] == b"\x10" else None) as server:
        with pytest.raises(SourceUnavailable, match=r"protocol|cut"):
            async with asyncio.timeout(15):
                await MqttCollector(config(server.port, topic("x")), SystemClock(), TAGS, "line").run(Heard())


async def test_a_look_finds_topics_that_say_nothing_and_payloads_that_are_wrong(
    broker: MqttBroker, device: MqttDevice
) -> None:
    await device.say("t9/temp", "5", retained=True)
    await device.say("t9/state", "RUN", retained=True)
    settings = config(broker.port, topic("t9/temp"), topic("t9/state", "p1/a/l1/m/state"))
    found = await MqttCollector(settings, SystemClock(), TAGS, "line").probe()
    assert "2 of 2 tags heard" in found[f"127.0.0.1:{broker.port}"]
    assert found["t9/state (p1/a/l1/m/state)"].startswith("✗ is a text")


async def test_topics_within_each_other_are_stored_once_and_heartbeats_beside_values_spoil_nothing(
    broker: MqttBroker, caplog: pytest.LogCaptureFixture
) -> None:
    every = topic("t10/#", "p1/a/l1/m/state", payload="json", value="mode", qos=0)
    where = [every, topic("t10/{line}/temp", "p1/a/{line}/m/temp", payload="json", value="v")]
    for port, version in ((broker.port, "3.1.1"), (broker.port5, "5")):
        async with MqttDevice(port, f"device{version}", version) as device:
            await device.say("t10/l1/temp", '{"v": 5}', retained=True)
            async with listening(config(port, *where, version=version)) as sink:
                await sink.said(TEMP, 5)
                for said in ('{"v": 6}', '{"alive": true}', '{"v": 7}'):
                    await device.say("t10/l1/temp", said)
                await told(device, sink, "t10/x", '{"mode": 1}', STATE, 1)
            assert [s.value for s in sink.of(TEMP)] == [5, 6, 7]
            assert all(s.value == 1 for s in sink.of(STATE))
            found = await MqttCollector(
                config(port, *where, version=version), SystemClock(), TAGS, "x"
            ).probe()
            assert "correct value:" in found["t10/l1/temp (p1/a/l1/m/state)"]
            await device.say("t10/l1/temp", "", retained=True)
    assert "t10/l1/temp (p1/a/l1/m/state) held none of its values" in caplog.text


async def test_a_broker_that_is_away_is_told_with_its_place(broker: MqttBroker) -> None:
    async with Proxy(broker.port) as proxy:
        port = proxy.port
    with pytest.raises(SourceUnavailable, match=rf"line: 127\.0\.0\.1:{port}: no answer"):
        await MqttCollector(config(port, topic("x")), SystemClock(), TAGS, "line").run(Heard())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"security": None}, "open line"),
        ({"password": PASSWORD, "user": "hub"}, "in the clear"),
        ({"broker": "mqtt://hub:secret@host:1883"}, "no address"),
        ({"broker": "mqtts://host", "security": "none"}, "contradicts"),
        ({"session": "1h"}, "client_id"),
        ({"keep_alive": "1500ms"}, "whole seconds"),
        ({"topics": [topic("a/#/b")]}, "no topic"),
        ({"topics": [topic("a", payload="json", value="a..b")]}, "no path"),
        ({"topics": [topic("a", value="b")]}, "payload: json"),
        ({"topics": [topic("a", codes={"x": 1}, scale=2)]}, "leave out scale"),
    ],
)
async def test_a_slip_of_the_configuration_is_told_with_its_remedy(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as slip:
        config(1883, **({"topics": [topic("a")]} | more))
    assert PASSWORD not in str(slip.value)


async def test_a_template_that_fits_no_tag_is_refused_with_its_place() -> None:
    wrong = config(1883, topic("x/{line}", "p9/{line}/temp"), topic("y", "p1/a/{line}/m/temp"))
    with pytest.raises(ConfigError) as slip:
        MqttCollector(wrong, SystemClock(), TAGS, "line")
    assert len(slip.value.complaints) == 2
    assert slip.value.complaints[0].startswith("collectors.line.with.topics[0].values[0].tag: no tag")
