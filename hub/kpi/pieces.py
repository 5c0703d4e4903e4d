"""Counted pieces of one machine as columns: taken in once however often told, summed over any time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hub.kpi.calendar import Interval
from hub.model.batch import micros
from hub.model.equipment import Count


def _empty() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Distinct moments, ascending, and how many pieces were counted at each."""

    at: NDArray[np.int64] = field(default_factory=_empty)  # microseconds since 1970, UTC
    delta: NDArray[np.int64] = field(default_factory=_empty)

    def with_(self, counts: Sequence[Count]) -> Series:
        """A moment told twice counts once; where the tellings differ, the larger one."""
        at = np.array([micros(c.at) for c in counts], np.int64)
        delta = np.array([c.delta for c in counts], np.int64)
        new = ~self._holds(at, delta)
        if not new.any():
            return self
        at, delta = np.concatenate([self.at, at[new]]), np.concatenate([self.delta, delta[new]])
        order = np.lexsort((delta, at))
        at, delta = at[order], delta[order]
        last = np.append(at[1:] != at[:-1], True)
        return Series(at[last], delta[last])

    def _holds(self, at: NDArray[np.int64], delta: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which tellings are known already: most are, when the last minute is read over again."""
        if not len(self.at):
            return np.zeros(len(at), np.bool_)
        found = np.minimum(np.searchsorted(self.at, at), len(self.at) - 1)
        held: NDArray[np.bool_] = (self.at[found] == at) & (self.delta[found] >= delta)
        return held

    def within(self, pieces: Sequence[Interval]) -> int:
        if not pieces or not len(self.at):
            return 0
        edges = np.array([(micros(start), micros(end)) for start, end in pieces], np.int64)
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.delta)])
        found = np.searchsorted(self.at, edges, side="left")
        return int((sums[found[:, 1]] - sums[found[:, 0]]).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Good and scrapped pieces of one machine. `counted`: the machine has a counter at all."""

    good: Series = field(default_factory=Series)
    scrap: Series = field(default_factory=Series)
    counted: bool = True

    def with_(self, counts: Iterable[Count]) -> Pieces:
        told = list(counts)
        return Pieces(
            self.good.with_([c for c in told if c.good]),
            self.scrap.with_([c for c in told if not c.good]),
            self.counted,
        )

    def made(self, pieces: Sequence[Interval]) -> tuple[int, int]:
        """(good, scrap) counted at moments inside these disjoint half-open intervals."""
        return self.good.within(pieces), self.scrap.within(pieces)
