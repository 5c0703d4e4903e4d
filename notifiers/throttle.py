"""How much may be said to one carrier, in which order, and what is bundled. Pure; seconds are monotonic.

Both robots take 20 messages a minute; whether the vendor's minute slides is not documented, so ours does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.model.alarm import Priority

WINDOW = 60.0  # seconds
NEVER = float("-inf")

CRITICAL_DELAYS = (2.0, 4.0, 8.0, 16.0, 60.0)  # seconds before the next try; the last one goes on
DELAYS = (5.0, 15.0, 45.0, 120.0, 300.0, 600.0)
CRITICAL_TRIES = 60  # about an hour; this policy knows no second carrier that would take over sooner
TRIES = 12  # about an hour and a half
JITTER = 0.2

FAILURES_BEFORE_PAUSE = 5  # in a row, then one probe after each pause
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`critical_extra`: kept for critical alarms on top of `per_minute`. `cost`: messages a telling takes."""

    per_minute: int = 18
    critical_extra: int = 0
    cost: int = 1

    def ceiling(self, critical: bool) -> int:
        return self.per_minute + (self.critical_extra if critical else 0)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one carrier has been given lately. `sent` holds one moment for each message, oldest first."""

    sent: tuple[float, ...] = ()
    held_until: float = NEVER
    failures: int = 0

    def after_sending(self, at: float, messages: int = 1, *, failed: bool = False) -> Budget:
        """`at` is when the answer came: the vendor cannot have counted it later than that. What `failed` may
        have been counted as well."""
        recent = tuple(s for s in self.sent if s + WINDOW > at)
        return Budget(recent + (at,) * messages, self.held_until, self.failures if failed else 0)

    def after_limit(self, until: float) -> Budget:
        return replace(self, held_until=max(self.held_until, until))

    def after_failure(self, at: float) -> Budget:
        """The fifth failure in a row, and each one after it, closes the carrier for a growing pause."""
        failures = self.failures + 1
        over = failures - FAILURES_BEFORE_PAUSE
        if over < 0:
            return replace(self, failures=failures)
        pause = min(FIRST_PAUSE * 2.0 ** min(over, 10), LONGEST_PAUSE)
        return replace(self, failures=failures, held_until=max(self.held_until, at + pause))

    def free(self, now: float, limits: Limits, critical: bool) -> int:
        """How many tellings may begin now."""
        used = sum(s + WINDOW > now for s in self.sent)
        return max(0, limits.ceiling(critical) - used) // limits.cost

    def free_at(self, now: float, limits: Limits, critical: bool) -> float:
        """When at least one telling may begin."""
        recent = [s for s in self.sent if s + WINDOW > now]
        over = len(recent) + limits.cost - limits.ceiling(critical)
        return now if over <= 0 else recent[over - 1] + WINDOW


@dataclass(frozen=True, slots=True)
class Send:
    index: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """Say these in one message."""

    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    indices: tuple[int, ...]
    until: float
    reason: str


def next_step(
    waiting: Sequence[Priority], budget: Budget, limits: Limits, now: float
) -> Send | Bundle | Wait:
    """What to do with what waits, oldest first within a priority; `waiting` is not empty.

    Critical alarms go first and one by one as long as they can; the last free place takes all that are left.
    The rest goes one by one while it fits, else at once as a digest: nothing is dropped, nothing is rejected.
    """
    everything = tuple(range(len(waiting)))
    if budget.held_until > now:
        return Wait(everything, budget.held_until, "the carrier is held")
    critical = tuple(i for i in everything if waiting[i] is Priority.CRITICAL)
    if critical:
        free = budget.free(now, limits, critical=True)
        if not free:
            return Wait(critical, budget.free_at(now, limits, critical=True), _OVER)
        return Bundle(critical) if free == 1 and len(critical) > 1 else Send(critical[0])
    free = budget.free(now, limits, critical=False)
    if not free:
        return Wait(everything, budget.free_at(now, limits, critical=False), _OVER)
    return Bundle(everything) if len(everything) > free else Send(max(everything, key=lambda i: waiting[i]))


_OVER = "over this minute's budget"


def delay(priority: Priority, attempt: int, roll: float) -> timedelta:
    """Pause after the `attempt`th try; `roll` in [0, 1) spreads it by a fifth to either side."""
    delays = CRITICAL_DELAYS if priority is Priority.CRITICAL else DELAYS
    base = delays[min(attempt, len(delays)) - 1]
    return timedelta(seconds=base * (1 + JITTER * (2 * roll - 1)))


def tries(priority: Priority) -> int:
    return CRITICAL_TRIES if priority is Priority.CRITICAL else TRIES


# ------------------------------------------------------------------ across restarts
def noted(budget: Budget, now: float, wall: datetime) -> str:
    """The budget as a mark of the ledger: the vendor goes on counting while we are away."""
    sent = [_on_wall(s, now, wall) for s in budget.sent if s + WINDOW > now]
    held = _on_wall(budget.held_until, now, wall) if budget.held_until > now else None
    return json.dumps({"sent": sent, "held_until": held})


def remembered(mark: str, now: float, wall: datetime) -> Budget:
    """The budget that `noted` wrote. A clock that was set back cannot make it longer than the window."""
    if not mark:
        return Budget()
    found = json.loads(mark)
    sent = sorted(min(now, now + (datetime.fromisoformat(s) - wall).total_seconds()) for s in found["sent"])
    held = found["held_until"]
    held_until = now + (datetime.fromisoformat(held) - wall).total_seconds() if held else NEVER
    return Budget(tuple(s for s in sent if s + WINDOW > now), min(held_until, now + 24 * 3600.0))


def _on_wall(moment: float, now: float, wall: datetime) -> str:
    return (wall + timedelta(seconds=moment - now)).isoformat()
