"""What runs in a machine's process: a real OPC UA or Modbus TCP server that knows nothing but its values.

The values come through a pipe as `{signal: value}`; None makes the signal bad. The process ends when the pipe
is closed or when it is killed, which is how a machine loses its power.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from multiprocessing.connection import Connection
from typing import Any, Protocol

from asyncua import ua
from asyncua.server.server import Server
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hub.clock import SystemClock
from hub.model.sample import BAD_NO_COMMUNICATION
from tests.simulators.wire import Machine, ModbusMachine, NodeType, OpcUaMachine, Register, Value

_VARIANTS: dict[NodeType, ua.VariantType] = {
    "double": ua.VariantType.Double,
    "uint32": ua.VariantType.UInt32,
    "int32": ua.VariantType.Int32,
    "string": ua.VariantType.String,
}
READ_HOLDING_REGISTERS = 3


class Station(Protocol):
    async def start(self) -> None: ...
    async def show(self, values: dict[str, Value]) -> None: ...
    async def stop(self) -> None: ...


class OpcUaStation:
    """An OPC UA server without security, for the loopback; variables are read-only."""

    def __init__(self, machine: OpcUaMachine, prepared: Server | None = None) -> None:
        self._machine = machine
        self._server = prepared
        self._clock = SystemClock()
        self._nodes: dict[str, tuple[ua.NodeId, ua.VariantType]] = {}

    async def start(self) -> None:
        if self._server is None:
            self._server = Server()
            await self._server.init()
        server, machine = self._server, self._machine
        server.set_server_name(machine.machine)
        await server.set_application_uri(f"{machine.namespace}:{machine.machine}")
        server.set_endpoint(machine.endpoint)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(machine.namespace)
        folder = await server.nodes.objects.add_object(
            _node_id(index, machine.machine), ua.QualifiedName(machine.machine, index)
        )
        for node in machine.nodes:
            kind = _VARIANTS[node.type]
            where = _node_id(index, f"{machine.machine}.{node.signal}")
            empty = "" if node.type == "string" else 0.0 if node.type == "double" else 0
            await folder.add_variable(where, ua.QualifiedName(node.signal, index), ua.Variant(empty, kind))
            self._nodes[node.signal] = (where, kind)
        await self.show(dict.fromkeys(self._nodes))
        await server.start()

    async def show(self, values: dict[str, Value]) -> None:
        assert self._server is not None
        now = self._clock.now()
        for name, value in values.items():
            where, kind = self._nodes[name]
            await self._server.write_attribute_value(where, _data_value(value, kind, now))

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()


def _node_id(index: int, name: str) -> ua.NodeId:
    return ua.NodeId.from_string(f"ns={index};s={name}")


def _data_value(value: Value, kind: ua.VariantType, now: Any) -> ua.DataValue:
    if value is None:
        return ua.DataValue(
            StatusCode=ua.StatusCode(ua.UInt32(BAD_NO_COMMUNICATION)),
            SourceTimestamp=now, ServerTimestamp=now,
        )  # fmt: skip
    if kind in (ua.VariantType.UInt32, ua.VariantType.Int32):
        value = int(value)
    return ua.DataValue(ua.Variant(value, kind), SourceTimestamp=now, ServerTimestamp=now)


class ModbusStation:
    """A Modbus TCP server with exactly the registers of the machine: others are illegal, writing is refused.

    A float that is not known reads as NaN. Any other signal that is not known fails the whole request
    (exception 4), as does everything when no signal at all is known.
    """

    def __init__(self, machine: ModbusMachine) -> None:
        self._machine = machine
        self._image: dict[int, int] = {}
        self._unknown: set[int] = set()
        self._registers = {r.signal: r for r in machine.registers}
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        blocks = [
            SimData(r.address, count=r.count, datatype=DataType.REGISTERS) for r in self._registers.values()
        ]
        device = SimDevice(self._machine.unit, simdata=blocks, action=self._answer)
        if not self._image:
            await self.show(dict.fromkeys(self._registers))
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self._machine.port))
        await self._server.serve_forever(background=True)

    async def show(self, values: dict[str, Value]) -> None:
        for name, value in values.items():
            self._put(self._registers[name], value)

    def _put(self, register: Register, value: Value) -> None:
        where = range(register.address, register.address + register.count)
        self._unknown.difference_update(where)
        if value is None:
            self._unknown.update(where)
            value = math.nan if register.type == "float32" else 0
        assert not isinstance(value, str), f"{register.signal}: Modbus has no text"
        self._image.update(zip(where, register.words(value), strict=True))

    async def _answer(
        self, function: int, start: int, address: int, count: int, registers: list[int],
        new: list[int] | list[bool] | None,
    ) -> ExcCodes | None:  # fmt: skip
        if function != READ_HOLDING_REGISTERS or new is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        asked = range(address, address + count)
        if len(self._unknown) == len(self._image) or any(a in self._mute for a in asked):
            return ExcCodes.DEVICE_FAILURE
        registers[address - start : address - start + count] = [self._image[a] for a in asked]
        return None

    @property
    def _mute(self) -> set[int]:
        """Registers that cannot say NaN and have nothing else to say."""
        if not self._unknown:
            return self._unknown
        floats = {
            a for r in self._registers.values() if r.type == "float32"
            for a in range(r.address, r.address + 2)
        }  # fmt: skip
        return self._unknown - floats

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]


# ------------------------------------------------------------------ the process
def run(machine: Machine, pipe: Connection) -> None:
    """Body of a machine's process: serve what comes through the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the conductor decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        asyncio.run(_serve(machine, pipe))


async def _serve(machine: Machine, pipe: Connection) -> None:
    station = _station(machine)
    first = pipe.recv()
    try:
        await station.start()
        await station.show(first)
    except (OSError, RuntimeError) as cause:
        pipe.send(f"{machine.machine}: cannot serve on {machine.endpoint} ({cause})")
        return
    pipe.send("")
    await _follow(station, pipe)


def _station(machine: Machine) -> Station:
    if isinstance(machine, ModbusMachine):
        return ModbusStation(machine)
    from tests.simulators import warm

    return OpcUaStation(machine, warm.opcua_server)


async def _follow(station: Station, pipe: Connection) -> None:
    """Take updates as they come; raises EOFError when the other end is closed."""
    ready = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), ready.set)
    while True:
        await ready.wait()
        ready.clear()
        while pipe.poll():
            await station.show(pipe.recv())
            await asyncio.sleep(0)  # clients are answered in between, however much there is to show
