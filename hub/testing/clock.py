"""Time that stands still until a test turns it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class HandClock:
    """`turn` moves time and wakes every sleeper that is due, in order."""

    def __init__(self, start: datetime = NOON) -> None:
        self._now = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed + seconds, woken))
        await woken

    def turn(self, seconds: float) -> None:
        """Move time on; whoever is due wakes at the next turn of the loop."""
        self._elapsed += seconds
        self._now += timedelta(seconds=seconds)
        due = [s for s in self._sleepers if s[0] <= self._elapsed]
        self._sleepers = [s for s in self._sleepers if s[0] > self._elapsed]
        for _, woken in sorted(due, key=lambda s: s[0]):
            if not woken.done():
                woken.set_result(None)

    def set(self, at: datetime) -> None:
        """Set the wall clock alone, as an operator would: sleepers are not moved."""
        self._now = at
