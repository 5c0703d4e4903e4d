"""Kinds of fields of an MES's events: what each takes, and what is no such thing (pure)."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from collectors.mes_faults import wrong
from collectors.mes_moments import end_of_day
from collectors.mes_numbers import doubtful, plain_number
from hub.config import Text, WordsBlock

_ONLY_A_NUMBER = re.compile(r"\s*[+-]?[\d_]*\.?\d+([eE][+-]?\d+)?\.?\s*")
_BLANKS = " \t\u00a0\u3000\u200b\ufeff"  # around a name they are no part of it
_EXACT = 1e15  # up to here a float tells whole numbers apart
_YEARS = 2000, 2099
_AHEAD = timedelta(days=1)  # what has happened may lie so far before our clock


def as_word(value: object) -> object:
    """A number that is a name: what sheets and databases make of badges and order numbers."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, str):
        return value.strip(_BLANKS)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_text(value: object) -> object:
    """A number with all its digits."""
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("no_figure", "is NaN or infinite")
    word = as_word(value)
    return repr(word) if isinstance(word, float) else word


def unsound(value: str) -> bool:
    """Whether the record could not hold it."""
    return any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value)


def _plain(value: str) -> str:
    if unsound(value):
        raise wrong("no_text")
    return value


def _one_line(value: str) -> str:
    """Names and numbers are compared, printed and put into addresses."""
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in value):
        raise wrong("control")
    return _plain(value)


def _told(value: WordsBlock) -> WordsBlock:
    _plain(value.zh + value.en)
    if len(value.zh + value.en) > 4000:
        raise wrong("words_long")
    return value


def _no_number(value: object) -> object:
    """Seconds since 1970, days since 1900, 20260105: nobody can tell which was meant."""
    if isinstance(value, int | float) or (isinstance(value, str) and _ONLY_A_NUMBER.fullmatch(value)):
        raise PydanticCustomError("moment_number", "is a number")
    return end_of_day(value) if isinstance(value, str) else value


def _within(value: datetime) -> datetime:
    first, last = _YEARS
    if not first <= value.year <= last:
        raise PydanticCustomError("moment_year", "is long ago or far ahead", {"first": first, "last": last})
    return value


def _not_ahead(value: datetime, info: ValidationInfo) -> datetime:
    """Only where the reader says what time it is: `now` of its context."""
    now = (info.context or {}).get("now")
    if now is not None and value - now > _AHEAD:
        raise PydanticCustomError("moment_ahead", "lies ahead")
    return value


def _whole(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("int", "is no number")
    value = plain_number(value)
    if doubtful(value):
        raise wrong("comma")
    try:
        number = float(value) if isinstance(value, str | float) else 0.0
    except ValueError:
        return value  # no number at all: the model says so
    if math.isfinite(number) and number % 1:
        raise PydanticCustomError("pieces", "is no whole number of pieces")
    return value


Word = Annotated[
    str, BeforeValidator(as_word), Field(min_length=1, max_length=200), AfterValidator(_one_line)
]
Code = Annotated[str, BeforeValidator(as_word), Field(max_length=200), AfterValidator(_one_line)]
Short = Annotated[str, BeforeValidator(as_word), Field(max_length=200), AfterValidator(_plain)]
Note = Annotated[str, BeforeValidator(as_text), Field(max_length=2000), AfterValidator(_plain)]
Figure = Annotated[str, BeforeValidator(as_text), Field(max_length=200), AfterValidator(_plain)]
Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_within)]
Happened = Annotated[Moment, AfterValidator(_not_ahead)]
Title = Annotated[Text, BeforeValidator(as_word), AfterValidator(_told)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]  # kg, m, seconds: sums stay finite
Balance = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Quantity = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=1_000_000_000)]
Difference = Annotated[int, BeforeValidator(_whole), Field(ge=-1_000_000_000, le=1_000_000_000)]
