"""What was understood of a recording, in a line a machine: for the person who plays it."""

from __future__ import annotations

from tests.simulators.replay.recording import MachineRecording


def understood(machine: MachineRecording) -> str:
    """`Mazak01: state from execution, pieces from PartCountAct, 48 alarms, shows Sload, Srpm; 826832 ...`"""
    state, good, scrap = (machine.signal(r) for r in ("state", "good", "scrap"))
    said = [f"state from {state.label}" if state else "no states"]
    if good:
        said.append(f"pieces from {good.label}" + (", added up" if good.adds else ""))
    if scrap:
        said.append(f"scrap from {scrap.label}" + (", added up" if scrap.adds else ""))
    if machine.fault_codes:
        said.append(f"{len(machine.fault_codes)} kinds of alarms")
    shown = [s.label for s in machine.signals if s.shown]
    if shown:
        said.append(f"shows {', '.join(shown)}")
    span = f"{machine.first:%Y-%m-%d %H:%M} to {machine.last:%Y-%m-%d %H:%M} UTC"
    return f"{machine.label}: {'; '.join(said)}; {machine.count} values, {span}"
