"""Percentiles over the last few thousand measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Ring:
    """Keeps the newest `size` seconds-values in a fixed array; adding and asking never allocate more."""

    def __init__(self, size: int = 4096) -> None:
        self._values: NDArray[np.float64] = np.zeros(size)
        self._next = 0
        self._filled = 0

    def add(self, seconds: ArrayLike) -> None:
        """One value or many; of more than the ring holds, the newest."""
        new = np.atleast_1d(np.asarray(seconds, np.float64))[-len(self._values) :]
        at = (self._next + np.arange(len(new))) % len(self._values)
        self._values[at] = new
        self._next = (self._next + len(new)) % len(self._values)
        self._filled = min(self._filled + len(new), len(self._values))

    def percentile(self, percent: float) -> float | None:
        """Nearest-rank, so it is a value that was really measured; None while there is none."""
        if not self._filled:
            return None
        return float(np.percentile(self._values[: self._filled], percent, method="inverted_cdf"))
