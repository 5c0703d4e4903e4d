"""Why a record of an MES cannot be taken: each field with its remedy, in both languages (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from hub.model.intake import Fault
from hub.model.words import Words

MOST = 10  # faults that are told of one record
_TEXTS = {
    "missing": Words("缺少，请补上", "is missing; add it"),
    "int": Words("须为整数", "must be a whole number"),
    "float": Words("须为数字", "must be a number"),
    "finite": Words("须为有限的数字", "must be a number, not NaN or infinite"),
    "bool": Words("须为 true 或 false", "must be true or false"),
    "string_type": Words("须为文本", "must be text"),
    "string_too_short": Words("不能为空", "must not be empty"),
    "string_too_long": Words("最多 {max_length} 个字符", "may have {max_length} characters at most"),
    "timezone": Words(
        "须带时区，例如 2026-01-05T12:00:00+08:00", "needs its zone: 2026-01-05T12:00:00+08:00"
    ),
    "datetime": Words(
        "须为时间，例如 2026-01-05T12:00:00+08:00", "must be a time such as 2026-01-05T12:00:00+08:00"
    ),
    "greater_than_equal": Words("不能小于 {ge}", "must be {ge} or more"),
    "greater_than": Words("须大于 {gt}", "must be more than {gt}"),
    "less_than_equal": Words("不能大于 {le}", "must be {le} or less"),
    "enum": Words("须为 {expected} 之一", "must be one of {expected}"),
    "literal": Words("须为 {expected} 之一", "must be one of {expected}"),
    "list": Words("须为列表", "must be a list"),
    "model": Words("须为对象", "must be an object"),
}


class Unreadable(Exception):
    """A record that is no event; with every fault."""

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


def _words(error: Any) -> Words:
    kind, said = str(error["type"]), str(error["msg"]).removeprefix("Value error, ")
    known = _TEXTS.get(kind) or _TEXTS.get(kind.partition("_")[0])
    if kind == "value_error" or known is None:
        return Words(said, said)
    values = {name: str(value) for name, value in (error.get("ctx") or {}).items()}
    return Words(known.zh.format_map(values), known.en.format_map(values))
