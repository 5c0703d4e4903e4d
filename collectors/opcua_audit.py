"""Quiet nodes looked at now and then: a subscription that has died in silence looks like a steady machine.

Servers that load their model anew, or lose a monitored item, often say nothing. So nodes that have not been
heard of for a while are read in turn, a few at a time, and compared with what was last told of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from collectors.opcua_line import Line
from collectors.opcua_places import located
from hub.errors import SourceUnavailable

AT_ONCE = 200
GONE = (0x80340000, 0x80330000)  # BadNodeIdUnknown, BadNodeIdInvalid
SETTLED = timedelta(seconds=10)  # a change that is older than this has been told, or never will be
Differs = Callable[[int, bool | int | float | str, float], bool]  # (row, as read, as told last)


@dataclass(slots=True)
class Audit:
    """In turn over the nodes of one connection. `uris` as they were when it began.

    `differs` knows what a collector makes of a value before it tells it. `tried`: the differences for which
    a new subscription was made already, over all connections of a source; one that is still there after it
    is not cured by one more.
    """

    nodes: Sequence[str]
    uris: Sequence[str]
    differs: Differs
    settled: timedelta = SETTLED
    tried: dict[int, tuple[Any, float]] = field(default_factory=dict)
    _next: int = 0

    def turn(self, quiet: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows among the quiet ones whose turn it is."""
        if not len(quiet):
            return quiet
        start = int(np.searchsorted(quiet, self._next)) % len(quiet)
        rows = np.roll(quiet, -start)[:AT_ONCE]
        self._next = int(rows[-1]) + 1
        return rows

    async def look(
        self, line: Line, rows: Sequence[int], values: NDArray[np.float64], statuses: NDArray[np.uint32]
    ) -> list[int]:
        """Rows whose node is gone; raises SourceUnavailable when only a new subscription can help.

        `values` and `statuses` are what was told last, by row.
        """
        if await line.namespaces() != list(self.uris):
            raise SourceUnavailable("the server numbers its namespaces anew; connecting again")
        nodes = await located(line, [self.nodes[row] for row in rows], self.uris)
        answers = await line.read([node or ua.NodeId() for node in nodes])
        gone = []
        for row, answer in zip(rows, answers, strict=True):
            status = int(answer.StatusCode.value) if answer.StatusCode is not None else 0
            if status in GONE:
                gone.append(row)
            elif int(statuses[row]) in GONE:
                raise SourceUnavailable(f"{self.nodes[row]} is there again; subscribing anew")
            else:
                self._compare(row, answer, float(values[row]))
        return gone

    def _compare(self, row: int, answer: ua.DataValue, told: float) -> None:
        """Raises SourceUnavailable for another value that is so old that it should have been told."""
        value = answer.Value.Value if answer.Value is not None else None
        now, since = answer.ServerTimestamp, answer.SourceTimestamp
        if (
            not isinstance(value, bool | int | float | str)
            or math.isnan(told)
            or now is None
            or since is None
        ):
            return
        if not self.differs(row, value, told):
            self.tried.pop(row, None)
        elif now - since > self.settled and self.tried.get(row) != (value, told):
            self.tried[row] = value, told
            raise SourceUnavailable(f"{self.nodes[row]} has changed and nothing was told; subscribing anew")
