"""Names that an expression of a field map uses beside fields: functions and value tables (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def called(tree: Mapping[str, Any]) -> Iterator[str]:
    """Functions, wherever in the expression they stand."""
    for node in _nodes(tree):
        if node["type"] == "function_expression":
            yield node["value"]


def tables_named(tree: Mapping[str, Any]) -> Iterator[str]:
    """Value tables that are named outright, not worked out."""
    for node in _nodes(tree):
        if node["type"] == "function_expression" and node["value"] in ("table", "back") and node["children"]:
            first = node["children"][0]
            if first["type"] == "literal" and isinstance(first["value"], str):
                yield first["value"]


def meant(name: str, known: Iterable[str]) -> str:
    """The near one, else all there are; "" where there are none."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, 1, 0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(there)}" if there else ""


def _nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield tree
    for child in tree["children"]:
        if isinstance(child, Mapping):
            yield from _nodes(child)
