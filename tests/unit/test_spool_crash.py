"""A process that is killed while it saves a damaged spool: the next one has the same batches, once each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hub.bus.spool import Spool
from hub.bus.spool_file import PAGE_BYTES
from hub.model.packing import packed
from hub.testing.clock import NOON
from tests.leash import leashed

LIMIT = 1_000_000
OPEN = """
import sys; from pathlib import Path; from hub.bus.spool import Spool
spool = Spool(Path(sys.argv[1]), 1_000_000)
"""
STEPS = [
    "spool.salvaging:exit", "spool.salvaging:exit@20", "spool.before_commit:exit", "spool.half_is_whole:exit",
    "spool.new_is_there:exit", "spool.put_aside:exit", "spool.put_aside:exit@2", "spool.put_aside:exit@3",
    "spool.all_aside:exit", "spool.new_is_taken:exit",
]  # fmt: skip


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With its last batches in the log only, and a spoiled page in the middle of the file."""
    folder = tmp_path_factory.mktemp("damaged") / "spool"
    living = Spool(folder, LIMIT)
    bodies = [bytes([n]) + os.urandom(3_000) for n in range(30)]
    for n, body in enumerate(bodies[:25]):
        living.append(body, NOON + timedelta(seconds=n))
    living._file.work_in()
    for n, body in enumerate(bodies[25:], 25):
        living.append(body, NOON + timedelta(seconds=n))
    after = folder.with_name("after")
    shutil.copytree(folder, after)
    living.close()
    with (after / "spool.db").open("r+b") as file:
        at = file.read().rindex(packed(bodies[12])[:64])
        file.seek(at - at % PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)
    return after


def kept(folder: Path) -> tuple[str, int, list[tuple[int, bytes]]]:
    spool = Spool(folder, LIMIT)
    try:
        rows = [(k.number, k.body) for k in spool.read(0, 1 << 30) if k.body is not None]
        return spool.sender_of(1), spool.last, rows
    finally:
        spool.close()


@pytest.mark.parametrize("step", STEPS)
def test_whoever_dies_at_any_step_leaves_the_same_batches(damaged: Path, tmp_path: Path, step: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    shutil.copytree(damaged, whole)
    shutil.copytree(damaged, killed)
    expected = kept(whole)
    assert 20 <= len(expected[2]) < 30 and expected[1] == 30
    command = leashed([sys.executable, "-c", OPEN, str(killed)])
    died = subprocess.run(command, env={**os.environ, "ANDON_FAILPOINTS": step}, timeout=60, check=False)
    assert died.returncode == 137
    assert kept(killed) == expected
    assert len(list(killed.glob("spool.damaged-*.db"))) == 1
    assert kept(killed) == expected  # and stays
