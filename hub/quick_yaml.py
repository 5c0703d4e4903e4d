"""Plain, well-formed YAML straight from the parser's events to values, for plants of ten thousand points.

PyYAML's own way makes a tree of nodes and then values of it: for such a plant five seconds and 100 MB. This
takes libyaml's events instead, in a tenth of that. It knows what people write: mappings, sequences, scalars,
anchors and `<<`. Whatever else it meets, and whatever is wrong, is `Unusual`: PyYAML's reader then decides,
and says what there is to say. So there is one meaning and one set of complaints, and a quick way to both.
"""

from __future__ import annotations

import math
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

MERGE = "<<"
_CPARSER: Any = getattr(getattr(yaml, "cyaml", None), "CParser", None)  # None: built without libyaml
_RESOLVER = Resolver()
_UNUSUAL = (yaml.YAMLError, ValueError, TypeError, LookupError, OverflowError, AttributeError)


class Unusual(Exception):
    """Not for the quick way."""


def quick(text: str, most_repeated: float = math.inf) -> Any:
    """The only document of `text`; raises Unusual, or RecursionError, where PyYAML has to be asked.

    `most_repeated`: values that its aliases may stand for, all in all.
    """
    if _CPARSER is None:
        raise Unusual
    try:
        return _Builder(_CPARSER(text), most_repeated).document()
    except _UNUSUAL as cause:
        raise Unusual from cause


class _Builder:
    def __init__(self, parser: Any, most_repeated: float) -> None:
        self._next = parser.get_event
        self._plain: dict[str, Any] = {}  # plain scalars met so far: few differ in a long file
        self._quoted: dict[str, str] = {}
        self._anchors: dict[str, Any] = {}  # finished ones alone: an alias of its own inside is unusual
        self._behind: dict[str, int] = {}  # the values an anchor stands for
        self._met = 0
        self._left = most_repeated

    def document(self) -> Any:
        self._expect(StreamStartEvent)
        start = self._expect(DocumentStartEvent)
        if start.version or start.tags:
            raise Unusual
        value = self._value(self._next())
        self._expect(DocumentEndEvent)
        self._expect(StreamEndEvent)
        return value

    def _expect(self, kind: type) -> Any:
        event = self._next()
        if event.__class__ is not kind:
            raise Unusual
        return event

    def _value(self, event: Any) -> Any:
        kind = event.__class__
        if kind is AliasEvent:
            return self._again(event.anchor)
        before = self._met
        self._met += 1
        if kind is ScalarEvent:
            value = self._scalar(event)
        elif event.tag is not None:
            raise Unusual
        elif kind is MappingStartEvent:
            value = self._mapping()
        elif kind is SequenceStartEvent:
            value = self._sequence()
        else:
            raise Unusual
        if event.anchor is not None:
            if event.anchor in self._anchors:
                raise Unusual
            self._anchors[event.anchor] = value
            self._behind[event.anchor] = self._met - before
        return value

    def _again(self, anchor: str) -> Any:
        size = self._behind[anchor]
        self._met += size
        self._left -= size
        if self._left < 0:
            raise Unusual
        return self._anchors[anchor]

    def _sequence(self) -> list[Any]:
        values = []
        while (event := self._next()).__class__ is not SequenceEndEvent:
            values.append(self._value(event))
        return values

    def _mapping(self) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        texts: set[str] = set()
        merged: dict[Any, Any] | None = None
        while (event := self._next()).__class__ is not MappingEndEvent:
            if event.__class__ is not ScalarEvent or event.anchor is not None or event.value in texts:
                raise Unusual
            texts.add(event.value)
            if event.value == MERGE:
                merged = self._merged(event)
            else:
                own[self._scalar(event)] = self._value(self._next())
        return own if merged is None else merged | own

    def _merged(self, key: Any) -> dict[Any, Any]:
        """One mapping or several, of which the first that has a key gives its value."""
        if not key.implicit[0]:
            raise Unusual
        found = self._value(self._next())
        all_of_it: dict[Any, Any] = {}
        for each in reversed(found if isinstance(found, list) else [found]):
            if not isinstance(each, dict):
                raise Unusual
            all_of_it |= each
        return all_of_it

    def _scalar(self, event: Any) -> Any:
        if event.tag is not None:
            raise Unusual
        text = event.value
        if not event.implicit[0]:
            return self._quoted.setdefault(text, text)
        try:
            return self._plain[text]
        except KeyError:
            value = self._plain[text] = _meant(text)
            return value


def _meant(text: str) -> Any:
    """What YAML 1.1 takes a plain scalar for, by PyYAML's own tables."""
    tag = _RESOLVER.resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return SafeConstructor().construct_object(ScalarNode(tag, text), deep=True)
