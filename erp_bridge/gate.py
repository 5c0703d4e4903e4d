"""How many hands may be at the ERP at once: none while it is away, one to see whether it is back, then more
and more, so that what has waited for days does not fall on it in one second (pure; times are monotonic)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

TRIP = 3  # failures in a row before it counts as away: one may be the document's fault
FIRST = 2.0  # seconds
MOST = 60.0  # between two looks whether it is back


@dataclass(frozen=True, slots=True)
class Gate:
    most: int  # hands
    allowed: int = 0
    failures: int = 0  # in a row
    shut_until: float = 0.0  # by our own caution, until it answers
    asked_until: float = 0.0  # by its own word: an answer to somebody else does not end that

    @classmethod
    def open(cls, most: int) -> Gate:
        return cls(most, most)

    @property
    def away(self) -> bool:
        return self.failures >= TRIP

    def lets_in(self, at_work: int, now: float) -> bool:
        """Whether one more hand may take an errand while so many are busy."""
        return now >= self.shut_until and not self.asked_to_wait(now) and at_work < self.allowed

    def asked_to_wait(self, now: float) -> bool:
        """A limit or a quota of theirs: what we ask in the meantime would be counted against us."""
        return now < self.asked_until

    def answered(self) -> Gate:
        """After an outage one more hand with each answer."""
        return replace(self, failures=0, shut_until=0.0, allowed=min(self.most, self.allowed + 1))

    def failed(self, now: float) -> Gate:
        """It was away or busy. From the third time on only one hand looks, and seldom."""
        failures = self.failures + 1
        if failures < TRIP:
            return replace(self, failures=failures)
        pause = min(FIRST * (1 << min(failures - TRIP, 16)), MOST)
        return replace(self, failures=failures, allowed=1, shut_until=max(self.shut_until, now + pause))

    def limited(self, now: float, pause: timedelta) -> Gate:
        """It asked to be left alone for so long: by everybody."""
        until = max(self.asked_until, now + pause.total_seconds())
        return replace(self, allowed=max(1, self.allowed // 2), asked_until=until)
