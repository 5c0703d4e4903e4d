"""Records of an ERP made into things of ours one by one: what cannot be is passed over and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from erp_bridge import left_out
from erp_bridge.fieldmap import FieldMap
from hub.errors import ErpRefused

T = TypeVar("T")
Row = Mapping[str, Any]  # in our fields, and RECORD
RECORD = "record"  # what a clerk finds the record by
# of a map that gives something else than was wanted: a text for a number, a state that we do not have
_NOT_OURS = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


def read(document: str, number: object, by: FieldMap, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record in our fields; None, and a note, where its map fails. `number`: as a clerk finds it."""
    try:
        return {**by.read(record), RECORD: str(number)}
    except (ErpRefused, *_NOT_OURS) as reason:
        left_out.note(document, number, f"documents.{document}.read: {reason}")
        return None


def each(document: str, rows: Iterable[Row], needed: Iterable[str], make: Callable[[Row], T]) -> list[T]:
    """What `make` makes of the rows, but for those that lack a needed field or hold what cannot be."""
    found = (one(document, row, needed, make) for row in rows)
    return [made for made in found if made is not None]


def one(document: str, row: Row, needed: Iterable[str], make: Callable[[Row], T]) -> T | None:
    for name in needed:
        if row.get(name) in (None, ""):
            left_out.note(document, row.get(RECORD, "?"), f"documents.{document}.read.{name} gives nothing")
            return None
    try:
        return make(row)
    except _NOT_OURS as reason:
        why = f"documents.{document}.read: {type(reason).__name__} {reason}"
        left_out.note(document, row.get(RECORD, "?"), why)
        return None


def moment(text: Any) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone: write instant(..) in its map")
    return at
