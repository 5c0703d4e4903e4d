"""Ports for servers that a test starts a moment after it has chosen them."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket

# Below 32768, where Linux begins to hand out ports of its own accord: such a port may be somebody's outgoing
# connection before the server is up. Each worker of pytest-xdist has its own thousand.
_FIRST, _EACH, _WORKERS = 28_000, 1_150, 4
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0) % _WORKERS
_next = itertools.count(random.randrange(_EACH))


def free_port() -> int:
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, none of them given out a moment ago."""
    for _ in range(_EACH):
        numbers = [next(_next) % _EACH for _ in range(count)]
        if numbers[0] + count > _EACH:
            continue  # this row goes round the end
        base = _FIRST + _worker * _EACH + numbers[0]
        with contextlib.ExitStack() as stack:
            try:
                for port in range(base, base + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise OSError(f"no {count} free ports in a row")
