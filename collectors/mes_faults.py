"""Why a record of an MES cannot be taken: each field with its remedy, in both languages (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from collectors.mes_numbers import COMMA
from hub.model.intake import Fault
from hub.model.words import Words

MOST = 10  # faults that are told of one record
_EMPTY = Words("不能为空", "must not be empty")
_LONG = Words("最多 {max_length} 个字符", "may have {max_length} characters at most")
_NO_TEXT = Words("含有不是文字的字符，请去掉", "contains characters that are no text; remove them")
NO_FIGURE = Words(
    "不能是 NaN 或无穷大；没有数值时请不要写这一项",
    "must not be NaN or infinite; leave it out where there is no number",
)
_QUOTED = re.compile(r"'([^']*)'")
_TEXTS = {
    "missing": Words("缺少，请补上", "is missing; add it"),
    "int": Words("须为整数", "must be a whole number"),
    "float": Words("须为数字", "must be a number"),
    "finite": Words("须为有限的数字", "must be a number, not NaN or infinite"),
    "bool": Words("须为 true 或 false", "must be true or false"),
    "string_type": Words("须为文本", "must be text"),
    "string_too_short": _EMPTY,
    "string_too_long": _LONG,
    "too_short": _EMPTY,  # of a text that was something else before
    "too_long": _LONG,
    "timezone": Words(
        "须带时区，例如 2026-01-05T12:00:00+08:00", "needs its zone: 2026-01-05T12:00:00+08:00"
    ),
    "datetime": Words(
        "须为时间，例如 2026-01-05T12:00:00+08:00", "must be a time such as 2026-01-05T12:00:00+08:00"
    ),
    "moment_number": Words(
        "是一个数字，看不出是什么时间；请写成 2026-01-05T12:00:00+08:00",
        "is a number, which may mean several times; write it as 2026-01-05T12:00:00+08:00",
    ),
    "moment_year": Words(
        "的年份须在 {first} 至 {last} 之间；请核对时间的格式",
        "must lie in the years {first} to {last}; check how its time is written",
    ),
    "moment_ahead": Words(
        "超前安灯的时钟一天以上；请校正 MES 的时钟或时区",
        "lies more than a day ahead of the hub's clock; correct the MES clock or the time zone",
    ),
    "no_figure": NO_FIGURE,
    "comma": COMMA,
    "pieces": Words(
        "须为整数件：报工按件计数；按重量或长度计的请改用更小的单位（如克），或作为投料、出入库，其数量可带小数",
        "must be a whole number, for pieces are counted; of kg or m report a smaller unit such as g, "
        "or a material or stock movement, which may have fractions",
    ),
    "taken_back": Words(
        "不能为负；要冲减以前的报工，请在 corrects 中写明那条报工的编号",
        "must be 0 or more; to take back what was reported, name that report in corrects",
    ),
    "corrects_itself": Words(
        "是这条报工自己的编号；请写被冲减的那条报工的编号",
        "is this report's own id; name the report that it takes something back of",
    ),
    "greater_than_equal": Words("不能小于 {ge}", "must be {ge} or more"),
    "greater_than": Words("须大于 {gt}", "must be more than {gt}"),
    "less_than_equal": Words("不能大于 {le}", "must be {le} or less"),
    "enum": Words("须为 {expected} 之一", "must be one of {expected}"),
    "literal": Words("须为 {expected} 之一", "must be one of {expected}"),
    "words": Words("须为文本，或分中英文写：{zh: ..., en: ...}", "must be text, or {zh: .., en: ..}"),
    "string_unicode": _NO_TEXT,
    "no_text": _NO_TEXT,
    "control": Words("含有控制字符，请去掉", "contains control characters; remove them"),
    "words_long": Words("超过 2000 个字符，请缩短", "is longer than 2000 characters; shorten it"),
    "jobs_twice": Words(
        "有两道工序的 operation 相同，请改成不同的", "two jobs have the same operation; each has its own"
    ),
    "needs_item": Words(
        "种类为 {kind} 的过账须有 item（料号）和 quantity（数量）",
        "a posting of kind {kind} needs item and quantity",
    ),
    "needs_check": Words(
        "检验结果须有 check：检验的是什么", "a quality result needs check: what was looked at"
    ),
    "needs_hours": Words(
        "工时须有 labour_seconds 或 machine_seconds（大于 0 的秒数）",
        "hours need labour_seconds or machine_seconds",
    ),
    "needs_quantity": Words("报废须有 quantity（数量）", "scrap needs quantity"),
    "list": Words("须为列表", "must be a list"),
    "model": Words("须为对象", "must be an object"),
}


class Unreadable(Exception):
    """A record that is no event; with every fault."""

    kind = name = ""  # of what it is, where that can be told all the same

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults[:MOST]
        super().__init__(reason_of(self.faults).en)


def faults_of(cause: ValidationError) -> tuple[Fault, ...]:
    """Never with the value that was sent."""
    found = cause.errors(include_url=False, include_input=False)[:MOST]
    return tuple(Fault(".".join(str(p) for p in e["loc"]), _words(e)) for e in found)


def reason_of(faults: Iterable[Fault]) -> Words:
    """All of them in one sentence."""
    told = list(faults)
    return Words(
        "；".join(f"{f.field} {f.text.zh}".strip() for f in told),
        "; ".join(f"{f.field} {f.text.en}".strip() for f in told),
    )


def wrong(what: str, **values: str) -> PydanticCustomError:
    """For validators of an event's fields: one of the texts above."""
    return PydanticCustomError(what, _TEXTS[what].en, values or None)


def _words(error: Any) -> Words:
    kind, said = str(error["type"]), str(error["msg"]).removeprefix("Value error, ")
    known = _TEXTS.get(kind) or _TEXTS.get(kind.partition("_")[0])
    if kind == "value_error" or known is None:
        return Words(said, said)
    values = {name: _written(name, value) for name, value in (error.get("ctx") or {}).items()}
    if values.get("class_name") == "WordsBlock":
        known = _TEXTS["words"]
        return Words(known.zh, known.en)
    return Words(known.zh.format_map(values), known.en.format_map(values))


def _written(name: str, value: Any) -> str:
    """Numbers as people write them, and words one after the other: pydantic joins them in English."""
    if name == "expected" and (words := _QUOTED.findall(str(value))):
        return ", ".join(words)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
