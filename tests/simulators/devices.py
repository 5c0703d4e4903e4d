"""Small real devices inside the test's own process, and bad lines to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.structures104 import new_struct, new_struct_field
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hub.model.batch import SampleBatch
from hub.model.sample import Sample
from tests.ports import free_port

FUNCTIONS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class Heard:
    """A sink that remembers, and that a test can wait at."""

    def __init__(self) -> None:
        self.batches: list[SampleBatch] = []
        self._news = asyncio.Condition()

    async def put(self, item: SampleBatch) -> None:
        async with self._news:
            self.batches.append(item)
            self._news.notify_all()

    def of(self, tag: int) -> list[Sample]:
        """Everything heard of a tag, oldest first."""
        return [b.sample(int(row)) for b in self.batches for row in np.flatnonzero(b.tags == tag)]

    def last(self, tag: int) -> Sample:
        return self.of(tag)[-1]

    async def until(self, true: Callable[[], bool], seconds: float = 10) -> None:
        """Wait for something to be so after a batch; fails loudly when it never is."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(true)

    async def said(self, tag: int, value: float, seconds: float = 10) -> Sample:
        """Wait for this value of this tag."""
        await self.until(lambda: bool(self.of(tag)) and self.last(tag).value == value, seconds)
        return self.last(tag)


class ModbusDevice:
    """Knows exactly the registers and bits of `memory` (by table and address); counts what it is asked.

    `failing`: addresses it cannot read just now (exception 4). `writes` counts every other function.
    """

    def __init__(self, memory: Mapping[str, Mapping[int, int]], port: int = 0, unit: int = 1) -> None:
        self.memory: dict[str, dict[int, int]] = {t: dict(m) for t, m in memory.items()}
        self.failing: set[int] = set()
        self.requests: list[tuple[str, int, int]] = []
        self.writes = 0
        self.before_answer: Callable[[], None] = lambda: None
        self.port = port
        self._unit = unit
        self._server: ModbusTcpServer | None = None

    async def __aenter__(self) -> ModbusDevice:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        words = [SimData(0, count=2000, datatype=DataType.REGISTERS)]
        bits = [SimData(0, count=128 * 16, values=False, datatype=DataType.BITS)]
        device = SimDevice(self._unit, (bits, bits, words, words), action=self._answer)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self.port = self._server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None

    async def _answer(
        self, function: int, start: int, address: int, count: int, registers: list[int], new: Any
    ) -> ExcCodes | None:
        if new is not None or function not in FUNCTIONS:
            self.writes += 1
            return ExcCodes.ILLEGAL_FUNCTION
        self.before_answer()
        table = FUNCTIONS[function]
        known = self.memory.get(table, {})
        self.requests.append((table, address, count))
        if table in ("coil", "discrete"):
            for word in range(len(registers)):
                registers[word] = sum(known.get(16 * word + bit, 0) << bit for bit in range(16))
            return None if known else ExcCodes.ILLEGAL_FUNCTION
        asked = range(address, address + count)
        if any(a not in known for a in asked):
            return ExcCodes.ILLEGAL_ADDRESS
        if self.failing.intersection(asked):
            return ExcCodes.DEVICE_FAILURE
        registers[address - start : address - start + count] = [known[a] for a in asked]
        return None


class RawServer:
    """Answers each piece of bytes with whatever `answer` makes of it; None says nothing, b"" hangs up."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        for writer in self._writers:  # of a talk that was ended before it began, too
            await _close(writer)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._talks.add(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while asked := await reader.read(4096):
                said = self._answer(asked)
                if said == b"":
                    break
                if said is not None:
                    writer.write(said)
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


THERE, BACK = "there", "back"


class Proxy:
    """A line that can be held (bytes stay, nobody is told), cut, or made to lose what is said one way, THERE
    or BACK. It leads to a port of this machine, or to a socket in its file system."""

    def __init__(self, to: int | Path) -> None:
        self._to = to
        self._deaf: set[tuple[int, str]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []  # of lines that are up
        self._all: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.passed = b""  # everything that went through, both ways

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for _ in range(5):  # a server that closes forgets whom it has accepted in the same breath
            await asyncio.sleep(0)
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._all:
            await _close(writer)

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def lose(self, *ways: str) -> None:
        """What is said on these ways, on lines that are up now, vanishes; the others know nothing of it."""
        self._deaf = {(id(writer), way) for writer in self._writers for way in ways}

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._all.append(writer)
        self._tasks.add(asyncio.create_task(self._join(reader, writer)))

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._reach()
        except OSError:
            writer.close()
            return
        self._all.append(far_writer)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._pass(reader, far_writer, THERE), self._pass(far_reader, writer, BACK))

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._to, Path):
            return await asyncio.open_unix_connection(self._to)
        return await asyncio.open_connection("127.0.0.1", self._to)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await self._open.wait()
                if (id(target), way) in self._deaf:
                    continue
                self.passed += data
                target.write(data)
                await target.drain()
        if (id(target), way) not in self._deaf:
            target.close()


class OpcUaPlant:
    """An OPC UA server with the variables it is given, under the namespace `urn:test:plant`."""

    NAMESPACE = "urn:test:plant"

    def __init__(
        self,
        variables: Mapping[str, ua.Variant],
        port: int = 0,
        *,
        policies: list[ua.SecurityPolicyType] | None = None,
        uri: str = "urn:test:server",
        shift_namespaces: int = 0,
        users: Any = None,
    ) -> None:
        self._variables = dict(variables)
        self._policies = policies or [ua.SecurityPolicyType.NoSecurity]
        self._uri, self._shift, self._users = uri, shift_namespaces, users
        self.port = port or free_port()
        self._server: Server | None = None
        self._serving = False
        self._ids: dict[str, ua.NodeId] = {}
        self._forgotten: dict[str, Any] = {}

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plant"

    def node(self, name: str) -> str:
        return f"nsu={self.NAMESPACE};s={name}"

    async def __aenter__(self) -> OpcUaPlant:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        if self._server is None:
            self._server = await self._prepared()
        self._server.iserver.endpoints.clear()  # of the last start: they are made anew, with the certificate
        self._server._policies.clear()
        await self._server.start()
        self._serving = True

    async def _prepared(self) -> Server:
        server = Server(user_manager=self._users) if self._users else Server()
        await server.init()
        await server.set_application_uri(self._uri)
        server.set_endpoint(self.endpoint)
        server.set_security_policy(self._policies)
        for number in range(self._shift):  # other namespaces first: ours gets another number
            await server.register_namespace(f"urn:test:other:{number}")
        index = await server.register_namespace(self.NAMESPACE)
        for name, value in self._variables.items():
            node = ua.NodeId.from_string(f"ns={index};s={name}")
            await server.nodes.objects.add_variable(node, ua.QualifiedName(name, index), value)
            self._ids[name] = node
        return server

    async def add_structure(self) -> None:
        """Variable `axes`: two structures of a type of this server's own, with optional and array fields."""
        assert self._server is not None
        index = await self._server.get_namespace_index(self.NAMESPACE)
        kinds = ua.VariantType
        fields = [
            new_struct_field("Name", kinds.String), new_struct_field("Count", kinds.UInt16),
            new_struct_field("Note", kinds.String, optional=True), new_struct_field("Load", kinds.Double),
            new_struct_field("Mode", kinds.LocalizedText),
            new_struct_field("Limits", kinds.Double, array=True),
        ]  # fmt: skip
        kind, _ = await new_struct(self._server, index, "AxisType", fields)
        definition: Any = await kind.read_data_type_definition()
        definition.Fields[3].ValueRank = ua.Int32(0)  # node-opcua's word for a scalar
        told = ua.DataValue(ua.Variant(definition, kinds.ExtensionObject))
        made = (await self._server.load_data_type_definitions())["AxisType"]
        fast = ua.LocalizedText("fast")
        axes = [
            made(Name=f"axis {n}", Count=7 + n, Load=1.5 + n, Mode=fast, Limits=[10.0, 20.0, 30.0])
            for n in range(2)
        ]
        await self._server.write_attribute_value(kind.nodeid, told, AttributeIds.DataTypeDefinition)
        # whoever decodes in this process is not to know the type from us
        known = ua.extension_objects_by_typeid
        known.pop(next(number for number, cls in known.items() if cls is made))
        node = ua.NodeId.from_string(f"ns={index};s=axes")
        value = ua.Variant(axes, kinds.ExtensionObject)
        name = ua.QualifiedName("axes", index)
        await self._server.nodes.objects.add_variable(node, name, value, datatype=kind.nodeid)

    def forget(self, name: str) -> None:
        """Take a variable out of the model without a word, as a program that is loaded anew does."""
        assert self._server is not None
        self._forgotten[name] = self._server.iserver.aspace._nodes.pop(self._ids[name])

    def remember(self, name: str) -> None:
        """And put it in again."""
        assert self._server is not None
        self._server.iserver.aspace._nodes[self._ids[name]] = self._forgotten.pop(name)

    async def stop(self) -> None:
        """As if switched off; `start` brings it back with the values it had."""
        if self._server is not None and self._serving:
            self._serving = False
            await self._server.stop()

    async def identify(self, certificate: Path, key: Path, uri: str) -> None:
        """From the next start on it shows this certificate and calls itself so."""
        if self._server is None:
            self._server = await self._prepared()
        await self._server.load_certificate(str(certificate))
        await self._server.load_private_key(str(key))
        await self._server.set_application_uri(uri)

    async def show(self, name: str, value: ua.Variant | None, at: Any = None, status: int = 0) -> None:
        """Write one value with its source time and status, as the machine's own program would."""
        assert self._server is not None
        data = ua.DataValue(
            value if value is not None else ua.Variant(None),
            StatusCode=ua.StatusCode(ua.UInt32(status)), SourceTimestamp=at, ServerTimestamp=at,
        )  # fmt: skip
        await self._server.write_attribute_value(self._ids[name], data)
