"""The doctor at real devices and servers: what is wrong is named, and nobody has been written to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from asyncua import ua

from hub.clock import SystemClock
from hub.doctor import Finding, examine
from hub.doctor.record import connected, examine_bus, examine_database
from hub.settings import Settings, load
from hub.testing.clock import HandClock
from tests.ports import free_port
from tests.simulators.devices import ModbusDevice, OpcUaPlant, RawServer

pytestmark = pytest.mark.anyio

Written = dict[str, Any]
TAGS = ("a", "b", "c", "d", "e", "f")
PATH = "p1/a/l/m"


def settings(folder: Path, collectors: list[Written], **environment: str) -> Settings:
    machine = {"id": "m", "name": "M", "tags": {tag: {"name": tag} for tag in TAGS}}
    line = {"id": "l", "name": "L", "machines": [machine]}
    plant = {"id": "p1", "name": "P", "areas": [{"id": "a", "name": "A", "lines": [line]}]}
    hub = {"data": str(folder / "data"), "port": free_port()}
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump({"plant": plant, "hub": hub, "collectors": collectors}), encoding="utf-8")
    return load(path, environment)


async def told(here: Settings, name: str) -> list[Finding]:
    """What is said of one collector."""
    return [f async for f in examine(here) if f.what.startswith(f"{name}: ")]


def modbus(port: int, *points: Written, unit: int = 1) -> Written:
    tagged = [{"tag": f"{PATH}/{tag}", **point} for tag, point in zip(TAGS, points, strict=False)]
    with_ = {"host": "127.0.0.1", "port": port, "unit": unit, "timeout": "500ms", "points": tagged}
    return {"name": "plc", "kind": "modbus", "with": with_}


# ------------------------------------------------------------------ Modbus
async def test_a_sound_device_is_read_and_not_written_to(tmp_path: Path) -> None:
    async with ModbusDevice({"holding": {0: 1, 1: 2, 50: 3}, "coil": {0: 1}}) as device:
        points = ({"address": 0}, {"address": 1}, {"address": 50}, {"address": 0, "table": "coil"})
        [found] = await told(settings(tmp_path, [modbus(device.port, *points)]), "plc")
        assert found == (
            True, f"plc: 127.0.0.1:{device.port} unit 1: 4 of 4 points answer, 3 questions a round", ""
        )  # fmt: skip
        assert device.writes == 0 and len(device.requests) == 3


async def test_every_register_the_device_does_not_give_is_named_with_its_tag(tmp_path: Path) -> None:
    async with ModbusDevice({"holding": {0: 1, 1: 2, 9: 0x7FC0, 10: 0}}) as device:
        device.failing = {1}
        points = (
            {"address": 0}, {"address": 1}, {"address": 7}, {"address": 9, "type": "float32"},
            {"address": 0, "codes": {5: 1}},
        )  # fmt: skip
        found = await told(settings(tmp_path, [modbus(device.port, *points)]), "plc")
    assert found[0].good and "3 of 5 points answer" in found[0].what
    said = [f"{f.what}; {f.remedy}" for f in found if not f.good]
    assert len(said) == 4
    for place, why in {
        f"holding 1 ({PATH}/b)": "device failure: it cannot be read now",
        f"holding 7 ({PATH}/c)": "illegal address: correct address:",
        f"holding 9 ({PATH}/d)": "is no number; correct type:",
        f"holding 0 ({PATH}/e)": "not among its codes:; add it",
    }.items():
        assert [s for s in said if place in s and why in s], (place, said)


async def test_a_unit_that_says_nothing_is_told_from_a_device_that_is_away(tmp_path: Path) -> None:
    async with RawServer(lambda _: None) as silent:
        [found] = await told(settings(tmp_path, [modbus(silent.port, {"address": 0}, unit=7)]), "plc")
    assert not found.good and "unit 7: No response within 0.5 s" in found.what
    assert "is unit: right" in found.remedy
    [away] = await told(settings(tmp_path, [modbus(free_port(), {"address": 0})]), "plc")
    assert not away.good and "no answer" in away.what and "is it on" in away.remedy


# ------------------------------------------------------------------ OPC UA
VARIABLES = {
    "number": ua.Variant(7.5, ua.VariantType.Double),
    "word": ua.Variant("READY", ua.VariantType.String),
    "list": ua.Variant([1, 2], ua.VariantType.Int32),
}


@asynccontextmanager
async def cnc(folder: Path, *nodes: Written, **more: object) -> AsyncIterator[Settings]:
    async with OpcUaPlant(VARIABLES) as plant:
        tagged = [{"tag": f"{PATH}/{tag}", **node} for tag, node in zip(TAGS, nodes, strict=False)]
        with_ = {"endpoint": plant.endpoint, "security": "none", "nodes": tagged, **more}
        yield settings(folder, [{"name": "cnc", "kind": "opcua", "with": with_}])


def node(name: str, **more: object) -> Written:
    return {"node": f"nsu={OpcUaPlant.NAMESPACE};s={name}", **more}


async def test_a_sound_server_is_found_sound_with_its_clock(tmp_path: Path) -> None:
    async with cnc(tmp_path, node("number"), node("word", codes={"READY": 1})) as here:
        found = await told(here, "cnc")
    assert [f.good for f in found] == [True, True], found
    assert "2 of 2 nodes read" in found[0].what and "clock: differs from ours by" in found[1].what


async def test_every_node_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    nodes = (
        node("number"), node("nowhere"), node("word"), node("word", codes={"RUN": 1}), node("list"),
        {"node": "nsu=urn:not:here;s=x"},
    )  # fmt: skip
    async with cnc(tmp_path, *nodes) as here:
        found = await told(here, "cnc")
    assert "1 of 6 nodes read" in found[0].what
    said = [f"{f.what}; {f.remedy}" for f in found if not f.good]
    for tag, why in {
        "b": "BadNodeIdUnknown: the server has no such node; correct node:",
        "c": "is a text ('READY'); give it codes: {TEXT: number}",
        "d": "'READY' is not among its codes:; add it",
        "e": "is an array, no number; name a node that holds one",
        "f": "the server has no such namespace or path; correct node:",
    }.items():
        assert [s for s in said if f"({PATH}/{tag}): {why}" in s], (tag, said)
    assert len(said) == 5


async def test_a_server_that_is_away_is_one_finding(tmp_path: Path) -> None:
    with_ = {
        "endpoint": f"opc.tcp://127.0.0.1:{free_port()}/x", "security": "none",
        "nodes": [{"tag": f"{PATH}/a", "node": "i=85"}],
    }  # fmt: skip
    [found] = await told(settings(tmp_path, [{"name": "cnc", "kind": "opcua", "with": with_}]), "cnc")
    assert not found.good and "no answer from" in found.what and "is it on" in found.remedy


# ------------------------------------------------------------------ database and bus
async def test_the_database_is_looked_at_and_cannot_be_written_to(tmp_path: Path, any_dsn: str) -> None:
    here = settings(tmp_path, [], ANDON_DATABASE=any_dsn)
    found = [f async for f in examine_database(here, SystemClock(), "")]
    assert all(f.good for f in found), found
    assert [f for f in found if "database answers: PostgreSQL" in f.what]
    async with AsyncExitStack() as stack:
        connection = await connected(here, stack)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await connection.execute("create table mine (n int)")


async def test_a_hub_whose_clock_is_wrong_is_told(tmp_path: Path, dsn: str, redis_url: str) -> None:
    yesterday = HandClock((SystemClock().now() - timedelta(days=1)).astimezone(UTC))
    here = settings(tmp_path, [], ANDON_DATABASE=dsn, ANDON_REDIS=redis_url)
    said = [f async for f in examine_database(here, yesterday, "")]
    said += [f async for f in examine_bus(here, yesterday)]
    wrong = [f for f in said if not f.good]
    assert [f.what.partition(":")[0] for f in wrong] == ["database", "Redis"]
    assert all("clock differs from ours by +86" in f.what and "NTP" in f.remedy for f in wrong)


async def test_redis_that_would_throw_samples_away_is_told(tmp_path: Path, redis_url: str) -> None:
    from redis.asyncio import Redis

    here = settings(tmp_path, [], ANDON_REDIS=redis_url)
    assert all([f.good async for f in examine_bus(here, SystemClock())])
    async with Redis.from_url(redis_url) as server:
        before = await server.config_get("maxmemory*")
        try:
            await server.config_set("maxmemory", "1gb")
            await server.config_set("maxmemory-policy", "allkeys-lru")
            found = [f async for f in examine_bus(here, SystemClock())]
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                await server.config_set(name, str(before[name]))
    [wrong] = [f for f in found if not f.good]
    assert "does allkeys-lru" in wrong.what and "set maxmemory-policy noeviction" in wrong.remedy


async def test_the_house_is_still_standing_when_everything_is_away(tmp_path: Path) -> None:
    here = settings(
        tmp_path,
        [modbus(free_port(), {"address": 0})],
        ANDON_DATABASE=f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x",
        ANDON_REDIS=f"redis://:hunter2@127.0.0.1:{free_port()}/0",
    )
    async with asyncio.timeout(60):
        found = [f async for f in examine(here)]
    assert [f.what.partition(":")[0] for f in found if not f.good] == [
        "database",
        "Redis does not answer",
        "plc",
    ]
    assert "hunter2" not in str(found)
