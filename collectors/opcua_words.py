"""Texts and numbers of OPC UA nodes that stand for other numbers, and what is said of those that do not."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from collectors.opcua_decode import BAD_TYPE_MISMATCH
from collectors.opcua_nodes import STEP, NodeBlock, code_word, picked
from hub.model.sample import BAD, BAD_OUT_OF_RANGE

_log = logging.getLogger(__name__)
_COMPLAINTS = 1000  # in the life of a connection
_KINDS: dict[type, str] = {
    list: "an array", dict: "a structure", bytes: "a ByteString", UUID: "a Guid", datetime: "a DateTime",
}  # fmt: skip
_MOST_PARTS = 20  # that are named in one complaint


class Words:
    """The `codes:` of a collector's nodes; a handle is the node's place among them."""

    def __init__(self, nodes: Sequence[NodeBlock], name: str) -> None:
        self._nodes, self._name = nodes, name
        self.codes = {i: n.codes for i, n in enumerate(nodes) if n.codes}
        self._told: set[tuple[int, str]] = set()

    def rows(self, handles: NDArray[np.uint32], texts: Mapping[int, str]) -> list[int]:
        """Of these changes, those that have to be looked up."""
        rows = list(texts)
        if self.codes:
            rows += np.flatnonzero(np.isin(handles, list(self.codes))).tolist()
        return sorted(set(rows))

    def value(self, handle: int, text: str | None, value: float, status: int) -> tuple[float, int]:
        """What it stands for, and the status of that."""
        codes = self.codes.get(handle)
        if status >= BAD or (text is None and math.isnan(value)):
            return math.nan, status
        word = text if text is not None else code_word(float(value))
        if codes and word in codes:
            return codes[word], status
        tag = self._nodes[handle].tag
        if codes is None:
            self.say(handle, word, f"{tag} is a text ({word[:40]!r}); give it codes: {{TEXT: number}}")
            return math.nan, BAD_TYPE_MISMATCH
        self.say(handle, word, f"{tag}: {word[:40]!r} is not among its codes:; add it")
        return math.nan, BAD_OUT_OF_RANGE

    def say(self, handle: int, what: str, text: str) -> None:
        """Each complaint once in the life of a connection, and not without end."""
        if (handle, what) not in self._told and len(self._told) < _COMPLAINTS:
            self._told.add((handle, what))
            _log.warning("%s: %s", self._name, text)


def no_part(tag: str, value: Any, item: str) -> str:
    """Why `item` leads to no single number or text in this value, and which parts there are instead."""
    way = ""
    for step in STEP.finditer(item):
        inner = picked(value, step[0])
        if inner is None:
            name, where = step[0].lstrip("."), f" in {way}" if way else ""
            if isinstance(value, dict) and name in value:
                return f"{tag}: item: {item}: {name} holds nothing{where}"
            return f"{tag}: item: {item}: {name} is not there{where}; {_parts(value)}"
        value, way = inner, way + step[0]
    if not item and not (isinstance(value, list | tuple | dict) or is_dataclass(value)):
        return f"{tag} is {kind_of(value)}, no number and no text; name another node"
    if not item:
        return f"{tag} is {kind_of(value)}; item: names a part of it"
    return f"{tag}: item: {item} leads to {kind_of(value)}, no single value; {_parts(value)}"


def kind_of(value: Any) -> str:
    """A value that is no number, in the words of OPC UA."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _parts(value: Any) -> str:
    match value:
        case ua.ExtensionObject():
            return "the server does not tell what this type is made of (DataTypeDefinition)"
        case dict():
            names = list(value)
        case list() | tuple():
            names = [f"[{n}]" for n in range(len(value))]
        case _:
            names = [f.name for f in fields(value)] if is_dataclass(value) else []
    some = ", ".join(n if n.isprintable() and len(n) <= 40 else repr(n[:40]) for n in names[:_MOST_PARTS])
    more = f" and {len(names) - _MOST_PARTS} more" if len(names) > _MOST_PARTS else ""
    return f"there are: {some}{more}" if names else "it has no parts"
