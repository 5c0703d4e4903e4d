"""How old samples are when they are on record: every so many rows of every commit, noted in passing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EACH = 50  # rows


class Commits:
    """`note` costs a few microseconds a commit; `save` afterwards."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, NDArray[np.int64]]] = []

    def note(self, source_times: NDArray[np.int64]) -> None:
        """These rows have been committed now."""
        self._noted.append((time.time_ns() // 1000, source_times[::EACH].copy()))

    def save(self, path: Path) -> None:
        """Two columns: microseconds since 1970 of the commit, and the age in microseconds."""
        at = [np.full(len(times), now) for now, times in self._noted]
        age = [now - times for now, times in self._noted]
        np.save(path, np.column_stack((np.concatenate(at), np.concatenate(age))) if at else np.empty((0, 2)))


def ages(path: Path, start: float, end: float) -> NDArray[np.float64]:
    """Milliseconds, of what was committed in [start, end), seconds since 1970."""
    found = np.load(path)
    inside = (found[:, 0] >= start * 1e6) & (found[:, 0] < end * 1e6)
    return np.asarray(found[inside, 1] / 1000.0)


def rows_between(path: Path, start: float, end: float) -> int:
    """Rows committed in [start, end), seconds since 1970, to the nearest EACH of a commit."""
    at = np.load(path)[:, 0]
    return int(((at >= start * 1e6) & (at < end * 1e6)).sum()) * EACH
