"""Nodes that a server has no room to monitor: read instead, as often as it would say that it lives."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from asyncua import ua

from collectors.opcua_decode import Published, of_values
from collectors.opcua_line import Line

_log = logging.getLogger(__name__)

# BadTooManyMonitoredItems, BadOutOfMemory, BadResourceUnavailable: a small controller monitors some hundreds
_NO_ROOM = frozenset({0x80DB0000, 0x80030000, 0x80040000})


@dataclass(slots=True)
class Polled:
    """Those of one connection. `every`: seconds between two looks."""

    name: str
    every: float
    _nodes: dict[int, ua.NodeId] = field(default_factory=dict)
    _known: dict[int, ua.DataValue] = field(default_factory=dict)
    _due: float = 0.0

    def take(
        self, items: Sequence[tuple[int, ua.NodeId]], refused: Iterable[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Keep those that were refused for want of room; the others, as (row, status code)."""
        nodes, refused = dict(items), list(refused)
        full = {row: nodes[row] for row, status in refused if status in _NO_ROOM}
        if full:
            self._nodes |= full
            _log.warning(
                "%s: the server has no room to monitor %d nodes; they are read every %g s instead",
                self.name, len(full), self.every,
            )  # fmt: skip
        return [(row, status) for row, status in refused if row not in full]

    async def look(self, line: Line, now: float) -> Published | None:
        """What is other than at the last look, once it is time for one. `now` in seconds."""
        if not self._nodes or now < self._due:
            return None
        self._due = now + self.every
        rows = list(self._nodes)
        answers = await line.read(list(self._nodes.values()))
        news = [(r, v) for r, v in zip(rows, answers, strict=True) if not _same(self._known.get(r), v)]
        self._known.update(news)
        if not news:
            return None
        return Published(line.subscription, 0, 0, (of_values(news),), acknowledge=False)


def _same(known: ua.DataValue | None, read: ua.DataValue) -> bool:
    """But for the server's own time, which is that of the look."""
    return known is not None and (known.Value, known.StatusCode, known.SourceTimestamp) == (
        read.Value, read.StatusCode, read.SourceTimestamp,
    )  # fmt: skip
