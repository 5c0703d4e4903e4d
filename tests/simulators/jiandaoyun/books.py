"""Apps, forms, members and records. Every record keeps its versions, so that readers can lag behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Values = dict[str, Any]
SYSTEM = frozenset(
    {"_id", "appId", "entryId", "creator", "updater", "deleter", "createTime", "updateTime", "deleteTime"}
)


@dataclass(frozen=True)
class Widget:
    alias: str  # "" where the customer has set none
    label: str
    type: str
    number: int
    items: tuple[Widget, ...] = ()

    @property
    def widget(self) -> str:
        return f"_widget_{self.number}"

    @property
    def name(self) -> str:
        return self.alias or self.widget

    def as_json(self) -> Values:
        told: Values = {
            "name": self.name, "widgetName": self.widget, "label": self.label, "type": self.type
        }  # fmt: skip
        return told | ({"items": [w.as_json() for w in self.items]} if self.items else {})


@dataclass
class Form:
    app_id: str
    entry_id: str
    name: str
    widgets: list[Widget]
    flow: tuple[tuple[int, str, str], ...] = ()  # steps: id, name, member who has it
    required: tuple[str, ...] = ()  # checked when a person writes, not when the API does
    assistant: Callable[[Books, Record], None] | None = None  # 智能助手
    counter: int = 0

    def widget(self, name: str) -> Widget | None:
        return next((w for w in self.widgets if name in (w.alias, w.widget)), None)


@dataclass
class Record:
    id: str
    form: Form
    versions: list[tuple[datetime, Values | None]] = field(default_factory=list)  # None: deleted

    def values(self, until: datetime | None = None) -> Values | None:
        seen = [v for at, v in self.versions if until is None or at <= until]
        return seen[-1] if seen else None


class Books:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.apps: dict[str, str] = {}
        self.forms: dict[str, Form] = {}
        self.members: dict[str, Values] = {}
        self.records: dict[str, Record] = {}
        self._count = 0
        self._widgets = 1_700_000_000_000

    def new_id(self) -> str:
        self._count += 1
        return f"{int(self.now().timestamp()):08x}{self._count:016x}"

    def widget(self, alias: str, label: str, kind: str, items: tuple[Widget, ...] = ()) -> Widget:
        self._widgets += 1
        return Widget(alias, label, kind, self._widgets, items)

    def form(self, name: str) -> Form:
        return next(f for f in self.forms.values() if f.name == name)

    def all(self, form: Form, until: datetime | None = None) -> list[tuple[str, Values]]:
        rows = [(r.id, r.values(until)) for r in self.records.values() if r.form is form]
        return sorted((i, v) for i, v in rows if v is not None)

    def put(self, record_id: str, form: Form, values: Mapping[str, Any], by: str, *, made: bool) -> Values:
        """A new version of a record: what `values` does not name stays."""
        record = self.records.setdefault(record_id, Record(record_id, form))
        now = self.now()
        before = record.values() or {}
        whole: Values = {
            **{n: v for n, v in {**before, **values}.items() if n not in SYSTEM},
            "_id": record_id, "appId": form.app_id, "entryId": form.entry_id,
            "creator": before.get("creator") or self.members.get(by), "updater": self.members.get(by),
            "deleter": None, "createTime": before.get("createTime") or now, "updateTime": now,
            "deleteTime": None,
        }  # fmt: skip
        if made:
            form.counter += 1
            for widget in form.widgets:
                if widget.type == "sn":
                    whole[widget.name] = f"BX{form.counter:06d}"
        record.versions.append((now, whole))
        return whole

    def remove(self, record_id: str) -> None:
        self.records[record_id].versions.append((self.now(), None))


def lagging(now: datetime, lag: float) -> datetime | None:
    return now - timedelta(seconds=lag) if lag else None
