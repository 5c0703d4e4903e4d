"""Which source speaks for which machines, and whose state it tells. (pure)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch
from hub.ports import Plant


class Sources:
    """`reads`: the tags of each source that the configuration has. One that was lost before we came, and so
    never told us anything, is missed where it belongs all the same.
    """

    def __init__(self, plant: Plant, reads: Mapping[str, Iterable[int]] = MappingProxyType({})) -> None:
        self._machine = {t.number: t.equipment for t in plant.tags.values()}
        self._states = {plant.tags[m.state_tag].number: m.path for m in plant.machines() if m.state_tag}
        self._size = max(self._machine, default=0) + 1
        self._seen: dict[str, NDArray[np.bool_]] = {}
        self.machines: Mapping[str, frozenset[str]] = {
            name: frozenset(self._machine[n] for n in tags if n in self._machine)
            for name, tags in reads.items()
        }
        self.states: Mapping[str, frozenset[str]] = {  # source -> machines whose state it tells
            name: frozenset(self._states[n] for n in tags if n in self._states)
            for name, tags in reads.items()
        }

    def take(self, batch: SampleBatch) -> bool:
        """True when a source was heard of a machine, or of its state, for the first time."""
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
        told = {self._states[n] for n in new.tolist() if n in self._states}
        self.machines = {**self.machines, batch.source: known | named}
        self.states = {**self.states, batch.source: self.states.get(batch.source, frozenset()) | told}
        return bool(told) or not named <= known
