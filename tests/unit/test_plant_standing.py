"""A plant that was stopped or killed in the middle of a fault goes on with its machines as they stood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.simulators.plant.conductor import Conductor
from tests.simulators.plant.faults import FAULTS, Fault, FaultKind
from tests.simulators.plant.machine import Simulated
from tests.simulators.plant.machines import EXECUTING, FAULT, SETUP, UNITS
from tests.simulators.plant.memory import recall, remember
from tests.simulators.plant.plant import STORY_MACHINE, TICK, Plant
from tests.simulators.plant.standing import Slate, stand, standing

START = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
KINDS = [pytest.param(kind, id=kind.name) for kind in FAULTS.values()]
MENDED_AFTER = 70.0  # seconds from the trip to the end of a fault that ends by itself


def at_work() -> Plant:
    plant = Plant(7, START, faults=False).open()
    plant.step(20)
    return plant


def machine_for(kind: FaultKind) -> str:
    return next(u.id for u in UNITS.values() if u.kind.name == kind.machine)


def started_again(plant: Plant, folder: Path) -> Plant:
    """From what is on disk, hours later, with another seed."""
    slate = Slate(folder / "plant.state")
    slate.write(standing(plant))
    twin = recall(Plant(8, START + timedelta(hours=5), faults=False), remember(plant))
    return stand(twin, slate.read())


def how(machine: Simulated) -> object:
    """All that its server shows but the counters, which are remembered elsewhere."""
    return {k: v for k, v in machine.image().items() if k not in ("good", "scrap")}


def what_comes(plant: Plant, name: str, seconds: float) -> list[tuple[int, int, bool]]:
    """State and fault, tick by tick."""
    seen = []
    for _ in range(int(seconds / TICK)):
        plant.step(TICK)
        machine = plant.machines[name]
        code = int(machine.image()["fault"] or 0)
        # which work it finds, and when, is the floor's; that it is down, and with what, the fault's
        seen.append((machine.state if machine.fault else 0, code, machine.fault is None))
    return seen


def level(plant: Plant, name: str, kind: FaultKind) -> float:
    """To what the fault drives its signal now."""
    fault = plant.machines[name].fault
    return (fault.forced(plant.seconds) if fault and kind.signal else None) or 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moment", ["growing", "down"])
def test_a_fault_goes_on_where_it_stood_until_somebody_repairs_it(
    kind: FaultKind, moment: str, tmp_path: Path
) -> None:
    before, name = at_work(), machine_for(kind)
    before.cause(name, kind.name)
    before.step(kind.ramp / 2 if moment == "growing" else kind.ramp + kind.trip + 1)
    after = started_again(before, tmp_path)
    for machine in UNITS:
        assert how(after.machines[machine]) == how(before.machines[machine])
    assert after.machines[name].fault is not None
    assert level(after, name, kind) == pytest.approx(level(before, name, kind))
    if kind.stop != EXECUTING:
        first = [state for state, _, _ in what_comes(before, name, kind.ramp + 10)].index(kind.stop)
        again = [state for state, _, _ in what_comes(after, name, kind.ramp + 10)].index(kind.stop)
        assert again == first, "it trips as long after"
    else:
        before.step(kind.ramp + 10)
        after.step(kind.ramp + 10)
    assert level(after, name, kind) == pytest.approx(level(before, name, kind))
    mended = after.machines[name].fault
    assert mended is not None and mended.ends is None and after.repair(name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [MENDED_AFTER - 5, 5.0])
def test_a_fault_that_ends_by_itself_has_as_long_to_go_as_it_had(
    kind: FaultKind, left: float, tmp_path: Path
) -> None:
    before, name = at_work(), machine_for(kind)
    lasts = kind.ramp + kind.trip + MENDED_AFTER
    before.machines[name].begin(kind, before.seconds, before.seconds + lasts, kind.ramp)
    before.step(lasts - left)
    after = started_again(before, tmp_path)
    assert how(after.machines[name]) == how(before.machines[name])
    ends = [well for _, _, well in what_comes(before, name, left + 5)].index(True)
    assert [well for _, _, well in what_comes(after, name, left + 5)].index(True) == ends


def test_a_repair_goes_on_where_it_stood(tmp_path: Path) -> None:
    before = at_work()
    before.cause(STORY_MACHINE, "overheat")
    before.step(20)
    before.repair(STORY_MACHINE)
    before.step(2)
    after = started_again(before, tmp_path)
    press, twin = before.machines[STORY_MACHINE], after.machines[STORY_MACHINE]
    assert how(twin) == how(press) and twin.state == SETUP and twin.values["oil_temp"] > 75
    assert twin.busy_until - after.seconds == press.busy_until - before.seconds
    assert twin.cooling == press.cooling == "oil_temp"
    for plant in (before, after):
        plant.step(30)
    assert twin.state == EXECUTING
    assert twin.values["oil_temp"] == pytest.approx(press.values["oil_temp"], abs=2), "it cools as fast"


def test_a_piece_on_a_machine_is_finished_and_counted_once(tmp_path: Path) -> None:
    before = at_work()
    before.step(1)
    after = started_again(before, tmp_path)
    pieces = {n: m.progress for n, m in before.machines.items() if m.progress}
    assert {n: m.progress for n, m in after.machines.items() if m.progress} == pieces
    assert sum(w.begun for w in after.floor.works) == len(pieces) > 6
    after.step(60)
    assert sum(w.begun for w in after.floor.works) == sum(m.progress > 0 for m in after.machines.values())


def test_looking_at_how_machines_stand_changes_no_history() -> None:
    watched, alone = at_work(), at_work()
    for plant in (watched, alone):
        for _ in range(60):
            plant.step(1)
            if plant is watched:
                standing(plant)
    assert watched.image() == alone.image()


def test_a_slate_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    slate = Slate(tmp_path / "plant.state")
    assert slate.read() == {}
    (tmp_path / "plant.state.machines").write_text('{"press-01": {"sta', encoding="utf-8")
    assert slate.read() == {}


# ------------------------------------------------------------------ as a process has it
def conductor(folder: Path) -> Conductor:
    return Conductor(7, 1.0, 15021, 14841, folder / "plant.state", faults=False)


def test_a_killed_plant_loses_a_second_and_its_story_is_not_begun_again(tmp_path: Path) -> None:
    killed = conductor(tmp_path)
    killed.plant.cause(STORY_MACHINE, "overheat")
    for second in range(20):
        killed.pass_time(1.0)
        killed.keep(float(second))
    killed.pass_time(0.75)
    assert killed.journal is not None
    killed.journal.close()  # as the kernel does; nothing else of it says goodbye
    again = conductor(tmp_path)
    press = again.plant.machines[STORY_MACHINE]
    assert press.image()["fault"] == 301 and press.state == FAULT
    fault = press.fault
    assert isinstance(fault, Fault) and again.plant.seconds - fault.began == 20
    again.tell_story()
    assert press.fault is fault
    again.pass_time(1.0)
    assert press.state == FAULT and press.values["oil_temp"] > 80
    assert again.journal is not None
    again.journal.close()
