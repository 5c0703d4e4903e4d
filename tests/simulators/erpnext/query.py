"""`fields`, `filters`, `order_by` and pages of a list, as Frappe reads them from JSON texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.simulators.erpnext.errors import FrappeError
from tests.simulators.erpnext.meta import DocType
from tests.simulators.erpnext.site import Doc, Site

PAGE = 20


def listed(site: Site, doctype: DocType, asked: Mapping[str, Any]) -> list[Doc]:
    fields = _read(asked.get("fields"), ["name"])
    fields = [fields] if isinstance(fields, str) else list(fields)
    for name in fields:
        _known(doctype, name.strip("`"))
    rows = [d for d in site.every(doctype.name) if _all(site, doctype, d, _read(asked.get("filters"), []))]
    either = _read(asked.get("or_filters"), [])
    if either:
        rows = [d for d in rows if any(_all(site, doctype, d, [one]) for one in _rows(either))]
    rows = _sorted(doctype, rows, str(asked.get("order_by") or "modified desc"))
    start = int(asked.get("limit_start") or asked.get("start") or 0)
    given = asked.get("limit_page_length", asked.get("limit"))
    length = PAGE if given in (None, "") else int(given)
    length = PAGE if "long-pages" in site.lacks else length
    rows = rows[start : start + length] if length else rows[start:]
    return [_cut(doctype, row, fields) for row in rows]


def _cut(doctype: DocType, row: Doc, fields: list[str]) -> Doc:
    if "*" in fields:
        return {n: v for n, v in row.items() if n not in doctype.tables() and n != "doctype"}
    return {name.strip("`"): row.get(name.strip("`")) for name in fields}


def _read(value: Any, otherwise: Any) -> Any:
    if value in (None, ""):
        return otherwise
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise FrappeError("ValidationError", f"not JSON: {value}") from None


def _known(doctype: DocType, name: str) -> None:
    if name != "*" and (not doctype.knows(name) or name in doctype.tables()):
        raise FrappeError("DataError", f"Field not permitted in query: {name}")


def _rows(filters: Any) -> list[list[Any]]:
    if isinstance(filters, Mapping):
        return [[n, *(v if isinstance(v, list) else ["=", v])] for n, v in filters.items()]
    if filters and not isinstance(filters[0], list):
        return [filters]
    return list(filters)


def _all(site: Site, doctype: DocType, doc: Doc, filters: Any) -> bool:
    return all(_holds(site, doctype, doc, one) for one in _rows(filters))


def _holds(site: Site, doctype: DocType, doc: Doc, one: list[Any]) -> bool:
    """[field, operator, value], or with a DocType before: this one, or one of its tables."""
    child = doctype.name
    if len(one) == 4:
        child, *one = one
    if len(one) == 2:
        one = [one[0], "=", one[1]]
    name, operator, value = one
    if child != doctype.name and "row-filters" in site.lacks:
        raise FrappeError("ValidationError", f"{child}: only fields of {doctype.name} can be searched")
    if child == doctype.name:
        _known(doctype, name)
        return _compare(doc.get(name), str(operator).lower(), value)
    places = [place for place, of in doctype.tables().items() if of == child]
    if not places:
        raise FrappeError("ValidationError", f"{child} is no table of {doctype.name}")
    _known(site.types[child], name)
    rows = [row for place in places for row in doc.get(place) or []]
    return any(_compare(row.get(name), str(operator).lower(), value) for row in rows)


def _compare(theirs: Any, operator: str, wanted: Any) -> bool:
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: _same(theirs, wanted),
        "!=": lambda: not _same(theirs, wanted),
        "in": lambda: any(_same(theirs, w) for w in _many(wanted)),
        "not in": lambda: not any(_same(theirs, w) for w in _many(wanted)),
        "like": lambda: _like(theirs, wanted),
        "not like": lambda: not _like(theirs, wanted),
        ">": lambda: theirs is not None and _order(theirs) > _order(wanted),
        "<": lambda: theirs is not None and _order(theirs) < _order(wanted),
        ">=": lambda: theirs is not None and _order(theirs) >= _order(wanted),
        "<=": lambda: theirs is not None and _order(theirs) <= _order(wanted),
        "is": lambda: (theirs not in (None, "")) == (wanted == "set"),
        "between": lambda: _order(wanted[0]) <= _order(theirs) <= _order(wanted[1]),
    }
    if operator not in tests:
        raise FrappeError("ValidationError", f"Operator must be one of {', '.join(tests)}")
    return tests[operator]()


def _many(value: Any) -> list[Any]:
    return value.split(",") if isinstance(value, str) else list(value)


def _same(theirs: Any, wanted: Any) -> bool:
    """MariaDB compares without case and without blanks at the end."""
    if isinstance(theirs, int | float):
        try:
            return float(theirs) == float(wanted)
        except (TypeError, ValueError):
            return False
    return str(theirs or "").rstrip().lower() == str("" if wanted is None else wanted).rstrip().lower()


def _order(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) else str(value)


def _like(theirs: Any, wanted: Any) -> bool:
    pattern = "".join(
        ".*" if c == "%" else "." if c == "_" else re.escape(c) for c in re.sub(r"\\(.)", r"\1", str(wanted))
    )
    return re.fullmatch(pattern, str(theirs or ""), re.I | re.S) is not None


def _sorted(doctype: DocType, rows: list[Doc], order: str) -> list[Doc]:
    for part in reversed(order.split(",")):
        words = part.strip().split()
        name = words[0].strip("`").rpartition(".")[2].strip("`")
        _known(doctype, name)
        rows = sorted(rows, key=lambda d: str(d.get(name) or ""), reverse=words[1:] == ["desc"])
    return rows
