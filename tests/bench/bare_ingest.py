"""The bare limit of storing: the flood's batches by binary COPY, one transaction after the other.

`python -m tests.bench.bare_ingest --tags 10000 --seconds 30 --dsn DSN --commits FILE.npy`
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import psycopg

from hub.model.batch import join
from hub.store.copying import to_copy
from tests.bench.bare_collection import COPY
from tests.bench.commits import Commits
from tests.bench.flood import Flood
from tests.simulators.process import announce, say

AT_ONCE = 5  # batches to a transaction: as many rows as the product's writer takes together


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare_ingest", description=__doc__)
    parser.add_argument("--tags", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--commits", type=Path, required=True)
    chosen = parser.parse_args()
    flood, commits = Flood(chosen.tags), Commits()
    announce("bare-ingest", "")
    with psycopg.connect(chosen.dsn, autocommit=True) as connection:
        until = time.monotonic() + chosen.seconds
        while time.monotonic() < until:
            rows = join([flood.batch() for _ in range(AT_ONCE)])
            with connection.cursor().copy(COPY) as copy:
                copy.write(to_copy(rows))
            commits.note(rows.source_times)
            flood.given += len(rows)
    commits.save(chosen.commits)
    say({"given": flood.given})


if __name__ == "__main__":
    main()
