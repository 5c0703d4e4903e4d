"""A recording played through a real server arrives at a real client as it was recorded."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from asyncua.client.client import Client
from pymodbus.client import AsyncModbusTcpClient

from hub.clock import SystemClock
from hub.settings import load
from tests.integration.test_plant_servers import ROOT, Heard, within
from tests.ports import free_ports
from tests.simulators.fleet import Fleet
from tests.simulators.replay import describe, wiring
from tests.simulators.replay.player import Score, play

pytestmark = pytest.mark.anyio

SETS = Path(os.environ.get("ANDON_DATA_SETS", ROOT.parent / "shared" / "data"))
DAY = SETS / "nist-mtconnect" / "Mazak01-201706" / "Mazak01-20170613-20170614.txt.gz"
LOG = """\
2026-03-01T08:00:00Z|execution|READY
2026-03-01T08:00:00Z|Sload|0
2026-03-01T08:00:10Z|execution|ACTIVE
2026-03-01T08:00:20Z|Sload|55
2026-03-01T09:00:00Z|execution|UNAVAILABLE
2026-03-01T09:00:00Z|Sload|UNAVAILABLE
2026-03-01T10:00:00Z|execution|ACTIVE
2026-03-01T10:00:00Z|Sload|12
"""


async def sequence(folder: Path, tag: str, expected: int, start: datetime | None = None) -> list[Any]:
    """What an OPC UA client hears of one tag while the folder is played."""
    recording = describe(folder)
    (machine,) = wiring(recording, "opcua", free_ports(1))
    fleet = Fleet([machine])
    score = Score(recording, False, start)
    await fleet.start(score.opening())
    try:
        async with Client(machine.endpoint) as client:
            heard = Heard()
            subscription = await client.create_subscription(20, heard)
            index = await client.get_namespace_index("urn:andon:replay")
            node = client.get_node(f"ns={index};s={machine.machine}.{tag}")
            await subscription.subscribe_data_change(node, queuesize=10_000)
            await heard.seen(1)
            span = (recording.first, recording.last)
            gap = timedelta(milliseconds=1)
            await play(score, fleet, SystemClock(), 1e6, gap, lambda line: None, span)
            return await heard.seen(expected)
    finally:
        await fleet.stop()


async def test_states_arrive_in_order_with_the_times_nobody_was_listening(tmp_path: Path) -> None:
    (tmp_path / "Mill7-20260301.txt").write_text(LOG, encoding="utf-8")
    assert await sequence(tmp_path, "state", 5) == [None, "READY", "ACTIVE", None, "ACTIVE"]


async def test_play_can_begin_in_the_middle_with_what_held_then(tmp_path: Path) -> None:
    (tmp_path / "Mill7-20260301.txt").write_text(LOG, encoding="utf-8")
    start = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert await sequence(tmp_path, "sload", 3, start) == [55.0, None, 12.0]


async def test_a_real_day_arrives_state_by_state(tmp_path: Path) -> None:
    if not DAY.exists():
        pytest.skip(f"no data set at {DAY}; set ANDON_DATA_SETS to the folder that holds them")
    shutil.copy(DAY, tmp_path)
    with gzip.open(DAY, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("|") for line in file]
    words = [None if p[2] == "UNAVAILABLE" else p[2] for p in rows if p[1] == "execution"]
    recorded = [word for word, _ in groupby(words)]
    assert len(recorded) > 20
    assert await sequence(tmp_path, "state", len(recorded)) == recorded


async def test_as_a_command_it_writes_the_configuration_serves_tells_its_progress_and_ends(
    tmp_path: Path,
) -> None:
    (tmp_path / "Mill7-20260301.txt").write_text(LOG, encoding="utf-8")
    port = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators.replay", str(tmp_path), "--as", "modbus", "--speed", "1e6",
        "--base-port", str(port), "--config", str(tmp_path / "replay.yaml"), "--on-cue", "--linger", "0.1",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    ready = json.loads(await within(process.stdout.readline()))
    while "reading" in ready:
        ready = json.loads(await within(process.stdout.readline()))
    assert ready["ready"] == "replay"
    assert ready["understood"][0].startswith("Mill7: state from execution; shows Sload; 8 values")
    settings = load(tmp_path / "replay.yaml", {})
    assert settings.file.collectors[0].with_["port"] == port
    client = AsyncModbusTcpClient("127.0.0.1", port=port, reconnect_delay=0, retries=0, timeout=3)
    assert await client.connect()
    unknown = await client.read_holding_registers(0, count=1, device_id=1)
    assert unknown.exception_code == 4  # nothing is known before the play begins
    client.close()
    out, _ = await within(process.communicate(b"go\n"))
    assert json.loads(out.splitlines()[-1]) == {"done": True, "played": 8}
    assert process.returncode == 0
