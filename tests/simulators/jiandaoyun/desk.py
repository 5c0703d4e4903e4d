"""What people do in the browser: checked as the API's writes are not, and pushed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulators.jiandaoyun.books import Form, Values
from tests.simulators.jiandaoyun.platform import Platform
from tests.simulators.jiandaoyun.shapes import stored

CLERK = "jdy-clerk"


class Desk:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._books = platform.books

    def rows(self, name: str) -> list[Values]:
        """As people see them: at once, whatever readers of the API see."""
        with self._platform.lock:
            return [dict(v) for _, v in self._books.all(self._books.form(name))]

    def create(self, name: str, values: Mapping[str, Any]) -> str:
        """Raises ValueError when a field that must be filled is not."""
        with self._platform.lock:
            form = self._books.form(name)
            if missing := [n for n in form.required if values.get(n) in (None, "")]:
                raise ValueError(f"{name}: {', '.join(missing)} must be filled")
            record_id = self._books.new_id()
            self._books.put(record_id, form, self._stored(form, values), CLERK, made=True)
            if form.flow:
                self._platform.workflow.start(self._books.records[record_id], CLERK)
            self._tell("data_create", form, record_id)
            return record_id

    def edit(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        with self._platform.lock:
            form, before = self._books.form(name), self._books.records[record_id].values() or {}
            self._books.put(record_id, form, self._stored(form, values, before), CLERK, made=False)
            self._tell("data_update", form, record_id)

    def delete(self, name: str, record_id: str) -> None:
        with self._platform.lock:
            form = self._books.form(name)
            values = self._books.records[record_id].values() or {}
            self._books.remove(record_id)
            self._platform.pusher.tell("data_remove", form.entry_id, values)

    def approve(self, record_id: str) -> None:
        """Whoever has the open task says yes."""
        with self._platform.lock:
            instance = self._platform.workflow.instances[record_id]
            task = next(t for t in instance.tasks if not t["status"])
            body = {
                "username": task["assignee"]["username"],
                "instance_id": record_id,
                "task_id": task["task_id"],
            }
            self._platform.workflow.answer("task/approve", body)
            self._tell("data_update", instance.form, record_id)

    def _stored(self, form: Form, values: Mapping[str, Any], before: Values | None = None) -> Values:
        data = {name: {"value": value} for name, value in values.items()}
        return stored(self._books, form, data, lambda _: None, before)

    def _tell(self, op: str, form: Form, record_id: str) -> None:
        values = self._books.records[record_id].values()
        if values is not None:
            self._platform.pusher.tell(op, form.entry_id, values)
