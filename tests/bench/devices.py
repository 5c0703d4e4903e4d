"""Many Modbus TCP devices in one cheap process: `python -m tests.bench.devices --count 100`.

Answers function 3 (read holding registers) as MODBUS Messaging on TCP/IP 1.0b has it, and nothing else. With
`--moving` every register is another one at every reading, and the last one counts the readings from 1.

Takes commands as lines of JSON on stdin and answers each with one line on stdout:
  {"set": [device, register, value]}  -> {"at": seconds of the monotonic clock at which it was so, "time": the
                                         same since 1970}
  {"silent": true}                    -> {"answered": [readings of each device]}; from now on no answers
  {"ask": true}                       -> the same, and goes on
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
import time
from typing import Any, cast

import numpy as np
import uvloop

from tests.simulators.process import announce, say, told_to_stop

_ASKED = struct.Struct(">HHHBBHH")  # transaction, protocol, length, unit, function, first register, how many
_HEAD = struct.Struct(">HHHBBB")  # transaction, protocol, length, unit, function, bytes
_COUNT = struct.Struct(">H")
PATTERNS = 64
PEAK = (9_000, 5, 20)  # the first register of the first device: so much, for 5 of every 20 readings


class Device:
    """The registers behind one port."""

    def __init__(self, number: int, registers: int, moving: bool) -> None:
        self.answered = 0
        self.silent = False
        self._moving = moving
        self._patterns = _patterns(number, registers)
        self._memory = bytearray(self._patterns[0])
        self._peaks = number == 0

    def put(self, register: int, value: int) -> None:
        _COUNT.pack_into(self._memory, 2 * register, value)

    def read(self, first: int, count: int) -> bytes:
        self.answered += 1
        if self._moving:
            self._memory[:] = self._patterns[self.answered % PATTERNS]
            _COUNT.pack_into(self._memory, len(self._memory) - 2, self.answered & 0xFFFF)
            height, length, period = PEAK
            if self._peaks and self.answered % period < length:
                self.put(0, height)
        return bytes(self._memory[2 * first : 2 * (first + count)])


def _patterns(number: int, registers: int) -> list[bytes]:
    """Slow waves within the limits of every rule, no two neighbours alike."""
    at = np.arange(PATTERNS)[:, None]
    phase = np.arange(registers) * 37 + number * 11
    waves = 4_000 + 3_000 * np.sin(2 * np.pi * (at + phase) / PATTERNS) + (at * 7 + phase) % 97
    return [row.tobytes() for row in waves.astype(">u2")]


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= _ASKED.size:
            transaction, _, _, unit, function, first, count = _ASKED.unpack_from(self._heard)
            self._heard = self._heard[_ASKED.size :]
            if self._device.silent:
                continue
            said = self._device.read(first, count)
            self._transport.write(_HEAD.pack(transaction, 0, 3 + len(said), unit, function, len(said)) + said)


def obey(devices: list[Device], command: dict[str, Any]) -> dict[str, Any]:
    match command:
        case {"set": [int(device), int(register), int(value)]}:
            devices[device].put(register, value)
            return {"at": time.monotonic(), "time": time.time()}
        case {"silent": bool(silent)}:
            for each in devices:
                each.silent = silent
    return {"answered": [device.answered for device in devices]}


async def _serve(chosen: argparse.Namespace) -> None:
    devices = [Device(n, chosen.registers, chosen.moving) for n in range(chosen.count)]
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda d=device: Line(d), "127.0.0.1", 0) for device in devices]  # type: ignore[misc]
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    stop = told_to_stop()
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    announce("devices", f"127.0.0.1:{ports[0]}", ports=ports)
    obeying = asyncio.create_task(_obey_all(commands, devices))
    await stop
    obeying.cancel()


async def _obey_all(commands: asyncio.StreamReader, devices: list[Device]) -> None:
    async for line in commands:
        say(obey(devices, json.loads(line)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.devices", description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--registers", type=int, default=100)
    parser.add_argument("--moving", action="store_true", help="every register changes at every reading")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
