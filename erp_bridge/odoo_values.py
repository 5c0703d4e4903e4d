"""Odoo's values and ours, both ways (pure)."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.errors import ErpRefused

Row = dict[str, Any]
STAMP = "%Y-%m-%d %H:%M:%S"  # UTC, to the second
_TAG = re.compile(r"<[^>]*>")
_MANY = frozenset({"one2many", "many2many"})


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime(STAMP)


# ------------------------------------------------------------------ theirs -> ours
def plain(value: Any, kind: str) -> Any:
    """`false` is nothing unless the field is a boolean; instants end in Z; a record is {id, name}. Raises
    ValueError for a record or a number that is none."""
    if kind == "boolean":
        return bool(value)
    if value is False or value is None:
        return None
    if kind == "datetime":
        return f"{str(value).replace(' ', 'T')}Z"
    if kind == "many2one":
        return _reference(value)
    if kind in ("float", "integer", "monetary") and not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return value


def _reference(value: Any) -> Row:
    """Raises ValueError for what names no record."""
    record, name = (value[0], value[1]) if isinstance(value, list) and len(value) > 1 else (value, "")
    if not isinstance(record, int) or isinstance(record, bool):
        raise ValueError(f"{value!r} names no record")
    return {"id": record, "name": name}


def words(markup: object) -> str:
    """The bare words of an HTML text, for comparison: Odoo tidies what it is given."""
    return spaced(html.unescape(_TAG.sub(" ", str(markup or ""))))


def spaced(text: object) -> str:
    return " ".join(str(text or "").split())


# ------------------------------------------------------------------ ours -> theirs
def markup(text: str) -> str:
    return f"<p>{'<br/>'.join(html.escape(line, quote=False) for line in text.splitlines())}</p>"


def typed(kind: str, value: Any, where: str) -> Any:
    """The value as a field of this type takes it; raises ErpRefused naming the field for what cannot be."""
    if value is None:
        return False
    try:
        return _typed(kind, value)
    except (ValueError, TypeError):
        raise ErpRefused(f"{where}: {value!r} cannot be written into a field of type {kind}") from None


def _typed(kind: str, value: Any) -> Any:
    if kind in ("char", "text", "selection"):
        return _text(value)
    if kind == "html":
        return markup(_text(value))
    if kind == "integer":
        return int(float(value))
    if kind in ("float", "monetary"):
        return float(value)
    if kind == "boolean":
        return value not in (False, 0, "", "false", "0")
    if kind == "date":
        return datetime.fromisoformat(str(value)[:10]).strftime("%Y-%m-%d")
    if kind == "datetime":
        at = datetime.fromisoformat(str(value))
        return stamp(at) if at.tzinfo else at.strftime(STAMP)
    if kind == "binary":
        return base64.b64encode(value).decode() if isinstance(value, bytes) else _text(value)
    if kind in _MANY and isinstance(value, list) and all(isinstance(v, int) for v in value):
        return [[6, 0, value]]
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def columns(values: Mapping[str, Any], kinds: Mapping[str, str]) -> tuple[list[str], list[Any]]:
    """Typed values as `load` takes them: column names and cells."""
    names: list[str] = []
    cells: list[Any] = []
    for name, value in values.items():
        kind = kinds.get(name, "char")
        if value is False and kind != "boolean":
            continue
        if kind == "many2one":
            names.append(f"{name}/.id")
            cells.append(value)
        elif kind in _MANY:
            names.append(f"{name}/.id")
            cells.append(",".join(str(i) for command in value for i in command[2]))
        else:
            names.append(name)
            cells.append(("1" if value else "0") if kind == "boolean" else str(value))
    return names, cells
