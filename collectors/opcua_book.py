"""What was last said of each node of a subscription. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEVER = np.iinfo(np.int64).min


class Book:
    """The last that was said of each node, and when it has to be said again.

    Saying again means the server's present time. A change that comes after it may have happened before: a
    gateway polls its devices, a device's clock is slow. So room is left for as long as the last change was on
    its way, and one that comes even later is said of now, too (`overtaken`): nobody waits for what is older.
    """

    def __init__(self, stale_after: NDArray[np.int64], keep_alive: float) -> None:
        self._stale_after = stale_after
        self.pace(keep_alive)
        self._at = np.full(len(stale_after), np.iinfo(np.int64).max)  # never heard: nothing to repeat
        self.values = np.full(len(stale_after), np.nan)
        self.statuses = np.zeros(len(stale_after), np.uint32)
        self._heard_at = np.zeros(len(stale_after), np.int64)
        self._newest = np.full(len(stale_after), _NEVER)  # time that was told
        self._lag = np.zeros(len(stale_after), np.int64)

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
        np.maximum.at(self._newest, handles, times)

    def overtaken(
        self,
        handles: NDArray[Any],
        values: NDArray[np.float64],
        statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
        at: int,
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Of what a server says at this present, before it is noted: the rows that say something else than
        what was told with a later time; and at what times that is so now, as far apart as theirs."""
        known = self._newest[handles]
        heard = np.flatnonzero(known != _NEVER)
        lag = np.clip(at - times[heard], self._lag[handles[heard]] * 7 // 8, None)
        self._lag[handles[heard]] = np.minimum(lag, self._patience[handles[heard]] // 2)
        late = (times <= known) & (known != _NEVER)
        if not late.any():
            return np.flatnonzero(late), times[:0]
        other = (values != self.values[handles]) & ~(np.isnan(values) & np.isnan(self.values[handles]))
        other |= statuses != self.statuses[handles]
        rows = np.flatnonzero(late & np.isin(handles, handles[late & other]))
        _, last, of = np.unique(handles[rows][::-1], return_index=True, return_inverse=True)
        ends = times[rows][::-1][last]
        now = times[rows] + (at - ends)[of[::-1]]
        return rows, np.maximum(now, known[rows] + 1 + np.arange(len(rows)))

    def say_soon(self, handles: NDArray[Any]) -> None:
        """What they said last is true, and its time does not show that it is."""
        self._at[handles] = 0

    def say_since(self, lost_at: int) -> None:
        """What was said last is true, and the mark that it was lost came after it."""
        self._at[self._at <= lost_at] = 0

    def not_after(self, at: int) -> None:
        """The server's clock was ahead: what it told by that is of now at most."""
        heard = self._newest != _NEVER
        self._newest[heard] = np.minimum(self._newest[heard], at)
        self._at[heard] = np.minimum(self._at[heard], at)

    def due(self, at: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """What has to be said again at this present of the server, and with what times."""
        rows = np.flatnonzero(at - self._patience >= self._at)
        times = at - self._lag[rows]
        return rows, np.where(times > self._newest[rows], times, np.maximum(at, self._newest[rows] + 1))
