"""Values as a device puts them into registers."""

from __future__ import annotations

import math

import pytest

from tests.simulators.plant.machines import UNITS, registers_of, wiring
from tests.simulators.wire import ModbusMachine, OpcUaMachine, Register


@pytest.mark.parametrize(
    ("register", "value", "words"),
    [
        (Register("t", 0, "int16", 0.1), 62.4, [624]),
        (Register("t", 0, "int16", 0.1), -12.3, [65536 - 123]),
        (Register("t", 0, "int16", 0.1), 9000.0, [32767]),
        (Register("s", 0, "uint16"), -1, [0]),
        (Register("n", 0, "uint32"), 70000, [1, 4464]),
        (Register("n", 0, "uint32", word_order="little"), 70000, [4464, 1]),
        (Register("w", 0, "float32"), 1.5, [0x3FC0, 0]),
        (Register("w", 0, "float32"), math.nan, [0x7FC0, 0]),
    ],
)
def test_a_value_becomes_these_registers(register: Register, value: float, words: list[int]) -> None:
    assert register.words(value) == words


def test_registers_of_a_machine_lie_side_by_side() -> None:
    for unit in UNITS.values():
        registers = registers_of(unit)
        ends = [r.address + r.count for r in registers]
        assert [r.address for r in registers[1:]] == ends[:-1]
        assert [r.signal for r in registers] == list(unit.signals)


def test_half_of_the_machines_speak_each_protocol_and_ports_count_up() -> None:
    machines = wiring(15021, 14841)
    modbus = [m.port for m in machines if isinstance(m, ModbusMachine)]
    opcua = [m.port for m in machines if isinstance(m, OpcUaMachine)]
    assert modbus == list(range(15021, 15027))
    assert opcua == list(range(14841, 14847))
