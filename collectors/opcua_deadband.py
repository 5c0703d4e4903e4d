"""What a server need not tell: changes within a node's deadband (part 8, clause 7.2 for per cent of EURange).

The server is asked to leave them out. One that cannot is not asked again, and they are left out here; what a
server tells all the same is left out here, too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from numpy.typing import NDArray

from collectors.opcua_config import OpcUaConfig
from collectors.opcua_line import Line
from collectors.opcua_nodes import NodeBlock
from collectors.opcua_words import Words

_log = logging.getLogger(__name__)

REFUSED_FILTER = frozenset(
    int(code)
    for code in (
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadDeadbandFilterInvalid,
        StatusCodes.BadFilterNotAllowed,
    )
)
_RANGE = ua.QualifiedName("EURange", 0)
_HAS_PROPERTY = ua.NodeId.from_string("i=46")


class Deadbands:
    """Of one connection. `ranges`: of a row's tag, as the configuration has it; the server's comes first."""

    def __init__(self, nodes: Sequence[NodeBlock], ranges: Mapping[int, tuple[float, float]]) -> None:
        self._nodes, self._ranges = nodes, dict(ranges)
        self.rows = frozenset(n for n, node in enumerate(nodes) if node.deadband or node.deadband_percent)
        self._band = np.array([node.deadband for node in nodes])
        self._value = np.full(len(nodes), np.nan)
        self._status = np.zeros(len(nodes), np.uint32)

    async def learn(self, line: Line, items: Sequence[tuple[int, ua.NodeId]]) -> list[int]:
        """Widths of those that are given in per cent; the rows of which nobody knows the range."""
        wanted = [(row, node) for row, node in items if self._nodes[row].deadband_percent]
        if not wanted:
            return []
        for row, told in zip([r for r, _ in wanted], await ranges(line, [n for _, n in wanted]), strict=True):
            if told is not None:
                self._ranges[row] = told
        for row, _ in wanted:
            low, high = self._ranges.get(row, (0.0, 0.0))
            self._band[row] = (high - low) * self._nodes[row].deadband_percent / 100
        return [row for row, _ in wanted if not self._band[row]]

    def filters(self, rows: Sequence[int]) -> dict[int, ua.DataChangeFilter]:
        """What each of these is to be monitored with."""
        return {row: _filter(self._nodes[row]) for row in rows if row in self.rows}

    def news(
        self, rows: NDArray[np.uint32], values: NDArray[np.float64], statuses: NDArray[np.uint32]
    ) -> NDArray[np.bool_]:
        """Which of these changes are more than their node's deadband away from what was told last.

        Rows without one all are; so is another status, and what is no number where there was one.
        """
        keep = np.ones(len(rows), np.bool_)
        for at in np.flatnonzero(self._band[rows] > 0).tolist():
            row, value, status = int(rows[at]), float(values[at]), int(statuses[at])
            near = abs(value - self._value[row]) <= self._band[row]  # never of a NaN
            none = np.isnan(value) and np.isnan(self._value[row])
            if (near or none) and status == self._status[row]:
                keep[at] = False
            else:
                self._value[row], self._status[row] = value, status
        return keep

    def covers(self, row: int, value: float, told: float) -> bool:
        """Whether a server need not have told this one. It may reckon with fewer digits than we do."""
        return bool(abs(value - told) <= self._band[row] * (1 + 1e-6))


def _filter(node: NodeBlock) -> ua.DataChangeFilter:
    made = ua.DataChangeFilter()
    made.Trigger = ua.DataChangeTrigger.StatusValue
    kind = ua.DeadbandType.Percent if node.deadband_percent else ua.DeadbandType.Absolute
    made.DeadbandType, made.DeadbandValue = ua.UInt32(kind), node.deadband_percent or node.deadband
    return made


async def ranges(line: Line, nodes: Sequence[ua.NodeId]) -> list[tuple[float, float] | None]:
    """The EURange of each; None where the server has none that can be used."""
    targets = await line.properties(nodes, _HAS_PROPERTY, _RANGE)
    known = [t for t in targets if t is not None]
    values = iter(await line.read(known) if known else [])
    return [_range(next(values)) if t is not None else None for t in targets]


def _range(told: ua.DataValue) -> tuple[float, float] | None:
    value = told.Value.Value if told.Value is not None else None
    if not isinstance(value, ua.Range) or not value.Low < value.High:
        return None
    return float(value.Low), float(value.High)


async def monitored(
    line: Line, items: Sequence[tuple[int, ua.NodeId]], config: OpcUaConfig, bands: Deadbands, words: Words,
    name: str,
) -> list[tuple[int, int]]:  # fmt: skip
    """With their deadbands where the server can; (row, status code) of those it does not monitor."""
    sampling, queue = config.rates(), config.room()
    for row in await bands.learn(line, items):
        tag = config.nodes[row].tag
        about = f"{tag}: deadband_percent: nobody knows its range; give the tag range:"
        words.say(row, "EURange", about)
    refused = await line.watch(items, sampling, queue, bands.filters([row for row, _ in items]))
    for what, text in line.revised.complaints(config.interval):
        words.say(-1, what, text)
    without = {row for row, status in refused if row in bands.rows and status in REFUSED_FILTER}
    if not without:
        return refused
    _log.info("%s: %d deadbands are kept here: the server has no such filter", name, len(without))
    again = await line.watch([i for i in items if i[0] in without], sampling, queue)
    return [r for r in refused if r[0] not in without] + again
