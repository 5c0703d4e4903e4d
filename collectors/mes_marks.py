"""Watermarks of a database: how they are read, written and told as parameters (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from collectors import mes_tables as tables
from collectors.mes_set_back import Mark

# A day from the ends of the calendar: such a mark still is a time in every zone.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_BEFORE = re.compile(r"-infinity|\d{4,}-\d\d-\d\d.* BC")
_AFTER = re.compile(r"infinity|\d{5,}-\d\d-\d\d.*")


def number(mark: Mark) -> float:
    return mark.timestamp() if isinstance(mark, datetime) else mark


def parsed(text: str, zone: ZoneInfo) -> Mark:
    if text.lstrip("-").isdecimal():
        return int(text)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def written(mark: Mark) -> str:
    return str(mark) if isinstance(mark, int) else mark.astimezone(UTC).isoformat()


def as_mark(value: Any, zone: ZoneInfo) -> Mark | None:
    """What lies beyond the calendar is at its end: one row of a wrong time stops nobody."""
    if isinstance(value, str):
        return _FIRST if _BEFORE.fullmatch(value) else _LAST if _AFTER.fullmatch(value) else None
    if isinstance(value, datetime):
        try:
            at = (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
        except OverflowError:
            return _FIRST if value.year == 1 else _LAST
        return min(max(at, _FIRST), _LAST)
    whole = tables.plain(value)
    return whole if isinstance(whole, int) and not isinstance(whole, bool) else None


def as_parameter(since: Mark | None, zone: ZoneInfo) -> Any:
    """A time without its zone, in the database's own: columns with and without one are compared alike."""
    return since.astimezone(zone).replace(tzinfo=None) if isinstance(since, datetime) else since
