"""When to try a device again that cannot be reached, and how the way to it stands. Pure.

Closed: it is heard. Open: nobody tries until `next_try`. Half-open: a try is under way and has proved
nothing yet. Tries are at least two seconds apart, and their pauses are drawn anew each time (full jitter), so
that a hundred devices that come back with the power are not called in one breath; the longest pause leaves a
machine that is switched on again seen within five seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

FIRST = 0.5  # seconds that the first pause may last
LONGEST = 2.0
REFUSED = 15.0  # a person has to change something first
APART = 2.0  # seconds between the beginnings of two tries
STEADY = 30.0  # heard for so long: the pauses start anew


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Circuit:
    """`failures`: tries in a row that proved nothing; `heard`: the first word of this life, monotonic."""

    state: State = State.CLOSED
    since: datetime | None = None
    failures: int = 0
    next_try: datetime | None = None
    last_error: str = ""
    pauses: int = 0
    heard: float | None = None

    def failed(self, now: datetime, error: str, next_try: datetime, lasted: float) -> Circuit:
        """A life has ended `lasted` seconds after its first word (0: it had none)."""
        since = self.since if self.state is State.OPEN or self.failures else now
        pauses = 1 if lasted >= STEADY else self.pauses + 1
        return Circuit(State.OPEN, since, self.failures + 1, next_try, error, pauses)

    def tried(self, now: datetime) -> Circuit:
        """A new life begins: of one that failed before it has to be proved."""
        state = State.HALF_OPEN if self.failures else State.CLOSED
        since = self.since if self.failures or self.since else now
        return replace(self, state=state, since=since, next_try=None, heard=None)

    def proved(self, now: datetime, at: float) -> Circuit:
        """It is heard. The last error stays, for whoever asks why it was away."""
        if self.heard is not None:
            return self
        return replace(self, state=State.CLOSED, since=now, failures=0, next_try=None, heard=at)


def pause_of(circuit: Circuit, since_begin: float, chance: float, *, refused: bool = False) -> float:
    """Seconds until the next try. `since_begin`: how long ago the last one began; `chance` is in [0, 1]."""
    most = REFUSED if refused else LONGEST
    return max(0.0, APART - since_begin) + chance * min(most, FIRST * float(1 << min(circuit.pauses, 10)))
