"""`andon browse` before a server that speaks companion models: what it writes can be run as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collectors.opcua import OpcUaCollector
from collectors.opcua_browse import Ids
from collectors.opcua_line import Line
from collectors.opcua_places import located
from hub.browsing import browsed, written
from hub.checkup import checkup
from hub.cli import app
from hub.clock import SystemClock
from hub.errors import ConfigError
from hub.model.sample import Tag
from hub.settings import Settings, load
from tests.simulators.devices import Heard
from tests.simulators.opcua_models import MAKER, Models, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def models() -> AsyncIterator[Models]:
    async with serving() as found:
        yield found


@pytest.fixture(scope="module")
async def made(models: Models) -> dict[str, Any]:
    return await browsed(models.endpoint, None, True, (), (), "p1/hall/l2", True)


def settings_of(made: dict[str, Any], folder: Path) -> Settings:
    list(written(made, folder / "found.yaml"))
    checkup(folder / "found.yaml")
    return load(folder / "found.yaml", {})


async def test_machines_are_recognised_by_their_types_with_state_mode_counters_and_jobs(
    made: dict[str, Any], tmp_path: Path
) -> None:
    plant = settings_of(made, tmp_path).plant
    lathe, packer = plant.equipment["p1/hall/l2/lathe_7"], plant.equipment["p1/hall/l2/packer"]
    assert (lathe.kind, packer.kind) == ("MachineTool-Machinery", "PackML")
    assert lathe.state_tag == "p1/hall/l2/lathe_7/program_state"
    assert lathe.state_map[1] == "executing"
    assert packer.state_map[6] == "executing"
    assert (packer.state_tag, packer.good_tag) == (
        "p1/hall/l2/packer/packml_state",
        "p1/hall/l2/packer/processed",
    )
    assert {"p1/hall/l2/packer/mode", "p1/hall/l2/packer/jobs"} <= set(plant.tags)


async def test_units_and_ranges_are_the_servers_and_names_keep_their_characters(
    made: dict[str, Any], tmp_path: Path
) -> None:
    settings = settings_of(made, tmp_path)
    load_ = settings.plant.tags["p1/hall/l2/lathe_7/monitoring_spindle_load"]
    assert (load_.unit, load_.range) == ("%", (0.0, 120.0))
    oven = [t for t in settings.plant.tags.values() if t.equipment == "p1/hall/l2/oven"]
    assert {t.label.in_("zh") for t in oven} == {
        "温度", "ActualPower", "Door open", "Any rank 1", "Any type"  # a text is no number
    }  # fmt: skip
    assert "p1/hall/l2/oven/zone_1_value" in settings.plant.tags  # 温度
    assert {r.name for r in settings.file.rules} == {
        "oven-alarm_door_open",
        "low-lathe_7-monitoring_spindle_load", "high-lathe_7-monitoring_spindle_load"
    }  # fmt: skip


async def test_nodes_are_named_by_the_uri_of_their_namespace(made: dict[str, Any]) -> None:
    nodes = made["collectors"][0]["with"]["nodes"]
    assert all(n["node"].startswith("nsu=") for n in nodes)
    assert any(MAKER in n["node"] for n in nodes)


async def test_paths_lead_to_the_same_nodes_as_their_ids(models: Models, made: dict[str, Any]) -> None:
    by_name = await browsed(models.endpoint, None, True, (), (), "p1/hall/l2", True, True)
    block = by_name["collectors"][0]["with"]
    by_id = made["collectors"][0]["with"]
    ids = [n["node"] for n in by_id["nodes"]] + [a["condition"] for a in by_id["alarms"]]
    assert all(";path=" in n["node"] for n in block["nodes"])
    assert all(";path=" in a["condition"] for a in block["alarms"])
    line = Line(models.endpoint, timedelta(seconds=5))
    await line.open()
    try:
        uris = await line.namespaces()
        paths = [n["node"] for n in block["nodes"]] + [a["condition"] for a in block["alarms"]]
        assert await located(line, paths, uris) == await located(line, ids, uris)
    finally:
        await line.close()


async def test_what_was_written_is_collected_as_it_is(made: dict[str, Any], tmp_path: Path) -> None:
    settings = settings_of(made, tmp_path)
    block = settings.file.collectors[0]
    tags = {p: Tag(n, p, t.label) for n, (p, t) in enumerate(settings.plant.tags.items(), 1)}
    sink = Heard()
    one = OpcUaCollector(OpcUaCollector.Config.model_validate(block.with_), SystemClock(), tags, "found")
    task = asyncio.create_task(one.run(sink))
    number = {p.removeprefix("p1/hall/l2/"): t.number for p, t in tags.items()}
    try:
        for tag, value in {
            "lathe_7/item_state": 3, "lathe_7/program_state": 1, "packer/packml_state": 6,
            "packer/processed": 812, "packer/jobs": 2,
            "lathe_7/monitoring_spindle_load": 41.5, "oven/zone_1_actual_power": 7,
        }.items():  # fmt: skip
            await sink.said(number[tag], value)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_alarm_that_the_server_shows_becomes_a_tag_with_a_rule(made: dict[str, Any]) -> None:
    [alarm] = made["collectors"][0]["with"]["alarms"]
    assert alarm["tag"] == "p1/hall/l2/oven/alarm_door_open"
    assert MAKER in alarm["condition"]
    rule = next(r for r in made["rules"] if r["name"] == "oven-alarm_door_open")
    assert (rule["kind"], rule["tag"], rule["limit"]) == ("high-limit", alarm["tag"], 0)


async def test_what_may_be_anything_and_is_no_number_is_told(
    models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    await browsed(models.endpoint, None, True, (), (), "p1/hall/l2", False)
    [told] = [r.message for r in caplog.records if "left out" in r.message]
    assert told.startswith("browse: 1 hold no single number") and MAKER in told


async def test_patterns_choose_and_leave_out(models: Models) -> None:
    made = await browsed(
        models.endpoint, None, True, ("Oven/*",), ("*Power", "*Door*", "*Any*"), "p1/hall/l2", False
    )
    machines = {m["id"]: m for m in made["plant"]["areas"][0]["lines"][0]["machines"]}
    assert [t["name"] for t in machines["oven"]["tags"].values()] == ["温度"]
    assert list(machines) == ["oven"]


async def test_the_line_has_to_be_protected_or_said_to_be_open() -> None:
    with pytest.raises(ConfigError, match="--insecure"):
        await browsed("opc.tcp://127.0.0.1:1", None, False, (), (), "p1/a1/l1", False)
    with pytest.raises(ConfigError, match="site/area/line"):
        await browsed("opc.tcp://127.0.0.1:1", None, True, (), (), "hall", False)
    with pytest.raises(ConfigError, match=r"opc\.tcp://HOST"):
        await browsed("http://127.0.0.1", None, True, (), (), "p1/a1/l1", False)


def test_nobodys_file_is_written_over(tmp_path: Path) -> None:
    there = tmp_path / "tags.yaml"
    there.write_text("mine")
    said = CliRunner().invoke(app, ["browse", "opc.tcp://127.0.0.1:1", "--to", str(there), "--insecure"])
    assert isinstance(said.exception, ConfigError)
    assert "name a new file" in str(said.exception)
    assert there.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told_of_before_the_server_is_asked(tmp_path: Path) -> None:
    there = tmp_path / "missing" / "tags.yaml"
    said = CliRunner().invoke(app, ["browse", "opc.tcp://127.0.0.1:1", "--to", str(there), "--insecure"])
    assert isinstance(said.exception, ConfigError)
    assert "make it, or name another" in str(said.exception)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("注塑机1号",), "machine_1"), (("注塑机",), "machine"), (("Press 7",), "press_7"),
        (("温度1",), "machine_1"), (("7",), "machine_7"),
    ],
)  # fmt: skip
def test_a_name_without_latin_letters_has_an_id_that_says_what_it_is(
    names: tuple[str, ...], told: str
) -> None:
    ids = Ids()
    assert ids.new(*names, word="machine") == told
    assert ids.new(*names, word="machine") == f"{told}_2"
