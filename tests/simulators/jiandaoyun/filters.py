"""Conditions of a list: which methods a type of field knows, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.simulators.jiandaoyun.answers import Refused
from tests.simulators.jiandaoyun.books import Form, Values
from tests.simulators.jiandaoyun.shapes import moment

EMPTY = ("empty", "not_empty")
_TEXT = ("eq", "ne", "in", "nin", *EMPTY)
METHODS = {
    "text": _TEXT, "textarea": _TEXT, "radiogroup": _TEXT, "combo": _TEXT, "sn": (*_TEXT, "like"),
    "number": ("eq", "ne", "range", "gt", "lt", *EMPTY), "datetime": ("eq", "ne", "range", *EMPTY),
    "checkboxgroup": ("in", "all", *EMPTY), "combocheck": ("in", "all", *EMPTY), "user": _TEXT, "dept": _TEXT,
    "lookup": ("eq", "ne", "in", "nin"), "flowState": ("eq", "ne", "in", "nin"), "_id": ("eq", "in"),
    "phone": ("like", "verified", "unverified", *EMPTY), "subform": (),
}  # fmt: skip
SYSTEM = {"_id": "_id", "createTime": "datetime", "updateTime": "datetime", "flowState": "flowState"}
MOST = 1000
Test = Callable[[Values], bool]


def chosen(form: Form, told: Any) -> Test:
    """Raises 4815 for a filter that the platform would not take."""
    if not told:
        return lambda _: True
    if not isinstance(told, Mapping) or told.get("rel") not in ("and", "or"):
        raise Refused(4815, about="rel")
    conditions = told.get("cond")
    if not isinstance(conditions, list):
        raise Refused(4815, about="cond")
    tests = [_condition(form, c) for c in conditions]
    whole = all if told["rel"] == "and" else any
    return lambda values: whole(test(values) for test in tests)


def _condition(form: Form, told: Any) -> Test:
    if not isinstance(told, Mapping):
        raise Refused(4815)
    field, method = str(told.get("field")), str(told.get("method"))
    widget = form.widget(field)
    kind = widget.type if widget else SYSTEM.get(field, "")
    if not kind or method not in METHODS.get(kind, EMPTY):
        raise Refused(4815, about=f"{field} {method}")
    if widget and "type" in told and told["type"] != kind:
        raise Refused(4815, about=f"{field} type")
    value = told.get("value")
    if method in EMPTY:
        wanted = method == "empty"
        return lambda values: (values.get(widget.name if widget else field) in (None, "", [])) is wanted
    if not isinstance(value, list) or len(value) > MOST:
        raise Refused(4815, about=f"{field} value")
    if kind == "datetime":
        value = [None if v is None else moment(v, field) for v in value]
    name = widget.name if widget else field
    return lambda values: _holds(method, _plain(values.get(name)), value)


def _plain(value: Any) -> Any:
    return value.get("username") if isinstance(value, Mapping) else value


def _holds(method: str, have: Any, wanted: list[Any]) -> bool:
    match method:
        case "eq":
            return have in wanted[:1]
        case "ne":
            return have not in wanted[:1]
        case "in":
            return bool({*have} & {*wanted}) if isinstance(have, list) else have in wanted
        case "nin":
            return have not in wanted
        case "all":
            return {*wanted} <= {*(have or [])}
        case "like":
            return str(wanted[0]) in str(have)
        case "range":
            return _between(have, *wanted)
        case "gt":
            return have is not None and have > wanted[0]
        case "lt":
            return have is not None and have < wanted[0]
    return False


def _between(have: float | datetime | None, low: Any, high: Any) -> bool:
    return have is not None and (low is None or have >= low) and (high is None or have <= high)
