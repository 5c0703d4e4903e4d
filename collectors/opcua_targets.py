"""Where the nodes that `alarms:` names are on a server now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from collectors.opcua_conditions import AlarmBlock, Watched
from collectors.opcua_limits import readable
from collectors.opcua_line import Line
from collectors.opcua_places import Places

_AT_ONCE = 200
_CONDITION, _SOURCE = "condition", "source"
_NOT_SHOWN = "the server shows no such {}; correct {}: or give name: instead"


class Targets:
    """Of one source, over all its connections."""

    def __init__(self, alarms: Sequence[AlarmBlock]) -> None:
        self._alarms = alarms
        named = [(row, what) for row in range(len(alarms)) for what in (_CONDITION, _SOURCE)]
        self._named = [(row, what) for row, what in named if getattr(alarms[row], what)]
        self._places = Places([getattr(alarms[row], what) for row, what in self._named])

    async def find(self, line: Line) -> tuple[list[Watched], dict[int, str]]:
        """All alarms; by row why the server shows nothing of one. Its events may come all the same: a server
        need not show its conditions as nodes (part 9, clause 5.5.2)."""
        found, gone = await self._places.find(line, range(len(self._named)))
        shown = await _classes(line, [node for _, node in found])
        for (at, _), kind in zip(found, shown, strict=True):
            what = self._named[at][1]
            if kind is None or (what == _CONDITION and kind != ua.NodeClass.Object):
                gone[at] = _NOT_SHOWN.format(what, what)
        ids = {self._named[at]: node for at, node in found}
        why: dict[int, str] = {}
        for at, remedy in gone.items():
            row, what = self._named[at]
            alarm = self._alarms[row]
            why[row] = f"{getattr(alarm, what)} ({alarm.tag}): {remedy.replace(' node:', f' {what}:')}"
        return [self._watched(row, ids) for row in range(len(self._alarms))], why

    def _watched(self, row: int, ids: dict[tuple[int, str], ua.NodeId]) -> Watched:
        alarm = self._alarms[row]
        condition = ids.get((row, _CONDITION), ua.NodeId()) if alarm.condition else None
        source = ids.get((row, _SOURCE), ua.NodeId()) if alarm.source else None
        return Watched(condition, source, alarm.name, alarm.codes)


@readable
async def _classes(line: Line, nodes: Sequence[ua.NodeId]) -> list[Any]:
    """The class of each node; 0 where the server keeps it to itself, None where there is no such node."""

    async def ask(some: Sequence[ua.NodeId]) -> list[Any]:
        answers = await line.client.uaclient.session.read_attributes(list(some), AttributeIds.NodeClass)
        return [_class(answer) for answer in answers]

    return await line.in_parts(nodes, _AT_ONCE, ask, "classes")


def _class(answer: ua.DataValue) -> Any:
    if answer.StatusCode is not None and answer.StatusCode.name in ("BadNodeIdUnknown", "BadNodeIdInvalid"):
        return None
    return answer.Value.Value if answer.Value is not None else 0
