"""Tryton's typed JSON and our plain values, both ways; which of its fields an expression needs (pure)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from jmespath.parser import Parser

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


# ------------------------------------------------------------------ what an expression reads
def paths(expressions: Sequence[str]) -> set[str]:
    """Dotted names of the fields that the expressions may touch; too many rather than too few."""
    found: set[str] = set()
    for text in expressions:
        if text:
            found |= set(_paths(Parser().parse(text).parsed))
    return found


def _paths(node: Mapping[str, Any]) -> Iterator[str]:
    kind, children = node["type"], node.get("children") or []
    if kind == "field":
        yield str(node["value"])
    elif kind == "subexpression":
        found = [""]
        for child in children:
            found = [f"{above}.{step}" for above in found for step in _paths(child)]
        yield from (path[1:] for path in found)
    elif kind in ("projection", "filter_projection", "value_projection", "flatten", "index_expression"):
        yield from _paths(children[0])  # of a list we can only ask for the whole
    else:
        for child in children:
            if isinstance(child, dict):
                yield from _paths(child)
