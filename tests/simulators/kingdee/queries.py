"""ExecuteBillQuery and BillQuery: columns, filter, order, pages, one row per entry."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.simulators.kingdee.answers import BAD_PARAMETER, Refusal
from tests.simulators.kingdee.books import Books, Record, Row, form_named
from tests.simulators.kingdee.columns import Column, Place, column
from tests.simulators.kingdee.filters import moment, parse_filter
from tests.simulators.kingdee.forms import Form, Kind

MOST_ROWS = 2000
Seen = Callable[[Record], bool]


def run_query(
    books: Books, data: dict[str, Any], seen: Seen, cap: int = MOST_ROWS
) -> tuple[list[str], list[list[Any]]]:
    """Field keys as asked, and the rows of this page."""
    form = form_named(data.get("FormId"))
    keys = _keys(data.get("FieldKeys"))
    columns = [column(form, key) for key in keys]
    chosen = parse_filter(form, data.get("FilterString"))
    order = _order(form, data.get("OrderString"))
    used = [*columns, *chosen.columns, *(c for c, _ in order)]
    rows = [
        (record, place)
        for record in books.all(form.id)
        if seen(record)
        for place in _places(form, record, used)
        if chosen.condition(lambda c, r=record, p=place: c.value(books, r, p))  # type: ignore[misc]
    ]
    for col, downward in reversed(order):
        rows.sort(key=lambda at, c=col: _rank(c.value(books, *at)), reverse=downward)  # type: ignore[misc]
    start, end = _page(data, cap)
    return keys, [[_cell(c, c.value(books, *at)) for c in columns] for at in rows[start:end]]


def _keys(given: Any) -> list[str]:
    keys = [
        k.strip()
        for k in (given if isinstance(given, list) else str(given or "").split(","))
        if str(k).strip()
    ]
    if not keys:
        raise Refusal(BAD_PARAMETER, "查询字段 FieldKeys 不能为空")
    return keys


def _order(form: Form, given: Any) -> list[tuple[Column, bool]]:
    order = []
    for part in filter(None, (p.strip() for p in str(given or "").split(","))):
        key, _, direction = part.partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise Refusal(BAD_PARAMETER, f"排序条件错误: {part}")
        order.append((column(form, key), direction.strip().lower() == "desc"))
    return order


def _page(data: dict[str, Any], cap: int) -> tuple[int, int]:
    """`TopRowCount` is the absolute last row, not a page size."""
    start, limit, top = (_whole(data.get(k)) for k in ("StartRow", "Limit", "TopRowCount"))
    if limit > 10_000:
        raise Refusal(BAD_PARAMETER, "Limit 超过最大行数 10000")
    end = start + min(limit or cap, cap)
    return start, min(end, top) if top else end


def _whole(value: Any) -> int:
    try:
        return max(0, int(value or 0))
    except (TypeError, ValueError):
        raise Refusal(BAD_PARAMETER, f"参数 {value!r} 不是整数") from None


def _places(form: Form, record: Record, columns: list[Column]) -> Iterator[Place]:
    entities = list(dict.fromkeys(c.entity for c in columns if c.entity))
    options: list[list[tuple[int, Row] | None]] = [
        [*enumerate(record.rows.get(e, ()), 1)] or [None] for e in entities
    ]
    for combination in itertools.product(*options):
        yield dict(zip(entities, combination, strict=True))


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def _cell(col: Column, value: Any) -> Any:
    """As the server writes cells: dates with a T, flags as "0"/"1", text that was never set as one blank."""
    kind = col.kind
    if kind is Kind.MOMENT:
        at = moment(value)
        return at.strftime("%Y-%m-%dT%H:%M:%S") if at else None
    if kind is Kind.FLAG:
        return "1" if value in (True, "true", "1", 1) else "0"
    if kind is Kind.NUMBER:
        return (
            (0.0 if col.field is not None and col.field.kind is Kind.NUMBER else None)
            if value is None
            else value
        )
    if value is None:
        return None if col.rest is not None else " "
    return value
