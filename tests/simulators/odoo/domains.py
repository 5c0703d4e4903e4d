"""Search domains: prefix notation, dotted paths, Odoo's operators (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.simulators.odoo.errors import value_error

Row = dict[str, Any]
Value = Callable[[Row, str], Any]  # a row's value by dotted path; raises for a field that is not there
Test = Callable[[Row], bool]

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def compiled(domain: list[Any], value: Value) -> Test:
    """Raises OdooError for what is no domain. Leaves that follow one another are all wanted."""
    rest = list(domain)
    parts: list[Test] = []
    while rest:
        parts.append(_one(rest, value))
    return lambda row: all(part(row) for part in parts)


def _one(rest: list[Any], value: Value) -> Test:
    if not rest:
        raise value_error("Invalid domain: an operand is missing")
    head = rest.pop(0)
    if head == "!":
        inner = _one(rest, value)
        return lambda row: not inner(row)
    if head in ("&", "|"):
        left, right = _one(rest, value), _one(rest, value)
        if head == "&":
            return lambda row: left(row) and right(row)
        return lambda row: left(row) or right(row)
    if not isinstance(head, list | tuple) or len(head) != 3:
        raise value_error(f"Invalid domain term {head!r}")
    path, operator, wanted = head
    return _leaf(str(path), str(operator), wanted, value)


def _leaf(path: str, operator: str, wanted: Any, value: Value) -> Test:
    if operator in ("=", "!="):
        same = operator == "="
        return lambda row: _equal(value(row, path), wanted) == same
    if operator in ("in", "not in"):
        if not isinstance(wanted, list | tuple):
            raise value_error(f"Invalid domain term {[path, operator, wanted]!r}")
        inside = operator == "in"
        return lambda row: any(_equal(value(row, path), w) for w in wanted) == inside
    if operator in _ORDERED:
        compare = _ORDERED[operator]

        def ordered(row: Row) -> bool:
            found = value(row, path)
            found = found[0] if isinstance(found, tuple) else found
            return found not in (False, None) and bool(compare(found, wanted))

        return ordered
    if operator in ("like", "ilike", "=like", "=ilike", "not like", "not ilike", "child_of"):
        return _liking(path, operator, wanted, value)
    raise value_error(f"Invalid operator {operator!r} in domain term {[path, operator, wanted]!r}")


def _liking(path: str, operator: str, wanted: Any, value: Value) -> Test:
    if operator == "child_of":
        return _leaf(path, "in", wanted if isinstance(wanted, list) else [wanted], value)
    plain = operator.removeprefix("not ")
    pattern = str(wanted) if plain.startswith("=") else f"%{wanted}%"
    like = re.compile(_regex(pattern), re.S | (re.I if "ilike" in plain else 0))

    def liking(row: Row) -> bool:
        found = value(row, path)
        text = found[1] if isinstance(found, tuple) else found
        return bool(like.fullmatch(str(text or ""))) != operator.startswith("not ")

    return liking


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, tuple):  # a record: by its id, or by its name
        return bool(found[1] == wanted if isinstance(wanted, str) else found[0] == wanted)
    if isinstance(found, list):
        return wanted in found if wanted is not False else not found
    if wanted in (False, None):
        return found in (False, None, "") or (found == 0 and isinstance(found, bool))
    return bool(found == wanted)


def _regex(pattern: str) -> str:
    """SQL's: % is anything, _ is one character, a backslash takes the next as it is."""
    out, at = "", 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\" and at + 1 < len(pattern):
            at += 1
            out += re.escape(pattern[at])
        else:
            out += {"%": ".*", "_": "."}.get(sign, re.escape(sign))
        at += 1
    return out
