"""What was last said of each node of a subscription. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.source_times import LONGEST_LAG, learned

_NEVER = np.iinfo(np.int64).min


class Book:
    """The last that was said of each node, and when it has to be said again.

    Saying again means the source's present time. That is behind the server's by as long as its changes are
    on their way: a gateway polls its devices, a device's clock is slow. A change from before what was told
    all the same is said once more right behind that (`overtaken`): nobody waits for what is older.
    """

    def __init__(self, stale_after: NDArray[np.int64], keep_alive: float) -> None:
        self._stale_after = stale_after
        self.pace(keep_alive)
        self._at = np.full(len(stale_after), np.iinfo(np.int64).max)  # never heard: nothing to repeat
        self.values = np.full(len(stale_after), np.nan)
        self.statuses = np.zeros(len(stale_after), np.uint32)
        self._heard_at = np.zeros(len(stale_after), np.int64)
        self._newest = np.full(len(stale_after), _NEVER)  # time that was told
        self._told_at = np.zeros(len(stale_after), np.int64)  # server's present when it was
        self._word = np.full(len(stale_after), _NEVER)  # the source's own newest time
        self._lag = np.zeros(len(stale_after), np.int64)  # of the source's present behind the server's
        self._before = np.zeros(len(stale_after), np.int64)  # how long its last word was on its way
        self._soonest = np.iinfo(np.int64).max  # that any word was here

    def pace(self, keep_alive: float) -> None:
        """Seconds between two answers of a server with no news: only then can anything be said again. So that
        it is there after four fifths of `stale_after` even if one answer is missing; after half at the least.
        """
        late = self._stale_after * 4 // 5 - int(2_000_000 * keep_alive)
        self._patience = np.maximum(self._stale_after // 2, late)

    def heard(self, handles: NDArray[Any], at: int) -> None:
        """The server itself spoke of these."""
        self._heard_at[handles] = at

    def learn(self, handles: NDArray[Any], times: NDArray[np.int64], at: int) -> None:
        """How long it was on its way, what a server says at this present. A first word may have stood for
        long: for that counts the soonest of any."""
        new = times > self._word[handles]
        handles, times = handles[new], times[new]
        way, patience = np.maximum(at - times, 0), self._patience[handles]
        self._soonest = int(way.min(initial=self._soonest))
        first = self._word[handles] == _NEVER
        ways = way
        if first.any():
            ways = np.where(self._soonest <= np.minimum(patience, LONGEST_LAG), self._soonest, 0)
            ways = np.where(first, ways, way)
        lags, counts = learned(ways, self._lag[handles], self._before[handles], patience, first)
        self._lag[handles], self._before[handles] = lags, np.where(first, way, counts)
        np.maximum.at(self._word, handles, times)

    def as_before(self, before: Book) -> None:
        """On the same nodes: their ways are as long."""
        self._lag, self._before = before._lag.copy(), before._before.copy()

    def behind(self) -> tuple[int, int, float]:
        """How many nodes are so far behind that their changes soon look stale; the one that is it most, and
        by how many seconds."""
        most = int(np.argmax(self._lag - self._patience))
        return int((self._lag > self._patience).sum()), most, float(self._lag[most]) / 1e6

    def quiet(self, since: int, rows: int) -> NDArray[np.intp]:
        """Of the first `rows` those that nothing was heard of since then."""
        return np.flatnonzero(self._heard_at[:rows] <= since)

    def note(
        self,
        handles: NDArray[Any],
        values: NDArray[np.float64],
        statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
        at: int,
    ) -> None:
        """They are told at this present."""
        self._told_at[handles] = at
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
        late = (times <= known) & (known != _NEVER)
        if not late.any():
            return np.flatnonzero(late), times[:0]
        other = (values != self.values[handles]) & ~(np.isnan(values) & np.isnan(self.values[handles]))
        other |= statuses != self.statuses[handles]
        rows = np.flatnonzero(late & np.isin(handles, handles[late & other]))
        _, last, of = np.unique(handles[rows][::-1], return_index=True, return_inverse=True)
        ends = times[rows][::-1][last]
        now = times[rows] + (at - ends)[of[::-1]] - self._lag[handles[rows]]
        final = self._late_at_last(handles, late)[rows]
        newest = self._newest.copy()
        np.maximum.at(newest, handles, times)
        told = np.where(final, newest[handles[rows]], known[rows]) + 1 + np.arange(len(rows))
        return rows, np.where(final, np.maximum(now, told), told)

    def _late_at_last(self, handles: NDArray[Any], late: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of these rows, whether the last one of the same node is late: else what is late is over already."""
        last = np.zeros(len(self._newest), np.bool_)
        last[handles] = late
        of_all: NDArray[np.bool_] = last[handles]
        return of_all

    def say_soon(self, handles: NDArray[Any], lost_at: int) -> None:
        """What they said last is true, and its time does not show that it is: the mark that it was lost came
        after it."""
        self._at[handles] = 0
        self._newest[handles] = np.maximum(self._newest[handles], lost_at)

    def say_since(self, lost_at: int) -> None:
        """The same of all that was said before that mark."""
        self.say_soon(np.flatnonzero(self._at <= lost_at), lost_at)

    def not_after(self, at: int) -> None:
        """The server's clock was ahead: what it told by that is of now at most."""
        heard = self._newest != _NEVER
        self._newest[heard] = np.minimum(self._newest[heard], at)
        self._word = np.minimum(self._word, at)
        self._at[heard] = np.minimum(self._at[heard], at)

    def due(self, at: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """What has to be said again at this present of the server, and with what times: where the source's
        present is not beyond what was told, right behind that, so that nobody takes it for silent."""
        patience = np.maximum(self._patience, self._lag + self._stale_after // 4)
        present = at - self._lag
        looks_old = at - patience >= self._at
        is_silent = (at - self._patience >= self._told_at) & (self._newest != _NEVER)
        rows = np.flatnonzero(looks_old | is_silent)
        return rows, np.maximum(present[rows], self._newest[rows] + 1)
