"""The conditions that `alarms:` names, as the lines to one server hear of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from asyncua import ua

from collectors.opcua_conditions import AlarmBlock, Conditions, Watched, wish
from collectors.opcua_decode import Published
from collectors.opcua_line import Line
from collectors.opcua_targets import Targets
from collectors.opcua_words import Words
from hub.model.sample import GOOD

_log = logging.getLogger(__name__)
_SERVER = ua.NodeId.from_string("i=2253")
_BAD_NODE_UNKNOWN = 0x80340000


class Events:
    """Nothing is asked of the server before `watch`, nor where it tells no events."""

    def __init__(self, alarms: Sequence[AlarmBlock], first: int, words: Words, name: str) -> None:
        """`first`: the handle of the first alarm; those of the nodes come before it."""
        self._first, self._last, self._words, self._name = first, first + len(alarms), words, name
        self._targets = Targets(alarms)
        self._conditions: Conditions | None = None

    def follow(self, before: Events) -> None:
        """On another connection of the same source."""
        self._targets = before._targets

    async def watch(self, line: Line) -> None:
        """Have the server tell its events."""
        if self._first == self._last:
            return
        refusal = await line.watch_events(self._last, _SERVER, wish())
        if refusal:
            why = ua.StatusCode(ua.UInt32(refusal)).name
            _log.warning("%s: the server tells no events (%s); alarms: stay without a value", self._name, why)
            return
        self._conditions = Conditions(*await self._found(line))
        await self.refresh(line)

    async def look(self, line: Line) -> None:
        """What nobody knows may be known by now: what is active, or where the server has it."""
        if self._conditions is None:
            return
        if self._conditions.unknown:
            self._conditions.watch(*await self._found(line))
        if not self._conditions.is_whole:
            await self.refresh(line)

    async def refresh(self, line: Line) -> None:
        """Have the server tell again what stands."""
        if self._conditions is None:
            return
        refusal = await line.refresh_conditions()
        if refusal:
            self._words.say(
                -1, refusal, f"ConditionRefresh: {refusal}; only what changes from now on is heard"
            )
            self._conditions.without_refresh()

    async def hear(self, line: Line, heard: Published) -> list[tuple[int, float, int]]:
        """Take its events in: the alarms that are other than before, as handle, value and status."""
        if self._conditions is None:
            return []
        again = [self._conditions.hear(fields) for fields in heard.events]
        if any(again):
            await self.refresh(line)
        return [
            (self._first + row, math.nan, _BAD_NODE_UNKNOWN)
            if value is None
            else (self._first + row, value, GOOD)
            for row, value in self._conditions.news()
        ]

    async def _found(self, line: Line) -> tuple[list[Watched], dict[int, str]]:
        watched, unknown = await self._targets.find(line)
        for row, why in unknown.items():
            self._words.say(self._first + row, why, why)
        return watched, unknown
