"""The bare limit of telling: poll, compare, POST, with nothing in between and nothing kept.

`python -m tests.bench.bare_latency --device PORT --robot PORT --registers 100 --interval 0.1`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import struct
import time

import numpy as np
import uvloop

from tests.bench.plant import LIMIT_HIGH, SCALE
from tests.simulators.process import announce, say, told_to_stop

_FRAME = struct.Struct(">HHHBBHH")
_OVERHEAD = 9  # bytes of an answer before its registers
_POST = (
    b"POST /bare HTTP/1.1\r\nHost: robot\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)


async def watch(chosen: argparse.Namespace) -> None:
    """Posts once for each register that has come to lie above the limit."""
    frame = _FRAME.pack(1, 0, 6, 1, 3, 0, chosen.registers)
    whole = _OVERHEAD + 2 * chosen.registers
    device_reader, device = await asyncio.open_connection("127.0.0.1", chosen.device)
    robot_reader, robot = await asyncio.open_connection("127.0.0.1", chosen.robot)
    limit = LIMIT_HIGH / SCALE
    active = np.zeros(chosen.registers, bool)
    say({"up": ""})
    while True:
        now = time.monotonic()
        await asyncio.sleep((math.floor(now / chosen.interval + 1e-6) + 1) * chosen.interval - now)
        device.write(frame)
        answer = await device_reader.readexactly(whole)
        over = np.frombuffer(answer, ">u2", offset=_OVERHEAD) > limit
        for register in np.flatnonzero(over & ~active):
            text = b'{"register":%d}' % register
            robot.write(_POST % (len(text), text))
            await robot_reader.readuntil(b"}")
        active = over


async def _live(chosen: argparse.Namespace) -> None:
    stop = told_to_stop()
    announce("bare-latency", "")
    work = asyncio.create_task(watch(chosen))
    await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare_latency", description=__doc__)
    parser.add_argument("--device", type=int, required=True)
    parser.add_argument("--robot", type=int, required=True)
    parser.add_argument("--registers", type=int, default=100)
    parser.add_argument("--interval", type=float, default=0.1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(parser.parse_args()))


if __name__ == "__main__":
    main()
