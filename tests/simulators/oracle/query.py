"""`q` in both query languages: by example (framework 1) and as an expression (2 and later)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from tests.simulators.oracle.answers import OracleError

Values = Callable[[str], Iterable[Any]]  # attribute -> its values (several where it is a child's)
Test = Callable[[Values], bool]
_CLAUSE = re.compile(r"^\s*([\w.]+)\s*(<=|>=|!=|<>|=|<|>)\s*(.*?)\s*$", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"[^\"]*\")|(?P<number>-?\d+(?:\.\d+)?)(?![\w.:-])"
    r"|(?P<mark><=|>=|!=|<>|[=<>(),])|(?P<word>[A-Za-z_][\w.]*))"
)


def bad(text: str, q: str) -> OracleError:
    return OracleError(400, f"URL request parameter q={q} cannot be used: {text}")


def parsed(q: str, framework: int) -> Test:
    """Raises OracleError for the other version's language."""
    return by_example(q) if framework == 1 else Expression(q).test()


# ------------------------------------------------------------------ by example
def by_example(q: str) -> Test:
    tests = [_clause(part, q) for part in _split(q)]
    return lambda values: all(test(values) for test in tests)


def _split(q: str) -> list[str]:
    parts = re.findall(r"(?:[^;\"]|\"[^\"]*\")+", q)
    if not parts:
        raise bad("it is empty", q)
    return parts


def _clause(part: str, q: str) -> Test:
    found = _CLAUSE.match(part)
    if found is None:
        raise bad("it is not attribute=value", q)
    name, operator, value = found.groups()
    bare = re.sub(r'"[^"]*"', "", value)
    if re.search(r"\s(and|or|like|in)\s|'", f" {bare} ", re.IGNORECASE):
        raise bad("expressions need framework version 2", q)
    value = value[1:-1] if value[:1] == value[-1:] == '"' and len(value) > 1 else value
    if operator == "=" and ("*" in value or "%" in value):
        pattern = re.escape(value).replace(r"\*", ".*").replace("%", ".*")
        return lambda values: any(re.fullmatch(pattern, str(v), re.DOTALL) for v in values(name))
    return lambda values: any(_holds(v, operator, value) for v in values(name))


# ------------------------------------------------------------------ as an expression
class Expression:
    def __init__(self, q: str) -> None:
        self._q = q
        self._tokens = self._read(q)
        self._at = 0

    def test(self) -> Test:
        made = self._any()
        if self._at < len(self._tokens):
            raise bad(f"unexpected {self._tokens[self._at][1]}", self._q)
        return made

    def _read(self, q: str) -> list[tuple[str, str]]:
        found, at, end = [], 0, len(q.rstrip())
        while at < end:
            token = _TOKEN.match(q, at)
            if token is None or token.lastgroup is None:
                raise bad(f"unexpected {q[at : at + 10]!r}", q)
            found.append((token.lastgroup, token[token.lastgroup]))
            at = token.end()
        return found

    def _peek(self) -> str:
        return self._tokens[self._at][1].lower() if self._at < len(self._tokens) else ""

    def _next(self, *kinds: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] not in kinds:
            raise bad(f"{' or '.join(kinds)} expected at {self._peek()!r}", self._q)
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _any(self) -> Test:
        tests = [self._all()]
        while self._peek() == "or":
            self._at += 1
            tests.append(self._all())
        return lambda values: any(test(values) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._peek() == "and":
            self._at += 1
            tests.append(self._one())
        return lambda values: all(test(values) for test in tests)

    def _one(self) -> Test:
        if self._peek() == "(":
            self._at += 1
            inner = self._any()
            self._close()
            return inner
        name = self._next("word")
        operator = self._peek()
        if operator in ("in", "like"):
            self._at += 1
            return self._list(name) if operator == "in" else self._like(name)
        operator, literal = self._next("mark"), self._literal()
        return lambda values: any(_holds(v, operator, literal) for v in values(name))

    def _list(self, name: str) -> Test:
        if self._next("mark") != "(":
            raise bad("( expected", self._q)
        wanted = [self._literal()]
        while self._peek() == ",":
            self._at += 1
            wanted.append(self._literal())
        self._close()
        return lambda values: any(_holds(v, "=", w) for v in values(name) for w in wanted)

    def _like(self, name: str) -> Test:
        pattern = re.escape(self._literal()).replace("%", ".*").replace("_", ".")
        return lambda values: any(re.fullmatch(pattern, str(v), re.DOTALL) for v in values(name))

    def _close(self) -> None:
        if self._next("mark") != ")":
            raise bad(") expected", self._q)

    def _literal(self) -> str:
        token = self._next("text", "number")
        if token[0] == "'":
            return token[1:-1].replace("''", "'")
        return token[1:-1] if token[0] == '"' else token


def _holds(value: Any, operator: str, literal: str) -> bool:
    if value is None:
        return False
    left, right = _alike(value, literal)
    match operator:
        case "=":
            return bool(left == right)
        case "!=" | "<>":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case ">":
            return bool(left > right)
        case "<=":
            return bool(left <= right)
    return bool(left >= right)


def _alike(value: Any, literal: str) -> tuple[Any, Any]:
    try:
        if isinstance(value, datetime):
            return value, datetime.fromisoformat(literal)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value, float(literal) if "." in literal else int(literal)
    except ValueError:
        raise OracleError(400, f"{literal} is not a valid value") from None
    return (str(value).lower() if isinstance(value, bool) else str(value)), literal
