"""Servers that speak companion models: only what a client sees of them, made node by node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asyncua import Server, ua

from tests.ports import free_port

MACHINERY = "http://opcfoundation.org/UA/Machinery/"
TOOLS = "http://opcfoundation.org/UA/MachineTool/"
PACKML = "http://opcfoundation.org/UA/PackML/"
MAKER = "urn:maker:machines"
T = ua.VariantType


class Models:
    """A server with a machine tool, a packing machine and an oven that speaks no model."""

    def __init__(self, server: Server, endpoint: str) -> None:
        self.server, self.endpoint = server, endpoint
        self.at: dict[str, int] = {}

    async def build(self) -> None:
        for uri in (MACHINERY, TOOLS, PACKML, MAKER):
            self.at[uri] = await self.server.register_namespace(uri)
        base = self.server.nodes.base_object_type
        kinds = {
            name: await base.add_object_type(self.at[uri], name)
            for uri, name in (
                (MACHINERY, "MachineIdentificationType"), (MACHINERY, "MachineryItemState_StateMachineType"),
                (TOOLS, "MachineToolType"), (PACKML, "PackMLStatusObjectType"),
            )
        }  # fmt: skip
        special = await kinds["MachineToolType"].add_object_type(self.at[MAKER], "SpecialLatheType")
        objects = self.server.nodes.objects
        folder = await objects.add_folder(self.at[MACHINERY], "Machines")
        await self._lathe(await self._object(folder, "Lathe 7", special), kinds)
        await self._packer(await self._object(objects, "Packer", None), kinds)
        await self._oven(await self._object(objects, "Oven", None))

    async def _object(self, parent: Any, name: str, kind: Any, uri: str = MAKER) -> Any:
        return await parent.add_object(self.at[uri], name, objecttype=kind.nodeid if kind else None)

    async def _variable(self, parent: Any, name: str, value: ua.Variant, uri: str = MAKER) -> Any:
        return await parent.add_variable(self.at[uri], name, value)

    async def _lathe(self, lathe: Any, kinds: dict[str, Any]) -> None:
        plate = await self._object(lathe, "Identification", kinds["MachineIdentificationType"], MACHINERY)
        await self._variable(plate, "YearOfConstruction", ua.Variant(2019, T.UInt16), MACHINERY)
        state = await self._object(
            lathe, "MachineryItemState", kinds["MachineryItemState_StateMachineType"], MACHINERY
        )
        await self._variable(
            state, "CurrentState", ua.Variant(ua.LocalizedText("Executing"), T.LocalizedText)
        )
        monitoring = await self._object(lathe, "Monitoring", None, TOOLS)
        spindle = await self._object(monitoring, "Spindle", None)
        load = await self._variable(spindle, "Load", ua.Variant(41.5, T.Double))
        unit = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 20529)
        unit.DisplayName = ua.LocalizedText("%")
        await load.add_property(self.at[MAKER], "EngineeringUnits", unit)
        await load.add_property(self.at[MAKER], "EURange", ua.Range(0.0, 120.0))
        production = await self._object(lathe, "Production", None, TOOLS)
        program = await self._object(production, "ActiveProgram", None, TOOLS)
        inner = await self._object(program, "State", None, TOOLS)
        current = await self._variable(
            inner, "CurrentState", ua.Variant(ua.LocalizedText("运行"), T.LocalizedText), TOOLS
        )
        await current.add_property(self.at[MAKER], "Number", ua.Variant(1, T.UInt32))

    async def _packer(self, packer: Any, kinds: dict[str, Any]) -> None:
        status = await self._object(packer, "Status", kinds["PackMLStatusObjectType"], PACKML)
        await self._variable(status, "StateCurrent", ua.Variant(6, T.Int32), PACKML)
        await self._variable(status, "UnitModeCurrent", ua.Variant(1, T.Int32), PACKML)
        admin = await self._object(packer, "Admin", None, PACKML)
        await self._variable(admin, "ProdProcessedCount", ua.Variant(812, T.UInt32), PACKML)
        jobs = ua.Variant(["J-1", "J-2"], T.String)
        await self._variable(packer, "JobOrderList", jobs)

    async def _oven(self, oven: Any) -> None:
        zone = await self._object(oven, "Zone 1", None)
        await self._variable(zone, "温度", ua.Variant(180.0, T.Float))
        await self._variable(zone, "ActualPower", ua.Variant(7, T.Int16))
        alarm = self.server.get_node(ua.ObjectIds.AlarmConditionType)
        await self._object(oven, "Door open", alarm)
        rank = ua.DataValue(ua.Variant(-2, T.Int32))
        for number, value in ((1, ua.Variant(1.5, T.Double)), (2, ua.Variant([1.0, 2.0], T.Double))):
            any_rank = await self._variable(zone, f"Any rank {number}", value)
            await any_rank.write_attribute(ua.AttributeIds.ValueRank, rank)
        await zone.add_variable(self.at[MAKER], "Any type", 2.5, datatype=ua.NodeId.from_string("i=24"))
        await self._variable(zone, "Recipe", ua.Variant("bread", T.String))


@asynccontextmanager
async def serving() -> AsyncIterator[Models]:
    server = Server()
    await server.init()
    endpoint = f"opc.tcp://127.0.0.1:{free_port()}/models"
    server.set_endpoint(endpoint)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    models = Models(server, endpoint)
    await models.build()
    async with server:
        yield models
