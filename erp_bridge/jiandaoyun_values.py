"""Values in the shape that a field's type wants, and records under every name their fields go by (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from erp_bridge.jiandaoyun_maps import TITLES
from hub.errors import ErpRefused

# what the API does not take: numbers they count themselves, sums, drawings
UNWRITABLE = frozenset(
    {"sn", "aggregation", "aggregate", "signature", "linkquery", "linkdata_select", "separator", "richtext"}
)
_TEXTS = frozenset({"text", "textarea", "radiogroup", "combo", "user", "dept", "phone", "lookup", "linkdata"})
_LISTS = frozenset({"checkboxgroup", "combocheck", "usergroup", "deptgroup", "image", "upload"})
_NAMES = ("username", "dept_no", "id", "_id", "value", "name")
FILES = frozenset({"image", "upload"})
SUBFORM = "subform"
IN_LISTS = frozenset({"text", "textarea", "radiogroup", "combo", "sn", "user", "dept", "lookup"})  # `in`
SYSTEM = frozenset(
    {"_id", "appId", "entryId", "creator", "updater", "deleter", "createTime", "updateTime", "deleteTime",
     "formName", "flowState", "ext", "wx_open_id"}
)  # fmt: skip


class Layout:
    """The fields of a form or of a sub-form. A field is found by alias, id or title; one of our template that
    has no alias by the title that the template gives it."""

    def __init__(self, listed: Any) -> None:
        given = listed if isinstance(listed, list) else []
        rows = [w for w in given if isinstance(w, Mapping) and (w.get("name") or w.get("widgetName"))]
        self.widgets = tuple(map(_widget, rows))
        self._by: dict[str, Widget] = {}
        for names in (
            lambda w: (w.name,),
            lambda w: (w.widget,),
            lambda w: (w.title,),
            lambda w: _OURS.get(w.title, ()),
        ):
            for widget in self.widgets:
                for name in names(widget):
                    self._by.setdefault(name, widget)
        self._names: dict[str, list[str]] = {w.name: [] for w in self.widgets}
        for name, widget in self._by.items():
            if name:
                self._names[widget.name].append(name)

    def find(self, name: str) -> Widget | None:
        return self._by.get(name) if name else None

    def readable(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with each field under every name that finds it."""
        out = dict(record)
        for widget in self.widgets:
            if widget.name not in record and widget.widget not in record:
                continue
            value = record.get(widget.name, record.get(widget.widget))
            if widget.type == SUBFORM and isinstance(value, list):
                value = [widget.items.readable(row) for row in value if isinstance(row, Mapping)]
            out |= dict.fromkeys(self._names[widget.name], value)
        return out

    def written(self, fields: Mapping[str, Any], lacking: set[str]) -> dict[str, Any]:
        """`{name: {"value": ..}}`; what there is no field for goes into `lacking` instead."""
        out: dict[str, Any] = {}
        for wanted, value in fields.items():
            widget = self.find(wanted)
            if widget is None or widget.type in UNWRITABLE:
                lacking.add(wanted)
            else:
                out[widget.name] = {"value": shaped(widget, value)}
        return out

    def unknown(self, wanted: Iterable[str]) -> Iterator[str]:
        """Those that there is no field for; `ops[].op_no` is looked for in the sub-form."""
        for name in dict.fromkeys(wanted):
            above, _, inner = name.partition("[].")
            top = above.partition(".")[0]
            widget = self.find(top)
            lost = widget is None and top not in SYSTEM
            if lost or (inner and widget is not None and any(widget.items.unknown([inner]))):
                yield name


@dataclass(frozen=True, slots=True)
class Widget:
    """A field 字段. `name` is what data calls know it by."""

    name: str
    widget: str
    title: str
    type: str
    items: Layout


def _widget(row: Mapping[str, Any]) -> Widget:
    return Widget(
        str(row.get("name") or row.get("widgetName")),
        str(row.get("widgetName") or row.get("name")),
        str(row.get("label") or ""),
        str(row.get("type") or "text").lower(),
        Layout(row.get("items")),
    )


_OURS: dict[str, tuple[str, ...]] = {
    title: tuple(ours for ours, titles in TITLES.items() if title in titles)
    for title in {t for titles in TITLES.values() for t in titles}
}


def shaped(widget: Widget, value: Any) -> Any:
    """As the field's type wants it. Raises ErpRefused naming the field."""
    if widget.type == SUBFORM:
        rows = value if isinstance(value, list) else [value]
        if not all(isinstance(row, Mapping) for row in rows):
            raise ErpRefused(f"{widget.name} is a sub-form: write {widget.name}[].field")
        return [widget.items.written(row, set()) for row in rows]
    if widget.type == "number":
        return number(widget.name, value)
    if widget.type in _LISTS:
        return [_text(v) for v in value] if isinstance(value, list) else [_text(value)]
    if widget.type in _TEXTS and not isinstance(value, Mapping | list):
        return _text(value)
    return value


def is_one_of(value: Any, wanted: Collection[str]) -> bool:
    """Whether a field has one of these values; of a member or a linked record, whichever name it goes by."""
    told = [value.get(n) for n in _NAMES] if isinstance(value, Mapping) else [value]
    return any(_text(one).strip() in wanted for one in told if one is not None)


def number(name: str, value: Any) -> float | int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        found = float(str(value).strip())
    except ValueError:
        raise ErpRefused(f"{name} takes numbers, not {value!r}: change its map or its type") from None
    return int(found) if found.is_integer() else found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
