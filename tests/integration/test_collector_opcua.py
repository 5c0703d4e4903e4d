"""The OPC UA collector against real servers: what it keeps, what it refuses, whom it trusts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager
from pydantic import ValidationError

from collectors.opcua import BAD_NODE_UNKNOWN, OpcUaCollector
from collectors.opcua_decode import BAD_TYPE_MISMATCH, Published
from collectors.opcua_line import Line as OpcUaLine
from collectors.opcua_security import (
    TrustFolder,
    application_uri,
    expiry,
    make_certificate,
    read_certificate,
    thumbprint,
)
from collectors.runner import CollectorRunner
from collectors.source_times import UNCERTAIN_LAST_USABLE
from hub.clock import SystemClock
from hub.errors import ConfigError, SourceRefused, SourceUnavailable
from hub.model.batch import micros
from hub.model.line import Line
from hub.model.sample import BAD_OUT_OF_RANGE, Tag
from hub.model.words import Words
from hub.testing.clock import HandClock
from tests.certificates import Authority, Owner
from tests.simulators.devices import Heard, OpcUaPlant, Proxy
from tests.simulators.opcua_alarms import AlarmPlant

pytestmark = pytest.mark.anyio

T = ua.VariantType
TAGS = {
    f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}"), stale_after=timedelta(seconds=1)) for n in range(1, 10)
}
NOON = SystemClock().now().replace(microsecond=0) - timedelta(hours=1)
PASSWORD = "operator-password-0815"


def node(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {"tag": f"m/t{number}", "node": f"nsu={OpcUaPlant.NAMESPACE};s={name}", **more}


def config(endpoint: str, *nodes: dict[str, Any], **more: Any) -> Any:
    settings = {
        "endpoint": endpoint, "security": "none", "interval": "50ms", "timeout": "3s", "keep_alive": "200ms",
        "nodes": list(nodes), **more,
    }  # fmt: skip
    return OpcUaCollector.Config.model_validate(settings)


@asynccontextmanager
async def listening(settings: Any, tags: Mapping[str, Tag] = TAGS) -> AsyncIterator[Heard]:
    sink, one = Heard(), OpcUaCollector(settings, SystemClock(), tags, "cnc")
    task = asyncio.create_task(one.run(sink))
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
async def open_plant() -> AsyncIterator[OpcUaPlant]:
    """One server for all tests that need no security; each uses variables of its own."""
    variables = {
        "spindle": ua.Variant(1200.0, T.Double), "steady": ua.Variant(7, T.Int16),
        "mode": ua.Variant("RUN", T.String), "flag": ua.Variant(True, T.Boolean),
        "load": ua.Variant(0.5, T.Float), "list": ua.Variant([1.0, 2.0], T.Double),
        "burst": ua.Variant(0, T.Int32),
    }  # fmt: skip
    async with OpcUaPlant(variables, shift_namespaces=2) as plant:
        yield plant


async def test_source_times_and_status_codes_are_the_servers(open_plant: OpcUaPlant) -> None:
    async with listening(config(open_plant.endpoint, node(1, "spindle"))) as sink:
        await sink.said(1, 1200)
        await open_plant.show("spindle", ua.Variant(1500.0, T.Double), NOON, 0x40900000)
        await sink.said(1, 1500)
        assert (NOON, 1500, 0x40900000) in sink.of(1)
        await open_plant.show("spindle", None, NOON + timedelta(seconds=1), 0x80310000)
        await sink.until(lambda: sink.last(1).status == 0x80310000)
        assert sink.last(1).value is None
        assert any(s.source_time == NOON + timedelta(seconds=1) for s in sink.of(1))


async def test_a_steady_value_is_said_again_before_it_looks_stale(open_plant: OpcUaPlant) -> None:
    async with listening(config(open_plant.endpoint, node(1, "steady"))) as sink:
        await sink.until(lambda: len(sink.of(1)) >= 4)
    times = [s.source_time for s in sink.of(1)]
    assert [s.value for s in sink.of(1)] == [7] * len(times)
    gaps = [(b - a).total_seconds() for a, b in pairwise(times[1:])]
    assert all(gap >= 0.25 for gap in gaps), gaps  # a quarter of stale_after: not with every publish answer


async def test_a_value_from_long_ago_comes_with_its_time_and_again_with_the_present(
    open_plant: OpcUaPlant,
) -> None:
    await open_plant.show("steady", ua.Variant(9, T.Int16), NOON)
    began = SystemClock().now()
    async with listening(config(open_plant.endpoint, node(1, "steady"))) as sink:
        await sink.until(lambda: len(sink.of(1)) >= 2)
    assert sink.of(1)[0].source_time == NOON
    assert sink.of(1)[1].source_time >= began - timedelta(seconds=1)
    await open_plant.show("steady", ua.Variant(7, T.Int16), SystemClock().now())


async def test_a_change_from_before_what_was_told_comes_with_its_time_and_is_told_of_now(
    open_plant: OpcUaPlant,
) -> None:
    patient = {path: replace(tag, stale_after=timedelta(days=1)) for path, tag in TAGS.items()}
    now = SystemClock().now()
    async with listening(config(open_plant.endpoint, node(1, "steady")), patient) as sink:
        await sink.said(1, 7)
        await open_plant.show("steady", ua.Variant(5, T.Int16), now)
        await sink.said(1, 5)
        await open_plant.show("steady", ua.Variant(6, T.Int16), now - timedelta(seconds=3))
        await sink.until(lambda: [s.value for s in sink.of(1)].count(6) == 2)
    own, of_now = (s.source_time for s in sink.of(1) if s.value == 6)
    assert own == now - timedelta(seconds=3) and of_now > now
    await open_plant.show("steady", ua.Variant(7, T.Int16), SystemClock().now())


def test_a_servers_clock_that_goes_back_or_is_far_behind_does_not_say_what_is_now() -> None:
    clock = HandClock()
    one = OpcUaCollector(config("opc.tcp://127.0.0.1:1", node(1, "steady")), clock, TAGS, "cnc")
    now = micros(clock.now())
    slow = now - 5_000_000
    assert [one._present(told) for told in (slow, slow + 1_000_000, slow)] == [slow, slow + 1_000_000, slow]
    assert one._present(slow - 30_000_000) == now, "it was set back"
    assert one._present(slow + 2_000_000) == slow + 2_000_000
    other = OpcUaCollector(config("opc.tcp://127.0.0.1:1", node(1, "steady")), clock, TAGS, "cnc")
    assert other._present(now - 3_600_000_000) == now, "also after a reconnect"


async def test_what_a_lost_notification_told_is_read(
    open_plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never came, and the server has it no more: a keep-alive shows that by its number."""
    really, swallowed = OpcUaLine.next, list[Published]()

    async def all_but_one(line: OpcUaLine) -> Published | None:
        heard = await really(line)
        if heard is not None and heard.changes and sink.of(1) and not swallowed:
            swallowed.append(heard)
            return await really(line)
        return heard

    async def not_any_more(line: OpcUaLine, number: int) -> None:
        assert number == swallowed[0].sequence

    monkeypatch.setattr(OpcUaLine, "next", all_but_one)
    monkeypatch.setattr(OpcUaLine, "again", not_any_more)
    async with listening(config(open_plant.endpoint, node(1, "list", item="[1]"))) as sink:
        await sink.said(1, 2)
        await open_plant.show("list", ua.Variant([1.0, 95.0], T.Double), SystemClock().now())
        await sink.said(1, 95)
    await open_plant.show("list", ua.Variant([1.0, 2.0], T.Double), SystemClock().now())


@pytest.mark.parametrize("year", [1601, 1965, 1970, 1999, 2041])
async def test_a_source_time_that_cannot_be_meant_is_told_of_and_not_good(
    open_plant: OpcUaPlant, caplog: pytest.LogCaptureFixture, year: int
) -> None:
    began = SystemClock().now()
    await open_plant.show("steady", ua.Variant(8, T.Int16), began.replace(year=year, day=1))
    async with listening(config(open_plant.endpoint, node(1, "steady"))) as sink:
        await sink.said(1, 8)
    assert sink.last(1).status == UNCERTAIN_LAST_USABLE
    assert timedelta() <= sink.of(1)[0].source_time - began < timedelta(minutes=1)
    assert f"m/t1: source time {year}-" in caplog.text and "correct the clock" in caplog.text
    await open_plant.show("steady", ua.Variant(7, T.Int16), SystemClock().now())


async def test_what_a_server_tells_again_after_a_reconnect_is_stored_once_and_good_at_once(
    open_plant: OpcUaPlant,
) -> None:
    at = SystemClock().now() - timedelta(seconds=1)
    await open_plant.show("steady", ua.Variant(11, T.Int16), at)
    sink, ups = Heard(), 0

    async def state(up: bool, error: str) -> None:
        nonlocal ups
        ups += up

    port = int(open_plant.endpoint.split(":")[2].split("/")[0])
    async with Proxy(port) as proxy:
        settings = config(open_plant.endpoint.replace(str(port), str(proxy.port)), node(1, "steady"))
        runner = CollectorRunner(
            "cnc", lambda: OpcUaCollector(settings, SystemClock(), TAGS, "cnc"), sink, SystemClock(), state
        )
        for lives in (1, 2):
            task = asyncio.create_task(runner.run())
            await sink.until(lambda n=lives: ups == n and bool(sink.of(1)) and sink.last(1).value == 11)  # type: ignore[misc]
            proxy.cut()
            with pytest.raises(SourceUnavailable):
                await task
    await open_plant.show("steady", ua.Variant(7, T.Int16), SystemClock().now())
    assert [s.source_time for s in sink.of(1)].count(at) == 1
    marks = [n for n, s in enumerate(sink.of(1)) if s.status.is_bad]
    assert len(marks) == 2 and sink.of(1)[marks[0] + 1].source_time > sink.of(1)[marks[0]].source_time


async def test_texts_become_numbers_by_their_codes(
    open_plant: OpcUaPlant, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = (node(1, "mode", codes={"RUN": 1, "STOP": 3}), node(2, "flag"), node(3, "load"))
    async with listening(config(open_plant.endpoint, *nodes)) as sink:
        await sink.said(1, 1)
        await open_plant.show("mode", ua.Variant("STOP", T.String), SystemClock().now())
        await sink.said(1, 3)
        await open_plant.show("mode", ua.Variant("COFFEE", T.String), SystemClock().now())
        await sink.until(lambda: sink.last(1).status == BAD_OUT_OF_RANGE)
        assert (sink.last(2).value, sink.last(3).value) == (1, 0.5)
    assert "'COFFEE' is not among its codes" in caplog.text
    await open_plant.show("mode", ua.Variant("RUN", T.String), SystemClock().now())


async def test_a_text_without_codes_and_an_array_are_bad_and_say_why(
    open_plant: OpcUaPlant, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = (node(1, "mode"), node(2, "list"), node(3, "load"))
    async with listening(config(open_plant.endpoint, *nodes)) as sink:
        await sink.said(3, 0.5)
        assert sink.last(1)[1:] == (None, BAD_TYPE_MISMATCH)
        assert sink.last(2)[1:] == (None, BAD_TYPE_MISMATCH)
    assert "give it codes" in caplog.text


async def test_a_node_the_server_does_not_know_spoils_only_its_own_tag(
    open_plant: OpcUaPlant, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"tag": "m/t3", "node": "nsu=urn:nobody;s=x"}
    async with listening(config(open_plant.endpoint, node(1, "load"), node(2, "gone"), other)) as sink:
        await sink.said(1, 0.5)
        assert sink.last(2)[1:] == (None, BAD_NODE_UNKNOWN)
        assert sink.last(3)[1:] == (None, BAD_NODE_UNKNOWN)
    assert "s=gone (m/t2): BadNodeIdUnknown" in caplog.text
    assert "urn:nobody" in caplog.text


async def test_a_node_may_be_named_by_number(open_plant: OpcUaPlant) -> None:
    numbered = {"tag": "m/t1", "node": "ns=0;i=2259"}  # the server's own state: running is 0
    async with listening(config(open_plant.endpoint, numbered)) as sink:
        await sink.said(1, 0)


async def test_plain_values_take_the_fast_way(
    open_plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collectors import opcua_line

    def never(*_: object) -> None:
        raise AssertionError("asyncua's decoder was asked")

    monkeypatch.setattr(opcua_line, "slow", never)
    nodes = (node(1, "spindle"), node(2, "mode", codes={"RUN": 1}), node(3, "flag"))
    async with listening(config(open_plant.endpoint, *nodes)) as sink:
        await open_plant.show("spindle", ua.Variant(33.0, T.Double), SystemClock().now())
        await sink.said(1, 33)


async def test_every_value_within_the_queue_arrives_in_its_order(open_plant: OpcUaPlant) -> None:
    settings = config(open_plant.endpoint, node(1, "burst"), interval="500ms", queue=100)
    async with listening(settings) as sink:
        await sink.said(1, 0)
        for n in range(1, 41):
            await open_plant.show("burst", ua.Variant(n, T.Int32), NOON + timedelta(seconds=n))
        await sink.said(1, 40)
        values = [
            s.value
            for s in sink.of(1)
            if s.source_time > NOON and s.source_time < NOON + timedelta(hours=0.5)
        ]
    assert values == [float(n) for n in range(1, 41)]


async def test_thousands_of_nodes_are_monitored(open_plant: OpcUaPlant) -> None:
    """More than fit into one request; the same variable under different tags stands for them."""
    tags = {f"m/x{n}": Tag(n, f"m/x{n}", Words("", "x")) for n in range(1200)}
    nodes = [{"tag": t, "node": open_plant.node("load")} for t in tags]
    sink = Heard()
    one = OpcUaCollector(config(open_plant.endpoint, *nodes), SystemClock(), tags, "big")
    task = asyncio.create_task(one.run(sink))
    try:
        await sink.until(lambda: sum(len(b) for b in sink.batches) >= 1200, 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert all(sink.last(n).value == 0.5 for n in (0, 499, 500, 1199))


async def test_a_part_of_an_array_is_a_value_and_a_part_that_is_not_there_is_bad(
    open_plant: OpcUaPlant,
) -> None:
    nodes = (node(1, "list", item="[1]"), node(2, "list", item="[9]"), node(3, "list", item="#"))
    async with listening(config(open_plant.endpoint, *nodes)) as sink:
        await sink.said(1, 2.0)
        await sink.said(3, 2)
        assert sink.last(2)[1:] == (None, BAD_TYPE_MISMATCH)


async def test_a_list_that_is_not_there_has_no_elements(open_plant: OpcUaPlant) -> None:
    """Servers write an empty list as one of length -1, or (node-opcua) as one structure that is none."""
    none = ua.Variant(None, T.Double, is_array=True), ua.Variant(ua.ExtensionObject(), T.ExtensionObject)
    for value in none:
        await open_plant.show("list", value, SystemClock().now())
        settings = config(open_plant.endpoint, node(1, "list", item="#"), node(2, "list", item="[0]"))
        async with listening(settings) as sink:
            assert (await sink.said(1, 0)).status == 0
            await sink.until(lambda: bool(sink.of(2)))
            assert sink.last(2).value is None
        found = await OpcUaCollector(settings, SystemClock(), TAGS, "cnc").probe()
        assert found["server"] == "session opened, 1 of 2 nodes read"
    await open_plant.show("list", ua.Variant([1.0, 2.0], T.Double), SystemClock().now())


async def test_a_large_number_becomes_another_by_its_code() -> None:
    async with OpcUaPlant({"part": ua.Variant(1234567, T.Int32)}) as plant:
        nodes = config(plant.endpoint, node(1, "part", codes={"1234567": 3}))
        async with listening(nodes) as sink:
            await sink.said(1, 3)
        found = await OpcUaCollector(nodes, SystemClock(), TAGS, "cnc").probe()
        assert [v for v in found.values() if v.startswith("✗")] == []


async def test_a_field_of_a_structure_is_read_by_the_definition_that_the_server_tells(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server's own type: asyncua's importer is not asked, so a type it cannot load does not matter."""
    async with OpcUaPlant({"steady": ua.Variant(1, T.Int16)}) as plant:
        await plant.add_structure()
        nodes = [
            node(n, "axes", item=item)
            for n, item in enumerate(
                ("[1].Load", "[0].Count", "[1].Mode", "[0].Limits[2]", "[0].Gone", "#"), 1
            )
        ]
        nodes[2] |= {"codes": {"fast": 8}}
        async with listening(config(plant.endpoint, *nodes)) as sink:
            for number, value in ((1, 2.5), (2, 7), (3, 8), (4, 30.0), (6, 2)):
                await sink.said(number, value)
            await sink.until(lambda: bool(sink.of(5)))
            assert sink.last(5)[1:] == (None, BAD_TYPE_MISMATCH)
        assert "item: [0].Gone: Gone is not there in [0]; there are: " in caplog.text
        one = OpcUaCollector(config(plant.endpoint, *nodes), SystemClock(), TAGS, "cnc")
        found = await one.probe()
        assert [k for k, v in found.items() if v.startswith("✗")] == [f"{plant.node('axes')} (m/t5)"]


async def test_a_model_loaded_anew_turns_its_nodes_bad_and_then_brings_a_new_subscription(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server says nothing of it: a node that is quiet is looked at, in turn."""
    monkeypatch.setattr("collectors.opcua._ASK_AGAIN", 0.1)
    async with OpcUaPlant({"speed": ua.Variant(3, T.Int16)}) as plant:
        sink = Heard()
        one = OpcUaCollector(config(plant.endpoint, node(1, "speed")), SystemClock(), TAGS, "cnc")
        task = asyncio.create_task(one.run(sink))
        await sink.said(1, 3)
        plant.forget("speed")
        await sink.until(lambda: sink.last(1).status == BAD_NODE_UNKNOWN)
        plant.remember("speed")
        with pytest.raises(SourceUnavailable, match="is there again"):
            async with asyncio.timeout(20):
                await task


# ------------------------------------------------------------------ alarms and conditions
@pytest.fixture
async def alarming() -> AsyncIterator[AlarmPlant]:
    async with AlarmPlant() as plant:
        yield plant


def alarms(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"alarms": list(blocks)}


async def test_conditions_are_told_refreshed_and_reconciled_after_a_reconnect(alarming: AlarmPlant) -> None:
    settings = config(alarming.endpoint, **alarms({"tag": "m/t1", "source": alarming.source}))
    await alarming.stand("hot", 700)
    async with listening(settings) as sink:
        await sink.said(1, 700)  # stood before we came: the refresh tells it
        await alarming.stand("door", 900)
        await sink.said(1, 900)
        await alarming.clear("door")
        await sink.said(1, 700)
    await alarming.clear("hot")  # while nobody listens
    await alarming.stand("door", 300)
    async with listening(settings) as sink:
        await sink.said(1, 300)
        assert [s.value for s in sink.of(1)] == [300]
    assert alarming.refreshes == 2


async def test_events_that_were_more_than_we_take_at_once_are_refreshed(alarming: AlarmPlant) -> None:
    settings = config(alarming.endpoint, **alarms({"tag": "m/t1", "name": "late"}), max_message=65_536)
    async with listening(settings) as sink:
        await sink.said(1, 0)
        alarming._standing["late"] = 800  # told beside one that fills the answer
        await alarming._tell("x" * 70_000, 900, active=True)
        await sink.said(1, 800)
        await alarming.clear("late")
        await sink.said(1, 0)


async def test_a_condition_is_a_code_and_says_zero_where_none_stands(alarming: AlarmPlant) -> None:
    by_name = {"tag": "m/t1", "name": "h*", "codes": {"hot": 301}}
    async with listening(config(alarming.endpoint, **alarms(by_name, {"tag": "m/t2"}))) as sink:
        await sink.said(1, 0)
        await sink.said(2, 0)
        await alarming.stand("door", 900)
        await sink.said(2, 900)
        await alarming.stand("hot", 100)
        await sink.said(1, 301)
    assert 900 not in {s.value for s in sink.of(1)}


async def test_a_server_without_refresh_is_heard_from_now_on(
    open_plant: OpcUaPlant, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(config(open_plant.endpoint, node(2, "load"), alarms=[{"tag": "m/t1"}])) as sink:
        await sink.said(1, 0)
    assert "only what changes from now on is heard" in caplog.text


# ------------------------------------------------------------------ security
class OnePassword(UserManager):  # type: ignore[misc]
    def get_user(
        self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None
    ) -> User | None:
        return User(UserRole.User, username) if password == PASSWORD else None


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("owners")


@pytest.fixture(scope="module")
async def safe_plant() -> AsyncIterator[OpcUaPlant]:
    """Offers nothing but Basic256Sha256 with signing and encryption."""
    policies = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    yield (plant := OpcUaPlant({"load": ua.Variant(0.5, T.Float)}, policies=policies, users=OnePassword()))
    await plant.stop()


def secured(hub: Owner, trust: Path, **more: Any) -> dict[str, Any]:
    security = {"certificate": str(hub.certificate), "key": str(hub.key), "trust_folder": str(trust), **more}
    return {"security": security, "user": "operator", "password": PASSWORD}


URI = "urn:test:server"


@asynccontextmanager
async def shown(plant: OpcUaPlant, owner: Owner, uri: str = URI) -> AsyncIterator[OpcUaPlant]:
    await plant.identify(owner.certificate, owner.key, uri)
    await plant.start()
    try:
        yield plant
    finally:
        await plant.stop()


@pytest.fixture
def hub(owners: Path) -> Owner:
    return Owner.make(owners, "hub", "urn:andon-hub:plant-1")


async def test_a_trusted_server_is_listened_to_and_the_password_is_nowhere(
    safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Owner.make(owners, "server", URI)
    server.put_into(tmp_path)
    async with shown(safe_plant, server), Proxy(safe_plant.port) as line:
        endpoint = f"opc.tcp://127.0.0.1:{line.port}/plant"
        settings = config(endpoint, node(1, "load"), **secured(hub, tmp_path))
        async with listening(settings) as sink:
            await sink.said(1, 0.5)
        assert PASSWORD.encode() not in line.passed
    ours = "".join(r.getMessage() for r in caplog.records if not r.name.startswith("asyncua.server"))
    assert PASSWORD not in ours
    assert PASSWORD not in repr(settings)


async def test_a_certificate_we_made_opens_the_line_and_is_never_replaced(
    safe_plant: OpcUaPlant, owners: Path, tmp_path: Path
) -> None:
    certificate, key, shown_as = make_certificate(tmp_path / "own", "plant-1", SystemClock().now())
    assert key.stat().st_mode & 0o077 == 0
    found = read_certificate(certificate)
    assert (thumbprint(found), application_uri(found)) == (shown_as, "urn:andon-hub:plant-1")
    server = Owner.make(owners, "server", URI)
    server.put_into(tmp_path)
    block = {"certificate": str(certificate), "key": str(key), "trust_folder": str(tmp_path)}
    settings = config(
        safe_plant.endpoint, node(1, "load"), security=block, user="operator", password=PASSWORD
    )
    async with shown(safe_plant, server):
        said = await refused_or_heard(settings)
    assert said == 0.5
    with pytest.raises(ConfigError, match="there already"):
        make_certificate(tmp_path / "own", "plant-1", SystemClock().now())


async def refused_or_heard(settings: Any) -> float | None:
    async with listening(settings) as sink:
        await sink.until(lambda: bool(sink.of(1)))
        return sink.last(1).value


@pytest.mark.parametrize(("days", "warned"), [(31, False), (29, True)])
async def test_a_certificate_is_warned_of_thirty_days_before_its_end(
    owners: Path, days: int, warned: bool
) -> None:
    own = read_certificate(Owner.make(owners, "old", "urn:andon-hub:old").certificate)
    now = own.not_valid_after_utc - timedelta(days=days)
    assert ("renew it" in expiry(own, now)) is warned


async def test_a_probe_and_a_long_connection_tell_that_our_certificate_ends_soon(
    safe_plant: OpcUaPlant, owners: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    own = Authority.make().issue(owners, "ending", "urn:andon-hub:ending", (-1, 20))
    server = Owner.make(owners, "server", URI)
    server.put_into(tmp_path)
    settings = config(safe_plant.endpoint, node(1, "load"), **secured(own, tmp_path))
    monkeypatch.setattr("collectors.opcua._DAY", 0.0)
    async with shown(safe_plant, server):
        found = await OpcUaCollector(settings, SystemClock(), TAGS, "cnc").probe()
        caplog.clear()
        async with listening(settings) as sink:
            await sink.until(lambda: len(sink.of(1)) >= 2)
    assert found["certificate"].startswith("✗ our OPC UA certificate ends in 19 days")
    assert caplog.text.count("ends in 19 days") >= 2  # when it connected, and later


async def refused(settings: Any) -> str:
    one = OpcUaCollector(settings, SystemClock(), TAGS, "cnc")
    sink = Heard()
    with pytest.raises(SourceRefused) as caught:
        async with asyncio.timeout(20):
            await one.run(sink)
    assert sink.batches == []
    return str(caught.value)


@pytest.mark.parametrize("case", ["unknown", "expired", "not yet valid", "wrong uri", "revoked"])
async def test_a_server_that_is_not_to_be_trusted_is_refused_with_the_remedy(
    safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path, case: str
) -> None:
    authority = Authority.make()
    days = {"expired": (-20, -10), "not yet valid": (10, 20)}.get(case, (-1, 30))
    server = authority.issue(owners, case, "urn:somebody:else" if case == "wrong uri" else URI, days)
    if case != "unknown":
        authority.put_into(tmp_path)
    if case == "revoked":
        authority.revoke(server, tmp_path / "crl")
    async with shown(safe_plant, server):
        said = await refused(config(safe_plant.endpoint, node(1, "load"), **secured(hub, tmp_path)))
    expected = {
        "unknown": "is not trusted", "expired": "valid from", "not yet valid": "valid from",
        "wrong uri": "issued for", "revoked": "revoked",
    }  # fmt: skip
    assert expected[case] in said
    assert server.thumbprint in said
    assert PASSWORD not in said


async def test_what_a_stranger_shows_is_kept_for_the_person_who_may_trust_it(
    safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path
) -> None:
    server = Authority.make().issue(owners, "stranger", URI, (-1, 30))
    settings = config(safe_plant.endpoint, node(1, "load"), **secured(hub, tmp_path))
    async with shown(safe_plant, server):
        said = await refused(settings)
        [offered] = (tmp_path / "rejected").iterdir()
        assert f"move {offered} into {tmp_path}" in said
        offered.rename(tmp_path / offered.name)
        async with listening(settings) as sink:
            await sink.said(1, 0.5)


def test_strangers_fill_no_disk(owners: Path, tmp_path: Path) -> None:
    authority = Authority.make()
    for n in range(25):
        stranger = read_certificate(authority.issue(owners, f"s{n}", URI, (-1, 30)).certificate)
        with pytest.raises(SourceRefused):
            TrustFolder.read(tmp_path).check(stranger, URI, SystemClock().now())
    assert len(list((tmp_path / "rejected").iterdir())) == 20


async def test_a_server_of_a_trusted_authority_is_trusted(
    safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path
) -> None:
    authority = Authority.make()
    other = authority.issue(owners, "other", "urn:other", (-1, 30))
    authority.put_into(tmp_path)
    authority.revoke(other, tmp_path / "crl")
    right = authority.issue(owners, "right", URI, (-1, 30))
    settings = config(safe_plant.endpoint, node(1, "load"), **secured(hub, tmp_path))
    async with shown(safe_plant, right), listening(settings) as sink:
        await sink.said(1, 0.5)


async def test_a_collector_knows_how_long_both_certificates_are_good_also_of_a_server_it_refuses(
    safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path
) -> None:
    authority = Authority.make()
    authority.put_into(tmp_path)
    server = authority.issue(owners, "ended", URI, (-20, -10))
    settings = config(safe_plant.endpoint, node(1, "load"), **secured(hub, tmp_path))
    one = OpcUaCollector(settings, SystemClock(), TAGS, "cnc")
    (owners / "nobody").mkdir()
    stranger = OpcUaCollector(
        config(safe_plant.endpoint, node(1, "load"), **secured(hub, owners / "nobody")), SystemClock(), TAGS,
        "cnc",
    )  # fmt: skip
    async with shown(safe_plant, server):
        for each in (one, stranger):
            with pytest.raises(SourceRefused):
                await each.run(Heard())
    own = read_certificate(hub.certificate).not_valid_after_utc
    assert one.line == Line("", own, read_certificate(server.certificate).not_valid_after_utc)
    assert stranger.line == Line("", own), "whom nobody trusts wakes nobody"


async def test_an_outdated_policy_is_an_exception_that_is_said_aloud_and_counts_as_an_open_line(
    owners: Path, hub: Owner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = OpcUaPlant(
        {"load": ua.Variant(0.5, T.Float)}, policies=[ua.SecurityPolicyType.Basic256_SignAndEncrypt]
    )
    server = Owner.make(owners, "old-server", URI)
    server.put_into(tmp_path)
    security = {**secured(hub, tmp_path)["security"], "policy": "Basic256", "outdated_policy": True}
    settings = config(old.endpoint, node(1, "load"), security=security)
    assert OpcUaCollector(settings, SystemClock(), TAGS, "cnc").line == Line("Basic256")
    async with shown(old, server), listening(settings) as sink:
        await sink.said(1, 0.5)
    assert "Basic256 can be broken" in caplog.text


async def test_a_wrong_password_is_refused(
    safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path
) -> None:
    server = Owner.make(owners, "server", URI)
    server.put_into(tmp_path)
    settings = {**secured(hub, tmp_path), "password": "not-the-one"}
    async with shown(safe_plant, server):
        said = await refused(config(safe_plant.endpoint, node(1, "load"), **settings))
    assert "not-the-one" not in said


async def test_there_is_no_silent_step_down(
    open_plant: OpcUaPlant, safe_plant: OpcUaPlant, owners: Path, hub: Owner, tmp_path: Path
) -> None:
    said = await refused(config(open_plant.endpoint, node(1, "load"), **secured(hub, tmp_path)))
    assert "offers no Basic256Sha256 with SignAndEncrypt" in said
    async with shown(safe_plant, Owner.make(owners, "server", URI)):
        for more in ({"mode": "Sign"}, {"policy": "Aes128Sha256RsaOaep"}):
            settings = {**secured(hub, tmp_path, **more), "user": "", "password": None}
            assert "offers no" in await refused(config(safe_plant.endpoint, node(1, "load"), **settings))
        open_one = OpcUaCollector(config(safe_plant.endpoint, node(1, "load")), SystemClock(), TAGS, "cnc")
        with pytest.raises((SourceUnavailable, SourceRefused)):
            await open_one.run(Heard())


async def test_missing_files_are_named(hub: Owner, tmp_path: Path) -> None:
    nowhere = {**secured(hub, tmp_path / "nowhere")}
    assert "make it and put certificates in" in await refused(
        config("opc.tcp://127.0.0.1:1", node(1, "x"), **nowhere)
    )
    without = secured(hub, tmp_path)
    without["security"]["certificate"] = str(tmp_path / "none.der")
    assert "none.der cannot be read" in await refused(
        config("opc.tcp://127.0.0.1:1", node(1, "x"), **without)
    )


FILES = {"certificate": "own.der", "key": "own.pem", "trust_folder": "trusted"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"security": None}, "security: none"),
        ({"user": "li", "password": "p"}, "in the clear"),
        ({"endpoint": "opc.tcp://li:secret@host:4840"}, "apart from it"),
        ({"endpoint": "http://host"}, "opc.tcp://HOST:PORT"),
        ({"nodes": [{"tag": "m/t1", "node": "spindle"}]}, "nsu=URI;s=Name"),
        ({"nodes": [{"tag": "m/t1", "node": "ns=2;i=abc"}]}, "nsu=URI;s=Name"),
        ({"nodes": []}, "at least 1"),
        ({"security": {**FILES, "policy": "Basic128Rsa15"}}, "Basic256Sha256"),
        ({"security": {**FILES, "outdated_policy": True}}, "leave it out"),
    ],
)  # fmt: skip
async def test_a_configuration_that_cannot_be_used_is_explained(change: dict[str, Any], said: str) -> None:
    good = {"endpoint": "opc.tcp://h:1", "security": "none", "nodes": [{"tag": "m/t1", "node": "ns=2;s=x"}]}
    with pytest.raises(ValidationError) as caught:
        OpcUaCollector.Config.model_validate({**good, **change})
    told = "; ".join(e["msg"] for e in caught.value.errors(include_input=False))
    assert said in told
    assert "secret" not in told
