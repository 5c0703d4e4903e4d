"""Types that configuration is made of; the hub's own blocks and every plugin's `Config` use them."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from hub.model.words import Words

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")


def parse_duration(value: object) -> timedelta:
    """`500ms`, `10s`, `5min`, `2h`, `7d`."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a span of time; write 500ms, 10s, 5min, 2h or 7d")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def parse_words(value: object) -> object:
    """`{zh: .., en: ..}` or one text for both."""
    return {"zh": value, "en": value} if isinstance(value, str) else value


def parse_clock(value: object) -> object:
    """`08:30`; YAML 1.1 reads an unquoted 8:30 as the number 510, which we take back."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
ClockTime = Annotated[time, BeforeValidator(parse_clock)]


class Block(BaseModel):
    """One block of the file: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WordsBlock(Block):
    zh: str
    en: str

    def words(self) -> Words:
        return Words(self.zh, self.en)


Text = Annotated[WordsBlock, BeforeValidator(parse_words)]
