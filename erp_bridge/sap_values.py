"""Values between what maps speak (texts, numbers, ISO times) and what OData writes (pure).

OData 2 (odata.org/documentation/odata-version-2-0/json-format): decimals are texts, instants `/Date(ms)/`,
spans of a day `PT08H15M00S`. OData 4: numbers and ISO 8601. A date without a zone is the plant's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

V2, V4 = 2, 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"^/Date\((-?\d+)([+-]\d{1,4})?\)/$")
_SPAN = re.compile(r"^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?$")
_NUMBERS = frozenset({"Edm.Decimal", "Edm.Double", "Edm.Single", "Edm.Int64"})
_WHOLE = frozenset({"Edm.Int16", "Edm.Int32", "Edm.Byte", "Edm.SByte"})
_TRUE = frozenset({"true", "x", "1"})


def encoded(value: Any, kind: str, version: int) -> Any:
    """For a body. Raises ValueError for what this type cannot hold."""
    if kind in _NUMBERS:
        number = _decimal(value)
        return f"{number:f}" if version == V2 else float(number)
    if kind in _WHOLE:
        return int(_decimal(value))
    if kind == "Edm.Boolean":
        return str(value).lower() in _TRUE
    if kind in ("Edm.DateTime", "Edm.DateTimeOffset"):
        return _moment(str(value), kind, version)
    if kind in ("Edm.Time", "Edm.TimeOfDay"):
        at = _clock(value)
        return f"PT{at:%H}H{at:%M}M{at:%S}S" if version == V2 else f"{at:%H:%M:%S}"
    if kind == "Edm.Date":
        return str(value)[:10]
    if isinstance(value, bool):
        return "X" if value else ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def literal(value: Any, kind: str, version: int) -> str:
    """For a URL: a key, a filter or a parameter, before percent-encoding."""
    if kind in _NUMBERS:
        number = f"{_decimal(value):f}"
        return f"{number}M" if version == V2 and kind == "Edm.Decimal" else number
    if kind in _WHOLE:
        return str(int(_decimal(value)))
    if kind == "Edm.Boolean":
        return "true" if str(value).lower() in _TRUE else "false"
    if kind == "Edm.Guid":
        return f"guid'{value}'" if version == V2 else str(value)
    if kind == "Edm.DateTime":
        return f"datetime'{_naive(str(value)):%Y-%m-%dT%H:%M:%S}'"
    if kind == "Edm.DateTimeOffset":
        text = f"{_aware(str(value)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"datetimeoffset'{text}'" if version == V2 else text
    if kind in ("Edm.Time", "Edm.TimeOfDay"):
        text = str(encoded(value, kind, version))
        return f"time'{text}'" if version == V2 else text
    if kind == "Edm.Date":
        return str(value)[:10]
    return "'" + str(encoded(value, "Edm.String", version)).replace("'", "''") + "'"


def decoded(value: Any, kind: str = "") -> Any:
    """As maps see it: dates `2026-11-22T00:00:00`, instants with a Z, times `08:15:00`, the rest as it is."""
    # a span is read as one only where $metadata says so: PT10M may well be somebody's material
    if not isinstance(value, str):
        return value
    moment = _MOMENT.match(value)
    if moment:
        at = _EPOCH + timedelta(milliseconds=int(moment[1]))
        zoned = kind == "Edm.DateTimeOffset" or (not kind and bool(moment[2]))
        return at.isoformat().replace("+00:00", "Z" if zoned else "")
    span = _SPAN.match(value) if kind == "Edm.Time" else None
    if span:
        return ":".join(f"{int(part or 0):02d}" for part in span.groups())
    if kind == "Edm.Date":
        return f"{value}T00:00:00"
    return value


def _moment(value: str, kind: str, version: int) -> str:
    offset = kind == "Edm.DateTimeOffset"
    if version != V2:
        return f"{_aware(value).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    at = _aware(value) if offset else _naive(value).replace(tzinfo=UTC)
    return f"/Date({(at - _EPOCH) // timedelta(milliseconds=1)}{'+0000' if offset else ''})/"


def _naive(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=None)


def _aware(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no zone; let the map give an instant")
    return at


def _clock(value: Any) -> time:
    span = _SPAN.match(str(value))
    if span is None:
        return time.fromisoformat(str(value).rpartition("T")[2])
    hour, minute, second = (int(part or 0) for part in span.groups())
    return time(hour, minute, second)


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
