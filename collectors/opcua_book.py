"""What was last said of each node of a subscription. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Book:
    """The last that was said of each node, and when it has to be said again."""

    def __init__(self, patience: NDArray[np.int64]) -> None:
        self._patience = patience
        self._at = np.full(len(patience), np.iinfo(np.int64).max)  # never heard: nothing to repeat
        self.values = np.full(len(patience), np.nan)
        self.statuses = np.zeros(len(patience), np.uint32)
        self._heard_at = np.zeros(len(patience), np.int64)

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

    def due(self, at: int) -> NDArray[np.intp]:
        return np.flatnonzero(at - self._patience >= self._at)
