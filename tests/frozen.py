"""A database that neither answers nor refuses: SIGSTOP to every process of the server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg


@contextmanager
def frozen(dsn: str) -> Iterator[None]:
    """The postmaster and everything it has started stand still for the length of the block."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("show data_directory").fetchone()
    assert row is not None
    postmaster = int(Path(row[0], "postmaster.pid").read_text().split()[0])
    stopped = [postmaster]
    os.kill(postmaster, signal.SIGSTOP)  # first, so that nobody is born meanwhile
    try:
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGSTOP)
            stopped.append(int(child))
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):  # it was ending when it was stopped
                os.kill(pid, signal.SIGCONT)
