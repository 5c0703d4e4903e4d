"""What is to be read of an OPC UA server."""

from __future__ import annotations

import math
from datetime import timedelta

from pydantic import Field, model_validator

from collectors.opcua_conditions import AlarmBlock
from collectors.opcua_nodes import NodeBlock
from collectors.opcua_session import ServerBlock
from collectors.source_times import AHEAD, ClockAhead
from hub.config import Duration

_CUT = timedelta(minutes=1)
_USUAL = 10  # values of a node
_MOST, _MOST_IN_ALL = 1000, 500_000


class OpcUaConfig(ServerBlock):
    """The `with:` block of a `kind: opcua` collector."""

    interval: Duration = Field(timedelta(milliseconds=200), description="how often the server tells")
    sampling: Duration | None = Field(
        None, description="how often it looks at a node; as often as it tells when left out, 0ms: all it can"
    )
    queue: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="values of a node it keeps until it tells, also while a line is cut",
    )
    keep_alive: Duration = timedelta(seconds=1)
    clock_ahead: ClockAhead = AHEAD
    nodes: list[NodeBlock] = Field([])
    alarms: list[AlarmBlock] = Field([], description="Alarms & Conditions of the server, as tags")

    def notes(self) -> list[str]:
        return [
            f"nodes[{n}].node: {node.node} names a namespace by its number, which the server may give to"
            " another one at its next start; write nsu=URI instead (andon browse does)"
            for n, node in enumerate(self.nodes)
            if node.node.startswith("ns=") and not node.node.startswith("ns=0;")
        ]

    @model_validator(mode="after")
    def _something(self) -> OpcUaConfig:
        if not (self.nodes or self.alarms):
            raise ValueError("nodes: or alarms: must name at least 1")
        return self

    @model_validator(mode="after")
    def _room(self) -> OpcUaConfig:
        between = self._within(self.interval)
        if self.queue is not None and self.queue < between:
            raise ValueError(
                f"queue: holds {self.queue} of the {between} samples between two answers; enlarge it"
            )
        return self

    def room(self) -> int:
        """For how many values of each node the server is asked: when left out, for a cut of a minute, but
        not for more than half a million in all."""
        if self.queue is not None:
            return self.queue
        most = min(_MOST, _MOST_IN_ALL // max(len(self.nodes), 1))
        return max(_USUAL, self._within(self.interval), min(self._within(_CUT), most))

    def _within(self, span: timedelta) -> int:
        """Values at most that a node makes in that time; of one that is looked at without a pause nobody
        knows."""
        found = [rate for rate in self.rates() if rate]
        return math.ceil(span / min(found)) if found else 1

    def rates(self) -> list[timedelta]:
        """How often each node is to be looked at."""
        usual = self.interval if self.sampling is None else self.sampling
        return [usual if node.sampling is None else node.sampling for node in self.nodes]
