"""Times as other people's tables write them: with slashes, with 年月日, as days that are counted (pure)."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from hub.model.words import Words

_LONGEST = 100  # characters of what is looked at
_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 a sheet's days have no zone
_DAYS = 36526, 73051  # of a sheet: the years 2000 to 2099
_YEAR_FIRST = r"(?P<y>\d{4})(?:[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})|年(?P<m2>\d{1,2})月(?P<d2>\d{1,2})日)"
_DAY_FIRST = r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"  # with points: nobody puts the month first there
_CLOCK = (
    r"(?:[T\s]\s*|(?<=日)|(?<=[)）]))(?P<half>(?i:AM|PM)|凌晨|早上|上午|下午|晚上)?\s*"
    r"(?P<h>\d{1,2})(?:[:时点](?P<min>\d{1,2})"
    r"(?:分?|[:分](?P<s>\d{1,2})(?:[.,:](?P<f>\d{1,6})\d*)?秒?)|[时点]整?)"
    r"\s*(?P<half2>(?i:AM|PM))?\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)
_SHAPES = tuple(re.compile(f"{day}(?:{_CLOCK})?") for day in (_YEAR_FIRST, _DAY_FIRST))
_RUN = re.compile(r"((?:20)\d{2})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?(?:(?<=\d{6})(\d{3}))?)?")
_DAYS_OF_WEEK = ("一", "二", "三", "四", "五", "六", "日"), ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = re.compile(
    r"\s*[(]?(?:(?:星期|礼拜|周)(?P<zh>[一二三四五六日天])"
    r"|\b(?P<en>mon|tue|wed|thu|fri|sat|sun)(?:[a-z]*day)?\b[.,]?)[)]?",
    re.IGNORECASE,
)
_MORNING, _EVENING = ("AM", "凌晨", "早上", "上午"), ("PM", "下午", "晚上")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WORDED = tuple(
    re.compile(rf"(?<![\w-]){shape}(?=\D|$)", re.IGNORECASE)
    for shape in (  # 05-JAN-2026 of Oracle, Jan  5 2026 of SQL Server
        rf"(?P<day>\d{{1,2}})[-/ .]{{1,2}}{_MONTH}[-/ .,]{{1,2}}(?P<year>\d{{4}})",
        rf"{_MONTH}\.?\s{{1,2}}(?P<day>\d{{1,2}}),?\s(?P<year>\d{{4}})",
    )
)
_NO_YEAR_FIRST = re.compile(r"\d{1,2}([-/])\d{1,2}\1\d{4}(?:\D.*)?")
_SHORT_YEAR = re.compile(
    r"\d{2}([-/.])\d{1,2}\1\d{1,2}(?:\D.*)?|\d{1,2}([-/.])\d{1,2}\2\d{2}(?:\D.*)?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2}(?:\D.*)?"
)
_NO_DAY = re.compile(r"(?:上午|下午)?\s*\d{1,2}[:点时]\d{0,2}.*")
_TWO = Words(
    "看不出哪个是月、哪个是日；请先写年，例如 2026-01-05 08:30",
    "may have day or month first; write the year first: 2026-01-05 08:30",
)
_WHICH_YEAR = Words(
    "的年份只有两位，看不出年月日；请写成 2026-01-05 08:30",
    "has a year of two digits, which may be a day too; write 2026-01-05 08:30",
)
_WHICH_DAY = Words("缺少日期；请写成 2026-01-05 08:30", "has no day; write 2026-01-05 08:30")
_NO_SUCH = Words(
    "没有这样的日期或时刻，或与所写的星期、上下午不符；请核对",
    "is no day or time that there is, or not on the weekday or half of the day that it tells; look it up",
)


def moment(value: Any, zone: ZoneInfo, sheet: bool = False) -> Any:
    """With its zone, the table's where it names none; what is no time is left for the model to judge.

    Of a `sheet` a number counts days, as Excel does. A time such as 5/1/2026 is left too: it may be two.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > _LONGEST:
        return value
    text = _tidy(value)
    try:
        found = _run(text) or _dated(text) or (_counted(text) if sheet else None) or _iso(text)
    except ValueError:
        return value
    if found is None:
        return value
    return (found if found.tzinfo else found.replace(tzinfo=zone)).isoformat()


def end_of_day(text: str) -> str:
    """24:00 as the next day's 00:00; anything else as it is."""
    try:
        found = _shaped(text.strip()) if len(text) <= _LONGEST and "24:00" in text else None
    except ValueError:
        return text
    return text if found is None else found.isoformat()


def why_not(value: Any) -> Words | None:
    """Of what `moment` has left as it was: what is doubtful about it, as far as can be told."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = _tidy(value)
    if _NO_YEAR_FIRST.fullmatch(text):
        return _TWO
    if _SHORT_YEAR.fullmatch(text):
        return _WHICH_YEAR
    if any(shape.fullmatch(_WEEKDAY.sub("", text, count=1)) for shape in _SHAPES):
        return _NO_SUCH
    return _WHICH_DAY if _NO_DAY.fullmatch(text) else None


def _tidy(value: str | float) -> str:
    """Full-width digits, colons and blanks are those of others; months that are named get their number."""
    text = unicodedata.normalize("NFKC", str(value)).strip()
    for shape in _WORDED:
        if found := shape.search(text):
            month = _MONTHS.index(found["month"][:3].lower()) + 1
            return (
                f"{text[: found.start()]}{found['year']}-{month}-{found['day']}{text[found.end() :]}".strip()
            )
    return text


def _run(text: str) -> datetime | None:
    """20260105, 202601050830, 20260105083000, 20260105083000123."""
    match = _RUN.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, millis = (int(part or 0) for part in match.groups())
    return _at(datetime(year, month, day), hour, minute, second, millis * 1000)  # noqa: DTZ001 the table's


def _dated(text: str) -> datetime | None:
    """A weekday beside the day has to be the day's own."""
    named = _WEEKDAY.search(text)
    if named is None:
        return _shaped(text)
    rest = text[: named.start()] + text[named.end() :]
    found = _shaped(rest.strip())
    if found is None:
        return None
    chinese, english = _DAYS_OF_WEEK
    told = (
        chinese.index(named["zh"].replace("天", "日")) if named["zh"] else english.index(named["en"].lower())
    )
    day = _shaped(re.split(r"[T\s]|(?<=日)", rest.strip(), maxsplit=1)[0])
    if day is None or day.weekday() != told:
        raise ValueError("not on this weekday")
    return found


def _shaped(text: str) -> datetime | None:
    match = next(filter(None, (shape.fullmatch(text) for shape in _SHAPES)), None)
    if match is None:
        return None
    part = match.groupdict()
    month, day = part["m"] or part.get("m2") or "", part["d"] or part.get("d2") or ""
    hour, minute, second = (int(part[name] or 0) for name in ("h", "min", "s"))
    micros = int((part["f"] or "0").ljust(6, "0"))
    halves = [half for half in (part["half"], part["half2"]) if half]
    if len(halves) > 1:
        return None
    hour = _of_the_day(hour, *halves)
    midnight = datetime(int(part["y"]), int(month), int(day))  # noqa: DTZ001 its zone is the table's
    found = _at(midnight, hour, minute, second, micros)
    return found.replace(tzinfo=_zone(part["zone"]))


def _at(day: datetime, hour: int, minute: int, second: int, micros: int) -> datetime:
    """24:00 is the end of the day."""
    if (hour, minute, second, micros) == (24, 0, 0, 0):
        return day + timedelta(days=1)
    return day.replace(hour=hour, minute=minute, second=second, microsecond=micros)


def _of_the_day(hour: int, half: str = "") -> int:
    """Raises ValueError for 上午 15 and 晚上 12, which may be noon to nobody and midnight to some."""
    half = half.upper()
    if not half:
        return hour
    if half in _MORNING and hour <= 12:
        return hour % 12
    if half in _EVENING and 1 <= hour <= 23 and (half, hour) != ("晚上", 12):
        return hour % 12 + 12
    raise ValueError("hour and half of the day contradict each other")


def _zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))


def _counted(text: str) -> datetime | None:
    try:
        days = float(text)
    except ValueError:
        return None
    first, end = _DAYS
    # below a millisecond is noise of the fraction
    return _FIRST_DAY + timedelta(milliseconds=round(days * 86_400_000)) if first <= days < end else None


def _iso(text: str) -> datetime | None:
    return None if text.replace(".", "", 1).isdecimal() else datetime.fromisoformat(text)
