"""Numbers as people and spreadsheet programs write them (pure)."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from hub.model.words import Words

Decimal = Literal["", ".", ","]
COMMA = Words(
    "含有逗号等分隔符，看不出是千分位还是小数点；请写成 1200 或 1.2",
    "has a comma or the like, which may stand before thousands or decimals; write 1200, or 1.2",
)
COMMA_IN_TABLE = Words(
    "含有逗号等分隔符，看不出是千分位还是小数点；请写成 1200 或 1.2，或在这张表的配置中写 decimal:",
    "has a comma or the like, which may stand before thousands or decimals; write 1200, or 1.2, or say "
    "decimal: at its read",
)
NOT_SO = Words(
    "的写法与配置的 decimal: 不符；请核对小数点与千分位",
    "is not written as decimal: says; look at its points and commas",
)
_LONGEST = 60  # characters of what is looked at
_NUMERIC = re.compile(r"\s*[+-]?[\d.,'\s]*\d[\d.,'\s]*")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}(?:\.\d+)?|,\d{3}\.\d+)")  # 1,200,000 and 1,200.5
_WITH_COMMA = re.compile(r"[+-]?[\d.,']*\d[,'][\d.,']*|[+-]?\d{1,3}(?:\.\d{3}){2,}")


def plain_number(value: object) -> object:
    """Full-width digits as others, and without separators of thousands where nothing else can be meant."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return value
    if any(unicodedata.category(c) == "No" for c in value):
        return value  # 5² is not 52
    text = unicodedata.normalize("NFKC", value)
    if not _NUMERIC.fullmatch(text):
        return value
    text = text.strip()
    return text.replace(",", "") if _GROUPED.fullmatch(text) else text


def declared(value: object, decimal: Decimal) -> object:
    """The number of a table that says which sign stands before decimals: 1.200,5 where it is the comma. None
    when it is a number of another writing."""
    if not decimal or not isinstance(value, str) or len(value) > _LONGEST or not _NUMERIC.fullmatch(value):
        return value
    between = "[.'\\s]" if decimal == "," else "[,'\\s]"
    text = unicodedata.normalize("NFKC", value).strip()
    shape = rf"[+-]?(?:\d+|\d{{1,3}}(?:{between}\d{{3}})+)(?:[{decimal}]\d+)?"
    if not re.fullmatch(shape, text):
        return None
    return re.sub(between, "", text).replace(",", ".")


def doubtful(value: object) -> bool:
    """Whether a comma may stand before decimals or thousands: 1,200 is 1200 to some and 1.2 to others."""
    return isinstance(value, str) and len(value) <= _LONGEST and bool(_WITH_COMMA.fullmatch(value.strip()))
