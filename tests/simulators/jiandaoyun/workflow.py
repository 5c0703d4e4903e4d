"""Instances of a form's workflow and their tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulators.jiandaoyun.answers import FlowRefused
from tests.simulators.jiandaoyun.books import Books, Form, Record, Values
from tests.simulators.jiandaoyun.shapes import shown

RUNNING, FINISHED, BY_HAND = 0, 1, 2


@dataclass
class Instance:
    id: str
    form: Form
    creator: Values | None
    begun: datetime
    status: int = RUNNING
    result: int | None = None
    finished: datetime | None = None
    tasks: list[Values] = field(default_factory=list)


class Workflow:
    def __init__(self, books: Books) -> None:
        self._books = books
        self.instances: dict[str, Instance] = {}

    def start(self, record: Record, by: str) -> None:
        """On a form without steps nothing starts."""
        if record.form.flow:
            who = self._books.members.get(by)
            self.instances[record.id] = Instance(record.id, record.form, who, self._books.now())
            self._stand_at(self.instances[record.id], record.form.flow[0])

    def _stand_at(self, instance: Instance, step: tuple[int, str, str]) -> None:
        number, name, member = step
        instance.tasks.append({
            "task_id": self._books.new_id(), "instance_id": instance.id, "flow_id": number, "flow_name": name,
            "assignee": self._books.members[member], "creator": instance.creator, "status": 0,
            "create_time": self._books.now(), "create_action": "forward", "finish_time": None,
            "finish_action": None, "url": f"https://example.invalid/{instance.id}",
        })  # fmt: skip
        self._show(instance, RUNNING)

    def _show(self, instance: Instance, status: int, result: int | None = None) -> None:
        instance.status, instance.result = status, result
        instance.finished = None if status == RUNNING else self._books.now()
        record = self._books.records[instance.id]
        values = record.values() or {}
        by = (values.get("updater") or {}).get("username", "")
        self._books.put(record.id, record.form, {"flowState": status}, by, made=False)

    def answer(self, action: str, body: Values) -> Values:
        """Raises FlowRefused, which goes out with HTTP 200."""
        if action == "task/list":
            return self._waiting(str(body.get("username")))
        instance = self.instances.get(str(body.get("instance_id")))
        if instance is None:
            raise FlowRefused(50016)
        match action:
            case "instance/get":
                return self._told(instance, with_tasks=body.get("tasks_type") == 1)
            case "instance/logs":
                return {"logs": [shown(t) for t in instance.tasks if t["finish_action"]]}
            case "instance/close":
                self._show(instance, BY_HAND)
            case "instance/activate":
                self._stand_at(instance, self._step(instance, body))
            case _:
                self._acted(action.rpartition("/")[2], instance, body)
        return {"status": "success"}

    def _acted(self, action: str, instance: Instance, body: Values) -> None:
        task = next((t for t in instance.tasks if t["task_id"] == body.get("task_id")), None)
        if task is None:
            raise FlowRefused(50004)
        if task["status"] or instance.status != RUNNING:
            raise FlowRefused(50051)
        if task["assignee"]["username"] != body.get("username"):
            raise FlowRefused(50041)
        if action == "transfer":
            task["assignee"] = self._books.members[str(body.get("transfer_username"))]
            return
        task |= {
            "status": 1, "finish_time": self._books.now(),
            "finish_action": {"approve": "forward"}.get(action, action),
        }  # fmt: skip
        steps = list(instance.form.flow)
        here = [s[0] for s in steps].index(task["flow_id"])
        if action == "approve" and here + 1 < len(steps):
            self._stand_at(instance, steps[here + 1])
        elif action == "approve":
            self._show(instance, FINISHED, 1)
        elif action == "reject":
            self._show(instance, FINISHED, 0)
        elif action == "rollback":
            self._stand_at(instance, self._step(instance, body))
        else:
            raise FlowRefused(50040)

    def _step(self, instance: Instance, body: Values) -> tuple[int, str, str]:
        found = next((s for s in instance.form.flow if s[0] == body.get("flow_id")), None)
        if found is None:
            raise FlowRefused(50040)
        return found

    def _waiting(self, username: str) -> Values:
        tasks = [
            {**t, "app_id": i.form.app_id, "form_id": i.form.entry_id, "form_title": i.form.name}
            for i in self.instances.values()
            for t in i.tasks
            if not t["status"] and t["assignee"]["username"] == username and i.status == RUNNING
        ]
        return {"has_more": False, "tasks": shown(tasks)}

    def _told(self, instance: Instance, *, with_tasks: bool) -> Values:
        told: dict[str, Any] = {
            "app_id": instance.form.app_id, "form_id": instance.form.entry_id, "instance_id": instance.id,
            "form_title": instance.form.name, "url": f"https://example.invalid/{instance.id}",
            "create_time": instance.begun, "update_time": self._books.now(), "status": instance.status,
            "finish_time": instance.finished, "result": instance.result, "creator": instance.creator,
        }  # fmt: skip
        found: Values = shown(told | ({"tasks": instance.tasks} if with_tasks else {}))
        return found
