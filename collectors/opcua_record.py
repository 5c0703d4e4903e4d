"""What a server has told so far, over all its connections: what it tells first after one is no news. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEVER = np.iinfo(np.int64).min


class Record:
    """The newest of each node that the house has taken. A new connection begins with `resumed`."""

    def __init__(self, nodes: int) -> None:
        self._times = np.full(nodes, _NEVER)
        self._values = np.full(nodes, np.nan)
        self._statuses = np.zeros(nodes, np.uint32)
        self._first = np.zeros(nodes, np.bool_)  # not heard of since the last connection ended
        self._lost_at = _NEVER
        self._waiting: list[tuple[NDArray[Any], ...]] = []

    def resumed(self, lost_at: int) -> Record:
        """After a connection of which everything was marked lost at this time."""
        self._first[:], self._lost_at, self._waiting = True, lost_at, []
        return self

    def goes_on(self) -> None:
        """The server kept what changed since, so that its first word of a node is not its last one."""
        self._lost_at = _NEVER

    def look(
        self, handles: NDArray[Any], values: NDArray[np.float64], statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
    ) -> tuple[NDArray[np.bool_], NDArray[Any]]:  # fmt: skip
        """Which rows are on record already; the handles that have to be said with the present time, too,
        since what they tell is from before the mark that they were lost."""
        self._waiting.append((handles, values, statuses, times))
        if not self._first.any():
            return np.zeros(len(handles), np.bool_), handles[:0]
        first = self._first[handles]
        same = (values == self._values[handles]) | (np.isnan(values) & np.isnan(self._values[handles]))
        known = first & same & (times == self._times[handles]) & (statuses == self._statuses[handles])
        old = handles[first & (times <= self._lost_at)]
        self._first[handles] = False
        return known, old

    def told_once(
        self, handles: NDArray[Any], values: NDArray[np.float64], statuses: NDArray[np.uint32],
        times: NDArray[np.int64],
    ) -> NDArray[np.bool_]:  # fmt: skip
        """All rows but those without a value that say again what was said last, of the same time: NaN is not
        equal to itself, and some servers (node-opcua) take that for a change at every sampling."""
        new = np.ones(len(handles), np.bool_)
        rows = np.flatnonzero(np.isnan(values))
        if not len(rows):
            return new
        who, at, how = handles[rows], times[rows], statuses[rows]
        same = (at == self._times[who]) & (how == self._statuses[who])
        new[rows] = ~(same & np.isnan(self._values[who]) & ~self._first[who])
        said = np.stack([who.astype(np.int64), at, how.astype(np.int64)])
        _, once = np.unique(said, axis=1, return_index=True)
        new[np.delete(rows, once)] = False  # within this answer
        return new

    def taken(self) -> None:
        """The house has what was looked at."""
        for handles, values, statuses, times in self._waiting:
            self._times[handles], self._values[handles], self._statuses[handles] = times, values, statuses
        self._waiting.clear()
