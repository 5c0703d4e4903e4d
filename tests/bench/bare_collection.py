"""The bare limit of collecting: ready-made Modbus frames, one numpy COPY a tick, and nothing besides.

No retries, no rules, no bus, no word to anybody; it stops at the first thing that goes wrong. The table is
the product's own, made by its migrations. `python -m tests.bench.bare_collection --ports 1,2 --dsn DSN ...`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import struct
import time
from pathlib import Path
from typing import cast

import numpy as np
import psycopg
import uvloop

from hub.store.copying import EPOCH_SHIFT, HEADER, ROW, TRAILER
from tests.bench.commits import Commits
from tests.bench.plant import SCALE
from tests.simulators.process import announce, say, told_to_stop

_FRAME = struct.Struct(">HHHBBHH")
_OVERHEAD = 9  # bytes of an answer before its registers
COPY = b"copy samples (ts, tag, value, status) from stdin (format binary)"


class Line(asyncio.Protocol):
    """One device's connection; `answer` is whole when `Round` is told."""

    def __init__(self, whole: int, round_: Round) -> None:
        self._whole, self._round = whole, round_
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if len(self.answer) == self._whole:
            self._round.answered()


class Round:
    """Waits for as many answers as there are devices."""

    def __init__(self) -> None:
        self._missing = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, devices: int) -> asyncio.Future[None]:
        self._missing = devices
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def answered(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._done.set_result(None)


async def collect(chosen: argparse.Namespace, commits: Commits) -> None:
    """A round at every whole multiple of the interval, until cancelled."""
    registers, ports = chosen.registers, [int(p) for p in chosen.ports.split(",")]
    frame, round_ = _FRAME.pack(1, 0, 6, 1, 3, 0, registers), Round()
    lines = [Line(_OVERHEAD + 2 * registers, round_) for _ in ports]
    loop = asyncio.get_running_loop()
    for line, port in zip(lines, ports, strict=True):
        await loop.create_connection(lambda line=line: line, "127.0.0.1", port)  # type: ignore[misc]
    scales = np.full(registers, SCALE)
    scales[-1] = 1.0
    rows = np.zeros(len(ports) * registers, ROW)
    rows["fields"], rows["tag_length"] = 4, 4
    rows["ts_length"] = rows["value_length"] = rows["status_length"] = 8
    rows["tag"] = np.arange(1, len(rows) + 1)
    with psycopg.connect(chosen.dsn, autocommit=True) as connection:
        say({"up": ""})
        while True:
            await asyncio.sleep(_until_next(chosen.interval))
            now = time.time_ns() // 1000
            done = round_.begin(len(lines))
            for line in lines:
                line.answer = b""
                line.transport.write(frame)
            await done
            answers = b"".join([line.answer[_OVERHEAD:] for line in lines])
            values = np.frombuffer(answers, ">u2").reshape(len(lines), registers) * scales
            rows["value"] = values.ravel()
            rows["ts"] = now - EPOCH_SHIFT
            with connection.cursor().copy(COPY) as copy:
                copy.write(b"".join((HEADER, rows.tobytes(), TRAILER)))
            commits.note(np.full(len(rows), now))


def _until_next(interval: float) -> float:
    now = time.monotonic()
    return (math.floor(now / interval + 1e-6) + 1) * interval - now


async def _live(chosen: argparse.Namespace) -> None:
    commits = Commits()
    stop = told_to_stop()
    announce("bare-collection", "")
    work = asyncio.create_task(collect(chosen, commits))
    await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    commits.save(chosen.commits)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare_collection", description=__doc__)
    parser.add_argument("--ports", required=True)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--registers", type=int, default=100)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--commits", type=Path, required=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_live(parser.parse_args()))


if __name__ == "__main__":
    main()
