"""What stands in an MQTT message: numbers, words, JSON, times. Pure: bytes in, readings out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError

from collectors.source_times import AHEAD, UNCERTAIN_LAST_USABLE, believed
from hub.model.batch import micros
from hub.model.sample import BAD_OUT_OF_RANGE, GOOD

BAD_DECODING = 0x80070000  # the message cannot be read at all
BAD_NO_DATA = 0x809B0000  # it can, and holds nothing for this tag
BAD_TYPE_MISMATCH = 0x80740000
_NAME = r"""(?:\w[\w-]*|"[^"\\]+")"""  # in any script, or quoted; JMESPath alone takes no null for a value
_SIMPLE = re.compile(rf"^(?:{_NAME}|\[-?\d+\])(?:\.{_NAME}|\[-?\d+\])*$")
_STEP = re.compile(rf"\[(-?\d+)\]|({_NAME})")
_NUMBER = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_WORDS = {"true": 1.0, "false": 0.0}
_PADDING = " \t\r\n\0"  # a PLC's texts are as long as their room
_LONE_DIGIT = re.compile(r"(?<![\d.,])\d(?=[-: T])")
_DIGITS_ALONE = re.compile(r"^(\d{8})(\d{6})$")

Unit = Literal["s", "ms", "us", "ns", "iso"]
Encoding = Literal["utf-8", "gb18030"]
_MICROS: Mapping[str, float] = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
NOTHING: Any = object()  # there is no such place in the document; null is a place that holds None
Find = Callable[[Any], Any]


class Unreadable(ValueError):
    """The text says why."""


class Point(NamedTuple):
    """One value of a message. `row` is the collector's number for it."""

    row: int
    find: Find
    scale: float = 1.0
    offset: float = 0.0
    codes: Mapping[str, float] = {}


class Plan(NamedTuple):
    """How messages of one topic are read."""

    points: Sequence[Point]
    json: bool = False
    each: Find | None = None
    time: Find | None = None
    unit: Unit = "ms"
    zone: tzinfo = UTC
    keep_retained: bool = True
    ahead: int = AHEAD // timedelta(microseconds=1)
    encoding: Encoding = "utf-8"


class Reading(NamedTuple):
    row: int
    at: int  # microseconds since 1970, UTC
    value: float  # NaN where there is none
    status: int
    why: str = ""  # a complaint for the log


def path(expression: str) -> Find:
    """A place in a document: `data.temp`, `readings[0].v`, `"oil temp"`, or JMESPath; "" is the whole of it.

    Raises ValueError when it is neither.
    """
    if not expression:
        return lambda document: document
    if _SIMPLE.match(expression):
        steps = [int(index) if index else name.strip('"') for index, name in _STEP.findall(expression)]
        return lambda document: _walked(document, steps)
    try:
        compiled = jmespath.compile(expression)
    except JMESPathError:
        raise ValueError(
            f"{expression!r} is no path; write for example data.temp, readings[0].v"
            " or '\"oil temp\".v' (quoted, where a name is more than letters and digits)"
        ) from None
    return lambda document: _searched(compiled, document)


def _walked(node: Any, steps: Sequence[str | int]) -> Any:
    for step in steps:
        if isinstance(step, int):
            if not isinstance(node, list) or not -len(node) <= step < len(node):
                return NOTHING
            node = node[step]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        else:
            return NOTHING
    return node


def _searched(compiled: Any, document: Any) -> Any:
    try:
        found = compiled.search(document)
    except (JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError):
        return NOTHING
    return NOTHING if found is None else found


def readings(plan: Plan, body: bytes, arrived: int, *, retained: bool = False) -> list[Reading]:
    """One message. What cannot be read becomes bad readings that say why; what is not there is no news.

    Times are the message's where it has them; a kept message without one is only the last usable value.
    """
    if retained and not plan.keep_retained:
        return []
    try:
        documents = _documents(plan, body)
    except Unreadable as cause:
        return left_out(plan, arrived, str(cause), retained=retained)
    out: list[Reading] = []
    for document in documents:
        out += _of_one(plan, document, arrived, retained=retained)
    return out


def left_out(plan: Plan, arrived: int, why: str, *, retained: bool = False) -> list[Reading]:
    """One message that was not taken in at all."""
    if retained and not plan.keep_retained:
        return []
    return [Reading(p.row, arrived, math.nan, BAD_DECODING, why) for p in plan.points]


def _documents(plan: Plan, body: bytes) -> Sequence[Any]:
    try:
        text = body.decode(plan.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Unreadable(f"is no text ({plan.encoding}); correct encoding:") from None
    if not plan.json:
        return [text.strip()]
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("is no JSON") from None
    if plan.each is None:
        return [whole]
    several = plan.each(whole)
    if not isinstance(several, list):
        raise Unreadable("has no list where each: looks for one")
    return several


def _of_one(plan: Plan, document: Any, arrived: int, *, retained: bool) -> list[Reading]:
    found = [(point, raw) for point in plan.points if (raw := point.find(document)) is not NOTHING]
    if not found:
        return []
    at, floor, why = arrived, UNCERTAIN_LAST_USABLE if retained else GOOD, ""
    if plan.time is not None:
        told = instant(plan.time(document), plan.unit, plan.zone)
        if told is None or not believed(told, arrived, plan.ahead):
            why = "has no time that can be meant; correct time: and time_unit:, or the device's clock"
            floor = UNCERTAIN_LAST_USABLE
        else:
            at, floor = told, GOOD
    return [_reading(point, raw, at, floor, why) for point, raw in found]


def _reading(point: Point, raw: Any, at: int, floor: int, why: str) -> Reading:
    value, status, complaint = number(raw, point.codes)
    if status == GOOD:
        value = value * point.scale + point.offset
        status = floor
    return Reading(point.row, at, value, status, complaint or why)


def number(raw: Any, codes: Mapping[str, float]) -> tuple[float, int, str]:
    """(value, status, complaint) of one raw value; texts by their codes, or as the number they spell."""
    if raw is None:
        return math.nan, BAD_NO_DATA, ""
    if isinstance(raw, bool | int | float):
        return _plain(float(raw) if abs(raw) < 1e300 else math.inf, codes, raw)
    if isinstance(raw, str):
        if codes:
            return _coded(raw, codes)
        said = raw.strip(_PADDING)
        if _NUMBER.match(said):
            return _plain(float(said), {}, said)
        if said.lower() in _WORDS:
            return _WORDS[said.lower()], GOOD, ""
        return math.nan, BAD_TYPE_MISMATCH, f"is a text ({raw[:40]!r}); give it codes: {{TEXT: number}}"
    return math.nan, BAD_TYPE_MISMATCH, f"holds a {type(raw).__name__}; name a value in it"


def _plain(value: float, codes: Mapping[str, float], raw: Any) -> tuple[float, int, str]:
    if codes:
        return _coded(str(raw).lower() if isinstance(raw, bool) else f"{value:.15g}", codes)
    if not math.isfinite(value):
        return math.nan, BAD_OUT_OF_RANGE, "is no finite number"
    return value, GOOD, ""


def _coded(word: str, codes: Mapping[str, float]) -> tuple[float, int, str]:
    for said in (word, word.strip(_PADDING)):
        if said in codes:
            return codes[said], GOOD, ""
    return math.nan, BAD_OUT_OF_RANGE, f"says {word[:40]!r}, which is not among its codes:; add it"


def instant(raw: Any, unit: Unit, zone: tzinfo) -> int | None:
    """Microseconds since 1970; None where it is no time."""
    try:
        if unit == "iso":
            at = datetime.fromisoformat(_as_iso(raw))
            return micros(at if at.tzinfo else at.replace(tzinfo=zone))
        if isinstance(raw, str):
            raw = float(raw) if not raw.strip().isdigit() else int(raw)
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return None
        if isinstance(raw, int):
            return raw // 1000 if unit == "ns" else raw * int(_MICROS[unit])
        return round(raw * _MICROS[unit])
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def _as_iso(said: str) -> str:
    """2026/5/1 7:05:03 and 20260501070503 are as usual as what the standard has."""
    said = _DIGITS_ALONE.sub(r"\1T\2", said.strip())
    return _LONE_DIGIT.sub(lambda digit: f"0{digit[0]}", said.replace("/", "-"))
