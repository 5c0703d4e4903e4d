"""What was last said of each node of a subscription. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Book:
    """The last that was said of each node, and when it has to be said again."""

    def __init__(self, stale_after: NDArray[np.int64], keep_alive: float) -> None:
        self._stale_after = stale_after
        self.pace(keep_alive)
        self._at = np.full(len(stale_after), np.iinfo(np.int64).max)  # never heard: nothing to repeat
        self.values = np.full(len(stale_after), np.nan)
        self.statuses = np.zeros(len(stale_after), np.uint32)
        self._heard_at = np.zeros(len(stale_after), np.int64)

    def pace(self, keep_alive: float) -> None:
        """Seconds between two answers of a server with no news: only then can anything be said again. So that
        it is there after four fifths of `stale_after` even if one answer is missing; after half at the least.
        """
        late = self._stale_after * 4 // 5 - int(2_000_000 * keep_alive)
        self._patience = np.maximum(self._stale_after // 2, late)

    def heard(self, handles: NDArray[Any], at: int) -> None:
        """The server itself spoke of these."""
        self._heard_at[handles] = at

    def quiet(self, since: int, rows: int) -> NDArray[np.intp]:
        """Of the first `rows` those that nothing was heard of since then."""
        return np.flatnonzero(self._heard_at[:rows] <= since)

    def note(
        self,
        handles: NDArray[Any],
        values: NDArray[np.float64],
        statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
    ) -> None:
        self.values[handles], self.statuses[handles], self._at[handles] = values, statuses, times

    def say_soon(self, handles: NDArray[Any]) -> None:
        """What they said last is true, and its time does not show that it is."""
        self._at[handles] = 0

    def say_since(self, lost_at: int) -> None:
        """What was said last is true, and the mark that it was lost came after it."""
        self._at[self._at <= lost_at] = 0

    def due(self, at: int) -> NDArray[np.intp]:
        return np.flatnonzero(at - self._patience >= self._at)
