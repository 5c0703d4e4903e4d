"""One machine of the demo plant: its signals, its working cycle, its faults."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from tests.simulators.plant.faults import Fault, FaultKind
from tests.simulators.plant.floor import Floor, Work
from tests.simulators.plant.machines import (
    BLOCKED,
    EXECUTING,
    FAULT,
    HELD,
    IDLE,
    MAINTENANCE,
    SETUP,
    STARVED,
    Signal,
    Unit,
)
from tests.simulators.wire import Value

RESTART = 4.0  # seconds of setup after a stop by fault
COOLING = 16.0  # seconds: time constant with which a driven signal returns after the repair
COUNTER = 2**32
_WAITING = {"starved": STARVED, "blocked": BLOCKED, "idle": IDLE}


@dataclass(slots=True)
class Simulated:
    """The machine's true state; `image()` is what its server shows."""

    unit: Unit
    random: Random
    state: int = IDLE
    fault: Fault | None = None
    good: int = 0
    scrap: int = 0
    values: dict[str, float] = field(default_factory=dict)
    work: Work | None = None
    product: str = ""
    progress: float = 0.0  # seconds into the present piece
    busy_until: float = 0.0  # setup
    cooling: str = ""

    def __post_init__(self) -> None:
        for s in self.unit.kind.signals:
            self.values.setdefault(s.name, s.run)

    def image(self) -> dict[str, Value]:
        code = self.fault.kind.code if self.fault and self.state in (FAULT, HELD) else 0
        shown: dict[str, Value] = {
            "state": self.state, "fault": code, "good": self.good % COUNTER, "scrap": self.scrap % COUNTER,
        }  # fmt: skip
        for s in self.unit.kind.signals:
            shown[s.name] = round(self.values[s.name], s.decimals)
        return shown

    # -------------------------------------------------------------- faults
    def begin(self, kind: FaultKind, t: float, ends: float | None, ramp: float) -> None:
        start = self.values.get(kind.signal, 0.0)
        self.fault = Fault(kind, t, start, ramp, ends)

    def repair(self, t: float) -> None:
        """Put right whatever is wrong: the machine is set up again and goes on."""
        if self.fault is None:
            return
        self.cooling = self.fault.kind.signal
        if self.state in (FAULT, HELD, MAINTENANCE):
            self.busy_until = t + RESTART
        self.fault = None

    # -------------------------------------------------------------- time passes
    def step(self, t: float, dt: float, floor: Floor, on_break: bool) -> None:
        if self.fault and self.fault.over(t):
            self.repair(t)
        self.state = self._state(t, floor, on_break)
        if self.state == EXECUTING:
            self._produce(t, dt, floor)
        for s in self.unit.kind.signals:
            self.values[s.name] = self._value(s, t, dt)

    def _state(self, t: float, floor: Floor, on_break: bool) -> int:
        if self.fault and self.fault.in_upkeep(t):
            return MAINTENANCE
        if self.fault and self.fault.stopped(t):
            return self.fault.kind.stop
        if self.busy_until > t:
            return SETUP
        if self.progress > 0:  # a piece that was begun is finished first
            return EXECUTING
        if on_break:
            return IDLE
        return self._turn_to_work(t, floor)

    def _turn_to_work(self, t: float, floor: Floor) -> int:
        work, why = floor.next_for(self.unit.id, self.work)
        if work is None:
            return _WAITING[why]
        changed = self.product and work.order.product != self.product
        self.work, self.product = work, work.order.product
        if changed and self.unit.kind.changeover:
            self.busy_until = t + self.unit.kind.changeover
            return SETUP
        return EXECUTING

    def _produce(self, t: float, dt: float, floor: Floor) -> None:
        assert self.work is not None
        if self.progress == 0:
            self.work.begun += 1
        self.progress += dt
        if self.progress < self.unit.cycle:
            return
        self.progress = 0.0
        drifting = self.fault is not None and self.fault.kind.name == "drift"
        good = self.random.random() >= self.unit.kind.scrap_rate * (15 if drifting else 1)
        self.good += good
        self.scrap += not good
        floor.count(self.work, self.unit.id, good, t)

    def _value(self, s: Signal, t: float, dt: float) -> float:
        working = self.state == EXECUTING
        noise = self.random.gauss(0.0, s.noise if working else 0.4 * s.noise)
        forced = self.fault.forced(t) if self.fault and self.fault.kind.signal == s.name else None
        if forced is not None:
            return forced + 0.5 * noise
        target = s.run if working else s.rest
        if working and s.swing:
            target += s.swing * math.sin(2 * math.pi * self.progress / self.unit.cycle)
        tau = min(COOLING, s.tau) if self.cooling == s.name else s.tau
        gain = 1 - math.exp(-dt / tau)
        if self.cooling == s.name and abs(self.values[s.name] - target) < 4 * s.noise + 0.5:
            self.cooling = ""
        # the noise is damped like the value itself, so that slow signals wander and fast ones jitter
        drift = (target - self.values[s.name]) * gain + noise * math.sqrt(2 * gain)
        return max(0.0, self.values[s.name] + drift)
