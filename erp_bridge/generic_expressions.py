"""Expressions looked at before they meet a record: can they be read, what do they name (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError

from erp_bridge.fieldmap import Functions

Complaint = tuple[str, str]  # path below `with`, what is wrong and what to do
_CALLED = frozenset(Functions({}, ZoneInfo("UTC")).FUNCTION_TABLE)
_ROWS_OF_ONE = {"projection", "filter_projection", "value_projection", "flatten", "subexpression", "pipe",
                "index_expression", "slice"}  # fmt: skip


def near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"


def expression(text: str, place: str) -> tuple[list[Complaint], Mapping[str, Any] | None]:
    """(complaints, its tree)."""
    try:
        tree: Mapping[str, Any] = jmespath.compile(text).parsed
    except JMESPathError as cause:
        said = " ".join(str(cause).split())
        return [(place, f"{text!r} is no JMESPath expression: {said}; see jmespath.org/tutorial")], None
    unknown = [n for n in _functions(tree) if n not in _CALLED]
    return [(place, f"{text!r}: no function {n}(); {near(n, _CALLED)}") for n in unknown], tree


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)


def roots(node: Mapping[str, Any]) -> Iterator[str]:
    """The fields of the record itself that an expression names; not those of what it finds there."""
    kind = node["type"]
    if kind == "field":
        yield node["value"]
    elif kind in _ROWS_OF_ONE:
        first = node["children"][0] if node["children"] else None
        yield from roots(first) if isinstance(first, Mapping) else ()
    elif kind != "expref":
        for child in node["children"]:
            if isinstance(child, Mapping):
                yield from roots(child)


def tables_of(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression" and node["value"] in ("table", "back") and node["children"]:
        first = node["children"][0]
        if first["type"] == "literal" and isinstance(first["value"], str):
            yield first["value"]
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from tables_of(child)
