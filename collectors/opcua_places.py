"""Where the nodes of a configuration are on a server now: ids by the URI of a namespace, paths by names.

A server that builds its nodes at every start numbers them as they come: after its model was changed the
number of one may be that of another. Names stay, so a path finds its node again. And of numbered nodes the
names are remembered as long as the hub runs: another variable under an old number is not the one meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from collectors.opcua_limits import readable
from collectors.opcua_line import Line
from collectors.opcua_nodes import Step, resolve, steps

OBJECTS = ua.NodeId.from_string("i=85")
_HIERARCHICAL = ua.NodeId.from_string("i=33")
_FORWARD: tuple[Any, Any] = (False, True)  # not inverse, subtypes of the reference too
_AT_ONCE = 200
_NUMBERED = re.compile(r"(^|;)i=\d+$")
_NOT_THERE = "the server has no such node; correct node:"


class Places:
    """Of one source, over all its connections."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self._names: dict[int, Any] = {}  # of those that have a number, by row

    async def find(
        self, line: Line, rows: Iterable[int]
    ) -> tuple[list[tuple[int, ua.NodeId]], dict[int, str]]:
        """(row, node id) of those that are there as far as is known; by row why the others are not."""
        rows, uris = list(rows), await line.namespaces()
        found = await located(line, [self._nodes[row] for row in rows], uris)
        gone = {row: _NOT_THERE for row, node in zip(rows, found, strict=True) if node is None}
        items = [(row, node) for row, node in zip(rows, found, strict=True) if node is not None]
        gone |= await self._renamed(line, [i for i in items if _is_numbered(self._nodes[i[0]])], uris)
        return [(row, node) for row, node in items if row not in gone], gone

    async def _renamed(
        self, line: Line, items: Sequence[tuple[int, ua.NodeId]], uris: Sequence[str]
    ) -> dict[int, str]:
        """Those whose number is that of another variable since they were seen first."""
        gone: dict[int, str] = {}
        for (row, _), name in zip(items, await _names(line, [node for _, node in items]), strict=True):
            if not isinstance(name, ua.QualifiedName) or not name.Name:
                continue
            index = int(name.NamespaceIndex)
            now = (uris[index] if index < len(uris) else "", str(name.Name))
            before = self._names.setdefault(row, now)
            if before != now:
                gone[row] = (
                    f"was {before[1]!r} and is {now[1]!r} now, the server numbers its nodes anew;"
                    " correct node: or name it by path= instead"
                )
        return gone


async def located(line: Line, nodes: Sequence[str], uris: Sequence[str]) -> list[ua.NodeId | None]:
    """Each as this server has it now; None for what leads nowhere, or to more than one."""
    ways = {at: way for at, node in enumerate(nodes) if (way := steps(node)) is not None}
    found: list[ua.NodeId | None] = [
        None if at in ways else resolve(node, uris) for at, node in enumerate(nodes)
    ]
    known = {at: way for at, way in ways.items() if all(uri in uris for uri, _ in way)}
    for at, target in zip(known, await _targets(line, list(known.values()), uris), strict=True):
        found[at] = target
    return found


@readable
async def _targets(line: Line, ways: Sequence[Sequence[Step]], uris: Sequence[str]) -> list[ua.NodeId | None]:
    async def ask(some: Sequence[Sequence[Step]]) -> list[ua.NodeId | None]:
        wish = [ua.BrowsePath(OBJECTS, ua.RelativePath([_element(s, uris) for s in way])) for way in some]
        answers = await line.client.uaclient.session.translate_browsepaths_to_nodeids(wish)
        return [_only(answer) for answer in answers]

    return await line.in_parts(ways, _AT_ONCE, ask, "paths")


def _element(step: Step, uris: Sequence[str]) -> ua.RelativePathElement:
    uri, name = step
    return ua.RelativePathElement(_HIERARCHICAL, *_FORWARD, ua.QualifiedName(name, uris.index(uri)))


def _only(answer: Any) -> ua.NodeId | None:
    """Where the path leads when it leads to one node of this server; the same one may be found twice."""
    ends = {t.TargetId for t in answer.Targets or () if t.RemainingPathIndex == 0xFFFFFFFF}
    if not answer.StatusCode.is_good() or len(ends) != 1:
        return None
    [end] = ends
    return ua.NodeId(end.Identifier, end.NamespaceIndex, end.NodeIdType)


@readable
async def _names(line: Line, nodes: Sequence[ua.NodeId]) -> list[Any]:
    async def ask(some: Sequence[ua.NodeId]) -> list[Any]:
        answers = await line.client.uaclient.session.read_attributes(list(some), AttributeIds.BrowseName)
        return [a.Value.Value if a.Value is not None else None for a in answers]

    return await line.in_parts(nodes, _AT_ONCE, ask, "names")


def _is_numbered(node: str) -> bool:
    return bool(_NUMBERED.search(node))
