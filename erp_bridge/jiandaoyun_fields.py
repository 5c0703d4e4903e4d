"""What an app's forms look like, for whoever edits a map: their fields, and a few records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from erp_bridge.jiandaoyun_records import Records
from erp_bridge.jiandaoyun_values import SUBFORM, UNWRITABLE, Widget
from hub.model.mapping import ErpField

MOST = 3
LATELY = timedelta(days=30)
_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_OF_ALL = (  # what every record has
    ErpField("_id", "数据 ID", "text", read="_id"),
    ErpField("creator", "创建人", "user", read="creator.name"),
    ErpField("createTime", "创建时间", "datetime", read="instant(createTime)"),
    ErpField("updateTime", "更新时间", "datetime", read="instant(updateTime)"),
    ErpField("flowState", "流程状态", "number", read="flowState"),
)


async def described(records: Records, name: str) -> list[ErpField]:
    """By widget/list: the fields of the form, then those of its sub-forms."""
    layout = (await records.forms.of(name)).layout
    found = [field for widget in layout.widgets for field in _fields(widget)]
    return [*sorted(found, key=lambda f: f.group != ""), *_OF_ALL]


def _fields(widget: Widget) -> Iterator[ErpField]:
    name, title = widget.name, widget.title
    if widget.type != SUBFORM:
        yield ErpField(name, title, widget.type, "", _written(widget), _read(name))
        return
    yield ErpField(name, title, widget.type, "", "", _read(name))
    for item in widget.items.widgets:
        written = _written(item) and f"{name}[].{item.name}"
        yield ErpField(
            item.name, item.title, item.type, title or name, written, f"{_read(name)}[].{_read(item.name)}"
        )


def _written(widget: Widget) -> str:
    return "" if widget.type in UNWRITABLE else widget.name


def _read(name: str) -> str:
    return name if _PLAIN.match(name) else f'"{name}"'


async def raw_records(records: Records, name: str, now: datetime) -> list[dict[str, Any]]:
    """Some that were changed lately, where there are such: they have the newest fields."""
    mine = await records.chosen(name)
    found = await records.listed(name, records.changed(now - LATELY), *mine, most=MOST)
    found = found or await records.listed(name, *mine, most=MOST)
    return [{n: v for n, v in r.items() if not n.startswith("_widget_")} for r in found[:MOST]]
