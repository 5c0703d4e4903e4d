"""A ticket's workflow 流程: ended step by step, or begun again. Paths are configured, for they change."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from erp_bridge.jiandaoyun_answers import HANDLED, NO_INSTANCE, Refusal, rows_of
from erp_bridge.jiandaoyun_client import JiandaoyunClient
from erp_bridge.jiandaoyun_config import JiandaoyunConfig
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

RUNNING = 0


class Workflow:
    def __init__(self, config: JiandaoyunConfig, client: JiandaoyunClient) -> None:
        self._settings, self._paths, self._client = config.ticket, config.paths, client

    async def end(self, instance_id: str) -> None:
        """Approve whatever the instance waits for until it is at its end; done already is done.

        A record that was made without its workflow has none: that is well too.
        """
        for _ in range(self._settings.steps):
            instance = await self._instance(instance_id)
            if instance is None or instance.get("status") != RUNNING:
                return
            open_tasks = [t for t in _tasks(instance) if t.get("status") == RUNNING]
            if not open_tasks:
                raise ErpUnavailable(f"the workflow of {instance_id} runs and waits for nobody yet")
            for task in open_tasks:
                await self._approve(instance_id, task)
        instance = await self._instance(instance_id)
        if instance is not None and instance.get("status") == RUNNING:
            raise ErpRefused(
                f"the workflow of {instance_id} is not at its end after {self._settings.steps} steps:"
                " end it by hand, or raise ticket.steps"
            )

    async def begin_again(self, instance_id: str) -> None:
        """From its first step; a running one is left alone."""
        instance = await self._instance(instance_id)
        if instance is None or instance.get("status") == RUNNING:
            return
        first = next((t.get("flow_id") for t in _tasks(instance) if t.get("flow_id") is not None), None)
        if first is None:
            log.warning("the workflow of %s tells no step to begin again with", instance_id)
            return
        await self._client.write(self._paths.activate, {"instance_id": instance_id, "flow_id": first})

    async def _approve(self, instance_id: str, task: Mapping[str, Any]) -> None:
        username = self._settings.approver or _member(task.get("assignee"))
        if not username:
            raise ErpRefused(
                f"step {task.get('flow_name') or task.get('flow_id')} of {instance_id} waits for nobody we"
                " know: write ticket.approver"
            )
        if not task.get("task_id"):
            raise ErpUnavailable(f"Jiandaoyun tells of a step of {instance_id} without its id")
        body = {
            "username": username, "instance_id": instance_id, "task_id": task["task_id"],
            "comment": self._settings.comment,
        }  # fmt: skip
        try:
            await self._client.write(self._paths.approve, body)
        except Refusal as refusal:
            if refusal.code != HANDLED:
                raise

    async def _instance(self, instance_id: str) -> dict[str, Any] | None:
        asked = {"instance_id": instance_id, "tasks_type": 1}
        try:
            found = await self._client.read(self._paths.instance_get, asked)
        except Refusal as refusal:
            if refusal.code != NO_INSTANCE:
                raise
            return None
        told, status = found.get("instance_id", instance_id), found.get("status")
        if told != instance_id or isinstance(status, bool) or not isinstance(status, int):
            raise ErpUnavailable(f"Jiandaoyun tells of workflow {instance_id} in words we do not know")
        return found


def _tasks(instance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows_of({"tasks": [], **instance}, "tasks", "a workflow")


def _member(assignee: Any) -> str:
    return str((assignee.get("username") if isinstance(assignee, Mapping) else assignee) or "")
