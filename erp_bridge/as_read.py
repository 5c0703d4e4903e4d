"""Records of an ERP made into things of ours one by one: what cannot be is passed over and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from erp_bridge import left_out
from erp_bridge.fieldmap import FieldMap
from hub.errors import ErpRefused

T = TypeVar("T")
# of a map that gives something else than was wanted: a text for a number, a state that we do not have
_NOT_OURS = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


def read(document: str, number: object, by: FieldMap, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record in our fields; None, and a note of it, where its map fails. `number`: as a clerk finds it."""
    try:
        return by.read(record)
    except (ErpRefused, *_NOT_OURS) as reason:
        left_out.note(document, number, f"documents.{document}.read: {reason}")
        return None


def made(
    document: str, number: object, row: Mapping[str, Any], needed: Iterable[str], make: Callable[[], T]
) -> T | None:
    """What `make` makes of this row in our fields; None, and a note of it, where a field in `needed` is empty
    or holds what cannot be."""
    for name in needed:
        if row.get(name) in (None, ""):
            left_out.note(document, number, f"documents.{document}.read.{name} gives nothing")
            return None
    try:
        return make()
    except _NOT_OURS as reason:
        left_out.note(document, number, f"documents.{document}.read: {type(reason).__name__} {reason}")
        return None
