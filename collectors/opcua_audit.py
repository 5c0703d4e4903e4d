"""Quiet nodes looked at now and then: a subscription that has died in silence looks like a steady machine.

Servers that load their model anew, or lose a monitored item, often say nothing. So nodes that have not been
heard of for a while are read in turn, a few at a time, and compared with what was last told of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from collectors.opcua_line import Line
from collectors.opcua_nodes import resolve
from hub.errors import SourceUnavailable

AT_ONCE = 200
GONE = (0x80340000, 0x80330000)  # BadNodeIdUnknown, BadNodeIdInvalid
_SETTLED = timedelta(seconds=10)  # a change that is older than this has been told, or never will be


@dataclass(slots=True)
class Audit:
    """In turn over the nodes of one connection. `uris` as they were when it began."""

    nodes: Sequence[str]
    uris: Sequence[str]
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
        answers = await line.read([_resolved(self.nodes[row], self.uris) for row in rows])
        gone = []
        for row, answer in zip(rows, answers, strict=True):
            status = int(answer.StatusCode.value) if answer.StatusCode is not None else 0
            if status in GONE:
                gone.append(row)
            elif int(statuses[row]) in GONE:
                raise SourceUnavailable(f"{self.nodes[row]} is there again; subscribing anew")
            elif _is_other(answer, float(values[row])):
                raise SourceUnavailable(
                    f"{self.nodes[row]} has changed and nothing was told; subscribing anew"
                )
        return gone


def _resolved(node: str, uris: Sequence[str]) -> ua.NodeId:
    return resolve(node, uris) or ua.NodeId()


def _is_other(answer: ua.DataValue, told: float) -> bool:
    """A number that has been another one for so long that it should have been told."""
    value = answer.Value.Value if answer.Value is not None else None
    if not isinstance(value, bool | int | float) or math.isnan(told) or answer.SourceTimestamp is None:
        return False
    now = answer.ServerTimestamp
    return float(value) != told and now is not None and now - answer.SourceTimestamp > _SETTLED
