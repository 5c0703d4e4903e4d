"""$filter of OData 2 read and applied; what cannot be read is a 400."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.simulators.sap.answers import SapError
from tests.simulators.sap.schema import Field, Kind
from tests.simulators.sap.values import shown_text, span

Test = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(
    r"\s*(?:(datetimeoffset|datetime|time|guid)'([^']*)'|'((?:[^']|'')*)'|(-?\d+(?:\.\d+)?)[MmDdFfLl]?"
    r"|([A-Za-z_][A-Za-z0-9_/]*)|([(),]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a is not None and a > b,
    "ge": lambda a, b: a is not None and a >= b,
    "lt": lambda a, b: a is not None and a < b,
    "le": lambda a, b: a is not None and a <= b,
}


def test_of(text: str, kind: Kind) -> Test:
    return _Reader(text, kind).whole()


def literal(text: str, made: Field) -> Any:
    """One value of a key or a function's parameter."""
    tokens = _tokens(text)
    if len(tokens) != 1 or tokens[0][0] != "value":
        raise _bad(text)
    return fitted(made, tokens[0][1])


def fitted(made: Field, value: Any) -> Any:
    """A literal as the books hold such a field; another type is refused."""
    wrong = SapError(400, "/IWBEP/CM_MGW_RT/176", f"Invalid literal for property '{made.name}'")
    if value is None:
        return None
    match made.kind:
        case "Edm.String":
            if not isinstance(value, str):
                raise wrong
            return shown_text(made, value)
        case "Edm.Decimal" | "Edm.Double" | "Edm.Int32":
            try:
                return Decimal(str(value))
            except ArithmeticError:
                raise wrong from None
        case "Edm.DateTime" if isinstance(value, datetime) and value.tzinfo is None:
            return value
        case "Edm.DateTimeOffset" if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case "Edm.Guid" if isinstance(value, tuple):
            return value[0]
        case "Edm.Boolean" if isinstance(value, bool):
            return value
        case "Edm.Time" if not isinstance(value, str | bool | Decimal):
            return value
    raise wrong


def _tokens(text: str) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise _bad(text)
        at = found.end()
        out.append(_token(found, text))
    return out


def _token(found: re.Match[str], text: str) -> tuple[str, Any]:
    kind, inside, word, number, name, mark = found.groups()
    try:
        if kind == "guid":
            return "value", (inside.lower(),)
        if kind == "time":
            return "value", span(inside)
        if kind:
            at = datetime.fromisoformat(inside)
            return "value", at if kind == "datetimeoffset" else at.replace(tzinfo=None)
    except ValueError:
        raise _bad(text) from None
    if word is not None:
        return "value", word.replace("''", "'")
    if number is not None:
        return "value", Decimal(number)
    if name in ("true", "false"):
        return "value", name == "true"
    return ("value", None) if name == "null" else ("name", name) if name else ("mark", mark)


def _bad(text: str) -> SapError:
    return SapError(400, "/IWBEP/CM_MGW_RT/021", f"Invalid filter or key expression: {text[:100]}")


class _Reader:
    def __init__(self, text: str, kind: Kind) -> None:
        self._text, self._kind = text, kind
        self._tokens = _tokens(text)
        self._at = 0

    def whole(self) -> Test:
        test = self._or()
        if self._at != len(self._tokens):
            raise _bad(self._text)
        return test

    def _peek(self) -> tuple[str, Any]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", None)

    def _next(self) -> tuple[str, Any]:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, mark: str) -> None:
        if self._next() != ("mark", mark):
            raise _bad(self._text)

    def _or(self) -> Test:
        parts = [self._and()]
        while self._peek() == ("name", "or"):
            self._next()
            parts.append(self._and())
        return lambda row: any(part(row) for part in parts)

    def _and(self) -> Test:
        parts = [self._unit()]
        while self._peek() == ("name", "and"):
            self._next()
            parts.append(self._unit())
        return lambda row: all(part(row) for part in parts)

    def _unit(self) -> Test:
        token = self._peek()
        if token == ("name", "not"):
            self._next()
            inner = self._unit()
            return lambda row: not inner(row)
        if token == ("mark", "("):
            self._next()
            inside = self._or()
            self._expect(")")
            return inside
        if token[0] == "name" and token[1] in ("substringof", "startswith", "endswith"):
            return self._function(self._next()[1])
        return self._comparison()

    def _comparison(self) -> Test:
        made, operator, value = self._property(), self._next(), self._next()
        if operator[0] != "name" or operator[1] not in _COMPARE or value[0] != "value":
            raise _bad(self._text)
        right, compare = fitted(made, value[1]), _COMPARE[operator[1]]
        empty: Any = {"Edm.String": "", "Edm.Boolean": False, "Edm.Decimal": Decimal(0)}.get(made.kind)

        def test(row: Mapping[str, Any]) -> bool:
            left = row.get(made.name)
            return compare(empty if left is None else left, right)

        return test

    def _function(self, name: str) -> Test:
        self._expect("(")
        if name == "substringof":
            value = self._next()
            self._expect(",")
            made = self._property()
        else:
            made = self._property()
            self._expect(",")
            value = self._next()
        self._expect(")")
        if value[0] != "value" or not isinstance(value[1], str):
            raise _bad(self._text)
        if self._peek()[1] in ("eq",):  # startswith(A,'x') eq true
            self._at += 2
        wanted = value[1].upper() if made.has("^") else value[1]
        how = {"substringof": str.__contains__, "startswith": str.startswith, "endswith": str.endswith}[name]
        return lambda row: bool(how(str(row.get(made.name) or ""), wanted))

    def _property(self) -> Field:
        kind, name = self._next()
        made = self._kind.fields.get(name) if kind == "name" else None
        if made is None:
            raise SapError(400, "/IWBEP/CM_MGW_RT/020", f"Property '{name}' not found in '{self._kind.name}'")
        if made.has("f"):
            raise SapError(400, "/IWBEP/CM_MGW_RT/022", f"Property '{name}' is not filterable")
        return made
