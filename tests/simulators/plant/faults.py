"""What can go wrong in the demo plant, how it shows, and who puts it right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulators.plant.machines import EXECUTING, FAULT, HELD


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault begins, may drive one signal to `reach` within `ramp` seconds, and stops the machine in state
    `stop` with `code` `trip` seconds after the ramp (`stop` EXECUTING: the machine goes on working).

    When it comes by itself it ends by itself or by the plant's own crew `mend` seconds (from, to) later, the
    last `upkeep` seconds of which the machine is in maintenance. One caused on purpose stays until repaired.
    """

    name: str
    machine: str  # class of machine
    code: int
    stop: int
    mend: tuple[float, float]
    signal: str = ""
    reach: float = 0.0
    ramp: float = 0.0
    trip: float = 0.0
    upkeep: float = 0.0
    weight: float = 1.0  # how often it comes by itself; 0 is never
    slow_ramp: float = 0.0  # the ramp when it comes by itself


FAULTS: Mapping[str, FaultKind] = {
    f.name: f
    for f in (
        # 62 to 86 degrees at 2 degrees a second: over 80 after 9 s, standstill 3 s after the ramp
        FaultKind("overheat", "press", 301, FAULT, (0, 0), "oil_temp", 86.0, 12.0, 3.0, weight=0),
        FaultKind("jam", "press", 302, FAULT, (40, 90)),
        FaultKind("curtain", "press", 303, HELD, (8, 25), weight=1.5),
        FaultKind("bearing", "cnc", 212, FAULT, (60, 120), "vibration", 12.0, 60.0, 5.0, upkeep=60, weight=0),
        FaultKind("wear", "cnc", 0, EXECUTING, (60, 120), "vibration", 8.2, 30.0, 0.0, 60, 0.5, 240.0),
        FaultKind("tool", "cnc", 211, FAULT, (60, 120)),
        FaultKind("chips", "cnc", 213, HELD, (15, 40)),
        FaultKind("filter", "washer", 0, EXECUTING, (60, 120), "pump_pressure", 2.3, 20.0, 0.0, 30, 1, 150.0),
        FaultKind("heater", "oven", 0, EXECUTING, (60, 150), "zone2_temp", 186.0, 15.0, 0.0, 0, 1, 120.0),
        FaultKind("belt", "oven", 312, FAULT, (40, 90)),
        FaultKind("drift", "filler", 0, EXECUTING, (30, 90), "fill_weight", 507.0, 10.0, 0.0, 0, 1, 60.0),
        FaultKind("cap", "filler", 321, FAULT, (30, 80)),
        FaultKind("screw", "assembly", 411, FAULT, (30, 80)),
        FaultKind("clamp", "tester", 421, HELD, (10, 30)),
        FaultKind("seal", "tester", 422, FAULT, (60, 120), upkeep=40),
        FaultKind("film", "packer", 431, FAULT, (40, 80)),
    )
}


@dataclass(slots=True)
class Fault:
    """A fault at work since `began` (seconds of plant time); `ends` None: until somebody repairs it."""

    kind: FaultKind
    began: float
    start_value: float
    ramp: float
    ends: float | None = None

    def forced(self, t: float) -> float | None:
        """What the driven signal is forced to, None when the fault drives none."""
        if not self.kind.signal:
            return None
        share = min(1.0, (t - self.began) / self.ramp) if self.ramp else 1.0
        return self.start_value + (self.kind.reach - self.start_value) * share

    def stopped(self, t: float) -> bool:
        return self.kind.stop != EXECUTING and t >= self.began + self.ramp + self.kind.trip

    def in_upkeep(self, t: float) -> bool:
        return self.ends is not None and t >= self.ends - self.kind.upkeep and self.kind.upkeep > 0

    def over(self, t: float) -> bool:
        return self.ends is not None and t >= self.ends
