"""The hub's clock beside one that nobody sets: when it leapt, and whether that was the way back. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hub.model.clock_leap import ClockLeap

LEAST = timedelta(seconds=2)  # what is less is let be
BELIEVED = timedelta(days=1)  # a clock that stayed where it had leapt to for so long was set right


class Leaps:
    """`look` often; `last` is the leap of which the clock may still come back."""

    def __init__(self, last: ClockLeap | None = None) -> None:
        self.last = last
        self._wall: datetime | None = None
        self._steady = 0.0

    def begin(self, now: datetime, newest: datetime | None) -> ClockLeap | None:
        """At a warm start: a record that knows the future was told by a clock that was ahead."""
        if newest is None or newest <= now + LEAST:
            return None
        last = self.last
        return self._leapt(newest, now, last if last and not last.back and last.now > now else None)

    def look(self, now: datetime, steady: float) -> ClockLeap | None:
        before, self._wall = self._wall, now
        passed, self._steady = timedelta(seconds=steady - self._steady), steady
        if before is None or abs(now - before - passed) < LEAST:
            return None
        return self._leapt(before + passed, now, self._answered(now - before - passed, before))

    def _answered(self, by: timedelta, at: datetime) -> ClockLeap | None:
        """The leap that this one takes back."""
        last = self.last
        if last is None or at - last.now > BELIEVED:
            return None
        left = abs(by + (last.now - last.was))
        return last if left <= LEAST + abs(by) / 20 else None

    def _leapt(self, was: datetime, now: datetime, of: ClockLeap | None) -> ClockLeap:
        leap = ClockLeap(was, now, of)
        self.last = None if of is not None else leap
        return leap

    # ---------------------------------------------------------------- through restarts
    def told(self) -> str:
        return json.dumps([self.last.was.isoformat(), self.last.now.isoformat()]) if self.last else ""


def remembered(told: str | None) -> Leaps:
    if not told:
        return Leaps()
    was, now = (datetime.fromisoformat(at).astimezone(UTC) for at in json.loads(told))
    return Leaps(ClockLeap(was, now))
