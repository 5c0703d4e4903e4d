"""F10: the spool and the log stand on one disk that is full, a real one of 20 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.full_disk_edge import CONDITION, LOST_AT, SECONDS, STATE, TAGS
from tests.leash import leashed


def _may_mount(folder: Path) -> bool:
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    tmp_path = tmp_path_factory.mktemp("disk")
    if not _may_mount(tmp_path):
        pytest.skip("a disk of its own can only be mounted by root")
    command = ["unshare", "--mount", sys.executable, "-m", "tests.integration.full_disk_edge", str(tmp_path)]
    done = subprocess.run(leashed(command), capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_full_disk_costs_the_oldest_numbers_and_keeps_what_happened(told: dict[str, Any]) -> None:
    events = [(tag, second) for tag, second, _, _ in told["events"]]
    assert set(changes()) <= set(events)
    assert told["lost_marks"] == len(TAGS)
    assert (told["refused"], told["newest"]) == (0, SECONDS - 1)
    assert 1_000 < told["whole"] < SECONDS  # what is new is there as it was
    assert told["samples"] + told["dropped"] == SECONDS * len(TAGS)  # each is kept or counted


def test_the_gap_is_noted_from_when_to_when_of_whom_and_how_much(told: dict[str, Any]) -> None:
    [[source, first, last, samples, tags]] = told["gaps"]
    assert (source, first, samples, tags) == ("plc", 0, told["dropped"], len(TAGS))
    assert 0 < last < SECONDS - told["whole"] + 100


def test_a_log_without_room_ends_nothing(told: dict[str, Any]) -> None:
    assert 0 < told["log"] < SECONDS * 400


def changes() -> list[tuple[int, int]]:
    """(tag, second) of everything that happened."""
    states = [(STATE, second) for second in range(0, SECONDS, 100)]
    on, off = range(0, SECONDS, 500), range(5, SECONDS, 500)
    lost = [(tag, second) for tag in (STATE, CONDITION) for second in (LOST_AT, LOST_AT + 1)]
    return states + [(CONDITION, second) for second in (*on, *off)] + lost
