"""`python -m tests.bench NAME`: run one bench; without a name, list them.

What a bench has to say while it runs goes to stderr. Its last line on stdout is one JSON object of figures.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

import uvloop

BENCHES = (
    "collection", "compressed", "edge", "exactly_once", "fuzz", "kills", "latency", "progress", "queries",
    "restarts", "rush", "soak", "start", "storm", "wall",
)  # fmt: skip


def main(words: list[str]) -> int:
    if not words or words[0] not in BENCHES:
        if words:
            print(f"there is no bench {words[0]!r}")
        for name in BENCHES:
            print(f"make bench BENCH={name:<12} {_first_line(name)}")
        return 2 if words else 0
    bench = importlib.import_module(f"tests.bench.{words[0]}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures: dict[str, Any] = runner.run(bench.measure(bench.arguments(words[1:])))
    print(json.dumps({"bench": words[0], **figures}))
    return 0


def _first_line(name: str) -> str:
    return (importlib.import_module(f"tests.bench.{name}").__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
