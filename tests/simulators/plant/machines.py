"""The twelve machines: what they measure, how fast they work, and how they are wired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulators.wire import Machine, ModbusMachine, Node, OpcUaMachine, Register, RegisterType

# The machines' own state codes
OFF, EXECUTING, SETUP, IDLE, STARVED, BLOCKED, HELD, FAULT, MAINTENANCE = range(9)
STATE_WORDS = ("off", "executing", "setup", "idle", "starved", "blocked", "held", "fault", "maintenance")


@dataclass(frozen=True, slots=True)
class Signal:
    """A measured value: it drifts to `run` while the machine works and to `rest` while it does not, with the
    time constant `tau` in seconds; `noise` is the standard deviation of what the sensor adds."""

    name: str
    run: float
    rest: float
    tau: float
    noise: float
    decimals: int = 1
    register: RegisterType = "int16"
    swing: float = 0.0  # half the range over one working cycle


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of machine."""

    name: str
    cycle: float  # seconds a piece
    scrap_rate: float
    changeover: float  # seconds from one product to the next
    signals: tuple[Signal, ...]


KINDS: Mapping[str, Kind] = {
    k.name: k
    for k in (
        Kind("press", 4.0, 0.008, 12.0, (
            Signal("oil_temp", 62.0, 45.0, 60.0, 0.12),
            Signal("pressure", 158.0, 25.0, 1.0, 0.8, 0, swing=18.0),
            Signal("vibration", 2.4, 0.2, 1.5, 0.06, 2),
            Signal("power", 37.0, 6.0, 1.5, 0.6),
        )),
        Kind("cnc", 9.0, 0.012, 20.0, (
            Signal("spindle_load", 56.0, 0.0, 0.8, 1.5, 0, swing=22.0),
            Signal("spindle_temp", 51.0, 28.0, 90.0, 0.1),
            Signal("vibration", 1.8, 0.1, 1.5, 0.05, 2),
            Signal("power", 11.5, 1.6, 1.0, 0.25),
        )),
        Kind("washer", 2.5, 0.002, 0.0, (
            Signal("bath_temp", 60.0, 55.0, 120.0, 0.1),
            Signal("pump_pressure", 4.2, 4.1, 1.5, 0.04, 2),
            Signal("power", 14.0, 5.0, 3.0, 0.3),
        )),
        Kind("oven", 4.0, 0.006, 15.0, (
            Signal("zone1_temp", 180.0, 179.0, 90.0, 0.15),
            Signal("zone2_temp", 200.0, 198.0, 90.0, 0.15),
            Signal("zone3_temp", 190.0, 189.0, 90.0, 0.15),
            Signal("belt_speed", 1.2, 0.0, 1.0, 0.005, 2),
            Signal("power", 48.0, 22.0, 8.0, 0.9),
        )),
        Kind("filler", 2.5, 0.006, 10.0, (
            Signal("fill_weight", 500.0, 500.0, 0.5, 0.7, 1, "float32"),
            Signal("tank_level", 72.0, 72.0, 30.0, 0.3, 0),
            Signal("pressure", 2.6, 0.4, 1.0, 0.03, 2),
            Signal("power", 5.5, 0.9, 1.0, 0.12),
        )),
        Kind("assembly", 2.5, 0.010, 10.0, (
            Signal("torque", 24.0, 0.0, 0.4, 0.25, 1, swing=1.2),
            Signal("air_pressure", 6.1, 6.3, 3.0, 0.02, 2),
            Signal("power", 8.2, 2.1, 1.0, 0.2),
        )),
        Kind("tester", 2.5, 0.020, 8.0, (
            Signal("leak_rate", 2.1, 0.0, 0.6, 0.12, 2, swing=0.3),
            Signal("test_pressure", 3.0, 0.1, 0.6, 0.02, 2),
            Signal("power", 2.4, 0.8, 1.0, 0.06),
        )),
        Kind("packer", 2.5, 0.003, 8.0, (
            Signal("seal_temp", 165.0, 150.0, 40.0, 0.2),
            Signal("film_left", 60.0, 60.0, 60.0, 0.2, 0),
            Signal("power", 3.6, 1.1, 1.0, 0.08),
        )),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """One machine on the floor. `cycle_factor`: how its working cycle differs from its class."""

    id: str
    kind: Kind
    line: str
    protocol: str
    cycle_factor: float = 1.0
    first_address: int = 0
    word_order: str = "big"

    @property
    def path(self) -> str:
        return f"{self.line}/{self.id}"

    @property
    def signals(self) -> tuple[str, ...]:
        return (*STATUS_SIGNALS, *(s.name for s in self.kind.signals))

    @property
    def cycle(self) -> float:
        return self.kind.cycle * self.cycle_factor


STATUS_SIGNALS = ("state", "fault", "good", "scrap")
_STATUS_REGISTERS: tuple[RegisterType, ...] = ("uint16", "uint16", "uint32", "uint32")

UNITS: Mapping[str, Unit] = {
    u.id: u
    for u in (
        Unit("press-01", KINDS["press"], "p1/stamping/l1", "opcua"),
        Unit("press-02", KINDS["press"], "p1/stamping/l1", "modbus", 1.06),
        Unit("press-03", KINDS["press"], "p1/stamping/l1", "modbus", 1.12, 100),
        Unit("cnc-01", KINDS["cnc"], "p1/stamping/l2", "opcua"),
        Unit("cnc-02", KINDS["cnc"], "p1/stamping/l2", "opcua", 1.05),
        Unit("cnc-03", KINDS["cnc"], "p1/stamping/l2", "modbus", 1.1, 0, "little"),
        Unit("washer-01", KINDS["washer"], "p1/assembly/l3", "modbus"),
        Unit("oven-01", KINDS["oven"], "p1/assembly/l3", "opcua"),
        Unit("filler-01", KINDS["filler"], "p1/assembly/l3", "modbus", 1.0, 0, "little"),
        Unit("assembly-01", KINDS["assembly"], "p1/assembly/l4", "opcua"),
        Unit("tester-01", KINDS["tester"], "p1/assembly/l4", "opcua"),
        Unit("packer-01", KINDS["packer"], "p1/assembly/l4", "modbus", 1.0, 200),
    )
}


def wiring(modbus_base: int, opcua_base: int) -> list[Machine]:
    """The machines' servers: ports count up from the two bases, in the order of `UNITS`."""
    out: list[Machine] = []
    ports = {"modbus": modbus_base, "opcua": opcua_base}
    for unit in UNITS.values():
        port = ports[unit.protocol]
        ports[unit.protocol] += 1
        if unit.protocol == "modbus":
            out.append(ModbusMachine(unit.id, port, registers_of(unit)))
        else:
            out.append(OpcUaMachine(unit.id, port, nodes_of(unit)))
    return out


def registers_of(unit: Unit) -> tuple[Register, ...]:
    """State, fault code and counters first, then the measured values, without a gap."""
    wanted: list[tuple[str, RegisterType, float]] = [
        (name, kind, 1.0) for name, kind in zip(STATUS_SIGNALS, _STATUS_REGISTERS, strict=True)
    ]
    wanted += [
        (s.name, s.register, 1.0 if s.register == "float32" else round(10.0**-s.decimals, s.decimals))
        for s in unit.kind.signals
    ]
    out: list[Register] = []
    address = unit.first_address
    for name, kind, scale in wanted:
        out.append(Register(name, address, kind, scale, "little" if unit.word_order == "little" else "big"))
        address += out[-1].count
    return tuple(out)


def nodes_of(unit: Unit) -> tuple[Node, ...]:
    status = (Node("state", "int32"), Node("fault", "int32"), Node("good", "uint32"), Node("scrap", "uint32"))
    return (*status, *(Node(s.name) for s in unit.kind.signals))
