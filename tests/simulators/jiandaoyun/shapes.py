"""Values as they are written and as they are read, by the type of their field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulators.jiandaoyun.answers import Refused
from tests.simulators.jiandaoyun.books import Books, Form, Values, Widget

ZONE = ZoneInfo("Asia/Shanghai")
TEXTS = frozenset({"text", "textarea", "radiogroup", "combo"})
LISTS = frozenset({"checkboxgroup", "combocheck"})
READ_ONLY = frozenset({"sn", "aggregation", "signature", "linkquery", "separator"})
FILES = frozenset({"image", "upload"})
Files = Callable[[str], Values | None]  # key -> {name, size, mime, url} of a file that may be used now


def stored(books: Books, form: Form, data: Any, files: Files, before: Values | None = None) -> Values:
    """The record's fields after this write. Fields that the form does not have are ignored."""
    if not isinstance(data, Mapping):
        raise Refused(3005, about="data")
    ours = [w for w in form.widgets if w.type not in READ_ONLY]
    out = {w.name: (before or {}).get(w.name) for w in ours}
    for name, given in data.items():
        if not isinstance(given, Mapping) or "value" not in given:
            raise Refused(17017, about=str(name))
        widget = form.widget(name)
        if widget is not None and widget.type not in READ_ONLY:
            out[widget.name] = _stored(books, widget, given["value"], files, out.get(widget.name))
    return out


def _stored(books: Books, widget: Widget, value: Any, files: Files, before: Any) -> Any:
    wrong = Refused(17017, about=widget.name)
    if value is None:
        return None
    if widget.type in TEXTS:
        if not isinstance(value, str):
            raise wrong
        return value
    if widget.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong
        return value
    if widget.type == "datetime":
        return moment(value, widget.name)
    if widget.type in LISTS:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise wrong
        return value
    if widget.type == "user":
        return _member(books, value)
    if widget.type == "usergroup":
        return [_member(books, v) for v in value]
    if widget.type in FILES:
        found = [files(str(key)) for key in value] if isinstance(value, list) else [None]
        if None in found:
            raise wrong
        return found
    if widget.type == "subform":
        return _rows(books, widget, value, files, before)
    return value


def _rows(books: Books, widget: Widget, value: Any, files: Files, before: Any) -> list[Values]:
    """The list replaces all rows; one that names its id keeps what it does not say."""
    if not isinstance(value, list):
        raise Refused(17017, about=widget.name)
    old = {row["_id"]: row for row in before or []}
    rows = []
    for given in value:
        if not isinstance(given, Mapping) or not all(
            isinstance(v, Mapping) and "value" in v for v in given.values()
        ):
            raise Refused(17017, about=widget.name)
        kept = old.get(given.get("_id", {}).get("value"), {})
        row = {"_id": kept.get("_id") or books.new_id()}
        for item in widget.items:
            said = next((given[n] for n in (item.alias, item.widget) if n and n in given), None)
            known = kept.get(item.name)
            row[item.name] = known if said is None else _stored(books, item, said["value"], files, known)
        rows.append(row)
    return rows


def _member(books: Books, value: Any) -> Values:
    found = books.members.get(value) if isinstance(value, str) else None
    if found is None:
        raise Refused(1010, about=str(value))
    return found


def moment(value: Any, name: str) -> datetime:
    """ISO 8601, milliseconds since 1970, a day, or a local time; neither seconds since 1970 nor slashes."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 100_000_000_000:
        return datetime.fromtimestamp(value / 1000, UTC)
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Refused(17017, about=name) from None
    return (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(UTC)


def shown(value: Any) -> Any:
    """As JSON: instants in UTC with milliseconds."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    if isinstance(value, Mapping):
        return {k: shown(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shown(v) for v in value]
    return value
