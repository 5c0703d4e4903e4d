"""Machines found by the companion models their servers speak. Pure.

Machinery (OPC 40001-1), machine tools (OPC 40501-1), PackML (OPC 30050), job control (OPC 10031-4, 40001-3).
Everything is found by the names of types and components, which the models fix; node ids and paths differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from collectors.opcua_tree import NUMBER, Thing

# state numbers of the model -> states of ours
PACKML = {
    1: "idle", 2: "idle", 3: "setup", 4: "idle", 5: "starved", 6: "executing", 7: "idle", 8: "fault",
    9: "fault", 10: "held", 11: "held", 12: "held", 13: "starved", 14: "starved", 15: "setup",
    16: "executing", 17: "idle",
}  # fmt: skip
ITEM_STATES = ("NotAvailable", "OutOfService", "NotExecuting", "Executing")  # 40001-1, clause 11
ITEM = {0: "off", 1: "maintenance", 2: "idle", 3: "executing"}
MODES = ("None", "Maintenance", "Setup", "Processing")  # 40001-1, clause 12
PROGRAM_STATES = ("Initializing", "Running", "Ended", "Interrupted", "Aborted")  # 40501-1, production states
PROGRAM = {0: "setup", 1: "executing", 2: "idle", 3: "held", 4: "fault"}
_IDENTIFICATIONS = ("MachineIdentificationType", "MachineryItemIdentificationType")
_CONDITION = "AlarmConditionType"
_JOB_LISTS = {"JobOrderList": "jobs", "JobOrderResponseList": "job_responses"}


@dataclass(frozen=True, slots=True)
class Signal:
    """A variable with a meaning. `codes` turns its texts into numbers, `item` picks from its value."""

    thing: Thing
    codes: Mapping[str, int] = field(default_factory=dict)
    item: str = ""


@dataclass(slots=True)
class Machine:
    """What was recognised of one machine: tag id -> signal, and which of them is its state and so on."""

    thing: Thing
    models: tuple[str, ...]
    signals: dict[str, Signal] = field(default_factory=dict)
    state: tuple[str, str, Mapping[int, str]] | None = None  # tag id, numbering, number -> state
    good: str = ""
    scrap: str = ""


def machines(root: Thing) -> list[Machine]:
    """Those below `root` that speak a model; of a machine within a machine only the outer one."""
    found = _models(root)
    if found:
        machine = Machine(root, found)
        _fill(machine)
        return [machine]
    return [m for kid in root.kids if not kid.is_variable for m in machines(kid)]


def _models(thing: Thing) -> tuple[str, ...]:
    found = []
    if thing.is_a("MachineToolType"):
        found.append("MachineTool")
    if _packml_status(thing):
        found.append("PackML")
    marks = [k for k in thing.kids if k.is_a(*_IDENTIFICATIONS) or k.name[1] == "MachineryBuildingBlocks"]
    if marks or _machinery_state(thing) or _mode(thing):
        found.append("Machinery")
    return tuple(found)


def _fill(machine: Machine) -> None:
    """The most telling state wins: PackML's, then the program's of a machine tool, then that of Machinery."""
    thing = machine.thing
    if item := _machinery_state(thing):
        _state(machine, "item_state", item, ITEM_STATES, "machinery-40001", ITEM)
    if program := thing.kid("Production", "ActiveProgram", "State"):
        _state(machine, "program_state", program, PROGRAM_STATES, "machinetool-40501", PROGRAM)
    if status := _packml_status(thing):
        _packml(machine, status)
    if mode := _mode(thing):
        _state(machine, "mode", mode, MODES)
    if (tool := thing.kid("Monitoring", "MachineTool", "OperationMode")) and "mode" not in machine.signals:
        machine.signals["mode"] = Signal(tool)
    if runs := _first(thing, "RunsCompleted"):
        machine.signals["runs_completed"] = Signal(runs)
        machine.good = machine.good or "runs_completed"
    for below in thing.below():
        if (job := _JOB_LISTS.get(below.name[1])) and below.is_variable:
            machine.signals[job] = Signal(below, item="#")


def alarms(thing: Thing) -> list[Thing]:
    """The alarms that the server shows as objects; others are only told of in events."""
    return [t for t in thing.below() if not t.is_variable and t.is_a(_CONDITION)]


def _state(
    machine: Machine, tag: str, thing: Thing, names: tuple[str, ...], numbering: str = "",
    states: Mapping[int, str] | None = None,
) -> None:  # fmt: skip
    """A state machine's current state (part 16, clause 4.4): its number where there is one, else its name."""
    current = thing.kid("CurrentState")
    number = current.kid("Number") if current else None
    if number:
        machine.signals[tag] = Signal(number)
    elif current:
        machine.signals[tag] = Signal(current, {name: n for n, name in enumerate(names)})
    if states and tag in machine.signals:
        machine.state = (tag, numbering, states)


def _packml(machine: Machine, status: Thing) -> None:
    if state := status.kid("StateCurrent"):
        machine.signals["packml_state"] = Signal(state)
        machine.state = ("packml_state", "packml-30050", PACKML)
    if mode := status.kid("UnitModeCurrent"):
        machine.signals["mode"] = Signal(mode)
    if speed := status.kid("CurMachSpeed"):
        machine.signals["speed"] = Signal(speed)
    admin = next(
        (t for t in machine.thing.below() if t.is_a("PackMLAdminObjectType") or t.name[1] == "Admin"), None
    )
    for tag, name in (("processed", "ProdProcessedCount"), ("scrap", "ProdDefectiveCount")):
        if (counter := admin.kid(name) if admin else None) is None:
            continue
        alone = counter.holds == NUMBER
        machine.signals[tag] = Signal(counter, item="" if alone else "[0].AccCount")
    machine.good = "processed" if "processed" in machine.signals else machine.good
    machine.scrap = "scrap" if "scrap" in machine.signals else machine.scrap


def _packml_status(thing: Thing) -> Thing | None:
    return next((k for k in thing.kids if k.is_a("PackMLStatusObjectType")), None)


def _machinery_state(thing: Thing) -> Thing | None:
    """Below the machine itself or among its building blocks, where 40001-1 wants it to be found."""
    return _add_in(thing, "MachineryItemState_StateMachineType", "MachineryItemState")


def _mode(thing: Thing) -> Thing | None:
    return _add_in(thing, "MachineryOperationModeStateMachineType", "MachineryOperationMode")


def _add_in(thing: Thing, kind: str, name: str) -> Thing | None:
    for place in (thing, thing.kid("MachineryBuildingBlocks"), thing.kid("Monitoring", "Status")):
        for kid in place.kids if place else ():
            if kid.is_a(kind) or (kid.name[1] == name and kid.kid("CurrentState")):
                return kid
    return None


def _first(thing: Thing, name: str) -> Thing | None:
    return next((t for t in thing.below() if t.name[1] == name and t.is_variable and t.holds == NUMBER), None)


def readable(thing: Thing) -> Iterator[Thing]:
    """Every variable below that holds one number; not what describes variables, alarms and name plates."""
    for kid in thing.kids:
        if kid.is_variable and kid.holds == NUMBER:
            yield kid
        elif not kid.is_variable and not kid.is_a("ConditionType", *_IDENTIFICATIONS):
            yield from readable(kid)
