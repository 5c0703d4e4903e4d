"""Rows of somebody else's tables as typed events: a map of columns, as data (pure)."""

from __future__ import annotations

import base64
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal as Figure
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from collectors.mes_events import MODELS, EventType, JobIn, short_name
from collectors.mes_faults import NO_FIGURE, Unreadable
from collectors.mes_fields import as_word
from collectors.mes_map_checks import unfit
from collectors.mes_moments import moment, why_not
from collectors.mes_numbers import COMMA_IN_TABLE, NOT_SO, Decimal, declared, doubtful, plain_number
from hub.config import Block
from hub.databases import letters
from hub.model.intake import Fault
from hub.model.words import Words

_TIMES = ("at", "due_at")
_NUMBERS = (
    "quantity", "good", "scrap", "rework", "labour_seconds", "machine_seconds", "sample_size", "priority",
)  # fmt: skip
_ORDER = "number"
_JOB = "job."
Row = dict[str, Any]
_TOO_MANY = Words(
    "的单元格比列名多；值中含分隔符时请加引号，数字不要写千分位",
    "has more cells than there are named columns; put a value with the delimiter in it into quotes, and "
    "write numbers without separators of thousands",
)
_BYTES = "bytes"  # in base64, of a value that is no text: the column may be one that nobody reads
_LONGEST = 300  # digits of a number
_NO_TEXT = Words(
    "不是文本；请在语句中用 cast 转换成文本", "is no text; write a cast to text in the statement"
)


class TableBlock(Block):
    """What a table means. Without `fields`, columns that are named like our fields are taken."""

    name: str = Field(min_length=1, max_length=60)
    type: EventType
    fields: dict[str, str] = Field({}, description="our field -> their column")
    constants: dict[str, str | int | float | bool] = Field({}, description="our field -> always this")
    words: dict[str, dict[str, Any]] = Field({}, description="our field -> {their word: ours}")
    decimal: Decimal = Field("", description="of numbers that are text: the sign before decimals")
    by_hand: ClassVar[bool] = False  # a sheet: cells may be merged, times be days that are counted

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

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if "id" in self.constants:
            raise ValueError(
                "constants.id: would be the same of every row; name the column of ids in fields:"
            )
        if self.fields and (lost := lacking(self, self.fields)):
            raise ValueError(
                f"fields: an event of type {self.type} needs {', '.join(lost)}; name the columns"
                + (_WHY_AN_ID if "id" in lost else "")
            )
        if wrong := unfit(self.type, self.constants, self.words, by_hand=self.by_hand):
            raise ValueError("; ".join(wrong))
        return self


_WHY_AN_ID = " (id: the number that the MES gives it; by it nothing is counted twice)"


def lacking(block: TableBlock, given: Iterable[str]) -> list[str]:
    """Our fields that every row has to have and that nothing gives."""
    names = {n for name in (*given, *block.constants) for n in (name, name.rpartition(".")[0])}
    needed = [n for n, field in MODELS[block.type].model_fields.items() if field.is_required()]
    if block.type == "order" and any(n.startswith(_JOB) for n in names):
        needed += [f"{_JOB}{n}" for n, field in JobIn.model_fields.items() if field.is_required()]
    return [n for n in needed if n not in names]


def needed_columns(block: TableBlock) -> list[str]:
    """Those of what every row has to have, figures aside."""
    fields = MODELS[block.type].model_fields.items()
    needed = [n for n, field in fields if field.is_required() and n not in _NUMBERS]
    return [block.fields.get(n, n) if block.fields else n for n in needed]


def known_fields(kind: str) -> list[str]:
    """Fields of this type; two languages and the operations of an order below their own names."""
    names = [*MODELS[kind].model_fields, *(["id"] if kind == "order" else [])]
    names = [n for n in names if n != "jobs"]
    if kind == "order":
        names += [f"{_JOB}{n}" for n in JobIn.model_fields]
        names += [f"{n}.{tongue}" for n in ("product_name", "job.name") for tongue in ("zh", "en")]
    return names


def missing_columns(block: TableBlock, columns: Sequence[str]) -> list[str]:
    """Columns that the map names and the table does not have; without a map, those that cannot be missing."""
    if not block.fields:
        return lacking(block, set(columns) & {*known_fields(block.type)})
    return [c for c in dict.fromkeys(block.fields.values()) if c not in columns]


def columns_of(block: TableBlock, columns: Sequence[str]) -> set[str]:
    """Those of these columns that are read."""
    return {*columns} & {*(block.fields.values() if block.fields else known_fields(block.type))}


def folded(block: TableBlock, rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of one event each: those of an order, one for each operation, wherever they stand.

    In a sheet the number of an order may stand in the first of its rows alone, as in merged cells.
    """
    if block.type != "order" or not _has_jobs(block, rows):
        yield from ([row] for row in rows)
        return
    column = block.fields.get(_ORDER, _ORDER)
    found: dict[str, list[Row]] = {}
    above = ""
    for n, row in enumerate(rows):
        number = "" if _empty(row.get(column)) else f"={str(row[column]).strip()}"
        if number:
            above = number
        elif block.by_hand and above and _goes_on(block, found[above][0], row):
            number = above
        else:
            number, above = f"row {n}", ""  # whose it is nobody can tell: a reject that says so
        found.setdefault(number, []).append(row)
    yield from found.values()


def _goes_on(block: TableBlock, head: Row, row: Row) -> bool:
    """Whether a row without a number tells an operation, and nothing that is another order's."""
    taken = _taken(block, row)
    of_jobs = {c for name, c in taken.items() if name.startswith(_JOB)}
    of_order = {*taken.values()} - of_jobs
    return any(not _empty(row.get(c)) for c in of_jobs) and all(
        _empty(row.get(c)) or row[c] == head.get(c) for c in of_order
    )


def event(block: TableBlock, zone: ZoneInfo, rows: Sequence[Row]) -> dict[str, Any]:
    """Raises Unreadable for a word that the map does not know."""
    made = _fields(block, zone, rows[0])
    job = made.pop("job", None)
    if job is not None:
        made["jobs"] = [_fields(block, zone, row).get("job", {}) for row in rows]
    return {**made, "type": block.type}


def plain(value: Any) -> Any:
    """As JSON can hold it: whole numbers without a point, times as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return int(value) if value.is_integer() and abs(value) < 1e15 else value
        case Figure():
            return _figure(value)
        case datetime() | date():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            text = letters(value)
            return text if isinstance(text, str) else {_BYTES: base64.b64encode(text).decode()}
        case _:
            return str(value)


def _figure(value: Figure) -> Any:
    """A whole number with every digit that it has: ids may be longer than a float can tell apart."""
    if value.is_finite() and value.adjusted() < _LONGEST and value == value.to_integral_value():
        return int(value)
    return math.nan if value.is_nan() else plain(float(value))


def _has_jobs(block: TableBlock, rows: Sequence[Row]) -> bool:
    named = [*block.fields, *block.constants] if block.fields else list(rows[0]) if rows else []
    return any(n.startswith(_JOB) for n in named)


def _fields(block: TableBlock, zone: ZoneInfo, row: Row) -> dict[str, Any]:
    taken = _taken(block, row)
    found = dict(block.constants) | {ours: _value(block, ours, row.get(c)) for ours, c in taken.items()}
    made: dict[str, Any] = {}
    for name, value in found.items():
        if value is None or value == "":
            continue
        _put(made, name.split("."), _read(block, zone, name, value))
    return made


def _read(block: TableBlock, zone: ZoneInfo, name: str, value: Any) -> Any:
    """Raises Unreadable where it may mean several things, or says what there is not."""
    if name in _TIMES:
        found = moment(value, zone, block.by_hand)
        if found is value and (why := why_not(value)):
            raise Unreadable(Fault(name, why))
        return found
    if name.removeprefix(_JOB) in _NUMBERS:
        known = declared(value, block.decimal)
        found = plain_number(known)
        if known is None or doubtful(found):
            raise Unreadable(Fault(name, NOT_SO if known is None else COMMA_IN_TABLE))
        return found
    return value


def _taken(block: TableBlock, row: Row) -> Mapping[str, str]:
    return block.fields or {n: n for n in known_fields(block.type) if n in row}


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _value(block: TableBlock, ours: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        raise Unreadable(Fault(ours, _NO_TEXT))
    if isinstance(value, float) and not math.isfinite(value):
        raise Unreadable(Fault(ours, NO_FIGURE))
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


def as_mapping(record: Any) -> Mapping[str, Any]:
    """What stands in a reject of ours: {table, rows, id}."""
    known = isinstance(record, Mapping) and isinstance(record.get("rows"), list) and record["rows"]
    if not known:
        raise Unreadable(Fault("", Words("不是表格的行", "holds no rows of a table")))
    found: Mapping[str, Any] = record
    return found


@contextmanager
def named_by_row(tables: Mapping[str, TableBlock], record: Any) -> Iterator[None]:
    """What cannot be read still has the type of its table, and the id that stands in its row."""
    try:
        yield
    except Unreadable as why:
        found = record if isinstance(record, Mapping) else {}
        block, rows = tables.get(str(found.get("table"))), found.get("rows")
        if block is not None and not why.kind:
            row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else {}
            name = "id" if block.type != "order" else _ORDER
            told = as_word(row.get(block.fields.get(name, name)))
            why.kind, why.name = block.type, why.name or short_name(told)
        raise


def event_of(tables: Mapping[str, TableBlock], zone: ZoneInfo, record: Any) -> dict[str, Any]:
    """The event of one record {table, rows, id}, by the map as it is now."""
    found = as_mapping(record)
    block = tables.get(str(found.get("table")))
    if block is None:
        raise Unreadable(
            Fault("table", Words("配置中已没有这张表", "is no longer configured; name it under reads:"))
        )
    if found.get("extra"):
        raise Unreadable(Fault("row", _TOO_MANY))
    if broken := found.get("broken"):
        raise Unreadable(Fault(str(broken), Words("含有公式，已拒绝", "holds a formula; write its value")))
    return event(block, zone, found["rows"])
