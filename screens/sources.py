"""Which source speaks for which machines, learnt from what arrives. (pure)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch
from hub.model.sample import Tag


class Sources:
    def __init__(self, tags: Iterable[Tag]) -> None:
        self._machine = {t.number: t.equipment for t in tags}
        self._size = max(self._machine, default=0) + 1
        self._seen: dict[str, NDArray[np.bool_]] = {}
        self.machines: Mapping[str, frozenset[str]] = {}

    def take(self, batch: SampleBatch) -> bool:
        """True when a source was heard of a machine for the first time."""
        if not batch.source:
            return False
        seen = self._seen.setdefault(batch.source, np.zeros(self._size, np.bool_))
        tags = batch.tags[(batch.tags >= 0) & (batch.tags < self._size)]
        new = tags[~seen[tags]]
        if not len(new):
            return False
        seen[new] = True
        named = {self._machine[n] for n in new.tolist() if n in self._machine}
        known = self.machines.get(batch.source, frozenset())
        self.machines = {**self.machines, batch.source: known | named}
        return not named <= known
