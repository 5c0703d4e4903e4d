"""What a publish answer would have told that was larger than we take, or is lost for good: read instead."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from asyncua import ua

from collectors.opcua_channel import TOO_LARGE
from collectors.opcua_decode import Published, of_values
from collectors.opcua_line import Line

_log = logging.getLogger(__name__)
_APART = 5.0  # seconds between two looks, for a server that goes on telling too much at once


@dataclass(slots=True)
class Missed:
    """Of one connection. `nodes`: those that are monitored, by row."""

    name: str
    nodes: dict[int, ua.NodeId]
    _due: bool = False
    _why: str = ""
    _not_before: float = 0.0

    def note(self, why: str = "") -> None:
        """Values were told that we have not got: because of `why`, or since they were too many at once."""
        self._due, self._why = True, why

    async def look(self, line: Line, now: float) -> Published | None:
        """The values as they stand, after an answer that we have not got. `now` in seconds.

        A value that is too large by itself is bad, and no longer asked for on this connection.
        """
        if not self._due or now < self._not_before:
            return None
        self._due, self._not_before = False, now + _APART
        why = self._why or f"the server told more at once than max_message ({line.portions.message} bytes)"
        rows = list(self.nodes)
        values = await line.read(list(self.nodes.values()))
        large = [r for r, v in zip(rows, values, strict=True) if _status(v) == TOO_LARGE]
        if large:
            await line.leave(large)
            self.nodes = {row: node for row, node in self.nodes.items() if row not in large}
        _log.warning(
            "%s: %s; %d values were read instead%s", self.name, why, len(rows),
            f", {len(large)} are larger than that by themselves: make max_message larger" if large else "",
        )  # fmt: skip
        return Published(
            line.subscription, 0, 0, (of_values(list(zip(rows, values, strict=True))),), acknowledge=False
        )


def _status(value: ua.DataValue) -> int:
    return int(value.StatusCode.value) if value.StatusCode is not None else 0
