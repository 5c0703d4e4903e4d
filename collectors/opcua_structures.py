"""Structures of the server's own types, decoded by the definitions that it tells (OPC 10000-3, clause 8.48).

Nothing is generated or imported: a definition is a list of fields, walked over the bytes (OPC 10000-6, clause
5.2.6). So one type that makes no sense spoils the tags that use it and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import struct_from_binary, unpack_uatype

from collectors.opcua_decode import UNREADABLE
from collectors.opcua_limits import readable
from collectors.opcua_line import Line

_BUILT_IN = range(1, 26)
_ENUMERATION, _INT32 = 29, 6
_MOST_TYPES, _DEEPEST, _LONGEST = 200, 16, 65_536
_HAS_SUBTYPE = ua.NodeId.from_string("i=45")
_PLAIN, _OPTIONAL, _UNION = (
    ua.StructureType.Structure,
    ua.StructureType.StructureWithOptionalFields,
    ua.StructureType.Union,
)


@dataclass(slots=True)
class Structures:
    """What was learnt of one server's data types."""

    _definitions: dict[ua.NodeId, ua.StructureDefinition] = field(default_factory=dict)
    _built_in: dict[ua.NodeId, int] = field(default_factory=dict)
    _by_encoding: dict[ua.NodeId, ua.NodeId] = field(default_factory=dict)

    async def learn(self, line: Line, variables: Sequence[ua.NodeId]) -> None:
        """The types of these variables, and those that they are made of."""
        wanted = [k for k in await _attribute(line, variables, AttributeIds.DataType) if k is not None]
        known: set[ua.NodeId] = set()
        while wanted := [k for k in dict.fromkeys(wanted) if k not in known][: _MOST_TYPES - len(known)]:
            known.update(wanted)
            found = await _attribute(line, wanted, AttributeIds.DataTypeDefinition)
            inner: list[ua.NodeId] = []
            for kind, definition in zip(wanted, found, strict=True):
                if isinstance(definition, ua.StructureDefinition):
                    self._definitions[kind] = definition
                    self._by_encoding[definition.DefaultEncodingId] = kind
                    inner += [f.DataType for f in definition.Fields or ()]
                else:
                    self._built_in[kind] = await _built_in(line, kind)
            wanted = inner

    def decoded(self, value: Any) -> Any:
        """Structures as dicts, None for the one that is none; what cannot be decoded stays as it is."""
        if isinstance(value, list):
            return [self.decoded(v) for v in value]
        if not isinstance(value, ua.ExtensionObject):
            return value
        if not value.Body:
            return None if value.TypeId.is_null() else value
        kind = self._by_encoding.get(value.TypeId)
        try:
            return self._structure(kind, Buffer(value.Body), 0) if kind is not None else value
        except UNREADABLE:
            return value

    def _structure(self, kind: ua.NodeId, data: Buffer, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise ValueError("structures within structures without end")
        definition = self._definitions[kind]
        fields = list(definition.Fields or ())
        form = ua.StructureType(definition.StructureType)
        if form == _UNION:
            chosen = int(unpack_uatype(ua.VariantType.UInt32, data))
            fields = fields[chosen - 1 : chosen] if chosen else []
        elif form == _OPTIONAL:
            mask, bit = int(unpack_uatype(ua.VariantType.UInt32, data)), 0
            here = []
            for each in fields:
                if not each.IsOptional or mask >> bit & 1:
                    here.append(each)
                bit += bool(each.IsOptional)
            fields = here
        elif form != _PLAIN:
            raise ValueError(f"a structure of type {form}")
        return {str(f.Name): self._field(f, data, depth) for f in fields}

    def _field(self, field_: ua.StructureField, data: Buffer, depth: int) -> Any:
        rank = int(field_.ValueRank)
        if rank < 1:  # node-opcua tells a scalar as 0, which the standard does not know in a field
            return self._one(field_.DataType, data, depth)
        if rank > 1:
            raise ValueError("an array of several dimensions within a structure")
        count = int(unpack_uatype(ua.VariantType.Int32, data))
        if count > min(_LONGEST, len(data)):  # each element takes a byte at least
            raise ValueError("an array without end")
        found = []
        for _ in range(count):
            left = len(data)
            found.append(self._one(field_.DataType, data, depth))
            if len(data) == left:
                raise ValueError("an array of elements that take no room")
        return found

    def _one(self, kind: ua.NodeId, data: Buffer, depth: int) -> Any:
        if kind in self._definitions:
            standard = ua.extension_objects_by_datatype.get(kind)
            return struct_from_binary(standard, data) if standard else self._structure(kind, data, depth + 1)
        value = unpack_uatype(ua.VariantType(self._built_in[kind]), data)
        return value.Value if isinstance(value, ua.Variant) else getattr(value, "Text", value)


@readable
async def _built_in(line: Line, kind: ua.NodeId) -> int:
    """Number of the built-in type that this one is written as; 0 for none."""
    for _ in range(_DEEPEST):
        number = kind.Identifier
        if not int(kind.NamespaceIndex) and isinstance(number, int):
            if number == _ENUMERATION:
                return _INT32
            if number in _BUILT_IN:
                return number
        wish = ua.BrowseParameters()
        wish.NodesToBrowse = [
            ua.BrowseDescription(kind, ua.BrowseDirection.Inverse, _HAS_SUBTYPE, ResultMask=ua.UInt32(0x3F))
        ]
        [result] = await line.client.uaclient.session.browse(wish)
        if not result.References:
            break
        above = result.References[0].NodeId
        kind = ua.NodeId(above.Identifier, above.NamespaceIndex, above.NodeIdType)
    return 0


async def _attribute(line: Line, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[Any]:
    async def ask(some: Sequence[ua.NodeId]) -> list[Any]:
        answers = await line.client.uaclient.session.read_attributes(list(some), attribute)
        return [a.Value.Value if a.Value is not None else None for a in answers]

    return await line.in_parts(nodes, 200, ask)
