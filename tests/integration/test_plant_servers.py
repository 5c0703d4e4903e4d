"""Simulated machines as real clients see them: OPC UA and Modbus TCP, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaStatusCodeError
from pymodbus.client import AsyncModbusTcpClient

from hub.model.sample import BAD_NO_COMMUNICATION
from tests.ports import free_ports
from tests.simulators.fleet import Fleet
from tests.simulators.plant.machines import UNITS, wiring
from tests.simulators.wire import ModbusMachine, Node, OpcUaMachine, Register, Value

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """asyncio's own loop: uvloop does not close over a child's pipe that is left open on purpose."""
    return "asyncio"


T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds; on a machine with nothing else to do nothing here takes ten


async def within(what: Awaitable[T], seconds: float = PATIENCE) -> T:
    async with asyncio.timeout(seconds):
        return await what


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    base = free_ports(2)
    machines = Fleet(
        [
            OpcUaMachine("o", base, (Node("temp"), Node("good", "uint32"), Node("state", "string"))),
            ModbusMachine(
                "m",
                base + 1,
                (
                    Register("state", 10, "uint16"),
                    Register("good", 11, "uint32"),
                    Register("temp", 13, "int16", 0.1),
                    Register("load", 14, "float32"),
                ),
            ),
        ],
        power_back=0.1,
    )
    first: dict[str, dict[str, Value]] = {
        "o": {"temp": 62.5, "good": 7, "state": "ACTIVE"},
        "m": {"state": 1, "good": 70000, "temp": -12.3, "load": 1.5},
    }
    async with asyncio.timeout(PATIENCE):
        await machines.start(first)
        try:
            yield machines
        finally:
            await machines.stop()


@contextlib.asynccontextmanager
async def modbus(machine: Any) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=machine.port, reconnect_delay=0, retries=0, timeout=3)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


def node(client: Client, name: str) -> Any:
    return client.get_node(f"ns=2;s=o.{name}")


class Heard:
    """Values of a subscription, in order; `seen(n)` waits for so many."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._more = asyncio.Event()

    def datachange_notification(self, source: Any, value: Any, data: Any) -> None:
        status = data.monitored_item.Value.StatusCode
        self.values.append(value if status is None or status.is_good() else None)
        self._more.set()

    async def seen(self, count: int) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            while len(self.values) < count:
                self._more.clear()
                await self._more.wait()
        return self.values


# ------------------------------------------------------------------ OPC UA
async def test_an_opcua_client_reads_values_under_a_namespace_with_a_name(fleet: Fleet) -> None:
    async with Client(fleet.hands["o"].machine.endpoint) as client:
        assert await client.get_namespace_index("urn:andon:demo") == 2
        assert await node(client, "temp").read_value() == 62.5
        assert await node(client, "good").read_value() == 7
        assert await node(client, "state").read_value() == "ACTIVE"


async def test_an_opcua_subscription_hears_every_change_and_what_is_not_known(fleet: Fleet) -> None:
    async with Client(fleet.hands["o"].machine.endpoint) as client:
        heard = Heard()
        subscription = await client.create_subscription(20, heard)
        await subscription.subscribe_data_change(node(client, "state"), queuesize=100)
        await heard.seen(1)
        for word in ("READY", None, "ACTIVE"):
            await fleet.tell("o", {"state": word})
        assert await heard.seen(4) == ["ACTIVE", "READY", None, "ACTIVE"]
        await fleet.tell("o", {"temp": None})
        await fleet.tell("o", {"state": "READY"})  # comes after it
        await heard.seen(5)
        data = await node(client, "temp").read_data_value(raise_on_bad_status=False)
        assert data.StatusCode.value == BAD_NO_COMMUNICATION


async def test_writing_to_an_opcua_machine_is_refused(fleet: Fleet) -> None:
    async with Client(fleet.hands["o"].machine.endpoint) as client:
        with pytest.raises(UaStatusCodeError):
            await node(client, "temp").write_value(20.0)
        assert await node(client, "temp").read_value() == 62.5


# ------------------------------------------------------------------ Modbus
async def test_a_modbus_client_reads_scaled_signed_and_long_registers(fleet: Fleet) -> None:
    async with modbus(fleet.hands["m"].machine) as client:
        answer = await client.read_holding_registers(10, count=6, device_id=1)
        assert answer.registers == [1, 1, 4464, 65536 - 123, 0x3FC0, 0]


@pytest.mark.parametrize(("address", "count"), [(9, 2), (14, 3), (0, 1), (200, 1)])
async def test_other_addresses_are_illegal(fleet: Fleet, address: int, count: int) -> None:
    async with modbus(fleet.hands["m"].machine) as client:
        answer = await client.read_holding_registers(address, count=count, device_id=1)
        assert (answer.isError(), answer.exception_code) == (True, 2)


async def test_other_functions_and_writing_are_refused(fleet: Fleet) -> None:
    async with modbus(fleet.hands["m"].machine) as client:
        assert (await client.write_register(13, 1, device_id=1)).exception_code == 1
        assert (await client.read_input_registers(10, count=1, device_id=1)).exception_code == 1
        answer = await client.read_holding_registers(13, count=1, device_id=1)
        assert answer.registers == [65536 - 123]


async def test_a_float_that_is_not_known_is_no_number_and_anything_else_an_exception(fleet: Fleet) -> None:
    async with modbus(fleet.hands["m"].machine) as client:

        async def until(address: int, count: int, done: Any) -> Any:
            async with asyncio.timeout(PATIENCE):
                while not done(
                    answer := await client.read_holding_registers(address, count=count, device_id=1)
                ):
                    continue
                return answer

        await fleet.tell("m", {"load": None})
        assert await until(14, 2, lambda a: a.registers == [0x7FC0, 0])
        assert (await client.read_holding_registers(10, count=1, device_id=1)).registers == [1]
        await fleet.tell("m", {"good": None})
        refused = await until(11, 2, lambda a: a.isError())
        assert refused.exception_code == 4
        assert (await client.read_holding_registers(13, count=1, device_id=1)).registers == [65536 - 123]
        await fleet.tell("m", {"state": None, "temp": None})
        assert await until(14, 2, lambda a: a.isError())


# ------------------------------------------------------------------ power
@pytest.mark.parametrize("name", ["o", "m"])
async def test_a_machine_that_was_killed_is_back_with_its_present_values(fleet: Fleet, name: str) -> None:
    hand = fleet.hands[name]
    assert hand.process is not None
    assert hand.process.pid is not None
    os.kill(hand.process.pid, signal.SIGKILL)
    await within(hand.dark.wait())
    await fleet.tell(name, {"good": 8})
    await within(hand.serves.wait())
    assert hand.restarts == 1
    if name == "o":
        async with Client(hand.machine.endpoint) as client:
            assert await node(client, "good").read_value() == 8
    else:
        async with modbus(hand.machine) as client:
            assert (await client.read_holding_registers(11, count=2, device_id=1)).registers == [0, 8]


async def test_a_machine_can_be_held_without_power_and_given_it_again(fleet: Fleet) -> None:
    hand = fleet.hands["m"]
    await fleet.power("m", False)
    await within(hand.dark.wait())
    assert not hand.up
    await fleet.power("m", True)
    assert hand.up
    async with modbus(hand.machine) as client:
        assert (await client.read_holding_registers(10, count=1, device_id=1)).registers == [1]


async def test_a_port_that_is_taken_is_told_with_the_machine(fleet: Fleet) -> None:
    taken = fleet.hands["m"].machine
    other = Fleet([ModbusMachine("n", taken.port, (Register("state", 0),))])
    with pytest.raises(OSError, match=r"n: cannot serve on 127\.0\.0\.1"):
        await other.start({"n": {"state": 1}})


# ------------------------------------------------------------------ the whole plant
@contextlib.asynccontextmanager
async def running(*words: str) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators.plant", "--port", "0", *words,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        ready = json.loads(await within(process.stdout.readline()))
        assert ready["ready"] == "plant"
        async with httpx.AsyncClient(base_url=ready["url"], timeout=PATIENCE) as http:
            yield http, process
    finally:
        if process.returncode is None:
            process.terminate()
        assert await within(process.wait()) == 0


async def test_the_demo_plant_serves_its_machines_and_its_mes_and_goes_on_after_a_restart(
    tmp_path: Path,
) -> None:
    base = free_ports(12)
    state = tmp_path / "state.jsonl"
    words = (
        "--modbus-base",
        str(base),
        "--opcua-base",
        str(base + 6),
        "--state",
        str(state),
        "--speed",
        "20",
    )
    async with running(*words, "--faults", "off") as (http, _):
        truth = (await http.get("/control/machines")).json()
        assert list(truth) == list(UNITS)
        assert all(m["up"] for m in truth.values())
        book = (await http.get("/mes/orders")).json()
        opening = (await http.get("/mes/reports", params={"limit": 1000})).json()
        sums = {(s["order"], s["operation"]): s["good"] for s in (await http.get("/mes/sums")).json()}
        assert all(sums[r["order"], r["operation"]] >= r["good"] for r in opening)
        receipts = [p for p in (await http.get("/mes/postings?limit=1000")).json() if p["kind"] == "receipt"]
        shelves = {(s["item"], s["lot"]): s["quantity"] for s in (await http.get("/mes/stock")).json()}
        assert {(p["item"], p["lot"]) for p in receipts} <= set(shelves)
        more = (await http.get("/mes/reports", params={"after": opening[-1]["id"], "wait": 20})).json()
        assert {r["order"] for r in more} <= {o["number"] for o in book}
        assert more[0]["id"] == f"R{int(opening[-1]['id'][1:]) + 1:010d}"
        await _reads_what_is_true(http, base)
        broken = await http.post("/control/machines/press-01/fault", json={"kind": "overheat"})
        assert broken.json()["problem"] == "overheat"
        assert (await http.post("/control/machines/press-01/repair")).json() == {"repaired": True}
        refused = await http.post("/control/machines/press-01/fault", json={"kind": "bearing"})
        assert (refused.status_code, "overheat" in refused.json()["error"]) == (400, True)
        dark = await http.post("/control/machines/press-02/power", json={"on": False})
        assert dark.json() == {"up": False}
        assert (await http.get("/control/health")).json()["status"] == "degraded"
        assert (await http.post("/control/machines/press-02/power", json={"on": True})).json() == {"up": True}
        last = (await http.get("/mes/reports", params={"limit": 1000})).json()[-1]
    async with running(*words) as (http, _):
        again = (await http.get("/mes/reports", params={"after": last["id"], "wait": 20})).json()
        assert again[0]["id"] == f"R{int(last['id'][1:]) + 1:010d}"


async def _reads_what_is_true(http: httpx.AsyncClient, base: int) -> None:
    """Counters that a real client reads lie between the truth before and the truth after."""
    for machine in wiring(base, base + 6):
        before = (await http.get("/control/machines")).json()[machine.machine]["values"]["good"]
        if isinstance(machine, ModbusMachine):
            register = next(r for r in machine.registers if r.signal == "good")
            async with modbus(machine) as client:
                words = (
                    await client.read_holding_registers(register.address, count=2, device_id=1)
                ).registers
            high, low = words if register.word_order == "big" else words[::-1]
            read = high * 65536 + low
        else:
            async with Client(machine.endpoint) as client:
                read = await client.get_node(f"ns=2;s={machine.machine}.good").read_value()
        after = (await http.get("/control/machines")).json()[machine.machine]["values"]["good"]
        # what is on the wire may be one step of the simulation (5 s of plant time here) behind
        assert before - 5 <= read <= after


async def test_machines_end_when_the_plant_is_killed() -> None:
    base = free_ports(12)
    words = ("--modbus-base", str(base), "--opcua-base", str(base + 6))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators.plant", "--port", "0", *words,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await within(process.stdout.readline())
    reader, writer = await asyncio.open_connection("127.0.0.1", base)
    process.kill()
    await process.wait()
    async with asyncio.timeout(PATIENCE):  # the machine's end closes the connection
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
