"""Rows of somebody else's tables as typed events: a map of columns, as data (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from collectors.mes_events import MODELS, EventType, JobIn
from collectors.mes_faults import Unreadable
from hub.config import Block
from hub.model.intake import Fault
from hub.model.words import Words

_TIMES = ("at", "due_at")
_JOB = "job."
Row = dict[str, Any]


class TableBlock(Block):
    """What a table means. Without `fields`, columns that are named like our fields are taken."""

    name: str = Field(min_length=1, max_length=60)
    type: EventType
    fields: dict[str, str] = Field({}, description="our field -> their column")
    constants: dict[str, str | int | float | bool] = Field({}, description="our field -> always this")
    words: dict[str, dict[str, Any]] = Field({}, description="our field -> {their word: ours}")

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = known_fields(self.type)
        for where, names in (("fields", self.fields), ("constants", self.constants), ("words", self.words)):
            for name in names:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                    raise ValueError(
                        f"{where}.{name}: an event of type {self.type} has no such field; {hint}"
                    )
        return self


def known_fields(kind: str) -> list[str]:
    """Fields of this type; two languages and the operations of an order below their own names."""
    names = [*MODELS[kind].model_fields, *(["id"] if kind == "order" else [])]
    names = [n for n in names if n != "jobs"]
    if kind == "order":
        names += [f"{_JOB}{n}" for n in JobIn.model_fields]
        names += [f"{n}.{tongue}" for n in ("product_name", "job.name") for tongue in ("zh", "en")]
    return names


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write for example Asia/Shanghai") from None


def missing_columns(block: TableBlock, columns: Sequence[str]) -> list[str]:
    """Columns that the map names and the table does not have."""
    return [c for c in dict.fromkeys(block.fields.values()) if c not in columns]


def folded(block: TableBlock, rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of one event each: those of an order, one for each operation, stand one after another."""
    if block.type != "order" or not _has_jobs(block, rows):
        yield from ([row] for row in rows)
        return
    column = block.fields.get("number", "number")
    for _, same in groupby(rows, key=lambda row: row.get(column)):
        yield list(same)


def event(block: TableBlock, zone: ZoneInfo, rows: Sequence[Row], fallback_id: str = "") -> dict[str, Any]:
    """Raises Unreadable for a word that the map does not know."""
    made = _fields(block, zone, rows[0])
    job = made.pop("job", None)
    if job is not None:
        made["jobs"] = [_fields(block, zone, row).get("job", {}) for row in rows]
    if fallback_id and block.type != "order":
        made.setdefault("id", fallback_id)
    return {**made, "type": block.type}


def plain(value: Any) -> Any:
    """As JSON can hold it: whole numbers without a point, times as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return int(value) if value.is_integer() and abs(value) < 1e15 else value
        case Decimal():
            return plain(float(value))
        case datetime() | date():
            return value.isoformat()
        case _:
            return str(value)


def _has_jobs(block: TableBlock, rows: Sequence[Row]) -> bool:
    named = [*block.fields, *block.constants] if block.fields else list(rows[0]) if rows else []
    return any(n.startswith(_JOB) for n in named)


def _fields(block: TableBlock, zone: ZoneInfo, row: Row) -> dict[str, Any]:
    taken = block.fields or {n: n for n in known_fields(block.type) if n in row}
    found = dict(block.constants) | {ours: _value(block, ours, row.get(c)) for ours, c in taken.items()}
    made: dict[str, Any] = {}
    for name, value in found.items():
        if value is None or value == "":
            continue
        _put(made, name.split("."), _in_zone(value, zone) if name in _TIMES else value)
    return made


def _value(block: TableBlock, ours: str, value: Any) -> Any:
    value = value.strip() if isinstance(value, str) else value
    words = block.words.get(ours)
    if words is None or value in (None, ""):
        return value
    if str(value) not in words:
        known = ", ".join(words)
        raise Unreadable(
            Fault(ours, Words(f"词表中没有此值；已有 {known}", f"is no word of the map: {known}"))
        )
    return words[str(value)]


def _put(made: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        inner = made.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        made = inner
    made[path[-1]] = value


def _in_zone(value: Any, zone: ZoneInfo) -> Any:
    """A time that names no zone is the table's; anything else is left for the model to judge."""
    if not isinstance(value, str):
        return value
    text = value.replace("/", "-") if value[:4].isdecimal() else value
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return value
    return (found if found.tzinfo else found.replace(tzinfo=zone)).isoformat()


def as_mapping(record: Any) -> Mapping[str, Any]:
    """What stands in a reject of ours: {table, rows, id}."""
    known = isinstance(record, Mapping) and isinstance(record.get("rows"), list) and record["rows"]
    if not known:
        raise Unreadable(Fault("", Words("不是表格的行", "holds no rows of a table")))
    found: Mapping[str, Any] = record
    return found


def event_of(tables: Mapping[str, TableBlock], zone: ZoneInfo, record: Any) -> dict[str, Any]:
    """The event of one record {table, rows, id}, by the map as it is now."""
    found = as_mapping(record)
    block = tables.get(str(found.get("table")))
    if block is None:
        raise Unreadable(
            Fault("table", Words("配置中已没有这张表", "is no longer configured; name it under reads:"))
        )
    if broken := found.get("broken"):
        raise Unreadable(Fault(str(broken), Words("含有公式，已拒绝", "holds a formula; write its value")))
    return event(block, zone, found["rows"], str(found.get("id") or ""))
