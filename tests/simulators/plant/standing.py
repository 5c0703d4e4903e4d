"""How the machines stand: what is wrong with each, how far the fault or its repair is, what it measures.

Kept in a small file of its own beside the journal of orders and reports: written anew as a whole every
second, where the journal only grows. A plant that was killed goes on with machines as they stood then: the
time in between is a pause in plant time, so a hot press is still hot, and a repair goes on where it was.
Counters and orders are not in it: they are the sums of what the MES was told (memory.py).
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from tests.simulators.plant.faults import FAULTS, Fault
from tests.simulators.plant.floor import Floor
from tests.simulators.plant.machine import Simulated
from tests.simulators.plant.plant import Plant

Standing = dict[str, dict[str, Any]]


class Slate:
    """The file beside `journal`. A kill at any moment leaves it whole, as it is or as it was."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(journal.name + ".machines")

    def write(self, standing: Standing) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_text(json.dumps(standing), encoding="utf-8")
        fresh.replace(self._path)

    def read(self) -> Standing:
        """Nothing when there is none, or none that can be read: then the machines begin well."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        return {}


def standing(plant: Plant) -> Standing:
    """Per machine; times are relative to now, in seconds of plant time."""
    return {name: _stands(machine, plant.seconds) for name, machine in plant.machines.items()}


def _stands(machine: Simulated, t: float) -> dict[str, Any]:
    fault = machine.fault
    return {
        "state": machine.state,
        "values": dict(machine.values),
        "cooling": machine.cooling,
        "busy": max(0.0, machine.busy_until - t),
        "product": machine.product,
        "work": machine.work.key if machine.work else None,
        "progress": machine.progress,
        "fault": fault and {
            "kind": fault.kind.name,
            "since": t - fault.began,
            "start_value": fault.start_value,
            "ramp": fault.ramp,
            "ends": None if fault.ends is None else fault.ends - t,
        },
    }  # fmt: skip


def stand(plant: Plant, kept: Standing) -> Plant:
    """Put the machines as they stood, after `recall`; one that is not kept begins well and at work."""
    for name, machine in plant.machines.items():
        if name in kept:
            _put(machine, kept[name], plant.seconds, plant.floor)
    return plant


def _put(machine: Simulated, kept: dict[str, Any], t: float, floor: Floor) -> None:
    machine.state = kept["state"]
    machine.values.update(kept["values"])
    machine.cooling, machine.product = kept["cooling"], kept["product"]
    machine.busy_until = t + kept["busy"]
    machine.work = next((w for w in floor.works if [*w.key] == kept["work"]), None)
    # the piece on it, unless a crash between journal and slate has left none to be made
    if kept["progress"] and machine.work and machine.work.to_do > 0:
        machine.progress = kept["progress"]
        machine.work.begun += 1
    if fault := kept["fault"]:
        ends = None if fault["ends"] is None else t + fault["ends"]
        began = t - fault["since"]
        machine.fault = Fault(FAULTS[fault["kind"]], began, fault["start_value"], fault["ramp"], ends)
