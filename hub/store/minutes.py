"""What the last minutes came to, added up in memory by the process that stores their samples. Pure.

The roll-up of a minute otherwise reads every row of it once more, which costs the database a fifth of what
storing them did. Nobody has to believe this memory: `minute_rows` says how many rows the record has counted,
nothing is remembered here that was not counted there, so a minute of which as many were seen was seen whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch
from hub.model.sample import BAD

MINUTE = 60_000_000  # microseconds
KEPT = 4  # minutes at once: what a source with a wrong clock says must not push out the present


@dataclass(frozen=True, slots=True, eq=False)
class MinuteSums:
    """Of the usable samples of one minute, a row for each tag; `rows` counts all samples."""

    rows: int
    tags: NDArray[np.int32]
    n: NDArray[np.int64]
    sum: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]


class Minutes:
    """The lowest KEPT minutes that were not rolled yet, in microseconds since 1970."""

    def __init__(self, began: int = 0) -> None:
        """`began`: before then a process that does not count may have written; those minutes are read."""
        self._open: dict[int, _Sums] = {}
        self._rolled = -(-began // MINUTE)

    def add(self, rows: SampleBatch, sealed: int = 0) -> None:
        """These are on record now. What is before `sealed` came late: it was marked, and not counted."""
        counted = rows.source_times >= sealed
        if not counted.all():
            rows = rows.take(np.flatnonzero(counted))
        if not len(rows):
            return
        minutes = rows.source_times // MINUTE
        first, last = int(minutes.min()), int(minutes.max())
        if first == last:
            self._add(first, rows)
            return
        for minute in np.unique(minutes).tolist():
            self._add(minute, rows.take(np.flatnonzero(minutes == minute)))

    def of(self, start: int) -> MinuteSums | None:
        """The minute that begins there; None where nothing was seen of it."""
        sums = self._open.get(start // MINUTE)
        return None if sums is None else sums.told()

    def rolled(self, upto: int) -> None:
        """Minutes before this are of no use any more."""
        self._rolled = max(self._rolled, upto // MINUTE)
        for minute in [m for m in self._open if m < self._rolled]:
            del self._open[minute]

    def forget(self) -> None:
        """A write has failed: the record may be one that lacks what was seen (a stand-by that took over)."""
        self._open.clear()

    def _add(self, minute: int, rows: SampleBatch) -> None:
        if minute < self._rolled:
            return
        if minute not in self._open:
            if len(self._open) == KEPT:
                highest = max(self._open)
                if minute > highest:
                    return
                del self._open[highest]
            self._open[minute] = _Sums()
        self._open[minute].add(rows)


class _Sums:
    """A place for every tag number."""

    def __init__(self) -> None:
        self._rows = 0
        self._n = np.zeros(0, np.int64)
        self._sum, self._min, self._max = np.zeros(0), np.zeros(0), np.zeros(0)

    def add(self, rows: SampleBatch) -> None:
        self._rows += len(rows)
        usable = (rows.statuses < BAD) & ~np.isnan(rows.values)
        whole = usable.all()
        tags, values = (rows.tags, rows.values) if whole else (rows.tags[usable], rows.values[usable])
        if not len(tags):
            return
        self._make_room(int(tags.max()) + 1)
        np.add.at(self._n, tags, 1)
        with np.errstate(invalid="ignore"):  # infinities of both signs have no sum, here as on record
            np.add.at(self._sum, tags, values)
        np.minimum.at(self._min, tags, values)
        np.maximum.at(self._max, tags, values)

    def told(self) -> MinuteSums:
        tags = np.flatnonzero(self._n)
        return MinuteSums(
            self._rows,
            tags.astype(np.int32),
            self._n[tags],
            self._sum[tags],
            self._min[tags],
            self._max[tags],
        )

    def _make_room(self, size: int) -> None:
        more = size - len(self._n)
        if more <= 0:
            return
        self._n = np.append(self._n, np.zeros(more, np.int64))
        self._sum = np.append(self._sum, np.zeros(more))
        self._min = np.append(self._min, np.full(more, np.inf))
        self._max = np.append(self._max, np.full(more, -np.inf))
