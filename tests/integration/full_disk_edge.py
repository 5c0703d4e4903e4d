"""An edge in a process of its own whose spool and log share a disk of 20 MB that somebody fills up.

In a mount namespace of its own (`unshare --mount`): the disk is gone with the process. Says what was kept.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np

from hub import log
from hub.bus.numbers import Epoch, Numbering
from hub.bus.spool import DiskRefuses, Spool
from hub.bus.worth import Worth
from hub.model.batch import SampleBatch
from hub.model.sample import BAD_NO_COMMUNICATION
from hub.testing.clock import NOON

TAGS = np.arange(1, 1_001)  # 1 is a state, 2 a condition of a device, the rest are numbers
STATE, CONDITION = 1, 2
SECONDS, LOST_AT = 5_000, 300
GIBIBYTE = 1 << 30


def second(n: int, random: np.random.Generator) -> bytes:
    values = random.random(len(TAGS))
    values[0], values[1] = n // 100 % 3, (n % 500 < 5) * 700.0
    statuses = np.full(len(TAGS), BAD_NO_COMMUNICATION if n == LOST_AT else 0, np.uint32)
    at = np.full(len(TAGS), int((NOON + timedelta(seconds=n)).timestamp() * 1_000_000))
    return SampleBatch(TAGS.astype(np.int32), at, values, statuses, "plc").to_bytes()


def main(disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)], check=True)
    stream = (disk / "hub.log").open("w", encoding="utf-8")
    log.setup(json=True, stream=stream)
    worth = Worth(
        frozenset({STATE, CONDITION}),
        sources=dict.fromkeys(TAGS.tolist(), "plc"),
        names={n: f"p1/{n}" for n in TAGS.tolist()},
    )
    spool = Spool(disk / "spool", GIBIBYTE)
    spool.keep(worth, Numbering([Epoch(0, {})]))
    random, refused = np.random.default_rng(1), 0
    for n in range(SECONDS):
        logging.getLogger("somebody").info("talkative %s", "x" * 400)
        try:
            spool.append(second(n, random), NOON + timedelta(seconds=n))
        except DiskRefuses:
            refused += 1
    kept = [SampleBatch.from_bytes(k.body) for k in spool.read(0, GIBIBYTE) if k.body]
    rows = [(int(t), int(b.source_times[i]) // 1_000_000 - int(NOON.timestamp()), float(b.values[i]),
             int(b.statuses[i])) for b in kept for i, t in enumerate(b.tags) if t <= CONDITION]  # fmt: skip
    told = {
        "refused": refused,
        "samples": sum(map(len, kept)),
        "dropped": spool.dropped.total(),
        "lost_marks": sum(int((b.statuses == BAD_NO_COMMUNICATION).sum()) for b in kept),
        "newest": int(kept[-1].source_times[0]) // 1_000_000 - int(NOON.timestamp()),
        "whole": sum(len(b) == len(TAGS) for b in kept),
        "events": rows,
        "gaps": [[g.source, (g.first - NOON).total_seconds(), (g.last - NOON).total_seconds(), g.samples,
                  len(g.tags)] for g in spool.gaps()],
        "log": (disk / "hub.log").stat().st_size,
    }  # fmt: skip
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
