"""Raw state codes and counters to equipment states and piece counts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.model.equipment import Count, Equipment, EquipmentState, StateSpan

_TICK = timedelta(microseconds=1)
PLAUSIBLE = 100_000  # pieces between two readings; more is a counter that was set, not pieces
_COUNTABLE = 2.0**53  # from here on a double does not know every number
_ALL_ONES = 0xFFFF_FFFF  # what registers say that say nothing
_ALL_ONES_16 = 0xFFFF  # a single register of them, or a count that has come so far
_NEAR = 1000  # pieces: a count that has come so far was no more than this before


@dataclass(slots=True)
class MachineWatch:
    """What is known of one machine: its state and what its counters last showed."""

    machine: Equipment
    state: EquipmentState | None = None
    since: datetime | None = None
    good: int | None = None
    scrap: int | None = None
    good_at: datetime | None = None
    scrap_at: datetime | None = None
    retold: EquipmentState | None = None  # what it was, as far as is told, when it was taken for unknown
    leapt: dict[bool, int] = field(default_factory=dict)  # good or not -> where the counter leapt to, once

    def knows(self, what: str, at: datetime) -> bool:
        """Whether the record is at least as new as `at`: what it tells is not told a second time."""
        known = {"state": self.since, "good": self.good_at, "scrap": self.scrap_at}[what]
        return known is not None and at <= known

    def counted(self, reading: int, good: bool, at: datetime) -> None:
        """The counter showed this."""
        if good:
            self.good, self.good_at = reading, at
        else:
            self.scrap, self.scrap_at = reading, at

    def moved(self, since: datetime, by: timedelta) -> None:
        """What was told from `since` on was told by a clock that was wrong by so much."""
        times = (self.since, self.good_at, self.scrap_at)
        self.since, self.good_at, self.scrap_at = (t + by if t and t >= since else t for t in times)

    def not_after(self, now: datetime) -> StateSpan | None:
        """The clock was set back: what began in what is now the future lasts from now on."""
        self.good_at = min(self.good_at, now) if self.good_at else None
        self.scrap_at = min(self.scrap_at, now) if self.scrap_at else None
        if self.state is None or self.since is None or self.since <= now:
            return None
        self.since = now
        return StateSpan(self.machine.path, self.state, now)

    def become(self, state: EquipmentState, at: datetime) -> StateSpan | None:
        """The new span, or None when nothing changed. Spans never overlap: one state at every instant."""
        if state is self.state:
            return None
        if self.since is not None and at <= self.since:
            at = self.since + _TICK
        self.state, self.since = state, at
        return StateSpan(self.machine.path, state, at)

    def meaning(self, code: float) -> EquipmentState:
        """A code that the map does not name is UNKNOWN, not the last state."""
        return self.machine.state_map.get(int(code), EquipmentState.UNKNOWN)

    def read_state(self, code: float, at: datetime) -> StateSpan | None:
        return self.become(self.meaning(code), at)

    def unheard_at(self, at: datetime, patience: timedelta) -> bool:
        """It was on its way when silence was taken for not knowing: late, however long."""
        since = self.since
        return self.state is EquipmentState.UNKNOWN and since is not None and since - patience < at <= since

    def retell(self, code: float, at: datetime) -> StateSpan | None:
        """A state from before the moment in which silence made it unknown, told late."""
        state = self.meaning(code)
        if state is self.retold:
            return None
        self.retold = state
        return StateSpan(self.machine.path, state, at)

    def take_back(self) -> StateSpan | None:
        """The past is told beyond that moment: then it was what it had been, not unknown."""
        state, self.retold = self.retold, None
        if state is None or state is self.state or self.since is None:
            return None
        self.state = state
        return StateSpan(self.machine.path, state, self.since)

    def read_counter(self, reading: float, good: bool, at: datetime) -> Count | None:
        """Pieces since the last reading. The very first reading only sets the mark.

        A counter that fell below half was reset: what it shows has been made since. A small step back is a
        controller that forgot its last moments: only the mark is set anew. A leap that no machine makes is
        believed when the counter goes on from there (it was set by hand); if it comes back, it goes on from
        where it was. Below zero, registers of all ones and what is too large to be counted is no count; 65535
        is one where the counter has counted up to it.
        """
        if not 0 <= reading < _COUNTABLE or reading == _ALL_ONES:
            return None
        shown, before = int(reading), self.good if good else self.scrap
        if shown == _ALL_ONES_16 and (before is None or abs(shown - before) > _NEAR):
            return None  # if it was a count all the same, the next reading has its pieces
        leapt = self.leapt.pop(good, None)
        if shown == before:
            return None
        if before is not None and leapt is not None and leapt <= shown <= leapt + PLAUSIBLE:
            before = leapt
        elif before is not None and shown - before > PLAUSIBLE:
            self.leapt[good] = shown
            return None
        self.counted(shown, good, at)
        if before is None:
            return Count(self.machine.path, at, good, 0, shown)
        delta = shown - before if shown > before else shown if shown <= before // 2 else 0
        return Count(self.machine.path, at, good, delta if delta <= PLAUSIBLE else 0, shown)
