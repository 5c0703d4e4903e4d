"""What it means for the record that the hub's own clock leapt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ClockLeap:
    """The clock showed `was`, and after next to no time `now`.

    Where it is the way back of an earlier leap, that one is `of`: what was recorded between the two was told
    by a wrong clock.
    """

    was: datetime
    now: datetime
    of: ClockLeap | None = None

    @property
    def back(self) -> bool:
        return self.now < self.was
