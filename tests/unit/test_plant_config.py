"""examples/demo/plant.yaml describes the very plant that the simulator serves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alert_rules.limit import HighLimit, LowLimit
from alert_rules.rulebook import rulebook
from alert_rules.stale import NoDataRule
from alert_rules.state import FaultCodeRule, StateRule
from hub.model.people import Role
from hub.settings import Settings, load
from tests.simulators.plant.faults import FAULTS
from tests.simulators.plant.machines import STATE_WORDS, UNITS, wiring
from tests.simulators.plant.orders import order_book
from tests.simulators.plant.plant import BREAKS
from tests.simulators.wire import ModbusMachine

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRETS = {
    "ANDON_DEMO_WECOM_KEY": "a-key",
    "ANDON_DEMO_DINGTALK_TOKEN": "a-token",
    "ANDON_DEMO_DINGTALK_SECRET": "SECret",
    "ANDON_DEMO_KINGDEE_SECRET": "a-secret",
}
KINDS: dict[str, Any] = {
    "high-limit": HighLimit, "low-limit": LowLimit, "state": StateRule, "fault-code": FaultCodeRule,
    "no-data": NoDataRule,
}  # fmt: skip
MACHINES = wiring(15021, 14841)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(EXAMPLES / "demo" / "plant.yaml", dict(SECRETS))


def test_every_machine_is_there_with_its_signals(settings: Settings) -> None:
    assert [m.path for m in settings.plant.machines()] == [u.path for u in UNITS.values()]
    tags = {f"{u.path}/{s}" for u in UNITS.values() for s in u.signals}
    assert set(settings.plant.tags) == tags


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.machine)
def test_its_collector_asks_where_the_machine_answers(settings: Settings, machine: object) -> None:
    with_ = {c.name: c.with_ for c in settings.file.collectors}[machine.machine]  # type: ignore[attr-defined]
    path = UNITS[machine.machine].path  # type: ignore[attr-defined]
    if isinstance(machine, ModbusMachine):
        wanted = [
            (f"{path}/{r.signal}", r.address, r.type, r.scale, r.word_order if r.count == 2 else "big")
            for r in machine.registers
        ]
        asked = [
            (p["tag"], p["address"], p["type"], p.get("scale", 1.0), p.get("word_order", "big"))
            for p in with_["points"]
        ]
        assert (asked, with_["port"], with_["unit"]) == (wanted, machine.port, machine.unit)
    else:
        nodes = {n["tag"]: n["node"] for n in with_["nodes"]}
        wanted_nodes = {
            f"{path}/{n.signal}": f"nsu={machine.namespace};s={machine.machine}.{n.signal}"  # type: ignore[attr-defined]
            for n in machine.nodes  # type: ignore[attr-defined]
        }
        assert (nodes, with_["endpoint"]) == (wanted_nodes, machine.endpoint)  # type: ignore[attr-defined]


def test_states_faults_cycles_and_counters_mean_what_the_simulator_means(settings: Settings) -> None:
    for unit in UNITS.values():
        machine = settings.plant.equipment[unit.path]
        assert {c: s.value for c, s in machine.state_map.items()} == dict(enumerate(STATE_WORDS))
        codes = {f.code for f in FAULTS.values() if f.machine == unit.kind.name and f.code}
        assert set(machine.fault_texts) == codes
        assert machine.ideal_cycle is not None
        assert machine.ideal_cycle.total_seconds() == pytest.approx(unit.cycle)
        assert machine.good_tag == f"{unit.path}/good"
        assert machine.erp_id == f"EQ-{unit.id.upper()}"


def test_its_rules_are_about_signals_that_exist(settings: Settings) -> None:
    blocks = [r.model_dump() for r in settings.file.rules]
    rules = rulebook(blocks, settings.plant, KINDS, [n.name for n in settings.file.notifiers])
    (hot,) = [r for r in rules if r.subject == "p1/stamping/l1/press-01/oil_temp"]
    assert (hot.limit, hot.priority.word, hot.ticket, len(hot.tell)) == (80.0, "critical", True, 2)
    # the story is told once: what trips the press is not alarmed a second time
    assert not [r for r in rules if r.subject.endswith("/fault#301")]


def test_people_of_all_roles_and_a_shift_at_every_hour(settings: Settings) -> None:
    assert {r for p in settings.plant.people.values() for r in p.roles} == set(Role)
    spans = [(s.start, s.end) for s in settings.plant.shifts]
    assert spans[0] == spans[1][::-1]
    breaks = {(b.start, b.end) for s in settings.plant.shifts for b in s.breaks}
    assert breaks == set(BREAKS)
    on_duty = {p for s in settings.plant.shifts for p in s.on_duty.values()}
    assert on_duty == {"tech-a", "tech-b"}


def test_the_order_book_names_lines_of_this_plant(settings: Settings) -> None:
    book = order_book(datetime(2026, 1, 5, 8, tzinfo=UTC))
    assert [o.number for o in book] == [f"MO{n:04d}" for n in range(1, 11)]
    for order in book:
        for job in order.jobs:
            assert job.work_center in settings.plant.equipment
            assert all(UNITS[m].line == job.work_center for m in job.machines)


def test_the_example_for_the_first_real_plc_loads() -> None:
    first = load(EXAMPLES / "first-plc.yaml", {})
    assert {c.kind for c in first.file.collectors} == {"modbus", "opcua"}
    blocks = [r.model_dump() for r in first.file.rules]
    assert rulebook(blocks, first.plant, KINDS, [n.name for n in first.file.notifiers])
