"""How long ago the batches of a spool were taken, by a clock that nobody sets. Pure.

Of batches of this life that is exact. Those of the life before have the wall clock's word alone: it is asked
again when the spool opens, and not believed where it contradicts itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

UNKNOWN = float("inf")


class Ages:
    """`upto`, `newest`: the last batch of the life before, and when that was taken, where it waits."""

    def __init__(
        self, keep: timedelta, now: datetime, elapsed: float, upto: int, newest: datetime | None
    ) -> None:
        self._keep = keep.total_seconds()  # who asks wants to know no more than that it is longer
        self._upto, self._opened, self._began = upto, now, elapsed
        self._was_set_back = newest is not None and newest > now  # since then, and nobody knows how far
        self._taken: dict[int, float] = {}

    def took(self, number: int, elapsed: float) -> None:
        """Just now."""
        self._taken[number] = elapsed
        while elapsed - self._taken[oldest := next(iter(self._taken))] > self._keep:
            del self._taken[oldest]

    def of(self, number: int, taken: datetime, now: datetime, elapsed: float) -> float:
        """Seconds; UNKNOWN also means that it is long ago."""
        if number > self._upto:
            return elapsed - self._taken[number] if number in self._taken else UNKNOWN
        if self._was_set_back or taken > self._opened:
            return UNKNOWN  # a disk may change a time, too
        # The clock may have been right only after a while: a small computer begins where it ended.
        here = elapsed - self._began
        before = max((self._opened - taken).total_seconds(), 0.0)
        return max(before + here, (now - taken).total_seconds())
