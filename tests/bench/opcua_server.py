"""An OPC UA server whose variables change at every tick: `python -m tests.bench.opcua_server --nodes 5000`.

Variable `vN` of namespace `urn:andon-hub:bench`; all of a tick share one source time, and the last one counts
the ticks from 1. Takes commands as lines of JSON on stdin and answers each with one line on stdout:
  {"ask": true}     -> {"ticks": so many so far}
  {"silent": bool}  -> the same; ticks no more, or again
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from datetime import UTC

import uvloop
from asyncua import Server, ua

from hub.clock import SystemClock
from tests.bench.plant import NAMESPACE, SIGNALS
from tests.ports import free_port
from tests.simulators.process import announce, say, told_to_stop

PEAK = (900.0, 5, 20)  # the first variable: so much, for 5 of every 20 ticks


class Machine:
    """The variables, and their next values."""

    def __init__(self, server: Server, ids: list[ua.NodeId]) -> None:
        self._server, self._ids = server, ids
        self.ticks = 0
        self.silent = False

    async def tick(self) -> None:
        self.ticks += 1
        now = SystemClock().now().astimezone(UTC)
        for n, node in enumerate(self._ids):
            value = ua.Variant(self._value(n), ua.VariantType.Double)
            data = ua.DataValue(value, SourceTimestamp=now, ServerTimestamp=now)
            await self._server.write_attribute_value(node, data)
            if n % 250 == 0:
                await asyncio.sleep(0)  # answers go out meanwhile

    def _value(self, n: int) -> float:
        """Within the limits of every rule, and never what it was at the tick before."""
        height, length, period = PEAK
        if n == len(self._ids) - 1:
            return float(self.ticks)
        if n == 0 and self.ticks % period < length:
            return height + self.ticks % 2
        return 400.0 + (self.ticks * 7 + n) % 97


async def _serve(chosen: argparse.Namespace) -> None:
    server = Server()
    await server.init()
    endpoint = f"opc.tcp://127.0.0.1:{chosen.port or free_port()}/bench"
    server.set_endpoint(endpoint)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    ids: list[ua.NodeId] = []
    for n in range(chosen.nodes):
        if n % SIGNALS == 0:  # each new child is compared with all that its folder has
            folder = await server.nodes.objects.add_folder(index, f"m{n // SIGNALS}")
        node = await folder.add_variable(ua.NodeId.from_string(f"ns={index};s=v{n}"), f"v{n}", 0.0)
        ids.append(node.nodeid)
    machine = Machine(server, ids)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with server:
        stop = told_to_stop()
        announce("opcua-server", endpoint)
        work = [
            asyncio.create_task(_tick(machine, chosen.interval)),
            asyncio.create_task(_obey(machine, commands)),
        ]
        await stop
        for task in work:
            task.cancel()


async def _tick(machine: Machine, interval: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + interval, loop.time())
        await asyncio.sleep(due - loop.time())
        if not machine.silent:
            await machine.tick()


async def _obey(machine: Machine, commands: asyncio.StreamReader) -> None:
    async for line in commands:
        match json.loads(line):
            case {"silent": bool(silent)}:
                machine.silent = silent
        say({"ticks": machine.ticks})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.opcua_server", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
