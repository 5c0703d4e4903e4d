"""An OPC UA server with alarms that are active or not, and ConditionRefresh as part 9 wants it."""

from __future__ import annotations

from typing import Any

from asyncua import Server, ua

from tests.ports import free_port

_BRANCHLESS = ua.NodeId()


class AlarmPlant:
    """Its alarms are named; each is about the one machine that `source` is the node id of."""

    NAMESPACE = "urn:test:alarms"

    def __init__(self) -> None:
        self.endpoint = f"opc.tcp://127.0.0.1:{free_port()}/alarms"
        self.source = f"nsu={self.NAMESPACE};s=press"
        self.refreshes = 0
        self._standing: dict[str, int] = {}

    async def __aenter__(self) -> AlarmPlant:
        self._server = server = Server()
        await server.init()
        server.set_endpoint(self.endpoint)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        self._index = await server.register_namespace(self.NAMESPACE)
        self._alarms = await server.get_event_generator(ua.ObjectIds.AlarmConditionType)
        self._start = await server.get_event_generator(ua.ObjectIds.RefreshStartEventType)
        self._end = await server.get_event_generator(ua.ObjectIds.RefreshEndEventType)
        server.link_method(server.get_node(ua.ObjectIds.ConditionType_ConditionRefresh), self._refresh)
        await server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def stand(self, name: str, severity: int) -> None:
        self._standing[name] = severity
        await self._tell(name, severity, active=True)

    async def clear(self, name: str) -> None:
        await self._tell(name, self._standing.pop(name), active=False)

    async def _tell(self, name: str, severity: int, *, active: bool) -> None:
        event: Any = self._alarms.event
        event.NodeId = ua.NodeId(f"press.{name}", self._index)
        event.SourceNode = ua.NodeId("press", self._index)
        event.ConditionName, event.BranchId = name, _BRANCHLESS
        event.Severity, event.Retain = severity, active
        setattr(event, "EnabledState/Id", True)
        setattr(event, "ActiveState/Id", active)
        await self._alarms.trigger(message=name)

    async def _refresh(self, parent: ua.NodeId, subscription: ua.Variant) -> None:
        self.refreshes += 1
        await self._start.trigger()
        for name, severity in self._standing.items():
            await self._tell(name, severity, active=True)
        await self._end.trigger()
