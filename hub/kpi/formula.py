"""Formulas over numbers, as people write them for derived tags: parsed to a fixed list of steps. Pure.

There is nothing in it but numbers, names, `+ - * / %`, comparisons, `and or not` and the functions below: no
attribute, no text, no power, no loop. A formula has at most 4,096 characters and 50 levels, so working it out
takes a bounded number of steps. NaN means "not known": it spreads, but not past an `and`, `or` or `if` that
does not need it. What cannot be divided is not known.
"""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

LONGEST = 4096
DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|\{(?P<path>[A-Za-z0-9_./-]+)\}|(?P<sign><=|>=|==|!=|[-+*/%<>(),]))",
    re.ASCII,
)
_WRITTEN = {
    "×": "*", "·": "*", "∙": "*", "÷": "/", "−": "-", "–": "-", "≥": ">=", "≤": "<=", "≠": "!=", "=": "==",
    "＝": "==", "&": "and", "|": "or", "、": ",",
}  # fmt: skip
_STRENGTH = {
    "or": 1, "and": 2, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "+": 5, "-": 5,
    "*": 6, "/": 6, "%": 6,
}  # fmt: skip
_NOT, _COMPARISON, _MINUS = 3, 4, 7
Values = Sequence[float]


def _compared(how: Callable[[float, float], bool]) -> Callable[[Values], float]:
    return lambda v: math.nan if any(map(math.isnan, v)) else float(how(v[0], v[1]))


def _and(v: Values) -> float:
    return 0.0 if 0 in v else math.nan if any(map(math.isnan, v)) else 1.0


def _or(v: Values) -> float:
    return (
        1.0 if any(x != 0 and not math.isnan(x) for x in v) else math.nan if any(map(math.isnan, v)) else 0.0
    )


def _of_all(how: Callable[[Values], float]) -> Callable[[Values], float]:
    return lambda v: math.nan if any(map(math.isnan, v)) else how(v)


_STEPS: dict[str, Callable[[Values], float]] = {
    "+": lambda v: v[0] + v[1], "-": lambda v: v[0] - v[1], "*": lambda v: v[0] * v[1],
    "/": lambda v: v[0] / v[1], "%": lambda v: v[0] % v[1], "negative": lambda v: -v[0],
    "<": _compared(operator.lt), "<=": _compared(operator.le), ">": _compared(operator.gt),
    ">=": _compared(operator.ge), "==": _compared(operator.eq), "!=": _compared(operator.ne),
    "and": _and, "or": _or, "not": _of_all(lambda v: float(v[0] == 0)),
    "if": lambda v: math.nan if math.isnan(v[0]) else v[1] if v[0] else v[2],
    "min": _of_all(min), "max": _of_all(max), "avg": _of_all(lambda v: math.fsum(v) / len(v)),
    "abs": lambda v: abs(v[0]), "sqrt": lambda v: math.sqrt(v[0]),
    "floor": lambda v: float(math.floor(v[0])), "ceil": lambda v: float(math.ceil(v[0])),
    "round": lambda v: math.copysign(math.floor(abs(v[0]) + 0.5), v[0]),  # half a unit goes away from zero
}  # fmt: skip
FUNCTIONS = {
    "if": (3, 3), "min": (1, 99), "max": (1, 99), "avg": (1, 99), "abs": (1, 1), "sqrt": (1, 1),
    "floor": (1, 1), "ceil": (1, 1), "round": (1, 1),
}  # fmt: skip


class Formula(NamedTuple):
    """Steps of a stack machine: a number, the place of a name, or an operation with how many it takes."""

    names: tuple[str, ...]
    steps: tuple[float | int | tuple[str, int], ...]


def worked_out(formula: Formula, values: Values) -> float:
    """With a value for each of its names, in their order; NaN where it is not known. Never raises."""
    stack: list[float] = []
    for step in formula.steps:
        if isinstance(step, float):
            stack.append(step)
        elif isinstance(step, int):
            stack.append(values[step])
        else:
            name, count = step
            taken = stack[-count:]
            del stack[-count:]
            try:
                stack.append(_STEPS[name](taken))
            except (ArithmeticError, ValueError):
                stack.append(math.nan)
    return stack[0] if math.isfinite(stack[0]) else math.nan


def parse(text: str) -> Formula:
    """Raises ValueError with the position, from 1, and what to do."""
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters; {LONGEST} are allowed, split it into several tags")
    reader = _Reader(_tokens(text), len(text) + 1)
    reader.expression(0)
    kind, word, at = reader.next()
    if kind:
        raise ValueError(
            f"position {at}: {word!r} is not expected here; is an operator or a bracket missing?"
        )
    return Formula(tuple(reader.names), tuple(reader.steps))


def _tokens(text: str) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    text, at = text.rstrip(), 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ValueError(f"position {at + 1}: {text[at]!r} is not understood; {_meant(text[at])}")
        kind = str(token.lastgroup)
        word = token[kind]
        kind = "sign" if word in ("and", "or", "not") and kind == "name" else kind
        found.append((kind, word, token.start(kind) + 1))
        at = token.end()
    return found


def _meant(sign: str) -> str:
    """Keyboards and word processors have signs of their own for what a formula writes plainly."""
    plain = _WRITTEN.get(sign) or unicodedata.normalize("NFKC", sign)
    if plain == "^":
        return "write it as a product"
    known = plain.isascii() and (plain in ("==", "and", "or", "!=") or _TOKEN.fullmatch(plain))
    return f"write {plain}" if known else "write the ids of tags, those with - in braces"


class _Reader:
    def __init__(self, tokens: list[tuple[str, str, int]], end: int) -> None:
        self._tokens, self._at, self._end, self._depth = tokens, 0, end, 0
        self.names: dict[str, int] = {}
        self.steps: list[float | int | tuple[str, int]] = []

    def next(self) -> tuple[str, str, int]:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ("", "the end", self._end)

    def _peek(self) -> str:
        here = self._tokens[self._at] if self._at < len(self._tokens) else ("", "", 0)
        return here[1] if here[0] == "sign" else ""

    def expression(self, weakest: int) -> None:
        """What binds at least as strongly; its steps are appended."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"is nested more than {DEEPEST} deep; split it into several tags")
        self._operand()
        compared = False
        while (strength := _STRENGTH.get(sign := self._peek(), -1)) >= max(weakest, 0):
            _, _, at = self.next()
            if strength == _COMPARISON:
                if compared:
                    raise ValueError(f"position {at}: two comparisons in a row; write a < b and b < c")
                compared = True
            self.expression(strength + 1)
            self.steps.append((sign, 2))
        self._depth -= 1

    def _operand(self) -> None:
        kind, word, at = self.next()
        match kind, word:
            case "number", _:
                self.steps.append(float(word))
            case "name" | "path", _ if not (kind == "name" and self._peek() == "("):
                self.steps.append(self.names.setdefault(word, len(self.names)))
            case "name", _:
                self._call(word, at)
            case "sign", "(":
                self.expression(0)
                self._closed()
            case "sign", "-":
                self.expression(_MINUS)
                self.steps.append(("negative", 1))
            case "sign", "not":
                self.expression(_NOT)
                self.steps.append(("not", 1))
            case _:
                raise ValueError(f"position {at}: expected a number, a tag or a bracket, found {word!r}")

    def _call(self, name: str, at: int) -> None:
        if name not in FUNCTIONS:
            raise ValueError(f"position {at}: no function {name!r}; known are {', '.join(FUNCTIONS)}")
        self.next()
        self.expression(0)
        count = 1
        while self._peek() == ",":
            self.next()
            self.expression(0)
            count += 1
        self._closed()
        least, most = FUNCTIONS[name]
        if not least <= count <= most:
            raise ValueError(f"position {at}: {name} takes {least if least == most else '1 to 99'} values")
        self.steps.append((name, count))

    def _closed(self) -> None:
        _, word, at = self.next()
        if word != ")":
            raise ValueError(f"position {at}: expected ) and found {word!r}; close the bracket")
