"""A draft of a map tried on records: each row with its value or with what is wrong and what to do (pure)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath import exceptions as wrong
from jmespath.parser import ParsedResult

from erp_bridge.fieldmap import Functions, MapBlock, VariantBlock, plain, too_much
from erp_bridge.generic_expressions import roots
from hub.model.words import Words

CALLED = frozenset(Functions({}, ZoneInfo("UTC")).FUNCTION_TABLE)
LONGEST = 2000  # characters of an expression
DEEPEST = 40  # brackets in brackets
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_IN_CHINESE = {
    " is not a number of anything": " 不是有效的数量",
    " is not a number": " 不是数字",
    "division by zero": "除数为零",
    "the result is larger than any quantity": "结果大得不合理",
}


@dataclass(frozen=True, slots=True)
class Known:
    """Names that may stand in a map. An empty set: nobody can tell, so nothing is said of strange names."""

    ours: frozenset[str] = frozenset()  # in expressions of `write`
    theirs: frozenset[str] = frozenset()  # in expressions of `read`, and on the left of `write`


@dataclass(frozen=True, slots=True)
class Row:
    """`place`: write.F_Level, variants[0].read.priority ... `at`: the character that is not understood,
    counted from 0. `remark`: it works, and is probably not what was meant."""

    place: str
    value: Any = None
    error: Words | None = None
    at: int | None = None
    remark: Words | None = None
    near: str = ""  # what was probably meant


@dataclass(frozen=True, slots=True)
class Preview:
    rows: tuple[Row, ...]
    chosen: tuple[int, ...] = field(default=())  # variants whose `when` holds

    @property
    def sound(self) -> bool:
        return all(row.error is None for row in self.rows)


def previewed(
    block: MapBlock, zone: ZoneInfo, ours: Mapping[str, Any], theirs: Mapping[str, Any], known: Known
) -> Preview:
    """Every expression of the block, tried; nothing is raised, and nothing but `block` decides."""
    options = jmespath.Options(custom_functions=Functions(block.tables, zone))
    ours, theirs = plain(ours), plain(theirs)
    rows = [
        *_written("write", block.write, ours, options, known),
        *_read("read", block.read, theirs, options, known),
    ]
    seen = {r.place.removeprefix("read."): r.value for r in rows if r.place.startswith("read.")}
    chosen = []
    for at, variant in enumerate(block.variants):
        holds, found = _variant(f"variants[{at}]", variant, (ours, theirs, plain(seen)), options, known)
        rows += found
        chosen += [at] if holds else []
    return Preview(tuple(rows), tuple(chosen))


def _variant(
    place: str, variant: VariantBlock, records: tuple[Any, Any, Any], options: Any, known: Known
) -> tuple[bool, list[Row]]:
    """Its `when` sees our fields: those we have, or those that were read."""
    ours, theirs, seen = records
    when = _tried(f"{place}.when", variant.when, {**seen, **ours}, options, frozenset())
    rows = [when]
    rows += _written(f"{place}.write", variant.write, ours, options, known)
    rows += _read(f"{place}.read", variant.read, theirs, options, known)
    return bool(when.value) and when.error is None, rows


def _written(place: str, fields: Mapping[str, str], ours: Any, options: Any, known: Known) -> Iterator[Row]:
    for name, text in fields.items():
        if not text:
            continue
        row = _tried(f"{place}.{name}", text, ours, options, known.ours)
        key = name.rpartition("[].")[2].partition(".")[0]
        if row.error is None and row.remark is None and known.theirs and key not in known.theirs:
            near = _near(key, known.theirs)
            row = Row(
                row.place,
                row.value,
                None,
                None,
                _unknown(key, near, "ERP 的这张单据里", "in the ERP's document"),
                near,
            )
        yield row


def _read(place: str, fields: Mapping[str, str], theirs: Any, options: Any, known: Known) -> Iterator[Row]:
    for name, text in fields.items():
        if text:
            yield _tried(f"{place}.{name}", text, theirs, options, known.theirs)


def _tried(place: str, text: str, record: Any, options: Any, names: frozenset[str]) -> Row:
    parsed, row = _parsed(place, text)
    if parsed is None:
        return row
    try:
        value = parsed.search(record, options=options)
    except wrong.UnknownFunctionError:
        return _no_function(place, text, parsed)
    except wrong.JMESPathError as cause:
        said = _plainly(cause)
        return Row(place, error=Words(f"函数的参数不合适：{said}", f"an argument does not fit: {said}"))
    except (ValueError, ArithmeticError) as cause:
        return _value_error(place, str(cause), options)
    except (TypeError, RecursionError):
        return Row(
            place, error=Words("算不出来：检查函数的参数", "cannot be worked out: check the arguments")
        )
    return _remarked(place, parsed, value, names)


def _parsed(place: str, text: str) -> tuple[ParsedResult | None, Row]:
    if too_deep(text):
        return None, Row(
            place, error=Words("表达式太长或嵌套太深", "too long, or too many brackets in brackets")
        )
    try:
        parsed = jmespath.compile(text)
        if too_much(parsed.parsed):
            said = Words("这个表达式做的步骤太多", "asks for more work than any map needs")
            return None, Row(place, error=said)
        return parsed, Row(place)
    except wrong.JMESPathError as cause:
        return None, _unreadable(place, text, cause)
    except (ValueError, RecursionError):
        return None, _unreadable(place, text, wrong.EmptyExpressionError())


def too_deep(text: str) -> bool:
    """Longer or deeper than any map needs: nobody but a mischief-maker writes that."""
    return len(text) > LONGEST or text.count("!") + text.count("&") > DEEPEST or _depth(text) > DEEPEST


def _depth(text: str) -> int:
    deep = most = 0
    for character in text:
        deep += (character in "([{") - (character in ")]}")
        most = max(most, deep)
    return most


# ------------------------------------------------------------------ what is wrong, in words
def _unreadable(place: str, text: str, cause: wrong.JMESPathError) -> Row:
    told = [getattr(cause, name, None) for name in ("lex_position", "lexer_position")]
    at = min(max(next((int(t) for t in told if t is not None), len(text)), 0), len(text))
    token = text[at : at + 12].partition(" ")[0] or "…"
    if at >= len(text):
        said = Words(
            "没有写完：缺括号、引号或后半部分",
            "is not complete: a bracket, a quote or the second half is missing",
        )
    elif text[at] in "'\"`":
        said = Words(
            f"第 {at + 1} 个字符：引号 {text[at]} 没有成对",
            f"character {at + 1}: the quote {text[at]} is not closed",
        )
    elif number := _NUMBER.match(text, at):
        said = Words(
            f"第 {at + 1} 个字符：数字要写在反引号里，如 `{number[0]}`",
            f"character {at + 1}: numbers stand in backquotes, as `{number[0]}`",
        )
    else:
        said = Words(
            f"第 {at + 1} 个字符“{token}”处读不懂：检查引号、括号和逗号；文字写在单引号里，如 '早班'",
            f"is not understood at character {at + 1} ({token!r}): check quotes, brackets and commas; a text "
            "stands in single quotes, as 'early'",
        )
    return Row(place, error=said, at=at)


def _no_function(place: str, text: str, parsed: ParsedResult) -> Row:
    name = next((n for n in _functions(parsed.parsed) if n not in CALLED), "")
    near, at = _near(name, CALLED), text.find(name)
    zh, en = _meant(near)
    return Row(
        place, error=Words(f"没有函数 {name}(){zh}", f"there is no function {name}(){en}"), at=at, near=near
    )


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)


def _value_error(place: str, said: str, options: Any) -> Row:
    if not said.startswith("there is no table "):
        zh = next((said.replace(en, zh) for en, zh in _IN_CHINESE.items() if en in said), said)
        return Row(place, error=Words(f"值不合适：{zh}", f"a value does not fit: {said}"))
    name = said.removeprefix("there is no table ").strip("'")
    near = _near(name, options.custom_functions.tables)
    zh, en = _meant(near)
    return Row(place, error=Words(f"没有值表 {name}{zh}", f"there is no value table {name}{en}"), near=near)


def _remarked(place: str, parsed: ParsedResult, value: Any, names: frozenset[str]) -> Row:
    strange = [n for n in roots(parsed.parsed) if names and n not in names]
    if not strange:
        return Row(place, value)
    near = _near(strange[0], names)
    return Row(
        place,
        value,
        None,
        parsed.expression.find(strange[0]),
        _unknown(strange[0], near, "这里", "here"),
        near,
    )


def _unknown(name: str, near: str, where_zh: str, where_en: str) -> Words:
    zh, en = _meant(near)
    return Words(f"{where_zh}没有字段 {name}{zh}", f"there is no field {name} {where_en}{en}")


def _meant(near: str) -> tuple[str, str]:
    return (f"；是不是 {near}？", f"; did you mean {near}?") if near else ("", "")


def _near(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, sorted(known), 1, 0.6)), "")


def _plainly(cause: wrong.JMESPathError) -> str:
    return " ".join(str(cause).split())
