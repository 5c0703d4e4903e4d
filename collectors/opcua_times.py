"""The times that values of OPC UA nodes are kept with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from collectors.opcua_decode import UNSAID, Changes
from collectors.opcua_nodes import NodeBlock
from collectors.opcua_words import Words
from collectors.source_times import SlowClocks, judged, of_arrival, spelled


class Times:
    """The source's, else the server's, else of arrival; also where the source's cannot be meant."""

    def __init__(self, nodes: Sequence[NodeBlock], patience: NDArray[np.int64], ahead: timedelta) -> None:
        self._nodes, self._ahead = nodes, ahead // timedelta(microseconds=1)
        self._slow = SlowClocks(patience)
        self._complained = np.zeros(len(patience), np.bool_)

    def as_before(self, before: Times) -> None:
        """Of the same nodes: their clocks are as wrong."""
        self._slow = before._slow

    def told(
        self, changes: Changes, statuses: NDArray[np.uint32], at: int, now: int, words: Words
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Times and statuses, at this present of the server and this one of ours."""
        said = np.where(changes.times > UNSAID, changes.times, at)
        times, statuses, wrong = judged(said, statuses, now, self._ahead)
        slow = self._slow.rows(changes.handles, times, at)
        if not (len(wrong) or len(slow)):
            return times, statuses
        for rows, why in ((wrong, "cannot be meant"), (slow, "is as far behind as the ones before it")):
            for row in rows[~self._complained[changes.handles[rows]]].tolist():
                handle = int(changes.handles[row])
                self._complained[handle] = True
                about = f"{self._nodes[handle].tag}: source time {spelled(int(said[row]))} {why}"
                words.say(handle, "time", f"{about}; correct the clock")
        return of_arrival(times, statuses, slow, at)
