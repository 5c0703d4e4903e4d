"""Types that configuration is made of; the hub's own blocks and every plugin's `Config` use them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    SecretStr,
    ValidationError,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from hub.model.words import Words
from hub.plain_errors import mistakes

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")


def parse_duration(value: object) -> timedelta:
    """`500ms`, `10s`, `5min`, `2h`, `7d`."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a span of time; write 500ms, 10s, 5min, 2h or 7d")
    try:
        return timedelta(seconds=float(found[1]) * _UNITS[found[2]])
    except OverflowError:
        raise ValueError(f"{value!r} is longer than any plant will stand; write for example 7d") from None


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


def known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{value!r} is not an IANA time zone; write for example Asia/Shanghai") from None
    return value


def written(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("is empty; write {env: NAME} or {file: PATH}")
    return value


TimeZoneName = Annotated[str, AfterValidator(known_zone)]
WrittenSecret = Annotated[SecretStr, AfterValidator(written)]  # one that is not empty


class Block(BaseModel):
    """One block of the file: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Kept:
    """`Annotated[T, Kept(Written)]`: people write a block `Written`; its `kept()`, a T, is what stays of it.

    For what there are ten thousands of: a block costs a kilobyte.
    """

    written: type[Block]

    def __get_pydantic_core_schema__(self, _kept: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(lambda block: block.kept(), handler(self.written))


class WordsBlock(Block):
    zh: str
    en: str

    def words(self) -> Words:
        return Words(self.zh, self.en)


Text = Annotated[WordsBlock, BeforeValidator(parse_words)]


def explain(error: ValidationError, where: str) -> list[str]:
    """Pydantic's findings in our words: place, what is wrong, what to write. Never the offending secret."""
    out = []
    found = error.errors(include_url=False, include_input=False, include_context=True)
    for place, said, kind in mistakes(found, _is_block):
        text = said
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")
        if kind == "extra_forbidden":
            near = difflib.get_close_matches(str(place[-1]), _known_keys(error.title), 1)
            text = "unknown key" + (f"; did you mean {near[0]!r}?" if near else "; remove it")
        out.append(f"{where}: {path}: {text}" if path else f"{where}: {text}")
    return out


def _known_keys(title: str) -> list[str]:
    """Every key that may stand in the model of this name or anywhere below it."""
    todo: list[Any] = [m for m in _below(BaseModel) if m.__name__ == title]
    seen: set[Any] = set()
    keys: set[str] = set()
    while todo:
        kind = todo.pop()
        if kind in seen:
            continue
        seen.add(kind)
        todo.extend(get_args(kind))
        if isinstance(kind, Kept):
            todo.append(kind.written)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys.update(f.alias or n for n, f in kind.model_fields.items())
            todo.extend(f.annotation for f in kind.model_fields.values())
    return sorted(keys)


def _is_block(name: str) -> bool:
    return any(m.__name__ == name for m in _below(BaseModel))


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    return [m for child in model.__subclasses__() for m in (child, *_below(child))]
