"""The conditions that `alarms:` names, as one line hears of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from asyncua import ua

from collectors.opcua_conditions import AlarmBlock, Conditions, Watched, wish
from collectors.opcua_decode import Published
from collectors.opcua_line import Line
from collectors.opcua_words import Words

_log = logging.getLogger(__name__)
_SERVER = ua.NodeId.from_string("i=2253")


class Events:
    """Nothing is asked of the server before `watch`, nor where it tells no events."""

    def __init__(self, alarms: Sequence[AlarmBlock], first: int, words: Words, name: str) -> None:
        """`first`: the handle of the first alarm; those of the nodes come before it."""
        self._alarms, self._first, self._words, self._name = alarms, first, words, name
        self._conditions: Conditions | None = None

    @property
    def are_whole(self) -> bool:
        """False as long as nobody can say what is not active."""
        return self._conditions is None or self._conditions.is_whole

    async def watch(self, line: Line, uris: Sequence[str]) -> None:
        """Have the server tell its events; `uris` are its namespaces."""
        if not self._alarms:
            return
        watched = [Watched.of(a, uris) for a in self._alarms]
        refusal = await line.watch_events(self._first + len(watched), _SERVER, wish())
        if refusal:
            why = ua.StatusCode(ua.UInt32(refusal)).name
            _log.warning("%s: the server tells no events (%s); alarms: stay without a value", self._name, why)
            return
        self._conditions = Conditions(watched)
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

    async def hear(self, line: Line, heard: Published) -> list[tuple[int, float]]:
        """Take its events in: the handles of the alarms that are other than before, with their values."""
        if self._conditions is None:
            return []
        again = [self._conditions.hear(fields) for fields in heard.events]
        if any(again):
            await self.refresh(line)
        return [(self._first + row, value) for row, value in self._conditions.news()]
