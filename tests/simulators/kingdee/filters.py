"""`FilterString`: SQL-like text or the array form, turned into one condition tree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.simulators.kingdee.answers import BAD_PARAMETER, Refusal
from tests.simulators.kingdee.columns import Column, column
from tests.simulators.kingdee.forms import Form, Kind

Read = Callable[[Column], Any]
Condition = Callable[[Read], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>N?'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<sign><>|!=|>=|<=|=|>|<|\(|\)|,)|(?P<word>[A-Za-z_][\w.]*))"
)
_MOMENTS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


@dataclass
class Parsed:
    condition: Condition
    columns: list[Column]


def moment(value: Any) -> datetime | None:
    for form in _MOMENTS:
        try:
            return datetime.strptime(str(value).split(".")[0].strip(), form)  # noqa: DTZ007 server-local by contract
        except ValueError:
            continue
    return None


def parse_filter(form: Form, given: Any) -> Parsed:
    """Raises MsgCode 8 for what is not a filter and 9 for an unknown field."""
    if isinstance(given, str) and given.strip().startswith("["):
        given = json.loads(given)
    if isinstance(given, list):
        given = _as_text(given)
    parser = _Parser(form, str(given or ""))
    return Parsed(parser.parse(), parser.columns)


def _as_text(parts: list[dict[str, Any]]) -> str:
    """The array form; only Compare 67 (equals) has been seen in the wild."""
    out = []
    for i, part in enumerate(parts):
        if str(part.get("Compare")) != "67":
            raise Refusal(BAD_PARAMETER, f"不支持的比较符 {part.get('Compare')}")
        value = str(part.get("Value", "")).replace("'", "''")
        out.append(f"{part.get('Left') or ''} {part['FieldName']} = '{value}' {part.get('Right') or ''}")
        if i < len(parts) - 1:
            out.append("or" if str(part.get("Logic", "0")) == "1" else "and")
    return " ".join(out)


class _Parser:
    def __init__(self, form: Form, source: str) -> None:
        self._form = form
        self._source = source
        self._tokens = self._split(source)
        self._at = 0
        self.columns: list[Column] = []

    def parse(self) -> Condition:
        if not self._tokens:
            return lambda _read: True
        condition = self._either()
        if self._at < len(self._tokens):
            raise self._wrong()
        return condition

    def _split(self, source: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while source[at:].strip():
            found = _TOKEN.match(source, at)
            if found is None:
                raise self._wrong()
            tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()
        return tokens

    def _wrong(self) -> Refusal:
        return Refusal(BAD_PARAMETER, f"过滤条件语法错误: {self._source}")

    def _word(self) -> str:
        return self._tokens[self._at][1].lower() if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        if self._word() in wanted and self._tokens[self._at][0] != "text":
            self._at += 1
            return True
        return False

    def _next(self, *kinds: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] not in kinds:
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda read: any(p(read) for p in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda read: all(p(read) for p in parts)

    def _one(self) -> Condition:
        if self._take("("):
            inside = self._either()
            if not self._take(")"):
                raise self._wrong()
            return inside
        if self._take("not"):
            denied = self._one()
            return lambda read: not denied(read)
        if self._tokens[self._at : self._at + 1] and self._tokens[self._at][0] == "number":
            return self._constant()
        return self._comparison()

    def _constant(self) -> Condition:
        left = self._next("number")
        if not self._take("="):
            raise self._wrong()
        same = left == self._next("number")
        return lambda _read: same

    def _comparison(self) -> Condition:
        col = column(self._form, self._next("word"))
        self.columns.append(col)
        if self._take("is"):
            denied = self._take("not")
            if not self._take("null"):
                raise self._wrong()
            return lambda read: (read(col) is not None) if denied else (read(col) is None)
        denied = self._take("not")
        if self._take("in"):
            members = [self._comparable(col, v) for v in self._list()]
            return lambda read: (self._comparable(col, read(col)) in members) != denied
        if self._take("like"):
            pattern = _like(self._literal())
            return lambda read: bool(pattern.match(str(read(col) or ""))) != denied
        if denied:
            raise self._wrong()
        sign = self._next("sign")
        return self._compare(col, sign, self._comparable(col, self._literal()))

    def _compare(self, col: Column, sign: str, wanted: Any) -> Condition:
        tests: dict[str, Callable[[Any], bool]] = {
            "=": lambda v: v == wanted,
            "<>": lambda v: v != wanted,
            "!=": lambda v: v != wanted,
            ">": lambda v: v > wanted,
            ">=": lambda v: v >= wanted,
            "<": lambda v: v < wanted,
            "<=": lambda v: v <= wanted,
        }
        if sign not in tests or wanted is None:
            raise self._wrong()

        def holds(read: Read) -> bool:
            value = self._comparable(col, read(col))
            return value is not None and tests[sign](value)

        return holds

    def _list(self) -> list[str]:
        if not self._take("("):
            raise self._wrong()
        members = [self._literal()]
        while self._take(","):
            members.append(self._literal())
        if not self._take(")"):
            raise self._wrong()
        return members

    def _literal(self) -> str:
        token = self._next("text", "number")
        return token.removeprefix("N")[1:-1].replace("''", "'") if "'" in token else token

    def _comparable(self, col: Column, value: Any) -> Any:
        """What the database would compare: text without regard to case and outer blanks."""
        if col.kind is Kind.MOMENT:
            return moment(value)
        if col.kind is Kind.NUMBER:
            try:
                return None if value is None else float(value)
            except ValueError:
                raise self._wrong() from None
        if col.kind is Kind.FLAG:
            return str(value or "0").strip().lower() in ("1", "true")
        return str(value or "").strip().lower()


def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile("".join(parts) + r"\Z", re.IGNORECASE | re.DOTALL)
