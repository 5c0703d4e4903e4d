"""A complete configuration for a recording, so that the product runs on it unmodified. Pure."""

from __future__ import annotations

from typing import Any, Literal

from tests.simulators.replay.recording import MachineRecording, Recording, Signal
from tests.simulators.wire import Machine, ModbusMachine, Node, NodeType, OpcUaMachine, Register, RegisterType

Protocol = Literal["opcua", "modbus"]
NAMESPACE = "urn:andon:replay"
LINE = "p1/replay/l1"
QUEUE = 1000  # changes of one node between two publishings: a month may be played in minutes
_REGISTERS: dict[str, RegisterType] = {
    "state": "uint16", "word": "uint16", "fault": "uint32", "good": "uint32", "scrap": "uint32",
}  # fmt: skip
_NODES: dict[str, NodeType] = {"good": "uint32", "scrap": "uint32", "fault": "int32", "state": "int32"}
_ADMIN_NAME = {"zh": "管理员", "en": "Administrator"}
_LABELS = {
    "state": {"zh": "状态", "en": "State"},
    "fault": {"zh": "故障代码", "en": "Fault code"},
    "good": {"zh": "合格数", "en": "Good pieces"},
    "scrap": {"zh": "废品数", "en": "Scrap"},
}


def wiring(recording: Recording, protocol: Protocol, base_port: int) -> list[Machine]:
    """One server for each machine, ports counting up from `base_port`."""
    if protocol == "modbus":
        return [ModbusMachine(m.id, base_port + i, _registers(m)) for i, m in enumerate(recording.machines)]
    return [OpcUaMachine(m.id, base_port + i, _nodes(m), NAMESPACE) for i, m in enumerate(recording.machines)]


def _registers(machine: MachineRecording) -> tuple[Register, ...]:
    out: list[Register] = []
    address = 0
    for signal in machine.signals:
        out.append(Register(signal.tag, address, _REGISTERS.get(signal.role, "float32")))
        address += out[-1].count
    return tuple(out)


def _nodes(machine: MachineRecording) -> tuple[Node, ...]:
    return tuple(Node(s.tag, _node_type(s)) for s in machine.signals)


def _node_type(signal: Signal) -> NodeType:
    if signal.codes:
        return "string"
    return _NODES.get(signal.role, "double")


def to_config(recording: Recording, protocol: Protocol, base_port: int) -> dict[str, Any]:
    """Plant, collectors, rules for faults and lost machines, one login; no limits: nobody knows them."""
    machines = wiring(recording, protocol, base_port)
    return {
        "hub": {"line_alarms": {"enabled": False}},  # the servers that play are in this computer
        "plant": _plant(recording),
        "collectors": [_collector(r, m) for r, m in zip(recording.machines, machines, strict=True)],
        "rules": _rules(recording),
        "people": [{"id": "admin", "name": _ADMIN_NAME, "roles": ["admin"], "scopes": ["p1"]}],
        "shifts": [
            {"name": {"zh": "白班", "en": "Day shift"}, "start": "08:00", "end": "20:00"},
            {"name": {"zh": "夜班", "en": "Night shift"}, "start": "20:00", "end": "08:00"},
        ],
    }


def _plant(recording: Recording) -> dict[str, Any]:
    line = {
        "id": "l1",
        "name": {"zh": "回放线", "en": "Replay line"},
        "machines": [_machine(m) for m in recording.machines],
    }
    area = {"id": "replay", "name": {"zh": "回放", "en": "Replay"}, "lines": [line]}
    return {"id": "p1", "name": {"zh": "回放工厂", "en": "Replayed plant"}, "areas": [area]}


def _machine(machine: MachineRecording) -> dict[str, Any]:
    block: dict[str, Any] = {"id": machine.id, "name": _name(machine.label), "class": "recorded"}
    if machine.signal("state"):
        states = {code: state.value for code, state in sorted(machine.state_map.items())}
        block["state"] = {"tag": "state", "numbering": "own", "map": states}
    if machine.signal("fault"):
        block["fault"] = {"tag": "fault", "texts": dict(sorted(machine.fault_texts.items()))}
    counted = {role: role for role in ("good", "scrap") if machine.signal(role)}
    if counted:
        block["counters"] = counted
    block["tags"] = {
        s.tag: {
            "name": _LABELS.get(s.role, s.label), "unit": s.unit, "decimals": s.decimals, "shown": s.shown,
        }
        for s in machine.signals
    }  # fmt: skip
    return block


def _name(label: str) -> Any:
    """A number alone is no name."""
    return {"zh": f"设备 {label}", "en": f"Machine {label}"} if label.isdigit() else label


def _collector(recorded: MachineRecording, machine: Machine) -> dict[str, Any]:
    path = f"{LINE}/{recorded.id}"
    if isinstance(machine, ModbusMachine):
        points = [
            {"tag": f"{path}/{r.signal}", "address": r.address, "type": r.type} for r in machine.registers
        ]
        fast = {s.tag for s in recorded.signals if s.role in ("state", "fault", "good", "scrap")}
        for point, register in zip(points, machine.registers, strict=True):
            if register.signal in fast:
                point["fast"] = True
        with_: dict[str, Any] = {
            "host": "127.0.0.1", "port": machine.port, "unit": machine.unit, "every": "500ms",
            "fast": "100ms", "points": points,
        }  # fmt: skip
        return {"name": recorded.id, "kind": "modbus", "with": with_}
    nodes = [_node(path, recorded.id, s) for s in recorded.signals]
    return {
        "name": recorded.id,
        "kind": "opcua",
        "with": {
            "endpoint": machine.endpoint,
            "security": "none",
            "interval": "100ms",
            "queue": QUEUE,
            "keep_alive": "2s",
            "nodes": nodes,
        },
    }


def _node(path: str, machine: str, signal: Signal) -> dict[str, Any]:
    node: dict[str, Any] = {
        "tag": f"{path}/{signal.tag}",
        "node": f"nsu={NAMESPACE};s={machine}.{signal.tag}",
    }
    return node | ({"codes": dict(signal.codes)} if signal.codes else {})


def _rules(recording: Recording) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for machine in recording.machines:
        path = f"{LINE}/{machine.id}"
        for level, priority in (("fault", "high"), ("warning", "low")):
            codes = sorted(c for c, found in machine.fault_levels.items() if found == level)
            if codes:
                rules.append(
                    {
                        "name": f"{machine.id}-{level}", "kind": "fault-code", "equipment": path,
                        "codes": codes, "priority": priority,
                    }
                )  # fmt: skip
    lost = {"name": "not-heard", "kind": "no-data", "equipment": f"{LINE}/+", "after": "10s"}
    return [*rules, {**lost, "priority": "medium"}]
