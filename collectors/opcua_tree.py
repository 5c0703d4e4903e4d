"""A server's address space as a tree: what is there, its type, unit and range. Browses and reads only."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from collectors.opcua_line import Line
from collectors.opcua_references import browsed

_log = logging.getLogger(__name__)
Name = tuple[str, str]  # namespace URI and name
_OBJECTS = "i=85"
OBJECTS = ua.NodeId.from_string(_OBJECTS)
_HIERARCHICAL, _HAS_SUBTYPE = ua.NodeId.from_string("i=33"), ua.NodeId.from_string("i=45")
_ENUMERATION, _STRING, _LOCALIZED = 29, 12, 21
_NUMBERS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 26, 27, 28, _ENUMERATION)  # 26 to 28: Number and its halves
_MAY_BE_SCALAR = (-1, -2, -3)  # scalar; anything; scalar or one dimension
_ANY_TYPE, _ANY_RANK = ua.NodeId.from_string("i=24"), -2  # BaseDataType
_ALL = 0x3F  # every field of a reference
_AT_ONCE = 200
NUMBER, TEXT, OTHER = "number", "text", "other"


@dataclass(slots=True, eq=False)
class Thing:
    """An object or a variable, where it was found first."""

    node: str  # nsu=URI;s=NAME
    name: Name
    label: str
    is_variable: bool
    types: tuple[Name, ...] = ()  # its own first, then those it is derived from
    kids: list[Thing] = field(default_factory=list)
    holds: str = OTHER  # NUMBER, TEXT or OTHER, of a single value
    unit: str = ""
    range: tuple[float, float] | None = None
    way: tuple[Name, ...] = ()  # the names that lead to it from Objects; none where they lead elsewhere, too

    def kid(self, *path: str) -> Thing | None:
        """The one below it that these names lead to, in whatever namespace they are."""
        here: Thing | None = self
        for step in path:
            here = next((k for k in here.kids if k.name[1] == step), None) if here else None
        return here

    def is_a(self, *names: str) -> bool:
        """Of a type so called, or of one derived from it."""
        return any(name in names for _, name in self.types)

    def below(self) -> Iterator[Thing]:
        """Itself and all below it, from the top."""
        yield self
        for kid in self.kids:
            yield from kid.below()


class Walker:
    """Walks what one open line shows; `most` nodes at most, so that an endless space has an end."""

    def __init__(self, line: Line, uris: Sequence[str], most: int = 50_000) -> None:
        self._line, self._uris, self._most = line, uris, most
        self._types: dict[ua.NodeId, tuple[Name, ...]] = {}
        self._above: dict[ua.NodeId, ua.NodeId | None] = {}
        self._things: dict[ua.NodeId, Thing] = {}
        self._type_of: dict[ua.NodeId, ua.NodeId] = {}
        self.is_whole = True  # False when there were more nodes than `most`
        self.unclear: list[str] = []  # variables that may hold anything, and no single number or text now

    async def tree(self, root: ua.NodeId = OBJECTS) -> Thing:
        """Everything below `root`; but what the standard puts under Objects."""
        top = Thing(self.written(root), ("", ""), "", is_variable=False)
        self._things[root] = top
        level = [root]
        while level and self.is_whole:
            found = await self._references(level, _HIERARCHICAL, ua.BrowseDirection.Forward)
            level = [n for parent, refs in zip(level, found, strict=True) for n in self._taken(parent, refs)]
        await self._name_types()
        await self._describe()
        return top

    def written(self, node: ua.NodeId) -> str:
        """As configurations name it: by the namespace's URI, which stays when its number does not."""
        rest = node.to_string()
        index = int(node.NamespaceIndex)
        if not index:
            return rest
        rest = rest.partition(";")[2]
        return f"nsu={self._uris[index]};{rest}" if index < len(self._uris) else f"ns={index};{rest}"

    def _name(self, name: Any) -> Name:
        index = int(name.NamespaceIndex)
        return (self._uris[index] if index < len(self._uris) else "", str(name.Name or ""))

    def _taken(self, parent: ua.NodeId, refs: Iterable[Any]) -> Iterator[ua.NodeId]:
        """Those not seen before, hung below their parent."""
        for ref in refs:
            node = _plain(ref.NodeId)
            own = int(node.NamespaceIndex) or int(ref.BrowseName.NamespaceIndex)  # some number theirs as 0
            standard = parent == OBJECTS and not own
            if node in self._things or standard or ref.NodeClass not in _SHOWN:
                continue
            if len(self._things) >= self._most:
                self.is_whole = False
                return
            name = self._name(ref.BrowseName)
            label = str(ref.DisplayName.Text or name[1])
            thing = Thing(self.written(node), name, label, ref.NodeClass == ua.NodeClass.Variable)
            self._things[node] = thing
            self._type_of[node] = _plain(ref.TypeDefinition)
            self._hang(self._things[parent], thing)
            yield node

    def _hang(self, parent: Thing, thing: Thing) -> None:
        thing.way = (*parent.way, thing.name) if parent.way or parent.node == _OBJECTS else ()
        for twin in parent.kids:
            if twin.name == thing.name:
                twin.way = thing.way = ()
        parent.kids.append(thing)

    # -------------------------------------------------------------- types
    async def _name_types(self) -> None:
        wanted = set(self._type_of.values())
        await self._climb(wanted)
        known = list(self._above)
        names = dict(zip(known, await self._read(known, AttributeIds.BrowseName), strict=True))
        for node, kind in self._type_of.items():
            if kind not in self._types:
                self._types[kind] = tuple(self._name(n) for t in self._line_up(kind) if (n := names.get(t)))
            self._things[node].types = self._types[kind]

    async def _climb(self, start: Iterable[ua.NodeId]) -> None:
        """Whom each of these types is derived from, and those in turn."""
        level = [t for t in start if t not in self._above]
        while level:
            found = await self._references(level, _HAS_SUBTYPE, ua.BrowseDirection.Inverse)
            for node, refs in zip(level, found, strict=True):
                self._above[node] = _plain(refs[0].NodeId) if refs else None
            level = [a for a in {self._above[n] for n in level} if a is not None and a not in self._above]

    def _line_up(self, kind: ua.NodeId) -> Iterator[ua.NodeId]:
        seen: set[ua.NodeId] = set()
        here: ua.NodeId | None = kind
        while here is not None and here not in seen:
            seen.add(here)
            yield here
            here = self._above.get(here)

    # -------------------------------------------------------------- variables
    async def _describe(self) -> None:
        """What each variable holds; its unit and range from its properties (part 8, clause 5.6)."""
        nodes = [n for n, t in self._things.items() if t.is_variable]
        kinds = [_plain(k) if k else None for k in await self._read(nodes, AttributeIds.DataType)]
        ranks = await self._read(nodes, AttributeIds.ValueRank)
        await self._climb({k for k in kinds if k is not None})
        open_: list[ua.NodeId] = []
        for node, kind, rank in zip(nodes, kinds, ranks, strict=True):
            if kind is None or (rank is not None and int(rank) not in _MAY_BE_SCALAR):
                continue
            if kind == _ANY_TYPE or (rank is not None and int(rank) == _ANY_RANK):
                open_.append(node)
            else:
                self._things[node].holds = self._held(kind)
        await self._look_into(open_)
        by_thing = {id(t): n for n, t in self._things.items()}
        asked = [
            (thing, by_thing[id(kid)])
            for thing in self._things.values()
            if thing.is_variable
            for kid in thing.kids
            if kid.name[1] in ("EngineeringUnits", "EURange")
        ]
        values = await self._read([n for _, n in asked], AttributeIds.Value)
        for (thing, _), value in zip(asked, values, strict=True):
            if isinstance(value, ua.EUInformation):
                thing.unit = str(value.DisplayName.Text or "")
            elif isinstance(value, ua.Range) and value.Low < value.High:
                thing.range = (float(value.Low), float(value.High))

    async def _look_into(self, nodes: Sequence[ua.NodeId]) -> None:
        """Their types leave open what they hold: it is seen from their values."""
        for node, value in zip(nodes, await self._read(nodes, AttributeIds.Value), strict=True):
            if isinstance(value, bool | int | float):
                self._things[node].holds = NUMBER
            elif isinstance(value, str | ua.LocalizedText):
                self._things[node].holds = TEXT
            else:
                self.unclear.append(self._things[node].node)

    def _held(self, kind: ua.NodeId) -> str:
        for step in self._line_up(kind):
            if not int(step.NamespaceIndex) and isinstance(step.Identifier, int):
                if step.Identifier in _NUMBERS:
                    return NUMBER
                if step.Identifier in (_STRING, _LOCALIZED):
                    return TEXT
        return OTHER

    # -------------------------------------------------------------- asking
    async def _read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[Any]:
        """The attribute's value of each; None where the server does not tell."""

        async def ask(some: Sequence[ua.NodeId]) -> list[Any]:
            answers = await self._line.client.uaclient.session.read_attributes(list(some), attribute)
            return [a.Value.Value if a.Value is not None else None for a in answers]

        return await self._line.in_parts(nodes, _AT_ONCE, ask, alone=lambda _: None)

    async def _references(
        self, nodes: Sequence[ua.NodeId], kind: ua.NodeId, direction: ua.BrowseDirection
    ) -> list[list[Any]]:
        """The references of each node; none of one that the server will not show."""

        async def ask(some: Sequence[ua.NodeId]) -> list[list[Any]]:
            wishes = [ua.BrowseDescription(n, direction, kind, ResultMask=ua.UInt32(_ALL)) for n in some]
            return await browsed(self._line, wishes)

        return await self._line.in_parts(nodes, _AT_ONCE, ask, "browse")


async def shown(line: Line) -> Thing:
    """Everything that the server shows; what is left out of it, the log says."""
    walker = Walker(line, await line.namespaces())
    top = await walker.tree()
    if not walker.is_whole:
        _log.warning("browse: the server shows more than can be taken; the rest is left out")
    if walker.unclear:
        some = ", ".join(walker.unclear[:5])
        _log.warning("browse: %d hold no single number, left out: %s", len(walker.unclear), some)
    return top


_SHOWN = (ua.NodeClass.Object, ua.NodeClass.Variable)


def _plain(node: Any) -> ua.NodeId:
    """Without the server's number and the namespace's URI, which references may carry."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
