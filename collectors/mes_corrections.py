"""Records that were not taken, for a person to correct: the event that one means, what was changed (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from collectors.mes_faults import Unreadable
from hub.model.intake import Change, Fault
from hub.model.words import Words
from hub.ports import EventSource

MOST_CHANGES = 50
_LONGEST = 200  # characters of one value that are told


def draft(source: EventSource, record: Any) -> str:
    """Where the record means no event, what of it is nearest to one: its text, or its row."""
    try:
        return _laid_out(source.event_of(record))
    except Unreadable:
        pass
    match record:
        case {"event": str(text)}:
            return _laid_out(_or_text(text))
        case {"rows": [row, *_], "table": _}:
            return _laid_out(row)
        case _:
            return _laid_out(record)


def parsed(text: str) -> Any:
    """Raises Unreadable with the place."""
    try:
        found = json.loads(text)
        json.dumps(found)  # what is nested too deep to be written again is no event either
        return found
    except json.JSONDecodeError as cause:
        where = f"{cause.lineno}:{cause.colno}"
        said = Words(
            f"不是 JSON（第 {cause.lineno} 行第 {cause.colno} 列）", f"is not JSON ({where} line:column)"
        )
    except (ValueError, RecursionError):
        said = Words("不是 JSON", "is not JSON")
    raise Unreadable(Fault("", said))


def changes(before: str, event: Any) -> tuple[Change, ...]:
    """Field by field, in the order of their names."""
    old = dict(_fields("", _or_text(before)))
    new = dict(_fields("", event))
    names = [n for n in sorted({*old, *new}) if old.get(n) != new.get(n)]
    return tuple(
        Change(n, old.get(n, "")[:_LONGEST], new.get(n, "")[:_LONGEST]) for n in names[:MOST_CHANGES]
    )


def _fields(path: str, value: Any, deep: int = 6) -> Iterator[tuple[str, str]]:
    inner: Iterator[tuple[Any, Any]] | None = None
    if isinstance(value, Mapping) and value and deep:
        inner = iter(value.items())
    elif isinstance(value, list) and value and deep:
        inner = iter(enumerate(value))
    if inner is None and not path and value == {}:
        return
    if inner is None:
        yield path, json.dumps(value, ensure_ascii=False)
        return
    for name, one in inner:
        yield from _fields(f"{path}.{name}" if path else str(name), one, deep - 1)


def _or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _laid_out(found: Any) -> str:
    """A text that is no JSON stays as it is. Characters that are no text stay escaped."""
    if isinstance(found, str):
        return found
    text = json.dumps(found, ensure_ascii=False, indent=2, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(found, indent=2, default=str)
    return text
