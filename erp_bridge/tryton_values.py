"""Tryton's typed JSON and our plain values, both ways (pure)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.errors import ErpRefused

Row = dict[str, Any]


# ------------------------------------------------------------------ theirs -> ours
def plain(value: Any) -> Any:
    """`{"__class__": "date", ..}` and its kin as ISO texts, seconds and numbers; bytes stay bytes.

    Instants are UTC without a zone in Tryton; ours end in Z. A dotted field `product.code` comes back as
    `{"product": 5, "product.": {"id": 5, "code": ..}}` and is `{"product": {"id": 5, "code": ..}}` here.
    """
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "__class__" in value:
        return _untyped(value)
    out = {name: plain(v) for name, v in value.items() if not name.endswith(".")}
    return out | {name[:-1]: plain(v) for name, v in value.items() if name.endswith(".")}


def _untyped(value: Mapping[str, Any]) -> Any:
    kind = value["__class__"]
    if kind == "Decimal":
        return float(value["decimal"])
    if kind == "timedelta":
        return value["seconds"]
    if kind == "bytes":
        return base64.b64decode(value["base64"])
    if kind == "date":
        return date(value["year"], value["month"], value["day"]).isoformat()
    hour, minute, second, micro = (
        int(value.get(p) or 0) for p in ("hour", "minute", "second", "microsecond")
    )
    if kind == "datetime":
        at = datetime(value["year"], value["month"], value["day"], hour, minute, second, micro, UTC)
        return at.isoformat().replace("+00:00", "Z")
    return f"{hour:02}:{minute:02}:{second:02}" if kind == "time" else dict(value)


# ------------------------------------------------------------------ ours -> theirs
def typed(kind: str, value: Any, where: str) -> Any:
    """The value as a field of this type takes it; raises ErpRefused naming the field for what cannot be."""
    if value is None:
        return None
    try:
        return _typed(kind, value)
    except (ValueError, TypeError, InvalidOperation):
        raise ErpRefused(f"{where}: {value!r} cannot be written into a field of type {kind}") from None


def _typed(kind: str, value: Any) -> Any:
    if kind in ("char", "text", "selection"):
        return value if isinstance(value, str) else _text(value)
    if kind == "integer":
        return int(Decimal(str(value)))
    if kind == "float":
        return float(value)
    if kind == "numeric":
        return {"__class__": "Decimal", "decimal": str(Decimal(str(value)))}
    if kind == "boolean":
        return value not in (False, 0, "", "false", "0")
    if kind == "timedelta":
        return {"__class__": "timedelta", "seconds": float(value)}
    if kind == "date":
        return typed_date(date.fromisoformat(str(value)[:10]))
    if kind in ("datetime", "timestamp"):
        return typed_instant(datetime.fromisoformat(str(value)))
    if kind == "binary":
        return typed_bytes(value)
    return value


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def typed_date(day: date) -> Row:
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def typed_instant(at: datetime) -> Row:
    at = at.astimezone(UTC) if at.tzinfo else at
    return {
        "__class__": "datetime", "year": at.year, "month": at.month, "day": at.day, "hour": at.hour,
        "minute": at.minute, "second": at.second, "microsecond": at.microsecond,
    }  # fmt: skip


def typed_bytes(value: bytes) -> Row:
    return {"__class__": "bytes", "base64": base64.b64encode(value).decode()}
