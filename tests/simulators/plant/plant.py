"""The whole demo plant as a pure simulation: no clock, no socket, the same history for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from tests.simulators.plant.faults import FAULTS, FaultKind
from tests.simulators.plant.floor import Floor
from tests.simulators.plant.machine import Simulated
from tests.simulators.plant.machines import EXECUTING, UNITS
from tests.simulators.wire import Value

TICK = 0.25  # seconds of plant time
REPORT_EVERY = 10.0
FAULT_GAP = (120.0, 240.0)  # seconds from one fault that comes by itself to the next
STORY_MACHINE = "press-01"  # has no faults of its own, so that its story is the only one it tells
ZONE = ZoneInfo("Asia/Shanghai")
# Two shifts of twelve hours; only hand work at line 4 stops for the breaks.
BREAKS = tuple((time(h, 0), time(h, 5)) for h in (10, 15, 22, 3))
BREAK_LINE = "p1/assembly/l4"


class Plant:
    """`step(dt)` lets plant time pass. `stamp` turns plant time into the time that reports carry."""

    def __init__(
        self,
        seed: int,
        start: datetime,
        *,
        faults: bool = True,
        stamp: Callable[[datetime], datetime] = lambda at: at,
    ) -> None:
        self.start = start
        self.seconds = 0.0
        self._owed = 0.0
        self._stamp = stamp
        self._faults = faults
        self._random = Random(f"{seed} plant")
        self.floor = Floor(Random(f"{seed} orders"), start)
        self.machines = {u.id: Simulated(u, Random(f"{seed} {u.id}")) for u in UNITS.values()}
        self._next_fault = self._random.uniform(40.0, 90.0)

    def open(self) -> Plant:
        """Begin with the opening order book and its pieces; not after a restart."""
        for machine, pieces in self.floor.open_book().items():
            self.machines[machine].good += pieces
        return self

    @property
    def now(self) -> datetime:
        return self._stamp(self.start + timedelta(seconds=self.seconds))

    def step(self, dt: float) -> None:
        """Let `dt` seconds pass, in whole ticks; what is left over is owed to the next call."""
        self._owed += dt
        while self._owed >= TICK - 1e-9:
            self._owed -= TICK
            self._tick()

    def _tick(self) -> None:
        self.seconds += TICK
        resting = on_break(self.now)
        for machine in self.machines.values():
            machine.step(self.seconds, TICK, self.floor, resting and machine.unit.line == BREAK_LINE)
        if self._faults and self.seconds >= self._next_fault:
            self._something_breaks()
        if self.seconds % 1.0 < TICK:
            self.floor.tell_tallies(self.seconds, self.now, REPORT_EVERY)
            self.floor.settle(self.seconds, self.now)

    def _something_breaks(self) -> None:
        self._next_fault = self.seconds + self._random.uniform(*FAULT_GAP)
        choices = [
            (m, k)
            for m in self.machines.values()
            if m.unit.id != STORY_MACHINE and m.state == EXECUTING and m.fault is None
            for k in FAULTS.values()
            if k.machine == m.unit.kind.name and k.weight
        ]
        if not choices:
            return
        machine, kind = self._random.choices(choices, [k.weight for _, k in choices])[0]
        ramp = kind.slow_ramp or kind.ramp
        mended = self._random.uniform(*kind.mend) + ramp + kind.trip + kind.upkeep
        machine.begin(kind, self.seconds, self.seconds + mended, ramp)

    # -------------------------------------------------------------- what people do
    def cause(self, machine: str, fault: str) -> None:
        """Begin a fault that stays until repaired. Raises KeyError for an unknown machine, ValueError for a
        fault that this machine cannot have."""
        target = self.machines[machine]
        kind = FAULTS.get(fault)
        if kind is None or kind.machine != target.unit.kind.name:
            able = ", ".join(k.name for k in faults_of(target.unit.kind.name))
            raise ValueError(f"{machine} cannot have {fault!r}; choose one of {able}")
        target.begin(kind, self.seconds, None, kind.ramp)

    def repair(self, machine: str) -> bool:
        """Put a machine right; False when nothing was wrong."""
        target = self.machines[machine]
        broken = target.fault is not None
        target.repair(self.seconds)
        return broken

    def image(self) -> dict[str, dict[str, Value]]:
        return {name: m.image() for name, m in self.machines.items()}


def faults_of(machine_class: str) -> list[FaultKind]:
    return [k for k in FAULTS.values() if k.machine == machine_class]


def on_break(at: datetime) -> bool:
    local = at.astimezone(ZONE).time()
    return any(start <= local < end for start, end in BREAKS)
