"""The configuration made for a recording is one the hub starts with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from alert_rules.rulebook import rulebook
from alert_rules.stale import NoDataRule
from alert_rules.state import FaultCodeRule
from collectors.modbus_config import ModbusConfig
from collectors.opcua_config import OpcUaConfig
from hub.model.equipment import EquipmentState
from hub.settings import Settings, load
from tests.simulators.replay import Recording, describe, to_config, wiring
from tests.simulators.replay.__main__ import write_config
from tests.simulators.wire import ModbusMachine, OpcUaMachine

LOG = """\
2026-03-01T08:00:00Z|execution|ACTIVE
2026-03-01T08:00:00Z|mode|AUTOMATIC
2026-03-01T08:00:00Z|Stemp|44
2026-03-01T08:00:00Z|system|Warning|428|||MEMORY PROTECT
2026-03-01T08:00:01Z|system|Fault|816|||FEEDRATE ZERO
2026-03-01T08:00:02Z|execution|READY
"""
KINDS: dict[str, Any] = {"fault-code": FaultCodeRule, "no-data": NoDataRule}
CONFIGS: dict[str, Any] = {"modbus": ModbusConfig, "opcua": OpcUaConfig}


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    (tmp_path / "Mill7-20260301.txt").write_text(LOG, encoding="utf-8")
    return describe(tmp_path)


def loaded(recording: Recording, protocol: Literal["opcua", "modbus"], folder: Path) -> Settings:
    write_config(to_config(recording, protocol, 14861), folder / "replay.yaml")
    return load(folder / "replay.yaml", {})


@pytest.mark.parametrize("protocol", ["opcua", "modbus"])
def test_the_hub_reads_it_and_so_do_the_plugins(
    recording: Recording, protocol: Literal["opcua", "modbus"], tmp_path: Path
) -> None:
    settings = loaded(recording, protocol, tmp_path)
    (collector,) = settings.file.collectors
    config = CONFIGS[collector.kind].model_validate(collector.with_)
    points = config.points if protocol == "modbus" else config.nodes
    assert {p.tag for p in points} == set(settings.plant.tags)
    blocks = [r.model_dump() for r in settings.file.rules]
    rules = rulebook(blocks, settings.plant, KINDS, [])
    assert {r.subject.rpartition("/")[2]: r.priority.word for r in rules} == {
        "fault#816": "high", "fault#428": "low", "mill7": "medium",
    }  # fmt: skip


def test_the_machine_has_states_faults_and_its_name(recording: Recording, tmp_path: Path) -> None:
    (machine,) = loaded(recording, "opcua", tmp_path).plant.machines()
    assert (machine.path, machine.name.in_("en")) == ("p1/replay/l1/mill7", "Mill7")
    assert machine.state_map == {1: EquipmentState.EXECUTING, 2: EquipmentState.IDLE}
    assert machine.fault_texts[816].in_("zh") == "FEEDRATE ZERO (system 816)"


def test_opcua_keeps_words_and_the_configuration_gives_them_numbers(recording: Recording) -> None:
    (machine,) = wiring(recording, "opcua", 14861)
    assert isinstance(machine, OpcUaMachine)
    assert {n.signal: n.type for n in machine.nodes}["state"] == "string"
    nodes = to_config(recording, "opcua", 14861)["collectors"][0]["with"]["nodes"]
    (state,) = [n for n in nodes if n["tag"].endswith("/state")]
    assert state["codes"] == {"ACTIVE": 1, "READY": 2}


def test_modbus_gets_numbers_in_registers_side_by_side(recording: Recording) -> None:
    (machine,) = wiring(recording, "modbus", 15221)
    assert isinstance(machine, ModbusMachine)
    ends = [r.address + r.count for r in machine.registers]
    assert [r.address for r in machine.registers] == [0, *ends[:-1]]


def test_it_is_plain_yaml_that_a_person_can_go_on_with(recording: Recording, tmp_path: Path) -> None:
    loaded(recording, "opcua", tmp_path)
    text = (tmp_path / "replay.yaml").read_text(encoding="utf-8")
    assert "回放工厂" in text
    assert "!!" not in text
    assert yaml.safe_load(text)["collectors"][0]["with"]["endpoint"] == "opc.tcp://127.0.0.1:14861/"
