"""Which samples are newer than what is known of their tag. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alert_rules.device import NOT_HEARD
from hub.model.batch import SampleBatch

_BAD, _KIND = np.uint32(0x80000000), np.uint32(0xFFFF0000)
_NEVER = np.iinfo(np.int64).min


class Order:
    """In the source's time, microseconds since 1970; `seen[tag]` is that of the tag's last row.

    That a source was not heard is the collector's word, not the source's. A server that kept what changed
    meanwhile tells it afterwards: of that moment too, what is newer than the source's own last word is news.
    """

    def __init__(self, size: int) -> None:
        self.seen = np.full(size + 1, _NEVER)
        self._said = np.full(size + 1, _NEVER)  # the source's own last word, where it was not heard since
        self._unheard = np.zeros(size + 1, np.bool_)
        self._some = False

    def known_until(self, tags: NDArray[np.int32]) -> NDArray[np.int64]:
        """Up to when rows of these tags tell nothing new."""
        if not self._some:
            return self.seen[tags]
        return np.where(self._unheard[tags], self._said[tags], self.seen[tags])

    def take(self, tags: NDArray[np.int32], times: NDArray[np.int64], statuses: NDArray[np.uint32]) -> None:
        """Rows of one tag one after the other in time."""
        bad = (statuses & _BAD) != 0
        if self._some or bad.any():
            lost = bad & np.isin(statuses & _KIND, NOT_HEARD)
            marked = tags[lost & ~self._unheard[tags]]
            self._said[marked] = self.seen[marked]
            self._said[tags[~lost]] = times[~lost]
            self._unheard[tags] = lost
            self._some = bool(self._unheard.any())
        self.seen[tags] = times

    def not_after(self, us: int) -> None:
        """The hub's clock was set back."""
        for times in (self.seen, self._said):
            np.minimum(times, us, out=times)


def in_order(batch: SampleBatch) -> SampleBatch:
    """Samples of one tag one after the other in time, where a batch holds several of one tag."""
    if len(batch) < 2 or np.bincount(batch.tags).max() < 2:
        return batch
    return batch.take(np.argsort(batch.source_times, kind="stable"))
